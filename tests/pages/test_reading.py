"""Pages are drawn with known digits on known paper, then read."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from overlaps import overlap

from pipeline.pages import reading

Picture = npt.NDArray[np.uint8]
Boxes = list[tuple[int, int, int, int]]

PITCH = 88  # from one digit to the next
LINE = 128  # from one row to the next
START = (100, 120)


def write(
    words: list[str], size: tuple[int, int] = (1103, 821), start: tuple[int, int] = START
) -> tuple[npt.NDArray[np.float64], Boxes]:
    """Write digits in rows, a space leaves a gap; return their coverage (h, w) and true boxes."""
    page = np.zeros(size)
    boxes = []
    for row, word in enumerate(words):
        for column, letter in enumerate(word):
            alone = np.zeros(size, np.uint8)
            at = (start[0] + column * PITCH, start[1] + row * LINE)
            cv2.putText(alone, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 2.2, 255, 6, cv2.LINE_AA)
            page = np.maximum(page, alone / 255)
            ys, xs = np.nonzero(alone > 127)
            if len(ys):
                boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    return page, boxes


def put_on(paper: npt.NDArray[np.float64], ink: npt.NDArray[np.float64], pen: float) -> Picture:
    """Cover paper by a pen of that grey, with a little grain."""
    grain = np.random.default_rng(7).normal(0, 2, ink.shape)
    return np.clip(paper * (1 - ink) + pen * ink + grain, 0, 255).astype(np.uint8)


def plain(ink: npt.NDArray[np.float64]) -> Picture:
    return put_on(np.full(ink.shape, 235.0), ink, pen=40)


def chalk(ink: npt.NDArray[np.float64]) -> Picture:
    return put_on(np.full(ink.shape, 45.0), ink, pen=225)


def ruled(ink: npt.NDArray[np.float64]) -> Picture:
    paper = np.full(ink.shape, 240.0)
    paper[50::64] = paper[51::64] = 185
    paper[:, 70:73] = 190
    return put_on(paper, ink, pen=60)


def squared(ink: npt.NDArray[np.float64]) -> Picture:
    paper = np.full(ink.shape, 240.0)
    paper[::31] = paper[1::31] = 195
    paper[:, ::31] = paper[:, 1::31] = 195
    return put_on(paper, ink, pen=90)


def boxed(ink: npt.NDArray[np.float64]) -> Picture:
    paper = np.full(ink.shape, 240.0)
    x0, y0 = START[0] - 22, START[1] - 92
    for row in range(9):
        paper[y0 + row * LINE : y0 + row * LINE + 3, x0 : x0 + 8 * PITCH + 3] = 60
    for column in range(9):
        paper[y0 : y0 + 8 * LINE, x0 + column * PITCH : x0 + column * PITCH + 3] = 60
    title = np.zeros(ink.shape, np.uint8)
    cv2.putText(title, "Digits", (90, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return put_on(paper, np.maximum(ink, title / 255), pen=60)


def shadowed(ink: npt.NDArray[np.float64]) -> Picture:
    x = np.arange(ink.shape[1]) + 0.3 * np.arange(ink.shape[0])[:, None]
    light = 1 - 0.5 / (1 + np.exp(-(x - 520) / 8))
    return (plain(ink) * light).astype(np.uint8)


@pytest.mark.parametrize("paper", [plain, chalk, ruled, squared, boxed, shadowed])
def test_every_glyph_is_found_in_reading_order_whatever_the_paper(
    paper: Callable[[npt.NDArray[np.float64]], Picture],
) -> None:
    words = ["0123", "456789", "", "27"]
    ink, truth = write(words)
    found = reading.read_page(paper(ink), "rows").glyphs
    assert [(g.row, g.column) for g in found] == (
        [(0, k) for k in range(4)] + [(1, k) for k in range(6)] + [(2, k) for k in range(2)]
    )
    for glyph, box in zip(found, truth, strict=True):
        assert overlap(glyph.box, box) > 0.85
        assert glyph.score > 0.5


@pytest.mark.parametrize("paper", [plain, ruled, boxed])
def test_a_glyph_is_its_own_ink_coverage(
    paper: Callable[[npt.NDArray[np.float64]], Picture],
) -> None:
    ink, truth = write(["380", "695"])
    for glyph, (x0, y0, x1, y1) in zip(
        reading.read_page(paper(ink), "free").glyphs, truth, strict=True
    ):
        ys, xs = np.nonzero(glyph.pixels >= 128)
        mine = glyph.pixels[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] / 255
        mine = cv2.resize(mine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        assert np.abs(mine - ink[y0:y1, x0:x1]).mean() < 0.06
        frame = np.concatenate([glyph.pixels[[0, -1]].ravel(), glyph.pixels[:, [0, -1]].ravel()])
        assert frame.max() == 0


def test_a_photo_on_a_table_gives_boxes_in_its_own_pixels() -> None:
    ink, truth = write(["0123", "456789"])
    corners = np.array([[70, 90], [905, 60], [940, 1210], [40, 1180]], np.float32)
    flat = np.array([[0, 0], [821, 0], [821, 1103], [0, 1103]], np.float32)
    there = cv2.getPerspectiveTransform(flat, corners)
    photo = np.full((1290, 1000), 90, np.uint8)
    cv2.warpPerspective(
        plain(ink), there, (1000, 1290), dst=photo, borderMode=cv2.BORDER_TRANSPARENT
    )
    found = reading.read_page(photo, "free").glyphs
    for glyph, (x0, y0, x1, y1) in zip(found, truth, strict=True):
        outline = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float64)
        moved = cv2.perspectiveTransform(outline, there)[0]
        assert overlap(glyph.box, (*moved.min(axis=0), *moved.max(axis=0))) > 0.8


def test_a_sequence_keeps_its_columns_where_a_glyph_is_missing() -> None:
    ink, _ = write(["01234", "01 34", "01234"])
    found = reading.read_page(plain(ink), "sequence", row_length=5).glyphs
    assert [g.column for g in found if g.row == 1] == [0, 1, 3, 4]
    assert max(g.score for g in found if g.row == 1) < min(g.score for g in found if g.row != 1)
    assert [g.column for g in reading.read_page(plain(ink), "free").glyphs if g.row == 1] == [
        0,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize("level", [20, 128, 250])
def test_a_blank_page_has_no_glyphs(level: int) -> None:
    noise = np.random.default_rng(5).normal(level, 2, (401, 303)).clip(0, 255).astype(np.uint8)
    assert reading.read_page(noise, "rows").glyphs == []


@settings(max_examples=25)
@given(
    page=st_numpy.arrays(
        np.uint8,
        st.tuples(st.integers(1, 70), st.integers(1, 90), st.sampled_from([1, 3])).map(
            lambda shape: shape if shape[2] == 3 else shape[:2]
        ),
    )
)
def test_any_picture_gives_boxes_within_it_and_scores_within_bounds(page: Picture) -> None:
    for glyph in reading.read_page(page, "free").glyphs:
        x0, y0, x1, y1 = glyph.box
        assert -2 <= x0 < x1 <= page.shape[1] + 2
        assert -2 <= y0 < y1 <= page.shape[0] + 2
        assert 0 <= glyph.score <= 1


def test_cells_give_a_glyph_where_there_is_ink() -> None:
    ink, truth = write(["07", "2"], size=(262, 181), start=(20, 90))
    found = reading.cut_cells(plain(ink), 2, 2)
    assert [(g.row, g.column) for g in found] == [(0, 0), (0, 1), (1, 0)]
    assert all(overlap(g.box, box) > 0.85 for g, box in zip(found, truth, strict=True))


def test_one_subject_keeps_its_strokes_in_either_polarity() -> None:
    ink, truth = write(["4"], size=(151, 131), start=(40, 110))
    dark = plain(ink)
    for picture in (dark, 255 - dark, cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)):
        glyph = reading.cut_whole(picture)
        assert glyph is not None
        assert overlap(glyph.box, truth[0]) > 0.9
        assert glyph.pixels.max() == 255
    assert reading.cut_whole(np.full((40, 31), 200, np.uint8)) is None


def test_a_photo_is_said_to_look_like_one_and_a_glyph_is_not():
    """Brown noise stands for a photo: it is dark in patches of every size, all over."""
    dice = np.random.default_rng(5)
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(130), np.fft.fftfreq(90)))
    waves[0, 0] = np.inf
    photos = [
        np.fft.ifft2(np.fft.fft2(dice.normal(size=(90, 130))) / waves**1.5).real for _ in range(8)
    ]
    found = [reading.cut_whole(np.uint8(255 * (one - one.min()) / np.ptp(one))) for one in photos]
    assert sum(glyph.note == reading.PHOTO and glyph.score == 0 for glyph in found) >= 4
    drawn = [
        cv2.putText(np.full((90, 70), 240, np.uint8), d, (8, 75), 0, 2.6, 30, 8) for d in "0258"
    ]
    assert [reading.cut_whole(one).note for one in drawn] == [""] * 4


@given(
    pixels=st_numpy.arrays(
        np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)),
        elements=st.sampled_from([0, 40, 128, 230, 255]), fill=st.just(235),
    )
)  # fmt: skip
@settings(max_examples=60)
def test_no_small_picture_is_too_odd_to_be_searched(pixels):
    """Patches, frames and specks: however the paper is found, there is an answer."""
    for glyph in reading.read_page(pixels, "free").glyphs:
        x0, y0, x1, y1 = glyph.box
        assert x0 < x1 and y0 < y1
        assert glyph.pixels.max() > 0


@pytest.mark.parametrize("paper", [plain, ruled])
def test_the_boxes_that_were_found_give_the_same_ink_and_so_do_wider_ones(paper) -> None:
    page = paper(write(["380", "695"])[0])
    glyphs = reading.read_page(page, "free").glyphs
    boxes = [glyph.box for glyph in glyphs]
    wider = [(x0 - 5, y0 - 3, x1 + 4, y1 + 6) for x0, y0, x1, y1 in boxes]
    for some in (boxes, wider):
        for ink, glyph in zip(reading.cut_boxes(page, some), glyphs, strict=True):
            np.testing.assert_array_equal(ink, glyph.pixels)


def test_where_nothing_is_written_there_is_no_ink() -> None:
    page = plain(write(["380"])[0])
    x0, y0, x1, y1 = reading.read_page(page, "free").glyphs[0].box
    aside = (x0, y1 + 30, x1, y1 + 30 + y1 - y0)
    assert reading.cut_boxes(page, [aside])[0] is None


def test_what_a_page_drops_is_named_with_its_box() -> None:
    page = plain(write(["3801", "6952"])[0]).copy()
    page[300:303, 400:403] = 60  # a speck
    page[500:560, 0:9] = 60  # at the edge
    found = reading.read_page(page, "free")
    assert len(found.glyphs) == 8
    told = {mark.reason: mark.box for mark in found.dropped}
    assert "at the edge of the paper" in told
    x0, y0, x1, y1 = told["at the edge of the paper"]
    assert (x0 <= 2, y0 <= 502, x1 <= 12, y1 >= 558) == (True,) * 4
