"""Section 1: the answer - what was found, each experiment's difference to look at, what is next."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.charts import choose_ticks, place_on_axis
from pipeline.report.intervals import Line, find_limits, to_line
from pipeline.report.wrong import count_by_class
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import ALL, Arm, Result, find_arm, is_looked_at, list_runs_of
from pipeline.verdicts.families import HELPS, HURTS
from pipeline.verdicts.results import Ablation

_FEW = 4  # classes that are all named in a sentence; of more only the worst


@dataclass(frozen=True)
class Broken:
    """Runs of an experiment that count like the others though something went wrong in them."""

    collapsed: int
    failed: int
    runs: int


def show_finding(params: Params, ablation: Ablation) -> dict[str, object]:
    """Return the finding, the lines of the chart with its axis, and what to do next."""
    margin = params.compare.margin / 100
    results = [r for r in ablation.results if (r.label, r.metric) == (ALL, "accuracy")]
    low, high = find_limits(results, margin)
    room = (high - low) / 20  # so that no end of an interval lies at the edge
    limits = low - room, high + room
    lines = [to_line(result, margin, limits) for result in results]
    compared = [line for line in lines if line.difference is not None]
    ticks = choose_ticks(100 * limits[0], 100 * limits[1])
    return {
        "sentences": ablation.finding,
        "plain": _count_plain(params.classes, ablation),
        "hidden": _find_hidden(ablation),
        "twins": {arm.twin: arm.name for arm in ablation.arms if arm.twin},
        "compared": sorted(compared, key=_find_difference, reverse=True),
        "others": [(line, _list_held_against(line, lines)) for line in lines if not line.bar],
        "ticks": [(place_on_axis(tick / 100, limits), _write_tick(tick)) for tick in ticks],
        "next_step": ablation.next_step,
        "notes": ablation.notes,
        "reading": ablation.reading.split("\n"),
    }


def _write_tick(points: float) -> str:
    return f"{points:+g}".replace("-", "−") if points else "0"


def _find_difference(line: Line) -> float:
    return line.difference or 0.0


def _list_held_against(line: Line, lines: Sequence[Line]) -> list[str]:
    """Return the experiments that are compared with this one."""
    return [other.experiment for other in lines if other.control == line.experiment]


def _find_hidden(ablation: Ablation) -> dict[str, list[Line]]:
    """Return, by experiment, what changed of each class where one is hurt and the accuracy is not.

    What one class gains and another loses is not to be seen in the accuracy.
    """
    said = {(r.experiment, r.label): r for r in ablation.results if r.verdict and is_looked_at(r)}
    hurt = {
        name
        for (name, label), r in said.items()
        if label != ALL and _word(r) == HURTS and _word(said[name, ALL]) != HURTS
    }
    found: dict[str, list[Line]] = {}
    for (name, label), result in said.items():
        if name in hurt and label != ALL and _word(result) in (HELPS, HURTS):
            found.setdefault(name, []).append(to_line(result, 0.0, (-1.0, 1.0)))
    return found


def _word(result: Result) -> str:
    return result.verdict.verdict if result.verdict else ""


def _count_plain(classes: Sequence[str], ablation: Ablation) -> dict[str, object] | None:
    """Return the wrong pictures without augmentation: of every class, or of the worst."""
    arm = find_arm(ablation.arms, "none")
    if arm is None:
        return None
    counted = count_by_class(classes, ablation, arm)
    named = counted
    if len(counted) > _FEW:
        named = sorted(counted, key=lambda one: -one.wrong / one.pictures)[: _FEW - 1]
    return {
        "all": sum(one.wrong for one in counted),
        "pictures": len(ablation.ids),
        "runs": sum(len(one.seeds) for one in list_runs_of(ablation.arms, arm)),
        "named": named,
        "is_every": named is counted,
    }


def list_broken(arms: Sequence[Arm]) -> dict[str, Broken]:
    """Return the experiments that have runs in which something went wrong."""
    found = {
        arm.name: Broken(
            sum(bool(run["collapsed"]) for run in arm.runs),
            sum(run["failed_step"] is not None for run in arm.runs),
            len(arm.runs),
        )
        for arm in arms
    }
    return {name: one for name, one in found.items() if one.collapsed or one.failed}
