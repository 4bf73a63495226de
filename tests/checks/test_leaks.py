"""A planted leak of each kind is found and named; a clean split is left in peace."""

import numpy as np
import PIL.Image
import pytest
from conftest import run_to, write_params

from pipeline.checks.leaks import find_same_pictures, find_strangers, find_torn
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.dataset.writing import create_dataset

PARTS = ("train", "test")


def test_a_torn_group_is_named_with_its_parts():
    parts = [("tom", "train"), ("tom", "test"), ("rex", "val"), ("rex", "val")]
    assert list(find_torn(parts, "group")) == [
        "1 group on both sides of the split (test and train): tom"
    ]


def test_many_offenders_are_counted_and_some_are_named():
    parts = [(f"g{n}", part) for n in range(5) for part in ("train", "val")]
    assert list(find_torn(parts, "group")) == [
        "5 groups on both sides of the split (train and val): g0, g1, g2 and 2 more"
    ]


def test_the_same_picture_is_named_on_both_sides():
    digests = {"a": "1", "b": "1", "c": "2", "d": "2"}
    parts = {"a": "train", "b": "test", "c": "val", "d": "val"}
    assert list(find_same_pictures(digests, parts)) == [
        "the same picture on both sides of the split: a (train), b (test)"
    ]


def test_a_variant_of_a_test_tile_is_a_stranger():
    assert list(find_strangers(["a", "b"], {"a"}, "flip/cat.h5")) == [
        "flip/cat.h5 has variants of 1 tile outside the training set: b"
    ]
    assert not list(find_strangers(["a"], {"a"}, "flip/cat.h5"))


def rewrite_split(project, change):
    path = project / "processed/split.csv"
    rows = read_table(path, COLUMNS["split"])
    write_table(path, COLUMNS["split"], change(rows))


def leak_an_id(project):
    def change(rows):
        trained = next(row for row in rows if row["split"] == "train")
        return [*rows, trained | {"split": "test"}]

    rewrite_split(project, change)
    return "1 tile on both sides"


def leak_a_group(project):
    def change(rows):
        first = next(row for row in rows if row["split"] == "train")
        other = next(row for row in rows if row["split"] == "test")
        other["group"] = first["group"]
        return rows

    rewrite_split(project, change)
    return "1 group on both sides"


def leak_a_picture(project):
    path = project / "processed/tiles.h5"
    split = {row["id"]: row["split"] for row in read_table(project / "processed/split.csv", ())}
    with open_dataset(path) as tiles:
        rows, classes, shape = tiles.read(), tiles.classes, tiles.tile_shape
    trained, tested = (
        next(row for row, tile_id in enumerate(rows.ids) if split.get(tile_id) == part)
        for part in ("train", "test")
    )
    rows.images[tested] = rows.images[trained]
    with create_dataset(path, tile_shape=shape, classes=classes, made_by={}) as out:
        out.append(rows)
    return "the same picture on both sides"


def leak_a_variant(project):
    path = project / "processed/augmented/flip/bar.h5"
    tested = next(
        row["id"]
        for row in read_table(project / "processed/split.csv", ())
        if row["split"] == "test"
    )
    with open_dataset(path) as variants:
        rows, classes, shape = variants.read(), variants.classes, variants.tile_shape
    parents = np.array([tested, *rows.parents[1:]], object)
    made = {"parameters": {}}
    with create_dataset(
        path, tile_shape=shape, classes=classes, made_by=made, draw_names=[]
    ) as out:
        out.append(Rows(**{**vars(rows), "parents": parents}))
    return "flip/bar.h5 has variants of 1 tile outside"


def test_a_clean_project_passes(project, prep):
    run_to(prep, "plan")
    code, printed, _ = prep("check", "lineage")
    assert code == 0
    assert "crosses the split" in printed


@pytest.mark.parametrize("plant", [leak_an_id, leak_a_group, leak_a_picture, leak_a_variant])
def test_a_planted_leak_is_found_and_nothing_is_planned_or_scored_on_it(project, prep, plant):
    run_to(prep, "plan")
    message = plant(project)
    for words in (("check", "lineage"), ("plan",)):
        code, _, errors = prep(*words)
        assert code == 1
        assert message in errors
    trained = prep("train", "--experiment", "flip")
    if plant is not leak_a_picture:  # among the test tiles; what is trained on is as it was
        assert (trained[0], "has changed since" in trained[2]) == (1, True)
        assert not (project / "processed/runs").exists()
    code, _, errors = prep("evaluate", "--experiment", "flip")
    assert code == 1
    assert "has changed since the experiments were planned" in errors or trained[0] == 1
    assert not (project / "processed/scores").exists()


def test_a_writer_who_is_on_both_sides_since_the_split_is_found(project, prep):
    """raw/labels.csv names one writer for a training and a test picture, and the split is old."""
    run_to(prep, "plan")
    part_of = {row["id"]: row["split"] for row in read_table(project / "processed/split.csv", ())}
    boxes = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
    chosen = [
        next(row["source"] for row in boxes if part_of.get(row["id"]) == part) for part in PARTS
    ]
    lines = "".join(f"{source},Ada\n" for source in chosen)
    (project / "raw/labels.csv").write_text("source,group\n" + lines)
    for stage in ("ingest", "segment", "normalise"):
        assert prep(stage)[0] == 0
    told = "1 group of tiles.h5 on both sides of the split (test and train): Ada"
    for words in (("check", "lineage"), ("plan",), ("export", "out", "--as", "npz")):
        code, _, errors = prep(*words)
        assert code == 1
        assert told in " ".join(errors.split())
    assert not (project / "out").exists()
    for stage in ("balance", "split", "augment", "plan"):
        assert prep(stage)[0] == 0


def test_a_training_picture_that_comes_back_in_a_given_test_set_is_left_out(project, prep):
    """The same pixels in another file: no duplicate by its bytes, a leak all the same."""
    sources = [{"path": f"raw/{part}", "layout": "whole", "split": part} for part in PARTS]
    write_params(project, sources=sources)
    pictures = project / "raw/pictures"
    for name in ("bar", "square"):
        (project / "raw/test" / name).mkdir(parents=True)
        for number in range(5):
            (pictures / name / f"{number:03}.png").rename(
                project / "raw/test" / name / f"{number}.png"
            )
    again = PIL.Image.open(project / "raw/test/bar/0.png")
    again.save(pictures / "bar/again.tif")
    pictures.rename(project / "raw/train")
    run_to(prep, "balance")
    assert "; 1 left out, whose group is in the test set as given" in prep("split")[1]
    assert prep("check", "lineage")[0] == 0
