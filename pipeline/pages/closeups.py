"""Close-ups: pictures that one glyph fills, as they are drawn on a canvas or cut ready.

A picture is uint8 (h, w) or (h, w, 3) RGB, upright; the glyph is darker or lighter than its ground,
which is what the rim shows. Coverage is uint8 (h, w), 0 ground, 255 full ink.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import ink
from pipeline.pages.borders import FRAME, Border, find_border
from pipeline.pages.pieces import HALF, Box, Coverage, Pieces, enclose, find_pieces, size_of

Picture = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer[Any]]

SPECK = 0.05  # of the picture: what is smaller is no writing
_LONGEST = 800  # pixels: the side at which a picture is looked at
_SMALLEST_PAGE = 32  # pixels: a page with a shorter side is not read
_BRIDGED = 3  # pixels: the grain of a pencil tears strokes
_LARGE = 64  # pixels: what has a shorter side is cut ready, and shows no sheet of paper
_WIDE = 2.0  # heights: what is wider is several glyphs that touch
HOLES = 4  # a sheet on a table is one piece too, whose writing are its holes; an 8 has two
# A sheet on a table fills the square about it, and the picture; no glyph does both. (Shares.)
_SHEETS = ((0.55, 0.3), (0.75, 0.1))
_SQUARE, _BROAD = 0.96, 0.25  # of the upright or askew rectangle about it, and of the picture
_SLIM = 0.4  # sides: a bar fills its square too
_SPECKS, _MOST = 0.01, 3  # of the glyph's ink: so many smaller pieces may be dust
_RIM = 0.1  # of the outermost pixels: more ink there is a shadow, or a table
# A stroke apart from its glyph, as the bar of a 5: of its box over the other's, of the narrower
# one's width above the other, and in heights of the larger one.
_OVER, _ABOVE, _APART, _FLAT = 0.2, 0.5, 0.25, 0.4


def cover(picture: Picture) -> tuple[Coverage, Border | None]:
    """Measure the coverage of all writing on a close-up, without the lines along its edges."""
    gray = ink.to_gray(picture)
    border = find_border(gray)
    if border is not None and border.outside.any():
        coverage = ink.cover_dark(border.picture)
        coverage[border.outside] = 0
    else:
        coverage = ink.cover_dark(255 - gray if ink.shows_light(gray) else gray)
    return coverage, border


def find_big(pieces: Pieces) -> npt.NDArray[np.intp]:
    """Return the numbers of the pieces that are no specks."""
    return np.flatnonzero(pieces.sizes.max(axis=1) > SPECK * max(pieces.labels.shape))


def shows_one(picture: Picture) -> bool:
    """Tell whether a picture is a close-up of one glyph, not a page of many or of a small one.

    Its strokes may be apart, as the bar of a 5. A sheet that lies on a table is no close-up.
    """
    share = _LONGEST / max(picture.shape[:2])
    if share < 1:
        picture = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    if min(picture.shape[:2]) < _SMALLEST_PAGE:
        return True
    coverage, border = cover(picture)
    if len(find_big(find_pieces(coverage))) == 0 or (border and border.note == FRAME):
        return False
    coverage = cv2.dilate(coverage, np.ones((_BRIDGED, _BRIDGED), np.uint8))
    pieces = find_pieces(coverage)
    big = find_big(pieces)
    first, *others = big[np.argsort(-pieces.areas[big], kind="stable")]
    box = pieces.boxes[first]
    for other in others:
        if not _belongs(pieces.boxes[other], box):
            return False
        box = enclose(np.stack([box, pieces.boxes[other]]))
    small = np.delete(pieces.areas, big)
    width, height = size_of(box)
    is_large = min(coverage.shape) >= _LARGE
    return bool(
        width <= _WIDE * height
        and np.count_nonzero(small >= max(4, _SPECKS * pieces.areas[first])) <= _MOST
        and not (is_large and count_rim(coverage) > _RIM)
        and not (is_large and (_fills_square(pieces, int(first)) or _shows_sheet(picture)))
        and count_holes(coverage) <= HOLES
    )


def _belongs(piece: Box, box: Box) -> bool:
    """Tell whether a piece is a stroke of the glyph in a box: over it, or a bar close to it."""
    (width, height), (box_width, box_height) = size_of(piece), size_of(box)
    across, down = np.minimum(piece[2:], box[2:]) - np.maximum(piece[:2], box[:2])
    if across > 0 and down > 0 and across * down > _OVER * width * height:
        return True
    low, high = sorted((height, box_height))
    is_above = across > _ABOVE * min(width, box_width)
    return bool(is_above and -down < _APART * high and low < _FLAT * high)


def count_rim(coverage: Coverage) -> float:
    """Return which share of the outermost pixels is inked."""
    rim = np.concatenate([coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1]])
    return float(np.mean(rim >= HALF))


def _fills_square(pieces: Pieces, piece: int) -> bool:
    """Tell whether a piece is too large and full for a glyph."""
    sides, area = pieces.sizes[piece], pieces.areas[piece]
    filled, share = area / sides.prod(), area / pieces.labels.size
    is_full = any(filled > least and share > large for least, large in _SHEETS)
    return bool(is_full and sides.min() > _SLIM * sides.max())


def _shows_sheet(picture: Picture) -> bool:
    """Tell whether what is light on a darker ground is a sheet of paper, upright or askew."""
    gray = ink.to_gray(picture)
    if not ink.shows_light(gray):
        return False
    _, light = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = max(map(cv2.convexHull, outlines), key=cv2.contourArea)
    sides = cv2.minAreaRect(hull)[1]
    around = sides[0] * sides[1]
    is_square = cv2.contourArea(hull) > _SQUARE * around and min(sides) > _SLIM * max(sides)
    return bool(is_square and around > _BROAD * gray.size)


def count_holes(coverage: Coverage) -> int:
    """Count the patches of ground that ink encloses, without the smallest."""
    bare = (coverage < HALF).astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStats(bare, connectivity=4)
    x, y, width, height, _ = found[1:].T
    inside = (x > 0) & (y > 0) & (x + width < bare.shape[1]) & (y + height < bare.shape[0])
    large = np.maximum(width, height) > max(2, 0.01 * max(bare.shape))
    return int(np.count_nonzero(inside & large))
