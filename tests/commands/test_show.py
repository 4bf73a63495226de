"""prep show: a picture of what any HDF5 file of the project holds."""

import h5py
import pytest
from conftest import forget_notes, run_to

from pipeline.intake import images


@pytest.mark.parametrize(
    "file, name, side",
    [
        ("processed/tiles.h5", "processed-tiles.jpg", 28),
        ("processed/augmented/flip/bar.h5", "flip-bar.jpg", 28),
        ("processed/glyphs.h5", "processed-glyphs.jpg", 64),
    ],
)
def test_a_sheet_holds_every_picture_of_a_small_file(project, prep, file, name, side):
    run_to(prep, "augment")
    code, printed, _ = prep("show", file)
    count = int(printed.split()[0])
    assert (code, printed.split()[:3]) == (0, [str(count), "of", str(count)])
    columns = next(n for n in range(1, 99) if n * n >= count)
    height, width = images.decode_page((project / name).read_bytes()).shape
    assert width == columns * (side + 2) + 2
    assert height == -(-count // columns) * (side + 2) + 2


def test_what_is_not_there_is_told(project, prep):
    code, _, errors = prep("show", "missing.h5")
    assert (code, "there is no file missing.h5" in errors) == (1, True)


@pytest.mark.parametrize("file", ["models/pretrained.keras", "models/weights.h5", "x.h5"])
def test_a_file_that_the_road_did_not_make_is_never_to_be_deleted(project, prep, file):
    (project / "models").mkdir()
    (project / file).write_bytes(b"PK: weeks of training")
    code, _, errors = prep("show", file)
    assert code == 1
    assert file in errors
    assert "prep show shows tiles.h5, glyphs.h5 and the variants" in errors
    assert "elete" not in errors


def test_an_hdf5_file_of_another_program_is_never_to_be_deleted(project, prep):
    with h5py.File(project / "weights", "w") as weights:
        weights["kernel"] = [1.0, 2.0]
    code, _, errors = prep("show", "weights")
    assert (code, "prep show shows" in errors, "elete" in errors) == (1, True, False)


def test_a_damaged_file_of_the_road_is_to_be_made_again(project, prep):
    run_to(prep, "augment")
    for file in ("processed/tiles.h5", "processed/augmented/flip/bar.h5"):
        (project / file).write_bytes(b"no HDF5")
        forget_notes(project)
        code, _, errors = prep("show", file)
        assert (code, "Delete it and run: dvc repro" in errors) == (1, True)


def test_of_a_folder_the_files_are_named(project, prep):
    run_to(prep, "augment")
    for folder, names in {
        "processed": "glyphs.h5, tiles.h5",
        "processed/augmented/flip": "bar.h5, square.h5",
        "processed/augmented": "flip/bar.h5, flip/square.h5, rotate/bar.h5, rotate/square.h5",
    }.items():
        code, _, errors = prep("show", folder)
        assert (code, f"name one of its files: {names}\n" in errors) == (1, True)
    assert "no HDF5 file in it" in prep("show", "raw")[2]


def test_nothing_is_written_where_it_would_be_training_data(project, prep, monkeypatch):
    run_to(prep, "normalise")
    for folder in ("raw", "raw/pictures/bar"):
        monkeypatch.chdir(project / folder)
        code, _, errors = prep("show", str(project / "processed/tiles.h5"))
        assert (code, "under raw/" in errors) == (1, True)
    assert not list((project / "raw").rglob("*.jpg"))


def test_a_current_folder_that_was_removed_is_told(project, prep, monkeypatch):
    (project / "gone").mkdir()
    monkeypatch.chdir(project / "gone")
    (project / "gone").rmdir()
    for words in (("balance",), ("show", "tiles.h5")):
        code, _, errors = prep(*words)
        assert (code, "the folder that you are in is not there any more" in errors) == (1, True)
