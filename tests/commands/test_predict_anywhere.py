"""prep predict without a project, without a model, without a layout; and what it writes."""

import csv
import hashlib
import re
import subprocess
import sys

import drawn_digits
import numpy as np
import photography
import pytest
from conftest import write_params

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.forms.planning import plan_forms
from pipeline.intake import images
from pipeline.network import shipped

DIGITS = list("0123456789")


@pytest.fixture
def anywhere(tmp_path, monkeypatch):
    """A folder that lies in no project, current folder and all."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def digits(anywhere):
    """A project for digits in which nothing is trained."""
    write_params(anywhere, classes=DIGITS, sources=[{"path": "raw/pages", "layout": "free"}])
    return anywhere


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(picture))
    return path.as_posix()


def draw_page(*lines, side=110):
    """Return a page with lines of digits."""
    rows = [[drawn_digits.draw(int(d), 6, side=side) for d in line] for line in lines]
    widest = max(map(len, rows))
    blank = np.full((side, side), 255, np.uint8)
    return np.vstack([np.hstack(row + [blank] * (widest - len(row))) for row in rows])


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- drawn digits ---------------------------------------------------------------------------------

HANDS = {
    "thin": {"brush": 4},
    "usual, soft": {"brush": 11, "soft": True, "place": (0.2, 0.7)},
    "broad, on black": {"brush": 20, "light": True, "height": 0.75},
    "thick, soft": {"brush": 30, "height": 0.8, "soft": True},
    "small, in a corner": {"brush": 5, "height": 0.2, "place": (0.05, 0.9)},
    "large, on black": {"brush": 8, "height": 0.9, "light": True, "soft": True},
}


@pytest.mark.parametrize("hand", HANDS)
def test_of_ten_drawn_digits_nine_are_read(anywhere, prep, hand):
    pictures = [
        save(anywhere / f"{digit}.png", drawn_digits.draw(digit, **HANDS[hand]))
        for digit in range(10)
    ]
    code, _, errors = prep("predict", *pictures, "--csv", "read.csv")
    assert (code, errors) == (0, "")
    read = [row["label"] for row in read_csv(anywhere / "read.csv")]
    assert sum(label == str(digit) for digit, label in enumerate(read)) >= 9, read


def test_one_close_up_is_answered_first_and_without_tensorflow(anywhere):
    save(anywhere / "seven.png", drawn_digits.draw(7, 12))
    program = (
        "import sys; from pipeline.cli import app; "
        "app(['predict', 'seven.png'], standalone_mode=False); "
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=anywhere, capture_output=True, text=True, check=True
    )
    first, look, *_, last = done.stdout.splitlines()
    assert first.startswith("7 (") and first.endswith(" %)")
    assert look == (
        "Read by its look: seven.png as a close-up of one subject (whole). --layout NAME says "
        "otherwise."
    )
    assert last == "[]"
    assert f"labelled by the digit model that comes with prep ({shipped.ACCURACY} %" in done.stdout
    assert [path.suffix for path in (anywhere / "predictions").iterdir()] == [".jpg"]


def test_of_many_subjects_the_least_sure_are_shown_and_with_a_table_none(anywhere, prep):
    page = save(anywhere / "page.png", draw_page(*["0123456789"] * 4))
    code, printed, _ = prep("predict", page)
    assert code == 0
    assert "The 30 least sure of 40 predictions; all of them: --csv FILE" in printed
    table = printed.split("--csv FILE")[1]
    assert len(re.findall(r"[01]\.\d{3} +\d \(0\.\d{3}\)", table)) == 30
    code, printed, _ = prep("predict", page, "--csv", "read.csv")
    rows = read_csv(anywhere / "read.csv")
    assert (code, len(rows)) == (0, 40)
    assert "predictions;" not in printed and not re.search(r"\d \(0\.\d{3}\)", printed)
    assert "0 1 2 3 4 5 6 7 8 9" in printed


# --- the layout -----------------------------------------------------------------------------------


def test_a_page_is_read_out_row_by_row(anywhere, prep):
    save(anywhere / "page.png", draw_page("3141", "592"))
    code, printed, errors = prep("predict", "page.png")
    assert (code, errors) == (0, "")
    assert printed.splitlines()[:2] == ["3 1 4 1", "5 9 2"]
    assert "page.png as a page of any writing (free)" in printed


def test_a_form_is_known_by_its_markers(anywhere, prep):
    [form] = plan_forms(DIGITS, "k3f9d2")
    save(anywhere / "form.png", photography.print_form(form))
    code, _, errors = prep("predict", "form.png")
    assert code == 1
    assert "form.png: no box of the form is filled in" in errors
    assert "form.png as a form (form)" in errors


def test_the_layout_that_is_said_goes_before_the_look(anywhere, prep):
    save(anywhere / "page.png", draw_page("17", "4"))
    _, printed, _ = prep("predict", "page.png", "--layout", "whole", "--csv", "one.csv")
    assert "Read by its look" not in printed
    assert len(read_csv(anywhere / "one.csv")) == 1


def test_in_a_project_a_picture_of_a_source_has_its_layout(digits, prep):
    write_params(
        digits,
        classes=DIGITS,
        sources=[
            {"path": "raw/pages", "layout": "free"},
            {"path": "raw/cells", "layout": "cells", "rows": 1, "columns": 2},
        ],
    )
    picture = save(digits / "raw/cells/two.png", draw_page("17"))
    code, printed, _ = prep("predict", picture, "--csv", "read.csv")
    assert (code, "Read by its look" in printed) == (0, False)
    assert [row["label"] for row in read_csv(digits / "read.csv")] == ["1", "7"]


def test_a_page_of_a_project_is_read_as_its_pages_are(digits, prep):
    write_params(digits, classes=DIGITS, sources=[{"path": "raw/pages", "layout": "rows"}])
    save(digits / "page.png", draw_page("17", "4"))
    _, printed, _ = prep("predict", "page.png")
    assert "page.png as a page of rows (rows)" in printed


@pytest.mark.slow
@pytest.mark.parametrize("ten, subjects", [("10", 1), ("x", 2)])
def test_what_may_be_a_word_is_not_taken_apart(digits, prep, ten, subjects):
    from pipeline.network import building, saving

    saving.save(building.build("dense16", (28, 28, 1), 11, seed=5), digits / "m.keras")
    write_params(digits, classes=[*DIGITS, ten], sources=[{"path": "raw/p", "layout": "whole"}])
    save(digits / "ten.png", draw_page("10"))
    code, printed, _ = prep("predict", "ten.png", "--model", "m.keras", "--csv", "read.csv")
    assert (code, len(read_csv(digits / "read.csv"))) == (0, subjects)
    assert (f"ten.png as a {'close-up' if subjects == 1 else 'page'}" in printed) is True


# --- the model ------------------------------------------------------------------------------------


def test_in_a_project_of_digits_without_trainings_the_own_model_is_told(digits, prep):
    save(digits / "two.png", drawn_digits.draw(2, 9))
    code, printed, errors = prep("predict", "two.png")
    assert (code, printed[:3]) == (0, "2 (")
    assert errors == (
        "Note: no experiment of this project is trained yet, so the model is prep's own\n"
    )
    assert (digits / "processed/predictions").is_dir()


def test_an_experiment_needs_a_project(anywhere, prep):
    save(anywhere / "two.png", drawn_digits.draw(2, 9))
    code, _, errors = prep("predict", "two.png", "--model", "flip")
    assert code == 1
    assert "'flip' is no .keras file. Experiments have names in a project" in errors


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True])
def test_a_keras_file_is_used_without_a_project(anywhere, prep, named):
    from pipeline.network import building, saving

    saving.save(building.build("dense16", (20, 20, 1), 3, seed=5), anywhere / "m.keras")
    if named:
        (anywhere / "run.json").write_text('{"classes": ["ab", "cd", "ef"]}')
    save(anywhere / "two.png", drawn_digits.draw(2, 9))
    code, printed, errors = prep("predict", "two.png", "--model", "m.keras")
    assert code == 0
    assert printed.split(" (")[0] in (["ab", "cd", "ef"] if named else ["0", "1", "2"])
    assert ("its classes are called 0 to 2, and " in errors) != named
    assert "its tiles are made by method mnist, as nothing says otherwise" in errors


# --- what is written ------------------------------------------------------------------------------


def test_the_table_has_ids_boxes_and_the_two_best_labels(anywhere, prep):
    page = draw_page("14", "7")
    save(anywhere / "page.png", page)
    save(anywhere / "one.png", drawn_digits.draw(3, 12))
    assert prep("predict", "page.png", "one.png", "--csv", "read.csv")[0] == 0
    rows = read_csv(anywhere / "read.csv")
    digest, other = (
        hashlib.sha256((anywhere / path).read_bytes()).hexdigest()
        for path in ("page.png", "one.png")
    )
    assert [row["label"] for row in rows] == ["1", "4", "7", "3"]
    for row in rows[:3]:
        x0, y0, x1, y1 = (int(row[key]) for key in ("x0", "y0", "x1", "y1"))
        assert row["id"] == f"{digest[:10]}-0-{(x0 + x1) // 2}-{(y0 + y1) // 2}"
        assert (page[y0:y1, x0:x1] < 128).any()
    last = rows[3]
    assert (last["id"], last["x1"], last["picture"]) == (f"{other[:10]}-0", "280", "one.png")
    assert float(last["probability"]) > float(last["second_probability"]) >= 0
    assert last["second_best"] in DIGITS and last["second_best"] != "3"


def test_nothing_is_overwritten(anywhere, prep):
    save(anywhere / "two.png", drawn_digits.draw(2, 9))
    (anywhere / "read.csv").write_text("mine")
    code, printed, errors = prep("predict", "two.png", "--csv", "read.csv")
    assert (code, printed) == (1, "")
    assert "--csv read.csv is there already: delete it, or give another name" in errors
    assert (anywhere / "read.csv").read_text() == "mine"
    assert not (anywhere / "predictions").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (("two.png", "--as-labels", "draft.csv"), "two.png lies in no source of params.yaml"),
        (("raw/pages/p.png", "--csv", "raw/x.csv"), "a table under raw/ would be taken for"),
        (("raw/pages/p.png", "--csv", "a.csv", "--as-labels", "a.csv"), "give two names"),
        (("raw/pages/p.png", "--as-labels", "a.csv", "--layout", "free"), "leave out --layout"),
        (("raw/forms/f.png", "--as-labels", "a.csv"), "which say their labels themselves"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_read(digits, prep, words, message):
    pages = {"path": "raw/pages", "layout": "free"}
    forms = {"path": "raw/forms", "layout": "form"}
    write_params(digits, classes=DIGITS, sources=[pages, forms])
    save(digits / "two.png", drawn_digits.draw(2, 9))
    for name in ("pages/p", "forms/f"):
        save(digits / f"raw/{name}.png", draw_page("12"))
    code, printed, errors = prep("predict", *words)
    assert (code, printed) == (1, "")
    assert message in errors
    assert not (digits / "processed").exists()


def test_a_draft_needs_a_project(anywhere, prep):
    save(anywhere / "two.png", drawn_digits.draw(2, 9))
    code, _, errors = prep("predict", "two.png", "--as-labels", "draft.csv")
    assert (code, "labels.csv belongs to a project" in errors) == (1, True)


def test_a_draft_of_a_page_labels_its_boxes(digits, prep):
    save(digits / "raw/pages/p.png", draw_page("3141", "592"))
    code, printed, _ = prep("predict", "raw/pages/p.png", "--as-labels", "raw/labels.csv")
    assert (code, "raw/labels.csv drafted" in printed) == (0, True)
    for stage in ("ingest", "segment"):
        assert prep(stage)[::2] == (0, "")
    boxes = read_table(digits / "processed/boxes.csv", COLUMNS["boxes"])
    assert "".join(row["label"] for row in boxes) == "3141592"


def test_a_draft_of_close_ups_labels_the_files(digits, prep):
    write_params(digits, classes=DIGITS, sources=[{"path": "raw/ones", "layout": "whole"}])
    for digit in (8, 3):
        save(digits / f"raw/ones/{digit}.png", drawn_digits.draw(digit, 9))
    assert prep("predict", "raw/ones", "--as-labels", "raw/labels.csv")[0] == 0
    assert (digits / "raw/labels.csv").read_text() == (
        "source,id,label\nraw/ones/3.png,,3\nraw/ones/8.png,,8\n"
    )
    assert prep("ingest")[::2] == (0, "")
    rows = read_table(digits / "processed/catalogue.csv", COLUMNS["catalogue"])
    assert [row["label"] for row in rows] == ["3", "8"]


def test_what_is_less_sure_is_left_empty_counted_and_named(digits, prep, monkeypatch):
    chances = np.full((7, 10), 0.01, np.float32)
    chances[:, 3] = (0.91, 0.899, 0.91, 0.5, 0.4, 0.3, 0.2)
    monkeypatch.setattr(shipped, "predict", lambda tiles: chances[: len(tiles)])
    save(digits / "raw/pages/p.png", draw_page("333", "3333"))
    code, printed, errors = prep("predict", "raw/pages/p.png", "--as-labels", "draft.csv")
    rows = read_csv(digits / "draft.csv")
    assert (code, [row["label"] for row in rows]) == (0, ["3", "", "3", "", "", "", ""])
    assert "draft.csv drafted" in printed
    assert "draft.csv: 5 labels less sure than 0.9 left empty, for you to fill in" in errors
    assert errors.rstrip().endswith(
        ", ".join(f"raw/pages/p.png {rows[n]['id']}" for n in (1, *range(3, 7)))
    )
    again = prep("predict", "raw/pages/p.png", "--as-labels", "d2.csv", "--sure", "0.95")[2]
    assert "7 labels less sure than 0.95" in again
    assert again.rstrip().endswith(f"{rows[4]['id']}, and 2 more")


def test_earlier_drawings_are_no_pictures(anywhere, prep):
    save(anywhere / "two.png", drawn_digits.draw(2, 9))
    for note in ("", "Note: 1 picture in predictions left out: drawings of earlier predictions\n"):
        code, printed, errors = prep("predict", ".")
        assert (code, errors) == (0, note)
        assert "1 subject labelled" in printed
    (anywhere / "two.png").unlink()
    code, _, errors = prep("predict", ".")
    assert (code, errors.splitlines()[-1]) == (1, "Error: .: there is no picture in it")
