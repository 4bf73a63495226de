"""The card of an export: counts by hand, a head that the Hub reads, lines that load it."""

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from conftest import digests, forget_notes
from PIL import Image
from ready_sets import read_contents, write_set

from pipeline.commands.export import FORMATS
from pipeline.dataset.tables import COLUMNS, read_table, write_table

# webdataset 1.0.2 leaves it to the garbage collector to close what it has read.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*[.]tar:ResourceWarning")

ABOUT = {
    "name": "My | *digits*",
    "description": "Of one hand.",
    "licence": "CC-BY-4.0",
    "authors": ["Ada <b>", "Grace"],
    "consent": "asked in writing",
    "url": "https://example.org/digits",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def card_of(folder="out"):
    text = Path(folder, "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def test_classes_are_counted_in_each_part(here, prep):
    rows = write_set(here, classes=["bar", "a|b"])
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    _, body = card_of()
    parts = read_contents(here)
    for label, name in enumerate(["bar", "a&#124;b"]):
        counts = " | ".join(str(Counter(parts[part]["labels"])[label]) for part in parts)
        assert f"| {name} | {counts} |" in body
    groups = " | ".join(str(len(set(parts[part]["groups"]))) for part in parts)
    assert f"| *groups* | {groups} |" in body
    assert "9 x 9 pixels, grey, of 2 classes" in body and "with these settings" in body
    assert len(rows.images) == 30


def test_nothing_is_stated_that_was_not_given(here, prep):
    write_set(here)
    assert prep("export", "out", "--as", "csv", "-q")[0] == 0
    head, body = card_of()
    assert head["license"] == "unknown" and "pretty_name" not in head
    assert body.count("not stated") == 3
    assert "was not proved for these files" in body  # no stage has run here


def test_what_the_person_says_goes_along_without_its_markup(here, prep):
    write_set(here, dataset=ABOUT)
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    head, body = card_of()
    assert (head["license"], head["pretty_name"]) == ("cc-by-4.0", "My | *digits*")
    assert "# My &#124; &#42;digits&#42;" in body and "Ada &#60;b&#62;, Grace" in body
    assert "asked in writing" in body and "<https://example.org/digits>" in body


def test_the_picture_shows_training_tiles_of_each_class_in_a_row(here, prep):
    write_set(here, shape=(9, 9, 3))
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    train = read_contents(here)["train"]
    sheet = np.asarray(Image.open("out/tiles.png"))
    first = train["images"][train["labels"] == 0][0]
    np.testing.assert_array_equal(sheet[2:11, 2:11], first)


def test_no_path_of_the_machine_and_no_name_of_a_group_is_in_it(here, prep):
    write_set(here)
    for folder in ("out", "again"):
        assert prep("export", folder, "--as", "folder", "-q")[0] == 0
    text = Path("out/README.md").read_text(encoding="utf-8")
    assert str(here) not in text and "Zoë" not in text and "Ada" not in text
    assert digests(here / "out") == digests(here / "again")


def test_the_hubs_own_reader_takes_the_head(here, prep, datasets_offline):
    from huggingface_hub import DatasetCard

    write_set(here, dataset=ABOUT)
    assert prep("export", "out", "--as", "huggingface", "-q")[0] == 0
    data = DatasetCard.load("out/README.md").data
    assert (data.license, data.task_categories) == ("cc-by-4.0", ["image-classification"])
    assert data.size_categories == ["n<1K"]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", FORMATS)
def test_the_lines_load_what_was_exported(
    here, prep, monkeypatch, datasets_offline, form, channels
):
    write_set(here, shape=(9, 9, channels))
    assert prep("export", "out", "--as", form, "-q")[0] == 0
    [lines] = re.findall(r"```python\n(.*?)```", card_of()[1], re.DOTALL)
    monkeypatch.chdir("out")
    found = {}
    exec(lines, found)
    train = read_contents(os.pardir)["train"]
    pixels = train["images"] if channels == 3 else train["images"][..., 0]
    if form in ("npz", "idx", "csv"):
        np.testing.assert_array_equal(found["images"], pixels)
        np.testing.assert_array_equal(found["labels"], train["labels"])
    elif form in ("folder", "huggingface"):
        dataset = found["dataset"]
        assert {name: len(part) for name, part in dataset.items()} == {
            name: len(part["ids"]) for name, part in read_contents(os.pardir).items()
        }
        shown = sorted(np.asarray(row["image"]).tobytes() for row in dataset["train"])
        assert shown == sorted(picture.tobytes() for picture in pixels)
    else:
        assert int(found["label"]) == train["labels"][-1]
        np.testing.assert_array_equal(np.asarray(found["image"]).squeeze(), pixels[-1])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("MIT", {"license": "mit"}),
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("ODbL-1.0", {"license": "odbl"}),  # whose version the Hub does not name
        ("ODC-By-1.0", {"license": "odc-by"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("private", {"license": "other", "license_name": "private"}),
        ("CC-BY-SA-2.0", {"license": "other", "license_name": "cc-by-sa-2.0"}),
        ("Ask us, (please)!", {"license": "other", "license_name": "ask-us-please"}),
        ("何でも", {"license": "other"}),
        (" ", {"license": "unknown"}),
    ],
)
def test_a_licence_is_called_as_the_hub_calls_it(here, prep, given, named):
    write_set(here, dataset={"licence": given})
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    head, body = card_of()
    assert {name: head[name] for name in head if name.startswith("license")} == named
    assert f"- Licence: {given.strip() or 'not stated'}\n" in body


def test_with_pseudonyms_no_digest_of_a_file_that_holds_names_is_told(here, prep, monkeypatch):
    monkeypatch.setattr("pipeline.export.card.read_lineage", lambda _: None)  # it was proved
    write_set(here)
    for folder, options in (("told", []), ("hidden", ["--pseudonyms"])):
        assert prep("export", folder, "--as", "npz", "-q", *options)[0] == 0
        assert "`prep plan` proved" in card_of(folder)[1]
    for file in ("split.csv", "tiles.h5"):
        digest = digests(here / "processed")[file]
        assert digest in card_of("told")[1] and digest not in card_of("hidden")[1]


@pytest.mark.parametrize(("group", "is_torn"), [("page", False), ("none", True)])
def test_where_pages_are_torn_apart_it_is_said(here, prep, group, is_torn):
    write_set(here, split={"test": 0.3, "val": 0.2, "folds": 1, "group": group, "seed": 1})
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    assert ("tiles of one page may be on two sides" in card_of()[1]) is is_torn


def run_lines(monkeypatch, folder="out"):
    """Return what a card's lines leave, run in the export's own folder as it says."""
    [lines] = re.findall(r"```python\n(.*?)```", card_of(folder)[1], re.DOTALL)
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        found = {}
        exec(lines, found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "huggingface", "csv", "webdataset"])
@pytest.mark.parametrize("folds", [1, 3])
def test_classes_called_like_parts_move_no_tile(
    here, prep, monkeypatch, datasets_offline, form, folds
):
    from datasets import load_dataset

    write_set(here, classes=["train", "dev", "test"], folds=folds, count=60)
    assert prep("export", "out", "--as", form, "-q")[0] == 0
    expected = {
        name.replace("-", "_"): len(part["ids"]) for name, part in read_contents(here).items()
    }
    loaded = [load_dataset("out")]
    if form in ("folder", "huggingface"):
        loaded.append(run_lines(monkeypatch)["dataset"])
    for dataset in loaded:
        assert {name: len(part) for name, part in dataset.items()} == expected
        if form in ("folder", "huggingface"):
            names = dataset[next(iter(dataset))].features["label"].names
            assert sorted(names) == ["dev", "test", "train"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "huggingface"])
def test_another_export_in_the_same_place_is_not_taken_for_the_first(
    here, prep, datasets_offline, form
):
    from datasets import load_dataset

    found = []
    for classes in (["bar", "square"], ["square", "bar"]):
        write_set(here, classes=classes)
        assert prep("export", "out", "--as", form, "-q")[0] == 0
        train = load_dataset("out")["train"]
        name_of = train.features["label"].int2str
        found.append({np.asarray(row["image"]).tobytes(): name_of(row["label"]) for row in train})
        shutil.rmtree("out")
    other = {"bar": "square", "square": "bar"}
    assert found[1] == {pixels: other[name] for pixels, name in found[0].items()}


def test_the_lines_load_every_archive(here, prep, monkeypatch):
    monkeypatch.setattr("pipeline.export.shards.SHARD_BYTES", 5 * (81 + 256))
    write_set(here)
    assert prep("export", "out", "--as", "webdataset", "-q")[0] == 0
    assert len(list(Path("out").glob("train-*.tar"))) == 3
    told = run_lines(monkeypatch)["told"]
    assert told["id"] == read_contents(here)["train"]["ids"][-1]  # of the last archive


@pytest.mark.slow
def test_a_folder_of_pictures_is_loaded_by_its_path_alone(here, prep, datasets_offline):
    from datasets import load_dataset

    write_set(here)
    assert prep("export", "out", "--as", "folder", "-q")[0] == 0
    dataset = load_dataset("out")
    assert list(dataset) == ["train", "validation", "test"]
    assert dataset["train"].features["label"].names == ["bar", "square"]


def test_the_lines_know_labels_of_two_bytes(here, prep, monkeypatch):
    write_set(here, classes=[f"class-{number}" for number in range(300)], count=40)
    assert prep("export", "out", "--as", "idx", "-q")[0] == 0
    [lines] = re.findall(r"```python\n(.*?)```", card_of()[1], re.DOTALL)
    monkeypatch.chdir("out")
    found = {}
    exec(lines, found)
    np.testing.assert_array_equal(found["labels"], read_contents(os.pardir)["train"]["labels"])


def test_the_picture_of_two_classes_is_no_strip_and_each_begins_a_line(here, prep):
    write_set(here, count=500)
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    train = read_contents(here)["train"]
    sheet = np.asarray(Image.open("out/tiles.png"))
    assert sheet.shape == (10 * 11 + 2, 12 * 11 + 2)  # five lines of twelve tiles a class
    for label, line in ((0, 0), (1, 5)):
        first = train["images"][train["labels"] == label][0, ..., 0]
        np.testing.assert_array_equal(sheet[11 * line + 2 :, 2:][:9, :9], first)


def test_a_part_that_only_pictures_had_that_are_not_in_it_is_not_told(here, prep):
    write_set(here)
    catalogue = here / "processed/catalogue.csv"
    rows = read_table(catalogue, COLUMNS["catalogue"])
    others = [rows[0] | {"source": "raw/test/x.jpg", "sha256": "f" * 64, "split": "test"}]
    write_table(catalogue, COLUMNS["catalogue"], rows + others)
    assert prep("export", "before", "--as", "npz", "-q")[0] == 0
    assert "a part of their own" not in card_of("before")[1]
    write_table(catalogue, COLUMNS["catalogue"], [row | {"split": "test"} for row in rows] + others)
    assert prep("export", "after", "--as", "npz", "-q")[0] == 0
    assert (
        "Pictures that came with a part of their own (test) keep it; the rest is drawn. Strat"
        in (card_of("after")[1])
    )


def test_the_settings_of_tiles_are_those_that_made_them(here, prep):
    write_set(here, tile={"size": 24, "channels": 1, "method": "photo"})
    with h5py.File(here / "processed/tiles.h5", "a") as file:
        made = {"stage": "normalise", "parameters": {"size": 9, "method": "photo"}}
        text = json.dumps(made).encode()
        del file.attrs["made_by"]
        file.attrs.create("made_by", text, dtype=h5py.string_dtype("utf-8", len(text)))
    forget_notes(here)
    assert prep("export", "out", "--as", "npz", "-q")[0] == 0
    assert "size: 9" in card_of("out")[1] and "size: 24" not in card_of("out")[1]
