"""Whatever bytes a file holds, readers give what they promise or a DataError.

The short form of benchmarks/fuzz.py: its corpus, some thousand files made of it by chance (the same
each time), and what its runs found.
"""

import random
import shutil
import struct
import subprocess
import sys
import zipfile

import fuzzing
import h5py
import numpy as np
import pytest
from fuzzing import CORPUS, IDX_PAIR, INPUTS, TARGETS, mutate
from seeds import SEEDS

from pipeline.dataset.schema import Rows, encode_texts
from pipeline.dataset.store import open_dataset, read_glyph_ids, read_glyphs
from pipeline.dataset.tables import read_table
from pipeline.dataset.writing import create_dataset
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.outside import read_outside
from pipeline.network.checkpoints import read_checkpoint
from pipeline.settings.loading import load_params

FILES = sorted(CORPUS.glob("*/*"))
UNSOUND = {"odd.zip", "odd.tar"}  # they hold what is refused
MUTANTS = {"pictures": 1500, "archives": 1500, "datasets": 1000, "tables": 2000, "params": 500}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_file_of_the_corpus_keeps_the_promise(path):
    check = TARGETS[path.parent.name]
    if path.name in UNSOUND or path.name.startswith("found-"):
        with pytest.raises(DataError):
            check(path.read_bytes())
    else:
        check(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_the_corpus_keep_the_promise(target):
    sound = [path.read_bytes() for path in FILES if path.parent.name == target]
    dice, refused = random.Random(target), 0
    for _ in range(MUTANTS[target]):
        broken = mutate(dice.choice(sound), dice)
        try:
            TARGETS[target](broken)
        except DataError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"given {broken!r}") from error
    assert 0.2 < refused / MUTANTS[target] < 0.99


def test_a_broken_promise_is_noticed(monkeypatch):
    data = (CORPUS / "pictures/grey.jpg").read_bytes()
    monkeypatch.setattr(images, "decode_pages", lambda *_, **__: iter([np.zeros((9, 14))]))
    with pytest.raises(AssertionError, match="not as promised: a page of float64"):
        fuzzing.check_pictures(data)
    monkeypatch.setattr(images, "decode_pages", lambda *_, **__: iter([{}["lost"]]))
    with pytest.raises(KeyError):
        fuzzing.check_pictures(data)


def test_repaired_checksums_let_damage_through():
    dimmed = bytearray((CORPUS / "pictures/bits.png").read_bytes())
    dimmed[19] = 13  # its width, that was 14
    with pytest.raises(DataError):
        fuzzing.check_pictures(bytes(dimmed))
    assert next(images.decode_pages(fuzzing.repair(bytes(dimmed)))).shape == (9, 13)


def test_the_corpus_is_what_seeds_py_writes_and_small():
    for target, make in SEEDS.items():
        kept = {path.name for path in (CORPUS / target).iterdir()}
        assert {name for name in kept if not name.startswith("found-")} == set(make())
    assert sum(path.stat().st_size for path in FILES) < 300_000


# --- What was found ------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["a,cat", "a,cat,page,more"])
def test_a_row_of_a_table_has_every_field(tmp_path, line):
    path = tmp_path / "balanced.csv"
    path.write_text(f"id,label,group\nb,dog,page\n{line}\n")
    with pytest.raises(DataError, match="line 3 lacks fields or has too many"):
        read_table(path, ("id", "label", "group"))


def test_fields_that_may_be_missing_are_empty(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("source,label,group\nraw/a.jpg,cat\n")
    assert read_table(path, ("source",)) == [{"source": "raw/a.jpg", "label": "cat", "group": ""}]


@pytest.mark.parametrize(
    "text",
    [
        "seed: 2001-99-99",
        "seed: 0x_",
        f"seed: {'9' * 5000}",
        "seed: !!int ''",
        "seed: !!bool x",
        "seed: !!timestamp x",
        "[" * 2000,
    ],
    ids=lambda text: text[:20],
)
def test_what_yaml_cannot_read_is_no_yaml(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match="is not YAML"):
        load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("  flip: {dir", "  7: {dir", "augment: 7 is no name; put it in quotes"),
        ("  flip: {dir", "  ~: {dir", "~ is read as nothing; put it in quotes"),
        ("ops: [flip]", "ops: [7]", "7 is no name; put it in quotes"),
        ("  flip: {dir", '  "\\ud800": {dir', "a character that can't be written"),
    ],
)
def test_a_name_is_text_that_can_be_written(tmp_path, old, new, reason):
    path = tmp_path / "params.yaml"
    text = (CORPUS / "params/params.yaml").read_text()
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=reason):
        load_params(path)


def test_a_checkpoint_that_says_it_is_encrypted_is_none(tmp_path):
    path = tmp_path / "checkpoint.npz"
    whole = (CORPUS / "datasets/checkpoint.npz").read_bytes()
    path.write_bytes(whole)
    assert read_checkpoint(path, INPUTS).step == 2
    with zipfile.ZipFile(path) as file:
        directory = file.start_dir
    path.write_bytes(whole[: directory + 8] + b"\1\0" + whole[directory + 10 :])
    assert read_checkpoint(path, INPUTS) is None


def test_a_checkpoint_whose_header_is_no_python_is_none(tmp_path):
    path = tmp_path / "checkpoint.npz"
    whole = (CORPUS / "datasets/checkpoint.npz").read_bytes()
    broken = whole.replace(b"'shape': (), }    ", b"'shape': (), }   )", 1)
    assert broken != whole
    path.write_bytes(broken)
    assert read_checkpoint(path, INPUTS) is None


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("classes", "5"),
        ("classes", "null"),
        ("classes", "[1, 2]"),
        ("classes", '"cat"'),
        ("made_by", "[]"),
        ("draws", "3"),
        ("draws", '["x", "y", "z"]'),
        ("draws", None),
        ("schema_version", np.inf),
    ],
)
def test_the_attributes_of_a_dataset_are_of_their_kind(tmp_path, attribute, value):
    path = shutil.copy(CORPUS / "datasets/old-variants.h5", tmp_path / "variants.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs[attribute]
        if isinstance(value, str):
            [text] = encode_texts([value])
            file.attrs.create(attribute, text, dtype=encode_texts([value]).dtype)
        elif value is not None:
            file.attrs[attribute] = value
    with pytest.raises(DataError, match="damaged or no file of prep's"), open_dataset(path):
        pass


def test_tiles_have_pixels(tmp_path):
    path = shutil.copy(CORPUS / "datasets/old-tiles.h5", tmp_path / "tiles.h5")
    with h5py.File(path, "r+") as file:
        del file["images"]
        file["images"] = np.zeros((3, 0, 6, 1), np.uint8)
    with (
        pytest.raises(DataError, match=r"its tiles have the shape \(0, 6, 1\)"),
        open_dataset(path),
    ):
        pass


@pytest.mark.parametrize("shapes", [[[0, 5], [4, 3]], [[9, 14], [1, 1]], [[9, 14, 1], [4, 3, 1]]])
def test_glyphs_have_the_shapes_that_their_pixels_fit(tmp_path, shapes):
    path = shutil.copy(CORPUS / "datasets/old-glyphs.h5", tmp_path / "glyphs.h5")
    with h5py.File(path, "r+") as file:
        del file["shapes"]
        file["shapes"] = np.array(shapes, np.int32)
    for read in (read_glyph_ids, read_glyphs):
        with pytest.raises(DataError, match="do not make up its pixels"):
            list(read(path))


# A lost sector of a disk reads as zeros; HDF5 by itself never comes back from one in its texts.
LOSING = """
import sys
from pathlib import Path
from pipeline.errors import DataError
from pipeline.dataset.store import open_dataset

path, refused = Path(sys.argv[1]), 0
data = path.read_bytes()
for place in range(0, len(data), 512):
    path.write_bytes(data[:place] + bytes(len(data[place : place + 512])) + data[place + 512 :])
    try:
        with open_dataset(path) as tiles:
            tiles.ids
    except DataError:
        refused += 1
print(refused)
"""


def write_tiles(path, images):
    count = len(images)
    ids = np.array([f"raw/a page of some length.jpg#{number}" for number in range(count)], object)
    with create_dataset(path, tile_shape=images.shape[1:], classes=["a"], made_by={}) as out:
        out.append(Rows(images, np.zeros(count, np.int16), ids, ids))
    return path


def test_lost_sectors_are_refused_and_hang_nothing(tmp_path):
    path = write_tiles(tmp_path / "tiles.h5", np.zeros((2000, 6, 6, 1), np.uint8))
    run = subprocess.run(
        [sys.executable, "-c", LOSING, path], capture_output=True, text=True, timeout=60,
        check=True, cwd=CORPUS.parents[1],
    )  # fmt: skip
    assert int(run.stdout) > 10


def test_tiles_may_look_like_any_part_of_a_file(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 25, 1), dtype=np.uint8)
    images[5].flat[:32] = np.frombuffer(b"GCOL\1\0\0\0\0\x10".ljust(32, b"\0"), np.uint8)
    with open_dataset(write_tiles(tmp_path / "tiles.h5", images)) as tiles:
        assert not tiles.compressed
        assert np.array_equal(tiles.read().images, images)


def test_texts_of_any_length_are_not_read_for_hdf5_may_never_come_back(tmp_path):
    for name in ("ids", "parents"):
        path = shutil.copy(CORPUS / "datasets/old-variants.h5", tmp_path / "variants.h5")
        with h5py.File(path, "r+") as file:
            del file[name]
            file.create_dataset(name, data=["a", "b", "c"], dtype=h5py.string_dtype())
        refused = pytest.raises(DataError, match=f"'{name}' holds values of any length")
        with refused, open_dataset(path):
            pass
    path = shutil.copy(CORPUS / "datasets/old-variants.h5", tmp_path / "variants.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["made_by"] = "{}"
    refused = pytest.raises(DataError, match="'made_by' is no text of a fixed length")
    with refused, open_dataset(path):
        pass


def test_a_file_of_an_older_schema_names_the_command_that_makes_all_anew(tmp_path):
    path = shutil.copy(CORPUS / "datasets/old-tiles.h5", tmp_path / "tiles.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
    refused = pytest.raises(DataError, match=r"older prep \(schema 1.*dvc repro --force")
    with refused, open_dataset(path):
        pass


def test_labels_from_outside_are_among_their_classes(tmp_path):
    path = shutil.copy(CORPUS / "datasets/old-tiles.h5", tmp_path / "tiles.h5")
    with h5py.File(path, "r+") as file:
        file["labels"][1] = 2
    with pytest.raises(DataError, match="a label is none of its 2 classes"):
        read_outside(path, "train")


def write_pair(folder, **changed):
    for name, data in IDX_PAIR.items():
        kind = name.split("-")[1]
        (folder / name).write_bytes(changed.get(kind, data))


@pytest.mark.parametrize("label", [-1, 2_000_000_000])
def test_labels_of_idx_files_from_outside_are_small_numbers(tmp_path, label):
    write_pair(tmp_path, labels=struct.pack(">4BI3i", 0, 0, 12, 1, 3, 0, label, 1))
    with pytest.raises(DataError, match="labels have to be numbers from 0 to 32,767"):
        read_outside(tmp_path, "train")


def test_idx_files_without_pictures_are_refused(tmp_path):
    nothing = struct.pack(">4B3I", 0, 0, 8, 3, 0, 4, 5), struct.pack(">4BI", 0, 0, 8, 1, 0)
    write_pair(tmp_path, images=nothing[0], labels=nothing[1])
    with pytest.raises(DataError, match="a-images-idx: it holds no picture"):
        read_outside(tmp_path, "train")
    write_pair(tmp_path, images=struct.pack(">4B3I", 0, 0, 8, 3, 3, 0, 5))
    with pytest.raises(DataError, match="its pictures have no pixels"):
        read_outside(tmp_path, "train")


def test_idx_files_of_different_sizes_are_not_mixed(tmp_path):
    write_pair(tmp_path)
    for name, data in IDX_PAIR.items():
        (tmp_path / name.replace("a-", "b-")).write_bytes(data)
    assert read_outside(tmp_path, "train").images.shape == (6, 4, 5, 1)
    other = struct.pack(">4B3I", 0, 0, 8, 3, 3, 5, 4) + bytes(60)
    (tmp_path / "b-images-idx").write_bytes(other)
    with pytest.raises(DataError, match="its pictures have different sizes, 4 x 5 and 5 x 4"):
        read_outside(tmp_path, "train")
