"""Pages: from a picture of handwriting to its glyphs, in reading order.

A page is uint8 (H, W) or (H, W, 3) RGB, upright. A glyph's pixels are ink coverage, uint8
(h, w), 0 paper, 255 full ink, straightened, without its neighbours, padded by pixels of 0.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline import furniture, glyphs, ink, rows, sheets

Page = npt.NDArray[np.uint8]
Flow = Literal["rows", "sequence", "free"]


@dataclass(frozen=True)
class Glyph:
    """One piece of writing: where it lies on the page, its ink, its place in reading order."""

    box: tuple[int, int, int, int]
    pixels: npt.NDArray[np.uint8]
    row: int
    column: int
    score: float


def find_glyphs(page: Page, flow: Flow, row_length: int | None = None) -> list[Glyph]:
    """Find the glyphs of a page in reading order; a page without writing gives none."""
    sheet = sheets.lay_flat(page)
    coverage, rules = read_coverage(sheet)
    pieces = glyphs.find_pieces(coverage)
    height, stroke = glyphs.usual_size(pieces)
    writing = glyphs.find_writing(pieces, height, stroke)
    writing &= ~glyphs.find_touching(pieces, ~sheet.paper)
    writing &= ~furniture.find_print(pieces.boxes, rules, height, stroke)
    groups = glyphs.join_pieces(pieces, writing, height)
    if not groups:
        return []
    scores = glyphs.score_groups(pieces, groups, height, stroke)
    return order_glyphs(sheet, coverage, pieces, groups, scores, height)


def read_coverage(sheet: sheets.Sheet) -> tuple[npt.NDArray[np.uint8], furniture.Rules]:
    """Return the ink coverage of a sheet without its printed lines, and where they were."""
    picture = ink.darken_writing(sheet.picture)
    density = ink.measure_density(picture, ink.estimate_paper(picture))
    density[~sheet.paper] = 0
    side = max(density.shape)
    faintest = max(0.03, 1.5 * ink.estimate_noise(density))
    full = ink.estimate_full_ink(density)
    density, rules = furniture.remove_rules(
        density, full, length=side // 6, thickness=max(5, side // 120), faintest=faintest
    )
    full = ink.estimate_full_ink(density)
    return ink.measure_coverage(density, full, side / 300), rules


def order_glyphs(
    sheet: sheets.Sheet,
    coverage: npt.NDArray[np.uint8],
    pieces: glyphs.Pieces,
    groups: list[list[int]],
    scores: npt.NDArray[np.float64],
    height: float,
) -> list[Glyph]:
    """Cut each group from the sheet and put the glyphs into reading order."""
    boxes = np.array([glyphs.enclose(pieces.boxes[g], pieces.boxes[g[0]]) for g in groups])
    row = rows.find_rows(boxes, height)
    column = rows.number_columns(boxes, row)
    owner = glyphs.assign_pixels(pieces, reach=3)
    found = []
    for index in np.lexsort((column, row)):
        pixels = glyphs.cut_glyph(coverage, owner, boxes[index], groups[index], pad=4)
        box = box_on_page(boxes[index], sheet.to_page)
        found.append(Glyph(box, pixels, int(row[index]), int(column[index]), scores[index]))
    return found


def box_on_page(
    box: npt.NDArray[np.float64], to_page: npt.NDArray[np.float64]
) -> tuple[int, int, int, int]:
    """Return the upright box on the page around a box on the sheet."""
    x0, y0, x1, y1 = box
    corners = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float64)
    there = cv2.perspectiveTransform(corners, to_page)[0]
    low, high = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def cut_cells(page: Page, row_count: int, column_count: int) -> list[Glyph]:
    """Cut a page into equal cells; each cell with ink gives a glyph, row and column its cell."""
    ys = np.linspace(0, page.shape[0], row_count + 1).round().astype(int)
    xs = np.linspace(0, page.shape[1], column_count + 1).round().astype(int)
    found = []
    for row in range(row_count):
        for column in range(column_count):
            x, y = int(xs[column]), int(ys[row])
            glyph = cut_whole(page[y : ys[row + 1], x : xs[column + 1]])
            if glyph is not None:
                x0, y0, x1, y1 = glyph.box
                box = (x0 + x, y0 + y, x1 + x, y1 + y)
                found.append(Glyph(box, glyph.pixels, row, column, glyph.score))
    return found


def cut_whole(picture: Page) -> Glyph | None:
    """Take all writing of a picture as one glyph; None when there is none."""
    gray = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    rim = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    paper = float(np.median(rim))
    away = np.abs(gray.astype(np.float32) - paper)
    full = float(np.percentile(away, 99.5))
    if full < 24:
        return None
    coverage = np.clip(255 * away / full, 0, 255).astype(np.uint8)
    ys, xs = np.nonzero(coverage >= 128)
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    return Glyph(box, np.pad(coverage, 2), 0, 0, 1.0)
