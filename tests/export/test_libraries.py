"""Exports for other libraries: what each of them loads is what tiles.h5 and split.csv hold."""

import io
import json
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from conftest import digests
from PIL import Image
from pyarrow import parquet
from ready_sets import read_contents, write_set

from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment

# webdataset 1.0.2 leaves it to the garbage collector to close what it has read.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*[.]tar:ResourceWarning")

CLASSES = ["a", "Ä", '3:"4"']
TEXTS = {"id": "ids", "group": "groups", "parent": "parents", "op": "ops", "source": "sources"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def decode(data):
    """Return a PNG that holds nothing but pixels, as (S, S, C)."""
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.info) == ("PNG", {})
        pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


# --- A reader for each format: the rows of each part, as dicts -------------------------------


def read_parquet(folder):
    """Read with pyarrow alone: quick, and as every other program of Parquet does."""
    parts = defaultdict(list)
    for path in sorted(Path(folder, "data").iterdir()):
        table = parquet.read_table(path)
        told = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert list(told) == table.column_names
        names = told["label"]["names"]
        for row in table.to_pylist():
            image, label = row.pop("image"), row.pop("label")
            assert image["path"] == f"{row['id']}.png"
            found = {"image": decode(image["bytes"]), "label": label, "class": names[label]}
            parts[path.name.partition("-")[0]].append(row | found)
    return parts


def read_datasets(folder):
    """Read as `datasets` does it with one line."""
    from datasets import ClassLabel, load_dataset

    found = load_dataset(folder, cache_dir="cache")
    parts = {}
    for name, rows in found.items():
        feature = rows.features["label"]
        assert isinstance(feature, ClassLabel)
        parts[name] = [
            row
            | {
                "image": np.asarray(row["image"]).reshape(*row["image"].size[::-1], -1),
                "class": feature.int2str(row["label"]),
            }
            for row in rows
        ]
    return parts


def read_webdataset(folder):
    """Read with the library itself, which takes a tile's files by the part before the first dot."""
    from webdataset import WebDataset

    names = Path(folder, "classes.txt").read_text(encoding="utf-8").splitlines()
    parts = defaultdict(list)
    for path in sorted(Path(folder).glob("*.tar")):
        for sample in WebDataset(str(path), shardshuffle=False):
            assert {name for name in sample if not name.startswith("__")} == {"png", "cls", "json"}
            told, label = json.loads(sample["json"]), int(sample["cls"])
            assert told["id"] == sample["__key__"]
            assert (told["label"], told["class"]) == (label, names[label])
            parts[path.name.rpartition("-")[0]].append(told | {"image": decode(sample["png"])})
    return parts


def read_records(folder):
    """Read with tf.data, and each record as it says itself what it holds."""
    import tensorflow as tf

    names = Path(folder, "classes.txt").read_text(encoding="utf-8").splitlines()
    parts = defaultdict(list)
    for path in sorted(Path(folder).glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            found = dict(read_features(tf.train.Example.FromString(record)))
            image, label = tf.io.decode_png(found.pop("image/encoded")).numpy(), found["label"]
            assert image.shape == tuple(
                found.pop(f"image/{side}") for side in ("height", "width", "channels")
            )
            assert (found.pop("image/format"), found["class"]) == ("png", names[label])
            parts[path.name.rsplit("-", 3)[0]].append(found | {"image": image})
    return parts


def read_features(example):
    for name, feature in example.features.feature.items():
        [value] = getattr(feature, feature.WhichOneof("kind")).value
        is_text = isinstance(value, bytes) and name != "image/encoded"
        short = {"image/class/label": "label", "image/class/text": "class"}.get(name, name)
        yield short, value.decode() if is_text else value


READERS = {
    "huggingface": read_parquet,
    "webdataset": read_webdataset,
    "tfrecord": read_records,
}
SLOW = {"tfrecord": [pytest.mark.slow]}
FORMATS = [pytest.param(form, marks=SLOW.get(form, ())) for form in READERS]
ALL = [
    *(pytest.param(form, read, marks=SLOW.get(form, ())) for form, read in READERS.items()),
    pytest.param("huggingface", read_datasets, marks=pytest.mark.slow),
]


def check(found, wanted, classes=CLASSES):
    """Hold the rows that were read against the parts of the dataset, in their order."""
    assert set(found) == {name for name, part in wanted.items() if len(part["ids"])}
    for name, rows in found.items():
        part = wanted[name]
        np.testing.assert_array_equal([row["image"] for row in rows], part["images"])
        assert [row["label"] for row in rows] == part["labels"].tolist()
        assert [row["class"] for row in rows] == [classes[label] for label in part["labels"]]
        for column in set(TEXTS) & set(rows[0]):
            assert [row[column] for row in rows] == part[TEXTS[column]].tolist()


# --- What each finds ---------------------------------------------------------------------------


@pytest.mark.usefixtures("datasets_offline")
@pytest.mark.parametrize("shape", [(9, 9, 1), (11, 11, 3)])
@pytest.mark.parametrize(("form", "read"), ALL)
def test_every_tile_comes_back_with_its_class_and_in_its_part(here, prep, form, read, shape):
    tiles = write_set(here, shape=shape, classes=CLASSES)
    code, printed, errors = prep("export", "out", "--as", form)
    assert (code, errors.count("\n")) == (0, 1)
    assert f"export: 24 tiles (12 train, 6 validation, 6 test) as {form} in out, in" in printed
    found = read("out")
    check(found, read_contents(here))
    place = {tile_id: row for row, tile_id in enumerate(tiles.ids)}
    for row in found["test"]:
        assert set(row) == {"image", "label", "class", "id", "group"}
        np.testing.assert_array_equal(row["image"], tiles.images[place[row["id"]]])
        assert row["label"] == tiles.labels[place[row["id"]]]


@pytest.mark.usefixtures("datasets_offline")
@pytest.mark.parametrize(("form", "read"), ALL)
def test_several_files_hold_what_one_does(here, prep, monkeypatch, form, read):
    monkeypatch.setattr("pipeline.export.shards.SHARD_BYTES", 5 * (81 + 256))
    write_set(here, classes=CLASSES)
    augment(Project(here), load_params(here / "params.yaml"), jobs=1)
    assert prep("export", "out", "--as", form, "--with", "flip,rotate", "--names")[0] == 0
    files = [path for path in Path("out").rglob("*") if path.name.startswith("train")]
    tiles = read_contents(here, with_ops=["flip", "rotate"], names=True)
    assert len(files) == -(-len(tiles["train"]["ids"]) // 5)
    found = read("out")
    check(found, tiles)
    assert set(found["train"][0]) == {"image", "label", "class", *TEXTS}
    assert {row["op"] for row in found["train"]} == {"", "flip", "rotate"}


@pytest.mark.usefixtures("datasets_offline")
@pytest.mark.parametrize(("form", "read"), ALL)
def test_folds_and_parts_without_tiles(here, prep, form, read):
    write_set(here, folds=3, parts=("train", "val", "test"), classes=CLASSES)
    assert prep("export", "out", "--as", form)[0] == 0
    tiles = read_contents(here)
    dash = "_" if form == "huggingface" else "-"
    check(read("out"), {name.replace("-", dash): part for name, part in tiles.items()})
    write_set(here, parts=("train", "test"), classes=CLASSES)
    assert prep("export", "two", "--as", form)[0] == 0
    found = read("two")
    assert set(found) == {"train", "test"}
    check(found, read_contents(here))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_command_gives_the_same_bytes(here, prep, monkeypatch, form):
    monkeypatch.setattr("pipeline.export.shards.SHARD_BYTES", 7 * (81 + 256))
    write_set(here)
    assert prep("export", "one", "--as", form)[0] == 0
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert prep("export", "two", "--as", form)[0] == 0
    found = digests(Path("one"))
    assert found and found == digests(Path("two"))


def test_archives_say_nothing_of_when_and_by_whom_they_were_made(here, prep):
    write_set(here)
    assert prep("export", "out", "--as", "webdataset")[0] == 0
    for path in Path("out").glob("*.tar"):
        with tarfile.open(path) as archive:
            for file in archive:
                assert (file.mtime, file.uid, file.gid, file.uname, file.gname) == (0, 0, 0, "", "")
                assert file.isreg() and file.mode == 0o644


@pytest.mark.parametrize("form", FORMATS)
def test_writers_and_files_are_told_only_where_they_are_asked_for(here, prep, form):
    write_set(here, classes=CLASSES)
    assert prep("export", "hidden", "--as", form, "--pseudonyms")[0] == 0
    assert prep("export", "named", "--as", form, "--names")[0] == 0
    for part, rows in READERS[form]("hidden").items():
        assert rows and all(row["group"].startswith("group-") for row in rows), part
        assert "source" not in rows[0]
    raw = b"".join(path.read_bytes() for path in Path("hidden").rglob("*") if path.is_file())
    for secret in (str(here), "Ada", "raw/", "Zo"):
        assert secret.encode() not in raw
    row = READERS[form]("named")["train"][0]
    assert (row["source"], row["group"]) == ("raw/pictures/Ada-0.jpg", "Zoë 0")


# --- What is refused ---------------------------------------------------------------------------


def test_without_pyarrow_what_to_install_is_told(here, prep, monkeypatch):
    write_set(here)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, printed, errors = prep("export", "out", "--as", "huggingface")
    assert (code, printed) == (1, "")
    told = " ".join(errors.split())
    assert "pyarrow is missing. Install it with: pip install 'prep[hub]'" in told
    assert not list(here.glob("*out*"))


def test_of_very_many_classes_without_tiles_not_all_are_named(here, prep):
    write_set(here, classes=[f"c{number}" for number in range(300)])
    _, _, errors = prep("export", "out", "--as", "webdataset")
    told = " ".join(errors.split())
    assert "the training set has no tile of 'c2', 'c3', " in told and "'c15' and 278 more:" in told
    assert len(told) < 1000


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_leaves_nothing(here, prep, monkeypatch, form):
    write_set(here)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"pipeline.export.{form}.encode_png", fail)
    code, printed, errors = prep("export", "out", "--as", form)
    assert (code, printed) == (1, "")
    assert "there is no room for out" in errors
    assert not list(here.glob("*out*"))
