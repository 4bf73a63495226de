"""A ring is drawn with a pen that dries up on its way round; what is pale must be found."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import fading, pieces


def draw_ring(pale: int, gap: int = 0) -> npt.NDArray[np.uint8]:
    """Return coverage (120, 170) of a ring and a bar; the ring's left part is pale."""
    page = np.zeros((120, 170), np.uint8)
    cv2.rectangle(page, (130, 30), (138, 95), 255, -1)
    cv2.ellipse(page, (60, 62), (26, 34), 0, -90 + gap, 90 - gap, 255, 8)
    ring = np.zeros_like(page)
    cv2.ellipse(ring, (60, 62), (26, 34), 0, 90, 270, pale, 8)
    return np.maximum(page, ring)


def deepen(page: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    found = pieces.find_pieces(page)
    return fading.deepen_fading(page, found, np.ones(len(found.areas), bool))


def test_a_pale_half_of_a_ring_belongs_to_it() -> None:
    page = draw_ring(pale=80)
    assert pieces.find_pieces(page).boxes[:, 0].min() > 50
    found = pieces.find_pieces(deepen(page))
    assert len(found.areas) == 2
    assert found.boxes[:, 0].min() == 30


def test_what_is_paler_than_a_stroke_or_lies_apart_stays_as_it_is() -> None:
    for page in (draw_ring(pale=30), draw_ring(pale=80, gap=30), draw_ring(pale=200)):
        np.testing.assert_array_equal(deepen(page), page)


def test_a_pale_line_that_joins_two_glyphs_is_no_stroke_of_theirs() -> None:
    page = draw_ring(pale=255)
    page[58:66, 92:128] = 80
    np.testing.assert_array_equal(deepen(page), page)


def test_an_empty_page_stays_empty() -> None:
    page = np.full((60, 90), 80, np.uint8)
    np.testing.assert_array_equal(deepen(page), page)
