"""Pages: from a picture of handwriting to its glyphs, in reading order.

A page is uint8 (H, W) or (H, W, 3) RGB, upright. A glyph's pixels are ink coverage, uint8
(h, w), 0 paper, 255 full ink, straightened, without its neighbours, padded by pixels of 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.pages import (
    closeups,
    flattening,
    furniture,
    ink,
    joining,
    large,
    parting,
    plausibility,
    rows,
)
from pipeline.pages.pieces import (
    Boxes,
    Coverage,
    Flags,
    Groups,
    Pieces,
    Writing,
    assign_pixels,
    boxes_of,
    cut_glyph,
    cut_region,
    enclose,
    find_pieces,
    find_touching,
    find_writing,
    score_groups,
    usual_size,
)

Picture = npt.NDArray[np.uint8]

PHOTO = "by its look a photo, and read as writing (for photos: tile.method: photo in params.yaml)"
Flow = Literal["rows", "sequence", "free"]

_SMALLEST = 32  # pixels: a page with a shorter side holds nothing to read
_PAD = 4  # pixels of room around a glyph, at working size
# Of heights of a usual glyph: what else of that size is seen on a page might be one.
_LEAST, _MOST = 0.3, 4.0
_UNPLACED = 0.5  # what is left of the score of a glyph in a row of the wrong length


@dataclass(frozen=True)
class Glyph:
    """One piece of writing: where it lies on the page, its ink, its place in reading order.

    The box is x0, y0, x1, y1 in pixels of the page, x1 and y1 exclusive; the score runs from 0
    to 1, 1 for sure.
    """

    box: tuple[int, int, int, int]
    pixels: Coverage
    row: int
    column: int
    score: float
    note: str = ""  # what was left out, or is doubtful


@dataclass(frozen=True)
class Dropped:
    """A mark that was seen on a page and is taken for no glyph: where it lies on it, and why."""

    box: tuple[int, int, int, int]
    reason: str


@dataclass(frozen=True)
class ReadPage:
    """A page's glyphs in reading order, and why they can't be handwriting ('' when they may be)."""

    glyphs: list[Glyph]
    doubt: str = ""
    dropped: tuple[Dropped, ...] = ()


def read_page(page: Picture, flow: Flow, row_length: int | None = None) -> ReadPage:
    """Find the glyphs of a page and judge whether they are handwriting; there may be none.

    `row_length` is the number of glyphs that each row of a `sequence` runs through; it keeps the
    columns right in rows where one is missing.
    """
    if min(page.shape[:2]) < _SMALLEST:
        return ReadPage([])
    sheet = flattening.lay_flat(page)
    if min(sheet.picture.shape[:2]) < _SMALLEST:
        return ReadPage([])
    sheet, writing, doubt = _read_sheet(page, sheet)
    if not writing.groups:
        return ReadPage([])
    glyphs, strays = _order_glyphs(sheet, writing, flow, row_length)
    marks = [
        Dropped(sheet.box_on_page(writing.pieces.boxes[piece]), reason)
        for piece, reason in writing.dropped
    ]
    return ReadPage(glyphs, doubt, (*marks, *strays))


def _read_sheet(page: Picture, sheet: flattening.Sheet) -> tuple[flattening.Sheet, Writing, str]:
    """Read a sheet, or the picture it was found on where few large glyphs fill that.

    Returns the one that was read, its writing, and why that can't be handwriting.
    """
    writing = read_writing(sheet)
    doubt = plausibility.doubt_writing(writing, sheet.paper)
    if doubt or len(writing.groups) <= large.MOST:
        whole = flattening.shrink_page(page)
        near = large.read_large(whole.picture)
        if near is not None and not plausibility.doubt_writing(near, whole.paper):
            return whole, near, ""
    return sheet, writing, doubt


def _order_glyphs(
    sheet: flattening.Sheet, writing: Writing, flow: Flow, row_length: int | None
) -> tuple[list[Glyph], list[Dropped]]:
    """Put the glyphs of a sheet in rows and columns, in reading order; some have no place."""
    boxes = boxes_of(writing.pieces, writing.groups)
    scores = score_groups(writing.pieces, writing.groups, writing.height, writing.stroke)
    row = rows.find_rows(boxes, writing.height)
    column = rows.number_columns(boxes, row)
    if flow != "free":
        row, column = rows.drop_strays(row, column, scores)
    if flow == "sequence" and row_length is not None:
        scores[rows.count_mates(row) != row_length] *= _UNPLACED
        column = rows.align_columns(boxes, row, row_length)
    cut = _cut_groups(writing, boxes)
    glyphs, strays = [], []
    for index in np.lexsort((column, row)):
        box = sheet.box_on_page(boxes[index])
        place = int(row[index]), int(column[index])
        if place[1] != rows.NOWHERE:
            glyphs.append(Glyph(box, cut[index], *place, float(scores[index])))
        elif place[0] == rows.NOWHERE:
            strays.append(Dropped(box, "in a row of a few doubtful marks"))
        else:
            strays.append(Dropped(box, "one too many in its row"))
    return glyphs, strays


def read_writing(sheet: flattening.Sheet) -> Writing:
    """Find the ink of a sheet and gather it into glyphs."""
    coverage, rules = _read_coverage(sheet)
    coverage, pieces, inside = _find_parted_pieces(coverage, sheet.paper)
    height, stroke = usual_size(pieces, inside)
    printed = furniture.find_print(pieces.boxes, pieces.areas, rules, height, stroke)
    written = inside & find_writing(pieces, height, stroke) & ~printed
    groups = joining.join_strokes(pieces, written, height)
    dropped = _explain_dropped(pieces, groups, inside, printed, written, height)
    return Writing(coverage, pieces, groups, height, stroke, tuple(dropped))


def _explain_dropped(
    pieces: Pieces, groups: Groups, inside: Flags, printed: Flags, written: Flags, height: float
) -> Iterator[tuple[int, str]]:
    """Yield the pieces that make no glyph though they have the size of one, with the reason."""
    used = {piece for group in groups for piece in group}
    extent = pieces.sizes.max(axis=1)
    for piece in np.flatnonzero(written | ((extent > _LEAST * height) & (extent < _MOST * height))):
        if piece in used:
            continue
        if not inside[piece]:
            yield int(piece), "at the edge of the paper"
        elif printed[piece]:
            yield int(piece), "taken for print"
        else:
            yield int(piece), "a speck" if written[piece] else "no stroke of a pen"


def _cut_groups(writing: Writing, boxes: Boxes) -> list[Coverage]:
    """Cut each group of a sheet's pieces out of its ink."""
    owner = assign_pixels(writing.pieces, _find_reach(writing.stroke))
    return [
        cut_glyph(writing.coverage, owner, box, group, _PAD)
        for box, group in zip(boxes, writing.groups, strict=True)
    ]


def _find_reach(stroke: float) -> float:
    """Return how far from a stroke its soft edge goes, in pixels."""
    return max(3, stroke / 3)


def _read_coverage(sheet: flattening.Sheet) -> tuple[Coverage, furniture.Rules]:
    """Return the ink coverage of a sheet without its printed lines, and where they were."""
    picture = ink.darken_writing(sheet.picture)
    density = ink.measure_density(picture, ink.estimate_paper(picture))
    density[~sheet.paper] = 0
    # Of the longer side, which is 297 mm on A4: a rule goes on for 50 mm and is up to 2.5 mm thick,
    # a stroke is about 1 mm.
    side = max(density.shape)
    faintest = max(0.03, 2 * ink.estimate_noise(density))
    full = ink.estimate_full_ink(density)
    density, rules = furniture.remove_rules(
        density, full, length=side // 6, thickness=max(5, side // 120), faintest=faintest
    )
    full = ink.estimate_full_ink(density)
    return ink.measure_coverage(density, full, side / 300), rules


def _find_parted_pieces(
    coverage: Coverage, paper: npt.NDArray[np.bool_]
) -> tuple[Coverage, Pieces, Flags]:
    """Find the pieces of ink, and which of them lie inside the paper.

    Returns them with the coverage in which touching neighbours are parted.
    """
    pieces = find_pieces(coverage)
    inside = ~find_touching(pieces, ~paper)
    height, stroke = usual_size(pieces, inside)
    writing = inside & find_writing(pieces, height, stroke)
    crowded = parting.find_crowded(pieces, writing, height)
    if len(crowded) == 0:
        return coverage, pieces, inside
    parted = parting.part_touching(coverage, pieces, crowded, height, stroke)
    pieces = find_pieces(parted)
    return parted, pieces, ~find_touching(pieces, ~paper)


def cut_cells(page: Picture, row_count: int, column_count: int) -> list[Glyph]:
    """Cut a page into equal cells; each cell with ink gives a glyph, row and column its cell."""
    cells = cells_of(page.shape, row_count, column_count)
    cut = ((place, cut_part(page, cell)) for place, cell in cells.items())
    return [
        Glyph(glyph.box, glyph.pixels, *place, glyph.score)
        for place, glyph in cut
        if glyph is not None
    ]


def cells_of(
    shape: tuple[int, ...], row_count: int, column_count: int
) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    """Return the box of each cell, by row and column, of a page (H, W, ...) cut into equal ones."""
    ys = np.linspace(0, shape[0], row_count + 1).round().astype(int).tolist()
    xs = np.linspace(0, shape[1], column_count + 1).round().astype(int).tolist()
    return {
        (row, column): (xs[column], ys[row], xs[column + 1], ys[row + 1])
        for row in range(row_count)
        for column in range(column_count)
    }


def cut_part(page: Picture, part: tuple[int, int, int, int]) -> Glyph | None:
    """Take all writing in a box of a page as one glyph, as cut_whole does of a picture."""
    x0, y0, x1, y1 = part
    glyph = cut_whole(page[y0:y1, x0:x1])
    if glyph is None:
        return None
    left, top, right, bottom = glyph.box
    return replace(glyph, box=(left + x0, top + y0, right + x0, bottom + y0))


def cut_boxes(page: Picture, boxes: Sequence[tuple[int, int, int, int]]) -> list[Coverage | None]:
    """Cut the ink in boxes on a page of handwriting, None where there is none."""
    sheet = flattening.lay_flat(page)
    if min(sheet.picture.shape[:2]) < _SMALLEST:
        parts = [cut_part(page, box) for box in boxes]
        return [None if part is None else part.pixels for part in parts]
    sheet, writing, _ = _read_sheet(page, sheet)
    coverage, pieces = writing.coverage, writing.pieces
    owner = assign_pixels(pieces, _find_reach(writing.stroke))
    return [cut_region(coverage, pieces, owner, sheet.box_on_sheet(box), _PAD) for box in boxes]


def cut_whole(picture: Picture) -> Glyph | None:
    """Take all writing of a picture, dark or light, as one glyph; None when there is none.

    Paper is what the picture's rim shows, so the light must not change much across it. Lines
    along its edges are left out (see pages/borders.py).
    """
    coverage, border = closeups.cover(picture)
    pieces = find_pieces(coverage)
    big = closeups.find_big(pieces)
    if len(big) == 0:
        return None
    box = enclose(pieces.boxes[big])
    owner = assign_pixels(pieces, reach=_PAD)
    pixels = cut_glyph(coverage, owner, box, list(big), _PAD)
    x0, y0, x1, y1 = (int(edge) for edge in box)
    score, note = (1.0, "") if border is None else (border.score, border.note)
    if plausibility.looks_like_photo(coverage, np.isin(owner, big + 1)):
        score, note = 0.0, PHOTO
    return Glyph((x0, y0, x1, y1), pixels, 0, 0, score, note)
