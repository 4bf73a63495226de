"""What is handed over: every tile of the split once, as it lies in tiles.h5, and nothing else."""

import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import run_to, write_params

from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError
from pipeline.export.contents import open_contents
from pipeline.project import Project
from pipeline.settings.loading import load_params


def read_split(folder):
    """Return the rows of split.csv, read by Python's own reader."""
    with (folder / "processed/split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def open_here(folder, **options):
    return open_contents(Project(folder), load_params(folder / "params.yaml"), **options)


def read_part(content, size=7):
    windows = list(content.windows(size))
    assert all(len(window) <= size for window in windows)
    return {
        name: np.concatenate([getattr(window, name) for window in windows])
        for name in vars(windows[0])
    }


def test_each_part_holds_the_tiles_that_the_split_names_bit_by_bit(project, prep):
    run_to(prep, "split")
    rows = read_split(project)
    with open_dataset(project / "processed/tiles.h5") as file:
        tiles = file.read()
    place = {name: number for number, name in enumerate(tiles.ids)}

    with open_here(project) as contents:
        parts = {content.name: read_part(content) for content in contents.parts}
        assert contents.left_out == len(tiles) - len(rows) == 2

    for name, word in {"train": "train", "validation": "val", "test": "test"}.items():
        own = [row for row in rows if row["split"] == word]
        places = sorted(place[row["id"]] for row in own)
        group = {row["id"]: row["group"] for row in own}
        part = parts[name]
        np.testing.assert_array_equal(part["images"], tiles.images[places])
        np.testing.assert_array_equal(part["labels"], tiles.labels[places])
        assert part["ids"].tolist() == tiles.ids[places].tolist()
        assert part["groups"].tolist() == [group[tile_id] for tile_id in part["ids"]]
        assert not any(part["parents"]) and not any(part["ops"]) and not any(part["sources"])


def test_more_tiles_than_fit_into_memory_come_from_the_disk(project, prep, monkeypatch, tmp_path):
    run_to(prep, "split")
    with open_here(project) as contents:
        wanted = read_part(contents.parts[0])
    monkeypatch.setattr("pipeline.export.contents.MEMORY_BYTES", 0)
    with open_here(project, scratch=tmp_path) as contents:
        found = read_part(contents.parts[0], 3)
    for name, column in wanted.items():
        np.testing.assert_array_equal(found[name], column)


def test_variants_follow_the_training_tiles_that_they_were_made_of(project, prep):
    write_params(project, augment={"flip": {}, "rotate": {"degrees": [-9, 9], "copies": 3}})
    run_to(prep, "augment")
    with open_here(project, with_ops=["rotate", "flip"]) as contents:
        train, *others = contents.parts
        found = read_part(train)
        for content in others:
            assert not any(read_part(content)["ops"])
    own = found["ids"][found["ops"] == ""].tolist()
    assert found["ops"].tolist() == [""] * len(own) + ["rotate"] * 3 * len(own) + ["flip"] * len(
        own
    )
    originals = {name: row for row, name in enumerate(own)}
    for row in np.flatnonzero(found["ops"] == "flip"):
        parent = originals[found["parents"][row]]
        np.testing.assert_array_equal(found["images"][row], found["images"][parent][:, ::-1])
        for column in ("labels", "groups"):
            assert found[column][row] == found[column][parent]
    assert len(set(found["ids"])) == len(found["ids"])
    assert set(found["parents"]) == {"", *own}


def test_folds_are_tested_in_turn_and_variants_need_one_of_them(project, prep):
    split = {"folds": 3, "val": 0.2, "group": "page", "seed": 1}
    write_params(project, split=split)
    run_to(prep, "augment")
    with open_here(project) as contents:
        names = [content.name for content in contents.parts]
        ids = np.concatenate([read_part(content)["ids"] for content in contents.parts])
    assert names == ["fold-0", "fold-1", "fold-2"]
    assert sorted(ids) == sorted({row["id"] for row in read_split(project)})

    with pytest.raises(DataError, match="3 folds.*--fold 0"), open_here(project, with_ops=["flip"]):
        pass
    with pytest.raises(DataError, match="no fold 3.*folds 0 to 2"), open_here(project, fold=3):
        pass
    with open_here(project, fold=1, with_ops=["flip"]) as contents:
        train = read_part(contents.parts[0])
        assert [content.name for content in contents.parts] == ["train", "validation", "test"]
    wanted = {
        row["id"] for row in read_split(project) if (row["fold"], row["split"]) == ("1", "train")
    }
    assert set(train["ids"][train["ops"] == ""]) == wanted == set(train["parents"]) - {""}


def test_pseudonyms_keep_groups_together_and_tell_nothing(project, prep):
    lines = ["source,group"]
    for number in range(20):
        writer = ["Ada", "Grace", "Ünal"][number % 3]
        lines += [f"raw/pictures/{name}/{number:03}.png,{writer}" for name in ("bar", "square")]
    Path("raw/labels.csv").write_text("\n".join(lines), encoding="utf-8")
    for stage in ("ingest", "segment", "normalise", "balance", "split"):
        assert prep(stage)[0] == 0
    with open_here(project) as contents:
        named = [read_part(content)["groups"] for content in contents.parts]
    with open_here(project, pseudonyms=True) as contents:
        hidden = [read_part(content)["groups"] for content in contents.parts]
    pairs = set(zip(np.concatenate(named), np.concatenate(hidden), strict=True))
    names, numbers = zip(*pairs, strict=True)
    assert {"Ada", "Grace", "Ünal"} <= set(names)
    assert len(set(names)) == len(set(numbers)) == len(pairs)
    assert sorted(numbers) == sorted(f"group-{place}" for place in range(1, len(pairs) + 1))


def test_files_are_named_only_where_they_are_asked_for(project, prep):
    run_to(prep, "split")
    with open_here(project, names=True) as contents:
        part = read_part(contents.parts[-1])
    for source, label in zip(part["sources"], part["labels"], strict=True):
        assert source.startswith(f"raw/pictures/{contents.classes[label]}/")
