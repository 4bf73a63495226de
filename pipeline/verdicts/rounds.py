"""Training in rounds: what each look may spend, and which experiments need no more runs.

Looking, adding seeds and looking again is a false claim in the making, unless every look has its
own part of the level. With S_1 < S_2 < ... seeds, look l of them spends (S_l / S_last)^2 - (S_(l-1)
/ S_last)^2 of it, primary lines and recalls alike; the parts add up to 1 (Bonferroni, whatever
depends on what). What was said at a look stays said.

An experiment stops when it is settled (helps, hurts or no effect), or hopeless: when the chance
that the last look would settle one of its primary lines, if difference and variance are as
measured, is below 40 %. A control goes on while one of its experiments does.
"""

from collections.abc import Mapping, Sequence

from pipeline.verdicts.estimates import Estimate
from pipeline.verdicts.families import CHAINS, DIFFERS, SETTLED, Line, Verdict
from pipeline.verdicts.worth import chance_to_settle, scale_variance

# By simulated studies of eight arms (benchmarks/verdicts.py --rounds): at 0.2 a true +2.5 points is
# found by 98 % in 74 runs, at 0.4 by 96 % in 66, where a fixed 10 seeds find 93 % in 90.
HOPELESS = 0.4


def spend(rounds: Sequence[int], look: int) -> float:
    """Return which part of the level look `look`, counted from 0, may spend."""
    before = rounds[look - 1] if look else 0
    return float((rounds[look] ** 2 - before**2) / rounds[-1] ** 2)


def choose_active(
    controls: Mapping[str, str | None],
    lines: Sequence[Line],
    verdicts: Sequence[Verdict],
    rounds: Sequence[int],
    look: int,
    margin: float,
) -> set[str]:
    """Return the experiments that need more runs after a look; controls: of each experiment.

    `lines` and `verdicts` are those of the look. margin: share.
    """
    going_on = {
        line.experiment
        for line, verdict in zip(lines, verdicts, strict=True)
        if line.primary and not _is_done(line.estimate, verdict, rounds, look, margin)
    }
    return going_on | {control for name in going_on if (control := controls.get(name))}


def _is_done(
    estimate: Estimate, verdict: Verdict, rounds: Sequence[int], look: int, margin: float
) -> bool:
    """Return whether a line is settled or hopeless."""
    if estimate.variance is None or not verdict.level:
        return False
    if verdict.verdict in SETTLED:
        return True
    last = verdict.level / spend(rounds, look) * spend(rounds, len(rounds) - 1)
    there = scale_variance(estimate.variance, rounds[-1] / estimate.seeds, 1.0)
    return chance_to_settle(estimate.difference, there, last, margin) < HOPELESS


def forget_margin(said: frozenset[str]) -> frozenset[str]:
    """Return what was said that does not depend on the margin: helps, hurts, and of a recall."""
    whole = {link for chain in CHAINS if chain[1] in said for link in chain}
    return frozenset(whole or (said & {DIFFERS}))
