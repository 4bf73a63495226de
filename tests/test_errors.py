"""What the system refuses is told as what it is: the state, the place and the cure, in a line."""

import errno
import os
import tempfile
from pathlib import Path

import h5py
import pytest

from pipeline.errors import DataError, explain, pass_on_machine

PLACE = "raw/cat/1.jpg"
STATES = {  # and a word of the cure
    errno.ENOSPC: "Make room",
    errno.EDQUOT: "Make room",
    errno.EACCES: "See to it that you may read",
    errno.EPERM: "See to it that you may read",
    errno.EROFS: "See to it that you may read",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "Close other programs",
    errno.EIO: "its disk or network drive",
    errno.ESTALE: "its disk or network drive",
    errno.ENOTCONN: "its disk or network drive",
    errno.ENOMEM: "--jobs 1",
    errno.ENOENT: "Put it back",
}
OF_THE_FILE = [errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR]

by_name = pytest.mark.parametrize("number", STATES, ids=errno.errorcode.get)


@by_name
def test_a_state_of_the_machine_is_told_with_the_place_and_the_cure(number):
    sentence = explain(OSError(number, os.strerror(number), PLACE))
    assert PLACE in sentence and STATES[number] in sentence
    assert number == errno.ENOENT or os.strerror(number) in sentence


@by_name
def test_a_state_of_the_machine_is_passed_on_with_the_place(number):
    with pytest.raises(OSError) as caught:
        pass_on_machine(OSError(number, os.strerror(number)), Path(PLACE))
    assert (caught.value.errno, caught.value.filename) == (number, PLACE)
    with pytest.raises(OSError) as caught:  # an error knows better where it happened
        pass_on_machine(OSError(number, os.strerror(number), "/tmp"), Path(PLACE))
    assert caught.value.filename == "/tmp"


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in OF_THE_FILE),
        OSError("image file is truncated"),  # as PIL and gzip say it, without a number
        ValueError("bad"),
        DataError("not a picture"),
    ],
)
def test_what_is_wrong_with_a_file_is_left_to_its_reader(error):
    pass_on_machine(error, PLACE)


def test_too_little_memory_is_passed_on_as_the_systems_error():
    with pytest.raises(OSError) as caught:
        pass_on_machine(MemoryError(), PLACE)
    assert caught.value.errno == errno.ENOMEM
    assert PLACE in explain(caught.value) and "not enough memory" in explain(caught.value)
    assert "no more memory" in explain(MemoryError())


def test_what_h5py_says_in_a_paragraph_becomes_the_systems_word(tmp_path):
    with pytest.raises(OSError) as raised:
        h5py.File(tmp_path / "none.h5", "r")
    with pytest.raises(FileNotFoundError) as caught:
        pass_on_machine(raised.value, tmp_path / "none.h5")
    assert caught.value.strerror == os.strerror(errno.ENOENT)


def test_of_temporary_files_the_cure_is_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.mkstemp()
    caught.value.filename = tempfile.gettempdir()
    assert "gone" in explain(caught.value) and "TMPDIR" in explain(caught.value)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), tempfile.gettempdir())
    assert f"no room for {tmp_path / 'gone'}" in explain(full) and "TMPDIR" in explain(full)


def test_where_no_folder_takes_temporary_files_those_that_were_tried_are_told(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/a"])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    assert "/nowhere/a" in explain(caught.value) and "TMPDIR" in explain(caught.value)
