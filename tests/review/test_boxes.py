"""Boxes on pages: shown, saved into raw/boxes.csv, undone; and what is refused."""

import json
import os

import pytest
from reviewed import open_page, write_project

from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.intake.drawn_boxes import read_drawn_boxes
from pipeline.subjects.drawn import ELSEWHERE

CLASSES = ("0", "1", "2")
PAGE = "raw/scans/page-000.png"
HEADER = "source,page,x0,y0,x1,y1,label\n"


@pytest.fixture
def sheet(client):
    """The first page."""
    return client.get("/api/pages").json()["ids"][0]


def look(client, sheet):
    return client.get(f"/api/boxes/{sheet}").json()


def send(client, sheet, boxes, was=None, **more):
    was = look(client, sheet)["version"] if was is None else was
    return client.post("/api/boxes", json={"page": sheet, "boxes": boxes, "was": was, **more})


def boxes_of(client, sheet):
    return [[*one["box"], one["label"]] for one in look(client, sheet)["boxes"]]


def drawn(folder):
    return {
        (one.source, *one.drawn.box, one.drawn.label) for one in read_drawn_boxes(folder, CLASSES)
    }


def test_the_first_box_that_is_moved_keeps_all_others_of_its_page_and_no_other_page(
    client, folder, sheet
):
    boxes = boxes_of(client, sheet)
    assert len(boxes) == 10
    x0, y0, x1, y1, _ = boxes[0]
    moved = [[x0 + 3, y0 + 40, x1 + 3, y1 + 40, "2"]]
    answer = send(client, sheet, moved + boxes[1:], did="moved").json()
    assert answer["drawn"]
    source = "raw/scans/page-000.png"
    assert drawn(folder) == {(source, *box) for box in moved + boxes[1:]}
    assert client.get("/api/pages").json()["waiting"] == [sheet]
    assert client.get("/api/labels").json()["undo"] == f"boxes moved on {source}"


def test_undo_gives_the_file_back_byte_for_byte_also_where_others_wrote_in_it(
    client, folder, sheet
):
    file = folder / "raw/boxes.csv"
    before = (
        "\ufeffsource;x0;y0;x1;y1;group;label\r\n\r\n"
        "raw/scans/page-001.png;1;2;30;40;Ada;1\r\n"
        "raw/scans/page-000.png;10;10;20;22;Ada;\r\n"
        "raw/scans/page-001.png;50;2;80;40;;1\r\n"
        "raw/scans/page-000.png;35;10;45;22;Bo;2"
    ).encode()
    file.write_bytes(before)
    states = [before]
    for boxes in (
        [[10, 10, 20, 22, "1"], [35, 10, 45, 22, "2"]],  # labelled
        [[10, 10, 20, 22, "1"]],  # deleted
        [[10, 10, 20, 22, "1"], [60, 10, 70, 22, ""]],  # drawn
        None,  # given back
    ):
        assert send(client, sheet, boxes).status_code == 200
        states.append(file.read_bytes())
    assert b"raw/scans/page-000.png" not in states[-1]
    assert (
        states[1].decode("utf-8-sig").split("\r\n")[3] == "raw/scans/page-000.png;10;10;20;22;Ada;1"
    )
    for state in reversed(states[:-1]):
        client = open_page(folder)  # after a restart too
        assert client.post("/api/undo", json={}).status_code == 200
        assert file.read_bytes() == state
    assert client.post("/api/undo", json={}).status_code == 404


@pytest.mark.parametrize(
    ("separator", "end", "last"), [(",", "\r\n", "\r\n"), (";", "\n", "\n"), ("\t", "\n", "")]
)
def test_what_a_spreadsheet_saved_anew_is_undone_for_it_says_the_same(
    client, folder, sheet, separator, end, last
):
    """With every field in quotes, between other signs, the last line without an end."""
    file = folder / "raw/boxes.csv"
    states = []
    for boxes in (
        [[1, 2, 30, 40, "1"], [50, 2, 70, 40, "2"], [90, 2, 99, 40, ""]],
        [[1, 2, 33, 40, "1"], [50, 2, 70, 40, "2"], [90, 2, 99, 40, ""]],  # resized
        [[1, 2, 33, 40, "1"]],  # deleted, the last of the file
    ):
        assert send(client, sheet, boxes).status_code == 200
        states.append(drawn(folder))
    rows = [line.split(",") for line in file.read_text().splitlines()]
    quoted = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    file.write_bytes((end.join(quoted) + last).encode())
    for state in reversed(states[:-1]):
        assert client.post("/api/undo", json={}).status_code == 200
        assert drawn(folder) == state
    assert client.post("/api/undo", json={}).status_code == 200
    assert drawn(folder) == set()


def test_a_box_that_is_moved_keeps_its_place_and_what_else_its_line_says(client, folder, sheet):
    file = folder / "raw/boxes.csv"
    file.write_text(f"source,x0,y0,x1,y1,group\n{PAGE},1,2,9,9,Ada\n{PAGE},20,2,29,9,Bo\n")
    send(client, sheet, [[3, 2, 11, 9, ""], [20, 2, 29, 9, "1"]])
    assert file.read_text() == (
        f"source,x0,y0,x1,y1,group,label\n{PAGE},3,2,11,9,Ada,\n{PAGE},20,2,29,9,Bo,1\n"
    )


@pytest.mark.parametrize("start", ["./", "././", "raw/../", "\\", "{root}/"])
def test_a_page_is_found_however_its_path_is_written(client, folder, sheet, start):
    source = PAGE.replace("/", "\\") if start == "\\" else start.format(root=folder) + PAGE
    (folder / "raw/boxes.csv").write_text(f"{HEADER}{source},0,1,2,30,40,1\n")
    assert boxes_of(client, sheet) == [[1, 2, 30, 40, "1"]]
    send(client, sheet, [[1, 2, 30, 40, "2"]])
    assert (folder / "raw/boxes.csv").read_text() == f"{HEADER}{source},0,1,2,30,40,2\n"


def test_a_file_that_was_not_there_is_gone_after_undo(client, folder, sheet):
    send(client, sheet, [[1, 2, 30, 40, "1"]], did="drawn")
    assert (
        folder / "raw/boxes.csv"
    ).read_text() == f"{HEADER}raw/scans/page-000.png,0,1,2,30,40,1\n"
    client.post("/api/undo", json={})
    assert not (folder / "raw/boxes.csv").exists()
    assert [one.name for one in (folder / "raw").iterdir()] == ["scans"]


def test_labels_and_boxes_are_undone_in_turn(client, folder, sheet, ids):
    client.post("/api/labels", json={"changes": {ids[0]: "2"}, "was": {ids[0]: None}})
    send(client, sheet, [[1, 2, 30, 40, "1"]])
    client.post("/api/labels", json={"changes": {ids[1]: "2"}, "was": {ids[1]: None}})
    told = [client.post("/api/undo", json={}).json()["undone"]["told"] for _ in range(3)]
    assert told == [
        f"1 tile: label 2, on {PAGE}, row 0, column 1",
        f"boxes changed on {PAGE}",
        f"1 tile: label 2, on {PAGE}, row 0, column 0",
    ]
    assert not (folder / "raw/boxes.csv").exists()
    assert not (folder / "raw/labels.csv").exists()


def test_what_is_not_used_is_shown_with_its_reason_but_not_twice(client, folder, sheet):
    [first, *_] = look(client, sheet)["boxes"]
    rows = [
        {"source": PAGE, "page": 0, "x0": 200, "y0": 9, "x1": 220, "y1": 33, **one}
        for one in (
            {"id": f"{sheet}-210-21", "reason": "unclear", "label": "1"},
            {"id": first["id"], "reason": "left out by raw/labels.csv"},
        )
    ]  # fmt: skip
    write_table(folder / "processed/left_out.csv", COLUMNS["left_out"], rows)
    assert look(client, sheet)["unused"] == [
        {"box": [200, 9, 220, 33], "reason": "unclear", "label": "1"}
    ]
    assert client.get("/api/pages").json()["unused"] == [2, 0, 0]


def test_boxes_that_segment_knows_do_not_wait(client, folder, sheet):
    boxes = boxes_of(client, sheet)
    assert send(client, sheet, boxes).json()["drawn"]
    assert client.get("/api/pages").json()["waiting"] == []


def test_what_was_taken_in_or_given_back_waits_until_segment_knows(client, folder, sheet):
    table = folder / "processed/left_out.csv"
    row = {"id": f"{sheet}-150-320", "source": PAGE, "page": 0, "x0": 130, "y0": 300, "x1": 170,
           "y1": 340, "label": "2", "reason": "crossed out"}  # fmt: skip
    write_table(table, COLUMNS["left_out"], [row])
    found = boxes_of(client, sheet)
    send(client, sheet, [*found, [130, 300, 170, 340, "2"]], did="taken in")
    assert client.get("/api/pages").json()["waiting"] == [sheet]
    write_table(table, COLUMNS["left_out"], [row | {"reason": "no ink in it"}])
    assert client.get("/api/pages").json()["waiting"] == []
    send(client, sheet, None, did="given back")
    for reason in ("no ink in it", ELSEWHERE):
        write_table(table, COLUMNS["left_out"], [row | {"reason": reason}])
        assert client.get("/api/pages").json()["waiting"] == [sheet]


def test_a_page_is_in_an_archive_or_has_several_pages(folder):
    """Lines of the other pages of a file stay."""
    [row, *_] = [
        {"source": "raw/scans/a.zip", "member": "in/p.tif", "page": page, "sha256": "0123456789ab",
         "layout": "free", "width": 300, "height": 400, "status": "ok"}
        for page in (0, 1)
    ], None  # fmt: skip
    write_table(folder / "processed/catalogue.csv", COLUMNS["catalogue"], row)
    write_table(folder / "processed/boxes.csv", COLUMNS["boxes"], [])
    file = folder / "raw/boxes.csv"
    other = "raw/scans/a.zip,in/p.tif,0,1,1,9,9\n"
    file.write_text(f"source,member,page,x0,y0,x1,y1\n{other}raw/scans/a.zip/in/p.tif,,1,1,1,9,9\n")
    client = open_page(folder)
    send(client, "0123456789-1", [[1, 1, 9, 9, "2"], [20, 1, 29, 9, "0"]])
    assert file.read_text() == (
        f"source,member,page,x0,y0,x1,y1,label\n{other}raw/scans/a.zip/in/p.tif,,1,1,1,9,9,2\n"
        "raw/scans/a.zip/in/p.tif,,1,20,1,29,9,0\n"
    )


# --- What is refused ---------------------------------------------------------------------------

REFUSED = {
    "outside to the right": [[1, 2, 301, 40, "1"]],
    "outside below": [[1, 2, 30, 401, "1"]],
    "negative": [[-1, 2, 30, 40, "1"]],
    "empty": [[30, 2, 30, 40, "1"]],
    "turned round": [[30, 2, 1, 40, "1"]],
    "no whole number": [[1.5, 2, 30, 40, "1"]],
    "true": [[True, 2, 30, 40, "1"]],
    "text": [["1", 2, 30, 40, "1"]],
    "null": [[None, 2, 30, 40, "1"]],
    "huge": [[1, 2, 10**400, 40, "1"]],
    "three sides": [[1, 2, 30, "1"]],
    "no list": [{"box": [1, 2, 30, 40]}],
    "an object": {"0": [1, 2, 30, 40, "1"]},
    "no class": [[1, 2, 30, 40, "7"]],
    "left out": [[1, 2, 30, 40, "-"]],
    "markup": [[1, 2, 30, 40, "<b>"]],
    "a second line": [[1, 2, 30, 40, "1\n2"]],
    "a list as label": [[1, 2, 30, 40, ["1"]]],
    "the same centre": [[10, 10, 20, 20, ""], [12, 12, 18, 18, ""]],
    "none": [],
    "ten thousand": [[n % 290, n // 290, n % 290 + 3, n // 290 + 3, ""] for n in range(10_000)],
}


@pytest.mark.parametrize("boxes", REFUSED.values(), ids=REFUSED)
def test_what_is_no_box_on_the_page_is_refused_in_words_and_changes_nothing(
    client, folder, sheet, boxes
):
    answer = send(client, sheet, boxes)
    assert answer.status_code == 422
    assert len(answer.json()["error"]) < 300
    assert not (folder / "raw/boxes.csv").exists()
    assert client.get("/api/labels").json()["undo"] is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(client, folder, sheet, number):
    was = look(client, sheet)["version"]
    text = f'{{"page": "{sheet}", "was": "{was}", "boxes": [[{number}, 2, 30, 40, "1"]]}}'
    answer = client.post("/api/boxes", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert not (folder / "raw/boxes.csv").exists()


@pytest.mark.parametrize(
    "name",
    ["", "nothing", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", None, 7, ["x"], "0" * 5000],
)
def test_no_other_page_is_shown_or_written(client, folder, name):
    answer = client.post("/api/boxes", json={"page": name, "boxes": [[1, 2, 3, 4, ""]], "was": ""})
    assert answer.status_code == 404
    if isinstance(name, str) and name:
        assert client.get(f"/api/boxes/{name}").status_code == 404
    assert not (folder / "raw/boxes.csv").exists()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../other/model.keras", "models/../../m.keras", "x"]
)
def test_no_other_file_is_taken_for_a_model(client, path):
    assert client.get("/api/suggestions", params={"model": path}).status_code == 404


def test_a_change_outside_the_page_is_told_and_not_overwritten(client, folder, sheet):
    was = look(client, sheet)["version"]
    line = "raw/scans/page-000.png,0,1,2,30,40,1\n"
    (folder / "raw/boxes.csv").write_text(HEADER + line)
    answer = send(client, sheet, [[5, 6, 30, 40, "1"]], was=was)
    assert (answer.status_code, "changed outside" in answer.json()["error"]) == (409, True)
    assert (folder / "raw/boxes.csv").read_text() == HEADER + line


def test_what_was_changed_outside_since_is_not_undone(client, folder, sheet):
    send(client, sheet, [[1, 2, 30, 40, "1"]])
    own = f"{HEADER}raw/scans/page-000.png,0,1,2,30,41,1\n"
    (folder / "raw/boxes.csv").write_text(own)
    answer = client.post("/api/undo", json={})
    assert (answer.status_code, "changed outside" in answer.json()["error"]) == (422, True)
    assert (folder / "raw/boxes.csv").read_text() == own


def test_a_file_that_is_not_clear_is_told_and_stays(client, folder, sheet):
    file = folder / "raw/boxes.csv"
    file.write_text(f"{HEADER}raw/scans/page-009.png,0,1,2,30,40,1\n")
    answer = client.get(f"/api/boxes/{sheet}")
    assert (answer.status_code, "line 2: no scan is" in answer.json()["error"]) == (422, True)
    answer = client.post("/api/boxes", json={"page": sheet, "boxes": [[1, 2, 3, 9, ""]], "was": ""})
    assert answer.status_code == 422
    assert "page-009" in file.read_text()


def test_files_whose_names_only_look_the_same_get_no_box_of_the_other(folder):
    """An é as one character, and as e with an accent, as a Mac may write it."""
    rows = [
        {"source": f"raw/scans/{name}.png", "page": 0, "sha256": digest * 12, "layout": "free",
         "width": 300, "height": 400, "status": "ok"}
        for name, digest in (("\u00e9", "a"), ("e\u0301", "b"))
    ]  # fmt: skip
    write_table(folder / "processed/catalogue.csv", COLUMNS["catalogue"], rows)
    write_table(folder / "processed/boxes.csv", COLUMNS["boxes"], [])
    answer = send(open_page(folder), "bbbbbbbbbb-0", [[1, 1, 9, 9, "2"]])
    assert answer.status_code == 422
    assert "2 files are called" in answer.json()["error"]
    assert not (folder / "raw/boxes.csv").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_is_read_only_is_told(client, folder, sheet):
    (folder / "raw").chmod(0o500)
    try:
        answer = send(client, sheet, [[1, 2, 30, 40, "1"]])
        assert answer.status_code == 507
    finally:
        (folder / "raw").chmod(0o700)
    assert client.get("/api/labels").json()["undo"] is None


def test_while_dvc_reads_raw_nothing_is_written(client, folder, sheet):
    (folder / ".dvc/tmp").mkdir(parents=True)
    lock = folder / ".dvc/tmp/rwlock"
    lock.write_text(json.dumps({"read": {str(folder / "raw"): [{"pid": os.getpid()}]}}))
    answer = send(client, sheet, [[1, 2, 30, 40, "1"]])
    assert answer.status_code == 503
    assert not (folder / "raw/boxes.csv").exists()


def test_class_names_with_markup_pass_as_text(tmp_path):
    evil = '<img src=x onerror="alert(1)">'
    write_project(tmp_path, classes=("0", evil))
    client = open_page(tmp_path)
    sheet = client.get("/api/pages").json()["ids"][0]
    assert send(client, sheet, [[1, 2, 30, 40, evil]]).json()["boxes"][0]["label"] == evil
