"""Pictures of known nature: may they be handwriting?"""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from photography import print_form
from scipy.ndimage import gaussian_filter, map_coordinates

from pipeline.forms.planning import plan_forms
from pipeline.pages import flattening, plausibility, reading
from pipeline.pages.pieces import Writing, find_pieces
from pipeline.subjects import search

pytestmark = pytest.mark.slow

Picture = npt.NDArray[np.uint8]
SIZE = (811, 1103)
LETTERS = "abcdeghkmnpqrsuxyz"


def draw_letter(text: str, thickness: int = 4) -> npt.NDArray[np.float64]:
    """Draw a letter: coverage 0..1, (76, 70)."""
    tile = np.zeros((76, 70), np.uint8)
    cv2.putText(tile, text, (14, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, thickness, cv2.LINE_AA)
    return tile / 255


def bend(tile: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Bend a letter as no two are written the same: smooth shifts of about 2 pixels."""
    shifts = np.array([gaussian_filter(rng.normal(size=tile.shape), 9) for _ in range(2)])
    places = np.indices(tile.shape) + 2 * shifts / shifts.std()
    return np.asarray(map_coordinates(tile, places, order=1))


def write_page(letters: str, hand: int | None, thickness: int = 4) -> Picture:
    """Write letters on grainy paper: by a hand of that seed, or by a printer (None)."""
    rng = np.random.default_rng(hand)
    ink_map = np.zeros(SIZE)
    for number, letter in enumerate(letters):
        row, column = divmod(number, 14)
        tile = draw_letter(letter, thickness)
        tile = tile if hand is None else bend(tile, rng)
        y, x = 30 + 92 * row, 40 + 73 * column
        ink_map[y : y + 76, x : x + 70] = np.maximum(ink_map[y : y + 76, x : x + 70], tile)
    grain = np.random.default_rng(1).normal(0, 2, SIZE)
    return np.clip(235 - 195 * ink_map + grain, 0, 255).astype(np.uint8)


def draw_scenery(seed: int) -> Picture:
    """Draw pebbles of all sizes and shades, as in a photo of nothing written."""
    rng = np.random.default_rng(seed)
    scene = np.full(SIZE, 215, np.uint8)
    low, high = (0, 0, 4, 4, 40), (SIZE[1], SIZE[0], 60, 60, 170)
    for x, y, width, height, shade in rng.integers(low, high, (120, 5)).tolist():
        cv2.ellipse(scene, (x, y), (width, height), x + y, 0, 360, shade, -1, cv2.LINE_AA)
    return np.clip(cv2.blur(scene, (3, 3)) + rng.normal(0, 4, SIZE), 0, 255).astype(np.uint8)


def doubt(picture: Picture) -> str:
    return reading.read_page(picture, "free").doubt


def find_writing(picture: Picture) -> tuple[Writing, npt.NDArray[np.bool_]]:
    sheet = flattening.lay_flat(picture)
    return reading.read_writing(sheet), sheet.paper


@pytest.mark.parametrize("letters", ["e", "abc", "3" * 80, LETTERS * 4])
@pytest.mark.parametrize("thickness", [2, 4, 9])
def test_handwriting_is_not_doubted(letters: str, thickness: int) -> None:
    page = write_page(letters, hand=5, thickness=thickness)
    assert len(reading.read_page(page, "free").glyphs) >= len(letters) * 0.9
    assert doubt(page) == ""
    assert doubt(255 - page) == ""


def test_one_page_may_be_written_with_a_fine_and_a_broad_pen() -> None:
    page = write_page("abcdeghkmn", hand=2, thickness=2)
    page[400:] = write_page("abcdeghkmn" * 8, hand=2, thickness=11)[400:]
    assert doubt(page) == ""


@pytest.mark.parametrize("seed", range(3))
def test_a_photo_is_doubted_with_what_was_measured(seed: int) -> None:
    said = doubt(draw_scenery(seed))
    assert "looks like a photo, not like writing on paper" in said
    assert "of it is dark where no glyph is, and strokes are" in said


def test_print_is_doubted_but_a_few_printed_letters_may_be_chance() -> None:
    said = doubt(write_page(LETTERS * 6, hand=None))
    assert "looks like print, not like handwriting: 100% of its letters" in said
    assert doubt(write_page(LETTERS[:3] * 6, hand=None)) == ""
    assert doubt(write_page("l" * 80, hand=None)) == ""  # a stroke is a stroke


def test_what_is_too_small_to_be_read_is_doubted() -> None:
    page = np.full(SIZE, 235, np.uint8)
    for y in range(100, 700, 60):
        page[y : y + 4, 100:1000:40] = page[y : y + 4, 101:1000:40] = 30
        page[y : y + 4, 102:1000:40] = 30
    assert doubt(page) == (
        "what was found is about 4 pixels high, too small to be read; photograph it nearer, or "
        "scan it finer"
    )


def test_an_empty_page_is_not_doubted() -> None:
    assert doubt(np.full(SIZE, 235, np.uint8)) == ""


def test_clutter_is_the_dark_share_of_the_paper_away_from_the_writing() -> None:
    writing, paper = find_writing(write_page("abc", hand=1))
    inked = plausibility.mark_writing(writing)
    assert plausibility.measure_clutter(writing, inked, paper) == 0
    coverage = writing.coverage.copy()
    coverage[500:550, 300:400] = 200
    dirty = replace(writing, coverage=coverage)
    measured = plausibility.measure_clutter(dirty, inked, paper)
    assert measured == pytest.approx(5000 / paper.sum())


def test_widths_are_those_of_the_strokes_and_spread_only_within_a_piece() -> None:
    coverage = np.zeros((101, 203), np.uint8)
    coverage[10:90, 20:25] = 255  # 5 pixels wide
    coverage[10:90, 60:75] = 255  # 15 pixels wide
    pieces = find_pieces(coverage)
    widths, spread = plausibility.measure_widths(pieces.labels, coverage > 0)
    assert np.percentile(widths, (10, 90)) == pytest.approx((5.5, 15.5), abs=1)
    assert spread < 0.15
    coverage[40:50, 25:60] = 255  # now they are one piece
    pieces = find_pieces(coverage)
    assert plausibility.measure_widths(pieces.labels, coverage > 0)[1] > 0.3


def test_tiles_are_correlated_whatever_their_sizes_and_inks() -> None:
    first = (255 * draw_letter("a")).astype(np.uint8)
    larger = cv2.resize(first, None, fx=1.5, fy=2)
    other = (255 * draw_letter("k")).astype(np.uint8)
    table = plausibility.correlate([first, larger, first // 2, other])
    small = [cv2.resize(t, (24, 24), interpolation=cv2.INTER_AREA).ravel() for t in (first, other)]
    assert table[0, 3] == pytest.approx(np.corrcoef(small)[0, 1], abs=1e-5)
    assert table[:3, :3].min() > 0.98
    assert table[3, :3].max() < 0.8


def test_a_doubted_page_gives_no_subject_but_says_why_and_shows_what_was_seen() -> None:
    photo = draw_scenery(0)
    searched = search.search_flowing_page(photo, "free", ["cat"], "cat", "")
    assert searched.subjects == ()
    assert searched.reason.startswith("this looks like a photo, not like writing on paper: ")
    assert searched.reason.endswith("; expected a handwritten page of layout free")
    assert searched.overlay is not None
    assert (searched.overlay != photo[..., None]).any()


def test_a_form_among_ordinary_pages_is_no_ordinary_page() -> None:
    page = print_form(plan_forms("47", "k3f9d2")[0])
    searched = search.search_flowing_page(page, "free", ["4", "7"], "4", "")
    assert searched.subjects == ()
    assert searched.reason == (
        "this is a form printed by `prep sheet`; expected a page of layout free. Give forms a "
        "folder and a source of their own, with layout: form"
    )


@pytest.mark.parametrize("spread, is_page", [(1, True), (24, False)])
def test_dark_bars_beside_many_glyphs_of_one_height_make_no_photo(
    spread: int, is_page: bool
) -> None:
    coverage = np.zeros((400, 900), np.uint8)
    for number in range(24):
        y, x = 20 + 70 * (number // 12), 20 + 70 * (number % 12)
        cv2.rectangle(coverage, (x, y), (x + 20, y + 30 + number * spread // 24), 255, 4)
    for x in range(20, 860, 80):
        coverage[230:360, x : x + 36] = 255  # as of a title in print
    found = find_pieces(coverage)
    glyphs = [[int(piece)] for piece in np.flatnonzero(found.sizes[:, 1] < 100)]
    paper = np.ones(coverage.shape, bool)
    writing = Writing(coverage, found, glyphs, 34, 4, np.tile([34.0, 4.0], (len(glyphs), 1)))
    assert plausibility.measure_clutter(writing, plausibility.mark_writing(writing), paper) > 0.12
    assert ("photo" not in plausibility.doubt_writing(writing, paper)) == is_page
