"""A file in raw/ that a program and an editor save at the same moment loses neither's lines."""

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
