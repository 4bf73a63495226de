"""What is kept of cut tiles is believed to the byte, or not at all."""

import numpy as np
import pytest

from pipeline.dataset.schema import Rows
from pipeline.dataset.writing import create_dataset
from pipeline.searching.kept_tiles import Cut, keep_tiles, open_kept_tiles


@pytest.fixture
def tiles(tmp_path):
    path = tmp_path / "tiles.h5"
    with create_dataset(path, tile_shape=(9, 9, 1), classes="ab", made_by={"stage": "x"}) as file:
        file.append(
            Rows(
                images=np.zeros((8, 9, 9, 1), np.uint8),
                labels=np.zeros(8, np.int16),
                ids=np.array([f"{n}-0" for n in range(8)], object),
                groups=np.array([""] * 8, object),
            )
        )
    keep_tiles(path, [("one", "aa", 3), ("two", "bb", 5)])
    return path


def test_it_says_where_the_tiles_of_each_file_lie(tiles):
    assert open_kept_tiles(tiles).cuts == {"one": Cut("aa", 0, 3), "two": Cut("bb", 3, 5)}


def test_each_flipped_bit_makes_it_worthless(tiles):
    kept = tiles.with_name(".cut")
    data = kept.read_bytes()
    for place in range(0, len(data), 3):
        for bit in (0, 4, 7):
            kept.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
            assert open_kept_tiles(tiles).cuts == {}
    for damaged in (b"", b"\n", data[:-9], b"[" * 100_000, b"x\n" + b"[" * 100_000):
        kept.write_bytes(damaged)
        assert open_kept_tiles(tiles).cuts == {}


def test_of_another_tiles_h5_it_says_nothing(tiles):
    data = bytearray(tiles.read_bytes())
    data[-1] ^= 1
    tiles.write_bytes(data)
    assert open_kept_tiles(tiles).cuts == {}
