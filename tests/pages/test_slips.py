"""Slips are laid on drawn desks at known places; what is found is held against these."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from overlaps import overlap

from pipeline.pages import flattening, ink, reading, slips

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Boxes = list[tuple[int, int, int, int]]

SIZE = (903, 1201)
WHITE, YELLOW, BLUE = (244, 243, 238), (246, 228, 120), (188, 212, 240)


def _noise(sigma: float, seed: int = 3) -> Floats:
    grain = np.random.default_rng(seed).standard_normal(SIZE)
    grain = cv2.GaussianBlur(grain, (0, 0), sigma)
    return np.asarray((grain - grain.mean()) / grain.std())


def leather() -> Floats:
    return (30 + 22 * np.clip(_noise(2.5), 0, None) ** 2)[..., None] * [1, 0.9, 0.8]


def wood() -> Floats:
    grain = cv2.resize(_noise(3)[:, : SIZE[1] // 40], SIZE[::-1])
    return np.asarray((105 + 16 * grain)[..., None] * [1, 0.85, 0.65])


def cloth() -> Floats:
    return (80 + 18 * _noise(2))[..., None] * [0.7, 0.8, 1]


def dark() -> Floats:
    return (36 + 2 * _noise(2))[..., None] * [1, 1, 1]


def checks() -> Floats:
    y, x = (np.arange(side) // 53 % 2 for side in SIZE)
    return (90 + 45.0 * (y[:, None] + x))[..., None] * [1, 0.6, 0.6]


def blue() -> Floats:
    return (130 + 2 * _noise(2))[..., None] * [0.4, 0.6, 1]


def lay(
    desk: Floats, corners: Sequence[Sequence[float]], words: Sequence[str], color: Sequence[int]
) -> Boxes:
    """Lay a slip with words on a desk, in place; return the true boxes of its letters."""
    there = np.array(corners, np.float32)
    sides = np.linalg.norm(np.roll(there, -1, axis=0) - there, axis=1)
    width, height = round((sides[0] + sides[2]) / 2), round((sides[1] + sides[3]) / 2)
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(flat, there)
    mask = cv2.warpPerspective(np.ones((height, width)), turn, SIZE[::-1])[..., None]
    shadow = cv2.GaussianBlur(np.roll(mask[..., 0], (7, 9), (0, 1)), (0, 0), 5)[..., None]
    desk *= 1 - 0.4 * shadow * (1 - mask)
    slip = np.full((height, width, 3), color, np.float64)
    boxes = []
    for row, word in enumerate(words):
        for column, letter in enumerate(word):
            alone = np.zeros((height, width), np.uint8)
            at = (32 + 56 * column, 68 + 74 * row)
            cv2.putText(alone, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 1.4, 255, 4, cv2.LINE_AA)
            slip -= (alone / 255)[..., None] * (slip - 45)
            ys, xs = np.nonzero(cv2.warpPerspective(alone, turn, SIZE[::-1]) > 127)
            if len(ys):
                boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    desk[:] = desk * (1 - mask) + cv2.warpPerspective(slip, turn, SIZE[::-1]) * mask
    return boxes


def photograph(scene: Floats) -> Picture:
    grain = np.random.default_rng(5).normal(0, 2, scene.shape)
    return np.clip(scene + grain, 0, 255).astype(np.uint8)


def turn_box(
    centre: tuple[float, float], size: tuple[float, float], degrees: float
) -> list[list[float]]:
    """Return the corners of a turned box from its top left; clockwise is positive."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    off = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    return (off @ np.array([[c, s], [-s, c]]) + centre).tolist()


def assert_read(page: reading.ReadPage, truth: Boxes, least: float = 0.6) -> None:
    """Assert that each letter is found once, and nothing else, in this order."""
    assert not page.doubt
    assert [g.score > 0 for g in page.glyphs] == [True] * len(truth)
    for glyph, box in zip(page.glyphs, truth, strict=True):
        assert overlap(glyph.box, box) > least


@pytest.mark.parametrize("degrees", [-41, 13, 30])
@pytest.mark.parametrize("desk", [leather, wood, cloth, dark, checks])
def test_a_slip_is_found_on_any_desk_at_any_angle(
    desk: Callable[[], Floats], degrees: float
) -> None:
    scene = desk()
    corners = turn_box((640, 430), (420, 330), degrees)
    truth = lay(scene, corners, ["RKSETA", "HWLPA", "ZKE"], WHITE)
    photo = photograph(scene)
    [slip] = slips.find_slips(photo)
    np.testing.assert_allclose(slip.corners, corners, atol=9)
    assert slip.whole
    assert_read(reading.read_page(photo, "rows"), truth)


def test_a_slip_that_stands_on_its_side_is_turned_by_the_smallest_angle() -> None:
    scene = wood()
    lay(scene, turn_box((600, 450), (420, 300), 80), ["RKS"], WHITE)
    [slip] = slips.find_slips(photograph(scene))
    np.testing.assert_allclose(slip.corners, turn_box((600, 450), (300, 420), -10), atol=9)


def test_rows_go_on_from_slip_to_slip_in_reading_order() -> None:
    scene = leather()
    truth = lay(scene, turn_box((330, 240), (330, 300), 6), ["RKS", "TE"], WHITE)
    truth += lay(scene, turn_box((860, 220), (330, 260), -8), ["WLP"], YELLOW)
    truth += lay(scene, turn_box((500, 660), (330, 260), -4), ["ZKE", "AHR"], BLUE)
    page = reading.read_page(photograph(scene), "rows")
    assert_read(page, truth, 0.7)
    assert [g.row for g in page.glyphs] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


def test_ten_slips_are_ten_sheets() -> None:
    scene = dark()
    for number in range(10):
        centre = (130 + 235 * (number % 5), 230 + 440 * (number // 5))
        lay(scene, turn_box(centre, (180, 300), 7 - 2 * number), ["RK", "TE"], WHITE)
    sheets = flattening.lay_sheets(photograph(scene))
    assert len(sheets) == 10
    middles = [sheet.box_on_page(np.array([80, 140, 100, 160]))[0] for sheet in sheets]
    assert middles[:5] == sorted(middles[:5])
    assert middles[5:] == sorted(middles[5:])
    assert middles[5] < middles[4]


def test_of_slips_that_overlap_each_is_read_as_far_as_it_shows() -> None:
    scene = cloth()
    lower = lay(scene, turn_box((430, 350), (420, 400), 5), ["RKSE", "TE", "AH"], WHITE)
    upper = lay(scene, turn_box((720, 560), (420, 300), -9), ["WLPA", "KEZ"], YELLOW)
    assert_read(reading.read_page(photograph(scene), "rows"), lower + upper)


def test_a_slip_half_out_of_the_picture_is_laid_straight_too() -> None:
    scene = checks()
    truth = lay(scene, turn_box((950, 720), (800, 800), 17), ["", "", "  RKSE", "  TEA"], WHITE)
    truth = [box for box in truth if box[2] < SIZE[1] - 20 and box[3] < SIZE[0] - 20]
    assert len(truth) > 4
    assert_read(reading.read_page(photograph(scene), "free"), truth)


def test_colour_tells_paper_from_a_desk_as_light() -> None:
    scene = np.full((*SIZE, 3), 214.0)
    corners = turn_box((600, 420), (430, 330), 21)
    truth = lay(scene, corners, ["RKSETA", "HWL"], YELLOW)
    [slip] = slips.find_slips(photograph(scene))
    np.testing.assert_allclose(slip.corners, corners, atol=9)
    assert_read(reading.read_page(photograph(scene), "rows"), truth)


@pytest.mark.parametrize("desk", [leather, wood, cloth, dark, blue])
def test_a_desk_without_paper_gives_nothing(desk: Callable[[], Floats]) -> None:
    page = reading.read_page(photograph(desk()), "free")
    assert page.doubt or not page.glyphs


def test_nothing_is_read_beside_a_blank_slip() -> None:
    scene = leather()
    lay(scene, turn_box((600, 430), (420, 330), 13), [], WHITE)
    assert reading.read_page(photograph(scene), "free") == reading.ReadPage([])


def test_the_grain_of_leather_is_no_chalk() -> None:
    specks = photograph(cv2.resize(leather()[:450, :600], SIZE[::-1]))
    assert "specks" in reading.read_page(specks, "free").doubt


def test_a_page_that_fills_its_picture_is_no_slip() -> None:
    scene = np.full((*SIZE, 3), 236.0)
    lay(scene, [[0, 0], [1201, 0], [1201, 903], [0, 903]], ["RKSETA", "HWLPA"], WHITE)
    cv2.rectangle(scene, (500, 400), (900, 700), (40.0, 40.0, 40.0), 4)
    assert slips.find_slips(photograph(scene)) == []


def test_a_shadow_across_a_page_divides_no_sheet() -> None:
    scene = dark()
    corners = [[60.0, 50.0], [1140.0, 60.0], [1150.0, 850.0], [50.0, 840.0]]
    truth = lay(scene, corners, ["RKSETAHWL", "ZKE", "PASETRK"], WHITE)
    x = np.arange(SIZE[1]) + 0.6 * np.arange(SIZE[0])[:, None]
    scene *= (1 - 0.45 / (1 + np.exp(-(x - 700) / 6)))[..., None]
    [sheet] = flattening.lay_sheets(photograph(scene))
    assert not sheet.on_desk  # its borders show it more exactly
    assert_read(reading.read_page(photograph(scene), "rows"), truth)


def test_boxes_as_they_were_found_give_the_same_ink_on_turned_slips() -> None:
    scene = leather()
    lay(scene, turn_box((330, 420), (380, 380), 33), ["RKSET", "AHW", "ZPA"], WHITE)
    lay(scene, turn_box((900, 420), (340, 300), -25), ["WLPA", "TR"], YELLOW)
    photo = photograph(scene)
    glyphs = reading.read_page(photo, "free").glyphs
    assert len(glyphs) == 17
    cut = reading.cut_boxes(photo, [glyph.box for glyph in glyphs])
    for mine, glyph in zip(cut, glyphs, strict=True):
        assert mine is not None
        np.testing.assert_array_equal(mine, glyph.pixels)


def test_chalk_on_a_slate_is_turned_dark_whatever_lies_around_it() -> None:
    slate = np.full((400, 500, 3), 50, np.uint8)
    slate[100:300:9, 150:350] = 220
    paper = np.zeros((400, 500), bool)
    paper[80:320, 130:370] = True
    busy = slate.copy()
    busy[:, 380:] = 240
    busy[::4, 390:] = 0  # a desk with more and stronger lines, dark ones
    assert ink.darken_writing(busy, paper)[200, 135].mean() > 150
