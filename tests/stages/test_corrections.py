"""What raw/labels.csv changes or takes away stays known: as it was found, and as it is now."""

import csv
import json

import numpy as np
import pytest
from conftest import run_to, write_params

from pipeline.checks.agreement import examine
from pipeline.dataset.schema import LEFT_OUT_LABEL, UNLABELLED, name_labels, number_labels
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.project import Project
from pipeline.report.data import _count_steps
from pipeline.settings.loading import load_params


def read_boxes(project):
    rows = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
    return {row["source"].removeprefix("raw/pictures/"): row for row in rows}


def correct(project, prep, *lines):
    """Write lines of raw/labels.csv, where {NAME} is the id of a picture; run to the split."""
    ids = {name: row["id"] for name, row in read_boxes(project).items()}
    with (project / "raw/labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["source", "id", "label"], *([s, ids.get(i, i), la] for s, i, la in lines)]
        )
    said = ""
    for stage in ("ingest", "segment", "normalise", "balance", "split"):
        code, printed, errors = prep(stage)
        assert (code, errors) == (0, "")
        said += " ".join(printed.split()) + "\n"
    return said


@pytest.fixture
def corrected(project, prep):
    """Four pictures corrected: one relabelled by its source, one by its box; two left out."""
    run_to(prep, "segment")
    said = correct(
        project,
        prep,
        ("raw/pictures/bar/000.png", "", "square"),
        ("raw/pictures/bar/001.png", "bar/001.png", "square"),
        ("raw/pictures/bar/002.png", "bar/002.png", "-"),
        ("raw/pictures/square/003.png", "", "-"),
        ("raw/pictures/square/004.png", "", "square"),  # as it was found
    )
    return project, said


def test_boxes_keep_what_was_found_and_what_is_left_out(corrected):
    project, _ = corrected
    boxes = read_boxes(project)
    known = {name: (row["label"], row["found"]) for name, row in boxes.items()}
    changed = {name: pair for name, pair in known.items() if pair[1]}
    assert changed == {
        "bar/000.png": ("square", "bar"),
        "bar/001.png": ("square", "bar"),
        "bar/002.png": ("-", "bar"),
    }
    # A whole picture that is left out is not opened at all: it has no box and no tile.
    assert "square/003.png" not in known
    assert known["square/004.png"] == ("square", "")


def test_tiles_keep_it_too_and_everything_counts_what_is_left_out_apart(corrected):
    project, said = corrected
    boxes = list(read_boxes(project).values())
    with open_dataset(project / "processed/tiles.h5") as tiles:
        assert name_labels(tiles.labels, tiles.classes).tolist() == [b["label"] for b in boxes]
        found = [box["found"] or box["label"] for box in boxes]
        assert name_labels(tiles.found, tiles.classes).tolist() == found
        assert (tiles.labels == LEFT_OUT_LABEL).sum() == 1
        assert not (tiles.labels == UNLABELLED).any()
    left_out = [box["id"] for box in boxes if box["label"] == "-"]
    for table in ("balanced", "split"):
        ids = [row["id"] for row in read_table(project / f"processed/{table}.csv", ("id",))]
        assert ids
        assert not set(left_out).intersection(ids)
    assert (project / "processed/contact/left-out.jpg").exists()
    assert not (project / "processed/contact/unlabelled.jpg").exists()
    for sentence in (
        "40 boxes on 41 scans in processed/boxes.csv, 1 left out by raw/labels.csv (see",
        "41 tiles of 28x28x1 in processed/tiles.h5, 1 left out by raw/labels.csv",
        ", as many as 'bar' has; 1 left out by raw/labels.csv",
    ):
        assert sentence in said


def test_the_files_agree_and_what_does_not_is_named(corrected):
    project, _ = corrected
    params = load_params(project / "params.yaml")
    assert not [f for f in examine(Project(project), params) if "augmented" not in f.file]
    rows = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
    row = next(row for row in rows if row["found"] == "bar" and row["label"] == "square")
    row["found"] = ""
    write_table(project / "processed/boxes.csv", COLUMNS["boxes"], rows)
    [fault] = [f for f in examine(Project(project), params) if "found" in f.what]
    assert fault.what == f"{row['id']}: found with label 'bar', in boxes.csv 'square'"


def test_a_first_label_by_a_person_is_no_correction_and_the_next_one_is(project, prep):
    (project / "raw/pictures/loose.png").write_bytes(
        (project / "raw/pictures/bar/000.png").read_bytes()
    )
    (project / "raw/pictures/bar/000.png").unlink()
    run_to(prep, "segment")
    correct(project, prep, ("raw/pictures/loose.png", "", "bar"))
    assert read_boxes(project)["loose.png"]["found"] == ""
    with open_dataset(project / "processed/tiles.h5") as tiles:
        assert tiles.read().found is None
    correct(
        project,
        prep,
        ("raw/pictures/loose.png", "", "bar"),
        ("raw/pictures/loose.png", "loose.png", "square"),
    )
    box = read_boxes(project)["loose.png"]
    assert (box["label"], box["found"]) == ("square", "bar")


def test_a_folder_that_is_no_class_stays_known_and_gives_no_number(project, prep):
    (project / "raw/pictures/bra").mkdir()
    (project / "raw/pictures/bar/000.png").rename(project / "raw/pictures/bra/000.png")
    line = "source,label\nraw/pictures/bra/000.png,bar\n"
    (project / "raw/labels.csv").write_text(line)
    for stage in ("ingest", "segment", "normalise"):
        assert prep(stage)[::2] == (0, "")
    assert read_boxes(project)["bra/000.png"]["found"] == "bra"
    with open_dataset(project / "processed/tiles.h5") as tiles:
        changed = np.flatnonzero(tiles.found != tiles.labels)
        assert (tiles.labels[changed].tolist(), tiles.found[changed].tolist()) == ([0], [-1])


def test_nothing_but_the_column_found_is_new_where_nothing_is_corrected(project, prep):
    run_to(prep, "normalise")
    with open_dataset(project / "processed/tiles.h5") as tiles:
        assert tiles.read().found is None
        assert (tiles.found == tiles.labels).all()
    assert (project / "processed/catalogue.csv").read_text().splitlines()[0].endswith(",reason")
    rows = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
    assert {row["found"] for row in rows} == {""}


def test_boxes_of_an_older_prep_are_read(project, prep):
    run_to(prep, "normalise")
    new = (project / "processed/tiles.h5").read_bytes()
    path = project / "processed/boxes.csv"
    rows = read_table(path, COLUMNS["boxes"])
    older = COLUMNS["boxes"][:-1]
    write_table(path, older, [{name: row[name] for name in older} for row in rows])
    assert prep("normalise")[::2] == (0, "")
    assert (project / "processed/tiles.h5").read_bytes() == new
    assert not examine(Project(project), load_params(project / "params.yaml"))


def test_where_every_box_is_left_out_that_is_said(project, prep):
    run_to(prep, "segment")
    boxes = read_boxes(project).values()
    lines = [f"{box['source']},{box['id']},-" for box in boxes]
    (project / "raw/labels.csv").write_text("\n".join(["source,id,label", *lines]))
    assert prep("ingest")[0] == 0
    code, _, errors = prep("segment")
    assert code == 1
    assert "raw/labels.csv leaves out each of the 42 boxes" in " ".join(errors.split())


def test_a_class_whose_tiles_are_all_left_out_is_told_with_the_reason(project, prep):
    run_to(prep, "segment")
    boxes = [box for box in read_boxes(project).values() if box["label"] == "bar"]
    lines = [f"{box['source']},{box['id']},-" for box in boxes]
    (project / "raw/labels.csv").write_text("\n".join(["source,id,label", *lines]))
    for stage in ("ingest", "segment", "normalise"):
        assert prep(stage)[0] == 0
    errors = " ".join(prep("balance")[2].split())
    assert "class 'bar' has no tile (raw/labels.csv leaves out 20 tiles). Add pictures" in errors


def test_names_and_numbers_of_labels_are_each_other():
    classes = ["0", "cat", "é"]
    names = ["cat", "", "-", "é", "0"]
    numbers = number_labels(names, classes)
    assert numbers.tolist() == [1, UNLABELLED, LEFT_OUT_LABEL, 2, 0]
    assert name_labels(numbers, classes).tolist() == names
    with pytest.raises(KeyError):
        number_labels(["dog"], classes)


# --- What a tile that is left out costs ----------------------------------------------------------


def read_plans(project):
    """Return for each experiment and fold the digests of what it trains on."""
    plans = [
        json.loads((project / f"processed/experiments/{name}.json").read_text())
        for name in ("none", "flip")
    ]
    return {
        (plan["experiment"], fold["fold"]): {k: v for k, v in fold.items() if k != "fold"}
        for plan in plans
        for fold in plan["folds"]
    }


def read_parts(project):
    rows = read_table(project / "processed/split.csv", COLUMNS["split"])
    return {(row["id"], row["fold"]): row["split"] for row in rows}


@pytest.mark.parametrize(
    "part, name, retrained",
    [
        # Of 22 squares 7 are tested and 4 validate, of 21 it is 6 and 4.
        ("test", "square", set()),
        # Of 20 bars 6 are tested and 4 validate, and so it is of 19.
        ("train", "bar", {("none", 0), ("flip", 0)}),
    ],
)
def test_a_tile_that_is_left_out_moves_no_other_and_only_what_held_it_is_trained(
    project, prep, part, name, retrained
):
    write_params(project, balance={"method": "none"})
    run_to_plan(prep)
    plans, parts = read_plans(project), read_parts(project)
    boxes = {row["id"]: row for row in read_boxes(project).values()}
    gone = next(box for box in boxes if parts[box, "0"] == part and boxes[box]["label"] == name)
    line = f"source,id,label\n{boxes[gone]['source']},{gone},-\n"
    (project / "raw/labels.csv").write_text(line)
    run_to_plan(prep)
    assert read_parts(project) == {key: part for key, part in parts.items() if key[0] != gone}
    now = read_plans(project)
    assert {key for key in plans if now[key] != plans[key]} == retrained


def run_to_plan(prep):
    for stage in ("ingest", "segment", "normalise", "balance", "split", "augment", "plan"):
        assert prep(stage)[0] == 0


def test_the_report_counts_what_is_left_out(corrected):
    project, _ = corrected
    params = load_params(project / "params.yaml")
    tables = [
        read_table(project / f"processed/{name}.csv", COLUMNS[name])
        for name in ("catalogue", "quarantine", "boxes")
    ]
    steps = {step.name: step.counts for step in _count_steps(Project(project), params, *tables)}
    # 20 bars and 22 squares: a square is left out whole; two bars are squares, and one is nothing.
    assert steps["subjects found on them"] == [20, 21, 0]
    assert steps["with raw/labels.csv, and without what it leaves out"] == [17, 23, 0]
