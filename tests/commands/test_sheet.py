"""prep sheet: what it prints for, and what it refuses before anybody writes on paper."""

from pathlib import Path

import pytest
from conftest import write_params

from pipeline.forms import drawing


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder; what is drawn on the pages is tested in forms/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(drawing, "draw_forms", lambda pages: b"%PDF")
    return tmp_path


def told(text):
    return " ".join(text.split())


def test_it_prints_for_the_projects_own_classes(here, prep):
    write_params(here, classes=["x-1", "A", "a", "010"], experiments={"none": {}})
    code, printed, errors = prep("sheet", "form.pdf")
    assert (code, errors) == (0, "")
    assert "form.pdf: 1 page for 4 classes: x-1, A, a, 010. " in told(printed)


def test_outside_of_a_project_it_prints_for_digits_or_for_what_is_named(here, prep):
    assert "for 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9." in told(prep("sheet", "a.pdf")[1])
    _, printed, _ = prep("sheet", "b.pdf", "--classes", "A-C,a-c,0-12")
    assert "for 19 classes: A, B, C, a, b, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12." in told(
        printed
    )


@pytest.mark.parametrize("names", ["all", "-,+", "con", ".", "a/b", "COM1,2", "", "a,,b", "7,7"])
def test_what_params_yaml_refuses_is_refused_with_its_words_and_nothing_is_printed(
    here, prep, names
):
    code, _, errors = prep("sheet", "form.pdf", "--classes", names)
    assert (code, Path("form.pdf").exists()) == (1, False)
    write_params(here, classes=[*names.split(","), "other"], experiments={"none": {}})
    sentence = told(prep("ingest")[2]).split(": ", 3)[-1]
    assert told(errors) == f"Error: --classes: {sentence}"


def test_classes_that_the_project_has_not_are_told(here, prep):
    write_params(here)
    code, _, errors = prep("sheet", "form.pdf", "--classes", "bar,x,y")
    assert code == 0
    assert "not among the classes in params.yaml: x, y. Add them there before" in told(errors)
    assert prep("sheet", "other.pdf", "--classes", "bar")[2] == ""


def test_of_very_many_classes_some_are_named(here, prep):
    _, printed, _ = prep("sheet", "form.pdf", "--classes", "1-130", "--order", "box")
    assert "for 130 classes: 1, 2, 3," in told(printed)
    assert "99, 100 and 30 more. Print at" in told(printed)


def test_one_writer_twice_is_refused(tmp_path, monkeypatch, prep):
    monkeypatch.chdir(tmp_path)
    code, _, errors = prep("sheet", "x.pdf", "--writer", "Ada", "--writer", "Bo", "--writer", "Ada")
    assert code == 1
    assert "--writer Ada is given twice" in " ".join(errors.split())
    assert not (tmp_path / "x.pdf").exists()
