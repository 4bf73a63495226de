"""MNIST's file format: what is written by the standard is read, anything else is refused."""

import gzip
import hashlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.errors import DataError
from pipeline.intake.files import PictureFile, find_files
from pipeline.intake.idx import IdxPair, pair_files, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PICTURES = np.arange(3 * 5 * 4, dtype=np.uint8).reshape(3, 5, 4)
LABELS = np.array([7, 0, 7], np.uint8)


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


# --- Pairs -----------------------------------------------------------------------------------


def names(*pairs):
    return [(PictureFile(images), PictureFile(labels)) for images, labels in pairs]


@pytest.mark.parametrize(
    "pairs",
    [
        [("raw/train-images-idx3-ubyte", "raw/train-labels-idx1-ubyte")],
        [("raw/train-images-idx3-ubyte.gz", "raw/train-labels-idx1-ubyte")],
        [("raw/train-images.idx3-ubyte", "raw/train-labels.idx1-ubyte")],
        [("raw/t10k-images-idx3-ubyte", "raw/t10k-labels-idx1-ubyte"),
         ("raw/train-images-idx3-ubyte", "raw/train-labels-idx1-ubyte")],
        [("raw/images/a-images-idx3-ubyte", "raw/images/a-labels-idx1-ubyte")],
        [("raw/a/train-images-idx3-ubyte", "raw/a/train-labels-idx1-ubyte"),
         ("raw/b/train-images-idx3-ubyte", "raw/b/train-labels-idx1-ubyte")],
        [("raw/emnist-letters-test-images-idx3-ubyte.gz",
          "raw/emnist-letters-test-labels-idx1-ubyte.gz")],
    ],
)  # fmt: skip
def test_files_are_paired_by_their_names(pairs):
    expected = [IdxPair(images, labels) for images, labels in names(*pairs)]
    files = sorted(file for pair in names(*pairs) for file in pair)
    assert pair_files(files) == expected


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["a/train-images-idx3-ubyte"],
         r"a/train-images-idx3-ubyte has no file of labels beside it: a/train-labels\.\.\. exp"),
        (["a/t10k-labels-idx1-ubyte.gz"], r"no file of images beside it: a/t10k-images\.\.\. exp"),
        (["a/train-images", "b/train-labels"], "no file of labels"),
        (["a/train-images", "a/train-images.gz", "a/train-labels"], "two files of the same images"),
        (["a/train-images", "a/train-labels", "a/cat.jpg"], "a/cat.jpg: the name of an IDX file"),
    ],
)  # fmt: skip
def test_a_file_without_its_partner_is_named(files, reason):
    with pytest.raises(DataError, match=reason):
        pair_files([PictureFile(name) for name in files])


def pair_of(tmp_path, pictures, labels):
    folder = tmp_path / "raw" / "idx"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures, mtime=0))
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    (pair,) = pair_files(find_files(tmp_path, "raw/idx"))
    return pair


def test_a_pair_is_read(tmp_path):
    pictures, labels, digest = pair_of(tmp_path, write_idx(PICTURES), write_idx(LABELS)).read(
        tmp_path
    )
    assert np.array_equal(pictures, PICTURES) and pictures.dtype == np.uint8
    assert labels.tolist() == [7, 0, 7] and labels.dtype == np.int64
    assert digest == hashlib.sha256(gzip.compress(write_idx(PICTURES), mtime=0)).hexdigest()


@pytest.mark.parametrize(
    ("pictures", "labels", "reason"),
    [
        (PICTURES, LABELS[:2], "labels-idx1-ubyte has 2 labels for the 3 pictures of raw/"),
        (PICTURES[0], LABELS, "ubyte.gz: pictures must be unsigned bytes in 3 dimensions, not"),
        (PICTURES.astype("f4"), LABELS, "pictures must be .*, not float32 in 3"),
        (PICTURES, PICTURES, "labels must be whole numbers in 1 dimension, not uint8 in 3"),
        (PICTURES, LABELS.astype("f8"), "labels must be whole numbers"),
    ],
)  # fmt: skip
def test_a_pair_that_does_not_fit_is_named(tmp_path, pictures, labels, reason):
    pair = pair_of(tmp_path, write_idx(pictures), write_idx(labels))
    with pytest.raises(DataError, match=reason):
        pair.read(tmp_path)


def test_a_damaged_file_of_a_pair_is_named(tmp_path):
    pair = pair_of(tmp_path, write_idx(PICTURES), b"no labels")
    with pytest.raises(DataError, match="raw/idx/train-labels-idx1-ubyte: not an IDX file"):
        pair.read(tmp_path)
