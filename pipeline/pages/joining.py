"""Joining: the pieces of ink that make one glyph, such as an i and its dot, or a kana's strokes.

Pieces and groups of them are those of `pipeline.pages.pieces`; `height` is that of a usual glyph in
pixels.
"""

from collections.abc import Collection

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import partition
from pipeline.pages.pieces import (
    WIDE,
    Box,
    Boxes,
    Flags,
    Groups,
    Pieces,
    boxes_of,
    enclose,
    size_of,
    weighted_median,
)
from pipeline.pages.rows import centres_of, number_rows


def join_strokes(pieces: Pieces, writing: Flags, height: float) -> Groups:
    """Group the pieces of writing by glyph, and leave out specks that belong to none."""
    rows, height = arrange_parts(pieces, writing, height)
    if not rows:
        return []
    boxes = [boxes_of(pieces, row) for row in rows]
    page = partition.describe_page(boxes, height)
    areas = [np.array([pieces.areas[part].sum() for part in row]) for row in rows]
    groups = [
        [piece for part in row[first:after] for piece in part]
        for row, cuts in zip(rows, partition.cut_rows(boxes, areas, height, page), strict=True)
        for first, after in cuts.tolist()
    ]
    return _leave_out_specks(pieces, groups, height, page)


def find_dots(pieces: Pieces, height: float, stroke: float) -> Flags:
    """Tell which pieces are as small as the dot of an i may be, and as a pen makes them.

    `stroke` is the usual width of a stroke; a pen that only touches the paper leaves as much.
    """
    extent = pieces.sizes.max(axis=1)
    solid = pieces.strokes * pieces.darkness > 0.5 * stroke
    return np.asarray((extent > 0.6 * stroke) & (extent <= 0.1 * height) & solid)


def is_mark(boxes: Boxes, height: float | npt.NDArray[np.float64]) -> Flags:
    """Tell which boxes are too small for a letter, as a full stop or a comma."""
    return np.asarray(size_of(boxes).max(axis=1) <= 0.3 * height)


def _leave_out_specks(
    pieces: Pieces, groups: Groups, height: float, page: partition.Page
) -> Groups:
    """Leave out what is too small for a letter, and stands where no full stop or comma would."""
    boxes = boxes_of(pieces, groups)
    marks = is_mark(boxes, height)
    letters = boxes[~marks]
    width = np.array([pieces.strokes[group].max() for group in groups])
    usual = weighted_median(width, np.array([pieces.areas[group].sum() for group in groups]))
    # A dot as wide as the stroke is measured as two thirds of it (see pieces.find_pieces).
    firm = (width > 0.5 * usual) & (size_of(boxes).max(axis=1) > 0.8 * usual)
    reach = max(0.6, partition.usual_gap(page)) * height
    kept = ~marks
    for index in np.flatnonzero(marks & firm):
        x0, y0, x1, y1 = boxes[index]
        # Beside a letter, no farther than letters are, and between its top and a comma's depth.
        gap = np.maximum(x0 - letters[:, 2], letters[:, 0] - x1)
        level = (y0 > letters[:, 1] - 0.1 * height) & (y1 < letters[:, 3] + 0.35 * height)
        kept[index] = ((gap < reach) & level).any()
    return [group for group, keep in zip(groups, kept, strict=True) if keep]


def arrange_parts(pieces: Pieces, writing: Flags, height: float) -> tuple[list[Groups], float]:
    """Return the parts of glyphs in rows, from left to right, and the height of a usual glyph.

    A part is a piece or some that stand above each other.
    """
    parts = _join_stacked(pieces, writing, height)
    if not parts:
        return [], height
    # The parts of divided glyphs are smaller than the glyphs: now their size shows.
    height = _usual_extent(pieces, parts)
    boxes = boxes_of(pieces, parts)
    number = number_rows(boxes, height)
    order = np.lexsort((centres_of(boxes), number))
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    return [[parts[index] for index in row] for row in np.split(order, cuts)], height


def _usual_extent(pieces: Pieces, groups: Groups) -> float:
    """Return the longer side of a usual group: half of all ink belongs to larger ones."""
    boxes = boxes_of(pieces, groups)
    extent = size_of(boxes).max(axis=1)
    return weighted_median(extent, np.array([pieces.areas[group].sum() for group in groups]))


def _join_stacked(pieces: Pieces, writing: Flags, height: float) -> Groups:
    """Join the pieces of writing that stand above each other, the nearest first."""
    groups = {int(piece): [int(piece)] for piece in np.flatnonzero(writing)}
    boxes = {piece: pieces.boxes[piece] for piece in groups}
    home = {piece: piece for piece in groups}
    for _, part, other in sorted(_find_neighbours(pieces, set(groups), height)):
        first, second = home[part], home[other]
        if first == second or not _stand_above(boxes[first], boxes[second], height):
            continue
        boxes[second] = enclose(np.stack([boxes[second], boxes.pop(first)]))
        groups[second] += groups[first]
        for piece in groups.pop(first):
            home[piece] = second
    return list(groups.values())


def _find_neighbours(
    pieces: Pieces, candidates: Collection[int], height: float
) -> list[tuple[float, int, int]]:
    """List (distance in pixels, part, other) for parts of glyphs and the pieces near them."""
    reach = int(0.5 * height)
    found = []
    for part in candidates:
        if pieces.sizes[part, 1] > 0.75 * height:
            continue  # it is a glyph of its own; as `other` its dot still finds it
        x0, y0, x1, y1 = pieces.boxes[part]
        window = pieces.labels[max(y0 - reach, 0) : y1 + reach, max(x0 - reach, 0) : x1 + reach]
        away = cv2.distanceTransform((window != part + 1).astype(np.uint8), cv2.DIST_L2, 3)
        for label in np.unique(window[window > 0]):
            if label - 1 in candidates and label - 1 != part:
                found.append((float(away[window == label].min()), part, int(label - 1)))
    return found


def _stand_above(first: Box, second: Box, height: float) -> bool:
    """Tell whether one of two boxes stands above the other, and both fit one glyph."""
    whole = enclose(np.stack([first, second]))
    sizes = np.array([size_of(first), size_of(second)])
    # A dot or an accent stands above what is as tall as a glyph already.
    tallest = 1.4 if sizes[:, 1].min() < 0.6 * height else WIDE
    if size_of(whole)[1] > tallest * height:
        return False
    gap_x, gap_y = np.maximum(first[:2], second[:2]) - np.minimum(first[2:], second[2:])
    # Gaps are negative where the boxes overlap.
    return bool(-gap_x >= 0.5 * sizes[:, 0].min() and gap_y < 0.45 * height)
