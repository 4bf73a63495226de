"""Finding the form in a picture, and saying what else the picture shows."""

import cv2
import numpy as np
import photography
import pytest
from photography import MM, Shot, photograph, print_form

from pipeline.forms import drawing
from pipeline.forms.code import describe_form, draw_marker
from pipeline.forms.finding import PIXELS_A_MM, FormError, find_form, shows_form
from pipeline.forms.layout import (
    Form,
    box_squares,
    code_squares,
    marker_number,
    marker_squares,
    square_corners,
)
from pipeline.forms.planning import plan_forms

pytestmark = pytest.mark.slow

(FORM,) = plan_forms("0123456789", "k3f9d2", writer="Ada Lovelace")
(OTHER,) = plan_forms("0123456789", "zz9x11", columns=6)
SHOT = Shot(megapixels=4, blur=0.8)


def take(form: Form, seed: int = 5, **changes):
    """Photograph a form; return the photo and the way from page mm to photo pixels."""
    shot = Shot(**(vars(SHOT) | changes))
    return photograph(print_form(form), shot, np.random.default_rng(seed))


def cover(page: np.ndarray, square, colour: int = 255) -> np.ndarray:
    """Return the page with a place in mm painted over."""
    x0, y0, x1, y1 = np.round(np.array(square) * MM).astype(int)
    covered = page.copy()
    covered[y0:y1, x0:x1] = colour
    return covered


def error_of(found, to_photo) -> float:
    """Return how far the boxes' corners are from where they really are, at worst, in mm."""
    corners = square_corners(box_squares(found.form).reshape(-1, 4)).reshape(-1, 2)
    away = np.linalg.norm(found.mapping.to_picture(corners) - to_photo(corners), axis=1)
    return float(away.max() / found.mapping.scale())


@pytest.mark.parametrize("degrees", [0, 47, 90, 179, 266])
def test_the_form_is_found_at_any_angle_in_perspective(degrees):
    photo, to_photo = take(FORM, degrees=degrees, perspective=0.12, shadow=0.45)
    found = find_form(photo)
    assert found.form == FORM
    assert error_of(found, to_photo) < 0.15


@pytest.mark.parametrize("corner", [0, 2, 4, 6])
def test_a_thumb_may_hide_a_corner(corner):
    x, y = marker_squares("a4")[corner][:2] + 5
    photo, to_photo = take(FORM, seed=corner, thumbs=((x, y),))
    found = find_form(photo)
    assert found.form == FORM
    assert error_of(found, to_photo) < 0.4


def test_curled_paper_is_followed():
    photo, to_photo = take(FORM, curl=0.04)
    found = find_form(photo)
    assert np.abs(found.mapping.bend).max() > 2  # pixels: a homography alone would miss it
    assert error_of(found, to_photo) < 1.0


def test_the_flat_page_is_the_printed_page_again():
    photo, _ = take(FORM, degrees=30, perspective=0.1, shadow=0)
    flat = find_form(photo).flat
    size = (210 * PIXELS_A_MM, 297 * PIXELS_A_MM)
    printed = cv2.resize(print_form(FORM), size, interpolation=cv2.INTER_AREA)[..., 1]
    inner = (slice(80, -80), slice(80, -80))
    flat = flat[: size[1], : size[0]]
    assert np.corrcoef(flat[inner].ravel(), printed[inner].ravel())[0, 1] > 0.85


def test_grey_scans_are_read_like_photos():
    page = photography.scan(print_form(OTHER), 150, 181.0, np.random.default_rng(1))
    assert find_form(page[..., 1].copy()).form == OTHER


@pytest.mark.parametrize("copy", [0, 1])
def test_one_readable_code_is_enough(copy):
    page = cover(print_form(FORM), code_squares("a4")[copy], 90)
    assert find_form(page).form == FORM


def test_a_form_printed_at_80_percent_is_read_as_well():
    page = print_form(FORM)
    small = cv2.resize(page, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    top, left = 300, 220
    smaller = np.full_like(page, 255)
    smaller[top : top + small.shape[0], left : left + small.shape[1]] = small
    assert find_form(smaller).form == FORM


def test_a_blurred_form_is_found_with_its_code():
    photo, to_photo = take(FORM, seed=2, megapixels=2, blur=1.5, degrees=4)
    found = find_form(photo)
    assert found.form == FORM
    assert error_of(found, to_photo) < 0.8  # half the gap to the next box's writing


def test_a_form_with_long_names_is_read_in_blur():
    names = [f"{word} {bird}" for word in ("northern", "lesser") for bird in ("grebe", "kestrel")]
    (form,) = plan_forms(names, "k3f9d2", writer="Ada Lovelace")
    photo, _ = take(form, megapixels=5, blur=1.6)
    assert form.version == 2
    assert find_form(photo).form == form


def test_a_code_as_earlier_releases_printed_it_is_read(monkeypatch):
    """They corrected a quarter of it, and made its modules half a millimetre."""

    def draw(form):
        parameters = cv2.QRCodeEncoder.Params()
        parameters.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_Q
        picture = cv2.QRCodeEncoder.create(parameters).encode(describe_form(form))
        return np.asarray(picture)[2:-2, 2:-2] == 0

    names = tuple(f"a rather long name, number {number}" for number in range(3))
    form = Form("a4", 10, 8, "box", names, "Ada", "k3f9d2")
    monkeypatch.setattr(drawing, "draw_code", draw)
    assert len(draw(form)) > 50
    photo, _ = take(form, seed=8, megapixels=8)
    assert find_form(photo).form == form


def test_two_forms_of_unlike_layouts_are_several():
    names = [f"a rather long name, number {number}" for number in range(9)]
    dense = plan_forms(names, "k3f9d2")[0]
    pair = np.hstack([print_form(FORM), print_form(dense)])
    with pytest.raises(FormError, match="Several forms in one picture"):
        find_form(cv2.resize(pair, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def print_page_of_text() -> np.ndarray:
    page = np.full((1400, 1000), 255, np.uint8)
    for line in range(24):
        words = "It was the best of times, it was the worst"
        cv2.putText(page, words, (60, 60 + 55 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    return page


def print_other_version() -> np.ndarray:
    page = print_form(FORM).copy()
    for position, square in enumerate(marker_squares("a4")):
        x0, y0, x1, y1 = np.round(square * MM).astype(int)
        modules = np.where(draw_marker(marker_number("a4", position, 3)), 0, 255)
        marker = cv2.resize(modules.astype(np.uint8), (x1 - x0, y1 - y0), interpolation=0)
        page[y0:y1, x0:x1] = marker[..., None]
    return page


def put_side_by_side() -> np.ndarray:
    pair = np.hstack([print_form(FORM), print_form(OTHER)])
    return cv2.resize(pair, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def cover_both_codes() -> np.ndarray:
    first, second = code_squares("a4")
    return cover(cover(print_form(FORM), first, 90), second)


def paste_two_halves() -> np.ndarray:
    half = 148 * round(MM)
    return np.vstack([print_form(FORM)[:half], print_form(OTHER)[half:]])


PAGES = {
    "a blank page": (lambda: np.full((1400, 1000), 250, np.uint8), "No form found: expected"),
    "a page of print": (print_page_of_text, "No form found: expected"),
    "noise": (
        lambda: np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8),
        "No form found: expected",
    ),
    "another version": (
        print_other_version,
        r"of layout 1 or 2, found .*\[48, 49",
    ),
    "two forms": (put_side_by_side, "Several forms in one picture"),
    "cut off below": (lambda: print_form(FORM)[:3000], "missing: bottom right, bottom, bottom"),
    "cut off aside": (lambda: print_form(FORM)[:, 500:], "found 5; missing: bottom left, left|top"),
    "codes covered": (cover_both_codes, "code cannot be read"),
    "halves of two forms": (paste_two_halves, "contradict one another.*k3f9d2|zz9x11"),
}


@pytest.mark.parametrize("name", PAGES)
def test_what_is_no_whole_form_is_refused_with_what_was_found(name):
    draw, message = PAGES[name]
    with pytest.raises(FormError, match=message):
        find_form(draw())


def test_an_array_that_is_no_picture_is_a_callers_bug():
    with pytest.raises(ValueError, match="uint8"):
        find_form(np.zeros((30, 40), np.float32))


def test_a_form_is_told_at_a_glance_though_it_fills_only_half_of_the_picture():
    photo, _ = take(FORM, megapixels=8, degrees=12, shadow=0.4)
    height, width = photo.shape[:2]
    around = ((height // 2, height // 2), (width // 2, width // 2), (0, 0))
    assert shows_form(np.pad(photo, around, constant_values=90))


@pytest.mark.parametrize("shade", [0, 190])
def test_squared_paper_shows_no_form(shade):
    paper = np.full((1403, 991), 240, np.uint8)
    paper[::19] = paper[:, ::19] = shade
    assert not shows_form(paper)


def test_one_marker_alone_is_no_form():
    page = np.full((900, 641, 3), 250, np.uint8)
    marker = np.where(draw_marker(marker_number("a4", 0)), 20, 250).astype(np.uint8)
    large = marker.repeat(8, axis=0).repeat(8, axis=1)[..., None]
    page[100:164, 200:264] = large
    assert not shows_form(page)
    page[700:764, 300:364] = large
    assert shows_form(page)
