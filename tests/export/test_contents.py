"""What is handed over: every tile of the split once, as it lies in tiles.h5, and nothing else."""

import csv
from itertools import chain

import numpy as np
import pytest
from ready_sets import write_set

from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError
from pipeline.export.contents import open_contents
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment

SLOW_ROTATION = {"flip": {}, "rotate": {"degrees": [-9, 9], "copies": 3}}


def read_split(folder):
    """Return the rows of split.csv, read by Python's own reader."""
    with (folder / "processed/split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def open_here(folder, **options):
    return open_contents(Project(folder), load_params(folder / "params.yaml"), **options)


def make_variants(folder):
    augment(Project(folder), load_params(folder / "params.yaml"), jobs=1)


def read_part(content, size=7):
    windows = list(content.windows(size))
    assert all(0 < len(window) <= size for window in windows)
    return {
        name: np.concatenate([getattr(window, name) for window in windows])
        for name in vars(windows[0])
    }


@pytest.mark.parametrize("memory", [0, 1 << 20])  # bytes: read from the disk, or from memory
@pytest.mark.parametrize("shape", [(9, 9, 1), (11, 11, 3)])
def test_each_part_holds_the_tiles_that_the_split_names(tmp_path, monkeypatch, shape, memory):
    monkeypatch.setattr("pipeline.export.contents.MEMORY_BYTES", memory)
    tiles = write_set(tmp_path, shape=shape)
    place = {name: number for number, name in enumerate(tiles.ids)}
    rows = read_split(tmp_path)

    with open_here(tmp_path) as contents:
        parts = {content.name: read_part(content) for content in contents.parts}
        assert contents.tile_shape == shape
        assert (len(contents), contents.left_out) == (len(rows), len(tiles) - 1 - len(rows))

    for name, word in {"train": "train", "validation": "val", "test": "test"}.items():
        group = {row["id"]: row["group"] for row in rows if row["split"] == word}
        places = sorted(place[tile_id] for tile_id in group)
        part = parts[name]
        np.testing.assert_array_equal(part["images"], tiles.images[places])
        np.testing.assert_array_equal(part["labels"], tiles.labels[places])
        assert part["ids"].tolist() == tiles.ids[places].tolist()
        assert part["groups"].tolist() == [group[tile_id] for tile_id in part["ids"]]
        assert not any(part["parents"]) and not any(part["ops"]) and not any(part["sources"])


def test_variants_follow_the_training_tiles_that_they_were_made_of(tmp_path):
    write_set(tmp_path, augment=SLOW_ROTATION, experiments={"none": {}})
    make_variants(tmp_path)
    with open_here(tmp_path, with_ops=["rotate", "flip"]) as contents:
        train, *others = contents.parts
        found = read_part(train)
        assert not any(any(read_part(content)["ops"]) for content in others)
    own = found["ids"][found["ops"] == ""].tolist()
    ops = [op for op, copies in (("", 1), ("rotate", 3), ("flip", 1)) for _ in range(copies)]
    assert found["ops"].tolist() == [op for op in ops for _ in own]
    originals = {name: row for row, name in enumerate(own)}
    for row in np.flatnonzero(found["ops"] == "flip"):
        parent = originals[found["parents"][row]]
        np.testing.assert_array_equal(found["images"][row], found["images"][parent][:, ::-1])
        for column in ("labels", "groups"):
            assert found[column][row] == found[column][parent]
    assert len(set(found["ids"])) == len(found["ids"])
    assert set(found["parents"]) == {"", *own}


def test_variants_of_another_op_or_other_tiles_are_refused(tmp_path):
    write_set(tmp_path, augment=SLOW_ROTATION, experiments={"none": {}})
    with pytest.raises(DataError, match="flip/bar.h5 is not there.*prep augment --only flip"):
        open_here(tmp_path, with_ops=["flip"]).__enter__()
    make_variants(tmp_path)
    with pytest.raises(DataError, match="no op 'flop'.*Did you mean 'flip'"):
        open_here(tmp_path, with_ops=["flop"]).__enter__()

    other = {"flip": {}, "rotate": {"degrees": [-8, 9], "copies": 3}}
    write_set(tmp_path, augment=other, experiments={"none": {}})
    with pytest.raises(DataError, match="rotate has changed since.*prep augment --only rotate"):
        open_here(tmp_path, with_ops=["rotate"]).__enter__()

    parts = ("test", "val", "train")
    write_set(tmp_path, augment=SLOW_ROTATION, experiments={"none": {}}, parts=parts)
    with pytest.raises(DataError, match="bar.h5 was made of other training tiles.*--only rotate"):
        open_here(tmp_path, with_ops=["rotate"]).__enter__()


def test_folds_are_tested_in_turn_and_variants_need_one_of_them(tmp_path):
    write_set(tmp_path, folds=3, parts=("train", "val", "test"))
    make_variants(tmp_path)
    rows = read_split(tmp_path)
    with open_here(tmp_path) as contents:
        found = {content.name: read_part(content)["ids"].tolist() for content in contents.parts}
    assert found == {
        f"fold-{fold}": [
            row["id"] for row in rows if (row["fold"], row["split"]) == (str(fold), "test")
        ]
        for fold in range(3)
    }
    assert sorted(chain(*found.values())) == sorted({row["id"] for row in rows})

    with pytest.raises(DataError, match="3 folds.*--fold 0"):
        open_here(tmp_path, with_ops=["flip"]).__enter__()
    with pytest.raises(DataError, match="no fold 3.*folds 0 to 2"):
        open_here(tmp_path, fold=3).__enter__()

    with open_here(tmp_path, fold=1, with_ops=["flip"]) as contents:
        assert [content.name for content in contents.parts] == ["train", "validation", "test"]
        train = read_part(contents.parts[0])
    trained = {row["id"] for row in rows if (row["fold"], row["split"]) == ("1", "train")}
    assert set(train["ids"][train["ops"] == ""]) == trained == set(train["parents"]) - {""}


def test_pseudonyms_keep_groups_together_and_tell_nothing(tmp_path):
    write_set(tmp_path)

    def read_groups(**options):
        with open_here(tmp_path, **options) as contents:
            return [name for part in contents.parts for name in read_part(part)["groups"]]

    named, hidden = read_groups(), read_groups(pseudonyms=True)
    pairs = set(zip(named, hidden, strict=True))
    assert len(pairs) == len(set(named)) == len(set(hidden)) == 12
    assert set(hidden) == {f"group-{place}" for place in range(1, 13)}
    assert hidden == read_groups(pseudonyms=True), "the same numbers each time"

    (tmp_path / "processed/.digests").unlink()  # other pictures under the same names of groups
    table = tmp_path / "processed/catalogue.csv"
    table.write_text(table.read_text().replace("/Ada-", "/Bob-"))
    assert hidden != read_groups(pseudonyms=True), "who knows the names can't tell the numbers"


def test_files_are_named_only_where_they_are_asked_for(tmp_path):
    tiles = write_set(tmp_path)
    with open_here(tmp_path, names=True) as contents:
        part = read_part(contents.parts[-1])
    place = {name: number for number, name in enumerate(tiles.ids)}
    wanted = [f"raw/pictures/Ada-{place[name] // 2 * 2}.jpg" for name in part["ids"]]
    assert part["sources"].tolist() == wanted


def test_a_split_of_other_tiles_is_refused(tmp_path):
    write_set(tmp_path)
    path = tmp_path / "processed/split.csv"
    with open_dataset(tmp_path / "processed/tiles.h5") as tiles:
        unlabelled = tiles.ids[-1]
    for name in ("0000000000-0-1-1", unlabelled):
        write_set(tmp_path)
        (tmp_path / "processed/.digests").unlink()
        path.write_text(path.read_text() + f"{name},train,0,someone\n")
        with pytest.raises(DataError, match=f"{name}, which is not in tiles.h5.*dvc repro split"):
            open_here(tmp_path).__enter__()
