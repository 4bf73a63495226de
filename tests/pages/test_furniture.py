"""Lines are drawn over strokes that are known without them; what is left must be the strokes."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.pages import furniture

FULL = 0.7  # density of the pen


def draw_writing(height: int = 403, width: int = 611) -> npt.NDArray[np.float32]:
    """Return the density (h, w) of two rows of slanted and curved strokes."""
    drawn = np.zeros((height, width), np.uint8)
    for y in (120, 260):
        for x in range(60, width - 60, 70):
            cv2.ellipse(drawn, (x, y), (18, 30), 20, 0, 300, 255, 7, cv2.LINE_AA)
    return (drawn / 255 * FULL).astype(np.float32)


def rule(
    density: npt.NDArray[np.float32], line: float, slope: float = 0.0
) -> npt.NDArray[np.float32]:
    """Add level lines five pixels thick that the pen covers, as a pen covers print."""
    lines = np.zeros(density.shape, np.uint8)
    for y in range(40, density.shape[0], 70):
        end = round(y + slope * density.shape[1])
        cv2.line(lines, (0, y), (density.shape[1], end), 255, 3, cv2.LINE_AA)
    under = lines / np.float32(255) * line
    return (under + density * (1 - under / FULL)).astype(np.float32)


def remove(
    density: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], furniture.Rules]:
    return furniture.remove_rules(density, FULL, length=150, thickness=12, faintest=0.03)


@pytest.mark.parametrize("turned", [False, True], ids=["level", "upright"])
@pytest.mark.parametrize(("line", "slope"), [(0.15, 0.0), (0.3, 0.004), (0.7, 0.0), (0.65, 0.006)])
def test_lines_go_and_the_strokes_that_cross_them_stay(
    line: float, slope: float, turned: bool
) -> None:
    writing = draw_writing()
    page = rule(writing, line, slope)
    if turned:
        writing, page = np.ascontiguousarray(writing.T), np.ascontiguousarray(page.T)
    cleaned, rules = remove(page)
    assert np.mean(cleaned[writing < 0.01] > FULL / 4) < 0.002
    assert np.mean(cleaned[writing > 0.6 * FULL] > FULL / 2) > 0.97
    found, missed = (rules.upright, rules.level) if turned else (rules.level, rules.upright)
    assert found.any() and not missed.any()


def test_writing_on_plain_paper_is_left_as_it_is() -> None:
    writing = draw_writing()
    cleaned, rules = remove(writing)
    np.testing.assert_array_equal(cleaned, writing)
    assert not rules.level.any() and not rules.upright.any()


def test_a_row_of_written_bars_is_no_line() -> None:
    writing = np.zeros((200, 700), np.float32)
    for number, x in enumerate(range(30, 640, 60)):
        y = 100 + (0, 5, -4, 2, -6)[number % 5]
        writing[y : y + 7, x : x + 26] = FULL
    assert not remove(writing)[1].level.any()


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 7))))
def test_a_rule_is_bridged_from_what_is_above_to_what_is_below(rules: furniture.Mask) -> None:
    last = len(rules) - 1
    density = np.random.default_rng(7).random(rules.shape, np.float32)
    bridged = furniture.bridge_rules(density, rules)
    for y, x in np.ndindex(rules.shape):
        above, below = y, y
        while rules[above, x] and above > 0:
            above -= 1
        while rules[below, x] and below < last:
            below += 1
        share = (y - above) / max(below - above, 1)
        expected = density[above, x] * (1 - share) + density[below, x] * share
        assert bridged[y, x] == pytest.approx(expected)


def draw_table(shape: tuple[int, int] = (500, 640)) -> npt.NDArray[np.float32]:
    """Return a table of 4 x 5 boxes from (100, 120) to (600, 440)."""
    table = np.zeros(shape, np.float32)
    for y in np.linspace(120, 437, 5).astype(int):
        table[y : y + 3, 100:600] = FULL
    for x in np.linspace(100, 597, 6).astype(int):
        table[120:440, x : x + 3] = FULL
    return table


def test_a_table_is_where_its_lines_cross_whatever_else_is_straight() -> None:
    page = draw_table()
    page[40:43, :] = 0.2  # a fold across the page
    page[:, 632:635] = FULL  # the edge of the paper
    table = furniture.find_table(remove(page)[1])
    assert table is not None
    np.testing.assert_allclose(table, (100, 120, 600, 440), atol=4)


def test_ruled_paper_with_a_margin_is_no_table() -> None:
    page = rule(np.zeros((500, 640), np.float32), 0.3)
    page[:, 80:83] = 0.3
    assert furniture.find_table(remove(page)[1]) is None


@pytest.mark.parametrize(("line", "longest"), [(0.2, 60), (0.45, 40)])
def test_a_bar_written_along_a_rule_stays(line: float, longest: int) -> None:
    page = np.zeros((403, 611), np.float32)
    page[199:202] = line
    bars = np.zeros(page.shape, bool)
    for x, width in ((80, 40), (250, longest), (420, 30)):
        bars[197:204, x : x + width] = True
    page[bars] = FULL
    cleaned, rules = remove(page)
    assert rules.level[200].all()
    assert np.mean(cleaned[bars] > FULL / 2) > 0.9
    assert cleaned[~bars].max() < FULL / 4
