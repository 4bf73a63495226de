"""prep export: what each format's own reader finds is what tiles.h5 holds."""

import csv
import os
import string
from pathlib import Path

import numpy as np
import pytest
from conftest import digests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from ready_sets import read_contents, write_set

from pipeline.intake.arrays.idx import read_idx
from pipeline.intake.outside import read_outside
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.settings.names import RESERVED_ON_WINDOWS
from pipeline.stages.augment import augment

OWN_FORMATS = ["npz", "idx", "folder", "csv"]
SHAPES = [(9, 9, 1), (11, 11, 3)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def squeeze(images):
    return images[..., 0] if images.shape[-1] == 1 else images


def check_listing(folder, parts, classes):
    """Hold tiles.csv against the parts, row by row."""
    rows = read_table(folder / "tiles.csv")
    wanted = [
        (name, tile_id, classes[label], group)
        for name, part in parts.items()
        for tile_id, label, group in zip(part["ids"], part["labels"], part["groups"], strict=True)
    ]
    assert [(row["part"], row["id"], row["label"], row["group"]) for row in rows] == wanted
    assert (folder / "classes.txt").read_text(encoding="utf-8").splitlines() == list(classes)


@pytest.mark.parametrize("shape", SHAPES)
def test_numpy_loads_the_archive_without_pickle(here, prep, shape):
    write_set(here, shape=shape, classes=["a", "Ä", "c"])
    code, printed, errors = prep("export", "out", "--as", "npz")
    assert (code, errors.count("\n")) == (0, 1)
    assert "export: 24 tiles (12 train, 6 validation, 6 test) as npz in out, in" in printed
    parts = read_contents(here)
    with np.load("out/dataset.npz", allow_pickle=False) as data:
        assert set(data) == {
            f"{name}_{part}"
            for name in ("x", "y", "ids", "groups")
            for part in ("train", "val", "test")
        } | {"classes"}
        assert data["classes"].tolist() == ["a", "Ä", "c"]
        for suffix, name in (("train", "train"), ("val", "validation"), ("test", "test")):
            images, labels = data[f"x_{suffix}"], data[f"y_{suffix}"]
            assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
            np.testing.assert_array_equal(images, squeeze(parts[name]["images"]))
            np.testing.assert_array_equal(labels, parts[name]["labels"])
            assert data[f"ids_{suffix}"].tolist() == parts[name]["ids"].tolist()
            assert data[f"groups_{suffix}"].tolist() == parts[name]["groups"].tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_idx_files_hold_mnists_own_header_and_the_pixels(here, prep, shape):
    write_set(here, shape=shape)
    assert prep("export", "out", "--as", "idx")[0] == 0
    parts = read_contents(here)
    for stem, name in (("train", "train"), ("validation", "validation"), ("t10k", "test")):
        [path] = Path("out").glob(f"{stem}-images-*")
        assert path.name == f"{stem}-images-idx{3 if shape[2] == 1 else 4}-ubyte"
        np.testing.assert_array_equal(read_idx(path.read_bytes()), squeeze(parts[name]["images"]))
        labels = Path(f"out/{stem}-labels-idx1-ubyte").read_bytes()
        assert labels[:8] == bytes([0, 0, 8, 1, 0, 0, 0, len(parts[name]["ids"])])
        np.testing.assert_array_equal(np.frombuffer(labels[8:], np.uint8), parts[name]["labels"])
    check_listing(Path("out"), parts, ["bar", "square"])


@pytest.mark.parametrize("form", ["idx", "npz", "csv"])
def test_prep_reads_its_own_arrays_again(here, prep, form):
    write_set(here)
    assert prep("export", "out", "--as", form)[0] == 0
    parts = read_contents(here)
    test = read_outside(Path("out"), "test")
    np.testing.assert_array_equal(test.images, parts["test"]["images"])
    np.testing.assert_array_equal(test.labels, parts["test"]["labels"])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_holds_each_tile_as_a_picture_without_loss(here, prep, shape):
    classes = ["a", "A", "3:4"]  # which no disk keeps apart, or takes
    write_set(here, shape=shape, classes=classes)
    assert prep("export", "out", "--as", "folder")[0] == 0
    parts = read_contents(here)
    for name, part in parts.items():
        folders = sorted(path.name for path in Path("out", name).iterdir())
        assert folders == ["%41", "3%3A4", "a"]
        for image, label, tile_id in zip(part["images"], part["labels"], part["ids"], strict=True):
            place = Path("out", name, ["a", "%41", "3%3A4"][label], f"{tile_id}.png")
            with Image.open(place) as picture:
                assert not picture.info, "nothing but pixels"
                np.testing.assert_array_equal(np.asarray(picture), squeeze(image))
        assert len(list(Path("out", name).rglob("*.png"))) == len(part["ids"])
    check_listing(Path("out"), parts, classes)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_has_a_label_and_the_pixels_in_each_row(here, prep, shape):
    write_set(here, shape=shape)
    assert prep("export", "out", "--as", "csv")[0] == 0
    parts = read_contents(here)
    for name, part in parts.items():
        path = Path("out", f"{name}.csv")
        header = path.read_text().partition("\n")[0].split(",")
        assert header == ["label", *(f"pixel{n}" for n in range(np.prod(shape)))]
        table = np.loadtxt(path, np.int64, delimiter=",", skiprows=1)
        np.testing.assert_array_equal(table[:, 0], part["labels"])
        np.testing.assert_array_equal(table[:, 1:], part["images"].reshape(len(table), -1))
    check_listing(Path("out"), parts, ["bar", "square"])


@pytest.mark.parametrize("form", OWN_FORMATS)
def test_the_same_command_gives_the_same_bytes(here, prep, form, monkeypatch):
    write_set(here)
    assert prep("export", "one", "--as", form)[0] == 0
    monkeypatch.setattr("pipeline.dataset.streams.WINDOW_BYTES", 100)
    assert prep("export", "two", "--as", form)[0] == 0
    found = digests(Path("one"))
    assert found and found == digests(Path("two"))


@pytest.mark.parametrize("form", OWN_FORMATS)
def test_nothing_tells_of_files_folders_or_writers_that_was_not_asked_for(here, prep, form):
    write_set(here)
    assert prep("export", "hidden", "--as", form, "--pseudonyms")[0] == 0
    assert prep("export", "named", "--as", form, "--names")[0] == 0
    told = {
        folder: b"".join(
            str(path.relative_to(folder)).encode() + path.read_bytes().replace(b"\0", b"")
            for path in Path(folder).rglob("*")
            if path.is_file()
        )
        for folder in ("hidden", "named")
    }
    for secret in (str(here), here.name, os.environ.get("USER", "/root"), "Ada", "raw/", "Zo"):
        assert secret.encode() not in told["hidden"]
    assert b"raw/pictures/Ada-0.jpg" in told["named"] and b"Zo" in told["named"]


@pytest.mark.parametrize("form", OWN_FORMATS)
def test_variants_say_what_they_were_made_of(here, prep, form):
    write_set(here)
    augment(Project(here), load_params(here / "params.yaml"), jobs=1)
    assert prep("export", "out", "--as", form, "--with", "flip, rotate")[0] == 0
    wanted = read_contents(here, with_ops=["flip", "rotate"])["train"]
    if form == "npz":
        with np.load("out/dataset.npz") as data:
            np.testing.assert_array_equal(data["x_train"], squeeze(wanted["images"]))
            assert data["parents_train"].tolist() == wanted["parents"].tolist()
            assert data["ops_train"].tolist() == wanted["ops"].tolist()
            assert "ops_test" not in data
        return
    rows = [row for row in read_table(Path("out/tiles.csv")) if row["part"] == "train"]
    assert [row["id"] for row in rows] == wanted["ids"].tolist()
    assert [row["parent"] for row in rows] == wanted["parents"].tolist()
    assert [row["op"] for row in rows] == wanted["ops"].tolist()


def test_folds_become_parts_of_their_own(here, prep):
    write_set(here, folds=3, parts=("train", "val", "test"))
    assert prep("export", "out", "--as", "npz")[0] == 0
    with np.load("out/dataset.npz") as data:
        assert {"x_fold_0", "y_fold_1", "ids_fold_2"} < set(data)
    assert prep("export", "one", "--as", "idx", "--fold", "1")[0] == 0
    assert Path("one/t10k-images-idx3-ubyte").exists()


def test_more_than_256_classes_have_labels_of_two_bytes(here, prep):
    write_set(here, shape=(1, 1, 1), classes=[f"c{n}" for n in range(300)], count=601)
    for form in ("idx", "npz"):
        assert prep("export", form, "--as", form)[0] == 0
    wanted = read_contents(here)["train"]["labels"]
    assert wanted.max() == 297
    with np.load("npz/dataset.npz") as data:
        np.testing.assert_array_equal(data["y_train"], wanted)
    labels = read_idx(Path("idx/train-labels-idx1-short").read_bytes())
    np.testing.assert_array_equal(labels, wanted)


names = st.text(string.ascii_letters + "äß字 %:,\"'=+~$&", min_size=1, max_size=12).map(str.strip)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    side=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    classes=st.lists(names.filter(bool), min_size=2, max_size=5, unique=True),
)
def test_any_size_colour_and_class_comes_back_from_tables_and_pictures(
    tmp_path_factory, monkeypatch, prep, side, channels, classes
):
    if {"all", "-"} & set(classes) or any(map(RESERVED_ON_WINDOWS.fullmatch, classes)):
        return  # params.yaml refuses these
    here = tmp_path_factory.mktemp("odd")
    monkeypatch.chdir(here)
    write_set(here, shape=(side, side, channels), classes=classes, count=20)
    for form in ("npz", "folder"):
        assert prep("export", form, "--as", form)[0] == 0
    parts = read_contents(here)
    check_listing(Path("folder"), parts, classes)
    with np.load("npz/dataset.npz") as data:
        assert data["classes"].tolist() == classes
        np.testing.assert_array_equal(data["x_test"], squeeze(parts["test"]["images"]))
    for tile_id, image in zip(parts["test"]["ids"], parts["test"]["images"], strict=True):
        [place] = Path("folder/test").rglob(f"{tile_id}.png")
        with Image.open(place) as picture:
            np.testing.assert_array_equal(np.asarray(picture), squeeze(image))


# --- What is refused, and what is told ------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["out", "--as", "npy"],
            "--as npy: there is no such format. Did you mean 'npz'? Known: npz",
        ),
        (["out", "--as", "IDX"], "Did you mean 'idx'?"),
        (["full", "--as", "npz"], "full is there already, and nothing is overwritten"),
        (["params.yaml", "--as", "npz"], "params.yaml is there already"),
        ([".", "--as", "npz"], "is there already"),
        (["processed/out", "--as", "npz"], "would lie in processed/"),
        (["raw/out", "--as", "npz"], "would lie in raw/"),
        (["full/../raw/out", "--as", "npz"], "would lie in raw/"),
        (["other/raw/cat/out", "--as", "npz"], "would lie in raw/"),
        (["out", "--as", "npz", "--with", "flop"], "no op 'flop' in params.yaml. Did you mean"),
        (["out", "--as", "npz", "--with", ""], "there is no op ''"),
        (["out", "--as", "npz", "--with", "flip"], "Make it with: prep augment --only flip"),
        (["out", "--as", "npz", "--fold", "1"], "there is no fold 1"),
        (["out", "--as", "npz", "--names", "--pseudonyms"], "leave one of them out"),
    ],
)
def test_what_can_not_be_is_refused_with_the_way_out(here, prep, words, told):
    write_set(here)
    Path("full").mkdir()
    Path("full/kept.txt").write_text("mine")
    Path("other").mkdir()
    Path("other/params.yaml").write_text("of another project")
    before = digests(here)
    code, printed, errors = prep("export", *words)
    assert (code, printed) == (1, "")
    assert told in " ".join(errors.split())
    assert digests(here) == before
    assert not Path("out").exists()


def test_before_the_split_the_command_that_makes_it_is_named(here, prep):
    write_set(here)
    Path("processed/split.csv").unlink()
    code, _, errors = prep("export", "out", "--as", "npz")
    assert code == 1
    assert "Make it with: prep split (or everything with: dvc repro)" in errors


def test_an_empty_folder_is_filled_and_quiet_says_nothing(here, prep):
    write_set(here)
    Path("out").mkdir()
    code, printed, errors = prep("export", "out", "--as", "csv", "--only-balanced", "--quiet")
    assert (code, printed, errors) == (0, "", "")
    assert Path("out/train.csv").exists()
    assert not list(here.glob(".part-*"))


def test_what_balance_left_out_and_what_a_part_lacks_is_told(here, prep):
    write_set(here, classes=["a", "b", "c", "d", "e", "f"], count=21, parts=("train", "test", ""))
    code, _, errors = prep("export", "out", "--as", "idx")
    told = " ".join(errors.split())
    assert code == 0
    assert "the test set has no tile of 'a', 'b', 'e', 'f': nothing can be said of it" in told
    assert "6 labelled tiles that balance or split left out are not in it" in told


def test_nothing_is_left_where_writing_fails(here, prep, monkeypatch):
    write_set(here)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.export.folder.encode_png", fail)
    code, printed, errors = prep("export", "out", "--as", "folder")
    assert (code, printed) == (1, "")
    assert "there is no room for out (No space left on device). Make room and try again" in errors
    assert not Path("out").exists() and not list(here.glob(".part-*"))


def test_a_folder_that_appears_meanwhile_is_not_overwritten(here, prep, monkeypatch):
    write_set(here)

    def interfere(*_):
        Path("out").mkdir()
        Path("out/mine.txt").write_text("mine")

    monkeypatch.setattr("pipeline.export.csv.write", interfere)
    code, _, errors = prep("export", "out", "--as", "csv")
    assert (code, "out is there already" in errors) == (1, True)
    assert Path("out/mine.txt").read_text() == "mine"


@pytest.mark.slow
def test_keras_reads_the_folder_as_it_is(here, prep):
    import keras

    write_set(here)
    assert prep("export", "out", "--as", "folder")[0] == 0
    found = keras.utils.image_dataset_from_directory(
        "out/train", color_mode="grayscale", image_size=(9, 9), batch_size=None, shuffle=False
    )
    images, labels = zip(*found, strict=True)
    part = read_contents(here)["train"]
    order = np.lexsort((part["ids"].astype(str), part["labels"]))
    np.testing.assert_array_equal(np.array(images), part["images"][order])
    np.testing.assert_array_equal(np.array(labels), part["labels"][order])
