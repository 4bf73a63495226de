"""Joining: the pieces of ink that make one glyph, such as an i and its dot, or a kana's strokes.

Pieces and groups of them are those of `pipeline.pages.pieces`; `height` is that of a usual glyph in
pixels.
"""

from collections.abc import Collection

import cv2
import numpy as np
import numpy.typing as npt

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
from pipeline.pages.rows import centres_of, find_rows


def join_strokes(pieces: Pieces, writing: Flags, height: float) -> Groups:
    """Group the pieces of writing by glyph, and leave out specks that belong to none."""
    groups = _join_near(pieces, writing, height)
    if not groups:
        return []
    # The parts of divided glyphs are smaller than the glyphs: now their size shows.
    height = _usual_extent(pieces, groups)
    groups = _join_by_rhythm(pieces, groups, height)
    return [
        group
        for group, box in zip(groups, boxes_of(pieces, groups), strict=True)
        if max(size_of(box)) > 0.3 * height
    ]


def _usual_extent(pieces: Pieces, groups: Groups) -> float:
    """Return the longer side of a usual group: half of all ink belongs to larger ones."""
    boxes = boxes_of(pieces, groups)
    extent = size_of(boxes).max(axis=1)
    return weighted_median(extent, np.array([pieces.areas[group].sum() for group in groups]))


def _join_by_rhythm(pieces: Pieces, groups: Groups, height: float) -> Groups:
    """Join neighbours in a row that stand much closer than its rhythm, and fit one glyph.

    Two neighbours as tall as glyphs may be just that, a 1 before a 3; they are joined only where
    the page does it again and again, as kana do.
    """
    order, close = _find_close_neighbours(boxes_of(pieces, groups), height)
    # Again and again is in one of ten steps; a 1 before a 3 comes now and then.
    divided = np.mean(close) > 0.1 if len(close) else False
    joined = [groups[order[0]]]
    for index, is_close in zip(order[1:], close, strict=True):
        boxes = boxes_of(pieces, [joined[-1], groups[index]])
        part_of_one = divided or (boxes[:, 3] - boxes[:, 1]).min() < 0.6 * height
        if is_close and part_of_one and _fits_one_glyph(boxes, height):
            joined[-1] = joined[-1] + groups[index]
        else:
            joined.append(groups[index])
    return joined


def _find_close_neighbours(boxes: Boxes, height: float) -> tuple[npt.NDArray[np.int64], Flags]:
    """Return the reading order of boxes, and for each but the first whether it follows closely.

    The rhythm is the way from one box to the next in its row. Its upper quartile is taken, so
    that it holds when each glyph of a page falls into two parts.
    """
    rows = find_rows(boxes, height)
    centres = centres_of(boxes)
    order = np.lexsort((centres, rows))
    follows = np.diff(rows[order]) == 0
    steps = np.diff(centres[order])
    if not follows.any():
        return order, follows
    return order, follows & (steps < 0.5 * np.percentile(steps[follows], 75))


def _fits_one_glyph(boxes: Boxes, height: float) -> bool:
    """Tell whether boxes together are no larger than a glyph."""
    width_and_height = size_of(enclose(boxes))
    return bool((width_and_height < WIDE * height).all())


def _join_near(pieces: Pieces, writing: Flags, height: float) -> Groups:
    """Join the pieces of writing that make one glyph, the nearest first."""
    groups = {int(piece): [int(piece)] for piece in np.flatnonzero(writing)}
    boxes = {piece: pieces.boxes[piece] for piece in groups}
    width = float(np.percentile(pieces.sizes[writing, 0], 90)) if groups else 0.0
    home = {piece: piece for piece in groups}
    for _, part, other in sorted(_find_neighbours(pieces, set(groups), height)):
        first, second = home[part], home[other]
        if first == second or not _belong_together(boxes[first], boxes[second], height, width):
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


def _belong_together(first: Box, second: Box, height: float, width: float) -> bool:
    """Tell whether two boxes can make one glyph: one stands above the other, or hugs it."""
    whole = enclose(np.stack([first, second]))
    sizes = np.array([size_of(first), size_of(second)])
    # A dot or an accent stands above what is as tall as a glyph already.
    tallest = 1.4 if sizes[:, 1].min() < 0.6 * height else WIDE
    if size_of(whole)[1] > tallest * height:
        return False
    gap_x, gap_y = np.maximum(first[:2], second[:2]) - np.minimum(first[2:], second[2:])
    # Gaps are negative where the boxes overlap.
    stacked = -gap_x >= 0.5 * sizes[:, 0].min() and gap_y < 0.45 * height
    small = bool((sizes.prod(axis=1) < 0.25 * height**2).any())
    hugs = small and max(gap_x, gap_y) < 0.15 * height and size_of(whole)[0] <= 1.2 * width
    return bool(stacked or hugs)
