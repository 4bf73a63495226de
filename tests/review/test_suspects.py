"""Lists of suspects, as `prep check suspects` writes them, and the search that it is."""

import subprocess
import threading
from dataclasses import fields

import pytest
from reviewed import open_page, write_project, write_suspects

from pipeline.dataset.tables import write_table
from pipeline.notes import digest_file
from pipeline.suspects.table import Suspect


def test_where_none_were_looked_for_there_are_none(client):
    assert client.get("/api/suspects").json() == {
        "lists": {}, "isStale": False, "isOn": False, "trouble": "",
    }  # fmt: skip


def test_they_come_by_kind_in_their_order(client, folder, ids):
    write_suspects(folder, [(ids[4], "1", "2"), (ids[0], "0", "1")])
    found = client.get("/api/suspects").json()["lists"]["label"]
    assert [(one["id"], one["label"], one["read_as"]) for one in found] == [
        (ids[4], "1", "2"), (ids[0], "0", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_of_these", [True, False])
def test_those_of_other_tiles_are_told(client, folder, is_of_these):
    digest = digest_file(folder / "processed/tiles.h5") if is_of_these else "0" * 64
    head = {"kind": "tiles", "rank": 0, "id": digest, "why": "by rows"}
    write_table(
        folder / "processed/suspects.csv", [field.name for field in fields(Suspect)], [head]
    )
    assert client.get("/api/suspects").json()["isStale"] is not is_of_these
    assert client.get("/api/suspects").json()["lists"] == {}


def test_a_damaged_list_is_told(client, folder):
    (folder / "processed/suspects.csv").write_text("kind,id\nlabel,x\n")
    answer = client.get("/api/suspects")
    assert answer.status_code == 422
    assert "lacks the columns rank, label" in answer.json()["error"]


def join_searches():
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.endswith("(_run)"):
            thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csv.py", "pipeline/__init__.py"])
def test_a_module_in_the_project_is_not_run_in_the_place_of_preps_own(tmp_path, name):
    write_project(tmp_path, tiles=60, pages=6)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('somebody else')")
    client = open_page(tmp_path)
    assert client.post("/api/suspects", json={}).json()["isOn"]
    join_searches()
    answer = client.get("/api/suspects").json()
    assert (answer["isOn"], answer["trouble"]) == (False, "")
    assert (tmp_path / "processed/suspects.csv").exists()


def test_one_search_is_on_at_a_time_and_what_fails_is_told(client, folder, monkeypatch):
    begun, may_end, calls = threading.Event(), threading.Event(), []

    def run(words, cwd, **options):
        calls.append((words[words.index("-m") + 1 :], cwd))
        begun.set()
        assert may_end.wait(30)
        return subprocess.CompletedProcess(words, 1, "", "Error: too few tiles\n")

    monkeypatch.setattr(subprocess, "run", run)
    before = client.get("/api/state").json()["suspects"]
    assert client.post("/api/suspects", json={}).json()["isOn"]
    assert begun.wait(30)
    assert client.post("/api/suspects", json={}).json()["isOn"]
    assert client.get("/api/state").json()["suspects"] != before
    may_end.set()
    join_searches()
    answer = client.get("/api/suspects").json()
    assert (answer["isOn"], answer["trouble"]) == (False, "too few tiles")
    assert calls == [(["pipeline", "check", "suspects", "--quiet"], folder)]
