"""Reading order is judged by boxes laid out in known rows, then shuffled."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pages import rows


def lay_out(lengths: list[int], sag: float, seed: int) -> tuple[npt.NDArray[np.int64], list[int]]:
    """Return boxes (n, 4) of 40 x 50 pixels in rows 100 apart that sag by `sag`, and their rows."""
    random = np.random.default_rng(seed)
    boxes, truth = [], []
    for row, length in enumerate(lengths):
        for column in range(length):
            x = 30 + 70 * column + random.integers(-8, 9)
            y = 60 + 100 * row + round(sag * column) + random.integers(-8, 9)
            boxes.append((x, y, x + 40, y + 50))
            truth.append(row)
    return np.array(boxes), truth


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    sag=st.floats(-6, 6),
    seed=st.integers(0, 2**31),
)
def test_rows_and_columns_are_found_in_any_order(lengths: list[int], sag: float, seed: int) -> None:
    boxes, truth = lay_out(lengths, sag, seed)
    order = np.random.default_rng(seed).permutation(len(boxes))
    found = rows.find_rows(boxes[order], height=50)
    np.testing.assert_array_equal(found, np.array(truth)[order])
    columns = rows.number_columns(boxes[order], found)
    expected = np.concatenate([np.arange(length) for length in lengths])
    np.testing.assert_array_equal(columns, expected[order])


def test_a_missing_glyph_does_not_shift_the_columns_after_it() -> None:
    boxes, truth = lay_out([6, 6, 6], 0, 1)
    kept = np.delete(np.arange(18), [8])  # the third of the second row
    columns = rows.align_columns(boxes[kept], np.array(truth)[kept], 6)
    np.testing.assert_array_equal(columns, np.delete(np.tile(np.arange(6), 3), [8]))


def test_a_box_too_many_is_left_without_a_place() -> None:
    boxes, truth = lay_out([4, 4], 0, 2)
    speck = boxes[5] + (33, 0, 33, 0)
    columns = rows.align_columns(np.vstack([boxes, speck]), np.array([*truth, 1]), 4)
    np.testing.assert_array_equal(columns, [0, 1, 2, 3, 0, 1, 2, 3, rows.NOWHERE])


def test_without_a_complete_row_boxes_are_counted() -> None:
    boxes, truth = lay_out([3, 2], 0, 3)
    columns = rows.align_columns(boxes, np.array(truth), 5)
    np.testing.assert_array_equal(columns, [0, 1, 2, 0, 1])


def test_a_row_of_one_doubtful_box_is_dirt_and_the_rows_after_it_move_up() -> None:
    numbers = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 3])
    columns = np.array([0, 1, 2, 3, 0, 0, 1, 2, 3, 0])
    scores = np.array([1, 0.5, 1, 1, 0.5, 1, 1, 1, 1, 0.9])
    kept, places = rows.drop_strays(numbers, columns, scores)
    np.testing.assert_array_equal(kept, [0, 0, 0, 0, rows.NOWHERE, 1, 1, 1, 1, 2])
    np.testing.assert_array_equal(places, [0, 1, 2, 3, rows.NOWHERE, 0, 1, 2, 3, 0])
    np.testing.assert_array_equal(rows.count_mates(kept), [4, 4, 4, 4, 0, 4, 4, 4, 4, 1])


def test_a_page_on_its_side_is_told_by_its_gaps_and_the_shape_of_its_letters() -> None:
    upright = np.array(
        [(x, y, x + 30, y + 50) for y in range(20, 500, 110) for x in range(30, 400, 55)]
    )
    assert not rows.run_down(upright)
    assert rows.run_down(upright[:, [1, 0, 3, 2]])


def test_a_dot_is_in_the_row_of_the_letter_below_it() -> None:
    boxes = np.array([(10, 40, 30, 90), (60, 40, 80, 90), (65, 20, 72, 27), (10, 150, 30, 200)])
    assert rows.number_rows(boxes, 50).tolist() == [0, 0, 0, 1]
