"""Classes that differ in capitals only, on disks where capitals count and where they do not."""

import os
from pathlib import Path

import pytest

from pipeline.intake.class_folders import make_class_folders, read_class_folders

LETTERS = ["A", "a", "B", "b", "c"]
WORDS = ["AB", "Ab", "x"]  # of the first two none is without a capital


@pytest.fixture
def no_capitals(monkeypatch):
    """Let the disk be as those of Windows and Macs are: a name opens what is called so but for
    capitals, and makes nothing beside it.
    """
    real = {name: getattr(os, name) for name in ("stat", "lstat", "mkdir")}

    def spell(path):
        found = Path(Path(path).anchor)
        for part in Path(path).parts[1:]:
            names = [path.name for path in found.iterdir()] if found.is_dir() else []
            same = [name for name in names if name.casefold() == part.casefold()]
            found = found / (same[0] if same else part)
        return str(found)

    def patch(name):
        busy = []

        def call(path, *args, **options):
            if busy or not isinstance(path, (str, Path)):
                return real[name](path, *args, **options)
            busy.append(name)
            try:
                path = spell(path)
            finally:
                busy.pop()
            return real[name](path, *args, **options)

        return call

    for name in real:
        monkeypatch.setattr(os, name, patch(name))


def folders(source):
    return sorted(path.name for path in source.iterdir())


def test_each_class_has_the_folder_of_its_name(tmp_path):
    make_class_folders(tmp_path, LETTERS)
    assert folders(tmp_path) == sorted(LETTERS)
    assert {name: read_class_folders(tmp_path, LETTERS)[name] for name in LETTERS} == {
        name: name for name in LETTERS
    }


def test_where_capitals_do_not_count_those_with_capitals_have_another(tmp_path, no_capitals):
    make_class_folders(tmp_path, LETTERS)
    assert folders(tmp_path) == ["%41", "%42", "a", "b", "c"]
    found = read_class_folders(tmp_path, LETTERS)
    assert {name: found[name] for name in folders(tmp_path)} == {
        "%41": "A", "%42": "B", "a": "a", "b": "b", "c": "c",
    }  # fmt: skip


def test_of_words_with_capitals_one_keeps_its_name(tmp_path, no_capitals):
    make_class_folders(tmp_path, WORDS)
    assert folders(tmp_path) == ["%41b", "AB", "x"]
    found = read_class_folders(tmp_path, WORDS)
    assert {name: found[name] for name in folders(tmp_path)} == {
        "%41b": "Ab", "AB": "AB", "x": "x",
    }  # fmt: skip


def test_folders_that_became_one_are_nobodys(tmp_path, no_capitals):
    """As when they are copied from a disk where capitals count."""
    (tmp_path / "A").mkdir()
    (tmp_path / "b").mkdir()
    found = read_class_folders(tmp_path, LETTERS)
    assert {name: found[name] for name in LETTERS} == {"A": "", "a": "", "B": "", "b": "", "c": "c"}
    (tmp_path / "%41").mkdir()
    (tmp_path / "%42").mkdir()
    found = read_class_folders(tmp_path, LETTERS)
    assert (found["A"], found["%41"], found["B"], found["b"]) == ("a", "A", "b", "b")


def test_a_class_that_is_called_like_another_ones_file_keeps_its_folder(tmp_path):
    classes = ["A", "a", "%41"]
    make_class_folders(tmp_path, classes)
    found = read_class_folders(tmp_path, classes)
    assert [found[name] for name in classes] == classes


def test_a_folder_may_be_called_as_the_file_of_its_class_is(tmp_path):
    """Not every disk takes a? as a name."""
    assert read_class_folders(tmp_path, ["a?", "b"])["a%3F"] == "a?"
