"""The ablation: what every experiment scored, how it differs from its control, and the tables.

Scores and differences are shares (0.02 is two points); the tables that people read show per
cent and points. A run is one seed on one fold; `predicted` int (S, N) holds, for each seed, the
class that each test picture was given (with cross-validation in the fold that tests it).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.verdicts.estimates import (
    SIGNIFICANCE,
    Estimate,
    Sums,
    estimate_difference,
    number_groups,
    pool_arms,
    sum_groups,
)
from pipeline.verdicts.families import NO_GAIN, NO_HARM, OPEN, Line, Verdict, judge_family
from pipeline.verdicts.scores import Metric, spread_metric

ALL = "all"  # stands where a class's name would
Integers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Arm:
    """One experiment's results. `runs` are metrics.json's; `seeds` name the rows of `predicted`.

    `share`: of the training tiles; arms of one share make a study. `judged`: it changes pictures or
    the training, so that there is something to say of it. `twin`: the experiment that is this one
    in another order, whose runs count where this one is a control.
    """

    name: str
    control: str | None
    seeds: tuple[int, ...]
    predicted: Integers  # (S, N)
    runs: Sequence[Mapping[str, Any]]
    share: float = 1.0
    judged: bool = True
    twin: str | None = None

    def answers(self, seeds: Sequence[int]) -> Integers:
        """Return what the runs with these seeds predicted, in their order: (len(seeds), N)."""
        return self.predicted[[self.seeds.index(seed) for seed in seeds]]


def share_seeds(*arms: Arm) -> list[int]:
    """Return the seeds that all of some arms have, in the order of the first."""
    first, *others = arms
    return [seed for seed in first.seeds if all(seed in arm.seeds for arm in others)]


def find_arm(arms: Sequence[Arm], name: str | None) -> Arm | None:
    """Return the arm of that name, None where there is none."""
    return next((arm for arm in arms if arm.name == name), None)


def list_runs_of(arms: Sequence[Arm], arm: Arm) -> list[Arm]:
    """Return an arm and, if it is there, its twin: all whose runs its scores are the mean of."""
    twin = find_arm(arms, arm.twin)
    return [arm, twin] if twin else [arm]


def list_runs_against(arms: Sequence[Arm], arm: Arm) -> list[Arm]:
    """Return the arms whose runs an arm is compared with: its control and that one's twin."""
    control = find_arm(arms, arm.control)
    return [one for one in list_runs_of(arms, control) if one is not arm] if control else []


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
class Measured:
    """One metric, of one class or of all (number None), and the pictures that it is measured on."""

    metric: Metric
    number: int | None
    labels: Integers  # (n,)
    counted: npt.NDArray[np.bool_]  # (N,)
    groups: npt.NDArray[np.int64]  # (n,) numbered

    def sum_parts(self, arm: Arm) -> Sums | None:
        """Return an arm's scores summed by group; None where one run's is undefined."""
        if not self.counted.any():
            return None
        predicted = arm.predicted[:, self.counted]
        parts = spread_metric(self.labels, predicted, self.metric, self.number)
        # The precision of a class that a collapsed run never claimed.
        return None if np.isnan(parts).any() else sum_groups(parts, self.groups)


def compare_arms(
    arms: Sequence[Arm],
    labels: Integers,
    groups: npt.NDArray[np.object_],
    classes: Sequence[str],
    margin: float,
    questions: Collection[tuple[str, str]] = (),
    spent: float = 1.0,
    before: Mapping[tuple[str, str], frozenset[str]] | None = None,
) -> list[Result]:
    """Return every line of the long table; accuracies and recalls of judged arms have a verdict.

    labels (N,), groups (N,) of the test pictures; margin is a share. questions: the recalls, by
    experiment and class, that were asked for beforehand: they stand beside the accuracies. In a
    study in rounds this look may spend a part of the level, and `before` holds what was said at
    earlier ones, by experiment and class.
    """
    by_measure = [
        _compare_measure(arms, measured, classes)
        for measured in list_measures(labels, groups, len(classes))
    ]
    results = [result for of_arm in zip(*by_measure, strict=True) for result in of_arm]
    judged = {arm.name for arm in arms if arm.judged}
    places = [
        place
        for place, result in enumerate(results)
        if result.experiment in judged and result.estimate and is_looked_at(result)
    ]
    lines = [_to_line(results[place], questions) for place in places]
    said = [
        (before or {}).get((results[place].experiment, results[place].label), frozenset())
        for place in places
    ]
    for place, verdict in zip(places, judge_family(lines, margin, spent, said), strict=True):
        results[place] = replace(results[place], verdict=verdict)
    return results


def is_looked_at(result: Result) -> bool:
    """Return whether a line is an accuracy or a recall: of others nothing is said."""
    return result.metric in ("accuracy", "recall")


def list_measures(
    labels: Integers, groups: npt.NDArray[np.object_], class_count: int
) -> Iterator[Measured]:
    """Yield what is measured of each arm: accuracy, then recall, precision and F1 by class."""
    everything, numbers = np.ones(len(labels), bool), number_groups(groups)
    yield Measured("accuracy", None, labels, everything, numbers)
    for number in range(class_count):
        own = labels == number
        own_numbers = number_groups(groups[own])
        yield Measured("recall", number, labels[own], own, own_numbers)
    metrics: tuple[Metric, ...] = ("precision", "f1")
    for metric in metrics:
        for number in range(class_count):
            yield Measured(metric, number, labels, everything, numbers)


def _compare_measure(
    arms: Sequence[Arm], measured: Measured, classes: Sequence[str]
) -> list[Result]:
    """Return the line of each arm."""
    sums = {arm.name: measured.sum_parts(arm) for arm in arms}
    results = []
    for arm in arms:
        control = find_arm(arms, arm.control)
        result = _summarise(list_runs_of(arms, arm), measured, classes)
        if control:
            study = [sums[one.name] for one in arms if one.share == arm.share]
            base = [sums[one.name] for one in list_runs_against(arms, arm)]
            estimate = _estimate(sums[arm.name], base, study)
            result = replace(result, control=control.name, estimate=estimate)
        results.append(result)
    return results


def _summarise(arms: Sequence[Arm], measured: Measured, classes: Sequence[str]) -> Result:
    """Return mean and spread of the first arm's runs, together with those of its twin."""
    metric, number = measured.metric, measured.number
    runs = [run for arm in arms for run in arm.runs]
    values = [run[metric] if number is None else run["classes"][number][metric] for run in runs]
    known = np.array([value for value in values if value is not None], float)
    return Result(
        experiment=arms[0].name,
        control="",
        label=ALL if number is None else classes[number],
        metric=metric,
        mean=float(known.mean()) if len(known) else None,
        sd=float(known.std(ddof=1)) if len(known) > 1 else None,
        known=len(known),
        runs=len(runs),
    )


def _estimate(
    arm: Sums | None, control: Sequence[Sums | None], study: Sequence[Sums | None]
) -> Estimate | None:
    """Return the difference of an arm and all runs of its control; None where one is undefined."""
    base = [sums for sums in control if sums]
    if arm is None or len(base) < len(control):
        return None
    together = Sums(np.concatenate([sums.totals for sums in base]), base[0].sizes)
    return estimate_difference(arm, together, pool_arms([sums for sums in study if sums]))


def _to_line(result: Result, questions: Collection[tuple[str, str]]) -> Line:
    """Return a line as its family takes it."""
    assert result.estimate is not None
    return Line(
        experiment=result.experiment,
        primary=result.label == ALL or (result.experiment, result.label) in questions,
        estimate=result.estimate,
        chance=(result.mean or 0.0) - result.estimate.difference,
    )


@dataclass(frozen=True)
class Judged:
    """A line of the table with its verdict. label: the class, or "all"."""

    experiment: str
    control: str
    label: str
    metric: str  # accuracy or recall
    estimate: Estimate
    verdict: Verdict

    @property
    def leaves_0_out_in_vain(self) -> bool:
        """Whether the line's own interval leaves 0 out, which is not enough among so many lines."""
        p = self.estimate.p
        half_said = self.verdict.verdict in (OPEN, NO_HARM, NO_GAIN)
        return half_said and p is not None and p < SIGNIFICANCE


def list_judged(results: Sequence[Result]) -> list[Judged]:
    """Return the lines that have a verdict."""
    return [
        Judged(r.experiment, r.control, r.label, r.metric, r.estimate, r.verdict)
        for r in results
        if r.estimate and r.verdict
    ]


def count_primary(lines: Sequence[Judged]) -> int:
    """Return how many lines are tested beside each other: accuracies, and questions asked."""
    return sum(line.verdict.primary and line.verdict.level is not None for line in lines)
