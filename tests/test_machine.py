"""A file that the machine does not open is neither damaged nor absent, whoever reads it."""

import errno
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.checks.contents import check_model, judge_lines
from pipeline.checks.records import list_files, read_lock, read_yaml
from pipeline.dataset.documents import read_object
from pipeline.dataset.store import open_dataset, read_glyph_ids
from pipeline.dvc_cache import digest_md5
from pipeline.network.checkpoints import read_checkpoint
from pipeline.project import Project
from pipeline.training.runs import read_run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no file any more."""
    import resource

    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def read_lines(path: Path) -> None:
    list(judge_lines(path, ["id"], lambda row: "", []))


def open_tiles(path: Path) -> None:
    with open_dataset(path):
        pass


def read_a_run(path: Path) -> None:
    read_run(Project(path.parents[5]), path.parent)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a table": ("a.csv", read_lines),
    "a document": ("run.json", lambda path: read_object(path, "")),
    "a run": ("run.json", read_a_run),
    "a checkpoint": ("a.npz", lambda path: read_checkpoint(path, "")),
    "a model": ("a.keras", check_model),
    "a dataset": ("a.h5", open_tiles),
    "glyphs": ("a.h5", read_glyph_ids),
    "settings": ("dvc.lock", read_yaml),
    "the lock": ("dvc.lock", lambda path: read_lock(path.parent)),
    "bytes": ("a.csv", digest_md5),
}


@pytest.fixture
def folder(tmp_path):
    """The folder of a run, with a file of each kind."""
    folder = tmp_path / "processed/runs/none/fold-0/seed-0"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id\n1\n")
    (folder / "run.json").write_text(json.dumps({"files": {}}))
    (folder / "dvc.lock").write_text("stages: {}\n")
    np.savez(folder / "a.npz", header=np.array("{}"))
    h5py.File(folder / "a.h5", "w").close()
    with zipfile.ZipFile(folder / "a.keras", "w") as model:
        model.writestr("config.json", "{}")
    return folder


@pytest.mark.parametrize("reader", READERS)
def test_too_many_open_files_are_told_as_that(folder, reader):
    name, read = READERS[reader]
    with suppress(Exception):  # it may well be damaged; what it imports is there now
        read(folder / name)
    with no_more_files(), pytest.raises(OSError) as caught:
        read(folder / name)
    assert caught.value.errno == errno.EMFILE
    assert caught.value.filename == str(folder / name)


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path):
    (tmp_path / "processed/overlays").mkdir(parents=True)
    with no_more_files(), pytest.raises(OSError, match="Too many open files"):
        list_files(tmp_path, ["processed"])


def test_what_is_not_there_is_no_run_and_no_checkpoint(tmp_path):
    assert read_run(Project(tmp_path), tmp_path / "processed/runs/none/fold-0/seed-1") is None
    assert read_checkpoint(tmp_path / ".seed-1.npz", "") is None
