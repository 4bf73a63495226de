"""Frames: printed boxes too small for rules, such as one for each character of a form.

A printed box is straight on all four sides, and the page has several of one size; a hand draws
no box twice so, and none so straight. Coverage is uint8 (h, w), 0 paper, 255 full ink; pieces are
those of `pipeline.pages.pieces`. Lengths are in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.pieces import Boxes, Coverage, Flags, Pieces

Mask = npt.NDArray[np.bool_]

_LEAST = 16  # pixels: the side of the smallest box that something is written in
_HOLLOW = 0.35  # of its box: a frame leaves more of it bare, also with a glyph in it
_BAND = 0.08  # of a side: so near to it lies the line, askew by a few degrees
_LEAN = 1 / 28  # of a side: so much lower it may end than it begins, by two degrees
_COVERED = 0.8  # of a side's length that has its line: corners may be round
_STRAIGHT = 0.012  # of its length: a line leaves the straight no further, or by a pixel
_ALIKE = 0.04  # of a side: so far boxes of one print differ where the photo is taken askew
_FEW = 3  # boxes of one size


@dataclass(frozen=True)
class Frames:
    """The printed boxes of a page: where they are, and the pixels of their lines."""

    boxes: Boxes
    mask: Mask


def find_frames(pieces: Pieces) -> Frames | None:
    """Find the printed boxes among the pieces; None where there are none."""
    sizes = pieces.sizes
    hollow = (sizes.min(axis=1) >= _LEAST) & (pieces.areas < _HOLLOW * sizes.prod(axis=1))
    # Thin lines: of a frame's stroke its side is at least ten times the width.
    found = [
        (int(piece), lines)
        for piece in np.flatnonzero(hollow & (sizes.min(axis=1) > 8 * pieces.strokes))
        if (lines := _find_sides(pieces, int(piece))) is not None
    ]
    alike = _find_alike(sizes[[piece for piece, _ in found]])
    found = [one for one, repeated in zip(found, alike, strict=True) if repeated]
    if not found:
        return None
    mask = np.zeros(pieces.labels.shape, bool)
    for piece, marked in found:
        x0, y0, x1, y1 = pieces.boxes[piece]
        mask[y0:y1, x0:x1] |= marked
    return Frames(pieces.boxes[[piece for piece, _ in found]], mask)


def _find_alike(sizes: Boxes) -> Flags:
    """Tell which boxes, given their sides (n, 2), are of a size that others have, too."""
    away = np.abs(sizes[:, None] - sizes[None])
    near = (away <= np.maximum(2, _ALIKE * sizes[:, None])).all(axis=2)
    return np.asarray(near.sum(axis=1) >= _FEW)


def _find_sides(pieces: Pieces, piece: int) -> Mask | None:
    """Mark the lines of a box in its window; None if it is no box."""
    x0, y0, x1, y1 = pieces.boxes[piece]
    own = pieces.labels[y0:y1, x0:x1] == piece + 1
    lines = np.zeros_like(own)
    for turn in range(4):
        side = _find_side(np.rot90(own, turn))
        if side is None:
            return None
        np.rot90(lines, turn)[side] = True
    rest = own & ~lines
    # What is left of a frame by itself is the inner side of its corners.
    is_frame_alone = np.count_nonzero(rest) < 0.15 * np.count_nonzero(own)
    return np.asarray(own if is_frame_alone else lines)


def _find_side(own: Mask) -> Mask | None:
    """Mark the line along the top of a window; None if there is no straight one."""
    height, width = own.shape
    first = np.where(own.any(axis=0), own.argmax(axis=0), height)
    near = first <= max(2, _BAND * height) + _LEAN * width
    if np.mean(near) < _COVERED:
        return None
    middle = np.flatnonzero(near & (np.abs(np.arange(width) - width / 2) < 0.3 * width))
    if len(middle) < 0.5 * width * _COVERED * 0.6:
        return None
    slope, start = np.polyfit(middle, first[middle], 1)
    away = np.abs(first - (slope * np.arange(width) + start))
    if np.percentile(away[middle], 80) > max(1.0, _STRAIGHT * width):
        return None
    # Where ink begins, it goes on for the line's thickness, or further with a stroke that joins.
    below = np.where(own, 0, 1).cumsum(axis=0)
    gaps = np.take_along_axis(below, np.minimum(first, height - 1)[None], axis=0)
    depth = (own & (below == gaps)).sum(axis=0)
    thickness = float(np.median(depth[middle]))
    rows = np.arange(height)[:, None]
    return np.asarray(own & near & (rows < first + thickness + 1) & (rows >= first))


def erase_frames(coverage: Coverage, frames: Frames) -> Coverage:
    """Return the coverage without the lines of printed boxes, and without their soft edges."""
    reach = np.ones((5, 5), np.uint8)
    soft = (cv2.dilate(frames.mask.astype(np.uint8), reach) > 0) & (coverage < 128)
    rest = coverage.copy()
    rest[frames.mask | soft] = 0
    return rest
