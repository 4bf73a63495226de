"""Groups are dealt to parts: by the rank of their numbers, whole, and evened out.

Rows are tiles; `labels` (N,) are class names, `groups` (N,) what must not be torn apart (a tile on
its own is a group of one). Parts are numbered 0 .. P-1. Nothing is drawn but one number in [0, 1)
for each group, the digest of a seed and its name, so whatever is dealt stays when other rows come
and go: within a stratum (a class, or all groups that hold several) the groups with the smallest
numbers are in part 0, the next ones in part 1, as many as its share says, and a row more or less
moves no other one but, now and then, a group at a border.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# A share of a class's rows is even when it is at most 3 whole points off (where groups hold several
# classes: or the usual one of these). At 3.0 exactly, one tile of the default sample in 27 would
# move a page by being left out; at 3.5 none does.
TOLERANCE = 0.035
# A group is of a class that has so much of it. At a half, one tile more or less would decide of
# every page that holds two classes alike.
MAJORITY = 2 / 3
MOST_IN_PAIRS = 200  # groups: among more of them moving single ones gets as far
CLASS_MISSING = 10.0  # as bad as so many classes that are all on the wrong side


@dataclass(frozen=True)
class Groups:
    """The G groups of some rows, and how many rows of each of C classes each of them has."""

    names: Texts  # (G,)
    of_row: Integers  # (N,) the group of each row
    counts: Integers  # (G, C)
    strata: Integers  # (G,) the class that a group is of; C where it holds several


@dataclass(frozen=True)
class Deal:
    """The part (N,) of each row; how many groups changed sides to be even, or lay on several."""

    part: Integers
    moved: int = 0
    joined: int = 0


def number_names(purpose: str, seed: int, names: Iterable[str]) -> Floats:
    """Return a number in [0, 1) for each name (N,), which depends on nothing else."""
    digests = (
        hashlib.blake2b(f"{purpose} {seed} {name}".encode(), digest_size=8).digest()
        for name in names
    )
    whole = np.frombuffer(b"".join(digests), ">u8")
    return (whole >> 11).astype(np.float64) / 2**53  # as many bits as a float counts


def count_groups(labels: Texts, groups: Texts) -> Groups:
    """Return the groups of some rows, by name."""
    names, of_row = np.unique(groups.astype(str), return_inverse=True)
    kinds, label = np.unique(labels.astype(str), return_inverse=True)
    counts = np.zeros((len(names), len(kinds)), np.intp)
    np.add.at(counts, (of_row, label), 1)
    strata = np.full(len(names), len(kinds))
    pure = counts.max(axis=1, initial=0) >= MAJORITY * counts.sum(axis=1)
    strata[pure] = counts[pure].argmax(axis=1)
    return Groups(names.astype(object), of_row, counts, strata)


def deal(
    labels: Texts,
    groups: Texts,
    shares: Sequence[float],
    numbers_of: tuple[str, int],
    *,
    merged: Texts | None = None,
    barred: Mask | None = None,
    judged: int | None = None,
    torn_to_last: bool = True,
) -> Deal:
    """Deal rows to the parts of the given shares, which add up to 1; their groups stay whole.

    numbers_of: the purpose and the seed of the numbers (see `number_names`). merged (N,): the
    groups, those that must not be parted either under one name; where such ones would lie in
    several parts they go to the last, or else to that of the first of them by name. barred (N,):
    rows whose groups are not in part 0. judged: in how many parts classes have to be even (all).
    """
    wanted = np.array(shares)
    single = count_groups(labels, groups)
    whole = single if merged is None else count_groups(labels, merged)
    owner = np.empty(len(single.names), np.intp)  # the merged group of each group
    owner[single.of_row] = whole.of_row
    allowed = np.tile(wanted > 0, (len(whole.names), 1))
    if barred is not None:
        allowed[whole.of_row[barred], 0] = False
    numbers = number_names(*numbers_of, single.names)
    part, gaps = _rank(single.strata, numbers, allowed[owner], wanted)
    gap = np.full((len(whole.names), len(wanted)), np.inf)
    np.minimum.at(gap, owner, gaps)
    start = part[np.unique(owner, return_index=True)[1]]  # of each one's first group by name
    torn = np.zeros(len(whole.names), bool)
    torn[owner[part != start[owner]]] = True
    if torn_to_last:
        start[torn] = len(wanted) - 1
    mixed = whole.strata == whole.counts.shape[1]
    even, moved = _even_out(start, allowed, whole.counts, wanted, gap, judged or len(wanted), mixed)
    return Deal(even[whole.of_row], moved, int(torn.sum()))


def _rank(
    strata: Integers, numbers: Floats, allowed: npt.NDArray[np.bool_], wanted: Floats
) -> tuple[Integers, Floats]:
    """Return the part (G,) of each group by its rank, and how far (G, P) it is from each part.

    Distances are shares of its stratum. Every part gets one group at least as long as one is left
    for the last.
    """
    ends = np.cumsum(wanted)
    part, gaps = np.empty(len(strata), np.intp), np.empty((len(strata), len(wanted)))
    for stratum in np.unique(strata):
        left = np.flatnonzero(strata == stratum)
        left = left[np.argsort(numbers[left], kind="stable")]
        count, order, edges, taken, start = len(left), [], [0.0], 0, 0.0
        for number, share in enumerate(wanted):
            least = 1 if share > 0 else 0
            size = max(round(float(ends[number]) * count) - round(start * count), least)
            start = float(ends[number])
            last = number == len(wanted) - 1
            size = len(left) if last else min(size, max(len(left) - 1, 0))
            chosen = left[allowed[left, number]][:size]
            part[chosen] = number
            left = left[~np.isin(left, chosen)]
            order.append(chosen)
            taken += len(chosen)
            edges.append(taken / count)
        place = np.concatenate(order)
        middle = (np.arange(count) + 0.5)[:, None] / count
        low, high = np.array(edges[:-1]), np.array(edges[1:])
        gaps[place] = np.maximum(np.maximum(low - middle, middle - high), 0)
    return part, gaps


def _even_out(
    part: Integers,
    allowed: npt.NDArray[np.bool_],
    counts: Integers,
    wanted: Floats,
    gaps: Floats,
    judged: int,
    mixed: Mask,
) -> tuple[Integers, int]:
    """Move the groups nearest to another part until classes are even, or as even as they get.

    mixed (G,): those that hold several classes. Returns the parts (G,), and how many were moved.
    """
    part = part.copy()
    full = np.column_stack([counts, counts.sum(axis=1)])  # all classes together are the last
    judge = _Judge(full.sum(axis=0), _find_usual(full, mixed), wanted, judged)
    sums = np.zeros((len(wanted), full.shape[1]))
    np.add.at(sums, part, full)
    moved: set[int] = set()
    for _ in range(2 * len(part)):
        if judge.weigh(sums[None])[0] <= 0:
            break
        step = _find_step(part, allowed, full, sums, gaps, judge)
        if not step:
            break
        for group, new in step:
            sums[part[group]] -= full[group]
            sums[new] += full[group]
            part[group] = new
            moved.add(group)
    return part, len(moved)


def _find_usual(counts: Integers, mixed: Mask) -> Floats:
    """Return the share of each class (C,) that the usual mixed group holds; 0 without one."""
    shares = [own[mixed & (own > 0)] / own.sum() for own in counts.T]
    return np.array([np.median(one) if len(one) else 0.0 for one in shares])


@dataclass(frozen=True)
class _Judge:
    """How far parts are from even."""

    totals: Integers  # (C,) rows of each class
    usual: Floats  # (C,) the share of them that the usual group of several classes holds
    wanted: Floats  # (P,)
    judged: int

    def weigh(self, sums: Floats) -> Floats:
        """Return how bad it is (M,) that parts have so many rows of each class (M, P, C)."""
        # Half a row is no error: of four tiles no share is 30 %. Nor is a writer: where ten classes
        # of 12 writers had to be even to TOLERANCE, one tile less in three let writers change sides
        # (up to half of them), for the sake of 2 points. Now it is none in 240.
        tolerance = np.maximum(np.maximum(TOLERANCE, self.usual), 0.5 / self.totals)
        off = np.abs(sums / self.totals - self.wanted[:, None]) - tolerance
        missing = (sums == 0) & (self.wanted[:, None] > 0)
        too_much = np.maximum(off[:, : self.judged], 0).sum(axis=(1, 2))
        bad: Floats = too_much + CLASS_MISSING * missing.sum(axis=(1, 2))
        return bad.round(9)


Step = list[tuple[int, int]]  # groups, and the parts that they go to


def _find_step(
    part: Integers,
    allowed: npt.NDArray[np.bool_],
    full: Integers,
    sums: Floats,
    gaps: Floats,
    judge: _Judge,
) -> Step:
    """Return the move of one group, or else of two at once, that makes things better.

    Of all such it is the one whose groups are nearest to their new parts.
    """
    groups, parts = np.nonzero(allowed)
    other = parts != part[groups]
    groups, parts = groups[other], parts[other]
    distance = gaps[groups, parts]
    now = judge.weigh(sums[None])[0]

    def find(moves: Integers, order: Integers) -> Step:
        """Return the first of the combined moves (M, n), in this order, that is better."""
        for some in np.array_split(order, max(1, len(order) // 4096)):  # memory stays small
            changed = np.repeat(sums[None], len(some), axis=0)
            for column in moves[some].T:
                row, group = np.arange(len(some)), groups[column]
                changed[row, part[group]] -= full[group]
                changed[row, parts[column]] += full[group]
            better = np.flatnonzero(judge.weigh(changed) < now)
            if len(better):
                return [(int(groups[m]), int(parts[m])) for m in moves[some[better[0]]]]
        return []

    step = find(np.arange(len(groups))[:, None], np.lexsort((groups, distance)))
    if step or len(part) > MOST_IN_PAIRS:
        return step
    pairs = np.stack(np.triu_indices(len(groups), 1), axis=1)
    pairs = pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]]
    return find(pairs, np.lexsort((*pairs.T[::-1], distance[pairs].sum(axis=1))))
