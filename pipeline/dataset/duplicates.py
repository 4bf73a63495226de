"""Tiles that look the same: found by their hashes, and tied into one group."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

FEW_BITS = 8  # at more, parts of the bits are too short to tell hashes apart
COMPARED_AT_ONCE = 1 << 22  # pairs of hashes


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
    cluster: npt.NDArray[np.intp] = connected_components(links, directed=False)[1]
    return cluster[number]


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
