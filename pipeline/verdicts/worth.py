"""What an effect is worth in training pictures, and what it takes to settle what is open.

Contract: an arm comes as `Sums` (verdicts/estimates.py) of what its runs got *wrong*: the mean of a
row of the parts is that run's share of errors. All arms are of the same test pictures.

The curve. Errors fall with the number of training pictures like a power law, by the same factor
with each doubling (Hestness et al., arXiv 1712.00409). With three points and their noise nothing
richer can be fitted: a straight line through log(error) over log2(pictures), by least squares
through the points from a quarter of the pictures on. Where the three visibly bend (p < 0.05) only
the last two count. A real curve flattens towards its end, so an effect tends to be worth rather
more than is said, and nothing is read off beyond four times the pictures or below a quarter.

The worth w, in doublings, of an effect solves

    log(error of control) - log(error of arm) = w * (fall of log(error) with a doubling)

and its interval holds every w at which both sides are not visibly different (Fieller's theorem):
left minus right is, by the delta method, a weighted sum of the arms' errors, whose variance counts
runs and test groups as crossed sources. So the interval carries what is not known about the effect
and about the curve, and that both were measured on the same pictures. Where the fall itself can't
be told from 0 there is no worth.

Settling. `Variance` says how much of a difference's variance the runs, the test groups and both
together make; each shrinks with their number. With S seeds, and pictures in proportion, a study is
settled when the difference is said to help or hurt, or to lie within the margin; `find_need` looks
for the numbers at which that happens 4 times in 5, if the true difference is the measured one. The
variance among few runs is itself a guess: the chance is averaged over values that are plausible.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.verdicts.estimates import (
    SIGNIFICANCE,
    Estimate,
    Pooled,
    Sums,
    Variance,
    estimate_contrast,
    find_quantile,
    pool_arms,
)
from pipeline.verdicts.families import POWER

Floats = npt.NDArray[np.float64]
REACH = 2.0  # doublings of the training pictures, both ways, that are read off a curve
MOST_SEEDS = 100
MOST_TIMES = 100.0  # as many test pictures
ENDLESS = 1e6  # times as many: in effect no noise is left
SEED_STEPS = (2, 4, 8)  # times as many, where more pictures are needed as well
NODES = 5  # plausible variances among the seeds


@dataclass(frozen=True)
class Curve:
    """What training without variants gets wrong at several sizes.

    `pictures` (K,) training pictures, rising; the last are all of them. `wrong`: an arm for each.
    """

    pictures: Floats
    wrong: Sequence[Sums]

    def take(self, points: slice) -> "Curve":
        """Return some of its points."""
        return Curve(self.pictures[points], self.wrong[points])


@dataclass(frozen=True)
class Fall:
    """How much a doubling of the training pictures takes off the errors, with 95 % interval.

    Shares of the errors: 0.3 leaves 70 % of them. `low` and `high` are None when `reason` says
    why there is no interval; `reason` also says when the fall can't be told from 0. `points`: of
    the curve, from the last, that it was read off; `bent`: only two, because the curve bends.
    `seeds` would show a fall as large as this one; as Need.seeds.
    """

    share: float
    low: float | None
    high: float | None
    points: int
    bent: bool
    reason: str = ""
    seeds: float = math.nan


@dataclass(frozen=True)
class Worth:
    """What an arm is worth in doublings of the training pictures, with 95 % interval.

    `low` is -inf and `high` inf where the interval goes on beyond REACH. All are NaN when `reason`
    says why nothing can be told.
    """

    doublings: float
    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True)
class Need:
    """What would settle a difference 4 times in 5, if it is as measured: numbers in all.

    `seeds` at this test set, `pictures` with these seeds: inf where more alone never settle it, a
    number above MOST_SEEDS or MOST_TIMES times the pictures where so many don't yet. `both`: where
    neither alone does, one of SEED_STEPS times the seeds and the pictures that are needed then,
    whichever pair has the smallest product; None where none does within those limits.
    """

    seeds: float
    pictures: float
    both: tuple[int, int] | None = None


def measure_fall(curve: Curve) -> Fall:
    """Measure how much a doubling of the training pictures takes off the errors."""
    if not all(map(_find_errors, curve.wrong)):
        return Fall(math.nan, None, None, 0, False, "no errors are left that more could take off")
    pooled = pool_arms(curve.wrong)
    chosen, bent = _choose_points(curve, pooled)
    scale = _find_errors(curve.wrong[-1])
    estimate = _estimate(_fall_of_log(chosen), scale, pooled)
    points = len(chosen.pictures)
    share = 1 - math.exp(-estimate.difference / scale)
    if estimate.low is None or estimate.high is None or estimate.p is None:
        return Fall(share, None, None, points, bent, estimate.reason)
    low, high = (1 - math.exp(-end / scale) for end in (estimate.low, estimate.high))
    if estimate.p < SIGNIFICANCE and estimate.difference > 0:
        return Fall(share, low, high, points, bent)
    seeds = find_need(estimate, SIGNIFICANCE / 2, margin=0.0).seeds
    return Fall(share, low, high, points, bent, "the curve's rise can't be told from 0", seeds)


def estimate_worth(curve: Curve, control: Sums, arm: Sums) -> Worth:
    """Estimate what an arm is worth beyond its control, in doublings of the training pictures.

    An arm that is the control and a point of the curve is the same object in both. Below 0: the arm
    does as much harm as having fewer pictures does.
    """
    fall = measure_fall(curve)
    if fall.reason:
        return _cannot_tell(fall.reason)
    if not (_find_errors(control) and _find_errors(arm)):
        return _cannot_tell("it makes no errors any more, and the curve never gets there")
    others = [one for one in (control, arm) if not any(one is point for point in curve.wrong)]
    pooled = pool_arms([*curve.wrong, *others])
    chosen, _ = _choose_points(curve, pooled)
    scale = _find_errors(control)
    gain = [(1.0, control), (-1.0, arm)]
    rise = _fall_of_log(chosen)
    reason = _estimate([*gain, *rise], scale, pooled).reason
    if reason:
        return _cannot_tell(reason)

    def plausibility(doublings: float) -> float:
        terms = [*gain, *((-doublings * weight, point) for weight, point in rise)]
        return _estimate(terms, scale, pooled).p or 0.0

    best = _sum_logs(gain) / _sum_logs(rise)
    return Worth(best, _find_end(plausibility, best, -REACH), _find_end(plausibility, best, REACH))


def _choose_points(curve: Curve, pooled: Pooled) -> tuple[Curve, bool]:
    """Return the points that the power law goes through, and whether the others bend away.

    Raises ValueError when there are fewer than two, or the pictures don't rise.
    """
    if len(curve.pictures) < 2 or (np.diff(curve.pictures) <= 0).any():
        raise ValueError(f"a curve needs two or more rising sizes, got {curve.pictures}")
    near = int(np.argmax(curve.pictures >= curve.pictures[-1] / 2**REACH * 0.9))
    chosen = curve.take(slice(min(near, len(curve.pictures) - 2), None))
    if len(chosen.pictures) == 2:
        return chosen, False
    last, before = chosen.take(slice(-2, None)), chosen.take(slice(None, -1))
    bend = [*_fall_of_log(last), *((-weight, point) for weight, point in _fall_of_log(before))]
    p = _estimate(bend, _find_errors(chosen.wrong[-1]), pooled).p
    bent = p is not None and p < SIGNIFICANCE
    return (last, True) if bent else (chosen, False)


def _fall_of_log(curve: Curve) -> list[tuple[float, Sums]]:
    """Return which weighted sum of log(error) is its fall with a doubling."""
    sizes = np.log2(curve.pictures)
    away = sizes - sizes.mean()
    return list(zip((-away / np.sum(away**2)).tolist(), curve.wrong, strict=True))


def _sum_logs(terms: Sequence[tuple[float, Sums]]) -> float:
    return sum(weight * math.log(_find_errors(arm)) for weight, arm in terms)


def _estimate(terms: Sequence[tuple[float, Sums]], scale: float, pooled: Pooled) -> Estimate:
    """Estimate scale times a weighted sum of log(error), by the delta method."""
    weights: dict[int, float] = {}
    for weight, arm in terms:  # an arm that comes twice has one noise, not two
        weights[id(arm)] = weights.get(id(arm), 0.0) + scale * weight / _find_errors(arm)
    arms = {id(arm): arm for _, arm in terms}
    merged = [(weight, arms[key]) for key, weight in weights.items()]
    return estimate_contrast(merged, pooled, value=scale * _sum_logs(terms))


def _find_errors(wrong: Sums) -> float:
    return float(wrong.scores.mean())


def _find_end(plausibility: Callable[[float], float], best: float, limit: float) -> float:
    """Return where the interval ends on the side of `limit`; infinite when beyond it."""
    from scipy.optimize import brentq

    beyond = math.copysign(math.inf, limit)
    if best / limit >= 1 or plausibility(limit) >= SIGNIFICANCE:
        return beyond
    end = brentq(lambda doublings: plausibility(doublings) - SIGNIFICANCE, best, limit, xtol=1e-3)
    return float(end)


def _cannot_tell(reason: str) -> Worth:
    return Worth(math.nan, math.nan, math.nan, reason)


def find_need(estimate: Estimate, level: float, margin: float) -> Need:
    """Return the seeds, and the test pictures, that would settle a difference.

    level: of a one-sided test (Verdict.level); margin: share. Raises ValueError for an estimate
    without a variance.
    """
    if estimate.variance is None:
        raise ValueError("there is no estimate of the variance to go by")
    now = _plausible_variances(estimate.variance)

    def settles(seeds: float, pictures: float) -> bool:
        scaled = [scale_variance(one, seeds / estimate.seeds, pictures) for one in now]
        chances = [chance_to_settle(estimate.difference, v, level, margin) for v in scaled]
        return float(np.mean(chances)) >= POWER

    seeds = _find_seeds(estimate.seeds, settles)
    times = _find_times(partial(settles, estimate.seeds))
    need = Need(seeds, times * estimate.pictures)
    if seeds <= MOST_SEEDS or times <= MOST_TIMES:
        return need
    steps = [step * estimate.seeds for step in SEED_STEPS if step * estimate.seeds <= MOST_SEEDS]
    pairs = [(seeds, _find_times(partial(settles, seeds))) for seeds in steps]
    pairs = [(seeds, times) for seeds, times in pairs if times <= MOST_TIMES]
    if not pairs:
        return need
    fewest, times = min(pairs, key=math.prod)
    return replace(need, both=(fewest, math.ceil(times * estimate.pictures)))


def chance_to_settle(difference: float, variance: Variance, level: float, margin: float) -> float:
    """Return the probability that a study with this variance says helps, hurts or no effect."""
    from scipy.special import ndtr

    error = variance.error
    claim = find_quantile(variance, level) * error  # a difference beyond it helps or hurts
    inside = margin - claim  # one within it is no effect
    if claim <= inside:
        return 1.0
    away = abs(difference)
    claimed = ndtr((away - claim) / error) + ndtr((-away - claim) / error)
    none = ndtr((inside - away) / error) - ndtr((-inside - away) / error) if inside > 0 else 0.0
    return float(claimed + none)


def scale_variance(variance: Variance, seeds: float, groups: float) -> Variance:
    """Return the variance of a study with so many times as many seeds and test groups."""
    both = variance.both / (seeds * groups)
    return Variance(
        runs=max(variance.runs - variance.both, 0.0) / seeds + both,
        groups=max(variance.groups - variance.both, 0.0) / groups + both,
        both=both,
        run_degrees=(variance.run_degrees + 1) * seeds - 1,
        group_degrees=(variance.group_degrees + 1) * groups - 1,
        pictures=variance.pictures * groups,
    )


def _plausible_variances(variance: Variance) -> list[Variance]:
    """Return variances as the true ones may be: NODES equally likely ones of the runs."""
    from scipy.stats import chi2

    degrees = variance.run_degrees
    scales = chi2.ppf((np.arange(NODES) + 0.5) / NODES, degrees) / degrees
    return [replace(variance, runs=max(variance.runs / scale, variance.both)) for scale in scales]


def _find_seeds(now: int, settles: Callable[[float, float], bool]) -> float:
    """Return the fewest seeds, more than now, that settle it; as Need.seeds."""
    if not settles(MOST_SEEDS, 1.0):
        return MOST_SEEDS + 1 if settles(ENDLESS * now, 1.0) else math.inf
    few, many = now, MOST_SEEDS
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if settles(middle, 1.0) else (middle, many)
    return many


def _find_times(settles: Callable[[float], bool]) -> float:
    """Return how many times as much settles it, within 2 %; above MOST_TIMES, or inf: never."""
    if not settles(MOST_TIMES):
        return 2 * MOST_TIMES if settles(ENDLESS) else math.inf
    few, many = 1.0, MOST_TIMES
    while many / few > 1.02:
        middle = math.sqrt(few * many)
        few, many = (few, middle) if settles(middle) else (middle, many)
    return many
