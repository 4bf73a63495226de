"""Images from the disk are those in memory, wherever and however they lie in their files."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset import streams
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import open_dataset
from pipeline.dataset.streams import FileRows, StoredImages, count_bytes, open_images
from pipeline.dataset.writing import create_dataset
from pipeline.errors import DataError

SHAPE = (5, 3, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (9000, *SHAPE), np.uint8)  # two chunks
WRITING = np.where(np.random.default_rng(1).random((700, *SHAPE)) < 0.1, NOISE[:700], 0)
WRITING = WRITING.astype(np.uint8)


def write(path, images, windows=3):
    """Write a dataset file; noise is stored as it is, writing is compressed."""
    with create_dataset(path, tile_shape=SHAPE, classes=["a"], made_by={}) as out:
        for rows in np.array_split(np.arange(len(images)), windows):
            names = rows.astype(str).astype(object)
            out.append(Rows(images[rows], np.zeros(len(rows), np.int16), names, names))
    return path


def rewrite(path, **options):
    """Lay the images out in another way."""
    with h5py.File(path, "r+") as file:
        images = file["images"][:]
        del file["images"]
        file.create_dataset("images", data=images, **options)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of each kind, and which of their rows are wanted."""
    folder = tmp_path_factory.mktemp("streams")
    plain = write(folder / "plain.h5", NOISE)
    packed = write(folder / "packed.h5", WRITING)
    whole = write(folder / "whole.h5", NOISE[:500])
    rewrite(whole)  # without chunks
    torn = write(folder / "torn.h5", NOISE[:500])
    rewrite(torn, chunks=(7, 2, 3, 3))  # chunks with parts of images
    nothing = write(folder / "nothing.h5", NOISE[:0])
    found = {plain: NOISE, packed: WRITING, whole: NOISE[:500], torn: NOISE[:500]}
    shape = NOISE.shape[1:]
    parts = [FileRows(path, np.arange(1, len(images), 3), shape) for path, images in found.items()]
    parts.insert(2, FileRows(nothing, np.arange(0), shape))
    parts.append(FileRows(plain, np.array([0, 8999]), shape))
    expected = np.concatenate([*(images[1::3] for images in found.values()), NOISE[[0, 8999]]])
    return parts, expected, folder


def test_what_is_read_where_it_lies_is_neither_compressed_nor_torn(files):
    located = {}
    for part in files[0]:
        with open_dataset(part.path) as dataset:
            located[part.path.stem] = dataset.locate_images() is not None
    assert located == {
        "plain": True, "packed": False, "whole": True, "torn": False, "nothing": True,
    }  # fmt: skip


def test_images_from_the_disk_are_those_in_memory(files):
    parts, expected, folder = files
    with (
        open_images(parts, in_memory=True, scratch=folder) as near,
        open_images(parts, in_memory=False, scratch=folder) as far,
    ):
        assert isinstance(near, np.ndarray)
        assert isinstance(far, StoredImages)
        assert count_bytes(parts) == near.nbytes
        assert near.shape == far.shape == expected.shape
        assert len(far) == len(expected)
        assert np.array_equal(near, expected)
        assert np.array_equal(far[:], expected)


@given(rows=st.lists(st.integers(-1, 3000), max_size=40), ends=st.tuples(*[st.integers(-9, 9)] * 2))
@settings(max_examples=50)
def test_rows_and_slices_are_taken_as_numpy_takes_them(files, rows, ends):
    parts, expected, folder = files
    with open_images(parts, in_memory=False, scratch=folder) as far:
        assert np.array_equal(far[np.array(rows, int)], expected[np.array(rows, int)])
        assert np.array_equal(far[slice(*ends)], expected[slice(*ends)])


def test_more_files_than_a_process_may_hold_open_are_read_all_the_same(files, monkeypatch):
    parts, expected, folder = files
    monkeypatch.setattr(streams, "MOST_OPEN_FILES", 1)
    with open_images(parts, in_memory=False, scratch=folder) as far:
        assert np.array_equal(far[:], expected)


def test_a_file_that_is_replaced_meanwhile_changes_nothing(tmp_path):
    path = write(tmp_path / "a.h5", NOISE[:50])
    part = FileRows(path, np.arange(50), NOISE.shape[1:])
    with open_images([part], in_memory=False, scratch=tmp_path) as far:
        write(path, NOISE[50:100])
        assert np.array_equal(far[:], NOISE[:50])


def test_a_file_cut_short_meanwhile_is_an_error(tmp_path):
    path = write(tmp_path / "a.h5", NOISE[:5000])
    part = FileRows(path, np.arange(5000), NOISE.shape[1:])
    with open_images([part], in_memory=False, scratch=tmp_path) as far:
        with path.open("r+b") as file:
            file.truncate(50_000)
        with pytest.raises(DataError, match="a.h5 is shorter than it was.*dvc repro"):
            far[:]
