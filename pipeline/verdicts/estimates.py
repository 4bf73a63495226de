"""Does an experiment help? Differences between two arms, with intervals and verdicts.

Contract of the arrays: `differences` float (S, N), score of the arm minus score of the control
for seed s and test picture i; row s of both arms was trained with the same seed. For accuracy
that is 1, 0 or -1 for every test picture; for a class's recall only that class's pictures are
columns. With cross-validation a column is the fold in which the picture was tested.
`groups` (N,), strings or ints: pictures of one group are not independent; a picture without a
group ("" or below 0) is its own. All differences are shares: 0.02 is two points.

The variance. A new study would draw other seeds and other test pictures, so both are sources of
variance, and they are crossed. With D the mean over everything, D_s the mean of seed s, n_g the
pictures of group g, T_sg the sum of seed s in group g and T_g its mean over the seeds:

    seeds  A = sum_s (D_s - D)^2 / (S (S - 1))
    groups B = (G - 1) / G sum_g c_g^2,     c_g  = (T_g - n_g D) / (N - n_g)
    both   C = (G - 1) / G sum_sg e_sg^2 / (S (S - 1)),  e_sg = (T_sg - n_g D_s) / (N - n_g) - c_g

c_g is the change of D when group g is left out (the jackknife of a ratio), so groups may have
any sizes. The noise of seed x picture is contained in A and in B, so it is taken off once: the
variance of D is A + B - C, which for equal groups is the two-way random-effects estimate
(MS_seeds + MS_groups - MS_both) / (S G). The variance that lies in the choice of training
pictures is not in it: the answer holds for this training set (in cross-validation, these folds).

The interval. Satterthwaite's degrees of freedom are good for a 95 % interval and bad for Holm's
correction, which works far out in the tail: with 3 seeds the estimate of A is now and then tiny
by chance, Satterthwaite then believes in many degrees of freedom, and up to 30 % of A/A studies
made a false claim. So the ignorance about A and B is carried through instead: A (S - 1) / chi2
and B (G - 1) / chi2 are the values of the variances that are plausible after the data, and p is
the normal tail averaged over them (Behrens and Fisher's solution; a generalised p-value, Tsui
and Weerahandi 1989). Where one source outweighs the other it is Student's t; where they are
alike it errs on the safe side. For groups of unequal size, G in the degrees of freedom is the
effective number N^2 / sum n_g^2. benchmarks/verdicts.py measures what this is worth.

The floor. Half a picture gained and half a picture lost is added to the variance, 1 / N^2
(Agresti and Min 2005), so that even two arms with identical predictions get an interval,
+-1.96 / N, instead of a false certainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import count_things

Floats = npt.NDArray[np.float64]
MINIMUM_SEEDS = 3
MINIMUM_GROUPS = 20
CLAIM_SEEDS = 5  # Picard, arXiv 2109.08203
SIGNIFICANCE = 0.05  # of one interval

# Of a whole table of verdicts 5 % is promised and 3.5 % spent: with few noisy seeds Holm uses up
# all that it is given, and differences of shares are only nearly normal (5.3 % of 1,000 simulated
# A/A studies at 0.05).
FAMILY_SIGNIFICANCE = 0.035
POWER = 0.8
HELPS = "helps"
HURTS = "hurts"
NO_EFFECT = "no effect beyond the margin"
CANNOT_TELL = "cannot tell"
NO_VERDICT = "no verdict"


@dataclass(frozen=True)
class Components:
    """Where the variance of a difference comes from (A, B, C and the floor of the module)."""

    seeds: float
    groups: float
    both: float
    floor: float
    seed_degrees: float
    group_degrees: float

    @property
    def standard_error(self) -> float:
        """The root of the variance; a negative component counts as 0."""
        variance = max(self.seeds, self.both) + max(self.groups - self.both, 0.0) + self.floor
        return float(np.sqrt(variance))


@dataclass(frozen=True)
class Estimate:
    """The difference between two arms.

    `low`, `high`: 95 % interval of this one difference, not widened for the family. `p`:
    two-sided, of no difference; below 0.05 exactly when the interval leaves out 0.
    `degrees_of_freedom`: of the Student t that gives the same interval. These and `components`
    are None when `reason` says why there can be no verdict.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    degrees_of_freedom: float | None
    seeds: int
    pictures: int
    groups: int
    components: Components | None = None
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """What may be said about one difference, given all the others that were looked at.

    `adjusted_p`: Holm's; helps and hurts need it below FAMILY_SIGNIFICANCE. It is never below
    the plain p, so they never stand beside an interval that holds 0, while cannot tell may stand
    beside one that does not. `visible_effect`: the smallest difference that would have been
    called helps or hurts with 80 % power at the level that Holm's correction had reached in
    this family (not the plain 5 %).
    """

    verdict: str
    adjusted_p: float | None
    visible_effect: float | None
    reason: str = ""


def estimate_difference(differences: Floats, groups: npt.NDArray[Any]) -> Estimate:
    """Estimate the mean difference with its 95 % interval.

    differences: (S, N), groups: (N,). Raises ValueError when the shapes do not fit or there is
    no picture. NaN (a score that is undefined for some seed) gives a reason instead.
    """
    if differences.ndim != 2 or differences.size == 0 or groups.shape != differences.shape[1:]:
        raise ValueError(f"differences {differences.shape}, groups {groups.shape}: (S, N) and (N,)")
    totals, sizes = _sum_groups(np.asarray(differences, dtype=np.float64), groups)
    seeds, pictures = differences.shape
    difference = float(totals.sum() / differences.size)
    reason = _find_obstacle(totals)
    if reason:
        return Estimate(
            difference, None, None, None, None, seeds, pictures, len(sizes), reason=reason
        )
    components = _measure_components(totals, sizes)
    half = half_width(components, SIGNIFICANCE)
    return Estimate(
        difference=difference,
        low=max(difference - half, -1.0),
        high=min(difference + half, 1.0),
        p=two_sided_p(difference, components),
        degrees_of_freedom=_match_degrees(half, components, SIGNIFICANCE),
        seeds=seeds,
        pictures=pictures,
        groups=len(sizes),
        components=components,
    )


def _sum_groups(differences: Floats, groups: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Sum each seed's differences within each group: totals (S, G) and sizes (G,)."""
    missing = groups == "" if groups.dtype.kind in "UOT" else groups < 0
    names, index = np.unique(groups[~missing], return_inverse=True)
    codes = np.empty(len(groups), dtype=np.int64)
    codes[~missing] = index
    codes[missing] = len(names) + np.arange(missing.sum())
    count = len(names) + int(missing.sum())
    totals = [np.bincount(codes, weights=row, minlength=count) for row in differences]
    sizes = np.bincount(codes, minlength=count)
    return np.array(totals, dtype=np.float64), sizes.astype(np.float64)


def _find_obstacle(totals: Floats) -> str:
    seeds, groups = totals.shape
    if seeds < MINIMUM_SEEDS:
        return f"only {count_things(seeds, 'seed')}, at least {MINIMUM_SEEDS} are needed"
    if groups < MINIMUM_GROUPS:
        return f"only {count_things(groups, 'test group')}, at least {MINIMUM_GROUPS} are needed"
    if not np.isfinite(totals).all():
        return "undefined for at least one run"
    return ""


def _measure_components(totals: Floats, sizes: Floats) -> Components:
    """Measure the variance's components from the sums by seed and group.

    totals: (S, G), S > 1; sizes: (G,) pictures in each group, G > 1. The formulas and their
    reasons stand at the head of the module.
    """
    seeds, groups = totals.shape
    pictures = sizes.sum()
    seed_means = totals.sum(axis=1, keepdims=True) / pictures
    influence = (totals - sizes * seed_means) / (pictures - sizes)
    group_influence = influence.mean(axis=0)
    shrink = (groups - 1) / groups
    return Components(
        seeds=float(seed_means.var(ddof=1) / seeds),
        groups=float(shrink * np.sum(group_influence**2)),
        both=float(shrink * np.sum((influence - group_influence) ** 2) / (seeds * (seeds - 1))),
        floor=float(1 / pictures**2),
        seed_degrees=seeds - 1,
        group_degrees=max(float(pictures**2 / np.sum(sizes**2)) - 1, 1.0),
    )


def two_sided_p(difference: float, components: Components) -> float:
    """Return the probability of a difference at least this large if there were none."""
    from scipy.special import ndtr

    deviations, weights = _plausible_deviations(components)
    tail = 2 * ndtr(-abs(difference) / deviations)
    return float(min(np.sum(weights * tail), 1.0))


def half_width(components: Components, significance: float) -> float:
    """Return the difference whose two-sided p is `significance`: half the interval's width."""
    from scipy.optimize import brentq

    error = components.standard_error

    def excess(log_width: float) -> float:
        p = two_sided_p(error * float(np.exp(log_width)), components)
        return float(np.log(max(p, 1e-300) / significance))

    # At least the normal's width; Student's t with one degree of freedom is 1 / significance.
    return error * float(np.exp(brentq(excess, -3.0, np.log(10 / significance), xtol=1e-5)))


def _plausible_deviations(components: Components) -> tuple[Floats, Floats]:
    """Return standard deviations of D that the data allow, and their weights, (n, n) each."""
    seed_scales, seed_weights = _chi_square_nodes(components.seed_degrees)
    group_scales, group_weights = _chi_square_nodes(components.group_degrees)
    # Whatever the seeds happened to do, the noise of single pictures is at least in there.
    seeds = np.maximum(components.seeds / seed_scales, components.both)
    groups = np.maximum(components.groups / group_scales - components.both, 0.0)
    variances = seeds[:, None] + groups[None, :] + components.floor
    return np.sqrt(variances), seed_weights[:, None] * group_weights[None, :]


@lru_cache(maxsize=4096)
def _chi_square_nodes(degrees: float, count: int = 48) -> tuple[Floats, Floats]:
    """Return nodes and weights for means over chi2 / degrees: the trapezoid rule on its log.

    The left end is where the probability below is about 1e-13, since Holm's correction asks
    for the far tail.
    """
    spread = 8 * np.sqrt(2 / degrees)
    logs = np.linspace(-60 / degrees - spread, spread, count)
    log_density = degrees / 2 * (logs - np.exp(logs))
    weights = np.exp(log_density - log_density.max())
    return np.exp(logs), weights / weights.sum()


def _match_degrees(half: float, components: Components, significance: float) -> float:
    """Return the degrees of freedom of the Student t that has this half width."""
    from scipy.optimize import brentq
    from scipy.special import stdtr

    ratio = half / components.standard_error
    most = components.seed_degrees + components.group_degrees

    def excess(degrees: float) -> float:
        return float(2 * stdtr(degrees, -ratio) - significance)

    if excess(most) >= 0:
        return most
    return float(brentq(excess, 0.5, most, xtol=1e-3))


def find_visible_effect(components: Components, significance: float) -> float:
    """Return the smallest difference that a study like this one finds with 80 % power.

    "Like this one": as many seeds and pictures. Its standard error will differ from ours as
    ours differs from the truth, both by chi, so the power is averaged over both; with many
    degrees of freedom this is the textbook's (1.96 + 0.84) standard errors.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    half = half_width(components, significance)
    squares, weights = _chi_square_nodes(_match_degrees(half, components, significance))
    here, weights_here = np.sqrt(squares)[:, None], weights[:, None]
    threshold = half / components.standard_error * np.sqrt(squares)

    def lack(log_effect: float) -> float:
        found = ndtr(np.exp(log_effect) * here - threshold)
        return float(np.sum(weights_here * weights * found)) - POWER

    return components.standard_error * float(np.exp(brentq(lack, -3.0, 20.0, xtol=1e-4)))


def judge_family(estimates: Sequence[Estimate], margin: float) -> list[Verdict]:
    """Judge all differences that a table shows at once, with Holm's correction.

    margin: share, 0.01 is a point. The chance that helps or hurts is said anywhere in the
    family without ground is at most 5 %. "No effect beyond the margin" needs the whole 95 %
    interval within +-margin; it is not corrected (a statement on one difference at a time), and
    helps or hurts goes before it. Estimates with a reason take no part in the correction.
    """
    if margin < 0:
        raise ValueError(f"margin {margin} is below 0")
    adjusted = adjust_holm([estimate.p for estimate in estimates])
    level = find_level(adjusted)
    return [
        _judge(estimate, p, level, margin) for estimate, p in zip(estimates, adjusted, strict=True)
    ]


def find_level(adjusted_p: Sequence[float | None]) -> float:
    """Return the significance that Holm's correction reached: the next claim's p must be below."""
    open_tests = sum(p is not None and p >= FAMILY_SIGNIFICANCE for p in adjusted_p)
    return FAMILY_SIGNIFICANCE / max(open_tests, 1)


def adjust_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values; None stays None and does not count as a test."""
    from statsmodels.stats.multitest import multipletests

    known = [p for p in p_values if p is not None]
    adjusted = iter(multipletests(known, method="holm")[1] if known else [])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def _judge(estimate: Estimate, adjusted_p: float | None, level: float, margin: float) -> Verdict:
    if estimate.components is None or adjusted_p is None:
        return Verdict(NO_VERDICT, None, None, estimate.reason)
    visible = find_visible_effect(estimate.components, level)
    return Verdict(_name_verdict(estimate, adjusted_p, margin), adjusted_p, visible)


def _name_verdict(estimate: Estimate, adjusted_p: float, margin: float) -> str:
    assert estimate.low is not None and estimate.high is not None
    if adjusted_p < FAMILY_SIGNIFICANCE:
        return HELPS if estimate.difference > 0 else HURTS
    if -margin <= estimate.low and estimate.high <= margin:
        return NO_EFFECT
    return CANNOT_TELL


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
