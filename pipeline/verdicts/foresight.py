"""What a study will be able to see, told before it is trained.

By the variance of verdicts/estimates.py, with guesses where nothing is measured yet: two runs of
one experiment differ in skill, and disagree on a share d of the test pictures. With N test pictures
and S runs an arm:

    A = 2 (skill^2 + d / (2 N)) / S,   H = 0.4 d / N

0.4 and the guesses below are what studies of digits, CIFAR's cats and dogs and pets came to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.verdicts.estimates import MINIMUM_GROUPS, MINIMUM_SEEDS, Variance
from pipeline.verdicts.families import PRIMARY, find_visible_effect

OF_PICTURES = 0.4  # H, in d / N
BLIND = 0.05  # a study that sees no smaller difference than this is hopeless


@dataclass(frozen=True)
class Noise:
    """How runs of one experiment differ: standard deviation of their skill, and share d."""

    skill: float
    disagreement: float


WRITING = Noise(0.004, 0.03)
PHOTOS = Noise(0.01, 0.2)


@dataclass(frozen=True)
class Study:
    """What is compared: `lines` experiments with so many seeds each, or more.

    `measured`: the noise is of runs that were scored, no guess.
    """

    noise: Noise
    measured: bool
    seeds: int
    lines: int
    folds: int

    def see(self, tested: Sequence[str]) -> float | None:
        """Return the smallest difference in accuracy that will be seen; tested: their groups."""
        sizes = np.array(list(Counter(tested).values()), float)
        groups = sizes.sum() ** 2 / np.sum(sizes**2) if len(sizes) >= MINIMUM_GROUPS else 0.0
        return foresee(self.noise, len(tested), groups, self.seeds, self.lines)

    def improve(self, tested: Sequence[str], every: Sequence[str]) -> dict[str, float]:
        """Return changes of params.yaml and what would be seen with each, the best one first.

        every: the group of each tile that there is.
        """
        changes = {}
        if self.folds == 1:
            changes["split.folds: 5"] = self.see(every)
            more = list(tested) * 2
            if len(tested) < 0.4 * len(every):
                renamed = [f"{name} {place < len(tested)}" for place, name in enumerate(more)]
                changes["twice the split.test"] = self.see(renamed)
        changes["train.seeds: 10"] = replace(self, seeds=max(self.seeds, 10)).see(tested)
        changes["3 experiments"] = replace(self, lines=min(self.lines, 3)).see(tested)
        now = self.see(tested) or 1.0
        known = {change: seen for change, seen in changes.items() if seen and seen < 0.95 * now}
        return dict(sorted(known.items(), key=lambda item: item[1]))


def measure_noise(accuracies: Sequence[Sequence[float]], pictures: int) -> Noise:
    """Return the noise of a study that was scored: the accuracies of each experiment's runs."""
    scores = [np.array(one) for one in accuracies]
    # Of the errors that one run makes, another makes about half.
    disagreement = 0.85 * (1 - float(np.mean(np.concatenate(scores))))
    spread = float(np.mean([one.var(ddof=1) for one in scores if len(one) > 1] or [0.0]))
    return Noise(max(spread - disagreement / 2 / pictures, 0.0) ** 0.5, disagreement)


def foresee(noise: Noise, pictures: int, groups: float, seeds: int, lines: int) -> float | None:
    """Return the smallest difference in accuracy that will be seen 4 times in 5, a share.

    pictures, groups: of the test set (groups: the effective number); lines: the experiments that
    are judged. None where there will be no verdict at all.
    """
    if seeds < MINIMUM_SEEDS or groups < MINIMUM_GROUPS or not lines:
        return None
    of_pictures = noise.disagreement / pictures
    both = of_pictures / seeds
    variance = Variance(
        runs=2 * noise.skill**2 / seeds + both,
        groups=OF_PICTURES * of_pictures + both,
        both=both,
        run_degrees=min(4 * (seeds - 1), lines * (seeds - 1)),
        group_degrees=groups - 1,
        pictures=pictures,
    )
    return find_visible_effect(variance, PRIMARY / (2 * lines))
