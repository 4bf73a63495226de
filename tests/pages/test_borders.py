"""Digits are drawn on bare ground, lines are laid along the edges, and the glyph stays the same."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.pages import borders, reading
from pipeline.tiles.normalising import normalise_mnist

Ink = npt.NDArray[np.uint8]

GROUNDS = {"dark": (255, 0), "light": (0, 255), "pencil": (210, 70), "chalk": (50, 225)}


def write(text: str = "5", *, height: int = 150, width: int = 131) -> Ink:
    """Return the ink (height, width) of a character, 255 on 0, with room about it."""
    drawn = np.zeros((height, width), np.uint8)
    at = (width // 2 - 25, height // 2 + 30)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, 2.4, 255, 9, cv2.LINE_AA)
    return drawn


def cut_tightly(ink: Ink) -> Ink:
    """Return the smallest part that shows all ink."""
    rows, columns = (np.flatnonzero((ink > 127).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def draw_lines(
    ink: Ink, sides: str, thick: int = 2, *, inset: int = 0, turn: float = 0.0, dots: int = 0
) -> Ink:
    """Lay lines along sides (t, r, b, l), from edge to edge or to the lines beside them."""
    room, (height, width) = 40, ink.shape
    wide = np.zeros((height + 2 * room, width + 2 * room), np.uint8)
    top, left = (room + inset if side in sides else 0 for side in "tl")
    bottom, right = (
        room + length - inset if side in sides else length + 2 * room
        for side, length in (("b", height), ("r", width))
    )
    if "t" in sides:
        wide[top : top + thick, left:right] = 255
    if "b" in sides:
        wide[bottom - thick : bottom, left:right] = 255
    if "l" in sides:
        wide[top:bottom, left : left + thick] = 255
    if "r" in sides:
        wide[top:bottom, right - thick : right] = 255
    if dots:
        wide[(np.add.outer(*map(np.arange, wide.shape)) // dots) % 2 == 1] = 0
    middle = ((wide.shape[1] - 1) / 2, (wide.shape[0] - 1) / 2)
    turned = cv2.warpAffine(wide, cv2.getRotationMatrix2D(middle, turn, 1), wide.shape[::-1])
    return np.maximum(ink, turned[room : room + height, room : room + width])


def put_on(ink: Ink, ground: str) -> Ink:
    paper, pen = GROUNDS[ground]
    return np.rint(paper + (pen - paper) * (ink / 255)).astype(np.uint8)


def tile_of(picture: Ink) -> tuple[npt.NDArray[np.int64], reading.Glyph]:
    glyph = reading.cut_whole(picture)
    assert glyph is not None
    return normalise_mnist(glyph.pixels).astype(np.int64), glyph


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize(
    ("sides", "how"),
    [
        *[("trbl", {"thick": thick}) for thick in (1, 2, 3, 4, 6)],
        *[(sides, {}) for sides in ("trb", "tl", "br", "tb", "lr", "t", "r", "b", "l")],
        *[("trbl", {"turn": turn}) for turn in (-2.5, -1, 0.6, 3)],
        *[("b", {"turn": 1.5, "thick": 3}), ("tl", {"turn": -1})],
        *[("trbl", {"inset": inset}) for inset in (1, 3, 6)],
        *[("b", {"inset": 4}), ("trbl", {"inset": 3, "turn": 1})],
        *[("trbl", {"dots": dots, "thick": 3}) for dots in (2, 3, 5)],
        ("b", {"dots": 4}),
    ],
)  # fmt: skip
def test_lines_along_the_edges_are_no_part_of_the_glyph(sides, how, ground):
    alone, _ = tile_of(put_on(write(), ground))
    tile, glyph = tile_of(put_on(draw_lines(write(), sides, **how), ground))
    assert np.abs(tile - alone).mean() < 5
    assert glyph.score == 1.0
    # Dots that lie far apart are specks, which are never taken for writing.
    assert glyph.note == borders.REMOVED or "dots" in how


@pytest.mark.parametrize("level", [60, 110, 150, 200])
def test_grey_lines_turn_nothing_inside_out(level):
    alone, _ = tile_of(put_on(write(), "dark"))
    lined = np.minimum(draw_lines(np.zeros_like(write()), "trbl", 3), level)
    tile, _ = tile_of(put_on(np.maximum(write(), lined), "dark"))
    assert np.abs(tile - alone).mean() < 5


@pytest.mark.parametrize("ground", GROUNDS)
def test_writing_may_touch_the_line(ground):
    touching = write()[51:]  # so high does the 5 begin
    alone, _ = tile_of(put_on(touching, ground))
    tile, glyph = tile_of(put_on(draw_lines(touching, "trbl", 2), ground))
    assert np.abs(tile - alone).mean() < 12
    assert glyph.note == borders.REMOVED


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("margin", [0, 1, 6, 15])
@pytest.mark.parametrize("text", list("0123456789ABCDEFGHKLMNPQRSTUVXYZ-=+"))
def test_strokes_that_touch_the_edge_are_kept(text, margin, ground):
    """A tight cut of a T is a line along the edge with something below it, and yet a T."""
    picture = put_on(np.pad(cut_tightly(write(text)), margin), ground)
    _, glyph = tile_of(picture)
    assert glyph.score == 1.0 and glyph.note == ""
    assert borders.find_border(picture) is None


@pytest.mark.parametrize("cut", [np.s_[40:], np.s_[:-60], np.s_[:, 50:], np.s_[:, :-45]])
@pytest.mark.parametrize("text", list("0123456789"))
def test_a_digit_that_the_edge_cuts_through_is_kept(text, cut):
    assert borders.find_border(put_on(write(text)[cut], "dark")) is None


@pytest.mark.parametrize("ground", ["dark", "light"])
def test_an_empty_cell_is_doubtful(ground):
    bare = np.zeros((90, 81), np.uint8)
    _, glyph = tile_of(put_on(draw_lines(bare, "trbl"), ground))
    assert (glyph.score, glyph.note) == (0.25, borders.FRAME)


def test_what_may_be_a_border_or_a_stroke_is_told():
    ink = draw_lines(write(), "trbl", 16)
    ink[50:60] = 255  # joined with lines as thick as strokes
    _, glyph = tile_of(put_on(ink, "dark"))
    assert glyph.score <= 0.5
    assert glyph.note


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (15, 15), (16, 17)])
def test_the_smallest_pictures_are_looked_at_too(shape):
    assert borders.find_border(np.zeros(shape, np.uint8)) is None
