"""Pages are photographed with known homographies; the sheet must find its way back."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.pages import flattening


def draw_paper(width: int = 620, height: int = 860) -> npt.NDArray[np.uint8]:
    """Return a sheet with rows of short strokes."""
    paper = np.full((height, width, 3), (238, 240, 236), np.uint8)
    for y in range(120, height - 80, 90):
        for x in range(70, width - 70, 60):
            cv2.line(paper, (x, y), (x + 14, y - 36), (50, 45, 60), 5, cv2.LINE_AA)
    return paper


def photograph(
    paper: npt.NDArray[np.uint8], corners: npt.NDArray[np.float32], size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Lay the paper on a wooden table with its corners there, half of it in shadow."""
    grain = np.random.default_rng(2).normal(0, 12, (1, size[0], 1))
    table = np.tile(grain + np.array((105, 80, 55)), (size[1], 1, 1))
    height, width = paper.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    there = cv2.getPerspectiveTransform(flat, corners)
    mask = cv2.warpPerspective(np.ones((height, width)), there, size)[..., None]
    photo = cv2.warpPerspective(paper, there, size) * mask + table * (1 - mask)
    x = np.arange(size[0]) + 0.5 * np.arange(size[1])[:, None]
    photo *= (1 - 0.45 / (1 + np.exp(-(x - 600) / 15)))[..., None]
    return np.clip(photo, 0, 255).astype(np.uint8)


CORNERS = np.array([[90, 70], [700, 110], [670, 950], [60, 900]], np.float32)


def test_paper_is_found_on_a_table_in_spite_of_a_shadow() -> None:
    photo = photograph(draw_paper(), CORNERS, (770, 1010))
    borders = flattening.find_borders(photo)
    assert all(border.found for border in borders)
    np.testing.assert_allclose(flattening.intersect_borders(borders), CORNERS, atol=8)


def test_perspective_is_undone_and_boxes_find_their_way_back() -> None:
    sheet = flattening.lay_flat(photograph(draw_paper(), CORNERS, (770, 1010)))
    height, width = sheet.picture.shape[:2]
    corner = sheet.box_on_page(np.array([width - 2, height - 2, width, height]))
    np.testing.assert_allclose(corner[2:], CORNERS[2], atol=8)
    dark = cv2.cvtColor(sheet.picture, cv2.COLOR_RGB2GRAY) < 70
    assert sheet.paper.mean() > 0.93
    assert not dark[~sheet.paper].all()
    # Rows of strokes lie level again: the profile over the rows has empty rows between them.
    inner = dark[60:-60, 40:-40]
    assert np.mean(inner.sum(axis=1) == 0) > 0.4


def test_a_page_that_fills_its_picture_is_only_scaled() -> None:
    page = draw_paper(2000, 2600)
    sheet = flattening.lay_flat(page)
    assert sheet.picture.shape[0] * sheet.picture.shape[1] <= flattening.WORKING_PIXELS * 1.01
    corners = np.array([0, 0, sheet.picture.shape[1], sheet.picture.shape[0]])
    np.testing.assert_allclose(sheet.box_on_page(corners), (0, 0, 2000, 2600), atol=2)


@pytest.mark.parametrize("degrees", [-3.0, -0.75, 0.0, 1.5, 4.0])
def test_skew_is_measured_and_undone(degrees: float) -> None:
    page = draw_paper(801, 703)
    turn = cv2.getRotationMatrix2D((400, 351), degrees, 1.0)  # positive: the right side climbs
    skewed = cv2.warpAffine(page, turn, (801, 703), borderValue=(238, 240, 236))
    assert flattening.estimate_skew(skewed) == pytest.approx(degrees, abs=0.3)
    assert abs(flattening.estimate_skew(flattening.lay_flat(skewed).picture)) <= 0.3


def test_a_printed_frame_is_no_border_of_the_paper() -> None:
    page = draw_paper()
    cv2.rectangle(page, (40, 40), (580, 820), (0, 0, 0), 6)
    assert not any(border.found for border in flattening.find_borders(page))


def test_a_gray_page_becomes_a_color_sheet() -> None:
    sheet = flattening.lay_flat(np.full((90, 121), 200, np.uint8))
    assert sheet.picture.shape == (90, 121, 3)
    assert sheet.paper[1:-1, 1:-1].all()
