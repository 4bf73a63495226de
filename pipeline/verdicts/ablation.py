"""The ablation: what every experiment scored, how it differs from its control, and the tables.

Scores and differences are shares (0.02 is two points); the tables that people read show per
cent and points. A run is one seed on one fold; `predicted` int (S, N) holds, for each seed, the
class that each test picture was given (with cross-validation in the fold that tests it).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.verdicts.estimates import (
    HELPS,
    HURTS,
    NO_EFFECT,
    Cell,
    Estimate,
    Verdict,
    estimate_difference,
    judge_family,
)
from pipeline.verdicts.scores import Metric, pair_predictions

ALL = "all"  # stands where a class's name would
MARKS = {HELPS: "▲", HURTS: "▼", NO_EFFECT: "="}
LEGEND = (
    "▲ helps, ▼ hurts, = no effect beyond the margin; without a mark: cannot tell or no verdict"
)
LONG_COLUMNS = (
    "experiment", "control", "class", "metric", "mean", "sd", "runs", "difference", "low",
    "high", "p", "verdict", "visible_effect",
)  # fmt: skip
FEW_CLASSES = 3  # up to so many, the wide table has room for the intervals


@dataclass(frozen=True)
class Arm:
    """One experiment's results. `runs` are metrics.json's; `seeds` name the rows of `predicted`."""

    name: str
    control: str | None
    seeds: tuple[int, ...]
    predicted: npt.NDArray[np.integer]  # (S, N)
    runs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Result:
    """One line of the long table: an experiment, a class (or all) and a metric.

    Mean and spread are of `known` of the `runs`: those in which the metric is defined.
    """

    experiment: str
    control: str
    label: str
    metric: Metric
    mean: float | None
    sd: float | None
    known: int
    runs: int
    estimate: Estimate | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class WideTable:
    """A table as people read it: text cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def compare_arms(
    arms: Sequence[Arm],
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.object_],
    classes: Sequence[str],
    margin: float,
) -> list[Result]:
    """Return every line of the long table; accuracy and class recalls are judged as one family.

    labels (N,), groups (N,) of the test pictures; margin is a share.
    """
    by_name = {arm.name: arm for arm in arms}
    results = [
        measure(arm, by_name.get(arm.control or ""), metric, number, labels, groups, classes)
        for arm in arms
        for metric, number in list_measures(len(classes))
    ]
    judged = [r for r in results if r.estimate and (r.metric == "recall" or r.label == ALL)]
    verdicts = judge_family([r.estimate for r in judged if r.estimate], margin)
    by_result = dict(zip(map(id, judged), verdicts, strict=True))
    return [Result(**{**vars(r), "verdict": by_result.get(id(r))}) for r in results]


def list_measures(class_count: int) -> Iterator[tuple[Metric, int | None]]:
    """Yield what is measured of each arm: accuracy, then recall, precision and F1 by class."""
    yield "accuracy", None
    metrics: tuple[Metric, ...] = ("recall", "precision", "f1")
    for metric in metrics:
        for number in range(class_count):
            yield metric, number


def measure(
    arm: Arm,
    control: Arm | None,
    metric: Metric,
    number: int | None,
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.object_],
    classes: Sequence[str],
) -> Result:
    """Return an arm's mean and spread of one metric, and its difference to the control."""
    values = [run[metric] if number is None else run["classes"][number][metric] for run in arm.runs]
    known = np.array([value for value in values if value is not None], float)
    return Result(
        experiment=arm.name,
        control=control.name if control else "",
        label=ALL if number is None else classes[number],
        metric=metric,
        mean=float(known.mean()) if len(known) else None,
        sd=float(known.std(ddof=1)) if len(known) > 1 else None,
        known=len(known),
        runs=len(arm.runs),
        estimate=estimate(arm, control, metric, number, labels, groups) if control else None,
    )


def estimate(
    arm: Arm,
    control: Arm,
    metric: Metric,
    number: int | None,
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.object_],
) -> Estimate | None:
    """Return the difference over the seeds that both have; None when there is nothing to pair."""
    shared = [seed for seed in arm.seeds if seed in control.seeds]
    if not shared or (metric == "recall" and not (labels == number).any()):
        return None
    rows = [[a.seeds.index(seed) for seed in shared] for a in (control, arm)]
    differences, counted = pair_predictions(
        labels, groups, control.predicted[rows[0]], arm.predicted[rows[1]], metric, number
    )
    if np.isnan(differences).any():  # the precision of a class that a collapsed run never claimed
        return None
    return estimate_difference(differences, counted)


def to_cells(results: Sequence[Result]) -> list[Cell]:
    """Return the judged lines as the verdicts' own cells."""
    return [
        Cell(r.experiment, r.control, r.label, r.metric, r.estimate, r.verdict)
        for r in results
        if r.estimate and r.verdict
    ]


def to_row(result: Result) -> dict[str, object]:
    """Return a line of ablation.csv; shares with six digits, nothing where nothing is known.

    `runs`: of how many runs the mean is.
    """
    row: dict[str, object] = {
        "experiment": result.experiment,
        "control": result.control,
        "class": result.label,
        "metric": result.metric,
        "mean": _digits(result.mean),
        "sd": _digits(result.sd),
        "runs": result.known,
    }
    if result.estimate:
        for name in ("difference", "low", "high"):
            row[name] = _digits(getattr(result.estimate, name))
    if result.verdict:
        row["p"] = _digits(result.verdict.adjusted_p)
        row["verdict"] = result.verdict.verdict
        row["visible_effect"] = _digits(result.verdict.visible_effect)
    return row


def to_lines(results: Sequence[Result]) -> WideTable:
    """Return the long table as people read it: per cent and points instead of shares."""
    return WideTable(
        "Ablation (%, differences in points)",
        (
            "experiment", "class", "metric", "mean", "control", "difference", "95 % interval",
            "p (Holm)", "verdict", "visible effect", "runs",
        ),
        tuple(
            (
                result.experiment,
                result.label,
                result.metric,
                _mean_and_spread(result),
                result.control,
                _signed(result.estimate.difference) if result.estimate else "",
                _interval(result.estimate) if result.estimate else "",
                _three_digits(result.verdict.adjusted_p) if result.verdict else "",
                result.verdict.verdict if result.verdict else "",
                _visible(result.verdict),
                _count_known(result) or str(result.runs),
            )
            for result in results
        ),
    )  # fmt: skip


def narrow(results: Sequence[Result], metric: str | None, label: str | None) -> list[Result]:
    """Return the lines of one metric and one class (or `all`); None: of every."""
    return [
        result
        for result in results
        if metric in (None, result.metric) and label in (None, result.label)
    ]


def write_rows(results: Sequence[Result], form: str) -> str:
    """Return lines of the long table as csv, json, md or latex."""
    import pandas as pd

    table = pd.DataFrame([to_row(result) for result in results], columns=list(LONG_COLUMNS))
    table = table.fillna("")
    match form:
        case "csv":
            return table.to_csv(index=False, lineterminator="\n")
        case "json":
            return table.to_json(orient="records", indent=2, force_ascii=False) + "\n"
        case "latex":
            return table.to_latex(index=False, escape=True)
        case "md":
            rows = tuple(tuple(map(str, row)) for row in table.to_numpy())
            return write_markdown(WideTable("Ablation (shares)", LONG_COLUMNS, rows))
        case _:
            raise ValueError(f"unknown form {form}")


def widen(
    arms: Sequence[Arm], results: Sequence[Result], classes: Sequence[str]
) -> list[WideTable]:
    """Return the tables to read: accuracy, then recall and precision by class."""
    by_key = {(r.experiment, r.metric, r.label): r for r in results}
    accuracy = WideTable(
        "Accuracy (%)",
        (
            "experiment", "accuracy", "control", "difference", "95 % interval", "verdict",
            "visible effect", "runs", "steps", "training tiles",
        ),
        tuple(_accuracy_row(arm, by_key[arm.name, "accuracy", ALL]) for arm in arms),
    )  # fmt: skip
    by_class = [
        WideTable(
            f"{metric.capitalize()} by class (%), with the difference to the control (points)",
            ("experiment", *classes),
            tuple(
                (
                    arm.name,
                    *(_class_cell(by_key[arm.name, metric, c], len(classes)) for c in classes),
                )
                for arm in arms
            ),
        )
        for metric in ("recall", "precision")
    ]
    return [accuracy, *by_class]


def write_markdown(table: WideTable) -> str:
    """Return a table as Markdown; a class name can't break out of its cell."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    escaped = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
    return f"**{table.title}**\n\n" + "\n".join(escaped) + "\n"


def _accuracy_row(arm: Arm, result: Result) -> tuple[str, ...]:
    estimate, verdict = result.estimate, result.verdict
    return (
        arm.name,
        _mean_and_spread(result),
        result.control,
        _signed(estimate.difference) if estimate else "",
        _interval(estimate) if estimate else "",
        verdict.verdict if verdict else "",
        _visible(verdict),
        _count_runs(arm),
        _span([run["steps"] for run in arm.runs]),
        _span([run["originals"] + run["variants"] for run in arm.runs]),
    )


def _count_runs(arm: Arm) -> str:
    broken = {
        "failed": sum(run.get("failed_step") is not None for run in arm.runs),
        "collapsed": sum(run["collapsed"] for run in arm.runs),
    }
    told = ", ".join(f"{count} {how}" for how, count in broken.items() if count)
    return f"{len(arm.runs)} ({told})" if told else str(len(arm.runs))


def _count_known(result: Result) -> str:
    """Return '2 of 3' where the mean is not of every run, else nothing."""
    return f"{result.known} of {result.runs}" if result.known < result.runs else ""


def _class_cell(result: Result, class_count: int) -> str:
    if result.mean is None:
        return "–"
    estimate = result.estimate
    if estimate is None:
        of = f" ({_count_known(result)} runs)" if _count_known(result) else ""
        return f"{_percent(result.mean)}{of}"
    mark = MARKS.get(result.verdict.verdict, "") if result.verdict else ""
    interval = f" {_interval(estimate)}" if class_count <= FEW_CLASSES else ""
    return f"{_percent(result.mean)} {_signed(estimate.difference)}{interval}{mark}"


def _mean_and_spread(result: Result) -> str:
    spread = f" ± {_percent(result.sd)}" if result.sd is not None else ""
    return f"{_percent(result.mean)}{spread}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{_signed(estimate.low)}, {_signed(estimate.high)}]"


def _visible(verdict: Verdict | None) -> str:
    effect = verdict and verdict.visible_effect
    if not effect:
        return ""
    return _percent(effect) if effect < 1 else "over 100"  # not even all or nothing would show


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _three_digits(p: float | None) -> str:
    return "" if p is None else f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−") if abs(share) >= 0.0005 else "0.0"


def _digits(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"
