"""MNIST's file format: what is written by the standard is read, anything else is refused."""

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.errors import DataError
from pipeline.intake.arrays.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PICTURES = np.arange(3 * 5 * 4, dtype=np.uint8).reshape(3, 5, 4)


def write_idx(array):
    """An array in the IDX format."""
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@given(arrays.arrays(st.sampled_from(sorted(CODES)), arrays.array_shapes(max_dims=4, min_side=0)))
def test_what_was_written_is_read(pack, array):
    read = read_idx(pack(write_idx(array)))
    assert read.dtype == array.dtype
    assert np.array_equal(read, array, equal_nan=array.dtype.kind == "f")


def test_a_file_spelt_out():
    data = bytes.fromhex("00000803 00000001 00000002 00000003 010203 fffefd")
    assert read_idx(data).tolist() == [[[1, 2, 3], [255, 254, 253]]]
    assert read_idx(bytes.fromhex("00000b01 00000002 0102 fffe")).tolist() == [258, -2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"not an IDX file \(starts with ''\)"),
        (b"\x89PNG\r\n", r"not an IDX file \(starts with '\\x89PNG'\)"),
        (bytes.fromhex("00000703 00000000"), "not an IDX file"),  # no such type
        (bytes.fromhex("00000800"), "not an IDX file"),  # no dimensions
        (bytes.fromhex("000008ff") + bytes(2000), "not an IDX file"),
        (bytes.fromhex("00000803 00000001 0000"), "ends in its header"),
        (write_idx(PICTURES)[:-1], r"asks for 3 x 5 x 4 values, 60 bytes, but only 59 follow"),
        (write_idx(PICTURES) + b"\0", r"3 x 5 x 4 values, 60 bytes, but more follow"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff"), "too large: its header asks for"),
        (bytes.fromhex("00000802 80000000 00000001"), "too large|only 0 follow"),
        (bytes.fromhex("00000803 00000000 ffffffff ffffffff"), "too large"),
        (gzip.compress(write_idx(PICTURES), mtime=0)[:-9], "damaged gzip file"),
        (gzip.compress(write_idx(PICTURES), mtime=0)[:-8] + bytes(8), "damaged gzip file"),
        (b"\x1f\x8b\x08\0garbage", "damaged gzip file"),
        (gzip.compress(b"no IDX", mtime=0), "not an IDX file"),
    ],
)
def test_what_is_no_idx_file_says_why(data, reason):
    with pytest.raises(DataError, match=reason):
        read_idx(data)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_says():
    bomb = gzip.compress(write_idx(PICTURES) + bytes(50_000_000), mtime=0)
    assert len(bomb) < 100_000
    with pytest.raises(DataError, match="more follow"):
        read_idx(bomb)
    with pytest.raises(DataError, match="too large: its header asks for 3 x 5 x 4 values"):
        read_idx(write_idx(PICTURES), max_bytes=59)


@settings(max_examples=300)
@given(
    st.sampled_from([write_idx(PICTURES), gzip.compress(write_idx(PICTURES), mtime=0), b"\0\0"]),
    st.binary(max_size=40),
    st.integers(0, 80),
)
def test_damage_gives_an_array_or_a_reason(data, noise, place):
    broken = data[:place] + noise + data[place + len(noise) :]
    try:
        array = read_idx(broken, max_bytes=10**6)
    except DataError as error:
        assert str(error).isprintable()
    else:
        assert array.nbytes <= 10**6 and array.size == math.prod(array.shape)
