"""What folders say of pictures, whatever a disk makes of their names."""

import unicodedata
import zipfile

import numpy as np
import pytest
from conftest import draw_subject, write_params

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images
from pipeline.stages import ingest as ingesting

DECOMPOSED = "Mu\N{COMBINING DIAERESIS}ller"  # as a Mac may write it
COMPOSED = "Müller"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Write a project with a picture in each of these places, the current folder."""

    def write(*paths, **changes):
        monkeypatch.chdir(tmp_path)
        for number, path in enumerate(paths):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(images.encode_png(draw_subject("bar", number)))
        write_params(tmp_path, **changes)
        return tmp_path

    return write


def labels(project):
    rows = read_table(project / "processed/catalogue.csv", COLUMNS["catalogue"])
    return {f"{row['source']}{row['member']}": row["label"] for row in rows}


@pytest.mark.parametrize("folder", [DECOMPOSED, COMPOSED])
@pytest.mark.parametrize("name", [DECOMPOSED, COMPOSED])
def test_a_folder_is_of_its_class_and_source_however_an_accent_is_encoded(
    start, prep, folder, name
):
    source = {"path": f"raw/{name}", "layout": "whole"}
    project = start(
        f"raw/{folder}/{folder}/1.png", f"raw/{folder}/x/2.png",
        classes=[name, "x"], sources=[source],
    )  # fmt: skip
    assert prep("ingest")[0] == 0
    assert labels(project) == {
        f"raw/{folder}/{folder}/1.png": COMPOSED, f"raw/{folder}/x/2.png": "x",
    }  # fmt: skip
    assert prep("segment")[0] == 0
    assert prep("normalise")[0] == 0
    assert (project / f"processed/contact/{COMPOSED}.jpg").exists()
    other = unicodedata.normalize("NFD", name)
    assert "there is no class" not in prep("augment", "--class", other)[2]


def test_a_folder_in_an_archive_too(start, prep):
    project = start("raw/pictures/x/1.png", classes=[COMPOSED, "x"])
    with zipfile.ZipFile(project / f"raw/pictures/{COMPOSED}s.zip", "w") as archive:
        for number, name in enumerate((DECOMPOSED, f"{DECOMPOSED}s/x")):
            archive.writestr(f"{name}/1.png", images.encode_png(draw_subject("bar", 50 + number)))
    assert prep("ingest")[0] == 0
    assert sorted(labels(project).values()) == [COMPOSED, "x", "x"]


def test_two_files_that_differ_in_an_accents_encoding_only_are_both_kept(start, prep):
    names = [f"raw/pictures/bar/{name}.png" for name in (DECOMPOSED, COMPOSED)]
    project = start(*names)
    if len(list((project / "raw/pictures/bar").iterdir())) == 1:
        pytest.skip("this disk keeps one of the two")
    assert prep("ingest")[0] == 0
    assert labels(project) == dict.fromkeys(names, "bar")


def test_two_sources_that_differ_in_that_only_are_not_guessed(start, prep):
    start(
        "raw/\N{ANGSTROM SIGN}/bar/1.png", "raw/A\N{COMBINING RING ABOVE}/bar/2.png",
        sources=[{"path": "raw/\u00c5", "layout": "whole"}],
    )  # fmt: skip
    code, _, errors = prep("ingest")
    assert code == 1
    assert "2 folders are called '\u00c5'; they differ only in how" in " ".join(errors.split())


def test_classes_that_differ_in_that_only_are_one(start, prep):
    start("raw/pictures/x/1.png", classes=[COMPOSED, DECOMPOSED, "x"])
    code, _, errors = prep("ingest")
    assert (code, "'Müller' stands there twice" in errors) == (1, True)


LETTERS = {"classes": ["A", "a", "unlabelled"], "experiments": {"none": {}}}


def test_classes_that_differ_in_capitals_have_files_of_their_own(start, prep):
    project = start(
        *(f"raw/pictures/{name}/{number}.png" for name in ("A", "a", "unlabelled", ".")
          for number in range(4)),
        **LETTERS,
    )  # fmt: skip
    for stage in ("ingest", "segment", "normalise", "balance", "split", "augment"):
        code, _, errors = prep(stage)
        assert (code, errors) == (0, "")
    contact = {path.name for path in (project / "processed/contact").iterdir()}
    assert contact == {"%41.jpg", "a.jpg", "unlabelled.jpg", "-.jpg"}  # "-" is never a class
    variants = {path.name for path in (project / "processed/augmented/flip").iterdir()}
    assert variants == {"%41.h5", "a.h5", "unlabelled.h5"}


def test_where_they_share_a_folder_its_pictures_have_no_label_and_that_is_told(
    start, prep, monkeypatch
):
    shared = {"A": "", "a": "", "unlabelled": "unlabelled", "%41": "A"}
    monkeypatch.setattr("pipeline.intake.class_folders.read_class_folders", lambda *_: shared)
    project = start(*(f"raw/pictures/{name}/1.png" for name in ("A", "unlabelled")), **LETTERS)
    code, _, errors = prep("ingest")
    assert (code, list(labels(project).values())) == (0, ["", "unlabelled"])
    assert (
        "raw/pictures: capitals do not count on this disk, so A, a share folders, and 1 file in "
        "these have no label. Give each class that has capitals a folder of its own, as in %41 for "
        "A, or list the files in raw/labels.csv"
    ) in " ".join(errors.split())


def test_a_picture_that_is_left_out_is_counted_and_used_nowhere(start, prep):
    project = start("raw/pictures/bar/1.png", "raw/pictures/bar/2.png")
    (project / "raw/labels.csv").write_text("source;label\r\nraw\\pictures\\bar\\1.png;-\r\n")
    assert "1 scan in processed/catalogue.csv, 0 duplicates, 0 quarantined, 1 left out" in (
        " ".join(prep("ingest")[1].split())
    )
    assert prep("segment")[0] == 0
    boxes = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
    assert [row["source"] for row in boxes] == ["raw/pictures/bar/2.png"]


@pytest.mark.parametrize("name", ["labels.xlsx", "Labels.CSV", "labels.csv.txt", "labels.ods"])
def test_a_table_by_another_name_is_told(start, prep, name):
    project = start("raw/pictures/bar/1.png")
    (project / "raw" / name).write_text("source,label\nraw/pictures/bar/1.png,square\n")
    if (project / "raw/labels.csv").exists():
        pytest.skip("on this disk it is no other name")
    code, _, errors = prep("ingest")
    assert code == 0
    assert f"raw/{name} is not read; save it as CSV with the name raw/labels.csv" in (
        " ".join(errors.split())
    )
    (project / "raw/labels.csv").write_text("source\n")
    assert prep("ingest")[2] == ""


def test_a_correction_that_is_saved_while_it_runs_is_used(start, prep, monkeypatch):
    project = start("raw/pictures/bar/1.png", "raw/pictures/bar/2.png", "raw/pictures/bar/3.png")
    said = iter(
        [
            "source,label\nraw/pictures/bar/1.png,square\n",
            "source,label\nraw/pictures/bar/2.png,-\n",
        ]
    )
    write = ingesting.write_table

    def save_meanwhile(path, columns, rows):
        write(path, columns, rows)
        if text := next(said, ""):
            (project / "raw/labels.csv").write_text(text)

    monkeypatch.setattr(ingesting, "write_table", save_meanwhile)
    assert "2 scans in processed/catalogue.csv" in prep("ingest")[1]
    rows = read_table(project / "processed/catalogue.csv", COLUMNS["catalogue"])
    assert [(row["label"], row["status"]) for row in rows] == [
        ("bar", "ok"), ("bar", "left out"), ("bar", "ok"),
    ]  # fmt: skip


def come(folder):
    (folder / "late.png").write_bytes((folder / "1.png").read_bytes())


def go(folder):
    (folder / "2.png").unlink()


def change(folder):
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes() + b"1")


@pytest.mark.parametrize("happen, name", [(come, "late.png"), (go, "2.png"), (change, "2.png")])
def test_pictures_that_change_while_they_are_read_are_told(start, prep, monkeypatch, happen, name):
    project = start("raw/pictures/bar/1.png", "raw/pictures/bar/2.png")
    read = ingesting._ingest_pictures

    def read_and_change(*what):
        yield from read(*what)
        happen(project / "raw/pictures/bar")

    monkeypatch.setattr(ingesting, "_ingest_pictures", read_and_change)
    code, _, errors = prep("ingest")
    assert code == 1
    assert f"{name} changed while prep ingest read the pictures" in " ".join(errors.split())
    assert not (project / "processed/catalogue.csv").exists()


@pytest.mark.parametrize("name", ["digits.npz", "digits.npy", "digits.mat", "digits.parquet"])
def test_arrays_in_a_source_of_pictures_are_told_their_layout(project, prep, name):
    write_params(project, sources=[{"path": "raw/a", "layout": "whole"}])
    (project / "raw/a").mkdir()
    if name.endswith(".npz"):
        np.savez(project / "raw/a" / name, x=np.zeros((3, 9, 9), np.uint8))
    else:
        (project / "raw/a" / name).write_bytes(b"\x93NUMPY and so on")
    code, _, errors = prep("ingest")
    assert code == 1
    assert f"raw/a/{name} is" in " ".join(errors.split())
    assert "layout array" in " ".join(errors.split())
