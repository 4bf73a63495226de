"""Signs of several strokes are drawn stroke by stroke; each must come out as one group."""

import cv2
import numpy as np
import pytest

from pipeline.pages import joining
from pipeline.pages.pieces import Pieces, boxes_of, find_pieces, find_writing, usual_size

Stroke = tuple[tuple[int, int], tuple[int, int]]

# Strokes as lines in a cell of 60 x 60 pixels.
SIGNS: dict[str, list[Stroke]] = {
    "one": [((30, 5), (30, 55))],
    "equals": [((10, 22), (50, 22)), ((10, 40), (50, 40))],
    "i": [((30, 24), (30, 55)), ((30, 6), (30, 9))],
    "divided by": [((10, 30), (50, 30)), ((30, 14), (30, 16)), ((30, 45), (30, 47))],
    "two tall strokes": [((16, 6), (16, 54)), ((38, 6), (38, 54))],
    "three bars": [((8, 8), (52, 8)), ((12, 30), (48, 30)), ((5, 54), (55, 54))],
}


def draw_rows(rows: list[list[str]], pitch: int) -> np.ndarray:
    """Return a coverage with signs in rows 110 apart, `pitch` from one to the next."""
    coverage = np.zeros((110 * len(rows) + 60, pitch * max(map(len, rows)) + 80), np.uint8)
    for number, row in enumerate(rows):
        for place, sign in enumerate(row):
            corner = np.array((40 + pitch * place, 40 + 110 * number))
            for start, end in SIGNS[sign]:
                ends = [tuple(int(v) for v in corner + point) for point in (start, end)]
                cv2.line(coverage, ends[0], ends[1], 255, 5)
    return coverage


def usual_size_of(pieces: Pieces) -> tuple[float, float]:
    return usual_size(pieces, np.ones(len(pieces.boxes), bool))


def join(coverage: np.ndarray) -> np.ndarray:
    """Return the boxes of the groups."""
    pieces = find_pieces(coverage)
    height, stroke = usual_size_of(pieces)
    writing = find_writing(pieces, height, stroke)
    return boxes_of(pieces, joining.join_strokes(pieces, writing, height))


@pytest.mark.parametrize("sign", ["equals", "i", "divided by", "three bars"])
def test_strokes_above_each_other_make_one_glyph(sign: str) -> None:
    assert len(join(draw_rows([["one", sign, "one", sign], ["one", "one", sign, "one"]], 90))) == 8


def test_strokes_beside_each_other_make_one_glyph_where_the_page_repeats_it() -> None:
    boxes = join(draw_rows([["two tall strokes"] * 5] * 2, 100))
    assert len(boxes) == 10
    assert (boxes[:, 2] - boxes[:, 0]).min() > 20


def test_two_narrow_glyphs_that_stand_close_once_are_two() -> None:
    rows = [["one"] * 7, ["one"] * 7, ["one"] * 3 + ["two tall strokes"] + ["one"] * 3]
    assert len(join(draw_rows(rows, 90))) == 7 + 7 + 8


def test_neighbours_and_rows_stay_apart() -> None:
    assert len(join(draw_rows([["one"] * 6] * 3, 50))) == 18


def test_a_speck_is_left_out() -> None:
    coverage = draw_rows([["one"] * 6] * 2, 90)
    coverage[130:137, 70:77] = 255
    assert len(join(coverage)) == 12


def test_a_page_without_pieces_has_no_groups() -> None:
    pieces = find_pieces(np.zeros((40, 31), np.uint8))
    assert joining.join_strokes(pieces, np.zeros(0, bool), 0.0) == []


def test_a_one_before_a_three_stays_two_on_a_sparse_page() -> None:
    rows = [["one", "i", "one"], ["two tall strokes", "one", "i"]]
    assert len(join(draw_rows(rows, 90))) == 7
