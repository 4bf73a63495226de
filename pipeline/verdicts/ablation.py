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

from pipeline.verdicts.estimates import Cell, Estimate, Verdict, estimate_difference, judge_family
from pipeline.verdicts.scores import Metric, pair_predictions

ALL = "all"  # stands where a class's name would


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
        for metric, number in _list_measures(len(classes))
    ]
    judged = [r for r in results if r.estimate and (r.metric == "recall" or r.label == ALL)]
    verdicts = judge_family([r.estimate for r in judged if r.estimate], margin)
    by_result = dict(zip(map(id, judged), verdicts, strict=True))
    return [Result(**{**vars(r), "verdict": by_result.get(id(r))}) for r in results]


def _list_measures(class_count: int) -> Iterator[tuple[Metric, int | None]]:
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
