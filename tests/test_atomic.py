"""Files and folders appear whole or not at all."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from pipeline.atomic import remove_at_once, remove_unfinished, whole_file, whole_folder
from pipeline.dataset.writing import create_file, create_texts
from pipeline.errors import explain


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_appears_when_it_is_whole(tmp_path):
    with whole_file(tmp_path / "deep/a.txt") as part:
        part.write_text("new")
        assert not (tmp_path / "deep/a.txt").exists()
        assert part.suffix == ".txt"
    assert (tmp_path / "deep/a.txt").read_text() == "new"
    assert listing(tmp_path) == ["deep", "deep/a.txt"]


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


def test_a_folder_replaces_the_old_one_and_all_that_was_in_it(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/old.txt").write_text("old")
    with whole_folder(tmp_path / "f") as part:
        (part / "new.txt").write_text("new")
    assert listing(tmp_path) == ["f", "f/new.txt"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/old.txt").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "f") as part:
        (part / "new.txt").write_text("half")
        raise RuntimeError
    assert listing(tmp_path) == ["f", "f/old.txt"]


NOBODY = 999_999_999  # no system numbers its processes so high


def test_what_a_killed_process_left_goes_with_the_next_write_into_its_folder(tmp_path):
    (tmp_path / f".part-{NOBODY}-b.txt").write_text("half")
    (tmp_path / f".part-{NOBODY}-f").mkdir()
    (tmp_path / f".part-{NOBODY}-f/page.jpg").write_text("half")
    (tmp_path / f".part-{os.getpid()}-c.txt").write_text("of an earlier process of this number")
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert listing(tmp_path) == ["a.txt"]


def test_what_others_are_writing_and_what_only_looks_like_it_stays(tmp_path):
    for name in (f".part-{os.getppid()}-b.txt", ".part-mine", ".part-12x-b.txt"):
        (tmp_path / name).touch()
    with whole_folder(tmp_path / "f"), whole_file(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert len(listing(tmp_path)) == 5


def test_all_that_is_unfinished_can_be_thrown_away_at_once(tmp_path):
    with whole_folder(tmp_path / "f"), whole_file(tmp_path / "deep/a.txt") as part:
        part.write_text("half")
        remove_unfinished()
        assert listing(tmp_path) == ["deep"]
        part.write_text("so that the rest of this test can go on")
        (tmp_path / f".part-{os.getpid()}-f").mkdir()


def test_a_folder_goes_at_once_or_stays_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/old.txt").touch()
    seen = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: seen.append(path.parent / "f"))
    remove_at_once(tmp_path / "f")
    assert [path.exists() for path in seen] == [False]
    remove_at_once(tmp_path / "none")


def test_of_two_that_write_a_folder_at_once_the_last_one_stays(tmp_path, monkeypatch):
    replace, others = Path.replace, iter([tmp_path / "f/of-another.txt"])

    def replace_too_late(part, path):
        for file in others if path == tmp_path / "f" else ():
            file.parent.mkdir()
            file.touch()
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", replace_too_late)
    with whole_folder(tmp_path / "f") as part:
        (part / "mine.txt").touch()
    assert listing(tmp_path) == ["f", "f/mine.txt"]


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    with pytest.raises(OSError, match="a.txt") as caught, whole_file(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "no room for" in explain(caught.value)
    assert ".part-" not in explain(OSError(errno.EACCES, "No", f"{tmp_path}/.part-12-a.txt"))


@pytest.fixture
def events(monkeypatch):
    """What the disk is asked for, in order: ('sync', inode) and ('rename', new name)."""
    seen = []
    fsync, replace = os.fsync, Path.replace

    def note_sync(handle):
        seen.append(("sync", os.fstat(handle).st_ino))
        fsync(handle)

    def note_rename(path, target):
        if path.exists():
            seen.append(("rename", Path(target).name))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    return seen


posix = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")


@posix
def test_a_file_is_on_the_disk_before_it_has_its_name_and_then_the_name_is_too(tmp_path, events):
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("new")
        inode = part.stat().st_ino
    assert events == [("sync", inode), ("rename", "a.txt"), ("sync", tmp_path.stat().st_ino)]


@posix
def test_a_folder_is_on_the_disk_with_all_that_is_in_it_before_it_has_its_name(tmp_path, events):
    with whole_folder(tmp_path / "f") as part:
        (part / "deep").mkdir()
        (part / "deep/b.txt").write_text("new")
        (part / "a.txt").write_text("new")
        inodes = {path.stat().st_ino for path in (part, *part.rglob("*"))}
    *before, rename, last = events
    assert {inode for what, inode in before if what == "sync"} == inodes and len(inodes) == 4
    assert (rename, last) == (("rename", "f"), ("sync", tmp_path.stat().st_ino))


@posix
def test_hdf5_files_are_synced_whole(tmp_path, events):
    with create_file(tmp_path / "a.h5") as (file, _):
        create_texts(file, "ids", ["a", "b"])
    assert events[0] == ("sync", (tmp_path / "a.h5").stat().st_ino)
    assert [what for what, _ in events] == ["sync", "rename", "sync"]


def test_pictures_that_are_soon_made_again_do_not_wait_for_the_disk(tmp_path, events):
    with whole_folder(tmp_path / "f", synced=False) as part:
        (part / "a.jpg").write_bytes(b"new")
    assert events == [("rename", "f")]


def test_a_disk_that_fails_to_sync_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")

    def fail(handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with (
        pytest.raises(OSError, match="Input/output error") as caught,
        whole_file(tmp_path / "a.txt") as part,
    ):
        part.write_text("new")
    assert str(tmp_path / "a.txt") in explain(caught.value)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


@posix
def test_where_folders_cannot_be_synced_files_are(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with whole_folder(tmp_path / "f") as part:
        (part / "a.txt").write_text("new")
    assert listing(tmp_path) == ["f", "f/a.txt"]
