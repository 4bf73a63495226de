"""The layout of the printed form: its places, its classes, and the code that describes it."""

import string
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.forms.code import (
    describe_form,
    draw_code,
    draw_marker,
    pack_names,
    parse_form,
    unpack_names,
)
from pipeline.forms.layout import (
    PAPERS,
    Form,
    box_labels,
    box_squares,
    code_squares,
    form_boxes,
    marker_number,
    marker_squares,
    place_of_marker,
)
from pipeline.forms.planning import expand_classes, plan_forms

BIRDS = ("goshawk", "wagtail", "grebe", "kestrel", "bunting", "dunlin")
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8
)


def _letters(count: int, seed: int) -> str:
    """Return a name that nothing can shorten."""
    return "".join(np.random.default_rng(seed).choice(list(string.ascii_letters), count))


def plan_digits(**changes) -> tuple[Form, ...]:
    return plan_forms(string.digits, "k3f9d2", **changes)


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_ten_digits_fill_one_page_with_a_row_each():
    (form,) = plan_digits()
    boxes = form_boxes(form)
    assert len(boxes) == 80
    assert {(box.row, box.label) for box in boxes} == {(n, str(n)) for n in range(10)}
    assert boxes[0].square[2] - boxes[0].square[0] > 15  # mm: room to write in


def test_26_letters_take_three_pages_of_nearly_equal_length():
    forms = plan_forms(string.ascii_uppercase, "k3f9d2")
    assert ["".join(form.classes) for form in forms] == ["ABCDEFGHI", "JKLMNOPQ", "RSTUVWXYZ"]
    assert [(form.page, form.pages) for form in forms] == [(1, 3), (2, 3), (3, 3)]


def test_few_classes_repeat_their_rows_as_often_as_the_page_holds():
    (form,) = plan_forms("abc", "k3f9d2", rows=7, columns=2)
    assert "".join(box_labels(form)) == "aaaabbbbcccc"


def test_classes_can_follow_one_another_box_by_box():
    (form,) = plan_forms("abc", "k3f9d2", rows=2, columns=4, order="box")
    assert "".join(box_labels(form)) == "abcabc"  # whole runs: each class the same number of times


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("order", ["row", "box"])
@pytest.mark.parametrize(("rows", "columns"), [(10, 8), (3, 2), (14, 12), (12, 4)])
@pytest.mark.parametrize("version", [1, 2])
def test_nothing_on_the_page_overlaps_and_all_lies_within_the_printable_area(
    paper, order, rows, columns, version
):
    (form,) = plan_forms("ab", "k3f9d2", rows, columns, "Ada", paper, order)
    form = replace(form, version=version)
    codes = code_squares(paper, version)
    places = [*marker_squares(paper), *codes, *box_squares(form).reshape(-1, 4)]
    for index, place in enumerate(places):
        assert place[2] - place[0] == pytest.approx(place[3] - place[1])
        assert place[0] >= 6 and place[2] <= PAPERS[paper][0] - 6
        assert place[1] >= 6 and place[3] <= PAPERS[paper][1] - 6
        assert not any(overlap(place, other) for other in places[:index])


def test_a_markers_number_tells_version_paper_and_place():
    numbers = [
        marker_number(paper, place, version)
        for paper in PAPERS
        for place in range(8)
        for version in (1, 2)
    ]
    assert len(set(numbers)) == 32
    assert place_of_marker(marker_number("letter", 5)) == (1, "letter", 5)
    assert place_of_marker(marker_number("letter", 5, 2)) == (2, "letter", 5)


def test_a_drawn_marker_is_the_one_that_opencv_detects():
    picture = np.where(draw_marker(21), 0, 255).astype(np.uint8).repeat(12, 0).repeat(12, 1)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_ARUCO_MIP_36H12)
    found = cv2.aruco.ArucoDetector(dictionary).detectMarkers(
        np.pad(picture, 30, constant_values=255)
    )
    assert found[1].ravel().tolist() == [21]


def test_the_code_is_an_ordinary_qr_code_that_any_phone_reads():
    (form,) = plan_forms("あいう", "k3f9d2", writer="花子")
    picture = np.where(np.pad(draw_code(form), 4), 0, 255).astype(np.uint8)
    text, *_ = cv2.QRCodeDetector().detectAndDecode(picture.repeat(8, 0).repeat(8, 1))
    assert parse_form(text) == form
    assert "花子" in text


def test_a_page_with_much_to_say_has_a_larger_code_of_larger_modules():
    (short,) = plan_forms(string.digits, "k3f9d2", writer="Ada Lovelace")
    words = [f"{word} {bird}" for word in ("northern", "lesser") for bird in BIRDS]
    forms = plan_forms(words, "k3f9d2", writer="Ada Lovelace")
    assert (short.version, {form.version for form in forms}) == (1, {2})
    for form in (short, *forms):
        x0, _, x1, _ = code_squares(form.paper, form.version)[0]
        assert (x1 - x0) / len(draw_code(form)) > 0.69  # mm
        picture = np.where(np.pad(draw_code(form), 4), 0, 255).astype(np.uint8)
        text, *_ = cv2.QRCodeDetector().detectAndDecode(picture.repeat(8, 0).repeat(8, 1))
        assert parse_form(text) == form
    assert "\n" not in text  # of the long ones


@settings(max_examples=40)
@given(text=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", max_size=80))
def test_no_text_is_inflated_that_is_not_a_forms(text):
    with pytest.raises(ValueError):
        parse_form(text)


@given(
    names=st.lists(NAMES, min_size=1, max_size=30, unique=True).map(tuple),
)
def test_names_survive_packing(names):
    assert unpack_names(pack_names(names)) == names


def test_runs_are_shortened():
    assert len(pack_names(tuple(string.digits + string.ascii_letters))) == 9


@given(
    names=st.lists(NAMES, min_size=1, max_size=12, unique=True).map(tuple),
    writer=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20),
    grid=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    order=st.sampled_from(["row", "box"]),
)
def test_the_code_carries_the_whole_form(names, writer, grid, order):
    form = Form("letter", *grid, order, names, writer, "k3f9d2", 2, 7)
    assert parse_form(describe_form(form)) == form


@settings(max_examples=40)
@given(where=st.integers(0, 60), letter=st.sampled_from("0aé "))
def test_no_changed_text_is_believed(where, letter):
    text = describe_form(plan_digits(writer="Ada Lovelace")[0])
    where %= len(text)
    changed = text[:where] + letter + text[where + 1 :]
    if changed != text:
        with pytest.raises(ValueError, match="checksum"):
            parse_form(changed)


def test_names_that_fill_the_code_are_spread_over_more_pages():
    names = [_letters(60, seed) for seed in range(9)]
    forms = plan_forms(names, "k3f9d2")
    assert len(forms) > 1
    assert [name for form in forms for name in form.classes] == names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["7", "1", "7"]}, "found twice: 7"),
        ({"classes": []}, "needs classes"),
        ({"classes": ["a\tb"]}, "control characters"),
        ({"classes": [_letters(300, 0)]}, "too long for the code"),
        ({"paper": "a5"}, "a4, letter, found 'a5'"),
        ({"columns": 40}, "leave boxes of"),
        ({"rows": 0}, "found 0 x 8"),
    ],
)
def test_what_cannot_be_printed_is_said(changes, message):
    with pytest.raises(DataError, match=message):
        plan_forms(**({"classes": "0123456789", "identity": "k3f9d2"} | changes))


def test_classes_are_typed_as_names_and_runs():
    assert expand_classes("0-3, x,apple,あ") == ("0", "1", "2", "3", "x", "apple", "あ")
    assert expand_classes("e-mail") == ("e-mail",)
    assert expand_classes("+,-,A-C") == ("+", "-", "A", "B", "C")
    assert expand_classes("Ä-Ë, 8\N{EN DASH}11") == ("Ä", "Å", "Æ", "Ç", "È", "É", "Ê", "Ë",
                                                    "8", "9", "10", "11")  # fmt: skip


@pytest.mark.parametrize(
    "typed, first, last, count",
    [("0-12", "0", "12", 13), ("00-12", "00", "12", 13), ("098-101", "098", "101", 4),
     ("А-Я", "А", "Я", 32), ("あ-ん", "あ", "ん", 82)],
)  # fmt: skip
def test_a_run_is_of_numbers_or_of_letters_of_one_kind(typed, first, last, count):
    names = expand_classes(typed)
    assert (names[0], names[-1], len(names), len(set(names))) == (first, last, count, count)


@pytest.mark.parametrize("typed", ["5-3", "z-a", "A-z", "1-x", "a-12", "Ä-Ü", "3-3", "0-99999999"])
def test_what_looks_like_a_run_and_is_none_is_never_one_name(typed):
    with pytest.raises(DataError, match=f"'{typed}' is no run of names, such as 0-9, A-Z"):
        expand_classes(f"x,{typed}")
