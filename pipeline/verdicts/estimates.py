"""How much two arms differ, and how sure that is: the estimate of docs/ablation.md, rule 5.

Contract of the arrays: `parts` float (S, N), what test picture i adds to the score of an arm's run
with seed s, so that the mean of row s is that run's score (verdicts/scores.py). For accuracy a part
is 1 or 0; for a class's recall only that class's pictures are columns. With cross-validation a
column is the fold in which the picture was tested. `groups` (N,), names or numbers: pictures of one
group are not independent; a picture without a group ("" or below 0) is its own. Scores are shares:
0.02 is two points.

A new study would draw other runs and other test pictures, so both are sources of variance, and they
are crossed. For arm a with S_a runs and its control c, with N pictures in G groups, n_g in group g:

    runs    s2_x = var of the scores of x's runs, t_x = (s2_x + mean of all arms' s2) / 2, and of a
            control at least s2_c
    groups  B = (G - 1) / G sum_g c_g^2,  c_g = (T_g - n_g D) / (N - n_g), where T_g is what group g
            adds to the difference D of the mean scores: the jackknife of a ratio
    both    C = C_a + C_c,  C_x = (G - 1) / G sum_sg e_sg^2 / (S_x (S_x - 1)), e_sg what is left of
            run s in group g when run and group each had their part

    A = max(t_a / S_a + t_c / S_c, C),  H = max(B - C, 0),  V = max(A + H, 1 / N^2)

The noise of single pictures is contained in A and in B, so it is taken off once. The variance that
lies in the choice of training pictures is not in it: the answer holds for this training set (in
cross-validation, these folds).

Why half. With 5 runs an arm's own variance is known so badly (4 degrees of freedom) that nothing
can be claimed far out in the tail; pooled over all arms it is wrong as soon as arms differ, and
made 9 to 12 % false claims then. Half way (Smyth 2004, with the prior's weight fixed, since 5 to 10
variances can't tell it) it has 2 (S - 1) degrees of freedom and holds its level. Runs are not
paired by seed: that gained nothing (correlation 0.01 to 0.17), and arms may have any number of
runs.

Degrees of freedom: Welch and Satterthwaite's for A, at most those of all arms but the best known
one; for V, nu = V^2 / (A^2 / nu_A + B^2 / (G - 1)), between min(nu_A, G - 1) and nu_A + G - 1,
where G is the effective number of groups, N^2 / sum n_g^2. The floor 1 / N^2 is half a picture
gained and half a picture lost (Agresti and Min 2005): even two arms with identical predictions get
an interval, +-1.96 / N, instead of a false certainty.

benchmarks/verdicts.py measures what this is worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import count_things

Floats = npt.NDArray[np.float64]
MINIMUM_SEEDS = 3
MINIMUM_GROUPS = 20
SIGNIFICANCE = 0.05  # of one interval


@dataclass(frozen=True)
class Sums:
    """What an arm's runs scored: `totals` (S, G) summed by group, `sizes` (G,) its pictures."""

    totals: Floats
    sizes: Floats

    @property
    def scores(self) -> Floats:
        """(S,) the score of each run."""
        return np.asarray(self.totals.sum(axis=1) / self.sizes.sum())

    @property
    def spread(self) -> float:
        """The variance of the runs' scores; NaN for a single run."""
        return float(self.scores.var(ddof=1)) if len(self.totals) > 1 else float("nan")


@dataclass(frozen=True)
class Pooled:
    """What all arms together say of the variance of a run: its mean, and the arms' S - 1."""

    spread: float
    degrees: tuple[int, ...]


@dataclass(frozen=True)
class Variance:
    """Where the variance of a difference comes from: A, B and C of the module.

    `run_degrees` belong to `runs`, `group_degrees` to `groups`; `pictures` gives the floor.
    """

    runs: float
    groups: float
    both: float
    run_degrees: float
    group_degrees: float
    pictures: float

    @property
    def total(self) -> float:
        """V."""
        return max(self.runs + self._beyond, 1 / self.pictures**2)

    @property
    def error(self) -> float:
        """The standard error of the difference."""
        return float(np.sqrt(self.total))

    @property
    def degrees(self) -> float:
        """nu: the degrees of freedom of V."""
        doubt = self.runs**2 / self.run_degrees
        doubt += self.groups**2 / self.group_degrees if self._beyond > 0 else 0.0
        most = self.run_degrees + self.group_degrees
        degrees = self.total**2 / doubt if doubt > 0 else most
        return min(max(degrees, min(self.run_degrees, self.group_degrees)), most)

    @property
    def _beyond(self) -> float:
        """What the groups add beyond the noise of single pictures in single runs."""
        return max(self.groups - self.both, 0.0)


@dataclass(frozen=True)
class Estimate:
    """The difference between two arms.

    `low`, `high`: plain 95 % interval, not widened for the number of lines. `p`: two-sided, of no
    difference; below 0.05 exactly when the interval leaves out 0. These and `variance` are None
    when `reason` says why there can be no verdict. `seeds` and `control_seeds`: the runs of each.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    seeds: int
    control_seeds: int
    pictures: int
    groups: int
    variance: Variance | None = None
    reason: str = ""

    def tail(self, bound: float, side: int) -> float:
        """Return p of "not above the bound" (side 1), or of "not below it" (side -1)."""
        from scipy.special import stdtr

        assert self.variance is not None
        away = side * (self.difference - bound) / self.variance.error
        return float(stdtr(self.variance.degrees, -away))


def number_groups(groups: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Number the groups of pictures from 0; one without a group gets a number of its own: (N,)."""
    missing = groups == "" if groups.dtype.kind in "UOT" else groups < 0
    names, index = np.unique(groups[~missing], return_inverse=True)
    numbers = np.empty(len(groups), dtype=np.int64)
    numbers[~missing] = index
    numbers[missing] = len(names) + np.arange(missing.sum())
    return numbers


def sum_groups(parts: Floats, numbers: npt.NDArray[np.int64]) -> Sums:
    """Sum each run's parts, (S, N), within each of the numbered groups, (N,).

    Raises ValueError when the shapes do not fit or there is no picture.
    """
    if parts.ndim != 2 or parts.size == 0 or numbers.shape != parts.shape[1:]:
        raise ValueError(f"parts {parts.shape}, groups {numbers.shape}: (S, N) and (N,)")
    sizes = np.bincount(numbers).astype(np.float64)
    totals = [np.bincount(numbers, weights=row, minlength=len(sizes)) for row in parts]
    return Sums(np.array(totals, dtype=np.float64), sizes)


def pool_arms(arms: Sequence[Sums]) -> Pooled:
    """Return what all arms of a study say of the variance of a run; those of one run say nothing.

    Arms that train on another share of the tiles are of another study.
    """
    spreads = [arm.spread for arm in arms if len(arm.totals) > 1]
    known = [spread for spread in spreads if np.isfinite(spread)]
    degrees = tuple(len(arm.totals) - 1 for arm in arms if len(arm.totals) > 1)
    return Pooled(float(np.mean(known)) if known else 0.0, degrees)


def estimate_difference(arm: Sums, control: Sums, pooled: Pooled) -> Estimate:
    """Estimate the difference of the mean scores, arm minus control, with its 95 % interval.

    Both are of the same pictures. NaN (a score that is undefined for some run) gives a reason.
    """
    return estimate_contrast([(1.0, arm), (-1.0, control)], pooled)


def estimate_contrast(
    terms: Sequence[tuple[float, Sums]], pooled: Pooled, value: float | None = None
) -> Estimate:
    """Estimate a weighted sum of arms' mean scores: what has a weight below 0 is a control.

    value: what is estimated, where the sum is only its linear part.
    """
    sizes = terms[0][1].sizes
    pictures = sizes.sum()
    own = [len(arm.totals) for weight, arm in terms if weight > 0]
    others = [len(arm.totals) for weight, arm in terms if weight <= 0]
    totals = sum(weight * arm.totals.mean(axis=0) for weight, arm in terms)
    linear = float(np.sum(totals) / pictures)
    difference = linear if value is None else value
    counts = (min(own, default=0), min(others, default=0), int(pictures), len(sizes))
    reason = _find_obstacle([arm for _, arm in terms])
    if reason:
        return Estimate(difference, None, None, None, *counts, reason=reason)
    variance = _measure_variance(terms, np.asarray(totals), linear, pooled)
    half = find_quantile(variance, SIGNIFICANCE / 2) * variance.error
    most = 1.0 if value is None else math.inf  # of a difference of shares
    ends = max(difference - half, -most), min(difference + half, most)
    estimate = Estimate(difference, *ends, None, *counts, variance)
    p = 2 * estimate.tail(0.0, 1 if difference > 0 else -1)
    return replace(estimate, p=min(p, 1.0))


def find_quantile(variance: Variance, level: float) -> float:
    """Return how many standard errors a one-sided test at this level asks for."""
    from scipy.special import stdtrit

    return -float(stdtrit(variance.degrees, level))


def _find_obstacle(arms: Sequence[Sums]) -> str:
    fewest = min(len(arm.totals) for arm in arms)
    groups = len(arms[0].sizes)
    if fewest < MINIMUM_SEEDS:
        return f"only {count_things(fewest, 'seed')}, at least {MINIMUM_SEEDS} are needed"
    if groups < MINIMUM_GROUPS:
        return f"only {count_things(groups, 'test group')}, at least {MINIMUM_GROUPS} are needed"
    if not all(np.isfinite(arm.totals).all() for arm in arms):
        return "undefined for at least one run"
    return ""


def _measure_variance(
    terms: Sequence[tuple[float, Sums]], totals: Floats, linear: float, pooled: Pooled
) -> Variance:
    """Measure the variance of a weighted sum; totals: (G,), what each group adds to it."""
    sizes = terms[0][1].sizes
    pictures = sizes.sum()
    shrink = (len(sizes) - 1) / len(sizes)
    left_out = (totals - sizes * linear) / (pictures - sizes)
    runs = np.array([_runs_share(weight, arm, pooled) for weight, arm in terms])
    both = sum(weight**2 * _noise_of_pictures(arm, shrink) for weight, arm in terms)
    return Variance(
        runs=max(float(runs.sum()), float(both)),
        groups=float(shrink * np.sum(left_out**2)),
        both=float(both),
        run_degrees=_count_degrees(runs, [arm for _, arm in terms], pooled),
        group_degrees=max(float(pictures**2 / np.sum(sizes**2)) - 1, 1.0),
        pictures=float(pictures),
    )


def _runs_share(weight: float, arm: Sums, pooled: Pooled) -> float:
    """Return what the choice of an arm's runs adds to the variance."""
    shrunk = (arm.spread + pooled.spread) / 2
    # A control stands in every comparison: where it is the unsteady one, pooling would hide it.
    spread = max(shrunk, arm.spread) if weight < 0 else shrunk
    return weight**2 * spread / len(arm.totals)


def _noise_of_pictures(arm: Sums, shrink: float) -> float:
    """Return C_x: the noise of single groups in single runs, as it is in the mean of the runs."""
    runs = len(arm.totals)
    pictures = arm.sizes.sum()
    influence = (arm.totals - arm.sizes * arm.scores[:, None]) / (pictures - arm.sizes)
    rest = influence - influence.mean(axis=0)
    return float(shrink * np.sum(rest**2) / (runs * (runs - 1)))


def _count_degrees(shares: Floats, arms: Sequence[Sums], pooled: Pooled) -> float:
    """Return the degrees of freedom of the runs' part, at most those of all arms but the best."""
    most = sum(pooled.degrees) - max(pooled.degrees)
    most = max(most, min(len(arm.totals) - 1 for arm in arms))
    doubt = sum(
        share**2 / (2 * (len(arm.totals) - 1)) for share, arm in zip(shares, arms, strict=True)
    )
    return float(min(shares.sum() ** 2 / doubt, most)) if doubt > 0 else float(most)


@dataclass(frozen=True)
class McNemar:
    """One run against one other: pictures only one of them got right, and McNemar's p.

    It describes these two runs. It says nothing about the experiment: another seed is
    another pair.
    """

    gained: int
    lost: int
    p: float


def compare_two_runs(control: npt.NDArray[np.bool_], arm: npt.NDArray[np.bool_]) -> McNemar:
    """Compare two runs by McNemar's exact test. control, arm: (N,), right or wrong."""
    from statsmodels.stats.contingency_tables import mcnemar

    gained = int(np.sum(arm & ~control))
    lost = int(np.sum(control & ~arm))
    if gained + lost == 0:
        return McNemar(0, 0, 1.0)
    table = [[int(np.sum(arm & control)), gained], [lost, int(np.sum(~arm & ~control))]]
    return McNemar(gained, lost, float(mcnemar(table, exact=True).pvalue))
