"""Tiles from outside the project: which of them train and test, and what their classes are."""

import gzip
import struct

import numpy as np
import pytest
from conftest import run_to

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.errors import DataError
from pipeline.intake.outside import read_outside, rename_classes


def write_idx(path, values):
    """Write an IDX file of unsigned bytes."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    data = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def idx(tmp_path):
    folder = tmp_path / "idx"
    folder.mkdir()
    for name, count in (("train", 7), ("t10k", 3)):
        pictures = np.arange(count * 5 * 4).reshape(count, 5, 4)
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", pictures)
        write_idx(folder / f"{name}-labels-idx1-ubyte", np.arange(count) % 3)
    (folder / "README").write_text("not one of them")
    return folder


def test_idx_files_say_by_their_names_which_are_for_testing(idx):
    train, test = read_outside(idx, "train"), read_outside(idx, "test")
    assert train.images.shape == (7, 5, 4, 1)
    assert test.images[1, 0, 2, 0] == 22
    assert test.labels.tolist() == [0, 1, 2]
    assert train.classes == ["0", "1", "2"]
    for path in idx.glob("t10k*"):
        path.unlink()
    assert len(read_outside(idx, "test").labels) == 7


def test_the_split_beside_a_tiles_file_says_which_are_for_testing(project, prep):
    run_to(prep, "normalise")
    tiles = project / "processed/tiles.h5"
    assert len(read_outside(tiles, "train").labels) == len(read_outside(tiles, "test").labels) == 42
    for stage in ("balance", "split"):
        prep(stage)
    split = [row["split"] for row in read_table(project / "processed/split.csv", COLUMNS["split"])]
    for part in ("train", "test"):
        found = read_outside(tiles, part)
        assert len(found.images) == split.count(part)
        assert found.classes == ["bar", "square"]


def test_classes_are_matched_by_name(idx):
    found = rename_classes(read_outside(idx, "test"), ("2", "1", "x", "0"), idx)
    assert found.labels.tolist() == [3, 1, 0]
    with pytest.raises(DataError, match="has the class '2', which is not in params.yaml"):
        rename_classes(read_outside(idx, "test"), ("0", "1"), idx)


def test_what_holds_no_tiles_is_refused_in_words(tmp_path):
    with pytest.raises(DataError, match="holds no IDX files"):
        read_outside(tmp_path, "test")
    with pytest.raises(DataError, match=r"no tiles\.h5 and no folder"):
        read_outside(tmp_path / "missing", "test")
