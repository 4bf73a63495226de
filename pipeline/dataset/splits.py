"""Balancing and splitting: which tiles stay, and which train, validate and test.

Tiles are rows; `labels` (N,) are class names, `groups` (N,) what must not be torn apart.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

Mask = npt.NDArray[np.bool_]

FEW_BITS = 8  # at more, parts of the bits are too short to tell hashes apart
UNEVEN = 2  # a class's share of the test set is this many times too large, or too small
NOTHING_LEFT = "split.test and split.val leave nothing to train on; lower them"
COMPARED_AT_ONCE = 1 << 22  # pairs of hashes


def undersample(labels: npt.NDArray[np.object_], to: int | None, seed: int) -> Mask:
    """Return which rows stay when every class keeps at most `to` (None: the smallest class).

    Which ones of a class stay is drawn from the seed and the class alone.
    """
    counts = Counter(labels)
    target = min(counts.values()) if to is None else to
    keep = np.zeros(len(labels), bool)
    for class_name in counts:
        rows = np.flatnonzero(labels == class_name)
        dice = np.random.default_rng([seed, *class_name.encode()])
        keep[dice.permutation(rows)[:target]] = True
    return keep


def find_near_duplicates(hashes: npt.NDArray[np.uint64], distance: int) -> npt.NDArray[np.intp]:
    """Return (N,) the number of the cluster that each picture belongs to.

    Two pictures are tied when their perceptual hashes differ in at most `distance` of 64 bits;
    clusters are the connected components.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    distinct, number = np.unique(hashes, return_inverse=True)
    first, second = _find_close_pairs(distinct, distance).T
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(distinct),) * 2)
    return connected_components(links, directed=False)[1][number]


def _find_close_pairs(hashes: npt.NDArray[np.uint64], distance: int) -> npt.NDArray[np.intp]:
    """Return the rows (M, 2) of all pairs that differ in at most `distance` bits; some come twice.

    Of distance + 1 parts that the bits are divided into, such a pair agrees in one at least: only
    hashes that have a part in common are compared. Of many parts each is short, and most hashes
    have one in common; then all are compared.
    """
    parts = distance + 1 if distance <= FEW_BITS else 0
    masks = [sum(1 << bit for bit in range(part, 64, parts)) for part in range(parts)] or [0]
    pairs = [np.empty((0, 2), np.intp)]
    for mask in masks:
        part = hashes & np.uint64(mask)
        order = np.argsort(part)
        for rows in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            if len(rows) > 1:
                pairs.extend(_compare_all(hashes, rows, distance))
    return np.concatenate(pairs)


def _compare_all(
    hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.intp], distance: int
) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the pairs among some rows; memory does not grow with the square of their number."""
    step = max(1, COMPARED_AT_ONCE // len(rows))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        others = rows[start + 1 :]
        close = np.bitwise_count(hashes[block, None] ^ hashes[others]) <= distance
        first, second = np.nonzero(close)
        yield np.stack([block[first], others[second]], axis=1)


def merge_groups(groups: Sequence[str], clusters: npt.NDArray[np.intp]) -> npt.NDArray[np.object_]:
    """Return (N,) groups in which rows that share a group or a cluster share a group.

    A merged group is named after its first member in alphabetical order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, numbers = np.unique(np.array(groups, object).astype(str), return_inverse=True)
    offset = numbers.max(initial=-1) + 1  # groups come first among the nodes, then clusters
    size = offset + clusters.max(initial=-1) + 1
    links = coo_array((np.ones(len(numbers), bool), (numbers, offset + clusters)), (size, size))
    merged = connected_components(links, directed=False)[1][numbers]
    names: dict[int, str] = {}
    for number, group in sorted(
        zip(merged.tolist(), groups, strict=True), key=lambda pair: pair[1]
    ):
        names.setdefault(number, group)
    return np.array([names[number] for number in merged], object)


def split_shares(
    labels: npt.NDArray[np.object_],
    groups: npt.NDArray[np.object_],
    *,
    test: float,
    val: float,
    seed: int,
    given_test: Mask | None = None,
    given_train: Mask | None = None,
) -> npt.NDArray[np.object_]:
    """Return (N,) 'train', 'val' or 'test': stratified by label, groups kept whole.

    `test` and `val` are shares of all rows. Rows of `given_test` are the test set as given; what
    shares a group with them is neither, but '' (left out). No group of `given_train` is tested on.
    """
    parts = np.full(len(labels), "train", object)
    if given_test is not None and given_test.any():
        parts[np.isin(groups, groups[given_test])] = ""
        parts[given_test] = "test"
    else:
        held = groups[:0] if given_train is None else groups[given_train]
        free = ~np.isin(groups, held)
        parts[_draw_part(labels, groups, free, test * len(labels), seed)] = "test"
    rest = parts == "train"
    parts[_draw_part(labels, groups, rest, val * len(labels), seed + 1)] = "val"
    return parts


def split_folds(
    labels: npt.NDArray[np.object_],
    groups: npt.NDArray[np.object_],
    *,
    folds: int,
    val: float,
    seed: int,
) -> list[npt.NDArray[np.object_]]:
    """Return the parts (N,) of each fold; every row is in the test set of exactly one fold."""
    _refuse_few_groups(labels, groups, folds)
    result = []
    for held_out in _deal_groups(labels, groups, folds, seed):
        parts = np.full(len(labels), "train", object)
        parts[held_out] = "test"
        parts[_draw_part(labels, groups, parts == "train", val * len(labels), seed + 1)] = "val"
        result.append(parts)
    return result


def choose_share(
    labels: npt.NDArray[np.object_], groups: npt.NDArray[np.object_], share: float, seed: int
) -> Mask:
    """Return which rows belong to a share of all: stratified by label, groups kept whole.

    A smaller share lies within a larger one. Nothing but the seed, the groups' names and their
    labels decides, whatever the order of the rows. The share is met as nearly as whole groups can;
    at least one is taken.
    """
    names, index, sizes = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    strata = _find_commonest(labels, index)
    dice = np.array([hashlib.sha256(f"{seed} {name}".encode()).hexdigest() for name in names])
    place = np.empty(len(names))  # how much of its stratum comes before a group
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        members = members[np.argsort(dice[members])]
        before = np.cumsum(sizes[members]) - sizes[members]
        place[members] = before / sizes[members].sum()
    order = np.lexsort((dice, place))  # so that each stratum comes evenly
    taken = np.argmin(np.abs(np.cumsum(sizes[order]) - share * len(labels))) + 1
    return np.isin(index, order[:taken])


def _find_commonest(
    labels: npt.NDArray[np.object_], index: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Return the label, as a number, that most rows of each group have; `index` (N,) is theirs."""
    kinds, numbers = np.unique(labels.astype(str), return_inverse=True)
    pairs, counts = np.unique(index * len(kinds) + numbers, return_counts=True)
    group, label = np.divmod(pairs, len(kinds))
    order = np.lexsort((counts, group))
    last = np.append(np.diff(group[order]) > 0, True)
    return label[order][last]


def check_parts(
    labels: npt.NDArray[np.object_],
    parts: npt.NDArray[np.object_],
    classes: Sequence[str],
    needed: Sequence[str],
) -> None:
    """Raise DataError when a class is missing in a part that is needed."""
    for part in needed:
        present = set(labels[parts == part])
        missing = [name for name in classes if name not in present]
        if missing:
            total = int((labels == missing[0]).sum())
            raise DataError(
                f"class '{missing[0]}' is too small to appear in each part: it has {total} "
                f"{'tile' if total == 1 else 'tiles'} and none came into the {part} set. Add "
                "pictures of it, take it out of classes, or change split.test, split.val or "
                "split.group in params.yaml."
            )


def find_uneven(
    labels: npt.NDArray[np.object_], test: Mask
) -> tuple[float, list[tuple[str, float]]]:
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


def _draw_part(
    labels: npt.NDArray[np.object_],
    groups: npt.NDArray[np.object_],
    among: Mask,
    wanted: float,
    seed: int,
) -> npt.NDArray[np.intp]:
    """Return about `wanted` rows of those `among`, stratified, whole groups."""
    rows = np.flatnonzero(among)
    if wanted <= 0 or not len(rows):
        return rows[:0]
    share = wanted / len(rows)
    if share >= 1:
        raise DataError(NOTHING_LEFT)
    if len(set(groups[rows])) == len(rows):
        return rows[_draw_single(labels[rows], share, seed)]
    return rows[_draw_grouped(labels[rows], groups[rows], share, seed)]


def _draw_single(labels: npt.NDArray[np.object_], share: float, seed: int) -> npt.NDArray[np.intp]:
    from sklearn.model_selection import StratifiedShuffleSplit

    smallest, count = min(Counter(labels).items(), key=lambda item: item[1])
    if count < 2:
        raise DataError(
            f"class '{smallest}' is too small to appear in each part: it has 1 tile left to "
            "divide. Add pictures of it, or take it out of classes in params.yaml."
        )
    kinds = len(set(labels))
    size = max(round(share * len(labels)), kinds)
    if len(labels) - size < kinds:
        raise DataError(NOTHING_LEFT)
    splitter = StratifiedShuffleSplit(1, test_size=size, random_state=seed)
    return next(splitter.split(labels, labels.astype(str)))[1]


def _draw_grouped(
    labels: npt.NDArray[np.object_], groups: npt.NDArray[np.object_], share: float, seed: int
) -> npt.NDArray[np.intp]:
    """Join folds of StratifiedGroupKFold until the share is met as nearly as whole folds can."""
    _refuse_few_groups(labels, groups, 2)
    fewest = min(len(set(groups[labels == name])) for name in set(labels))
    take, folds = _nearest_fraction(share, most=min(20, fewest))
    if take == folds:
        raise DataError(NOTHING_LEFT)
    return np.sort(np.concatenate(_deal_groups(labels, groups, folds, seed)[:take]))


def _deal_groups(
    labels: npt.NDArray[np.object_], groups: npt.NDArray[np.object_], folds: int, seed: int
) -> list[npt.NDArray[np.intp]]:
    """Return the rows of each fold: stratified by label, groups kept whole."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = splitter.split(labels, labels.astype(str), groups.astype(str))
    return [rows for _, rows in parts]


def _nearest_fraction(share: float, most: int) -> tuple[int, int]:
    candidates = [(max(1, round(share * n)), n) for n in range(2, max(2, most) + 1)]
    return min(candidates, key=lambda pair: (round(abs(pair[0] / pair[1] - share), 2), pair[1]))


def _refuse_few_groups(
    labels: npt.NDArray[np.object_], groups: npt.NDArray[np.object_], needed: int
) -> None:
    for class_name in sorted(set(labels)):
        found = len(set(groups[labels == class_name]))
        if found < needed:
            raise DataError(
                f"class '{class_name}' is too small to appear in each part: it comes from "
                f"{found} group{'s' * (found != 1)} and {needed} are needed. Add pictures from "
                "others, take it out of classes, or set split.group: none in params.yaml."
            )
