"""What printed lines leave behind, beside strokes that look like it."""

import numpy as np

from pipeline.pages.furniture import Rules
from pipeline.pages.pieces import find_pieces
from pipeline.pages.remains import find_remains


def test_ticks_ends_and_dashes_are_told_from_strokes() -> None:
    page, level = np.zeros((400, 600), np.uint8), np.zeros((400, 600), bool)
    level[100:104, 40:400] = True
    level[180:184, 40:400] = True
    page[105:180, 60:64] = 255  # from one line to the next
    page[101:104, 410:425] = 255  # where the first line runs on
    page[120:165, 200:205] = 255  # a written 1
    for x in range(50, 300, 24):
        page[250:253, x : x + 14] = 255  # a dashed line
    page[300:304, 100:130] = 255  # a written minus
    rules = Rules(level, np.zeros_like(level), level)
    pieces = find_pieces(page)
    found = find_remains(pieces, rules, None, height=50.0, stroke=5.0)
    kept = sorted(pieces.boxes[~found].tolist())
    assert kept == [[100, 300, 130, 304], [200, 120, 205, 165]]


def test_without_glyphs_nothing_remains() -> None:
    none = np.zeros((50, 70), bool)
    pieces = find_pieces(np.zeros((50, 70), np.uint8))
    assert len(find_remains(pieces, Rules(none, none, none), None, 0.0, 0.0)) == 0
