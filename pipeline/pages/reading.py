"""Pages: from a picture of handwriting to its glyphs, in reading order.

A page is uint8 (H, W) or (H, W, 3) RGB, upright. A glyph's pixels are ink coverage, uint8
(h, w), 0 paper, 255 full ink, straightened, without its neighbours, padded by pixels of 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import (
    captions,
    closeups,
    fading,
    flattening,
    frames,
    furniture,
    hands,
    ink,
    joining,
    large,
    parting,
    plausibility,
    remains,
    rows,
)
from pipeline.pages.pieces import (
    Box,
    Boxes,
    Coverage,
    Flags,
    Groups,
    Labels,
    Pieces,
    Writing,
    assign_pixels,
    boxes_of,
    cut_glyph,
    cut_region,
    enclose,
    find_pieces,
    find_touching,
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
REST = "a rest of a printed line"
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
    lies: bool = False  # on its side: its rows run from top to bottom


@dataclass(frozen=True)
class _Seen:
    """The ink of a sheet by its pieces, and what each of them is."""

    coverage: Coverage
    pieces: Pieces
    inside: Flags  # they lie inside the paper
    remains: Flags  # of printed lines
    printed: Flags
    hands: list[hands.Hand]
    usual: tuple[float, float]  # height and stroke, were all by one hand

    @property
    def written(self) -> Flags:
        """Which pieces some hand wrote, print that looks like it among them."""
        return np.asarray(np.any([hand.members for hand in self.hands], axis=0))


def read_page(page: Picture, flow: Flow, row_length: int | None = None) -> ReadPage:
    """Find the glyphs of a page and judge whether they are handwriting; there may be none.

    `row_length` is the number of glyphs that each row of a `sequence` runs through; it keeps the
    columns right in rows where one is missing.
    """
    return _join_sheets([_place_glyphs(read, flow, row_length) for read in _read_sheets(page)])


@dataclass(frozen=True)
class _Read:
    """A sheet, what is written on it, and why that can't be handwriting."""

    sheet: flattening.Sheet
    writing: Writing
    doubt: str = ""

    @property
    def makes_sense(self) -> bool:
        """Whether there is writing that may be a hand's."""
        return bool(self.writing.groups) and not self.doubt


def _read_sheets(page: Picture) -> list[_Read]:
    """Read the slips on a desk, in reading order; the page as one sheet if only that has sense."""
    if min(page.shape[:2]) < _SMALLEST:
        return []
    read = _read_all(flattening.lay_sheets(page))
    if len(read) == 1 and not read[0].sheet.on_desk:
        return [_read_near(page, read[0])]
    if any(one.makes_sense for one in read):
        return read
    whole = flattening.lay_flat(page)
    if read and ink.darken_writing(whole.picture, whole.paper) is not whole.picture:
        return read  # light paper was seen, so what is light on dark is no chalk but the desk
    instead = [_read_near(page, one) for one in _read_all([whole])]
    return instead if not read or any(one.makes_sense for one in instead) else read


def _read_all(sheets: list[flattening.Sheet]) -> list[_Read]:
    """Read the sheets that are large enough to hold anything."""
    found = []
    for sheet in sheets:
        if min(sheet.paper.shape) >= _SMALLEST:
            writing = read_writing(sheet)
            found.append(_Read(sheet, writing, plausibility.doubt_writing(writing, sheet.paper)))
    return found


def _read_near(page: Picture, read: _Read) -> _Read:
    """Return the whole picture read as a close-up, where few large glyphs fill it."""
    if not read.doubt and len(read.writing.groups) > large.MOST:
        return read
    whole = flattening.shrink_page(page)
    near = large.read_large(whole.picture)
    if near is None or plausibility.doubt_writing(near, whole.paper):
        return read
    return _Read(whole, near)


def _place_glyphs(read: _Read, flow: Flow, row_length: int | None) -> ReadPage:
    """Return the glyphs of one sheet in their order, and what was left out."""
    sheet, writing = read.sheet, read.writing
    marks = [
        Dropped(sheet.box_on_page(writing.pieces.boxes[piece]), reason)
        for piece, reason in writing.dropped
    ]
    if not writing.groups:
        return ReadPage([], dropped=tuple(marks))
    if flow != "free":
        writing, specks = _leave_out_marks(writing)
        marks += [Dropped(sheet.box_on_page(box), "a speck") for box in specks]
    glyphs, strays = _order_glyphs(sheet, writing, flow, row_length)
    return ReadPage(glyphs, read.doubt, (*marks, *strays), writing.lying)


def _leave_out_marks(writing: Writing) -> tuple[Writing, Boxes]:
    """Leave out full stops and the like: a row of one class, or of all in order, holds none.

    Returns their boxes, too.
    """
    boxes = boxes_of(writing.pieces, writing.groups)
    marks = joining.is_mark(boxes, writing.measures[:, 0])
    if marks.all():
        return writing, boxes[:0]
    kept = [group for group, mark in zip(writing.groups, marks, strict=True) if not mark]
    return replace(writing, groups=kept, measures=writing.measures[~marks]), boxes[marks]


def _join_sheets(read: list[ReadPage]) -> ReadPage:
    """Join what the sheets of a page show: rows go on from each to the next.

    What is on a sheet of doubtful writing is left out, unless all are.
    """
    sure = [page for page in read if page.glyphs and not page.doubt]
    if len(read) < 2 or not sure:
        return max(read, key=lambda page: len(page.glyphs), default=ReadPage([]))
    glyphs: list[Glyph] = []
    dropped = [mark for page in sure for mark in page.dropped]
    for page in read:
        if page.doubt:
            dropped += [Dropped(glyph.box, page.doubt) for glyph in page.glyphs]
        else:
            first = 1 + max((glyph.row for glyph in glyphs), default=-1)
            glyphs += [replace(glyph, row=glyph.row + first) for glyph in page.glyphs]
    return ReadPage(glyphs, "", tuple(dropped), any(page.lies for page in sure))


def _order_glyphs(
    sheet: flattening.Sheet, writing: Writing, flow: Flow, row_length: int | None
) -> tuple[list[Glyph], list[Dropped]]:
    """Put the glyphs of a sheet in rows and columns, in reading order; some have no place."""
    boxes = boxes_of(writing.pieces, writing.groups)
    heights, strokes = writing.measures.T
    scores = score_groups(writing.pieces, writing.groups, heights, strokes)
    row = rows.number_rows(boxes, heights)
    column = rows.number_columns(boxes, row)
    if flow != "free":
        row, column = rows.drop_strays(row, column, scores)
    if flow == "sequence" and row_length is not None:
        scores[rows.count_mates(row) != row_length] *= _UNPLACED
        column = rows.align_columns(boxes, row, row_length)
    cut = _cut_groups(writing, boxes)
    glyphs, strays = [], []
    for index in np.lexsort((column, row)):
        box = _place_box(sheet, writing.pieces, writing.groups[index], boxes[index])
        place = int(row[index]), int(column[index])
        if place[1] != rows.NOWHERE:
            glyphs.append(Glyph(box, cut[index], *place, float(scores[index])))
        elif place[0] == rows.NOWHERE:
            strays.append(Dropped(box, "in a row of a few doubtful marks"))
        else:
            strays.append(Dropped(box, "one too many in its row"))
    return glyphs, strays


def _place_box(
    sheet: flattening.Sheet, pieces: Pieces, group: list[int], box: Box
) -> tuple[int, int, int, int]:
    """Return the box of a group on the page: on a slip, at any angle, that around its ink."""
    if not sheet.on_desk:
        return sheet.box_on_page(box)
    x0, y0, x1, y1 = box
    ys, xs = np.nonzero(np.isin(pieces.labels[y0:y1, x0:x1], np.array(group) + 1))
    return sheet.box_around(np.stack([xs + x0, ys + y0], axis=1))


def read_writing(sheet: flattening.Sheet) -> Writing:
    """Find the ink of a sheet and gather it into glyphs."""
    coverage, rules = _read_coverage(sheet)
    seen = _find_parted_pieces(coverage, sheet.paper, rules)
    written = seen.written & ~seen.printed
    lying = _lies(seen.pieces, written, seen.usual[0])
    upright = seen.pieces.turn() if lying else seen.pieces
    free = seen.inside & ~seen.printed & ~seen.remains & ~written
    groups, measures = [], []
    for hand in seen.hands:
        dots = free & joining.find_dots(seen.pieces, hand.height, hand.stroke)
        free &= ~dots
        members = (hand.members & ~seen.printed) | dots
        joined = joining.join_strokes(upright, members, hand.height)
        groups += joined
        measures += [(hand.height, hand.stroke)] * len(joined)
    return Writing(
        seen.coverage,
        seen.pieces,
        groups,
        *seen.usual,
        np.array(measures).reshape(-1, 2),
        tuple(_explain_dropped(seen, groups)),
        lying,
    )


def _lies(pieces: Pieces, writing: Flags, height: float) -> bool:
    """Tell whether a page lies on its side; pieces as large as glyphs say it."""
    return rows.run_down(pieces.boxes[writing & (pieces.sizes.max(axis=1) > 0.6 * height)])


def _explain_dropped(seen: _Seen, groups: Groups) -> Iterator[tuple[int, str]]:
    """Yield the pieces that make no glyph though one might be seen in them, with the reason."""
    used = {piece for group in groups for piece in group}
    height = min(hand.height for hand in seen.hands)
    extent = seen.pieces.sizes.max(axis=1)
    written = seen.written
    for piece in np.flatnonzero(written | (extent > _LEAST * height)):
        if piece in used:
            continue
        if not seen.inside[piece]:
            yield int(piece), "at the edge of the paper"
        elif seen.remains[piece]:
            yield int(piece), REST
        elif seen.printed[piece]:
            yield int(piece), "taken for print"
        elif extent[piece] > _MOST * max(hand.height for hand in seen.hands):
            yield int(piece), "too large for a glyph"
        else:
            yield int(piece), "a speck" if written[piece] else "no stroke of a pen"


def _cut_groups(writing: Writing, boxes: Boxes) -> list[Coverage]:
    """Cut each group of a sheet's pieces out of its ink."""
    owner = _assign_ink(writing)
    return [
        cut_glyph(writing.coverage, owner, box, group, _PAD)
        for box, group in zip(boxes, writing.groups, strict=True)
    ]


def _assign_ink(writing: Writing) -> Labels:
    """Give the pixels of the strokes and of their soft edges to the pieces."""
    return assign_pixels(writing.pieces, max(3, writing.stroke / 3))


def _read_coverage(sheet: flattening.Sheet) -> tuple[Coverage, furniture.Rules]:
    """Return the ink coverage of a sheet without its printed lines, and where they were."""
    picture = ink.darken_writing(sheet.picture, sheet.paper)
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
    coverage: Coverage, paper: npt.NDArray[np.bool_], rules: furniture.Rules
) -> _Seen:
    """Find the pieces of ink and what they are, with touching neighbours parted."""
    pieces = find_pieces(coverage)
    boxed = frames.find_frames(pieces)
    if boxed is not None:
        coverage = frames.erase_frames(coverage, boxed)
        pieces = find_pieces(coverage)
    deeper = fading.deepen_fading(coverage, pieces, ~find_touching(pieces, ~paper))
    if deeper is not coverage:
        coverage, pieces = deeper, find_pieces(deeper)
    seen = _tell_pieces(coverage, pieces, paper, rules, boxed)
    lying = _lies(pieces, seen.written, seen.usual[0])
    standing, upright = (pieces.turn(), coverage.T) if lying else (pieces, coverage)
    parted = upright
    for hand in seen.hands:
        crowded = parting.find_crowded(standing, hand.members, hand.height)
        if len(crowded):
            parted = parting.part_touching(parted, standing, crowded, hand.height, hand.stroke)
    if parted is upright:
        return seen
    parted = np.ascontiguousarray(parted.T) if lying else parted
    return _tell_pieces(parted, find_pieces(parted), paper, rules, boxed)


def _tell_pieces(
    coverage: Coverage,
    pieces: Pieces,
    paper: npt.NDArray[np.bool_],
    rules: furniture.Rules,
    boxed: frames.Frames | None,
) -> _Seen:
    """Tell which pieces are written, and which are print or remains of it."""
    inside = ~find_touching(pieces, ~paper)
    height, stroke = usual_size(pieces, inside)
    left = remains.find_remains(pieces, rules, boxed, height, stroke)
    lined = pieces.labels[rules.level | rules.upright]
    share = np.bincount(lined, minlength=len(pieces.areas) + 1)[1:] / pieces.areas
    usual = usual_size(pieces, inside & ~left)
    found = hands.find_hands(pieces, inside & ~left, usual, share)
    measures = np.array([(hand.height, hand.stroke) for hand in found])
    fields = np.zeros((0, 4), np.int64) if boxed is None else boxed.boxes
    printed = captions.find_captions(pieces, fields, rules, measures)
    return _Seen(coverage, pieces, inside, left, printed, found, usual)


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
    sheets = _read_sheets(page)
    if not sheets:
        parts = [cut_part(page, box) for box in boxes]
        return [None if part is None else part.pixels for part in parts]
    cut: list[Coverage | None] = [None] * len(boxes)
    home = [_find_home([one.sheet for one in sheets], box) for box in boxes]
    for number, read in enumerate(sheets):
        sheet, writing = read.sheet, read.writing
        own = [index for index, place in enumerate(home) if place == number]
        if own:
            owner = _assign_ink(writing)
        for index in own:
            there, area = sheet.box_on_sheet(boxes[index]), sheet.area_on_sheet(boxes[index])
            cut[index] = cut_region(writing.coverage, writing.pieces, owner, there, _PAD, area)
    return cut


def _find_home(sheets: list[flattening.Sheet], box: tuple[int, int, int, int]) -> int:
    """Return the number of the sheet on which the middle of a box lies, or lies nearest."""
    middle = np.array([[[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]]])
    away = []
    for sheet in sheets:
        height, width = sheet.paper.shape
        there = cv2.perspectiveTransform(middle, np.linalg.inv(sheet.to_page))[0, 0]
        beyond = np.maximum(np.maximum(-there, there - [width, height]), 0)
        away.append(float(np.hypot(*beyond)))
    return int(np.argmin(away))


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
