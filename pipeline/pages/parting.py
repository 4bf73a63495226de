"""Parting: touching neighbours cut apart where little ink joins two halves of a glyph's size.

Coverage is uint8 (h, w), 0 paper, 255 full ink. A seam holds for each row of a window the column
where it is cut. Lengths are in pixels; `height` is that of a usual glyph of the page, `stroke`
the usual width of its strokes.
"""

import numpy as np
import numpy.typing as npt

from pipeline.pages.pieces import HALF, WIDE, Flags, Pieces
from pipeline.pages.rows import centres_of

Coverage = npt.NDArray[np.uint8]
Window = npt.NDArray[np.float32]  # (h, w): coverage 0..1 of one piece alone
Seam = npt.NDArray[np.int64]  # (h,)

_SURELY_WIDE = 1.35  # heights of a glyph from which a piece is almost certainly two that touch
_EASIEST, _HARDEST = 0.9, 5.0  # strokes of effort allowed for a piece that is wide, and surely so
STROKE_COST = 4.0  # strokes of effort for each stroke cut beyond the first


def find_crowded(pieces: Pieces, writing: Flags, height: float) -> npt.NDArray[np.int64]:
    """Find the pieces too wide for one glyph where they stand.

    Where glyphs follow each other closely one of them is clearly narrower than the way to the
    middle of the next; two that touch are not. A wide glyph that stands alone is left whole.
    """
    whole = np.flatnonzero(writing & (pieces.sizes[:, 1] > 0.6 * height))
    boxes = pieces.boxes[whole]
    centres = centres_of(boxes)
    low = np.maximum(boxes[:, None, 1], boxes[None, :, 1])
    high = np.minimum(boxes[:, None, 3], boxes[None, :, 3])
    away = np.abs(centres[:, None] - centres[None, :])
    # Neighbours are those of the same row: they share half a glyph's height.
    away[(high - low < 0.5 * height) | np.eye(len(whole), dtype=bool)] = np.inf
    widths = boxes[:, 2] - boxes[:, 0]
    near = away.min(axis=1, initial=np.inf)
    return np.asarray(whole[(widths > WIDE * height) & (widths > 0.85 * near)])


def part_touching(
    coverage: Coverage,
    pieces: Pieces,
    crowded: npt.NDArray[np.int64],
    height: float,
    stroke: float,
) -> Coverage:
    """Return the coverage with thin cuts through crowded pieces where neighbours touch."""
    parted = coverage.copy()
    for piece in crowded:
        x0, y0, x1, y1 = pieces.boxes[piece]
        own = pieces.labels[y0:y1, x0:x1] == piece + 1
        window = np.where(own, parted[y0:y1, x0:x1], 0)
        parted[y0:y1, x0:x1][own] = _part_window(window, height, stroke)[own]
    return parted


def _part_window(window: Coverage, height: float, stroke: float) -> Coverage:
    """Cut one piece, alone in its window, as often as it holds glyphs that touch."""
    if window.shape[1] <= WIDE * height:
        return window
    seam, effort = find_seam(window.astype(np.float32) / np.float32(255), stroke)
    columns = np.arange(window.shape[1])
    left = np.where(columns < seam[:, None], window, 0).astype(np.uint8)
    right = np.where(columns > seam[:, None] + 1, window, 0).astype(np.uint8)
    hardest = _HARDEST if window.shape[1] > _SURELY_WIDE * height else _EASIEST
    whole = _is_glyph_sized(left, height) and _is_glyph_sized(right, height)
    if effort > hardest * stroke or not whole:
        return window
    return np.maximum(_trim(left, height, stroke), _trim(right, height, stroke))


def _trim(half: Coverage, height: float, stroke: float) -> Coverage:
    """Part one half further, in a window as narrow as its ink."""
    columns = np.flatnonzero((half >= HALF).any(axis=0))
    inner = np.s_[:, columns[0] : columns[-1] + 1]
    half[inner] = _part_window(half[inner], height, stroke)
    return half


def _is_glyph_sized(half: Coverage, height: float) -> bool:
    """Tell whether the ink of a half is as high as a glyph and no sliver."""
    rows = np.flatnonzero((half >= HALF).any(axis=1))
    columns = np.flatnonzero((half >= HALF).any(axis=0))
    if len(rows) == 0:
        return False
    return bool(np.ptp(rows) > 0.45 * height and np.ptp(columns) > 0.2 * height)


def find_seam(window: Window, stroke: float) -> tuple[Seam, float]:
    """Find the way from top to bottom that is easiest to cut, and its effort in pixels of ink.

    The way moves at most one column a row and keeps to the middle two thirds. Neighbours touch
    in one place, so each further stroke to be cut counts as STROKE_COST more.
    """
    rows, columns = window.shape
    margin = columns // 6  # nearer to the side a half would be no glyph
    total = STROKE_COST * stroke * window[0] + window[0]
    total[:margin] = total[columns - margin :] = np.inf
    moves = np.zeros((rows, columns), np.int64)
    for row in range(1, rows):
        before = np.pad(total, 1, constant_values=np.inf)
        ink = np.pad(window[row - 1], 1)
        ways = np.stack(
            [
                before[move : move + columns]
                + STROKE_COST * stroke * np.maximum(window[row] - ink[move : move + columns], 0)
                for move in range(3)
            ]
        )
        moves[row] = ways.argmin(axis=0) - 1
        total = ways.min(axis=0) + window[row]
        total[:margin] = total[columns - margin :] = np.inf
    return _follow_moves(moves, int(total.argmin())), float(total.min() - STROKE_COST * stroke)


def _follow_moves(moves: npt.NDArray[np.int64], end: int) -> Seam:
    """Return the way that ends in a column of the last row; moves (h, w) lead one row up."""
    seam = np.empty(len(moves), np.int64)
    seam[-1] = end
    for row in range(len(moves) - 1, 0, -1):
        seam[row - 1] = seam[row] + moves[row, seam[row]]
    return seam
