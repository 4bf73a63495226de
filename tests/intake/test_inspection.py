"""What a file may cost holds for reading it too, by itself or out of an archive."""

import contextlib
import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pdf_files
import pytest

from pipeline.errors import OUT_OF_MEMORY
from pipeline.intake import archives, images, inspection
from pipeline.intake.files import PictureFile, find_files
from pipeline.intake.inspection import Inspection, inspect_file
from pipeline.isolation import Death, map_isolated

SIZE = 150 * 10**6  # bytes
LIMITS = {"seconds": 60, "memory_mb": 4000, "pixels": 10**6}

counted = pytest.mark.skipif(sys.platform != "linux", reason="this system counts no memory")
timed = pytest.mark.skipif(os.name == "nt", reason="this system has no clock that ends a process")


def inspect(root: Path, file: PictureFile, **limits: float) -> Inspection | Death:
    (found,) = map_isolated(partial(inspect_file, root, **(LIMITS | limits)), [file], 1)
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a small PNG that zeros follow, as it is and in an archive."""
    folder = tmp_path_factory.mktemp("inspection")
    path = folder / "raw/a.png"
    path.parent.mkdir()
    small = folder / "small.png"
    small.write_bytes(images.encode_png(np.full((20, 30), 7, np.uint8)))
    shutil.copy(small, path)
    os.truncate(path, SIZE)
    with zipfile.ZipFile(
        folder / "raw/b.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as packed:
        packed.write(path, "in.png")
    return folder


@pytest.fixture(params=["a.png", "b.zip"])
def file(request, root):
    plain, packed = find_files(root, "raw")
    return {"a.png": plain, "b.zip": packed}[request.param]


def test_what_stands_within_the_limits_is_read_and_measured(root, file):
    digest = hashlib.sha256((root / "raw/a.png").read_bytes()).hexdigest()
    assert inspect(root, file) == Inspection(digest, ((30, 20),))


@counted
def test_a_file_is_read_into_no_more_memory_than_it_may_take(root, file):
    assert inspect(root, file, memory_mb=50) == Inspection(trouble=OUT_OF_MEMORY)


@counted
def test_the_bytes_of_a_file_are_there_only_once(root, file):
    assert inspect(root, file, memory_mb=1.5 * SIZE / 1e6).sizes == ((30, 20),)


@counted
def test_a_pdf_for_which_there_is_too_little_memory_is_not_called_damaged(tmp_path):
    (tmp_path / "raw").mkdir()
    scan = pdf_files.flate(np.zeros((5000, 5000, 3), np.uint8))
    (tmp_path / "raw/a.pdf").write_bytes(pdf_files.write(pdf_files.page(scan)))
    file = PictureFile("raw/a.pdf")
    found = inspect(tmp_path, file, memory_mb=40, pixels=10**8)
    assert found.trouble == OUT_OF_MEMORY
    assert inspect(tmp_path, file, pixels=10**8).sizes == ((5000, 5000),)


@timed
def test_reading_takes_no_longer_than_it_may(root, file):
    found = inspect(root, file, seconds=0.03)
    assert isinstance(found, Death) and found.out_of_time


def test_unpacking_a_whole_archive_for_one_file_is_not_counted(root, tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    with tarfile.open(tmp_path / "raw/a.tar.gz", "w:gz") as packed:
        packed.add(root / "small.png", "in.png")
    (file,) = find_files(tmp_path, "raw")
    order = []

    def record(what, result):
        order.append(what)
        return result

    unpack = archives._unpack
    archives._open_state.cache_clear()
    monkeypatch.setattr(archives, "_unpack", lambda *all: record("unpacked", unpack(*all)))
    monkeypatch.setattr(
        inspection, "held_to", lambda *limits: record("counted", contextlib.nullcontext())
    )
    assert inspect_file(tmp_path, file, **LIMITS).sizes == ((30, 20),)
    assert order == ["unpacked", "counted"]
