"""Reading filled-in forms: print, write, photograph in simulation, read, compare."""

import cv2
import numpy as np
import photography
import pytest
from photography import MM, PENS, Shot, cross_out, draw_stroke, photograph, print_form, write_glyph
from sklearn.datasets import load_digits

from pipeline.forms.finding import PIXELS_A_MM, FormError
from pipeline.forms.layout import Form, form_boxes
from pipeline.forms.lines import measure_darkness
from pipeline.forms.planning import plan_forms
from pipeline.forms.reading import ReadForm, read_form

pytestmark = pytest.mark.slow

(DIGITS,) = plan_forms("0123456789", "k3f9d2", writer="Ada Lovelace")
(WORDS,) = plan_forms(["x", "×", "l", "yes"], "q1w2e3", rows=8, columns=5, paper="letter")
STATES = ("written", "empty", "crossed")


def glyph_of(digit: int, rng: np.random.Generator) -> np.ndarray:
    """Return one of scikit-learn's digits, 40x40, ink bright."""
    data = load_digits()
    picture = data.images[rng.choice(np.flatnonzero(data.target == digit))]
    large = cv2.resize(picture.astype(np.float32), (40, 40), interpolation=cv2.INTER_CUBIC)
    return np.clip(large * 16, 0, 255).astype(np.uint8) * (large > 2)


def fill_in(form: Form, rng: np.random.Generator, pen: str = "blue"):
    """Return a filled-in page and what was done to each box: state and ink coverage."""
    page, truth = print_form(form).copy(), []
    for box in form_boxes(form):
        state = rng.choice(STATES, p=(0.8, 0.13, 0.07))
        ink = None
        if state != "empty":
            glyph = glyph_of(int(box.label), rng)
            ink = write_glyph(page, box.square, glyph, PENS[pen], rng, rng.uniform(0.45, 0.7))[2]
        if state == "crossed":
            cross_out(page, box.square, PENS[pen], rng, rng.choice(["cross", "scribble"]))
        truth.append((state, ink))
    return page, truth


def shape_of(ink: np.ndarray) -> np.ndarray:
    """Return the ink within its bounds as 16x16 grey of unit length."""
    rows, columns = np.nonzero(ink > ink.max() / 2)
    tight = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    small = cv2.resize(tight.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA)
    return small.ravel() / np.linalg.norm(small)


def states_of(result: ReadForm) -> list[str]:
    return [cell.state for cell in result.boxes]


PHOTOS = {
    "phone, hard shadow": ("blue", Shot(6, 0.12, 17, 1.3, 3, 0.45)),
    "upside down, thumb": ("pencil", Shot(5, 0.08, 191, 1.0, 3, 0.2, thumbs=((13, 284),))),
    "slanted, curled": ("red", Shot(6, 0.06, 62, 1.1, 3, 0.3, hard_shadow=False, curl=0.02)),
    "messenger, 2 megapixels": ("black", Shot(2, 0.05, 92, 0.8, 2, 0.3)),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photographed_form_gives_every_glyph_its_label(name):
    pen, shot = PHOTOS[name]
    rng = np.random.default_rng(len(name))
    page, truth = fill_in(DIGITS, rng, pen)
    photo, to_photo = photograph(page, shot, rng)
    result = read_form(photo)

    assert (result.form, result.group) == (DIGITS, "Ada Lovelace")
    assert states_of(result) == [state for state, _ in truth]
    for cell, box, (state, ink) in zip(result.boxes, form_boxes(DIGITS), truth, strict=True):
        assert (cell.label, cell.row, cell.column) == (box.label, box.row, box.column)
        middle = to_photo(np.array(box.square).reshape(2, 2).mean(axis=0))[0]
        assert np.linalg.norm(cell.quad.mean(axis=0) - middle) < 1.0 * np.sqrt(shot.megapixels)
        if state == "written":
            assert shape_of(cell.pixels) @ shape_of(ink) > 0.9
            x0, y0, x1, y1 = cell.box
            assert x0 < middle[0] < x1 or y0 < middle[1] < y1


def test_scans_in_grey_and_in_black_and_white_are_read():
    page, truth = fill_in(DIGITS, np.random.default_rng(3), "black")
    scan = photography.scan(page, 200, 89.0, np.random.default_rng(4))[..., 1].copy()
    two_tone = np.where(scan > 128, 255, 0).astype(np.uint8)  # the pale boxes are lost
    for picture in (scan, two_tone):
        assert states_of(read_form(picture)) == [state for state, _ in truth]


def box_of(form: Form, row: int, column: int) -> np.ndarray:
    return np.array(form_boxes(form)[row * form.columns + column].square)


def draw_in(page, square, points, width=0.6, pen="blue") -> None:
    """Draw a line through points given as fractions of a box."""
    side = square[2] - square[0]
    draw_stroke(page, (square[:2] + np.array(points) * side) * MM, width * MM, PENS[pen])


def draw_x(page, square, low, high) -> None:
    draw_in(page, square, [(low, low), (high, high)])
    draw_in(page, square, [(high, low), (low, high)])


def test_the_letter_x_is_writing_and_a_cross_past_the_corners_is_not():
    page = print_form(WORDS).copy()
    for column, reach in enumerate((0.25, 0.15, 0.1)):
        draw_x(page, box_of(WORDS, 0, column), reach, 1 - reach)
    draw_x(page, box_of(WORDS, 0, 3), -0.04, 1.04)
    draw_in(page, box_of(WORDS, 0, 4), [(-0.05, 1.05), (1.05, -0.05)])  # one stroke through
    result = read_form(page)
    assert [cell.label for cell in result.boxes[:5]] == ["x"] * 5
    assert states_of(result)[:5] == ["written"] * 3 + ["crossed"] * 2
    assert set(states_of(result)[5:]) == {"empty"}


def test_a_cross_leaves_its_neighbours_as_they_are():
    page = print_form(WORDS).copy()
    for row in range(3):
        for column in range(3):
            draw_in(page, box_of(WORDS, row, column), [(0.3, 0.2), (0.4, 0.8), (0.7, 0.5)])
    draw_x(page, box_of(WORDS, 1, 1), -0.07, 1.07)
    states = np.array(states_of(read_form(page))).reshape(8, 5)[:3, :3]
    assert states[1, 1] == "crossed"
    assert (states == "written").sum() == 8


def test_a_scribble_within_the_box_is_crossed_out():
    page = print_form(WORDS).copy()
    turns = [(0.15 + 0.035 * n, 0.15 if n % 2 else 0.85) for n in range(21)]
    draw_in(page, box_of(WORDS, 2, 2), turns, width=0.7)
    assert states_of(read_form(page))[12] == "crossed"


def test_a_tail_across_the_line_stays_whole_and_the_line_goes():
    page = print_form(WORDS).copy()
    square = box_of(WORDS, 3, 1)
    draw_in(page, square, [(0.5, 0.3), (0.5, 1.08)], width=0.7)  # out through the lower line
    cell = read_form(page).boxes[16]
    assert cell.state == "written"
    side = (square[2] - square[0]) * PIXELS_A_MM
    height, width = cell.pixels.shape
    round_ends, padding = 0.7 * PIXELS_A_MM, 8
    assert height == pytest.approx(0.78 * side + round_ends + padding, abs=5)
    assert width < 20  # pixels: the stroke alone, nothing of the line that it crosses
    assert cell.pixels[6:-10].max(axis=1).min() > 200


def test_a_stroke_along_the_line_is_not_taken_for_the_line():
    page = print_form(WORDS).copy()
    draw_in(page, box_of(WORDS, 1, 2), [(0.02, 0.2), (0.02, 0.8)], width=0.7)
    cell = read_form(page).boxes[7]
    assert cell.state == "written"
    assert cell.pixels.shape[0] > 0.5 * (box_of(WORDS, 1, 2) @ [-1, 0, 1, 0]) * PIXELS_A_MM


def test_a_covered_box_and_ink_that_joins_two_boxes_are_unclear():
    page = print_form(WORDS).copy()
    draw_in(page, box_of(WORDS, 4, 3), [(0.5, 0.5), (1.7, 0.5)], width=0.7)
    x0, y0, x1, y1 = np.round(box_of(WORDS, 6, 1) * MM).astype(int)
    page[y0 - 30 : y1 + 30, x0 - 30 : x1 - 40] = (190, 140, 120)  # a finger, a note, a coin
    states = states_of(read_form(page))
    assert states[4 * 5 + 3 : 4 * 5 + 5] == ["unclear"] * 2
    assert states[6 * 5 + 1] == "unclear"


RIGHT, DOWN = (1, 0), (0, 1)


@pytest.mark.parametrize("way", [RIGHT, DOWN])
@pytest.mark.parametrize(("beyond", "states"), [(-0.6, "written"), (0.2, "written"),
                                                (0.9, "unclear"), (6.0, "unclear")])  # fmt: skip
def test_a_stroke_may_reach_the_next_box_but_not_run_into_it(way, beyond, states):
    page = print_form(WORDS).copy()
    own, row, column = box_of(WORDS, 3, 1), 3 + way[1], 1 + way[0]
    following = box_of(WORDS, row, column)
    draw_in(page, following, [(0.7, 0.6), (0.8, 0.9)])
    side = own[2] - own[0]
    # To so many mm within the next box's line, half the stroke's width for its round end.
    end = (following[:2] - own[:2])[way.index(1)] + beyond - 0.3
    draw_in(page, own, [(0.5, 0.5), tuple(0.5 if step == 0 else end / side for step in way)])
    boxes = read_form(page).boxes
    first, second = boxes[3 * 5 + 1], boxes[row * 5 + column]
    assert (first.state, second.state) == (states, states)
    if states == "unclear":
        assert first.reason == "a stroke runs out of the box"
        assert second.reason == "a stroke runs in from the next box"
    others = [box.state for box in boxes if box not in (first, second)]
    assert set(others) == {"empty"}


def test_a_stroke_into_an_empty_box_or_the_printed_label_is_not_used():
    page = print_form(DIGITS).copy()
    draw_in(page, box_of(DIGITS, 2, 4), [(0.5, 0.3), (0.5, 1.6)])  # into the empty box below
    draw_in(page, box_of(DIGITS, 5, 0), [(0.4, 0.5), (-0.2, 0.5)], width=1.5)  # through the 5
    boxes = {(box.row, box.column): box for box in read_form(page).boxes}
    unclear = {place for place, box in boxes.items() if box.state == "unclear"}
    assert unclear == {(2, 4), (3, 4), (5, 0)}
    assert boxes[5, 0].reason == "a stroke runs out of the box"


@pytest.mark.parametrize("burnt", ["all", "one side"])
def test_boxes_are_read_whose_lines_bright_light_burns_out(burnt):
    page, truth = fill_in(DIGITS, np.random.default_rng(3), pen="blue")
    light = np.full(page.shape[1], 1.45)
    if burnt == "one side":
        light[page.shape[1] * 2 // 3 :] = 0.7
    bright = np.clip(page * light[:, None], 0, 255).astype(np.uint8)
    left, top = np.round(box_of(DIGITS, 0, 0)[:2] * MM).astype(int)
    assert (bright[top + 30, left - 5 : left + 6] == 255).all()  # nothing is left of the line
    result = read_form(bright)
    assert states_of(result) == [state for state, _ in truth]


@pytest.mark.parametrize("shade", [False, True])
def test_what_covers_a_box_beside_burnt_ones_is_seen(shade):
    page = print_form(WORDS).copy()
    page = np.clip(page * 1.45, 0, 255).astype(np.uint8)
    x0, y0, x1, y1 = np.round(box_of(WORDS, 6, 1) * MM).astype(int)
    if shade:
        page[:, : x0 - 60] = print_form(WORDS)[:, : x0 - 60] * 0.8
    page[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30] = (190, 140, 120)
    result = read_form(page).boxes[6 * 5 + 1]
    assert (result.state, result.reason) == ("unclear", "it is covered, or its line is not seen")


def test_writing_that_bright_light_leaves_pale_is_not_used():
    page, _ = fill_in(DIGITS, np.random.default_rng(5), pen="pencil")
    with pytest.raises(FormError, match="are covered, blurred, too dark or too bright"):
        read_form(np.clip(page * 1.85, 0, 255).astype(np.uint8))


def test_coverage_is_full_in_the_stroke_soft_at_its_edge_and_zero_beside_it():
    page = print_form(WORDS).copy()
    draw_in(page, box_of(WORDS, 0, 0), [(0.3, 0.3), (0.7, 0.7)], width=1.0, pen="pencil")
    pixels = read_form(page).boxes[0].pixels
    assert pixels.dtype == np.uint8
    assert pixels.max() == 255
    assert 0.1 < np.mean((pixels > 20) & (pixels < 235)) / np.mean(pixels >= 235) < 1.5
    assert not np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).any()


def test_a_hard_shadow_is_no_ink():
    paper = np.full((600, 500), 230, np.uint8)
    paper[:, 210:] = 110
    grain = np.random.default_rng(0).normal(0, 2, paper.shape)
    dark = measure_darkness(np.clip(paper + grain, 0, 255).astype(np.uint8))
    assert dark.shape == (600, 500)
    assert np.quantile(dark, 0.999) < 25


def test_without_a_name_the_set_of_pages_is_the_group():
    assert read_form(print_form(WORDS)).group == "form-q1w2e3"
