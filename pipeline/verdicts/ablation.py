"""The ablation: what every experiment scored, how it differs from its control, and the tables.

Scores and differences are shares (0.02 is two points); the tables that people read show per
cent and points. A run is one seed on one fold; `predicted` int (S, N) holds, for each seed, the
class that each test picture was given (with cross-validation in the fold that tests it).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.verdicts.estimates import Estimate, Verdict, estimate_difference, judge_family
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

    def answers(self, seeds: Sequence[int]) -> npt.NDArray[np.integer]:
        """Return what the runs with these seeds predicted, in their order: (len(seeds), N)."""
        return self.predicted[[self.seeds.index(seed) for seed in seeds]]


def share_seeds(*arms: Arm) -> list[int]:
    """Return the seeds that all of some arms have, in the order of the first."""
    first, *others = arms
    return [seed for seed in first.seeds if all(seed in arm.seeds for arm in others)]


def find_arm(arms: Sequence[Arm], name: str | None) -> Arm | None:
    """Return the arm of that name, None where there is none."""
    return next((arm for arm in arms if arm.name == name), None)


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
    results = [
        measure(arm, find_arm(arms, arm.control), metric, number, labels, groups, classes)
        for arm in arms
        for metric, number in _list_measures(len(classes))
    ]
    estimates = [r.estimate for r in results if r.estimate and is_judged(r)]
    verdicts = iter(judge_family(estimates, margin))
    return [
        replace(r, verdict=next(verdicts)) if r.estimate and is_judged(r) else r for r in results
    ]


def is_judged(result: Result) -> bool:
    """Return whether a line belongs to the family that Holm's correction is made for."""
    return result.metric == "recall" or result.label == ALL


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
    shared = share_seeds(arm, control)
    if not shared or (metric == "recall" and not (labels == number).any()):
        return None
    differences, counted = pair_predictions(
        labels, groups, control.answers(shared), arm.answers(shared), metric, number
    )
    if np.isnan(differences).any():  # the precision of a class that a collapsed run never claimed
        return None
    return estimate_difference(differences, counted)


@dataclass(frozen=True)
class Judged:
    """A line of the table with its verdict. label: the class, or "all"."""

    experiment: str
    control: str
    label: str
    metric: str  # accuracy or recall
    estimate: Estimate
    verdict: Verdict


def list_judged(results: Sequence[Result]) -> list[Judged]:
    """Return the lines that have a verdict."""
    return [
        Judged(r.experiment, r.control, r.label, r.metric, r.estimate, r.verdict)
        for r in results
        if r.estimate and r.verdict
    ]
