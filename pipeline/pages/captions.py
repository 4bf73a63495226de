"""Captions: print beside what is written, such as the names of a form's fields.

Print is lower than the writing, thinner, and stands closer than the half character that a writer
leaves free (docs/pages.md). Low letters of a hand have its pen and its spaces.

Pieces are those of `pipeline.pages.pieces`; flags are (n,), one for each piece. Lengths are in
pixels; `height` is that of a usual glyph of a hand, `stroke` the width of its strokes.
"""

import numpy as np
import numpy.typing as npt

from pipeline.pages.furniture import Rules, find_table
from pipeline.pages.pieces import Boxes, Flags, Pieces, size_of
from pipeline.pages.rows import centres_of, find_rows

Numbers = npt.NDArray[np.intp]
Measures = npt.NDArray[np.float64]

_LOW = 0.7  # heights of a usual glyph: print is lower, and so are the low letters of a hand
_LOWEST = 0.35  # what is lower by itself beside a frame is no letter of the hand
_SMALLER = 0.5  # the low letters of a hand are seldom lower
_LEAST = 0.15  # lower is a dot
_THIN, _THINNER = 0.7, 0.85  # of the usual stroke: by itself, and where it stands close
_BROAD = 1.6  # so broad are printed blocks, beside which a form is found
_TIGHT = 0.3  # of its letters' height: the gap from one to the next
# Of a letter's height: so near to the line is its foot in print, where pixels allow it; that of a
# neat hand is 0.04 away.
_EXACT = 0.02
_WORD = 3  # so many letters show how they are spaced


def find_captions(pieces: Pieces, frames: Boxes, rules: Rules, hands: Measures) -> Flags:
    """Tell which pieces are print, on a page with a table or with printed boxes, (k, 4) `frames`.

    hands: (m, 2) the usual height and stroke of each hand of the page.
    """
    printed = np.zeros(len(pieces.areas), bool)
    outside = _lie_outside(pieces.boxes, frames, rules, float(hands[:, 0].max()))
    is_form = len(frames) > 0 or bool(rules.dark.any())
    if not (is_form or outside.any()):
        return printed
    away = np.abs(np.log(np.maximum(pieces.strokes[:, None], 1) / np.maximum(hands[:, 1], 1)))
    nearest = away.argmin(axis=1)
    high = pieces.sizes[:, 1]
    if len(frames):  # what is small beside boxes for one character each is no other hand's
        printed |= outside & (high < _LOWEST * hands[:, 0].max()) & (high > _LEAST * hands[0, 0])
    for number, (height, stroke) in enumerate(hands):
        low = (nearest == number) & (high < _LOW * height) & (high > _LEAST * height)
        for row in find_lines(pieces.boxes, np.flatnonzero(low & outside)):
            printed[row] = looks_printed(pieces, row, height, stroke)
        # The names of a form's fields may stand between them.
        thin = low & ~outside & (pieces.strokes < _THINNER * stroke)
        for row in find_lines(pieces.boxes, np.flatnonzero(thin & is_form)):
            printed[row] = is_tight(pieces.boxes[row])
    return printed


def looks_printed(pieces: Pieces, row: Numbers, height: float, stroke: float) -> bool:
    """Tell whether the low letters of a row are print, beside glyphs of a usual height."""
    high = float(np.median(pieces.sizes[row, 1]))
    if high < _LOWEST * height:
        return True
    pen = float(np.median(pieces.strokes[row]))
    if not _THIN * stroke < pen < _BROAD * stroke:
        return True
    boxes = pieces.boxes[row]
    other = high < _SMALLER * height or pen < _THINNER * stroke
    return is_tight(boxes) and (other or _stand_exactly(boxes))


def is_tight(boxes: Boxes) -> bool:
    """Tell whether the letters of a row, in boxes (n, 4), stand as close as those of print."""
    if len(boxes) < _WORD:
        return False
    order = boxes[np.argsort(boxes[:, 0])]
    gaps = order[1:, 0] - order[:-1, 2]
    # A quarter of them: the others are those between words, or beside letters that are not chosen.
    return bool(np.percentile(gaps, 25) < _TIGHT * np.median(size_of(boxes)[:, 1]))


def are_print(boxes: Boxes, chosen: Numbers) -> bool:
    """Tell whether most of the chosen boxes stand in lines as only print does: close, or exact."""
    lines = find_lines(boxes, chosen)
    printed = sum(len(line) for line in lines if is_tight(boxes[line]) or _is_exact(boxes[line]))
    return 2 * printed > len(chosen)


def _is_exact(boxes: Boxes) -> bool:
    """Tell whether boxes (n, 4) are of one height and stand on one straight line: no hand's do."""
    heights = size_of(boxes)[:, 1]
    usual = float(np.median(heights))
    away = float(np.median(np.abs(heights - usual)))
    return len(boxes) > _WORD and away <= max(0.5, _EXACT * usual) and _stand_exactly(boxes)


def _stand_exactly(boxes: Boxes) -> bool:
    """Tell whether boxes (n, 4) stand on one straight line, but for those that hang below it."""
    feet, middles = boxes[:, 3].astype(np.float64), centres_of(boxes)
    slope, start = np.polyfit(middles, feet, 1)
    away = float(np.median(np.abs(feet - slope * middles - start)))
    return away <= max(0.5, _EXACT * float(np.median(size_of(boxes)[:, 1])))


def find_lines(boxes: Boxes, chosen: Numbers) -> list[Numbers]:
    """Divide chosen boxes into the lines that they stand in."""
    if len(chosen) == 0:
        return []
    rows = find_rows(boxes[chosen], float(np.median(size_of(boxes[chosen])[:, 1])))
    return [chosen[rows == row] for row in np.unique(rows)]


def _lie_outside(boxes: Boxes, frames: Boxes, rules: Rules, height: float) -> Flags:
    """Tell which boxes lie outside of the page's table, or of its printed boxes if it has any."""
    if len(frames):
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        within = (middles[:, None] > frames[None, :, :2]) & (middles[:, None] < frames[None, :, 2:])
        return np.asarray(~np.asarray(within.all(axis=2)).any(axis=1))
    table = find_table(rules)
    # A frame of less than three glyphs a side is no table.
    if table is None or min(table[2:] - table[:2]) < 3 * height:
        return np.zeros(len(boxes), bool)
    x0, y0, x1, y1 = table
    return np.asarray(
        (boxes[:, 2] <= x0) | (boxes[:, 0] >= x1) | (boxes[:, 3] <= y0) | (boxes[:, 1] >= y1)
    )
