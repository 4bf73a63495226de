"""Datasets in HDF5: what is written comes back, the same bytes every time, or an error."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.dataset import schema, store
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import open_dataset, read_glyphs, write_glyphs
from pipeline.dataset.writing import create_dataset
from pipeline.errors import DataError, UnusableFileError

CLASSES = ["cat", "猫 <&>"]


def make_rows(count, start=0, draws=None):
    """Return rows whose every value tells which row it is; tiles are 5 high, 3 wide, RGB."""
    numbers = np.arange(start, start + count)
    images = (numbers[:, None, None, None] + np.arange(45).reshape(5, 3, 3)).astype(np.uint8)
    as_text = np.array([f"id-{n}" for n in numbers], object)
    return Rows(
        images=images,
        labels=(numbers % 3 - 1).astype(np.int16),
        ids=as_text,
        groups=np.array([f"page {n // 4}" for n in numbers], object),
        parents=None if draws is None else np.array([f"parent-{n}" for n in numbers], object),
        draws=None if draws is None else numbers[:, None] * np.linspace(0.1, 0.3, draws),
    )


def write(path, *windows, draw_names=None):
    with create_dataset(
        path,
        tile_shape=(5, 3, 3),
        classes=CLASSES,
        made_by={"stage": "test", "seed": 3},
        draw_names=draw_names,
    ) as out:
        for window in windows:
            out.append(window)
    return path


def assert_same(found, expected):
    for name in ("images", "labels", "ids", "groups", "parents", "draws"):
        value, wanted = getattr(found, name), getattr(expected, name)
        if wanted is None:
            assert value is None
        else:
            assert value.dtype.kind == wanted.dtype.kind
            np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("draws", [None, 0, 2])
def test_windows_are_read_back_as_one_dataset(tmp_path, draws):
    names = None if draws is None else ["x", "y"][:draws]
    path = write(
        tmp_path / "a.h5",
        make_rows(4, draws=draws),
        make_rows(3, start=4, draws=draws),
        draw_names=names,
    )
    with open_dataset(path) as dataset:
        assert len(dataset) == 7
        assert dataset.classes == CLASSES
        assert dataset.tile_shape == (5, 3, 3)
        assert dataset.made_by == {"stage": "test", "seed": 3}
        assert dataset.draw_names == (names or [])
        assert_same(dataset.read(), make_rows(7, draws=draws))
        assert_same(dataset.read(slice(2, 5)), make_rows(3, start=2, draws=draws))


@given(rows=st.lists(st.integers(0, 99), max_size=20), draws=st.sampled_from([None, 0, 2]))
@settings(max_examples=50)
def test_rows_come_in_the_order_asked_for(tmp_path_factory, rows, draws):
    names = None if draws is None else ["x", "y"][:draws]
    everything = make_rows(100, draws=draws)
    path = write(tmp_path_factory.mktemp("store") / "a.h5", everything, draw_names=names)
    columns = {name: column for name, column in vars(everything).items() if column is not None}
    with open_dataset(path) as dataset:
        expected = Rows(**{name: column[np.array(rows, int)] for name, column in columns.items()})
        assert_same(dataset.read(np.array(rows, int)), expected)


def test_texts_can_be_read_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "TEXTS", 3)
    rows = make_rows(10, draws=1)
    with open_dataset(write(tmp_path / "a.h5", rows, draw_names=["x"])) as dataset:
        for name in ("ids", "groups", "parents"):
            assert list(dataset.scan(name)) == list(getattr(rows, name))


def test_a_dataset_without_rows_is_whole(tmp_path):
    with open_dataset(write(tmp_path / "a.h5", draw_names=["degrees"])) as dataset:
        assert len(dataset) == 0
        assert dataset.read().images.shape == (0, 5, 3, 3)


def test_same_content_gives_the_same_bytes(tmp_path):
    first = write(tmp_path / "a.h5", make_rows(9, draws=1), draw_names=["degrees"])
    second = write(tmp_path / "b.h5", make_rows(9, draws=1), draw_names=["degrees"])
    assert first.read_bytes() == second.read_bytes()


def test_writing_is_compressed_and_noise_is_not(tmp_path):
    writing = Rows(**{**vars(make_rows(64)), "images": np.zeros((64, 5, 3, 3), np.uint8)})
    noise = np.random.default_rng(0).integers(0, 256, (64, 5, 3, 3), np.uint8)
    photos = Rows(**{**vars(make_rows(64)), "images": noise})
    for rows, compression in ((writing, "gzip"), (photos, None)):
        with h5py.File(write(tmp_path / "a.h5", rows)) as file:
            assert file["images"].compression == compression


def test_a_file_that_fails_half_way_does_not_appear(tmp_path):
    path = write(tmp_path / "a.h5", make_rows(2))
    before = path.read_bytes()
    with (
        pytest.raises(RuntimeError, match="stop"),
        create_dataset(path, tile_shape=(5, 3, 3), classes=CLASSES, made_by={}) as out,
    ):
        out.append(make_rows(1))
        raise RuntimeError("stop")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keep", [0, 7, 600, -200])
def test_a_truncated_file_is_an_error_with_the_way_out(tmp_path, monkeypatch, keep):
    (tmp_path / "params.yaml").touch()
    (tmp_path / "processed").mkdir()
    monkeypatch.chdir(tmp_path)  # else it is a stranger's, and no file to delete
    path = write(tmp_path / "processed/tiles.h5", make_rows(2))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"tiles\.h5 is damaged.*dvc repro"), open_dataset(path):
        pass


def test_the_parts_of_an_error_survive_the_way_from_another_process(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"")
    with pytest.raises(UnusableFileError) as caught, open_dataset(path):
        pass
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.reason.startswith("is damaged")
    assert str(error) == f"{path} {error.reason}. {error.remedy}" == str(caught.value)


def test_a_foreign_hdf5_file_is_an_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["other"] = [1]
    with pytest.raises(DataError, match="no file of prep's"), open_dataset(tmp_path / "a.h5"):
        pass


def test_a_newer_schema_is_refused(tmp_path):
    path = write(tmp_path / "a.h5", make_rows(1))
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(DataError, match="newer prep"), open_dataset(path):
        pass


@given(
    glyphs=st.lists(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))), max_size=10)
)
@settings(max_examples=30)
def test_glyphs_of_any_size_come_back(tmp_path_factory, glyphs):
    path = tmp_path_factory.mktemp("store") / "glyphs.h5"
    named = [(f"id-{number}", pixels) for number, pixels in enumerate(glyphs)]
    assert write_glyphs(path, named) == len(named)
    for (name, pixels), (found_name, found) in zip(named, read_glyphs(path), strict=True):
        assert name == found_name
        np.testing.assert_array_equal(found, pixels)


def test_glyphs_are_read_across_windows(tmp_path):
    named = [(f"id-{n}", np.full((n % 7 + 1, n % 5 + 1), n % 251, np.uint8)) for n in range(700)]
    write_glyphs(tmp_path / "g.h5", iter(named))
    for (name, pixels), (found_name, found) in zip(
        named, read_glyphs(tmp_path / "g.h5"), strict=True
    ):
        assert name == found_name
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("compress", [True, False])
def test_images_are_filled_in_out_of_order(tmp_path, compress, monkeypatch):
    monkeypatch.setattr(schema, "CHUNK_BYTES", 4 * 45)  # four tiles
    rows = make_rows(10, draws=1)
    columns = {name: column for name, column in vars(rows).items() if name != "images"}
    with create_dataset(
        tmp_path / "a.h5", tile_shape=(5, 3, 3), classes=CLASSES, made_by={}, draw_names=["x"]
    ) as out:
        room = pickle.loads(pickle.dumps(out.reserve(10, compress)))
        late = room.fill(8, rows.images[8:])
        early = room.fill(0, rows.images[:8])
        out.append_columns(columns)
        out.append_chunks(early + late)
    assert len(early + late) == (3 if compress else 0)
    with open_dataset(tmp_path / "a.h5") as dataset:
        assert dataset.compressed == compress
        assert_same(dataset.read(), rows)
    with h5py.File(tmp_path / "a.h5") as file:  # as anyone else reads it
        np.testing.assert_array_equal(file["images"][3:], rows.images[3:])
