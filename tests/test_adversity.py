"""A full disk, a folder that may not be written, files that vanish, two at once: one clear line."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA_STAGES, digests, run_to

from pipeline.dataset.tables import COLUMNS, read_table

pytestmark = pytest.mark.slow

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"),
    reason="only root can mount a small disk",
)


def mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this root may not mount a disk")


@pytest.fixture
def small_disk(project):
    """The folder processed/, a disk of 2 MB of its own."""
    folder = project / "processed"
    folder.mkdir()
    mount(folder, "size=2m")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Write a file that leaves so many bytes of the disk."""
    filler, room = disk / "filler", os.statvfs(disk)
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize - left))
    return filler


def assert_one_line(answer: tuple[int, str, str], *said: str) -> None:
    code, _, errors = answer
    assert (code, errors.count("\n")) == (1, 1), errors
    assert all(word in errors for word in said), errors
    assert ".part-" not in errors


@needs_root
@pytest.mark.parametrize("left", [0, 4096])
def test_on_a_full_disk_a_stage_says_so_and_leaves_nothing(small_disk, prep, left):
    for stage in DATA_STAGES:
        there = digests(small_disk)
        filler = fill(small_disk, left)
        answer = prep(stage)
        filler.unlink()
        if not (left and stage in ("balance", "split")):  # whose files are small
            assert_one_line(answer, "there is no room for", "processed/")
        assert not list(small_disk.rglob(".part-*"))
        after = digests(small_disk)
        assert {name: after[name] for name in there} == there
        assert prep(stage)[0] == 0
        assert after.items() <= digests(small_disk).items()


@pytest.fixture
def closed_folder(project):
    """A function that makes processed/ a folder that nobody may write into."""
    folder = project / "processed"
    with contextlib.ExitStack() as stack:

        def close() -> None:
            if os.geteuid() == 0:  # whom rights do not stop
                subprocess.run(["mount", "--bind", folder, folder], check=False)
                again = ["mount", "-o", "remount,bind,ro", folder]
                stack.callback(subprocess.run, ["umount", "--lazy", folder], check=False)
                if subprocess.run(again, check=False).returncode:
                    pytest.skip("this root may not mount a disk")
            else:
                folder.chmod(0o500)
                stack.callback(folder.chmod, 0o700)

        yield close


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")
def test_what_may_not_be_written_is_told(project, prep, closed_folder):
    run_to(prep, "augment")
    before = digests(project)
    closed_folder()
    for stage in ("ingest", "segment", "normalise", "balance", "split", "augment", "plan"):
        assert_one_line(prep(stage), "processed", "can't be opened or changed", "try again")
    assert digests(project) == before


def test_a_picture_that_vanishes_between_stages_is_told(project, prep):
    run_to(prep, "ingest")
    (project / "raw/pictures/bar/003.png").unlink()
    assert prep("segment")[0] == 0
    (row,) = read_table(project / "processed/quarantine.csv", COLUMNS["quarantine"])
    assert row["source"] == "raw/pictures/bar/003.png"
    assert "No such file" in row["reason"]


def test_files_of_the_future_change_nothing(project, prep):
    run_to(prep, "plan")
    before = digests(project)
    for path in project.rglob("*"):
        os.utime(path, (4e9, 4e9))
    run_to(prep, "plan")
    assert digests(project) == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["segment", "augment", "plan"])
def test_two_at_once_both_come_to_the_right_end(project, prep, stage):
    run_to(prep, "plan")
    before = digests(project)
    command = [sys.executable, "-m", "pipeline", stage, "-q"]
    both = [subprocess.Popen(command, cwd=project) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert digests(project) == before
