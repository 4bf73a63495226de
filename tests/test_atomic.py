"""Files and folders appear whole or not at all."""

import pytest

from pipeline.atomic import whole_file, whole_folder


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
