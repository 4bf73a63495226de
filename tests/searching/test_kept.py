"""What was found on a page is kept, and searched anew whenever anything that matters changed."""

import json
import os
import zipfile

import numpy as np
import pytest

from pipeline.searching import kept as kept_searches
from pipeline.searching.kept import KeptSearches, open_kept
from pipeline.subjects.drawn import Drawn
from pipeline.subjects.search import LeftOut, Searched, Subject

DICE = np.random.default_rng(5)
SEARCHED = [
    (
        Searched(
            (
                Subject(
                    (1, 2, 30, 40), "é", "Zoë", 0, 3, 1 / 3, DICE.integers(0, 256, (5, 7), "u1")
                ),
                Subject((0, 0, 9, 9), "", score=0.1 + 0.2),
            ),
            left_out=(LeftOut((3, 4, 5, 6), "empty", "7", 1, None),),
            note="doubtful",
        ),
        b"\xff\xd8 picture",
    ),
    (Searched(reason="no writing was found on it"), b""),
]


@pytest.fixture
def page(tmp_path):
    """Return the root of a project with a file, and the rows of its two pages."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/page.tif").write_bytes(b"two pages")
    row = {"source": "raw/page.tif", "member": "", "layout": "free", "label": "", "group": ""}
    rows = [row | {"page": str(page), "width": "600", "height": "500"} for page in (0, 1)]
    return tmp_path, rows


class Search:
    """A search that counts how often it is made."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return SEARCHED


def same(found, expected):
    for (one, overlay), (other, its_overlay) in zip(found, expected, strict=True):
        assert overlay == its_overlay
        assert (one.reason, one.note, one.left_out) == (other.reason, other.note, other.left_out)
        for subject, known in zip(one.subjects, other.subjects, strict=True):
            described = [{**vars(s), "pixels": None} for s in (subject, known)]
            assert described[0] == described[1]
            np.testing.assert_array_equal(subject.pixels, known.pixels)
    return True


def test_what_was_found_comes_back_as_it_was(page):
    root, rows = page
    search, kept = Search(), open_kept(root / "processed/.searched")
    assert same(kept.find_or_make(root, rows, ["free"], search), SEARCHED)
    assert same(kept.find_or_make(root, rows, ["free"], search), SEARCHED)
    assert search.made == 1


@pytest.mark.parametrize(
    "changed",
    ["bytes", "label", "group", "page", "width", "settings", "boxes", "program", "one page less"],
)
def test_whatever_matters_makes_a_new_search(page, changed):
    root, rows = page
    search, folder = Search(), root / "processed/.searched"
    settings = {"layout": "free", "boxes": [Drawn((1, 2, 3, 4))]}
    KeptSearches(folder, "one").find_or_make(root, rows, settings, search)
    program = "another" if changed == "program" else "one"
    if changed == "bytes":
        (root / "raw/page.tif").write_bytes(b"two pageS")
    elif changed == "settings":
        settings["layout"] = "rows"
    elif changed == "boxes":
        settings["boxes"] = [Drawn((1, 2, 3, 5))]
    elif changed == "one page less":
        rows = rows[:1]
    elif changed != "program":
        rows = [rows[0] | {changed: "7"}, rows[1]]
    KeptSearches(folder, program).find_or_make(root, rows, settings, search)
    assert search.made == 2


def test_the_name_of_a_class_that_looks_like_another_is_another(page):
    root, rows = page
    search, kept = Search(), KeptSearches(root / "processed/.searched", "one")
    for classes in (["1", "11"], ["11", "1"]):
        kept.find_or_make(root, rows, classes, search)
    assert search.made == 2


def spoil_byte(path, data):
    path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])


def cut_short(path, data):
    path.write_bytes(data[: len(data) // 2])


def lie(path, data):
    """Claim pixels that are not there."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    said = json.loads(parts["found.json"])
    said["scans"][0]["subjects"][0]["pixels"] = [1 << 20, 1 << 20]
    with zipfile.ZipFile(path, "w") as file:
        for name, part in (parts | {"found.json": json.dumps(said)}).items():
            file.writestr(name, part)


@pytest.mark.parametrize(
    "spoil", [spoil_byte, cut_short, lie, lambda path, _: path.write_bytes(b"")]
)
def test_what_is_damaged_is_searched_anew(page, spoil):
    root, rows = page
    search, kept = Search(), open_kept(root / "processed/.searched")
    kept.find_or_make(root, rows, [], search)
    [path] = kept.folder.glob("*.zip")
    spoil(path, path.read_bytes())
    assert same(kept.find_or_make(root, rows, [], search), SEARCHED)
    assert search.made == 2
    assert same(kept.find_or_make(root, rows, [], search), SEARCHED)
    assert search.made == 2


def test_of_a_file_that_is_gone_nothing_is_kept(page):
    root, rows = page
    search, kept = Search(), open_kept(root / "processed/.searched")
    (root / "raw/page.tif").unlink()
    with pytest.raises(FileNotFoundError, match="page.tif"):
        kept.find_or_make(root, rows, [], search)
    assert not kept.folder.exists()


def test_only_the_files_at_hand_stay(page):
    root, rows = page
    kept = open_kept(root / "processed/.searched")
    (root / "raw/other.png").write_bytes(b"1")
    others = [row | {"source": "raw/other.png"} for row in rows]
    for some in (rows, others):
        kept.find_or_make(root, some, [], Search())
    kept.forget_others([others])
    assert len(list(kept.folder.iterdir())) == 1
    search = Search()
    kept.find_or_make(root, others, [], search)
    assert search.made == 0


def test_the_program_and_its_libraries_are_told_by_their_digest(monkeypatch, tmp_path):
    assert open_kept(tmp_path).program == open_kept(tmp_path).program
    here = open_kept(tmp_path).program
    monkeypatch.setattr(kept_searches, "_find_version", lambda _: "0")
    assert open_kept(tmp_path).program != here


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_the_place_of_what_was_found_is_not_waited_for(page):
    root, rows = page
    search, kept = Search(), open_kept(root / "processed/.searched")
    kept.find_or_make(root, rows, ["free"], search)
    [file] = kept.folder.glob("*.zip")
    file.unlink()
    os.mkfifo(file)
    assert same(kept.find_or_make(root, rows, ["free"], search), SEARCHED)
    assert file.is_file(), "what was found took its place"
