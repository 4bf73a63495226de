"""An overlay marks boxes on a copy of the page."""

import numpy as np
import pytest

from pipeline.subjects import overlays


@pytest.mark.parametrize("shape", [(211, 307), (211, 307, 3)])
def test_boxes_are_drawn_in_the_color_of_their_score(shape: tuple[int, ...]) -> None:
    page = np.full(shape, 255, np.uint8)
    overlay = overlays.draw_overlay(
        page, [(20, 40, 60, 90), (200, 100, 250, 180)], ["0", "7"], [1.0, 0.0]
    )
    assert overlay.shape == (211, 307, 3)
    assert (page == 255).all()
    for box, color in (((20, 40, 60, 90), (0, 160, 0)), ((200, 100, 250, 180), (220, 0, 0))):
        x0, y0, x1, y1 = box
        for corner in ((y0, x0), (y0, x1 - 1), (y1 - 1, x0), (y1 - 1, x1 - 1)):
            np.testing.assert_array_equal(overlay[corner], color)
        assert (overlay[y0 + 5 : y1 - 5, x0 + 5 : x1 - 5] == 255).all()
        assert (overlay[y0 - 15 : y0 - 1, x0 : x0 + 15] != 255).any()  # its label


def test_colors_run_from_red_over_amber_to_green() -> None:
    colors = [overlays.color_of_score(score) for score in (-1, 0, 0.5, 1, 2)]
    assert colors == [(220, 0, 0), (220, 0, 0), (220, 160, 0), (0, 160, 0), (0, 160, 0)]


def test_labels_of_any_script_are_drawn_and_not_question_marks() -> None:
    page, box = np.full((211, 307), 255, np.uint8), (20, 60, 80, 130)
    drawn = {
        overlays.draw_overlay(page, [box], [label], [1.0]).tobytes() for label in "?あゐ漢龍한ЖΩא"
    }
    assert len(drawn) == 9


def test_labels_grow_with_the_page_but_not_beyond_the_glyphs() -> None:
    tall, low = (0, 300, 90, 500), (0, 300, 90, 340)
    assert overlays.choose_text_size((4000, 3000, 3), [tall]) == 67
    assert overlays.choose_text_size((4000, 3000, 3), [tall, low, low]) == 24
    assert overlays.choose_text_size((300, 411, 3), [(0, 0, 411, 300)]) == 25
    assert overlays.choose_text_size((211, 307), []) == 12


def test_notes_are_drawn_below_their_boxes_and_inside_the_page() -> None:
    page, boxes = np.full((211, 307), 255, np.uint8), [(20, 40, 60, 90), (200, 100, 307, 211)]
    plain = overlays.draw_overlay(page, boxes, ["0", "7"], [1.0, 0.0])
    noted = overlays.draw_overlay(page, boxes, ["0", "7"], [1.0, 0.0], ["98%", "12%"])
    rows, columns = np.nonzero((plain != noted).any(axis=2))
    first = columns < 150
    assert 90 <= rows[first].min() < rows[first].max() < 102
    assert 195 < rows[~first].min() < rows[~first].max() < 211
    assert columns[first].min() >= 20 and columns[~first].min() >= 200
