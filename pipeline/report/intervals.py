"""Section 2: every class and every number, as intervals to look at and a table to search."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.charts import IntervalBar, place_interval
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import ALL, Result, is_looked_at
from pipeline.verdicts.families import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_GAIN,
    NO_HARM,
    NO_VERDICT,
    OPEN,
    Verdict,
)
from pipeline.verdicts.results import Ablation
from pipeline.verdicts.tables import MARKS

# Sign and name (for the style) of each verdict; the sign says without colour what is meant.
SIGNS = {**MARKS, NO_VERDICT: "–"}
STYLES = {
    HELPS: "helps",
    HURTS: "hurts",
    NO_EFFECT: "same",
    NO_HARM: "same",
    NO_GAIN: "same",
    OPEN: "unclear",
    NO_VERDICT: "none",
}


@dataclass(frozen=True)
class Line:
    """A line of the table: numbers in per cent and points, None where there is none."""

    experiment: str
    control: str
    label: str
    metric: str
    mean: float | None
    sd: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    sign: str
    style: str
    reason: str
    visible: float | None
    bar: IntervalBar | None


def show_verdicts(params: Params, ablation: Ablation) -> dict[str, object]:
    """Return the lines of the table, their grid by experiment and class, and the reading."""
    judged = [r for r in ablation.results if is_looked_at(r)]
    margin = params.compare.margin / 100
    reach = max(map(abs, find_limits(judged, margin)))
    lines = [to_line(result, margin, (-reach, reach)) for result in judged]
    by_cell = {(line.experiment, line.label): line for line in lines}
    columns = [ALL, *params.classes]
    compared = [arm.name for arm in ablation.arms if by_cell[arm.name, ALL].control]
    return {
        "lines": sorted(lines, key=lambda line: not line.control),
        "grid": {name: [by_cell[name, column] for column in columns] for name in compared},
        "columns": columns,
        "gist": ", ".join(f"{number} {word}" for word, number in _count_verdicts(lines)),
        "verdicts": list(dict.fromkeys(line.verdict for line in lines if line.verdict)),
        "reasons": list(dict.fromkeys(line.reason for line in lines if line.reason)),
        "reach": 100 * reach,
    }


def find_limits(results: Sequence[Result], margin: float) -> tuple[float, float]:
    """Return the limits of an axis that shows every interval and twice the margin, shares."""
    bounds = [
        bound
        for result in results
        if result.estimate
        for bound in (result.estimate.low, result.estimate.high, result.estimate.difference)
        if bound is not None
    ]
    return min([-2 * margin, *bounds]), max([2 * margin, *bounds])


def to_line(result: Result, margin: float, limits: tuple[float, float]) -> Line:
    """Return a result as a line of the table."""
    estimate, verdict = result.estimate, result.verdict
    word = verdict.verdict if verdict else ""
    bar = None
    if estimate and estimate.low is not None and estimate.high is not None:
        bar = place_interval(estimate.difference, estimate.low, estimate.high, margin, limits)
    return Line(
        experiment=result.experiment,
        control=result.control,
        label=result.label,
        metric=result.metric,
        mean=_points(result.mean),
        sd=_points(result.sd),
        difference=_points(estimate.difference) if estimate else None,
        low=_points(estimate.low) if estimate else None,
        high=_points(estimate.high) if estimate else None,
        verdict=word,
        sign=SIGNS.get(word, ""),
        style=STYLES.get(word, "none"),
        reason=verdict.reason if verdict else "",
        visible=_visible(verdict),
        bar=bar,
    )


def _count_verdicts(lines: Sequence[Line]) -> list[tuple[str, int]]:
    """Return (verdict, how many lines), the most telling verdict first."""
    counts = Counter(line.verdict for line in lines)
    return [(verdict, counts[verdict]) for verdict in STYLES if counts[verdict]]


def _visible(verdict: Verdict | None) -> float | None:
    return _points(verdict.visible_effect) if verdict else None


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share
