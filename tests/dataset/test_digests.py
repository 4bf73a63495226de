"""Digests are noted as files are made, and believed while these are the same; no longer."""

import hashlib
import json
import os

import pytest
from conftest import run_to

from pipeline.dataset import digests
from pipeline.dataset.digests import NOTES, find_damaged, find_digest
from pipeline.project import Project


@pytest.fixture
def made(project, prep):
    for stage in ("ingest", "segment"):
        assert prep(stage)[0] == 0
    return Project(project)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_file_of_a_stage_is_noted_when_it_is_made(made):
    notes = json.loads(made.output(NOTES).read_text())
    files = [path for path in made.output().rglob("*") if path.is_file() and path.name != NOTES]
    assert {made.relative(path): sha256(path) for path in files} == {
        file: note["sha256"] for file, note in notes.items()
    }


def test_what_is_the_same_is_not_read_and_what_is_not_is(made, monkeypatch):
    read = []
    monkeypatch.setattr(digests, "digest_file", lambda path: read.append(path) or "read")
    boxes = made.output("boxes.csv")
    assert find_digest(made, boxes) == sha256(boxes)
    assert read == []
    boxes.write_text(boxes.read_text() + "\n")
    assert find_digest(made, boxes) == "read"


def test_a_byte_that_changed_while_size_and_time_did_not_is_found_without_dvc(made, prep):
    assert list(find_damaged(made)) == []
    path = made.output("boxes.csv")
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(find_damaged(made)) == ["processed/boxes.csv"]
    assert "processed/boxes.csv: its bytes changed since it was made" in prep("check", "files")[2]


@pytest.mark.parametrize("damage", ["", "[]", '{"processed/boxes.csv": 3}', '{"../../x": {}}'])
def test_damaged_notes_are_as_good_as_none(made, damage, prep):
    made.output(NOTES).write_text(damage)
    assert find_digest(made, made.output("boxes.csv")) == sha256(made.output("boxes.csv"))
    assert list(find_damaged(made)) == []
    run_to(prep, "plan")
    assert "processed/lineage.json" in json.loads(made.output(NOTES).read_text())
