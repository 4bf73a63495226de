"""Pictures of a few glyphs that are large in them, drawn here: each is found, and as one."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.pages import reading

Picture = npt.NDArray[np.uint8]
Strokes = list[list[tuple[float, float]]]

PLUS: Strokes = [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]]
H: Strokes = [[(0, 0), (0, 1)], [(0.7, 0), (0.7, 1)], [(0, 0.5), (0.7, 0.5)]]
FIVE: Strokes = [
    [(0.1, 0), (0.1, 0.4), (0.6, 0.5), (0.5, 0.95), (0, 0.9)],
    [(0.25, -0.02), (0.7, 0)],
]
HIRAGANA_I: Strokes = [
    [(0.1, 0.1), (0.05, 0.5), (0.2, 0.9), (0.35, 0.75)],
    [(0.75, 0.1), (0.95, 0.6)],
]
ONE: Strokes = [[(0.1, 0.2), (0.3, 0), (0.3, 1)]]
SEVEN: Strokes = [[(0, 0), (0.7, 0), (0.3, 1)]]
MINUS: Strokes = [[(0, 0.5), (0.6, 0.5)]]
BARS: Strokes = [[(0.1, 0), (0.9, 0)], [(0.2, 0.45), (0.8, 0.45)], [(0, 1), (1, 1)]]


def draw(*glyphs: Strokes, side: int, pen: int, light: bool = False) -> Picture:
    """Draw glyphs side by side, each 0.6 of the picture's height."""
    size = 0.6 * side
    picture = np.full((side, int((len(glyphs) * 0.8 + 0.3) * side)), 255, np.uint8)
    for number, strokes in enumerate(glyphs):
        for stroke in strokes:
            left, top = (0.25 + 0.8 * number) * side, 0.2 * side
            at = [(left + x * size, top + y * size) for x, y in stroke]
            cv2.polylines(picture, [np.int32(np.round(at))], False, 0, pen, cv2.LINE_AA)
    return 255 - picture if light else picture


def count(picture: Picture) -> int:
    page = reading.read_page(picture, "free")
    return 0 if page.doubt else len(page.glyphs)


@pytest.mark.parametrize("side", [240, 700, 1500])
def test_strokes_of_a_ruler_are_no_rules(side):
    assert count(draw(PLUS, H, PLUS, side=side, pen=side // 60)) == 3


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("side, pen", [(60, 6), (160, 20), (280, 36), (900, 60)])
def test_a_thick_pen_may_fill_the_picture(side, pen, light):
    page = reading.read_page(draw(SEVEN, side=side, pen=pen, light=light), "free")
    assert not page.doubt
    (glyph,) = page.glyphs
    x0, y0, _, y1 = glyph.box
    assert abs((y1 - y0) - (0.6 * side + pen)) < 4 + side // 100
    assert abs(x0 - (0.25 * side - pen / 2)) < 4 + side // 100


@pytest.mark.parametrize("glyph", [FIVE, HIRAGANA_I, BARS], ids=["5", "i", "3"])
@pytest.mark.parametrize("side", [90, 400])
def test_strokes_apart_make_one_character(glyph, side):
    assert count(draw(glyph, side=side, pen=side // 24)) == 1


def test_neighbours_on_one_line_stay_two():
    assert count(draw(ONE, SEVEN, side=300, pen=14)) == 2
    assert count(draw(MINUS, SEVEN, side=300, pen=14)) == 2


@pytest.mark.parametrize("width", [600, 1400])
def test_a_line_below_the_writing_is_left_out_and_told(width):
    picture = draw(ONE, FIVE, side=width // 2, pen=width // 80)
    ends = [(int(x * width), int(0.46 * width)) for x in (0.08, 0.85)]
    cv2.line(picture, *ends, 0, width // 80, cv2.LINE_AA)
    page = reading.read_page(picture, "free")
    assert len(page.glyphs) == 2
    assert [mark.reason for mark in page.dropped] == ["a line below writing"]


def test_the_light_may_fade_and_the_paper_be_grainy():
    picture = draw(SEVEN, H, side=600, pen=24)
    light = np.linspace(0.55, 0.95, picture.shape[1])
    grain = np.random.default_rng(3).normal(0, 4, picture.shape)
    assert count(np.clip(picture * light + grain, 0, 255).astype(np.uint8)) == 2


def test_a_digit_in_a_drawn_frame_is_not_joined_with_it():
    picture = draw(SEVEN, side=500, pen=12)
    cv2.rectangle(picture, (60, 60), (430, 450), 0, 8)
    boxes = [glyph.box for glyph in reading.read_page(picture, "free").glyphs]
    assert any(abs(y0 - 94) < 4 and abs(y1 - 406) < 4 for _, y0, _, y1 in boxes)


def test_boxes_of_a_person_are_cut_from_the_same_ink():
    picture = draw(SEVEN, side=280, pen=36)
    (glyph,) = reading.read_page(picture, "free").glyphs
    (cut,) = reading.cut_boxes(picture, [glyph.box])
    assert cut is not None
    assert np.array_equal(cut, glyph.pixels)
