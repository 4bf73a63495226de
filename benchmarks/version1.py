"""The first version of the verdicts, kept to be compared with: benchmarks/verdicts.py.

Pairs of runs with the same seed, two crossed components of variance with Behrens and Fisher's
averaging over what is plausible of each, and Holm's correction at 3.5 % over all accuracies and
class recalls at once. It never claimed too much and hardly ever anything.

`differences` float (S, N), arm minus control; `groups` (N,) numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from statsmodels.stats.multitest import multipletests

Floats = npt.NDArray[np.float64]
FAMILY_SIGNIFICANCE = 0.035


@dataclass(frozen=True)
class Components:
    """Where the variance of a difference comes from."""

    seeds: float
    groups: float
    both: float
    floor: float
    seed_degrees: float
    group_degrees: float


@dataclass(frozen=True)
class Estimate:
    """The difference between two arms."""

    difference: float
    p: float
    components: Components


def estimate_difference(differences: Floats, numbers: npt.NDArray[np.int64]) -> Estimate:
    """Estimate the mean difference of pairs of runs, (S, N), in numbered groups, (N,)."""
    totals = np.array([np.bincount(numbers, weights=row) for row in differences])
    components = _measure_components(totals, np.bincount(numbers).astype(np.float64))
    difference = float(differences.mean())
    return Estimate(difference, two_sided_p(difference, components), components)


def _measure_components(totals: Floats, sizes: Floats) -> Components:
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
    deviations, weights = _plausible_deviations(components)
    tail = 2 * ndtr(-abs(difference) / deviations)
    return float(min(np.sum(weights * tail), 1.0))


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


def judge_family(estimates: Sequence[Estimate], margin: float) -> list[str]:
    """Return the word on each difference: helps, hurts, no effect, or none."""
    adjusted = multipletests([estimate.p for estimate in estimates], method="holm")[1]
    return [_word(one, p, margin) for one, p in zip(estimates, adjusted, strict=True)]


def _word(estimate: Estimate, adjusted: float, margin: float) -> str:
    if adjusted < FAMILY_SIGNIFICANCE:
        return "helps" if estimate.difference > 0 else "hurts"
    inside = min(margin - estimate.difference, margin + estimate.difference)
    if inside > 0 and two_sided_p(inside, estimate.components) < 0.05:
        return "no effect beyond the margin"
    return ""
