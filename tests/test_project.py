"""A project's paths: found from below, named from the root, safe for any class."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.project import Project, class_file_name, find_project


def test_the_project_is_found_from_below(tmp_path):
    (tmp_path / "params.yaml").touch()
    deep = tmp_path / "raw/photos"
    deep.mkdir(parents=True)
    assert find_project(deep) == Project(tmp_path)


def test_no_project_says_how_to_start_one(tmp_path):
    with pytest.raises(DataError, match="prep init"):
        find_project(tmp_path)


def test_a_missing_input_names_the_command_that_makes_it(tmp_path):
    project = Project(tmp_path)
    with pytest.raises(DataError, match=r"processed/tiles\.h5 is not there.*prep normalise"):
        project.input("tiles.h5")
    with pytest.raises(DataError, match=r"augmented/flip/cat\.h5 is not there.*prep augment"):
        project.require(project.variants_file("flip", "cat"))


@pytest.mark.parametrize(
    "name, expected", [("cat", "cat"), ("猫", "猫"), ('a<b>"?', "a%3Cb%3E%22%3F"), ("50%", "50%25")]
)
def test_a_class_becomes_a_file_name_that_every_system_takes(name, expected):
    assert class_file_name(name) == class_file_name(name, ["dog", name]) == expected


@pytest.mark.parametrize(
    "classes, expected",
    [
        (["A", "a", "B", "Cat"], ["%41", "a", "B", "Cat"]),
        (["AB", "Ab", "aB", "ab"], ["%41%42", "%41b", "a%42", "ab"]),
        (["Ä", "ä", "%c3%84"], ["%C3%84", "ä", "%25c3%2584"]),
        (["Straße", "STRASSE"], ["%53tra%C3%9Fe", "%53%54%52%41%53%53%45"]),
        (["?A", "?a"], ["%3F%41", "%3Fa"]),
    ],
)
def test_classes_that_differ_in_capitals_have_files_on_every_disk(classes, expected):
    assert [class_file_name(name, classes) for name in classes] == expected


@given(st.sets(st.text("aAbBßẞsSſéÉ%4168cC<", min_size=1, max_size=4), min_size=2, max_size=8))
def test_no_two_classes_share_a_file(classes):
    """On a disk that folds capitals in full, as Unicode says."""
    classes = {unicodedata.normalize("NFC", name) for name in classes}
    names = {class_file_name(name, classes).casefold() for name in classes}
    assert len(names) == len(classes)
