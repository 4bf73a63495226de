"""While `dvc repro` reads raw/ nothing is written there; a lock left behind is none."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.review.locks import is_read_by_dvc

POSIX = pytest.mark.skipif(os.name == "nt", reason="another system's processes")


def write_lock(folder, path, process, root=None):
    """Write the lock of a DVC that has its own folder in `root`."""
    lock = (root or folder) / ".dvc/tmp/rwlock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    said = {"write": {}, "read": {str(path): [{"pid": process, "cmd": "dvc repro"}]}}
    lock.write_text(json.dumps(said))
    return lock


def save(client, name):
    return client.post("/api/labels", json={"changes": {name: "2"}, "was": {name: None}})


def test_while_dvc_reads_raw_nothing_changes_there(client, folder, ids):
    """DVC notes the state of raw/ when a stage ends: what changed meanwhile it would never read."""
    write_lock(folder, folder / "raw", os.getpid())
    answer = save(client, ids[0])
    assert answer.status_code == 503
    assert "dvc repro is reading raw/" in answer.json()["error"]
    assert not (folder / "raw/labels.csv").exists()
    write_lock(folder, folder / "processed/tiles.h5", os.getpid())
    assert save(client, ids[0]).status_code == 200


def test_the_project_may_be_one_folder_of_many_in_dvcs_own(tmp_path):
    (tmp_path / "study/raw").mkdir(parents=True)
    write_lock(tmp_path / "study", tmp_path / "study/raw", os.getpid(), root=tmp_path)
    assert is_read_by_dvc(tmp_path / "study")


def test_raw_may_be_a_link(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "study/raw").symlink_to(tmp_path / "disk")
    write_lock(tmp_path / "study", tmp_path / "study/raw", os.getpid())
    assert is_read_by_dvc(tmp_path / "study")


# --- Locks that were left behind ------------------------------------------------------------------


@pytest.mark.parametrize("process", [2**22 + 1, 10**30, -1, None, [1], {}])
def test_a_dvc_that_is_no_more_is_not_waited_for(tmp_path, process):
    write_lock(tmp_path, tmp_path / "raw", process)
    assert not is_read_by_dvc(tmp_path)


def test_a_process_that_began_after_the_lock_was_written_never_wrote_it(tmp_path):
    """As after a restart of the machine: its number belongs to another program now."""
    lock = write_lock(tmp_path, tmp_path / "raw", os.getpid())
    assert is_read_by_dvc(tmp_path)
    os.utime(lock, (1e9, 1e9))
    assert not is_read_by_dvc(tmp_path)


@POSIX
def test_another_program_with_the_number_of_a_dvc_is_none(tmp_path):
    with subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE) as process:
        write_lock(tmp_path, tmp_path / "raw", process.pid)
        assert not is_read_by_dvc(tmp_path)
        process.stdin.close()


@POSIX
def test_a_dvc_that_is_dead_and_that_nobody_asked_how_it_ended_is_none(tmp_path):
    """As where `dvc repro` is killed in a container whose first process takes no care of others."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    write_lock(tmp_path, tmp_path / "raw", process.pid)
    try:
        assert not is_read_by_dvc(tmp_path)
    finally:
        process.wait()


@pytest.mark.parametrize(
    "text",
    ["", "{half", "[]", '{"read": []}', '{"read": {"a": 5}}', '{"read": {"a": [5]}}',
     '{"read": {"\\u0000": [{"pid": 1}]}}', "[" * 100_000],
)  # fmt: skip
def test_a_lock_that_dvc_never_wrote_is_none(tmp_path, text):
    write_lock(tmp_path, tmp_path / "raw", os.getpid()).write_text(text)
    assert not is_read_by_dvc(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    lock = write_lock(tmp_path, tmp_path / "raw", os.getpid())
    lock.unlink()
    os.mkfifo(lock)
    assert not is_read_by_dvc(tmp_path)
