"""Plausibility: may what was found on a sheet be handwriting, or is it a photo or print?

A pen leaves bare paper between its strokes and keeps its width along each of them; a photo does
neither. No hand writes a letter twice exactly alike; print does, again and again. All scales come
from the page itself. A page is doubted only where that is beyond what hands do, by a margin.

Writing, its pieces and groups are those of `pages.pieces`; paper is bool (h, w), False on what
is not paper.
"""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import pieces
from pipeline.pages.pieces import Coverage, Labels, Writing

Mask = npt.NDArray[np.bool_]
Depths = npt.NDArray[np.float32]

LEGIBLE = 12  # pixels of the sheet: what is lower shows no shape; 2 mm on A4
# Widths of a stroke: what is lower is a blot; of writing, a marker's too, 3.9 or more; a disk has
# 1.5, the grain of leather 2.3 to 2.7.
_LONG = 3.0
_DARK = 64  # coverage from which a pixel is not paper
_CLUTTER = 0.12  # share of the paper that is dark without being writing; of real pages up to 0.06
# Where many glyphs are of one height what else is dark lies beside them: a picture in a newspaper,
# the next page. A blurred puzzle has .14; of photos that look so even none is known.
_CLUTTER_BESIDE = 0.18
_MANY, _ALIKE_HIGH = 20, 0.15  # glyphs; the middle half's spread in heights: of a puzzle .05
_EVEN, _UNEVEN = 0.35, 0.65  # spread of the width along strokes: that of most pages; of no pen
_CROWD = 60  # with fewer letters to compare, doubles may be chance
_MOST = 400  # letters compared, each with each: the work grows with the square
_TILE = 24  # pixels: the side at which they are compared
# In simulation a hand that repeats one glyph 150 times to 3 % of its height and 5 % of its slant
# gives 4 % of letters with two doubles; the hands that we have vary two to three times as much.
_ALIKE = 0.97  # correlation from which two letters are the same print
_DOUBLES = 0.1  # share of letters with two doubles or more


def doubt_writing(writing: Writing, paper: Mask) -> str:
    """Return why this is no page of handwriting, with what was found; '' where it may be one."""
    if not writing.groups:
        return ""
    if writing.height < LEGIBLE:
        return (
            f"what was found is about {writing.height:.0f} pixels high, too small to be read; "
            "photograph it nearer, or scan it finer"
        )
    inked = mark_writing(writing)
    clutter = measure_clutter(writing, inked, paper)
    widths, spread = measure_widths(writing.pieces.labels, inked)
    most = _CLUTTER_BESIDE if _is_even(writing) else _CLUTTER
    if clutter / most + max(0.0, spread - _EVEN) / (_UNEVEN - _EVEN) > 1:
        thin, broad = np.percentile(widths, (10, 90))
        return (
            f"this looks like a photo, not like writing on paper: {clutter:.0%} of it is dark "
            f"where no glyph is, and strokes are {thin:.0f} to {broad:.0f} pixels wide; if it is "
            "writing, photograph the paper alone (for photos: tile.method: photo)"
        )
    if writing.height < _LONG * writing.stroke:
        return (
            f"what was found are specks, about {writing.height:.0f} pixels high and "
            f"{writing.stroke:.0f} thick, not strokes on paper"
        )
    doubles = _measure_doubles(writing)
    if doubles > _DOUBLES:
        return (
            f"this looks like print, not like handwriting: {doubles:.0%} of its letters are found "
            "at least three times, exactly alike"
        )
    return ""


def _is_even(writing: Writing) -> bool:
    """Tell whether many glyphs are of about one height."""
    extent = pieces.size_of(pieces.boxes_of(writing.pieces, writing.groups)).max(axis=1)
    low, usual, high = np.percentile(extent, (25, 50, 75))
    return bool(len(extent) >= _MANY and high - low < _ALIKE_HIGH * usual)


def looks_like_photo(coverage: Coverage, near: Mask) -> bool:
    """Tell whether too much of a picture of one glyph is dark where the glyph is not near (h, w).

    Of 14 photos of animals 13 are dark by 13 to 33 % there; digits and crops of pages by up to 5 %.
    """
    return float(np.mean((coverage >= _DARK) & ~near)) > _CLUTTER


def mark_writing(writing: Writing) -> Mask:
    """Mark the pixels (h, w) of the pieces that make glyphs."""
    chosen = np.zeros(len(writing.pieces.areas) + 1, bool)
    chosen[np.concatenate(writing.groups) + 1] = True
    return chosen.take(writing.pieces.labels)


def measure_clutter(writing: Writing, inked: Mask, paper: Mask) -> float:
    """Measure the share of the paper that is dark though no glyph is near."""
    reach = 2 * int(writing.stroke / 2 + 3) + 1  # half a stroke, and three of soft edge
    near = cv2.dilate(inked.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    clutter = paper & (writing.coverage >= _DARK) & ~near
    return np.count_nonzero(clutter) / np.count_nonzero(paper)


def measure_widths(labels: Labels, inked: Mask) -> tuple[Depths, float]:
    """Measure the width of strokes, in pixels, along their midlines, and its relative spread.

    The spread is that within a piece: a page may be written with several pens.
    """
    depth = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 3)
    middle = inked & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))
    widths, piece = 2 * depth[middle], labels[middle]
    usual = np.bincount(piece, widths) / np.maximum(np.bincount(piece), 1)
    return widths, float((widths / usual[piece]).std())


def _measure_doubles(writing: Writing) -> float:
    """Measure the share of letters that look and measure the same as two others of the sheet.

    Plain strokes, such as a 1, tell nothing; 0 where too few letters are left.
    """
    boxes = pieces.boxes_of(writing.pieces, writing.groups)
    sizes = pieces.size_of(boxes)
    shaped = np.flatnonzero(sizes.max(axis=1) < 2.2 * sizes.min(axis=1))  # not slim as a stroke
    if len(shaped) < _CROWD:
        return 0.0
    chosen = shaped[np.linspace(0, len(shaped) - 1, min(_MOST, len(shaped))).astype(int)]
    labels = writing.pieces.labels
    tiles = [
        pieces.cut_glyph(writing.coverage, labels, boxes[index], writing.groups[index], pad=0)
        for index in chosen
    ]
    alike = correlate(tiles) > _ALIKE
    # Stretched to one size all is alike that differs in size only: a print is of one size.
    apart = np.abs(sizes[chosen, None] - sizes[chosen])
    alike &= (apart <= np.maximum(1, 0.05 * sizes[chosen])).all(axis=2)
    return float(np.mean(alike.sum(axis=1) >= 3))  # each is alike itself


def correlate(tiles: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """Correlate tiles of any size, each with each (n, n), stretched to one size."""
    size = (_TILE, _TILE)
    stretched = [cv2.resize(tile, size, interpolation=cv2.INTER_AREA).ravel() for tile in tiles]
    even = np.array(stretched, np.float32)
    even -= even.mean(axis=1, keepdims=True)
    even /= np.linalg.norm(even, axis=1, keepdims=True) + 1e-9
    return even @ even.T
