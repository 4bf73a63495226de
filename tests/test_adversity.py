"""A full disk, a folder that may not be written, files that vanish, two at once: one clear line."""

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from conftest import DATA_STAGES, digests, run_to

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
    before = digests(project)
    picture = project / "raw/pictures/bar/003.png"
    kept = picture.read_bytes()
    picture.unlink()
    assert_one_line(prep("segment"), "raw/pictures/bar/003.png any more", "dvc repro")
    picture.write_bytes(kept)
    assert digests(project) == before
    assert prep("segment")[0] == 0


def pack(project: Path) -> None:
    """Put the pictures of each class into an archive."""
    for folder in list((project / "raw/pictures").iterdir()):
        with tarfile.open(f"{folder}.tar.gz", "w:gz") as archive:
            archive.add(folder, folder.name)
        shutil.rmtree(folder)


def start(*words: str, limits: dict[str, int], **env: str) -> tuple[int, str, str]:
    """Run prep as a process of its own under limits of the system's."""
    import resource

    def limit() -> None:
        for name, number in limits.items():
            resource.setrlimit(getattr(resource, name), (number, number))

    command = [sys.executable, "-m", "pipeline", *words]
    answer = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=limit, env=os.environ | env, check=False
    )
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
def test_no_room_to_unpack_stops_ingest_and_costs_nothing(project, prep, monkeypatch):
    pack(project)
    monkeypatch.chdir(project)
    assert prep("ingest")[0] == 0
    before = digests(project)
    answer = start("ingest", limits={"RLIMIT_FSIZE": 10_000}, TMPDIR=tempfile.gettempdir())
    assert_one_line(answer, f"no room for {tempfile.gettempdir()}", "TMPDIR")
    assert digests(project) == before


@needs_root
def test_a_full_folder_for_temporary_files_stops_ingest(project, prep, monkeypatch):
    pack(project)
    monkeypatch.chdir(project)
    small = project / "small"
    small.mkdir()
    mount(small, "size=40k")
    try:
        answer = start("ingest", limits={}, TMPDIR=str(small))
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
    assert_one_line(answer, f"no room for {small}", "TMPDIR")
    assert not (project / "processed/catalogue.csv").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
def test_with_too_few_open_files_all_is_done_or_nothing(project, prep, monkeypatch):
    pack(project)
    monkeypatch.chdir(project)
    assert prep("ingest")[0] == 0
    before = digests(project)
    for most in (8, 11, 14, 64):
        code, _, errors = start("ingest", "-j", "2", limits={"RLIMIT_NOFILE": most})
        assert code == 0 if most == 64 else "too many files open" in errors, (most, errors)
        assert digests(project) == before


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
