"""The PDF of a form, looked at as a printer would print it."""

import cv2
import numpy as np
import photography
import pytest

from pipeline.errors import DataError
from pipeline.forms import drawing
from pipeline.forms.code import parse_form
from pipeline.forms.drawing import draw_forms, find_font, suggest_font
from pipeline.forms.layout import form_boxes, marker_squares
from pipeline.forms.planning import plan_forms

DPI = 200
MM = DPI / 25.4
FORMS = plan_forms("0123", "k3f9d2", rows=2, columns=5, writer="Łukasz", paper="letter")


@pytest.fixture(scope="module")
def pages() -> list[np.ndarray]:
    return [page.min(axis=2) for page in photography.render_pdf(draw_forms(FORMS), DPI)]


def test_the_pdf_has_a_page_for_each_form_of_the_papers_size(pages):
    assert [page.shape for page in pages] == [(2200, 1700)] * 2


def test_opencv_finds_the_markers_where_the_layout_says(pages):
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_ARUCO_MIP_36H12)
    corners, numbers, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(pages[0])
    found = {
        int(number): square[0] for number, square in zip(numbers.ravel(), corners, strict=True)
    }
    for number, (x0, y0, x1, y1) in zip(range(24, 32), marker_squares("letter"), strict=True):
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) * MM
        np.testing.assert_allclose(found[number], corners, atol=1.5)


def test_opencv_reads_both_codes_of_each_page(pages):
    for form, page in zip(FORMS, pages, strict=True):
        for half in (page[:600], page[1600:]):
            text, *_ = cv2.QRCodeDetector().detectAndDecode(half)
            assert parse_form(text) == form


def test_the_boxes_are_pale_lines_at_their_place_with_white_inside(pages):
    for box in form_boxes(FORMS[0]):
        x0, y0, x1, y1 = (edge * MM for edge in box.square)
        middle = round((y0 + y1) / 2)
        for edge in (x0, x1):
            line = pages[0][middle, round(edge) - 3 : round(edge) + 4]
            assert 150 < line.min() < 235
            assert abs(int(line.argmin()) - 3) <= 2
        assert (pages[0][round(y0) + 4 : round(y1) - 4, round(x0) + 4 : round(x1) - 4] == 255).all()


def test_the_same_forms_give_the_same_bytes():
    assert draw_forms(FORMS[:1]) == draw_forms(FORMS[:1])


def test_a_class_that_no_font_shows_is_named_with_a_font_to_install(monkeypatch):
    own = drawing._font_files()[:1]
    monkeypatch.setattr(drawing, "_font_files", lambda: own)
    with pytest.raises(DataError, match=r"'あ' .*HIRAGANA LETTER A.*Noto Sans CJK"):
        draw_forms(plan_forms("あい", "k3f9d2"))


@pytest.mark.parametrize(
    ("character", "font"),
    [("漢", "Noto Sans CJK"), ("ก", "Noto Sans Thai"), ("न", "Noto Sans Devanagari")],
)
def test_each_script_has_its_font(character, font):
    assert suggest_font(character).startswith(font)


def test_latin_greek_and_cyrillic_need_no_installed_font():
    assert find_font("Łż Ω я ß").name == "DejaVuSans.ttf"
