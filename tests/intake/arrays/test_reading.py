"""One set of pictures in every form that people have it in gives the same pictures and labels."""

import gzip
import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from scipy.io import savemat

from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.arrays.content import Reading
from pipeline.intake.arrays.reading import read_arrays, read_pictures
from pipeline.intake.arrays.rows import choose_files
from pipeline.intake.arrays.sets import name_of
from pipeline.intake.files import find_files_and_notes

DICE = np.random.default_rng(7)
SQUARE = DICE.integers(0, 256, (23, 9, 9)).astype(np.uint8)
SQUARE[:, 0] = SQUARE[:, :, 0] = 0  # so that no corner is taken for a label
SQUARE[:, -1, -1] = 0
SQUARE[0, 1, 2] = 255
LABELS = DICE.permutation(np.arange(23) % 4)
FLAT = SQUARE.reshape(23, 81)
COLOURED = np.cumsum(DICE.integers(0, 9, (5, 8, 8, 3)), axis=1).astype(np.uint8)
CLASSES = [str(number) for number in range(10)]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def idx(array):
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def csv(*columns, header="", mark=","):
    table = np.concatenate([np.asarray(c).reshape(len(c), -1).astype(object) for c in columns], 1)
    lines = [header] if header else []
    lines += [mark.join(map(str, row)) for row in table]
    return ("\n".join(lines) + "\n").encode()


def mat(**variables):
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=True)
    return stream.getvalue()


def table_of(pictures, labels, names):
    """A Parquet file as Hugging Face's datasets write it."""
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    cells = [{"bytes": images.encode_png(picture), "path": None} for picture in pictures]
    table = pyarrow.table({"image": cells, "label": pyarrow.array(labels)})
    said = json.dumps({"info": {"features": features}}).encode()
    stream = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({b"huggingface": said}), stream)
    return stream.getvalue()


def read(tmp_path, files, reading=Reading(), classes=CLASSES):  # noqa: B008 - it never changes
    """The pictures, labels and notes of all files, and their groups."""
    for name, data in files.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    pictures, labels, notes, groups = [], [], [], []
    for one in choose_files(*find_files_and_notes(tmp_path, "raw")):
        found = read_arrays(tmp_path, one, reading, classes)
        again = read_pictures(one.images.read(tmp_path), name_of(one.images), reading)
        for part in found.parts:
            made = list(part.pictures)
            assert all(np.array_equal(picture, next(again)) for picture in made)
            pictures += made
            labels += part.labels
            groups += part.groups
            notes += part.notes
    return np.array(pictures), labels, notes, groups


UPRIGHT = SQUARE.transpose(0, 2, 1)  # what Matlab and EMNIST hold in the place of SQUARE
NAMES = ",".join(f"pixel{number}" for number in range(81))
COUNTED = ",".join(map(str, range(1, 82)))
FORMS = {
    "idx": {"a-images-idx3-ubyte": idx(SQUARE), "a-labels-idx1-ubyte": idx(LABELS)},
    "idx in a zip": None,
    "npz of keras": {"m.npz": npz(x_train=SQUARE, y_train=LABELS)},
    "npz of kmnist": {"k-imgs.npz": npz(arr_0=SQUARE), "k-labels.npz": npz(arr_0=LABELS)},
    "npz of medmnist": {"m.npz": npz(val_images=SQUARE, val_labels=LABELS[:, None])},
    "npy": {"X.npy": npy(SQUARE), "y.npy": npy(LABELS)},
    "fortran": {"X.npy": npy(np.asfortranarray(SQUARE)), "y.npy": npy(LABELS)},
    "flat": {"X.npy": npy(FLAT), "y.npy": npy(LABELS.astype(float))},
    "a channel": {"X.npy": npy(SQUARE[..., None]), "y.npy": npy(LABELS)},
    "a channel first": {"X.npy": npy(SQUARE[:, None]), "y.npy": npy(LABELS)},
    "one-hot": {"X.npy": npy(SQUARE), "y.npy": npy(np.eye(4)[LABELS])},
    "0 to 1": {"X.npy": npy((SQUARE / 255).astype("f4")), "y.npy": npy(LABELS)},
    "-1 to 1": {"X.npy": npy((SQUARE / 127.5 - 1).astype("f4")), "y.npy": npy(LABELS)},
    "whole floats": {"X.npy": npy(SQUARE.astype("f8")), "y.npy": npy(LABELS)},
    "int64": {"X.npy": npy(SQUARE.astype("i8")), "y.npy": npy(LABELS)},
    "text": {"X.npy": npy(SQUARE), "y.npy": npy(LABELS.astype(str))},
    "csv": {"m.csv": csv(LABELS, FLAT)},
    "csv with a header": {"m.csv": csv(LABELS, FLAT, header=f"label,{NAMES}")},
    "csv, label last": {"m.csv": csv(FLAT, LABELS, header=f"{NAMES},class")},
    "csv, last without a header": {"m.csv": csv(FLAT, LABELS)},
    "csv with an index": {"m.csv": csv(range(23), LABELS, FLAT, header=f",label,{NAMES}")},
    "csv of dos": {"m.csv": csv(LABELS, FLAT).replace(b"\n", b"\r\n")},
    "csv with a mark": {"m.csv": b"\xef\xbb\xbf" + csv(LABELS, FLAT, header=f"label,{NAMES}")},
    "semicolons": {"m.csv": csv(LABELS, FLAT, mark=";")},
    "tsv": {"m.tsv": csv(LABELS, FLAT, mark="\t")},
    "csv.gz": {"m.csv.gz": gzip.compress(csv(LABELS, FLAT))},
    "usps": {"zip.train.gz": gzip.compress(csv(LABELS, (FLAT / 127.5 - 1).round(5), mark=" "))},
    "csv pair": {"trainImages.csv": csv(FLAT), "trainLabels.csv": csv(LABELS)},
    "csv, named": {"mImages.csv": csv(FLAT, header=NAMES), "mLabels.csv": csv(LABELS, header="y")},
    "emnist csv": {"emnist-train.csv": csv(LABELS, UPRIGHT)},
    "emnist idx": {
        "emnist-images-idx3-ubyte.gz": gzip.compress(idx(UPRIGHT)),
        "emnist-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
    },
    "mat": {"m.mat": mat(X=UPRIGHT.reshape(23, 81), y=LABELS[:, None])},
    "mat, pictures last": {"m.mat": mat(X=SQUARE.transpose(1, 2, 0), y=LABELS[:, None])},
    "mat, columns": {"m.mat": mat(train_patterns=UPRIGHT.reshape(23, 81).T, train_labels=LABELS)},
    "mat, a row of labels": {"m.mat": mat(X=UPRIGHT.reshape(23, 81), y=LABELS)},
    "csv, blank lines": {"m.csv": b"\n\r\n" + csv(LABELS, FLAT, header=f"label,{NAMES}")},
    "txt": {"X.npy": npy(SQUARE), "y.txt": csv(range(23), LABELS, mark=" ")},
    "labels, not last": {"X.npy": npy(SQUARE), "y.csv": csv(LABELS, range(23), header="label,id")},
    "csv, counted": {"mImages.csv": csv(FLAT, header=COUNTED), "mLabels.csv": csv(LABELS)},
    "old mac": {"m.csv": csv(LABELS, FLAT).replace(b"\n", b"\r")},
    "parquet": {"train-00000-of-00001.parquet": table_of(SQUARE, LABELS, list("0123"))},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pictures_and_labels(form, tmp_path):
    files = FORMS[form]
    if files is None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, data in FORMS["idx"].items():
                archive.writestr(f"gzip/{name}", data)
        files = {"set.zip": stream.getvalue()}
    pictures, labels, _, _ = read(tmp_path, files)
    np.testing.assert_array_equal(pictures, SQUARE)
    assert labels == [str(label) for label in LABELS]


def test_emnist_of_matlab_has_writers_letters_and_two_parts(tmp_path):
    def part(rows):
        return {
            "images": UPRIGHT[rows].reshape(-1, 81),
            "labels": LABELS[rows, None] + 1,
            "writers": LABELS[rows, None] + 500,
        }

    mapping = np.array([[n, 64 + n, 96 + n] for n in range(1, 5)])
    test, train = slice(17, 23), slice(0, 17)
    whole = {"test": part(test), "train": part(train), "mapping": mapping}
    files = {"emnist-letters.mat": mat(dataset=whole)}
    pictures, labels, notes, groups = read(tmp_path, files, classes=list("ABCD"))
    np.testing.assert_array_equal(pictures, SQUARE)
    assert labels == ["ABCD"[label] for label in LABELS]
    assert groups == [str(500 + label) for label in LABELS]
    assert any("turned upright" in note for note in notes)
    assert read(tmp_path, files, classes=list("abcd"))[1] == ["abcd"[label] for label in LABELS]
    assert read(tmp_path, files, classes=list("1234"))[1] == [str(label + 1) for label in LABELS]


def test_a_mapping_beside_the_files_names_the_labels(tmp_path):
    files = {
        "emnist-letters-train-images-idx3-ubyte": idx(UPRIGHT),
        "emnist-letters-train-labels-idx1-ubyte": idx(LABELS + 1),
        "emnist-letters-mapping.txt": b"1 65 97\n2 66 98\n3 67 99\n4 68 100\n",
    }
    found = read(tmp_path, files, classes=list("ABCD"))[1]
    assert found == ["ABCD"[label] for label in LABELS]


def test_svhn_counts_its_zeros_as_ten(tmp_path):
    labels = np.array([[10], [3], [1], [10], [9]])
    files = {"train_32x32.mat": mat(X=COLOURED.transpose(1, 2, 3, 0), y=labels)}
    pictures, labels, notes, _ = read(tmp_path, files)
    np.testing.assert_array_equal(pictures, COLOURED)
    assert labels == ["0", "3", "1", "0", "9"]
    assert any("label 10 is read as 0" in note for note in notes)
    ten = [str(number) for number in range(1, 11)]
    assert read(tmp_path, files, classes=ten)[1] == ["10", "3", "1", "10", "9"]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (COLOURED, ""),
        (COLOURED.transpose(0, 3, 1, 2), "(N, colour, height, width)"),
        (COLOURED.reshape(5, -1), "pixel after pixel"),
        (COLOURED.transpose(0, 3, 1, 2).reshape(5, -1), "colour after colour"),
    ],
)
def test_colours_are_found_and_a_guess_is_told(array, said, tmp_path):
    pictures, labels, notes, _ = read(tmp_path, {"X.npy": npy(array)})
    np.testing.assert_array_equal(pictures, COLOURED)
    assert labels == []
    assert said in " ".join(notes)


def test_scikit_learns_digits_are_scaled_and_that_is_told(tmp_path):
    from sklearn.datasets import load_digits

    digits = load_digits()
    files = {"X.npy": npy(digits.data), "y.npy": npy(digits.target)}
    pictures, labels, notes, _ = read(tmp_path, files)
    expected = np.rint(digits.images * 255 / 16)
    np.testing.assert_array_equal(pictures, expected)
    assert labels == [str(label) for label in digits.target]
    assert notes == ["its values, 0 to 16, are scaled to grey levels 0 to 255"]


def test_a_source_says_how_its_pictures_are_read(tmp_path):
    files = {"emnist-images.npy": npy(SQUARE)}
    for reading, expected in (
        (Reading(), SQUARE),
        (Reading(transpose=True), UPRIGHT),
        (Reading(invert=True), 255 - SQUARE),
    ):
        np.testing.assert_array_equal(read(tmp_path, files, reading)[0], expected)
    table = {"emnist.csv": csv(LABELS, FLAT)}
    (tmp_path / "b").mkdir()
    np.testing.assert_array_equal(read(tmp_path / "b", table, Reading(transpose=False))[0], SQUARE)


def test_ink_on_paper_is_told_and_ink_on_black_is_not(tmp_path):
    paper = np.full((6, 9, 9), 250, np.uint8)
    paper[:, 3:6, 4] = 20
    assert "invert: true" in " ".join(read(tmp_path, {"X.npy": npy(paper)})[2])
    assert read(tmp_path, {"X.npy": npy(255 - paper)})[2] == []


BAD_ROW = csv(LABELS, FLAT).split(b"\n")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"m.csv": csv(LABELS, FLAT[:, :78])}, r"m.csv: line 1: it has 78 values and a label, "),
        ({"m.csv": csv(LABELS, FLAT[:, :80])}, "the first looks like a label: the other 80 make"),
        ({"m.csv": csv(LABELS, FLAT[:, :80], header="label," + NAMES.rpartition(",")[0])},
         "80 values and the label 'label', which make no square picture"),
        ({"m.csv": b"\n".join([*BAD_ROW[:5], BAD_ROW[5] + b",7", *BAD_ROW[6:]])},
         "line 6: it has 83 values, the first line 82"),
        ({"m.csv": b"\n".join([*BAD_ROW[:5], b"1,2,3", *BAD_ROW[6:]])},
         "line 6: it has 3 values, the first line 82"),
        ({"m.csv": b"\n".join([*BAD_ROW[:5], BAD_ROW[5] + b"x", *BAD_ROW[6:]])},
         "line 6: '.*x' stands where a number should, in column 82"),
        ({"m.csv": csv(LABELS, FLAT.astype(int) + np.eye(23, 81, 4, dtype=int) * 900)},
         r"line 1: the value 9\d\d fits no range that is known"),
        ({"m.csv": b""}, "m.csv: it is empty"),
        ({"m.csv": b"name,age,town\nAda,36,London\n"}, "m.csv: line 1: it has 3 values"),
        ({"m.csv": f"label,{NAMES}\n".encode()}, "holds no picture"),
        ({"m.csv": "label,a\n".encode("utf-16")}, "UTF-16: save it as CSV UTF-8"),
        ({"X.npy": npy(np.array([SQUARE[0], None], object))}, "pickle, which may run code"),
        ({"X.npy": npy(SQUARE)[:-1]}, "it should hold 1,863 bytes of values, not 1,862"),
        ({"X.npy": npy(SQUARE).replace(b"(23, 9, 9)", b"(99999999,)")}, "damaged|too large"),
        ({"X.npy": npy(SQUARE.astype("c8"))}, "its values are of type complex64"),
        ({"X.npy": npy(np.zeros((3, 7)))}, "7 values each, which make no square"),
        ({"X.npy": npy(np.zeros((3, 7, 7, 4)))}, r"the shape \(3, 7, 7, 4\) are not read"),
        ({"X.npy": npy(np.zeros((0, 7, 7)))}, "holds no picture"),
        ({"X.npy": npy(np.where(SQUARE == 255, np.nan, 0.5))}, "picture 1: a value is NaN"),
        ({"X.npy": npy(SQUARE * 3.7)}, "fits no range that is known"),
        ({"X.npy": npy(SQUARE.astype("i4") * 257)}, r"picture 1: the value .* Scale them"),
        ({"X.npy": npy(SQUARE), "y.npy": npy(LABELS[:9])},
         "raw/y.npy has 9 labels for the 23 pictures of raw/X.npy"),
        ({"X.npy": npy(SQUARE), "y.npy": npy(np.ones((23, 4)))}, "y.npy: labels .* not one-hot"),
        ({"X.npy": npy(SQUARE), "y.npy": npy(LABELS + 0.5)}, "y.npy: label 1 is .*, no whole"),
        ({"X.npy": npy(SQUARE), "y.npy": npy(SQUARE)}, r"labels in the shape \(23, 9, 9\)"),
        ({"m.mat": b"MATLAB 7.3 MAT-file, Platform" + bytes(600)}, "save it again .* '-v7'"),
        ({"m.mat": mat(X=SQUARE)[:-40]}, "damaged Matlab file"),
        ({"m.mat": mat(speed=LABELS)}, r"named like pictures .* it holds speed \(1, 23\)"),
        ({"m.parquet": table_of(SQUARE, LABELS, [])[:-9]}, "damaged Parquet file"),
        ({"m.csv": b"\n" + b"\n".join([*BAD_ROW[:5], b"", BAD_ROW[5] + b"x", *BAD_ROW[6:]])},
         "line 8: '.*x' stands where a number should, in column 82"),
        ({"m.csv": b"\n" + b"\n".join([*BAD_ROW[:5], b"", BAD_ROW[5] + b",7", *BAD_ROW[6:]])},
         "line 8: it has 83 values, the first line 82"),
        ({"m.csv": b"\n".join([*BAD_ROW[:5], b"", BAD_ROW[5].replace(b"0,", b"999,", 2)])},
         "line 7: the value 999 fits no range"),
        ({"m.csv": csv(LABELS.astype(str).astype(object) + ".5", FLAT)}, "label 1 is .*, no whole"),
        ({"a-images-idx3-ubyte": idx(SQUARE), "a-labels-idx1-ubyte": b"no labels"},
         "raw/a-labels-idx1-ubyte: not an IDX file"),
        ({"a-images-idx3-ubyte": b"no pictures", "a-labels-idx1-ubyte": idx(LABELS)},
         "raw/a-images-idx3-ubyte: not an IDX file"),
        ({"m.parquet": table_of(SQUARE, LABELS, []), "m_labels.csv": csv(LABELS[:9])},
         "raw/m_labels.csv has 9 labels for the 23 pictures of raw/m.parquet"),
        ({"m.parquet": table_of(SQUARE, LABELS, []), "m_groups.npy": npy(LABELS[:9])},
         "raw/m_groups.npy has 9 groups for the 23 pictures of raw/m.parquet"),
        ({"m.parquet": table_of(SQUARE, [[n] for n in LABELS], [])},
         "its column label is of type list.*, not of whole numbers or text"),
        ({"m.mat": mat(X=SQUARE, y=LABELS, writers=np.ones((23, 3)))}, "groups .* several a"),
        ({"m.mat": mat(X=SQUARE, y=LABELS, all_writers=LABELS)}, "variable all_writers is about"),
        ({"m.h5": b"\x89HDF\r\n\x1a\n" + bytes(99)}, "an HDF5 file .*, which is not read"),
        ({"m.pkl": b"\x80\x04\x95" + bytes(99)}, "a pickle, which may run code"),
        ({"cat.png": images.encode_png(SQUARE[0])}, "a picture .PNG., .* go with layout whole"),
        ({"m.bin": b"\1\2\3\4" * 9}, "no set of arrays that is known"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_place(files, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, files)


@pytest.mark.parametrize("kind", ["large_string", "dictionary", "int8", "double"])
def test_labels_and_groups_of_a_parquet_file_have_any_type_that_is_text_or_numbers(kind, tmp_path):
    text = pyarrow.array(LABELS.astype(str))
    arrays = {
        "large_string": text.cast(pyarrow.large_string()), "dictionary": text.dictionary_encode(),
        "int8": pyarrow.array(LABELS, "int8"), "double": pyarrow.array(LABELS, "double"),
    }  # fmt: skip
    cells = [{"bytes": images.encode_png(picture)} for picture in SQUARE]
    stream = io.BytesIO()
    table = {"img": cells, "fine_label": arrays[kind], "writer": arrays[kind]}
    parquet.write_table(pyarrow.table(table), stream)
    _, labels, _, groups = read(tmp_path, {"m.parquet": stream.getvalue()})
    assert labels == groups == [str(label) for label in LABELS]


def test_a_column_of_groups_goes_before_one_beside_it(tmp_path):
    stream = io.BytesIO()
    cells = [{"bytes": images.encode_png(picture)} for picture in SQUARE]
    parquet.write_table(pyarrow.table({"image": cells, "group": ["own"] * 23}), stream)
    beside = csv(LABELS, ["other"] * 23, header="label,group")
    files = {"m.parquet": stream.getvalue(), "m-labels.csv": beside}
    assert read(tmp_path, files)[3] == ["own"] * 23


def test_labels_are_read_alike_in_every_row(tmp_path):
    words = ["01"] * 2048 + ["x"] * 30  # more than are parsed at once
    pictures = np.zeros((len(words), 81), int)
    _, labels, _, _ = read(tmp_path, {"m.csv": csv(words, pictures, header=f"label,{NAMES}")})
    assert labels == words
    (tmp_path / "b").mkdir()
    words = (["NA", "", "true", "01"] * 6)[:23]
    table = {"m.csv": csv(words, FLAT, header=f"label,{NAMES}")}
    assert read(tmp_path / "b", table, classes=words)[1] == words


def test_a_table_has_its_writers_in_a_column(tmp_path):
    writers = [f"w{number % 3}" for number in range(23)]
    table = {"m.csv": csv(LABELS, FLAT, writers, header=f"label,{NAMES},writer")}
    pictures, labels, _, groups = read(tmp_path, table)
    np.testing.assert_array_equal(pictures, SQUARE)
    assert labels == [str(label) for label in LABELS] and groups == writers


def test_writers_in_a_table_of_labels_are_groups(tmp_path):
    writers = [f"w{number % 3}" for number in range(23)]
    table = csv(range(23), LABELS, writers, header="id,label,writer")
    _, labels, _, groups = read(tmp_path, {"X.npy": npy(SQUARE), "y.csv": table})
    assert labels == [str(label) for label in LABELS] and groups == writers


def test_a_first_row_is_no_header_because_all_its_pixels_differ(tmp_path):
    ramp = np.arange(81) * 1e-3 + np.arange(23)[:, None] / 100
    words = np.array(["cat", "dog", "owl", "ape"])[LABELS]
    pictures, labels, _, _ = read(tmp_path, {"m.csv": csv(words, ramp.round(5))})
    assert len(pictures) == 23 and labels == words.tolist()


def test_matlabs_writers_are_a_row_as_its_labels_are(tmp_path):
    files = {"m.mat": mat(X=SQUARE, y=LABELS, writers=LABELS + 500)}
    assert read(tmp_path, files)[3] == [str(500 + label) for label in LABELS]


def test_a_single_number_in_an_archive_is_told_and_left_out(tmp_path):
    files = {"m.npz": npz(x_train=SQUARE, y_train=LABELS, image_size=9)}
    pictures, labels, notes, _ = read(tmp_path, files)
    assert len(pictures) == len(labels) == 23
    assert notes == ["a single number, which is no set of pictures: not used"]


def test_the_digest_of_a_set_is_that_of_its_pictures_file(tmp_path):
    """Ids hang on it."""
    files = {"a-images-idx3-ubyte": idx(SQUARE), "a-labels-idx1-ubyte": idx(LABELS)}
    read(tmp_path, files)
    (one,) = choose_files(*find_files_and_notes(tmp_path, "raw"))
    assert read_arrays(tmp_path, one, Reading()).sha256 == hashlib.sha256(idx(SQUARE)).hexdigest()


def test_a_parquet_file_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'prep\[hub\]'"):
        read(tmp_path, {"m.parquet": table_of(SQUARE, LABELS, [])})


def test_a_picture_of_a_parquet_file_that_cannot_be_read_is_none_of_the_others_trouble(tmp_path):
    (tmp_path / "raw").mkdir()
    cells = [{"bytes": images.encode_png(SQUARE[0])}, {"bytes": b"no picture"}, {"bytes": None}]
    parquet.write_table(pyarrow.table({"image": cells}), tmp_path / "raw/m.parquet")
    (one,) = choose_files(*find_files_and_notes(tmp_path, "raw"))
    (part,) = read_arrays(tmp_path, one, Reading()).parts
    first, second, third = part.pictures
    np.testing.assert_array_equal(first, SQUARE[0])
    assert isinstance(second, DataError) and isinstance(third, DataError)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.intake.arrays.reading.MAX_BYTES", 10**6)
    with pytest.raises(DataError, match="more than the limit of 1,000,000 bytes"):
        read(tmp_path, {"m.csv.gz": gzip.compress(bytes(5_000_000))})


DAMAGED = {
    "m.npy": npy(SQUARE),
    "m.csv": csv(LABELS, FLAT, header=f"label,{NAMES}"),
    "m.mat": mat(dataset={"train": {"images": FLAT, "labels": LABELS}}),
    "m.parquet": table_of(SQUARE[:3], LABELS[:3], ["a", "b"]),
}


@pytest.mark.parametrize("name", DAMAGED)
@given(noise=st.binary(max_size=30), place=st.floats(0, 1), cut=st.booleans())
@settings(max_examples=60)
def test_damage_gives_pictures_or_a_reason(name, noise, place, cut):
    data = DAMAGED[name]
    start = int(place * len(data))
    broken = data[:start] + noise + (b"" if cut else data[start + len(noise) :])
    try:
        made = list(read_pictures(broken, name, Reading()))
    except DataError as error:
        assert str(error).isprintable()
    else:
        assert all(isinstance(one, DataError) or one.dtype == np.uint8 for one in made)


def head_of(shape):
    """An .npy file whose header says a shape, and that holds nothing."""
    said = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said.encode()


@pytest.mark.parametrize(
    "shape", ["(0, 10**18, 10**18)", "(0, 1000000000000000000, 9)", "(True, 9, 9)"]
)
def test_a_header_of_an_impossible_shape_is_damage(tmp_path, shape):
    with pytest.raises(DataError, match=r"raw/m\.npy: (damaged|too large)"):
        read(tmp_path, {"m.npy": head_of(shape)})


def table(**columns):
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


PNGS = [{"bytes": images.encode_png(picture), "path": None} for picture in SQUARE[:3]]


@pytest.mark.parametrize("odd", ["text", 7, [1, 2]])
def test_a_struct_whose_bytes_are_none_is_no_column_of_pictures(tmp_path, odd):
    cells = [{"bytes": odd, "path": None}] * 3
    with pytest.raises(DataError, match="it has no column of pictures"):
        read(tmp_path, {"m.parquet": table(image=cells)})
    found, *_ = read(tmp_path, {"m.parquet": table(image=PNGS, other=cells)})
    assert np.array_equal(found, SQUARE[:3])


def test_a_label_that_is_not_there_is_no_class_called_minus_one(tmp_path):
    data = table(image=PNGS, label=pyarrow.array([-1, None, 1]))
    _, labels, _, _ = read(tmp_path, {"m.parquet": data}, classes=["-1", "1"])
    assert labels == ["-1", "", "1"]


@pytest.mark.parametrize("huge", [2**63, 2**64 - 1])
def test_a_label_beyond_all_numbers_is_named_as_it_stands(tmp_path, huge):
    data = table(image=PNGS, label=pyarrow.array([huge, 1, 2], pyarrow.uint64()))
    _, labels, _, _ = read(tmp_path, {"m.parquet": data})
    assert labels == [str(huge), "1", "2"]
    many = csv([10**30] + [1] * 22, FLAT, header=f"label,{NAMES}")
    assert read(tmp_path / "csv", {"m.csv": many})[1][0] == str(10**30)
    with pytest.raises(DataError, match="label 1 is 1e\\+30, no whole number"):
        read(tmp_path / "npz", {"m.npz": npz(x=SQUARE, y=LABELS.astype(float) + 1e30)})


def test_memory_that_runs_out_in_a_parquet_file_is_no_damage_of_it(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise pyarrow.lib.ArrowMemoryError("realloc of size 622084096 failed")

    data = table(image=PNGS)
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", fail)
    with pytest.raises(MemoryError):
        read(tmp_path, {"m.parquet": data})
