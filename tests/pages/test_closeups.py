"""Close-ups: one glyph, whatever drew it, told from pages of many and from sheets on a table."""

import cv2
import drawn_digits
import numpy as np
import pytest

from pipeline.pages import closeups
from pipeline.subjects import search


def side_by_side(*digits, brush=8, side=140):
    return np.hstack([drawn_digits.draw(digit, brush, side=side) for digit in digits])


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("brush", [3, 8, 16, 30])
@pytest.mark.parametrize("digit", range(10))
def test_a_digit_of_any_brush_is_one(digit, brush, light):
    assert closeups.shows_one(drawn_digits.draw(digit, brush, light=light))


@pytest.mark.parametrize("place", [(0, 0), (1, 0.1), (0.2, 1)])
@pytest.mark.parametrize("height", [0.2, 0.85])
def test_a_digit_is_one_wherever_it_stands_and_however_large(place, height):
    assert closeups.shows_one(drawn_digits.draw(5, 6, height=height, place=place))


def test_strokes_may_be_apart():
    five = np.full((280, 280), 255, np.uint8)
    cv2.line(five, (110, 60), (190, 60), 0, 10)
    cv2.polylines(five, [np.array([(108, 85), (106, 130), (170, 140), (120, 220)])], False, 0, 10)
    assert closeups.shows_one(five)


def test_a_picture_too_small_for_a_page_is_one():
    assert closeups.shows_one(drawn_digits.draw(3, 3, side=28))


@pytest.mark.parametrize("digits", [(1, 7), (4, 0, 4), (1, 1), (2, 8, 3, 5)])
def test_digits_side_by_side_are_many(digits):
    assert not closeups.shows_one(side_by_side(*digits))


@pytest.mark.parametrize("digits", [(3, 5), (1, 1, 7)])
def test_digits_in_a_column_are_many(digits):
    column = np.vstack([drawn_digits.draw(digit, 8, side=140) for digit in digits])
    assert not closeups.shows_one(column)


def lay_on_table(*digits):
    """Return a dark table with a sheet on it, with digits written on that."""
    table = np.full((600, 500), 60, np.uint8)
    table[60:540, 70:430] = 240
    for number, digit in enumerate(digits):
        y, x = 90 + 140 * (number // 2), 110 + 140 * (number % 2)
        table[y : y + 130, x : x + 130] = np.minimum(240, drawn_digits.draw(digit, 6, side=130))
    return table


@pytest.mark.parametrize("digits", [(), (1, 2), (1, 2, 3, 4, 5, 6)])
def test_a_sheet_on_a_dark_table_is_no_glyph(digits):
    assert not closeups.shows_one(lay_on_table(*digits))


@pytest.mark.parametrize("shift", [(0, 0), (40, -60)])
def test_of_a_sheet_with_one_digit_the_digit_is_read_not_the_sheet(shift):
    table = np.roll(lay_on_table(6), shift, axis=(0, 1))
    [subject] = search.search_scan(table, search.tell_layout(table), None).subjects
    ink = subject.pixels >= 128
    assert ink.any(axis=1).sum() == pytest.approx(0.65 * 130, abs=10)


def test_a_page_of_small_writing_is_none():
    page = np.full((900, 700), 250, np.uint8)
    for number in range(30):
        y, x = 60 + 130 * (number // 5), 60 + 120 * (number % 5)
        page[y : y + 40, x : x + 40] = drawn_digits.draw(number % 10, 3, side=40)
    assert not closeups.shows_one(page)


def test_a_blank_picture_shows_none():
    assert not closeups.shows_one(np.full((90, 120), 200, np.uint8))
