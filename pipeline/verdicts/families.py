"""What may be said of every line of a table, given all the others (docs/ablation.md, rules 6, 7).

A primary line (an experiment's accuracy, or a question that was asked beforehand) has two chains of
two one-sided tests; m is the margin, D the true difference:

    up    D <= -m, then D <= 0     -> no harm beyond the margin, then helps
    down  D >= +m, then D >= 0     -> no gain beyond the margin, then hurts

The second test of a chain is made only when the first was rejected (Maurer, Hothorn and Lehmacher
1995), and Holm's method goes over the chains: one counts until its last test is rejected. Class
recalls stand behind (secondary, two-sided): where the last test of a chain is rejected, half of its
share goes to its experiment's recalls and the rest to the open chains; a rejected recall passes its
share to its siblings. All of that is one graph (Bretz, Maurer, Brannath and Posch 2009), whose
weighted Bonferroni tests keep the chance of any false statement below the level, whatever depends
on what.

Of 5 % that are promised, 3 % are spent on the primary lines and 0.5 % on the recalls: with few
unsteady runs differences are only nearly Student's (25,000 simulated studies of the worst kind,
three lines and one arm with a trebled spread, made 4.8 % false statements so, and 5.8 % at 4 % and
1 %).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.verdicts.estimates import Estimate, Variance, find_quantile

Floats = npt.NDArray[np.float64]
Link = tuple[int, str]  # which line, and what its rejection says

PRIMARY = 0.03
SECONDARY = 0.005
POWER = 0.8

HELPS = "helps"
HURTS = "hurts"
NO_HARM = "no harm beyond the margin"
NO_GAIN = "no gain beyond the margin"
NO_EFFECT = "no effect beyond the margin"
OPEN = "open"
NO_VERDICT = "no verdict"
DIFFERS = "differs"  # a recall, either way

SETTLED = frozenset({HELPS, HURTS, NO_EFFECT})  # more runs could only say it again
CHAINS = ((NO_HARM, HELPS), (NO_GAIN, HURTS))


@dataclass(frozen=True)
class Line:
    """A line that is judged; `chance`: the control's score, which bounds what is possible."""

    experiment: str
    primary: bool
    estimate: Estimate
    chance: float = 0.5


@dataclass(frozen=True)
class Verdict:
    """What may be said of a line: one of the words above, "" for a recall of which nothing may.

    `visible_effect`: the smallest difference that helps or hurts would have been said of 4 times in
    5 at the level that this line had in the end; None where that is more than is possible.
    `level`: of one one-sided test; None where none is made. `said`: the tests that were rejected.
    `reason`: why there is no verdict. `primary`: as of the line.
    """

    verdict: str
    visible_effect: float | None = None
    level: float | None = None
    said: frozenset[str] = frozenset()
    reason: str = ""
    primary: bool = True


def judge_family(
    lines: Sequence[Line],
    margin: float,
    spent: float = 1.0,
    before: Sequence[Set[str]] | None = None,
) -> list[Verdict]:
    """Judge all lines of a table at once. margin: share, 0.01 is a point.

    With looks in between, `spent` is the part of the level that this look may spend, and `before`
    what was said of each line at earlier looks: that stays said.
    """
    if margin < 0:
        raise ValueError(f"margin {margin} is below 0")
    links = _list_links(lines)
    level = (PRIMARY + SECONDARY) * spent
    shares, passes = _draw_graph(lines, links)
    p = np.array([_find_p(lines[line].estimate, what, margin) for line, what in links])
    said = before or [frozenset()] * len(lines)
    known = [number for number, (line, what) in enumerate(links) if what in said[line]]
    rejected, left = reject(p, shares, passes, level, known)
    levels = level * np.where(left > 0, left, shares)
    verdicts = []
    for number, line in enumerate(lines):
        own = [place for place, (owner, _) in enumerate(links) if owner == number]
        words = frozenset(links[place][1] for place in own if place in rejected)
        own_level = float(levels[own].max()) if own else None
        verdicts.append(_give_verdict(line, words, own_level))
    return verdicts


def reject(
    p: Floats, shares: Floats, passes: Floats, level: float, known: Sequence[int] = ()
) -> tuple[set[int], Floats]:
    """Return which hypotheses a graph rejects, and which share of the level the others hold then.

    p, shares: (n,); passes: (n, n), what part of its share a rejected one gives to each other, with
    sums of at most 1 a row. Those that are known to be rejected are so without a test.
    """
    shares, passes = shares.copy(), passes.copy()
    rejected: set[int] = set()
    waiting = list(known)
    while True:
        if not waiting:
            due = np.flatnonzero((p <= level * shares) & (shares > 0))
            waiting = [int(number) for number in due if number not in rejected][:1]
        if not waiting:
            return rejected, shares
        number = waiting.pop()
        rejected.add(number)
        shares, passes = _pass_on(number, shares, passes)


def _pass_on(number: int, shares: Floats, passes: Floats) -> tuple[Floats, Floats]:
    """Return the graph without a hypothesis: algorithm 1 of Bretz et al."""
    out, into = passes[number], passes[:, number]
    shares = shares + shares[number] * out
    shares[number] = 0.0
    rest = 1 - into * out
    passes = np.divide(
        passes + np.outer(into, out), rest[:, None], where=rest[:, None] > 0,
        out=np.zeros_like(passes),
    )  # fmt: skip
    np.fill_diagonal(passes, 0.0)
    passes[number], passes[:, number] = 0.0, 0.0
    return shares, passes


def _list_links(lines: Sequence[Line]) -> list[Link]:
    """Return all tests of a table."""
    settled = _can_be_settled(lines)
    links: list[Link] = []
    for number, line in enumerate(lines):
        if line.estimate.variance is None:
            continue
        if line.primary:
            links += [(number, what) for chain in CHAINS for what in chain]
        elif settled[number]:
            links.append((number, DIFFERS))
    return links


def _can_be_settled(lines: Sequence[Line]) -> list[bool]:
    """Return which recalls some result could settle: of a class of five pictures none could."""
    from scipy.special import ndtri

    recalls = sum(not line.primary for line in lines)
    distance = -float(ndtri(SECONDARY / max(recalls, 1) / 2))
    return [
        distance / line.estimate.pictures <= max(line.chance, 1 - line.chance) for line in lines
    ]


def _draw_graph(lines: Sequence[Line], links: Sequence[Link]) -> tuple[Floats, Floats]:
    """Return the share of the level that each test begins with, and to which it passes it on."""
    place = {link: number for number, link in enumerate(links)}
    heads = [number for number, (_, what) in enumerate(links) if what in (NO_HARM, NO_GAIN)]
    recalls = [number for number, (_, what) in enumerate(links) if what == DIFFERS]
    of_arm: Mapping[str, list[int]] = {
        line.experiment: [r for r in recalls if lines[links[r][0]].experiment == line.experiment]
        for line in lines
    }
    shares, passes = np.zeros(len(links)), np.zeros((len(links), len(links)))
    whole = PRIMARY + SECONDARY
    shares[heads] = PRIMARY / whole / max(len(heads), 1)
    shares[recalls] = SECONDARY / whole / max(len(recalls), 1)
    for head in heads:
        line, what = links[head]
        last = place[line, dict(CHAINS)[what]]
        passes[head, last] = 1.0
        own = of_arm[lines[line].experiment]
        others = [other for other in heads if other != head]
        passes[last, own] = 0.5 / max(len(own), 1)
        passes[last, others] = (0.5 if own else 1.0) / max(len(others), 1)
    for recall in recalls:
        siblings = [r for r in of_arm[lines[links[recall][0]].experiment] if r != recall]
        passes[recall, siblings] = 1 / max(len(siblings), 1)
    return shares, passes


def _find_p(estimate: Estimate, what: str, margin: float) -> float:
    """Return p of one test."""
    if what == DIFFERS:
        return 2 * estimate.tail(0.0, 1 if estimate.difference > 0 else -1)
    return estimate.tail(*_bound_of(what, margin))


def _bound_of(what: str, margin: float) -> tuple[float, int]:
    """Return what a primary test compares the difference with, and the side that it hopes for."""
    return {NO_HARM: (-margin, 1), HELPS: (0.0, 1), NO_GAIN: (margin, -1), HURTS: (0.0, -1)}[what]


def _give_verdict(line: Line, said: frozenset[str], level: float | None) -> Verdict:
    """Return the verdict on a line; level: of its tests, None where it has none."""
    estimate = line.estimate
    if estimate.variance is None:
        return Verdict(NO_VERDICT, reason=estimate.reason, primary=line.primary)
    if level is None:
        return Verdict("", primary=line.primary)
    if not level:  # earlier looks have spent all of it
        return Verdict(_choose_word(line, said), None, 0.0, said, primary=line.primary)
    one_sided = level if line.primary else level / 2
    effect = find_visible_effect(estimate.variance, one_sided)
    possible = effect if effect <= max(line.chance, 1 - line.chance) else None
    return Verdict(_choose_word(line, said), possible, one_sided, said, primary=line.primary)


def _choose_word(line: Line, said: Set[str]) -> str:
    if not line.primary:
        return (HELPS if line.estimate.difference > 0 else HURTS) if said else ""
    for word in (HELPS, HURTS):
        if word in said:
            return word
    if {NO_HARM, NO_GAIN} <= said:
        return NO_EFFECT
    return next(iter(said), OPEN)


def find_visible_effect(variance: Variance, level: float) -> float:
    """Return the smallest difference that a study with this variance finds with 80 % power.

    level: one-sided. By the noncentral t; the variance is taken for the true one.
    """
    from scipy.special import nctdtrinc

    edge = find_quantile(variance, level)
    return float(nctdtrinc(variance.degrees, 1 - POWER, edge)) * variance.error
