"""Why a file is not read: damage, another program, a disk; a stranger's is never deleted."""

import errno
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from conftest import run_to

from pipeline.dataset import damage, store
from pipeline.dataset.store import open_dataset
from pipeline.errors import UnusableFileError, explain

HOLD = """
import sys, h5py
file = h5py.File(sys.argv[1], "r+")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "words", [("balance",), ("check", "files"), ("show", "processed/tiles.h5")]
)
def test_a_file_that_another_program_has_open_is_not_damaged(project, prep, words):
    run_to(prep, "split")
    before = (project / "processed/tiles.h5").read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, "processed/tiles.h5"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"open\n"
        code, printed, errors = prep(*words)
        other.communicate(b"")
    assert code == 1
    assert "is open in another program (a notebook, HDFView?): close it there and run" in errors
    assert "amaged" not in printed + errors
    assert "elete" not in printed + errors
    assert (project / "processed/tiles.h5").read_bytes() == before


def test_a_file_that_another_program_has_open_can_be_made_again(project, prep):
    run_to(prep, "split")
    with h5py.File(project / "processed/tiles.h5", "r+"):
        assert prep("normalise")[0] == 0
    assert prep("balance")[0] == 0


@pytest.mark.parametrize("length", [0, 300, 0.5, 0.99])
def test_a_file_that_was_cut_is_still_damaged(project, prep, length):
    run_to(prep, "split")
    file = project / "processed/tiles.h5"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(length if length > 1 else length * len(whole))])
    code, _, errors = prep("balance")
    assert (code, "tiles.h5 is not as `prep normalise` wrote it: damaged" in errors) == (1, True)
    assert "Make it again with: prep normalise" in errors


def refuse(monkeypatch, number, *, always=True):
    """Let h5py open no file but say so, as it words it; or none under a lock."""
    real = h5py.File

    def open_file(path, mode, **options):
        if always or options.get("locking", True):
            reason = f"unable to lock file, errno = {number}, error message = 'something'"
            raise OSError(number, f"Unable to synchronously open file ({reason})")
        return real(path, mode, **options)

    monkeypatch.setattr(store.h5py, "File", open_file)


NO_LOCKS = [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS]


@pytest.mark.parametrize("number", NO_LOCKS)
def test_a_disk_without_locks_is_read_without_them(project, prep, monkeypatch, number):
    run_to(prep, "split")
    refuse(monkeypatch, number, always=False)
    assert prep("balance")[0] == 0


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EAGAIN, "is open in another program"),
        (errno.EACCES, "can't be opened or changed"),
        (errno.EMFILE, "too many files open"),
        (errno.EIO, "can't be read or written (Input/output error)"),
        *[(number, "HDF5_USE_FILE_LOCKING=FALSE") for number in NO_LOCKS],
    ],
)
def test_what_the_system_says_is_told_as_such(project, prep, monkeypatch, number, told):
    run_to(prep, "split")
    refuse(monkeypatch, number)
    for words in (("balance",), ("check", "files")):
        code, printed, errors = prep(*words)
        assert (code, told in errors) == (1, True), errors
        assert "amaged" not in printed + errors
        assert "elete" not in printed + errors


def test_an_error_in_words_alone_is_understood_too(tmp_path):
    error = OSError("file read failed: errno = 5, error message = 'Input/output error'")
    with pytest.raises(OSError, match="Input/output error") as caught:
        damage.damaged(tmp_path / "x.h5", error)
    assert "its disk or network drive fails or is gone" in explain(caught.value)
    error = OSError("file seek failed: errno = 22, error message = 'Invalid argument'")
    assert isinstance(damage.damaged(tmp_path / "x.h5", error), UnusableFileError)


# --- Files of others -------------------------------------------------------------------------

STRANGE = {
    "text": lambda path: path.write_bytes(b"no HDF5"),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "newer": lambda path: set_version(path, 99),
    "older": lambda path: set_version(path, 1),
    "of another program": lambda path: set_version(path, 0),
    "lacking": lambda path: drop_labels(path),
}


def set_version(path, version):
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = np.int64(version)


def drop_labels(path):
    with h5py.File(path, "r+") as file:
        del file["labels"]


@pytest.mark.parametrize("spoil", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("place", ["friend/tiles.h5", "friend/processed/tiles.h5", "tiles.h5"])
def test_a_strangers_file_is_never_to_be_deleted(project, prep, spoil, place):
    run_to(prep, "split")
    other = project / place
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_bytes((project / "processed/tiles.h5").read_bytes())
    spoil(other)
    for words in (("evaluate", "--on", place), ("pretrain", place), ("show", place)):
        code, printed, errors = prep(*words)
        assert (code, place in errors) == (1, True), errors
        assert "elete" not in printed + errors
    spoil(project / "processed/tiles.h5")
    with pytest.raises(UnusableFileError) as caught, open_dataset(project / "processed/tiles.h5"):
        pass
    assert "dvc repro" in str(caught.value)


def test_a_strangers_run_is_never_to_be_deleted(project, prep):
    (project / "models").mkdir()
    for name in ("model.keras", "run.json"):
        (project / "models" / name).write_text("weeks of work")
    code, _, errors = prep("predict", "raw/pictures", "--model", "models/model.keras")
    assert (code, "once more from where it came" in errors, "elete" in errors) == (1, True, False)
