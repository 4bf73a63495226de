"""A file in raw/ that a program and an editor save at the same moment loses neither's lines."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.intake.rewriting import MeanwhileError, rewrite

NAME = "raw/labels.csv"


@pytest.fixture
def file(tmp_path):
    for folder in ("raw", "processed"):
        (tmp_path / folder).mkdir()
    path = tmp_path / NAME
    path.write_bytes(b"source,id,label\n")
    return path


def save(file, line, meanwhile=lambda: None, check=lambda part: None):
    def work(data):
        meanwhile()
        return (data or b"") + line

    rewrite(file.parent.parent, file, NAME, work, check)


def test_what_an_editor_saved_meanwhile_stays(file):
    def edit():
        file.write_bytes(file.read_bytes() + b"theirs\n")

    with pytest.raises(MeanwhileError, match="was saved by another program at this moment"):
        save(file, b"ours\n", meanwhile=edit)
    assert file.read_bytes() == b"source,id,label\ntheirs\n"
    save(file, b"ours\n")
    assert file.read_bytes() == b"source,id,label\ntheirs\nours\n"


def test_a_file_that_comes_or_goes_meanwhile_is_noticed(file):
    with pytest.raises(MeanwhileError):
        save(file, b"ours\n", meanwhile=file.unlink)
    assert not file.exists()
    with pytest.raises(MeanwhileError):
        save(file, b"ours\n", meanwhile=lambda: file.write_bytes(b"theirs\n"))
    assert file.read_bytes() == b"theirs\n"


def test_what_is_saved_during_the_check_is_noticed_and_nothing_is_left_behind(file):
    with pytest.raises(MeanwhileError):
        save(file, b"ours\n", check=lambda part: file.write_bytes(b"theirs\n"))
    with pytest.raises(DataError, match="unclear"):
        save(file, b"ours\n", check=refuse)
    assert file.read_bytes() == b"theirs\n"
    found = {
        path.relative_to(file.parent.parent).as_posix() for path in file.parent.parent.rglob("*")
    }
    assert found - {"processed/.digests"} == {"raw", NAME, "processed"}


def refuse(part):
    raise DataError("unclear")


def test_raw_may_be_mounted_apart_from_the_folders_beside_it(file, monkeypatch):
    """As in a container: to the system it is the same disk, and yet no file is renamed into it."""
    replace, tried = Path.replace, []

    def refuse_another_mount(path, target):
        tried.append(path.parent.name)
        if path.parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse_another_mount)
    save(file, b"ours\n")
    assert file.read_bytes() == b"source,id,label\nours\n"
    assert tried == ["processed", file.parent.parent.name, "raw"], "inside raw/ only at last"
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_beside_raw_that_is_somebody_elses_is_not_used(file, tmp_path, monkeypatch):
    """As where raw/ is a link to one of many folders on a shared disk."""
    for name in ("disk/raw", "processed"):
        (tmp_path / "own" / name).mkdir(parents=True)
    (tmp_path / "own/raw").symlink_to("disk/raw")
    closed, access = {tmp_path / "own/processed", tmp_path / "own/disk"}, os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path not in closed and access(path, mode))
    replace, tried = Path.replace, []
    monkeypatch.setattr(
        Path, "replace", lambda path, to: tried.append(path.parent) or replace(path, to)
    )
    save(tmp_path / "own/raw/labels.csv", b"ours\n")
    assert tried == [tmp_path / "own/disk/raw"]
    assert (tmp_path / "own/disk/raw/labels.csv").read_bytes() == b"ours\n"


def test_an_error_names_the_file_and_not_the_one_that_was_to_become_it(file, monkeypatch):
    def refuse(path, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError) as told:
        save(file, b"ours\n")
    assert told.value.filename == str(file)
