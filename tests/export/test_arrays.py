"""load_data and its like: the arrays of keras.datasets, equal to tiles.h5 and split.csv."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ready_sets import write_set

from pipeline import LazyTiles, load_classes, load_data, load_variants
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment


def find_rows(folder, tiles, part, fold=0):
    """Return where in tiles.h5 the tiles of a part stand, by split.csv itself."""
    with (folder / "processed/split.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        own = {row["id"] for row in rows if (row["split"], row["fold"]) == (part, str(fold))}
    return np.flatnonzero([tile_id in own for tile_id in tiles.ids])


@pytest.mark.parametrize("shape", [(9, 9, 1), (11, 11, 3)])
def test_train_and_test_come_as_keras_has_them(tmp_path, shape):
    tiles = write_set(tmp_path, shape=shape)
    train, test = find_rows(tmp_path, tiles, "train"), find_rows(tmp_path, tiles, "test")

    (x_train, y_train), (x_test, y_test) = load_data(tmp_path)

    assert x_train.dtype == y_train.dtype == np.uint8
    assert x_train.shape == (len(train), *(shape if shape[2] == 3 else shape[:2]))
    for images, labels, rows in ((x_train, y_train, train), (x_test, y_test, test)):
        np.testing.assert_array_equal(images.reshape(-1, *shape), tiles.images[rows])
        np.testing.assert_array_equal(labels, tiles.labels[rows])
    assert load_classes(tmp_path) == ["bar", "square"]


@pytest.mark.parametrize("fold", [0, 2])
def test_validation_set_ids_and_folds_come_along_when_asked_for(tmp_path, fold):
    tiles = write_set(tmp_path, folds=3)
    loaded = load_data(str(tmp_path), validation=True, ids=True, fold=fold)
    for (images, labels, ids), part in zip(loaded, ("train", "val", "test"), strict=True):
        rows = find_rows(tmp_path, tiles, part, fold)
        np.testing.assert_array_equal(images[..., None], tiles.images[rows])
        np.testing.assert_array_equal(labels, tiles.labels[rows])
        assert ids.tolist() == tiles.ids[rows].tolist()


def test_arrays_as_networks_take_them(tmp_path):
    write_set(tmp_path, shape=(11, 11, 3), classes=["a", "b", "c"])
    (plain, labels), _ = load_data(tmp_path)
    (images, hot), _ = load_data(tmp_path, flatten=True, normalise=True, one_hot=True)
    assert (images.dtype, hot.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(images, plain.reshape(len(plain), 363).astype(np.float32) / 255)
    np.testing.assert_array_equal(hot.argmax(axis=1), labels)
    np.testing.assert_array_equal(hot.sum(axis=1), 1)


@pytest.mark.parametrize("memory", [0, 1 << 20])  # bytes: read from the disk, or from memory
@pytest.mark.parametrize("how", [{}, {"flatten": True, "normalise": True}])
def test_lazy_tiles_are_read_like_an_array(tmp_path, monkeypatch, how, memory):
    monkeypatch.setattr("pipeline.export.contents.MEMORY_BYTES", memory)
    write_set(tmp_path, shape=(11, 11, 3))
    (wanted, labels), _ = load_data(tmp_path, **how)
    (lazy, same), (x_test, _) = load_data(tmp_path, lazy=True, **how)
    assert isinstance(lazy, LazyTiles)
    assert (len(lazy), lazy.shape, lazy.dtype) == (len(wanted), wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(same, labels)
    del x_test
    for rows in (3, -1, slice(2, 9, 3), [5, 0, 5], labels == 1, np.array([], int), slice(None)):
        np.testing.assert_array_equal(lazy[rows], wanted[rows])
    np.testing.assert_array_equal(np.asarray(lazy), wanted)
    np.testing.assert_array_equal(list(lazy), wanted)
    with pytest.raises(IndexError):
        lazy[len(wanted)]


def test_variants_come_with_the_parents_that_they_were_made_of(tmp_path):
    tiles = write_set(tmp_path)
    augment(Project(tmp_path), load_params(tmp_path / "params.yaml"), jobs=1)
    place = {name: row for row, name in enumerate(tiles.ids)}
    train = find_rows(tmp_path, tiles, "train")

    images, labels, parents = load_variants("flip", "square", tmp_path)
    rows = [place[name] for name in parents]
    assert rows == [row for row in train if tiles.labels[row] == 1]
    np.testing.assert_array_equal(images, tiles.images[rows][:, :, ::-1, 0])
    assert set(labels) == {1}

    images, labels, parents = load_variants("flip", project=tmp_path)
    assert sorted(parents) == sorted(tiles.ids[train])
    np.testing.assert_array_equal(labels, [tiles.labels[place[name]] for name in parents])


def test_a_part_without_tiles_is_an_array_without_rows(tmp_path):
    write_set(tmp_path, parts=("train", "test"))
    for lazy in (False, True):
        _, (images, labels, ids), _ = load_data(tmp_path, validation=True, ids=True, lazy=lazy)
        assert (images.shape, labels.shape, ids.shape) == ((0, 9, 9), (0,), (0,))


def test_without_a_name_the_project_around_is_taken_and_no_other(tmp_path, monkeypatch):
    write_set(tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert len(load_data()[0][0]) == len(load_data("..")[0][0]) == 12
    with pytest.raises(DataError, match="no params.yaml in .*my-digts"):
        load_data("my-digts")


def test_what_is_not_ready_says_what_makes_it(tmp_path):
    write_set(tmp_path)
    with pytest.raises(DataError, match="no op 'flop'.*'flip'"):
        load_variants("flop", "bar", tmp_path)
    with pytest.raises(DataError, match="no class 'bat'.*'bar'"):
        load_variants("flip", "bat", tmp_path)
    with pytest.raises(DataError, match="no fold 1: processed/split.csv has one fold, 0"):
        load_data(tmp_path, fold=1)
    (tmp_path / "processed/split.csv").unlink()
    with pytest.raises(DataError, match="Make it with: prep split"):
        load_data(tmp_path)


def test_tiles_of_another_version_or_class_are_refused(tmp_path):
    import h5py

    write_set(tmp_path)
    (tmp_path / "processed/.digests").unlink()
    with h5py.File(tmp_path / "processed/tiles.h5", "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(DataError, match="written by a newer prep"):
        load_data(tmp_path)

    write_set(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("square", "circle"))
    with pytest.raises(DataError, match="made for the classes bar, square"):
        load_data(tmp_path)


def test_what_was_damaged_is_refused(tmp_path):
    write_set(tmp_path)
    path = tmp_path / "processed/tiles.h5"
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="not as `prep normalise` wrote it: damaged"):
        load_data(tmp_path)


def test_neither_keras_nor_the_road_is_loaded(tmp_path):
    write_set(tmp_path)
    code = (
        "import sys, pipeline\n"
        "light = [name for name in sys.modules if name.startswith(('numpy', 'pipeline.'))]\n"
        f"assert not light, light\n"
        f"pipeline.load_data({str(tmp_path)!r})\n"
        "assert not {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
