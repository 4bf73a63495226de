"""Names of files that begin with their class, and names that only look like it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.class_names import ClassNames, name_of_file
from pipeline.intake.files import PictureFile

DECOMPOSED = "Mu\N{COMBINING DIAERESIS}ller"  # as a Mac may write it


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cat.0.jpg", "cat"), ("dog_12.png", "dog"), ("cat (3).jpg", "cat"), ("3-0001.png", "3"),
        ("cat.jpg", "cat"), ("cat", "cat"), ("CAT.7.JPG", "cat"), ("Dog-a.png", "dog"),
        ("30.png", ""), ("3", "3"), ("catalogue.1.jpg", ""), ("cat7.jpg", ""),
        ("IMG_cat_7.jpg", ""), ("cat\N{COMBINING TILDE}.jpg", ""), ("_cat.jpg", ""), ("", ""),
        ("bull dog 1.jpg", "bull dog"), ("bull_1.jpg", "bull"), ("bull dogs.jpg", "bull"),
        ("v1.5.jpg", "v1.5"), ("v1.6.jpg", ""), ("%3F.1.png", "?"), ("straße 2.jpg", "STRASSE"),
    ],
)  # fmt: skip
def test_the_class_stands_at_the_start_and_the_longest_counts(name, found):
    classes = ["cat", "dog", "3", "bull", "bull dog", "v1.5", "?", "STRASSE"]
    assert ClassNames(classes).find(name) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [("A_1.png", "A"), ("a_1.png", "a"), ("B_1.png", "b"), ("%41_1.png", "A"), ("a b.png", "a B")],
)
def test_capitals_count_only_where_classes_differ_in_nothing_else(name, found):
    assert ClassNames(["A", "a", "b", "a B"]).find(name) == found


def test_names_are_composed_and_without_their_folders():
    for file in (
        PictureFile(f"raw/photos/{DECOMPOSED}.1.jpg"),
        PictureFile("raw/photos/a.zip", f"dog/{DECOMPOSED}.1.jpg"),
    ):
        assert ClassNames(["Müller", "dog"]).find(name_of_file(file)) == "Müller"


@given(st.text("ab1._ -", max_size=9))
def test_it_is_what_a_regular_expression_finds(name):
    longest = re.match(r"(a_b|ab|a|b1)(?![a-z0-9])", name)
    assert ClassNames(["a", "ab", "a_b", "b1"]).find(name) == (longest[1] if longest else "")


@pytest.mark.parametrize(
    ("name", "meant"), [("IMG_cat_7.jpg", "cat"), ("dgo.3.png", "dog"), ("0001.png", "")]
)
def test_a_class_that_may_be_meant_is_found_in_any_word(name, meant):
    assert ClassNames(["cat", "dog"]).find_nearest(name) == meant
