"""Corrections: saved at once, undone, also later; never against what somebody else wrote."""

import errno
import json
import os
import threading

import pytest
from reviewed import open_page, write_project, write_tiles

from pipeline.dataset.tables import write_table
from pipeline.intake.labels import read_overrides
from pipeline.review import journal as journals
from pipeline.review import labels

CLASSES = ("0", "1", "2")
PAGE = "raw/scans/page-000.png"


def save(client, changes, was=None):
    """Send corrections; `was` says what the page took the lines to say."""
    was = {name: (was or {}).get(name) for name in changes}
    return client.post("/api/labels", json={"changes": changes, "was": was})


def labels_of(folder):
    return {one.id: one.label for one in read_overrides(folder, CLASSES)}


def write_labels(folder, text):
    (folder / "raw/labels.csv").write_bytes(text.encode())


# --- Saved ----------------------------------------------------------------------------------


def test_a_correction_is_on_the_disk_when_it_is_answered(client, folder, ids):
    answer = save(client, {ids[0]: "2", ids[4]: "-"})
    assert answer.status_code == 200
    assert labels_of(folder) == {ids[0]: "2", ids[4]: "-"}
    assert answer.json()["said"] == {ids[0]: "2", ids[4]: "-"}
    sources = {one.id: one.source for one in read_overrides(folder, CLASSES)}
    assert sources[ids[0]] == "raw/scans/page-000.png"


def test_a_confirmed_label_is_a_line_that_repeats_it_and_waits_for_nothing(client, folder, ids):
    answer = save(client, {ids[1]: "1"}).json()
    assert labels_of(folder) == {ids[1]: "1"}
    assert answer["waiting"] == {}


def test_comments_and_foreign_lines_stay(client, folder, ids):
    text = "source,id,label,group\r\nraw/scans/page-001.png,,,ada\r\n\r\n"
    write_labels(folder, text)
    assert save(client, {ids[0]: "2"}).status_code == 200
    assert (folder / "raw/labels.csv").read_bytes().decode().startswith(text)


@pytest.mark.parametrize(
    "label", ["3", "", "zero", None, 1, ["0"], "<b>0</b>", "0\n1", "0,1", "=1+1"]
)
def test_what_is_no_class_is_refused(client, folder, ids, label):
    answer = save(client, {ids[0]: label})
    assert answer.status_code == 422
    assert "is not among the classes" in answer.json()["error"]
    assert not (folder / "raw/labels.csv").exists()


@pytest.mark.parametrize("name", ["nothing", "", "../../x", "0123456789-0-1-1", "=1+1", "\0"])
def test_ids_that_do_not_exist_are_refused(client, folder, name):
    answer = save(client, {name: "1"})
    assert answer.status_code in (400, 404)
    assert not (folder / "raw/labels.csv").exists()


def test_half_a_character_is_refused(client, folder):
    body = rb'{"changes": {"\ud800": "1"}, "was": {"\ud800": null}}'
    headers = {"content-type": "application/json"}
    assert client.post("/api/labels", content=body, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"changes": None}, {"changes": []}, {"changes": {}}, {"changes": "x", "was": {}},
        {"changes": {"a": "1"}}, {"changes": {"a": "1"}, "was": {}},
        {"changes": {"a": "1"}, "was": []},
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused(client, folder, sent):
    assert client.post("/api/labels", json=sent).status_code in (404, 422)
    assert not (folder / "raw/labels.csv").exists()


def test_too_many_at_once_are_refused(client):
    assert save(client, {str(number): "1" for number in range(20_001)}).status_code == 422


# --- Undone ---------------------------------------------------------------------------------


def test_all_is_undone_step_by_step_also_after_a_restart(client, folder, ids):
    text = "source,label\nraw/scans/page-001.png,1"
    write_labels(folder, text)
    save(client, {ids[0]: "2"})
    save(client, {ids[0]: "1", ids[1]: "-"}, was={ids[0]: "2"})
    again = open_page(folder)
    undone = again.post("/api/undo", json={}).json()
    told = f"2 tiles: several labels, on {PAGE}, row 0"
    assert undone["undone"] == {"told": told, "ids": [ids[0], ids[1]], "stays": 0}
    assert labels_of(folder)[ids[0]] == "2"
    assert again.post("/api/undo", json={}).json()["undo"] is None
    assert (folder / "raw/labels.csv").read_bytes() == text.encode()
    assert again.post("/api/undo", json={}).status_code == 404


def test_where_there_was_no_file_there_is_none_again(client, folder, ids):
    save(client, {ids[0]: "2"})
    client.post("/api/undo", json={})
    assert not (folder / "raw/labels.csv").exists()


def test_a_line_that_was_edited_since_is_told_and_the_one_before_can_be_undone(client, folder, ids):
    save(client, {ids[0]: "2"})
    save(client, {ids[1]: "2"})
    path = folder / "raw/labels.csv"
    path.write_text(path.read_text().replace(f"{ids[1]},2", f"{ids[1]},0"))
    answer = client.post("/api/undo", json={})
    assert answer.status_code == 422
    assert "was changed outside this page" in answer.json()["error"]
    assert client.post("/api/undo", json={}).status_code == 200
    assert labels_of(folder) == {ids[1]: "0"}


def test_a_journal_that_a_kill_cut_short_goes_on(client, folder, ids):
    save(client, {ids[0]: "2"})
    journal = folder / "processed/.corrections"
    journal.write_bytes(journal.read_bytes() + b'{"told": "half of')
    save(client, {ids[1]: "2"})
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[1]]
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]


def test_a_kill_between_the_journal_and_the_file_costs_no_other_undo(client, folder, ids):
    """What was noted and never written is told, and passed over."""
    save(client, {ids[0]: "2"})
    entry = {"told": "1 tile", "ids": [ids[1]], "hunks": [[None, f"raw/x,{ids[1]},2\n"]]}
    with (folder / "processed/.corrections").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    assert client.post("/api/undo", json={}).status_code == 422
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]


@pytest.mark.parametrize(
    "line",
    ['{"told": "x", "ids": [], "edits": [[null, 7, 1]]}', "[" * 100_000,
     '{"told": "x", "ids": [], "edits": [["a", "b", "1"]]}',
     '{"told": "x", "ids": [], "hunks": [["a", null]]}',
     '{"told": "x", "ids": [], "hunks": [["a", "b"]], "form": [7, []]}',
     '{"told": "x", "ids": [], "hunks": [["\\ud800", "b"]]}', '{"undone": 1}',
     '{"told": "x", "ids": 2, "hunks": []}', '{"told": "x", "ids": [], "hunks": [["a"]]}', "[1]",
     '{"told": 3, "ids": [], "hunks": []}', '{"told": "x", "ids": [], "hunks": [[1, 2]]}', "\x00{"],
)  # fmt: skip
def test_a_line_of_the_journal_that_the_page_never_wrote_is_as_good_as_none(
    client, folder, ids, line
):
    save(client, {ids[0]: "2"})
    with (folder / "processed/.corrections").open("a") as file:
        file.write(f"{line}\n")
    assert client.get("/api/labels").status_code == 200
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]


def test_nothing_is_written_through_a_link(client, folder, ids, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "file"
    (folder / "processed/.corrections").symlink_to(outside)
    answer = save(client, {ids[0]: "2"})
    assert answer.status_code == 422
    assert "is a link" in answer.json()["error"]
    assert not outside.exists()
    assert not (folder / "raw/labels.csv").exists()


@pytest.mark.parametrize("sign", ["", "\n", '"', "ab"])
def test_a_form_of_rows_that_nobody_wrote_is_passed_over(client, folder, ids, sign):
    save(client, {ids[0]: "2"})
    entry = {"told": "1 tile", "ids": [], "hunks": [['"', "a,b\n"]], "form": [sign, ["source"]]}
    with (folder / "processed/.corrections").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    assert client.post("/api/undo", json={}).status_code == 422
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]


@pytest.mark.parametrize("make", ["mkdir", "mkfifo"])
def test_a_journal_that_is_no_file_is_told_and_not_waited_for(client, folder, ids, make):
    getattr(os, make, os.mkdir)(folder / "processed/.corrections")
    answers = [save(client, {ids[0]: "2"}), client.post("/api/undo", json={})]
    for answer in answers:
        assert answer.status_code == 422
        assert "processed/.corrections is no file: delete it" in answer.json()["error"]
    assert not (folder / "raw/labels.csv").exists()


# --- Somebody else writes too ----------------------------------------------------------------


def test_what_was_added_outside_is_merged(client, folder, ids):
    save(client, {ids[0]: "2"})
    path = folder / "raw/labels.csv"
    path.write_text(path.read_text() + f"raw/scans/page-000.png,{ids[1]},0\n")
    assert save(client, {ids[2]: "0"}).json()["said"] == {ids[0]: "2", ids[1]: "0", ids[2]: "0"}


def test_what_an_editor_saves_at_that_very_moment_stays(client, folder, ids, monkeypatch):
    save(client, {ids[0]: "2"})
    path = folder / "raw/labels.csv"
    change, edits = labels.change_lines, ["one"]

    def change_while_somebody_edits(data, wanted):
        if edits:
            path.write_bytes(path.read_bytes() + f"raw/scans/page-000.png,{ids[3]},0\n".encode())
            edits.clear()
        return change(data, wanted)

    monkeypatch.setattr(labels, "change_lines", change_while_somebody_edits)
    said = save(client, {ids[2]: "0"}).json()["said"]
    assert said == {ids[0]: "2", ids[2]: "0", ids[3]: "0"}
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[2]]
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]
    assert path.read_text().splitlines()[1:] == [f"raw/scans/page-000.png,{ids[3]},0"]


def test_a_line_that_says_something_else_now_is_never_overwritten(client, folder, ids):
    save(client, {ids[0]: "2"})
    path = folder / "raw/labels.csv"
    path.write_text(path.read_text().replace(f"{ids[0]},2", f"{ids[0]},1"))
    before = path.read_bytes()
    answer = save(client, {ids[0]: "-", ids[5]: "0"}, was={ids[0]: "2"})
    assert answer.status_code == 409
    assert f"there {ids[0]} is '1'" in answer.json()["error"]
    assert path.read_bytes() == before


def test_two_pages_that_write_at_once_lose_nothing(folder, ids):
    pages = [open_page(folder) for _ in range(4)]

    def correct(page, some):
        for name in some:
            assert save(page, {name: "-"}).status_code == 200

    threads = [
        threading.Thread(target=correct, args=(page, ids[number::4]))
        for number, page in enumerate(pages)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labels_of(folder) == dict.fromkeys(ids, "-")
    assert sum(pages[0].post("/api/undo", json={}).status_code == 200 for _ in ids) == len(ids)
    assert not (folder / "raw/labels.csv").exists()


def test_a_page_hears_of_what_another_did(client, folder, ids):
    other = open_page(folder)
    before = other.get("/api/state").json()
    save(client, {ids[0]: "2"})
    after = other.get("/api/state").json()
    assert after["labels"] != before["labels"]
    assert after["tiles"] == before["tiles"]


# --- What goes wrong ------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_told_with_its_line_and_left_alone(client, folder, ids):
    write_labels(folder, "source,label\nraw/scans/page-000.png,seven\n")
    assert "line 2: 'seven'" in client.get("/api/labels").json()["trouble"]
    answer = save(client, {ids[0]: "2"})
    assert answer.status_code == 422
    assert "line 2: 'seven'" in answer.json()["error"]
    assert (folder / "raw/labels.csv").read_text() == "source,label\nraw/scans/page-000.png,seven\n"
    assert client.post("/api/undo", json={}).status_code == 404, "nothing was noted either"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_disk_refuses_leaves_all_as_it_was(client, folder, ids, monkeypatch, code):
    save(client, {ids[0]: "2"})
    before = (folder / "raw/labels.csv").read_bytes()

    def refuse(path, target):
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", refuse)
        answer = save(client, {ids[1]: "2"})
    assert answer.status_code == 507
    assert os.strerror(code) in answer.json()["error"]
    assert (folder / "raw/labels.csv").read_bytes() == before
    assert client.post("/api/undo", json={}).json()["undone"]["ids"] == [ids[0]]


def test_a_journal_that_cannot_be_written_stops_the_correction(client, folder, ids, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "fsync", refuse)
        assert save(client, {ids[0]: "2"}).status_code == 507
    assert not (folder / "raw/labels.csv").exists()
    assert client.get("/api/labels").json()["undo"] is None


def change_params(folder, old, new):
    path = folder / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_settings_that_change_while_the_page_is_open_hold_at_once(client, folder, ids):
    before = client.get("/api/state").json()
    change_params(folder, "- '2'", "- two")
    assert client.get("/api/state").json()["project"] != before["project"]
    assert client.get("/api/project").json()["classes"] == ["0", "1", "two"]
    answer = save(client, {ids[0]: "2"})
    assert (answer.status_code, "'2' is not among the classes" in answer.text) == (422, True)
    answer = save(client, {ids[0]: "two"})
    assert answer.status_code == 422, "tiles.h5 has other classes"
    assert "tiles.h5" in answer.json()["error"]
    assert not (folder / "raw/labels.csv").exists()
    change_params(folder, "- two", "- '2'")
    assert save(client, {ids[0]: "2"}).status_code == 200


def test_settings_that_are_not_right_at_the_moment_are_told(client, folder, ids):
    change_params(folder, "classes:", "klasses:")
    for answer in (save(client, {ids[0]: "2"}), client.get("/api/project")):
        assert answer.status_code == 422
        assert "klasses" in answer.json()["error"]
    change_params(folder, "klasses:", "classes:")
    assert save(client, {ids[0]: "2"}).status_code == 200


# --- What waits -----------------------------------------------------------------------------


def test_what_tiles_do_not_know_yet_waits_until_they_were_made_anew(client, folder, ids):
    assert save(client, {ids[0]: "2"}).json()["waiting"] == {ids[0]: "2"}
    labels = {name: str(number % 3) for number, name in enumerate(ids)}
    write_tiles(folder, list((labels | {ids[0]: "2"}).items()))
    assert client.get("/api/labels").json()["waiting"] == {}


def test_lines_about_pages_rows_and_places_wait_too(client, folder, ids):
    """A page has 10 tiles in one row, whose labels go round: 0 1 2 0 1 ..., then 1 2 0."""
    write_labels(
        folder,
        "source,row,col,label,id\nraw/scans/page-000.png,,,1,\nraw/scans/page-001.png,0,2,2,\n"
        f"raw/scans/page-000.png,,,,{ids[9]}\n",
    )
    waiting = client.get("/api/labels").json()["waiting"]
    on_first = {ids[n]: "1" for n in range(10) if n % 3 != 1}
    assert waiting == on_first | {ids[12]: "2"}


def test_a_typed_label_whose_line_is_gone_waits_to_be_none_again(tmp_path):
    """On a page of layout free nothing but a line names a box, or a box that was drawn with it."""
    ids = write_project(tmp_path, layout="free")
    write_labels(tmp_path, f"source,id,label\nraw/scans/page-000.png,{ids[1]},1\n")
    write_table(
        tmp_path / "raw/boxes.csv",
        ("source", "x0", "y0", "x1", "y1", "label"),
        [
            {"source": PAGE, "x0": 10 + 25 * n, "y0": 10, "x1": 20 + 25 * n, "y1": 22,
             "label": "2" if n == 2 else ""}
            for n in range(10)
        ],
    )  # fmt: skip
    client = open_page(tmp_path)
    waiting = client.get("/api/labels").json()["waiting"]
    assert waiting == {name: "" for n, name in enumerate(ids) if n not in (1, 2)}
    (tmp_path / "raw/boxes.csv").unlink()
    waiting = client.get("/api/labels").json()["waiting"]
    assert waiting == {name: "" for n, name in enumerate(ids) if n != 1}
    assert client.post("/api/costs", json={"changes": {}}).json()["pages"] == 3


def test_tiles_that_are_not_there_at_the_moment_are_told(client, folder, ids):
    tiles = folder / "processed/tiles.h5"
    tiles.rename(folder / "aside.h5")
    answer = client.get("/api/tiles")
    assert answer.status_code == 422
    assert "processed/tiles.h5 is not there yet" in answer.json()["error"]
    assert save(client, {ids[0]: "2"}).status_code == 422
    (folder / "aside.h5").rename(tiles)
    assert client.get("/api/tiles").status_code == 200


def test_an_undo_is_answered_also_while_there_are_no_tiles(client, folder, ids):
    save(client, {ids[0]: "2"})
    (folder / "processed/tiles.h5").unlink()
    answer = client.post("/api/undo", json={}).json()
    assert answer["undone"]["ids"] == [ids[0]]
    assert "tiles.h5 is not there yet" in answer["trouble"]


def test_tiles_of_another_time_are_not_drawn_for_those_in_sight(client, folder, ids):
    digest = client.get("/api/tiles").json()["digest"]
    write_tiles(folder, [(name, "0") for name in reversed(ids)])
    assert client.get(f"/api/sheet/{digest}?rows=0").status_code == 409
    now = client.get("/api/tiles").json()
    assert now["ids"] == ids[::-1]
    assert client.get(f"/api/sheet/{now['digest']}?rows=0").status_code == 200


def test_markup_in_names_stays_text(tmp_path):
    evil = '<img src=x onerror="alert(1)">'
    ids = write_project(tmp_path, classes=(evil, "b>'&d"))
    client = open_page(tmp_path)
    answer = client.get("/api/tiles")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["names"] == [evil, "b>'&d"]
    assert save(client, {ids[0]: "b>'&d"}).json()["said"] == {ids[0]: "b>'&d"}
