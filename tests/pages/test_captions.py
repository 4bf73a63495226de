"""Print and low letters beside a table, drawn as boxes whose pen and spaces are known."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.captions import find_captions
from pipeline.pages.furniture import Rules
from pipeline.pages.pieces import find_pieces

NO_BOXES = np.zeros((0, 4), np.int64)
HAND = np.array([[50.0, 6.0]])


def table_rules(shape: tuple[int, int]) -> Rules:
    """Return the lines of a table of two by two cells at (60, 200) to (360, 440)."""
    level, upright = np.zeros(shape, bool), np.zeros(shape, bool)
    for y in (200, 320, 440):
        level[y : y + 4, 60:360] = True
    for x in (60, 210, 356):
        upright[200:444, x : x + 4] = True
    return Rules(level, upright, level | upright)


def put_rings(page: npt.NDArray[np.uint8], feet: list[int], size: int, pen: int, step: int) -> None:
    """Draw rings side by side that stand at the given heights."""
    for k, foot in enumerate(feet):
        middle = (70 + k * step, foot - size // 2)
        cv2.circle(page, middle, (size - pen) // 2, 255, pen, cv2.LINE_AA)


def find(page: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return find_captions(find_pieces(page), NO_BOXES, table_rules(page.shape), HAND)


def test_low_letters_of_the_hand_beside_a_table_are_no_print() -> None:
    page = np.zeros((620, 470), np.uint8)
    put_rings(page, [520, 523, 518, 521, 517], size=30, pen=6, step=55)
    assert not find(page).any()


def test_thin_small_or_close_letters_beside_a_table_are_print() -> None:
    for size, pen, step in ((30, 2, 55), (15, 6, 55), (30, 6, 33)):
        page = np.zeros((620, 470), np.uint8)
        put_rings(page, [520] * 5, size, pen, step)
        assert find(page).all(), (size, pen, step)


def test_without_a_table_or_boxes_nothing_is_taken_for_print() -> None:
    page = np.zeros((620, 470), np.uint8)
    put_rings(page, [520] * 5, size=15, pen=2, step=18)
    none = np.zeros(page.shape, bool)
    found = find_captions(find_pieces(page), NO_BOXES, Rules(none, none, none), HAND)
    assert not found.any()
