"""What the machine refuses stops the work; no file, archive or folder is quarantined for it."""

import errno
import io
import os
import signal
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.tables import COLUMNS, Row
from pipeline.errors import OUT_OF_MEMORY, DataError, explain
from pipeline.intake import archives, images
from pipeline.intake.files import PictureFile, find_files
from pipeline.intake.inspection import inspect_file
from pipeline.intake.scans import read_photos, read_scans
from pipeline.isolation import Death
from pipeline.stages import ingest

FOLDER = "raw/photos"
PICTURE = images.encode_png(np.arange(600, dtype=np.uint16).reshape(20, 30).astype(np.uint8))
STATES = [
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO,
    errno.ESTALE, errno.EROFS, errno.ENOMEM, errno.ENOTCONN, errno.ENOENT,
]  # fmt: skip
LIMITS = {"seconds": 60, "memory_mb": 4000, "pixels": 10**6}

by_state = pytest.mark.parametrize("state", STATES, ids=errno.errorcode.get)


def write_plain(folder: Path) -> PictureFile:
    (folder / "1.png").write_bytes(PICTURE)
    return PictureFile(f"{FOLDER}/1.png")


def write_zip(folder: Path) -> PictureFile:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("cat/1.png", PICTURE)
    return PictureFile(f"{FOLDER}/a.zip", "cat/1.png")


def write_tar_gz(folder: Path) -> PictureFile:
    member = tarfile.TarInfo("cat/1.png")
    member.size = len(PICTURE)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.addfile(member, io.BytesIO(PICTURE))
    return PictureFile(f"{FOLDER}/a.tar.gz", "cat/1.png")


@pytest.fixture(params=[write_plain, write_zip, write_tar_gz], ids=["plain", "zip", "tar.gz"])
def file(request, tmp_path):
    """A picture in a project whose root is tmp_path, by itself or in an archive."""
    (tmp_path / FOLDER).mkdir(parents=True)
    return request.param(tmp_path / FOLDER)


@pytest.fixture
def refuse(monkeypatch):
    """A function after which the system opens no file below raw/ any more."""

    def refuse(number: int) -> None:
        opened = Path.open

        def fail(path: Path, *words: object, **options: object) -> object:
            if "raw" in path.parts:
                raise OSError(number, os.strerror(number), str(path))
            return opened(path, *words, **options)

        monkeypatch.setattr(Path, "open", fail)

    return refuse


def row_of(file: PictureFile) -> Row:
    found = {"source": file.source, "member": file.member, "page": "0", "layout": "whole"}
    return dict.fromkeys(COLUMNS["catalogue"], "") | found | {"width": "30", "height": "20"}


@by_state
def test_a_file_that_the_machine_does_not_open_stops_all_who_read_it(tmp_path, file, refuse, state):
    refuse(state)
    row = row_of(file)
    for work in (
        lambda: find_files(tmp_path, FOLDER),
        lambda: file.read(tmp_path),
        lambda: inspect_file(tmp_path, file, **LIMITS),
        lambda: list(read_scans(tmp_path, [row])),
        lambda: list(read_photos(tmp_path, [row], 8)),
    ):
        with pytest.raises(OSError) as caught:
            work()
        assert caught.value.errno == state
        assert caught.value.filename == str(tmp_path / file.source)


class Failing(io.BytesIO):
    """A file on a disk that fails while it is read, which does not say where."""

    def read(self, size: int = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_fails_while_a_file_is_read_is_told_with_the_file(tmp_path, file, monkeypatch):
    monkeypatch.setattr(archives, "open_file", lambda path: Failing())
    monkeypatch.setattr("pipeline.intake.files.open_file", lambda path: Failing())
    with pytest.raises(OSError, match=file.source):
        find_files(tmp_path, FOLDER)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP])
def test_what_the_system_says_of_a_name_or_content_is_the_files_own(tmp_path, file, refuse, number):
    refuse(number)
    [found] = find_files(tmp_path, FOLDER)
    assert os.strerror(number) in found.trouble


def test_of_closed_files_one_is_named_and_the_others_are_counted(tmp_path, refuse):
    for number in range(5):
        path = tmp_path / FOLDER / f"cat/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    refuse(errno.EACCES)
    with pytest.raises(DataError, match=r"cat/\d\.png can't be opened .* 4 more in raw/photos"):
        find_files(tmp_path, FOLDER)


@pytest.mark.parametrize("state", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_folder_that_the_machine_does_not_list_is_no_picture(tmp_path, monkeypatch, state):
    folder = tmp_path / FOLDER / "cat"
    folder.mkdir(parents=True)
    scandir = os.scandir

    def fail(path):
        if path == folder:
            raise OSError(state, os.strerror(state), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(OSError) as caught:
        find_files(tmp_path, FOLDER)
    assert (caught.value.errno, caught.value.filename) == (state, str(folder))


# --- The folder for temporary files ----------------------------------------------------------


@pytest.fixture
def packed(tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    return write_tar_gz(tmp_path / FOLDER)


class FullFile(io.FileIO):
    """A file on a disk with room for ten bytes."""

    def write(self, data):
        if self.tell() >= 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[:10])


def test_no_room_to_unpack_names_the_folder_for_temporary_files(tmp_path, packed, monkeypatch):
    full = tmp_path / "small"
    full.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: FullFile(full, "w+"))
    with pytest.raises(OSError) as caught:
        find_files(tmp_path, FOLDER)
    assert f"no room for {tmp_path} (" in explain(caught.value)


def test_a_folder_for_temporary_files_that_vanished_is_told(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError) as caught:
        find_files(tmp_path, FOLDER)
    assert f"temporary files, {tmp_path / 'gone'}, is gone" in explain(caught.value)


def test_nothing_takes_temporary_files(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(FileNotFoundError) as caught:
        find_files(tmp_path, FOLDER)
    assert "No usable temporary directory" in explain(caught.value)


# --- Memory ----------------------------------------------------------------------------------


def give_out(*args: object, **options: object) -> None:
    raise MemoryError


def test_memory_that_runs_out_below_the_limit_of_a_file_is_the_files_own(
    tmp_path, file, monkeypatch
):
    find_files(tmp_path, FOLDER)  # which opens its archive
    monkeypatch.setattr(images, "measure_pages", give_out)
    found = inspect_file(tmp_path, file, **LIMITS)
    assert (found.sizes, found.trouble) == ((), OUT_OF_MEMORY)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system counts no memory")
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_memory_that_runs_out_at_the_systems_own_limit_is_the_machines(
    tmp_path, file, monkeypatch, limit
):
    import resource

    find_files(tmp_path, FOLDER)
    ask = resource.getrlimit
    tight = getattr(resource, limit)
    monkeypatch.setattr(
        resource, "getrlimit", lambda which: (2**30, -1) if which == tight else ask(which)
    )
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: None)
    monkeypatch.setattr(images, "measure_pages", give_out)
    with pytest.raises(OSError) as caught:
        inspect_file(tmp_path, file, **LIMITS)
    assert (caught.value.errno, caught.value.filename) == (
        errno.ENOMEM,
        str(tmp_path / file.source),
    )


def test_without_a_limit_of_its_own_a_file_is_not_to_blame(tmp_path, file, monkeypatch):
    monkeypatch.setattr("pipeline.intake.files.tell_kind", give_out)
    with pytest.raises(OSError, match=file.source) as caught:
        find_files(tmp_path, FOLDER)
    assert caught.value.errno == errno.ENOMEM
    monkeypatch.undo()
    monkeypatch.setattr(images, "_READERS", dict.fromkeys(images._READERS, give_out))
    with pytest.raises(OSError, match=file.source) as caught:
        list(read_scans(tmp_path, [row_of(file)]))
    assert caught.value.errno == errno.ENOMEM


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU])
def test_a_process_that_is_killed_from_outside_is_no_crash_of_a_decoder(
    project, prep, monkeypatch, blow
):
    monkeypatch.setattr(
        ingest, "map_isolated", lambda _, files, jobs: (Death(-blow) for _ in files)
    )
    code, _, errors = prep("ingest")
    assert (code, errors.count("\n")) == (1, 1)
    assert "raw/pictures/bar/000.png" in errors
    assert blow.name in errors and "limits.memory_mb" in errors
    assert not (project / "processed/catalogue.csv").exists()
