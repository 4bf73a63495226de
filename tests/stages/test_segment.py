"""prep segment: what it leaves beside the tables, what it keeps, and boxes that a person drew."""

import csv
from pathlib import Path

import cv2
import numpy as np
import photography
import pytest
from conftest import draw_subject, run_to, write_params

from pipeline.dataset.store import read_glyphs
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.forms.layout import form_boxes
from pipeline.forms.planning import plan_forms
from pipeline.intake import images
from pipeline.intake.drawn_boxes import DrawnBox, read_drawn_boxes
from pipeline.searching import files as searching
from pipeline.stages import segment as stage
from pipeline.stages.segment import NO_OVERLAYS
from pipeline.subjects.drawn import Drawn

pytestmark = pytest.mark.slow

CLASSES = ["1", "2", "4"]
MADE = ("boxes.csv", "glyphs.h5", "left_out.csv", "quarantine.csv")


def write_drawn_boxes(folder, boxes):
    """Write raw/boxes.csv as a person would; without boxes there is none."""
    path = folder / "raw/boxes.csv"
    if not boxes:
        path.unlink()
        return
    rows = [
        (box.source, box.page, *box.drawn.box, box.drawn.label, box.member, box.drawn.group,
         box.drawn.row, box.drawn.column)
        for box in boxes
    ]  # fmt: skip
    names = ("source", "page", "x0", "y0", "x1", "y1", "label", "member", "group", "row", "col")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def draw_page(lines, turn=1.0):
    """Return an RGB page of pale paper with lines of digits, turned a little."""
    page = np.full((520, 740, 3), (240, 236, 225), np.uint8)
    for row, line in enumerate(lines):
        for column, text in enumerate(line):
            place = (60 + 110 * column, 110 + 120 * row)
            cv2.putText(
                page, text, place, cv2.FONT_HERSHEY_SIMPLEX, 2, (40, 40, 70), 5, cv2.LINE_AA
            )
    matrix = cv2.getRotationMatrix2D((370, 260), turn, 1)
    return cv2.warpAffine(page, matrix, (740, 520), borderValue=(240, 236, 225))


PAGES = {"a.png": ["124", "41", "22"], "b.png": ["2214", "142"], "c.png": ["412", "1"]}


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A project of three pages of layout `free`, current folder and all."""
    source = {"path": "raw/in", "layout": "free"}
    write_params(tmp_path, sources=[source], classes=CLASSES, experiments={"none": {}})
    (tmp_path / "raw/in").mkdir(parents=True)
    for turn, (name, lines) in enumerate(PAGES.items()):
        page = images.encode_png(draw_page(lines, turn))
        (tmp_path / "raw/in" / name).write_bytes(page)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(name):
    return read_table(Path("processed", f"{name}.csv"), COLUMNS[name])


def run(prep, *stages):
    said = []
    for name in stages or ("ingest", "segment"):
        jobs = ("--jobs", "1") if name == "segment" else ()  # of others nobody hears here
        code, printed, errors = prep(name, *jobs)
        assert code == 0, errors
        said.append(" ".join((printed + errors).split()))
    return said[-1]


def read_made():
    files = [*map(Path("processed").joinpath, MADE), *sorted(Path("processed/overlays").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def write_csv(path, *rows):
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def test_where_no_page_is_drawn_the_folder_says_why(project, prep):
    run_to(prep, "segment")
    folder = project / "processed/overlays"
    assert [path.name for path in folder.iterdir()] == ["README.txt"]
    assert (folder / "README.txt").read_text() == NO_OVERLAYS


# --- What is kept --------------------------------------------------------------------------------


@pytest.fixture
def searched(monkeypatch):
    """The names of the files that were searched, in order: a list that fills."""
    names, search = [], searching._search

    def note(root, params, rows, boxes):
        names.append(Path(rows[0]["source"]).name)
        return search(root, params, rows, boxes)

    monkeypatch.setattr(searching, "_search", note)
    return names


def label_a_box():
    write_csv(
        "raw/labels.csv", ("source", "id", "label"), ("raw/in/b.png", read("boxes")[8]["id"], "4")
    )


def leave_a_box_out():
    write_csv(
        "raw/labels.csv", ("source", "id", "label"), ("raw/in/a.png", read("boxes")[1]["id"], "-")
    )


def label_a_page():
    write_csv("raw/labels.csv", ("source", "label"), ("raw/in/b.png", "2"))


def write_a_text():
    write_csv("raw/labels.csv", ("source", "text"), ("raw/in/c.png", "412\n1"))


def draw_a_box():
    write_csv(
        "raw/boxes.csv",
        ("source", "page", "x0", "y0", "x1", "y1", "label"),
        ("raw/in/b.png", 0, 50, 50, 120, 130, "2"),
    )


def change_a_page():
    Path("raw/in/c.png").write_bytes(images.encode_png(draw_page(["44", "211"])))


def drop_a_page():
    Path("raw/in/a.png").unlink()


def add_a_class():
    source = {"path": "raw/in", "layout": "free"}
    write_params(Path(), sources=[source], classes=[*CLASSES, "7"], experiments={"none": {}})


@pytest.mark.parametrize(
    "change, touched",
    [
        (label_a_box, []),
        (leave_a_box_out, []),
        (label_a_page, ["b.png"]),  # its overlay shows the label
        (write_a_text, []),
        (draw_a_box, ["b.png"]),
        (change_a_page, ["c.png"]),
        (drop_a_page, []),
        (add_a_class, ["a.png", "b.png", "c.png"]),
    ],
)
def test_only_pages_that_a_change_touches_are_searched_and_all_is_as_if_all_were(
    pages, prep, searched, change, touched
):
    run(prep)
    assert searched == ["a.png", "b.png", "c.png"]
    searched.clear()
    change()
    run(prep)
    assert searched == touched
    kept = read_made()
    for path in (pages / "processed/.searched").iterdir():
        path.unlink()
    run(prep)
    assert read_made() == kept


def test_small_pictures_and_arrays_are_searched_each_time(project, prep):
    run_to(prep, "segment")
    assert not (project / "processed/.searched").exists()


# --- What comes in while it runs -----------------------------------------------------------------


def test_a_correction_that_is_saved_while_it_runs_is_used(pages, prep, searched, monkeypatch):
    run(prep)
    searched.clear()
    write = stage.write_glyphs

    def save_meanwhile(path, glyphs):
        if not Path("raw/labels.csv").exists():
            leave_a_box_out()
        return write(path, glyphs)

    monkeypatch.setattr(stage, "write_glyphs", save_meanwhile)
    run(prep, "segment")
    assert [row["label"] for row in read("boxes")].count("-") == 1
    assert searched == []  # what was found had been kept


def test_a_box_that_is_drawn_while_it_runs_is_used(pages, prep, searched, monkeypatch):
    write = stage.write_table

    def save_meanwhile(path, columns, rows):
        if path.name == "quarantine.csv" and not Path("raw/boxes.csv").exists():
            draw_a_box()
        write(path, columns, rows)

    run(prep, "ingest")
    monkeypatch.setattr(stage, "write_table", save_meanwhile)
    run(prep, "segment")
    assert [
        row["id"].split("-", 2)[2] for row in read("boxes") if row["source"] == "raw/in/b.png"
    ] == ["85-90"]
    assert searched == ["a.png", "b.png", "c.png", "b.png"]


# --- What was seen and not used ------------------------------------------------------------------


def test_what_raw_labels_leaves_out_is_listed_with_its_box(pages, prep):
    run(prep)
    box = read("boxes")[1]
    leave_a_box_out()
    assert ", 1 left out by raw/labels.csv (see overlays/ and left_out.csv)" in run(prep)
    [row] = read("left_out")
    assert row["reason"] == "left out by raw/labels.csv"
    same = ("id", "source", "page", "x0", "y0", "x1", "y1", "row", "col")
    assert {name: row[name] for name in same} == {name: box[name] for name in same}


def test_empty_cells_are_counted_and_listed(pages, prep):
    source = {"path": "raw/in", "layout": "cells", "rows": 4, "columns": 6, "labels": "folder"}
    write_params(pages, sources=[source], classes=CLASSES, experiments={"none": {}})
    for name in ("b.png", "c.png"):
        (pages / "raw/in" / name).unlink()
    said = run(prep)
    boxes, empty = read("boxes"), read("left_out")
    assert len(boxes) + len(empty) == 24
    assert f"{len(boxes)} boxes on 1 scan in processed/boxes.csv, {len(empty)} empty (see" in said
    assert {row["reason"] for row in empty} == {"empty"}
    places = {(row["row"], row["col"]) for row in boxes + empty}
    assert len(places) == 24


# --- Boxes that a person drew --------------------------------------------------------------------


def glyphs():
    return dict(read_glyphs(Path("processed/glyphs.h5")))


def draw_found(name, change=lambda box: box, label="", **more):
    """Return the boxes found on a page, changed, as a person would draw them."""
    return [
        DrawnBox(row["source"], int(row["page"]), Drawn(change(box), label, **more))
        for row in read("boxes")
        if row["source"].endswith(name)
        for box in [tuple(int(row[side]) for side in ("x0", "y0", "x1", "y1"))]
    ]


def test_boxes_as_they_were_found_change_nothing(pages, prep):
    run(prep)
    before, made = read("boxes"), glyphs()
    write_drawn_boxes(pages, [box for name in PAGES for box in draw_found(name)])
    run(prep)
    assert read("boxes") == before
    for name, pixels in glyphs().items():
        np.testing.assert_array_equal(pixels, made[name])


def test_wider_boxes_give_the_same_ink_and_the_rows_of_the_page(pages, prep):
    run(prep)
    before = {row["id"]: row for row in read("boxes")}
    made = glyphs()
    wider = draw_found(
        "a.png", lambda b: (b[0] - 5, b[1] - 5, b[2] + 5, b[3] + 5), "2", group="Ada"
    )
    write_drawn_boxes(pages, wider)
    run(prep)
    rows = [row for row in read("boxes") if row["source"] == "raw/in/a.png"]
    assert [(row["label"], row["group"], row["score"]) for row in rows] == [
        ("2", "Ada", "1.000")
    ] * 7
    for row in rows:
        assert (row["row"], row["col"]) == (before[row["id"]]["row"], before[row["id"]]["col"])
        np.testing.assert_array_equal(glyphs()[row["id"]], made[row["id"]])
    assert [row for row in read("boxes") if row not in rows] == [
        row for row in before.values() if row["source"] != "raw/in/a.png"
    ]


def test_two_boxes_part_a_glyph_and_one_takes_two(pages, prep):
    run(prep)
    first, second, third, *_ = draw_found("a.png")
    (x0, y0, x1, y1), (_, top, right, lower) = first.drawn.box, second.drawn.box
    middle = (third.drawn.box[0] + third.drawn.box[2]) // 2
    both = Drawn((x0, min(y0, top), right, max(y1, lower)), "1", row=5, column=7)
    left = Drawn((third.drawn.box[0], *third.drawn.box[1:2], middle, third.drawn.box[3]), "2")
    other = Drawn((middle, third.drawn.box[1], *third.drawn.box[2:]), "4")
    write_drawn_boxes(pages, [DrawnBox("raw/in/a.png", 0, one) for one in (both, left, other)])
    run(prep)
    rows = [row for row in read("boxes") if row["source"] == "raw/in/a.png"]
    assert [row["label"] for row in rows] == ["1", "2", "4"]
    assert (rows[0]["row"], rows[0]["col"]) == ("5", "7")
    ink = {row["label"]: glyphs()[row["id"]] for row in rows}
    assert ink["1"].shape[1] > 1.7 * (x1 - x0)
    whole = [np.count_nonzero(ink[label] >= 128) for label in "24"]
    assert min(whole) > 50
    reasons = [r["reason"] for r in read("left_out") if r["source"] == "raw/in/a.png"]
    assert reasons == ["not among the boxes in raw/boxes.csv"] * 4


def test_a_box_without_ink_is_listed_and_a_page_of_such_is_quarantined(pages, prep):
    run(prep)
    blank = DrawnBox("raw/in/a.png", 0, Drawn((600, 400, 660, 470), "4", row=1, column=2))
    write_drawn_boxes(pages, [*draw_found("a.png"), blank])
    assert "1 mark left out: 1 " in run(prep)
    [row] = read("left_out")
    assert (row["reason"], row["label"], row["row"], row["col"]) == ("no ink in it", "4", "1", "2")
    write_drawn_boxes(pages, [blank])
    run(prep)
    [refused] = read("quarantine")
    assert refused["reason"] == "no writing was found in the boxes drawn on it"


@pytest.mark.parametrize("layout", ["rows", "sequence"])
def test_the_layout_labels_boxes_that_say_no_label(pages, prep, layout):
    lines = {"rows": ["11", "222", "4"], "sequence": ["124", "124"]}[layout]
    write_params(
        pages,
        sources=[{"path": "raw/in", "layout": layout}],
        classes=CLASSES,
        experiments={"none": {}},
    )
    for name in ("b.png", "c.png"):
        (pages / "raw/in" / name).unlink()
    (pages / "raw/in/a.png").write_bytes(images.encode_png(draw_page(lines)))
    run(prep)
    labels = [row["label"] for row in read("boxes")]
    assert "".join(labels) == "".join(lines)
    drawn = draw_found("a.png")
    write_drawn_boxes(pages, drawn)
    run(prep)
    assert [row["label"] for row in read("boxes")] == labels
    own = DrawnBox("raw/in/a.png", 0, Drawn(drawn[0].drawn.box, "4"))
    write_drawn_boxes(pages, [own, *drawn[1:]])
    run(prep)
    assert [row["label"] for row in read("boxes")] == ["4", *labels[1:]]
    # Where the boxes do not keep the layout's promise nothing is guessed.
    kept = [own, *drawn[1:-1]] if layout == "rows" else [own, drawn[1]]
    write_drawn_boxes(pages, kept)
    said = run(prep)
    if layout == "rows":
        assert "so boxes that raw/boxes.csv gives no label have none: 1 scan" in said
    assert [row["label"] for row in read("boxes")] == ["4"] + [""] * (len(kept) - 1)


def test_a_photo_is_cropped_by_its_boxes_each_a_tile_of_its_own(tmp_path, monkeypatch, prep):
    tile = {"size": 16, "channels": 3, "method": "photo"}
    write_params(tmp_path, tile=tile)
    for name in ("bar", "square"):
        (tmp_path / "raw/pictures" / name).mkdir(parents=True)
        for number in range(3):
            picture = images.encode_png(draw_subject(name, number))
            (tmp_path / "raw/pictures" / name / f"{number}.png").write_bytes(picture)
    monkeypatch.chdir(tmp_path)
    write_csv(
        "raw/boxes.csv",
        ("source", "x0", "y0", "x1", "y1", "label"),
        ("raw/pictures/bar/1.png", 0, 0, 15, 40, ""),
        ("raw/pictures/bar/1.png", 15, 0, 30, 39, "square"),
        ("raw/pictures/square/2.png", 0, 0, 30, 40, ""),
    )
    run(prep, "ingest", "segment", "normalise")
    rows = read("boxes")
    assert len(rows) == 7
    [left, right] = [row for row in rows if row["source"] == "raw/pictures/bar/1.png"]
    assert (left["id"][10:], left["label"]) == ("-0-7-20", "bar")
    assert (right["id"][10:], right["label"]) == ("-0-22-19", "square")
    [whole] = [row for row in rows if row["source"] == "raw/pictures/square/2.png"]
    assert whole["id"].count("-") == 1  # a box around all of it is the picture itself


@pytest.fixture
def form(tmp_path, monkeypatch):
    """A project of one photographed form with boxes empty, crossed out and filled in."""
    dice = np.random.default_rng(3)
    (printed,) = plan_forms("124", "k3f9d2", writer="Ada", rows=3, columns=6)
    page = photography.print_form(printed).copy()
    for number, box in enumerate(form_boxes(printed)):
        if number == 4:
            continue
        glyph = np.zeros((40, 40), np.uint8)
        cv2.putText(glyph, box.label, (6, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 255, 4)
        photography.write_glyph(page, box.square, glyph, photography.PENS["blue"], dice, 0.6)
        if number == 7:
            photography.cross_out(page, box.square, photography.PENS["blue"], dice)
    photo, _ = photography.photograph(page, photography.Shot(6, 0.05, 2, 1.0, 3, 0.2), dice)
    source = {"path": "raw/forms", "layout": "form"}
    write_params(tmp_path, sources=[source], classes=CLASSES, experiments={"none": {}})
    (tmp_path / "raw/forms").mkdir(parents=True)
    (tmp_path / "raw/forms/1.jpg").write_bytes(images.encode_jpeg(photo))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_empty_or_crossed_out_on_a_form_is_counted_and_can_be_taken_in(form, prep):
    said = run(prep)
    assert "16 boxes on 1 scan in processed/boxes.csv, 1 empty, 1 crossed out (see" in said
    before, made = read("boxes"), glyphs()
    crossed, empty = sorted(read("left_out"), key=lambda row: row["reason"])
    assert (empty["reason"], empty["label"], empty["row"], empty["col"]) == ("empty", "1", "0", "4")
    assert (crossed["label"], crossed["row"], crossed["col"]) == ("2", "1", "1")
    sides = ("x0", "y0", "x1", "y1")
    taken = Drawn(tuple(int(crossed[side]) for side in sides))
    drawn = draw_found("1.jpg")
    x0, y0, x1, y1 = drawn[0].drawn.box
    wider = Drawn((x0 - 3, y0 - 3, x1 + 3, y1 + 3))
    boxes = [wider, *(one.drawn for one in drawn[1:]), taken]
    write_drawn_boxes(form, [DrawnBox("raw/forms/1.jpg", 0, one) for one in boxes])
    run(prep)
    after = {(row["row"], row["col"]): row for row in read("boxes")}
    # The printed box says label, place and writer of a box on it that says none.
    assert len(after) == 17
    assert (after["1", "1"]["label"], after["1", "1"]["group"]) == ("2", "Ada")
    for row in before[1:]:
        now = after[row["row"], row["col"]]
        assert (now["id"], now["label"], now["group"]) == (row["id"], row["label"], row["group"])
        np.testing.assert_array_equal(glyphs()[row["id"]], made[row["id"]])
    one, other = (
        np.count_nonzero(ink >= 128)
        for ink in (glyphs()[after["0", "0"]["id"]], made[before[0]["id"]])
    )
    assert abs(one - other) < 0.1 * other
    assert np.count_nonzero(glyphs()[after["1", "1"]["id"]] >= 128) > other  # its 2, and the cross


def test_a_label_of_a_drawn_box_goes_before_its_folders_and_that_stays_known(pages, prep):
    (pages / "raw/in/4").mkdir()
    (pages / "raw/in/a.png").rename(pages / "raw/in/4/a.png")
    run(prep)
    drawn = draw_found("a.png")
    other = DrawnBox(drawn[0].source, 0, Drawn(drawn[0].drawn.box, "1"))
    write_drawn_boxes(pages, [other, *drawn[1:]])
    write_csv(
        "raw/labels.csv", ("source", "id", "label"), ("raw/in/4/a.png", read("boxes")[1]["id"], "2")
    )
    run(prep)
    rows = [row for row in read("boxes") if row["source"] == "raw/in/4/a.png"]
    known = [(row["label"], row["found"]) for row in rows]
    assert known == [("1", "4"), ("2", "4"), *[("4", "")] * 5]


def test_a_box_or_two_of_a_page_put_the_others_out_and_that_is_told(pages, prep):
    """Lines are copied as they stand from processed/boxes.csv, with all its columns."""
    run(prep)
    lines = Path("processed/boxes.csv").read_text().splitlines()
    own = [line for line in lines if ",raw/in/a.png," in line]
    Path("raw/boxes.csv").write_text("\n".join([lines[0], *own[:2]]))
    assert prep("ingest")[0] == 0
    code, _, told = prep("segment")
    assert code == 0
    assert (
        f"raw/boxes.csv has 2 boxes for raw/in/a.png, and {len(own) - 2} more that are seen there "
        "are not used: it has to name all boxes of a page"
    ) in " ".join(told.split())
    Path("raw/boxes.csv").write_text("\n".join([lines[0], *own]))
    assert prep("ingest")[0] == 0
    assert "are not used" not in prep("segment")[2]


# --- Lines of raw/boxes.csv that are not clear ---------------------------------------------------

LINES = {
    "raw/in/d.png,0,1,2,30,40,1": "no scan is 'raw/in/d.png'. Did you mean 'raw/in/",
    "raw/in/a.png,1,1,2,30,40,1": "raw/in/a.png has no page 1; they count from 0 to 0",
    "raw/in/a.png,0,1,2,741,40,1": "reaches beyond raw/in/a.png, which is 740 x 520 pixels",
    "raw/in/a.png,0,1,2,30,521,1": "the box 1, 2, 30, 521 reaches beyond raw/in/a.png",
    "raw/in/a.png,0,30,2,30,40,1": "the box 30, 2, 30, 40 is empty: x0 has to be smaller",
    "raw/in/a.png,0,1,40,30,2,1": "the box 1, 40, 30, 2 is empty",
    "raw/in/a.png,0,1,2,30,40,3": "'3' is not among the classes in params.yaml",
    "raw/in/a.png,0,1,2,30,40,-": "what is to be left out has no box here",
    "raw/in/a.png,0,-1,2,30,40,1": "x0 '-1' is no whole number",
    "raw/in/a.png,0,1,2.5,30,40,1": "y0 '2.5' is no whole number",
    "raw/in/a.png,0,1,2,,40,1": "x1 is missing",
    "raw/in/a.png,first,1,2,30,40,1": "page 'first' is no whole number",
    ",0,1,2,30,40,1": "names no source",
    "raw/in/a.png,0,50,60,70,90,1": "lines 2 and 3 are boxes with the same centre on raw/in/a.png",
}


@pytest.mark.parametrize("line, message", LINES.items())
def test_a_line_that_is_not_clear_is_named_and_nothing_is_changed(pages, prep, line, message):
    run(prep, "ingest")
    Path("raw/boxes.csv").write_text(
        f"source,page,x0,y0,x1,y1,label\nraw/in/a.png,0,40,50,80,100,2\n{line}\n"
    )
    code, _, errors = prep("segment")
    assert code == 1
    told = " ".join(errors.split())
    assert "raw/boxes.csv: line" in told
    assert message in told
    assert not Path("processed/boxes.csv").exists()


def test_boxes_on_a_scan_that_is_not_used_are_told(pages, prep):
    (pages / "raw/in/twice.png").write_bytes((pages / "raw/in/a.png").read_bytes())
    write_csv(
        "raw/boxes.csv",
        ("source", "x0", "y0", "x1", "y1"),
        ("raw/in/twice.png", 1, 2, 30, 40),
        ("raw/in/twice.png", 1, 2, 90, 40),
    )
    said = run(prep)
    assert said.count("raw/in/twice.png is not used (same as raw/in/a.png)") == 1
    assert len({row["source"] for row in read("boxes")}) == 3


def test_drawn_boxes_are_read_with_all_that_their_lines_say(tmp_path):
    (tmp_path / "raw").mkdir()
    boxes = [
        DrawnBox('raw/a, "b".png', 0, Drawn((1, 2, 3, 4), "1", "Zoë", 0, 12)),
        DrawnBox("raw/all.zip", 3, Drawn((10, 20, 300, 400)), member="c/d.png"),
    ]
    write_drawn_boxes(tmp_path, boxes)
    read_again = read_drawn_boxes(tmp_path, CLASSES)
    assert [(b.source, b.page, b.member, b.drawn) for b in read_again] == [
        (b.source, b.page, b.member, b.drawn) for b in boxes
    ]
    assert [box.line for box in read_again] == [2, 3]
    write_drawn_boxes(tmp_path, [])
    assert read_drawn_boxes(tmp_path, CLASSES) == []
