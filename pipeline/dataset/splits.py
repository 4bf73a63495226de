"""Balancing and splitting: which tiles stay, and which train, validate and test.

Tiles are rows; `labels` (N,) are class names, `groups` (N,) what must not be torn apart (a tile on
its own is a group of one). A split stays: see `dealing`.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.dataset.dealing import Mask, Texts, count_groups, deal, number_names
from pipeline.errors import DataError, count_things

UNEVEN = 2  # a class's share of the test set is this many times too large, or too small


@dataclass(frozen=True)
class Split:
    """Which part each tile belongs to: (N,) 'train', 'val', 'test', or '' where it is left out.

    `folds` has one such column a fold. `moved` groups changed sides to even classes out; `joined`
    clusters of tiles that look the same would have lain on two sides.
    """

    folds: list[Texts]
    moved: int = 0
    joined: int = 0


@dataclass(frozen=True)
class Shortage:
    """Which class can't be in every part, and what it has."""

    label: str
    tiles: int
    free: int  # of them, to be divided: the others are in a set as given, or left out for it
    groups: int = 0  # that the free ones come from
    parts: int = 0  # groups that are needed; 0: enough are there, but in `missing` is none of them
    missing: str = ""
    given: str = ""  # what takes the tiles that are not free


class TooSmallError(DataError):
    """A class is too small to appear in each part."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__(shortage)  # so that it can be pickled
        self.shortage = shortage

    def __str__(self) -> str:
        """Return what the class has and what it needs."""
        short = self.shortage
        has = f"it has {count_things(short.tiles, 'tile')}"
        if not short.parts:
            has += f" and none came into the {short.missing.replace('val', 'validation')} set"
        elif short.free < short.tiles:
            verb = "leave" if " and " in short.given else "leaves"
            has = f"{short.given} {verb} {short.free:,} of its {short.tiles:,} tiles"
        elif short.groups < short.tiles:
            groups = count_things(short.groups, "group")
            has = f"its {count_things(short.tiles, 'tile')} come from {groups}"
        verb = "is" if short.parts == 1 else "are"
        need = f" and {short.parts} {verb} needed" if short.parts else ""
        return f"class '{short.label}' is too small to appear in each part: {has}{need}"


def undersample(labels: Texts, ids: Texts, to: int | None, seed: int) -> Mask:
    """Return which rows stay when every class keeps at most `to` (None: the smallest class).

    Of each class those whose ids have the smallest numbers stay: a tile more or less changes one
    other of its class at most.
    """
    counts = Counter(labels)
    target = min(counts.values()) if to is None else to
    numbers = number_names("balance", seed, ids)
    keep = np.zeros(len(labels), bool)
    for name in counts:
        rows = np.flatnonzero(labels == name)
        keep[rows[np.argsort(numbers[rows], kind="stable")[:target]]] = True
    return keep


def split_shares(
    labels: Texts,
    groups: Texts,
    *,
    test: float,
    val: float,
    seed: int,
    merged: Texts | None = None,
    given_test: Mask | None = None,
    given_val: Mask | None = None,
    given_train: Mask | None = None,
) -> Split:
    """Return one split: stratified by label, groups kept whole.

    `test` and `val` are shares of all rows. merged (N,): the groups, those tied by tiles that look
    the same under one name; tied ones that would lie on two sides train. Rows of `given_test` and
    `given_val` are these sets as given; what shares a group with one of them is in no other part,
    but left out (so are rows of `given_val` that share one with the test set). No group of
    `given_train` is tested on. Raises TooSmallError when a class can't be divided, and DataError
    when nothing is left to train on.
    """
    whole = groups if merged is None else merged
    parts = np.full(len(labels), "train", object)
    free = np.ones(len(labels), bool)
    said = {"test": f"split.test ({test:.3g})", "validation": f"split.val ({val:.3g})"}
    given = []
    for part, name, rows in (("test", "test", given_test), ("val", "validation", given_val)):
        if rows is None or not rows.any():
            continue
        taken = np.isin(whole, whole[rows]) & free
        parts[taken] = ""
        parts[taken & rows] = part
        free &= ~taken
        said[name] = f"the {name} set as given"
        given.append(said[name])
        test, val = (0.0, val) if part == "test" else (test, 0.0)
    scale = len(labels) / max(int(free.sum()), 1)  # shares are of all rows
    shares = (test * scale, val * scale)
    needed = 1 + sum(share > 0 for share in shares)
    _refuse_few_groups(labels, whole, free, needed, " and ".join(given))
    _refuse_too_much(labels[free], whole[free], shares, " and ".join(said.values()))
    dealt = deal(
        labels[free],
        groups[free],
        (*shares, 1 - sum(shares)),
        ("split", seed),
        merged=whole[free],
        barred=None if given_train is None else given_train[free],
        judged=2,  # the rest trains, and is even when these are
    )
    parts[free] = np.array(["test", "val", "train"], object)[dealt.part]
    return Split([parts], dealt.moved, dealt.joined)


def split_folds(
    labels: Texts,
    groups: Texts,
    *,
    folds: int,
    val: float,
    seed: int,
    merged: Texts | None = None,
) -> Split:
    """Return the parts of each fold; every row is in the test set of exactly one fold.

    `val` is a share of all rows; `merged` and what is raised as for `split_shares`.
    """
    whole = groups if merged is None else merged
    # A fold is tested while another one trains, and validates too.
    needed = 4 if folds == 2 and val else folds
    _refuse_few_groups(labels, whole, np.ones(len(labels), bool), needed)
    dealt = deal(
        labels, groups, (1 / folds,) * folds, ("split", seed), merged=whole, torn_to_last=False
    )
    moved, result = dealt.moved, []
    for fold in range(folds):
        rest = dealt.part != fold
        share = val * len(labels) / rest.sum()
        said = f"split.folds ({folds}) and split.val ({val:.3g})"
        _refuse_too_much(labels[rest], whole[rest], (share,), said)
        held = deal(
            labels[rest],
            groups[rest],
            (share, 1 - share),
            (f"fold {fold}", seed),
            merged=whole[rest],
            judged=1,
        )
        parts = np.full(len(labels), "test", object)
        parts[rest] = np.array(["val", "train"], object)[held.part]
        result.append(parts)
        moved += held.moved
    return Split(result, moved, dealt.joined)


def choose_share(labels: Texts, groups: Texts, share: float, seed: int) -> Mask:
    """Return which rows belong to a share of all: stratified by label, groups kept whole.

    A smaller share lies within a larger one. Nothing but the seed, the groups' names and their
    labels decides, whatever the order of the rows. The share is met as nearly as whole groups can;
    at least one is taken.
    """
    table = count_groups(labels, groups)
    sizes, numbers = table.counts.sum(axis=1), number_names("share", seed, table.names)
    place = np.empty(len(sizes))  # how much of its stratum comes before a group
    for stratum in np.unique(table.strata):
        members = np.flatnonzero(table.strata == stratum)
        members = members[np.argsort(numbers[members], kind="stable")]
        before = np.cumsum(sizes[members]) - sizes[members]
        place[members] = before / sizes[members].sum()
    order = np.lexsort((numbers, place))  # so that each stratum comes evenly
    taken = np.argmin(np.abs(np.cumsum(sizes[order]) - share * len(labels))) + 1
    return np.isin(table.of_row, order[:taken])


def check_parts(
    labels: Texts,
    parts: Texts,
    classes: Sequence[str],
    needed: Sequence[str],
) -> None:
    """Raise TooSmallError when a class is missing in a part that is needed."""
    for part in needed:
        present = set(labels[parts == part])
        missing = [name for name in classes if name not in present]
        if missing:
            tiles = int((labels == missing[0]).sum())
            raise TooSmallError(Shortage(missing[0], tiles, tiles, missing=part))


def find_uneven(labels: Texts, test: Mask) -> tuple[float, list[tuple[str, float]]]:
    """Return which share of all rows is tested, and the classes of which another share is.

    They are those with less than half or more than twice of what stratification wants, each with
    its share, from the least to the most; one that is less than a row off is even enough.
    """
    share = float(test.mean()) if len(test) else 0.0
    tested = Counter(labels[test])
    found = [
        (name, tested[name] / count)
        for name, count in Counter(labels).items()
        if not share / UNEVEN <= tested[name] / count <= share * UNEVEN
        and abs(tested[name] - share * count) >= 1
    ]
    return share, sorted(found, key=lambda pair: (pair[1], pair[0]))


def _refuse_too_much(labels: Texts, groups: Texts, shares: Sequence[float], said: str) -> None:
    """Raise DataError when shares, said by these settings, leave nothing to train on."""
    if not any(shares):
        return
    sizes = np.unique(count_groups(labels, groups).strata, return_counts=True)[1]
    # Rounding may leave nothing as well.
    if sum(shares) >= 1 or all(round(sum(shares) * size) >= size for size in sizes.tolist()):
        raise DataError(f"{said} leave nothing to train on; lower such shares in params.yaml")


def _refuse_few_groups(
    labels: Texts, groups: Texts, free: Mask, parts: int, given: str = ""
) -> None:
    """Raise TooSmallError when the free rows of a class come from fewer groups than parts.

    given: the sets that take what is not free.
    """
    tiles, left = Counter(labels), Counter(labels[free])
    of: dict[str, set[str]] = defaultdict(set)
    for name, group in zip(labels[free], groups[free], strict=True):
        of[name].add(group)
    found = [
        Shortage(name, tiles[name], left[name], len(of[name]), parts, given=given)
        for name in sorted(tiles)
    ]
    small = [one for one in found if one.groups < parts]
    if small:
        raise TooSmallError(min(small, key=lambda one: (one.groups, one.tiles)))
