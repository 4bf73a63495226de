"""Partition: a row's pieces of ink divided into glyphs, by the likeliest way to cut the row.

A part is a piece of ink, or several that surely belong together. The parts of a row stand in the
order of their middles; every run of up to LONGEST of them may be a glyph. A small network says how
well each run would do for one, by its size, the gaps in it and beside it, and how the page is
written; of all ways to cut the row into runs the one with the greatest sum is taken.

All numbers of the network are whole, and small enough that float64 holds each sum exactly, in
whatever order a machine adds: every machine cuts alike. `benchmarks/joining.py` trains it.
"""

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.pages.pieces import WIDE, Boxes, Flags

Features = npt.NDArray[np.float64]  # (m, n): one row for each run, whole numbers
Page = npt.NDArray[np.float64]  # (19,): how a page is written, see describe_page
Weights = tuple[npt.NDArray[np.float64], ...]
Spans = npt.NDArray[np.int64]  # (m, 2): first part and the one after the last

LONGEST = 7  # parts: a kanji of loose strokes has as many
UNIT = 1024  # features and weights are in 1024ths
# Heights of a usual glyph. Kanji of two halves are wide, and an accent stands above a tall letter.
_WIDEST, _TALLEST, _TALLEST_ACCENTED, _ACCENT = 1.3, 1.3, 1.7, 0.35
_TALL_AS_GLYPH = 0.45
# Where neighbours as tall as glyphs make one it is again and again, as in kana: how many, and what
# share of all glyphs.
_FEWEST, _AGAIN = 2, 0.04
_FRAMED = 0.7  # the inner part of a 国 is lower
_WIDTH, _TALL, _INNER, _NEAR_SIDE, _SINGLE, _LEAST_TALL = 0, 1, 2, 5, 7, 18  # of the features
_WIDEST_PART, _TALLEST_PART = 17, 19
_SURELY = 1e6  # more than the network ever rates a run
_FAR = 2.0  # heights of a glyph: no gap counts as more


def cut_rows(
    rows: list[Boxes], areas: list[npt.NDArray[np.int64]], height: float, page: Page
) -> list[Spans]:
    """Cut rows of parts, boxes (n, 4) and areas (n,) each, into glyphs: runs (k, 2).

    height: of a usual glyph, in pixels; page: as describe_page returns it.
    """
    described = []
    for boxes, inks in zip(rows, areas, strict=True):
        spans = list_spans(len(boxes))
        features = describe_spans(boxes, inks, spans, height, page)
        fits = fit_glyphs(features)
        ratings = rate_spans(features[fits], load_weights())
        alone = _stand_alone(features[fits])
        ratings += _SURELY * alone * (np.diff(spans[fits])[:, 0] - 1)
        twins = _find_twins(features[fits]) & ~alone
        ratings += _SURELY * (twins & _are_far(features[fits]))
        described.append((ratings, spans[fits], twins))
    cuts = [find_best_cut(ratings, spans) for ratings, spans, _ in described]
    chosen = [
        (spans[:, None] == cut[None]).all(axis=2).any(axis=1)
        for (_, spans, _), cut in zip(described, cuts, strict=True)
    ]
    count = sum(
        int((is_twin & own).sum()) for (_, _, is_twin), own in zip(described, chosen, strict=True)
    )
    if count >= max(_FEWEST, _AGAIN * sum(map(len, cuts))):
        return cuts
    return [
        find_best_cut(ratings[~is_twin], spans[~is_twin]) for ratings, spans, is_twin in described
    ]


def _find_twins(features: Features) -> Flags:
    """Tell which runs are of neighbours that are as tall as glyphs, like い and 13."""
    inner, least = features[:, [_INNER, _LEAST_TALL]].T / UNIT
    return np.asarray((features[:, _SINGLE] == 0) & (inner > 0) & (least >= _TALL_AS_GLYPH))


def _stand_alone(features: Features) -> Flags:
    """Tell which runs are far from all others, and close in themselves: a broken stroke's parts."""
    width, inner, near, least = features[:, [_WIDTH, _INNER, _NEAR_SIDE, _LEAST_TALL]].T / UNIT
    close = (inner < 0.35) & (near > 0.5) & (near > 2 * inner) & (least < 0.6)
    # Parts as tall as glyphs may be two 1s, unless one hangs over the other.
    crossed = (inner <= 0) & (near > 0.8)
    return np.asarray((features[:, _SINGLE] == 0) & (width < WIDE) & (close | crossed))


def _are_far(features: Features) -> Flags:
    """Tell which runs are four times as far from all others as their own parts are apart."""
    width, inner, near = features[:, [_WIDTH, _INNER, _NEAR_SIDE]].T / UNIT
    return np.asarray((width < WIDE) & (near > 0.8) & (near > 4 * inner))


def list_spans(count: int) -> Spans:
    """List the runs of a row of `count` parts, those that begin at the left first."""
    first, length = np.divmod(np.arange(count * LONGEST), LONGEST)
    spans = np.stack([first, first + length + 1], axis=1)
    return spans[spans[:, 1] <= count]


def describe_page(rows: list[Boxes], height: float) -> Page:
    """Describe how a page is written, in heights of a usual glyph: its columns of ink.

    A column is what a glyph would be if only gaps parted glyphs. Rows hold the boxes (n, 4) of
    their parts.
    """
    columns = [_find_columns(row) for row in rows]
    widths = np.concatenate([column[:, 1] - column[:, 0] for column in columns]) / height
    gaps = [column[1:, 0] - column[:-1, 1] for column in columns]
    steps = [np.diff(column.sum(axis=1) / 2) for column in columns]
    heights = np.concatenate([row[:, 3] - row[:, 1] for row in rows]) / height
    return np.concatenate(
        [
            _quantiles(widths),
            _quantiles(np.concatenate(gaps) / height),
            _quantiles(np.concatenate(steps) / height),
            _quantiles(heights),
            # Narrow and tall, as a 1; small; parts a column.
            [
                float(((widths < 0.3).sum()) / len(widths)),
                float((heights < 0.4).mean()),
                float(len(heights) / len(widths)) - 1,
            ],
        ]
    )


def usual_gap(page: Page) -> float:
    """Return the gap that three quarters of a page's columns of ink are closer than, in heights."""
    return float(page[6])


def _quantiles(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values = values[values < _FAR]
    if len(values) == 0:
        return np.full(4, _FAR)
    ordered = np.sort(values)  # no interpolation: the value itself
    return ordered[[(len(ordered) - 1) * share // 100 for share in (20, 50, 75, 90)]]


def _find_columns(boxes: Boxes) -> Boxes:
    """Return left and right edges (n, 2) of what stands between empty columns of pixels."""
    order = np.argsort(boxes[:, 0], kind="stable")
    left = boxes[order, 0]
    right = np.maximum.accumulate(boxes[order, 2])
    starts = np.concatenate([[True], left[1:] > right[:-1]])
    ends = np.concatenate([starts[1:], [True]])
    return np.stack([left[starts], right[ends]], axis=1)


def describe_spans(
    boxes: Boxes,
    areas: npt.NDArray[np.int64],
    spans: Spans,
    height: float,
    page: Page,
) -> Features:
    """Describe runs of a row's parts, boxes (n, 4) and areas (n,), in 1024ths of `height`."""
    x0, y0, x1, y1 = (_extend(boxes[:, edge], spans, low=edge < 2) for edge in range(4))
    width, tall = (x1 - x0) / height, (y1 - y0) / height
    sizes = (boxes[:, 2:] - boxes[:, :2]) / height
    fill = areas / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
    ink = np.concatenate([[0], np.cumsum(areas)])
    mass = ink[spans[:, 1]] - ink[spans[:, 0]]
    inner = _inner_gaps(boxes, spans) / height
    before_gap, after_gap = _outer_gaps(boxes, spans, x0, x1, height)
    middle, base = np.median(boxes[:, [1, 3]].mean(axis=1)), np.median(boxes[:, 3])
    near = np.minimum(before_gap, after_gap)
    cell = width + (np.minimum(before_gap, 1) + np.minimum(after_gap, 1)) / 2
    single = spans[:, 1] - spans[:, 0] == 1
    own = [
        width,
        tall,
        inner,
        before_gap,
        after_gap,
        near,
        np.where(single, 0, near - inner),
        single,
        np.minimum(spans[:, 1] - spans[:, 0], 4) / 2,
        cell,
        cell - page[9],  # the middle step from column to column, and a long one
        cell - page[10],
        width - page[2],
        width - page[3],
        np.where(single, 0, inner - page[5]),
        np.where(single, 0, inner - page[4]),
        *(_extend(sizes[:, axis], spans, low=low) for axis in (0, 1) for low in (True, False)),
        _extend(fill, spans, low=True),
        _extend(fill, spans, low=False),
        mass / np.maximum((x1 - x0) * (y1 - y0), 1),
        _extend(areas, spans, low=False) / np.maximum(mass, 1),
        (y0 + y1 - 2 * middle) / (2 * height),
        (y1 - base) / height,
        (_extend(boxes[:, 3], spans, low=True) - base) / height,
        _overlap(boxes, spans),
        *_describe_neighbours(sizes, spans),
    ]
    table = np.column_stack([*own, *np.broadcast_to(page[:, None], (len(page), len(spans)))])
    return np.asarray(np.rint(np.clip(table, -_FAR, 2 * _FAR) * UNIT))


def _outer_gaps(
    boxes: Boxes, spans: Spans, x0: Boxes, x1: Boxes, height: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the gaps (m,) from the ink before each run, x0 to x1, and to that after it."""
    first, after = spans[:, 0], spans[:, 1]
    reach = np.maximum.accumulate(boxes[:, 2])  # how far the ink before goes
    begin = np.minimum.accumulate(boxes[::-1, 0])[::-1]
    far = _FAR * height
    gap_before = np.where(first > 0, x0 - reach[first - 1], far) / height
    gap_after = np.where(after < len(boxes), begin[after % len(boxes)] - x1, far) / height
    return np.clip(gap_before, -1, _FAR), np.clip(gap_after, -1, _FAR)


def _describe_neighbours(
    sizes: npt.NDArray[np.float64], spans: Spans
) -> list[npt.NDArray[np.float64]]:
    """Return width and height of the part before each run, and of that after it; 0 for none."""
    before, after = spans[:, 0] - 1, spans[:, 1]
    return [
        *(np.where(before >= 0, sizes[before, axis], 0) for axis in (0, 1)),
        *(np.where(after < len(sizes), sizes[after % len(sizes), axis], 0) for axis in (0, 1)),
    ]


def _extend(values: npt.NDArray[Any], spans: Spans, *, low: bool) -> npt.NDArray[Any]:
    """Return the least or the greatest value of the parts of each run."""
    run = np.minimum(np.arange(len(values))[:, None] + np.arange(LONGEST), len(values) - 1)
    pick = np.minimum if low else np.maximum
    return np.asarray(
        pick.accumulate(values[run], axis=1)[spans[:, 0], spans[:, 1] - spans[:, 0] - 1]
    )


def _inner_gaps(boxes: Boxes, spans: Spans) -> npt.NDArray[np.float64]:
    """Return the widest empty column in each run, less than 0 where parts overlap, 0 for one."""
    widest = np.zeros(len(spans))
    for length in range(2, min(LONGEST, len(boxes)) + 1):
        members = spans[:, 1] - spans[:, 0] == length
        count = len(boxes) - length + 1
        gaps = []
        for cut in range(1, length):
            right = np.max([boxes[s : s + count, 2] for s in range(cut)], axis=0)
            left = np.min([boxes[s : s + count, 0] for s in range(cut, length)], axis=0)
            gaps.append(left - right)
        widest[members] = np.max(gaps, axis=0)[spans[members, 0]]
    return widest


def _overlap(boxes: Boxes, spans: Spans) -> npt.NDArray[np.float64]:
    """Return the least share of its height that a part of a run has beside the part before it."""
    high = np.minimum(boxes[1:, 3], boxes[:-1, 3]) - np.maximum(boxes[1:, 1], boxes[:-1, 1])
    tall = boxes[:, 3] - boxes[:, 1]
    share = np.clip(high / np.maximum(np.minimum(tall[1:], tall[:-1]), 1), -1, 1)
    if len(share) == 0:
        return np.ones(len(spans))
    run = np.minimum(np.arange(len(boxes))[:, None] + np.arange(LONGEST), len(share) - 1)
    least = np.minimum.accumulate(share[run], axis=1)
    length = spans[:, 1] - spans[:, 0]
    return np.where(length == 1, 1, least[spans[:, 0], np.maximum(length - 2, 0)])


def fit_glyphs(features: Features) -> Flags:
    """Tell which runs are no larger than a glyph, or of one part only.

    A part that lies around another as tall as a glyph, as a drawn frame does, is none of its parts.
    """
    width, tall, single, least = features[:, [_WIDTH, _TALL, _SINGLE, _LEAST_TALL]].T / UNIT
    tallest = np.where(least < _ACCENT, _TALLEST_ACCENTED, _TALLEST)
    around = (features[:, [_WIDTH, _TALL]] <= features[:, [_WIDEST_PART, _TALLEST_PART]]).all(
        axis=1
    )
    fits = (width <= _WIDEST) & (tall <= tallest) & ~(around & (least > _FRAMED))
    return np.asarray((single > 0) | fits)


@cache
def load_weights() -> Weights:
    """Return the network's weights and offsets, layer by layer, in 1024ths."""
    with np.load(str(files("pipeline.pages") / "partition.npz")) as stored:
        return tuple(stored[f"layer{index}"].astype(np.float64) for index in range(len(stored)))


def rate_spans(features: Features, weights: Weights) -> npt.NDArray[np.float64]:
    """Rate each run: how well it would do for one glyph; a whole number, the more the better."""
    values = features
    for layer in range(0, len(weights), 2):
        values = np.floor(values @ weights[layer] / UNIT) + weights[layer + 1]
        if layer + 2 < len(weights):
            values = np.maximum(values, 0)
    return np.asarray(values[:, 0])


def find_best_cut(ratings: npt.NDArray[np.float64], spans: Spans) -> Spans:
    """Cut a row of parts into the runs (k, 2) whose ratings have the greatest sum."""
    count = int(spans.max())
    best, start = [0.0] * (count + 1), [0] * (count + 1)
    known = [False] * (count + 1)
    ranked = sorted(zip(spans.tolist(), ratings.tolist(), strict=True), key=lambda run: run[0][1])
    for (first, after), rating in ranked:
        total = best[first] + rating
        if not known[after] or total > best[after]:
            best[after], start[after], known[after] = total, first, True
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(start[cuts[-1]])
    edges = np.array(cuts[::-1])
    return np.stack([edges[:-1], edges[1:]], axis=1)
