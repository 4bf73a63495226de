"""Hands: rings of known pens and sizes on one page."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.hands import find_hands
from pipeline.pages.pieces import find_pieces, usual_size

Rings = list[tuple[int, int, int]]  # how many, their diameter, the pen's width


def draw(rows: Rings) -> npt.NDArray[np.uint8]:
    page = np.zeros((700, 1100), np.uint8)
    y = 20
    for count, size, pen in rows:
        for k in range(count):
            # A hand's letters are not all of one size on one line, as those of print are.
            own = size + (-3, 2, 0, 3, -2)[k % 5]
            middle = (80 + k * (size + 40), y + size // 2 + (3, -2, 0, 2)[k % 4])
            cv2.circle(page, middle, (own - pen) // 2, 255, pen, cv2.LINE_AA)
        y += size + 60
    return page


def find(page: npt.NDArray[np.uint8]) -> list[tuple[int, float, float]]:
    """Return how many pieces each hand has, its height and its stroke."""
    pieces = find_pieces(page)
    count = len(pieces.areas)
    inside = np.ones(count, bool)
    hands = find_hands(pieces, inside, usual_size(pieces, inside), np.zeros(count))
    return [(int(hand.members.sum()), hand.height, hand.stroke) for hand in hands]


def test_a_thin_pen_beside_a_marker_is_a_hand_of_its_own() -> None:
    (many, high, broad), (few, low, thin) = find(draw([(5, 120, 28), (7, 50, 4)]))
    assert (many, few) == (5, 7)
    assert abs(high - 120) <= 4 and abs(low - 50) <= 4
    assert broad > 4 * thin


def test_a_title_is_a_hand_and_the_low_letters_of_one_line_are_not() -> None:
    assert len(find(draw([(3, 190, 6), (8, 40, 6)]))) == 2
    mixed = draw([(4, 90, 6)])
    cv2.circle(mixed, (640, 65), 18, 255, 6, cv2.LINE_AA)  # beside them, in their line
    assert len(find(mixed)) == 1


def test_specks_and_pale_lines_beside_a_marker_are_no_hand() -> None:
    page = draw([(5, 120, 28)])
    cv2.circle(page, (900, 500), 4, 255, -1)
    page[400:402, 100:500] = 150
    page[380:500, 300:302] = 150
    assert [count for count, *_ in find(page)] == [5]
