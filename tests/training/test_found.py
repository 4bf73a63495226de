"""What the corrections gained: an experiment trains on labels and tiles as they were found."""

import csv
from contextlib import ExitStack

import numpy as np
import pytest
from conftest import run_to, write_params

from pipeline.dataset.dealing import number_names
from pipeline.dataset.reading import read_folds
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import read_table
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.training.found import add_left_out
from pipeline.training.plans import load_plan, read_planned_folds
from pipeline.training.pool import open_pool

STAGES = ("ingest", "segment", "normalise", "balance", "split")
EXPERIMENTS = {"none": {}, "uncleaned": {"labels": "found"}}


def correct(project, said):
    """Write raw/labels.csv: of each id its new label."""
    lines = "".join(f"{source},{name},{label}\n" for name, (source, label) in said.items())
    (project / "raw/labels.csv").write_text("source,id,label\n" + lines)


def read_boxes(project):
    with (project / "processed/boxes.csv").open() as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture
def corrected(project, prep):
    """A project in which four tiles were corrected; and which: by what was done to them."""
    write_params(project, experiments=EXPERIMENTS, augment={"flip": {}}, balance={"method": "none"})
    # The same picture in another file, with other bytes: it looks the same.
    first = images.decode_page((project / "raw/pictures/bar/000.png").read_bytes())
    (project / "raw/pictures/bar/twin.png").write_bytes(
        images.encode_png(first[..., None].repeat(3, 2))
    )
    run_to(prep, "split")
    boxes = read_boxes(project)
    [fold] = read_folds(project / "processed/split.csv")
    bars = sorted(name for name, row in boxes.items() if row["label"] == "bar")
    order = dict(zip(bars, number_names("split", 1, bars), strict=True))
    twins = {name for name in bars if boxes[name]["source"][-7:-4] in ("000", "win")}
    trained = sorted(fold.ids["train"] & order.keys() - twins, key=order.get)
    tested = sorted(fold.ids["test"] & order.keys() - twins, key=order.get)
    what = {
        "relabelled": trained[0],
        "left out": trained[-1],  # of the largest number: nobody doubts where it would be
        "tested, left out": tested[0],
        "tested, relabelled": tested[-1],
    }
    label = {name: "-" if "left out" in done else "square" for done, name in what.items()}
    correct(project, {name: (boxes[name]["source"], new) for name, new in label.items()})
    for stage in (*STAGES, "augment", "plan"):
        assert prep(stage)[0] == 0
    return what, boxes


def read_trained(project, name):
    """Return the label of each tile that an experiment trains on."""
    here, params = Project(project), load_params(project / "params.yaml")
    plan = load_plan(here, params, name)
    with ExitStack() as stack:
        [fold] = read_planned_folds(here, plan)
        pool = stack.enter_context(open_pool(here, params, plan, fold, 1000))
        words = np.array(pool.classes, object)[pool.labels]
        assert not set(pool.tiles.ids) & fold.ids["test"]
        return dict(zip(pool.tiles.ids, words.tolist(), strict=True)), fold


@pytest.mark.slow
def test_labels_and_tiles_are_as_they_were_found_and_the_test_set_is_not(project, corrected):
    what, boxes = corrected
    plain, fold = read_trained(project, "none")
    found, same = read_trained(project, "uncleaned")
    assert fold.ids["test"] == same.ids["test"]
    assert found.keys() - plain.keys() == {what["left out"]}
    assert plain.keys() <= found.keys()
    changed = {name for name in plain if plain[name] != found[name]}
    assert changed == {what["relabelled"]}
    assert all(label == boxes[name]["label"] for name, label in found.items())
    with open_dataset(project / "processed/tiles.h5") as tiles:
        label_of = dict(zip(tiles.ids, tiles.labels.tolist(), strict=True))
    assert label_of[what["tested, relabelled"]] == 1


@pytest.mark.slow
def test_a_study_says_what_the_corrections_gained(project, corrected, prep):
    for words in (["train"], ["compare"]):
        code, _, errors = prep(*words)
        assert code == 0, errors
    told = (project / "processed/ablation.md").read_text()
    assert "uncleaned trains on labels as they were found and is tested on the corrected" in told
    assert prep("check", "files")[0] == 0


@pytest.mark.slow
def test_what_looks_like_a_tested_tile_is_not_trained_on(project, corrected, prep):
    """The two files of one picture lie on one side; one of them is left out."""
    _, boxes = corrected
    twins = {row["source"][-8:-4]: name for name, row in boxes.items()}
    pair = [twins["/000"], twins["twin"]]
    here, params = Project(project), load_params(project / "params.yaml")
    correct(project, {pair[1]: (boxes[pair[1]]["source"], "-")})
    for stage in STAGES:
        assert prep(stage)[0] == 0
    [fold] = read_folds(project / "processed/split.csv")
    for part in ("train", "val", "test"):  # wherever it may have come to lie
        for names in fold.ids.values():
            names.discard(pair[0])
        fold.ids[part].add(pair[0])
        [added] = add_left_out(here, params, [fold])
        assert (pair[1] in added) is (part == "train" and is_dealt_to_training(pair[1], params))


def is_dealt_to_training(name, params):
    return float(number_names("split", 1, [name])[0]) >= params.split.test + params.split.val


@pytest.mark.slow
def test_a_tile_left_out_follows_its_page(project, prep):
    split_by = {"test": 0.3, "val": 0.2, "group": "folder"}
    write_params(project, experiments=EXPERIMENTS, split=split_by, balance={"method": "none"})
    for path in sorted((project / "raw/pictures").glob("*/*.png")):  # a folder an animal
        animal = path.parent / str(int(path.stem) % 5)
        animal.mkdir(exist_ok=True)
        path.rename(animal / path.name)
    for stage in STAGES:
        assert prep(stage)[0] == 0
    boxes = read_boxes(project)
    first = {row["source"].rsplit("/", 1)[0]: name for name, row in boxes.items()}
    correct(project, {name: (boxes[name]["source"], "-") for name in first.values()})
    for stage in STAGES:
        assert prep(stage)[0] == 0
    here, params = Project(project), load_params(project / "params.yaml")
    folds = read_folds(project / "processed/split.csv")
    part_of = {boxes[name]["source"].rsplit("/", 1)[0]: part
               for part, names in folds[0].ids.items() for name in names}  # fmt: skip
    [added] = add_left_out(here, params, folds)
    assert set(added) == {name for folder, name in first.items() if part_of[folder] == "train"}
    assert 0 < len(added) < len(first)


@pytest.mark.slow
def test_a_tile_of_a_given_test_set_is_never_trained_on(project, prep):
    """The test set is a source; of it, and of the training source, five tiles are left out."""
    sources = [{"path": "raw/pictures", "layout": "whole", "split": "train"},
               {"path": "raw/test", "layout": "whole", "split": "test"}]  # fmt: skip
    write_params(project, sources=sources, experiments=EXPERIMENTS, balance={"method": "none"})
    for name in ("bar", "square"):
        (project / "raw/test" / name).mkdir(parents=True)
        for number in range(8):
            picture = project / f"raw/pictures/{name}/{number:03}.png"
            picture.rename(project / f"raw/test/{name}/{number}.png")
    for stage in STAGES:
        assert prep(stage)[0] == 0
    boxes = read_boxes(project)
    chosen = {
        part: [name for name, row in boxes.items() if row["source"].startswith(f"raw/{part}")][:5]
        for part in ("test", "pictures")
    }
    names = chosen["test"] + chosen["pictures"]
    correct(project, {name: (boxes[name]["source"], "-") for name in names})
    for stage in STAGES:
        assert prep(stage)[0] == 0
    here, params = Project(project), load_params(project / "params.yaml")
    [added] = add_left_out(here, params, read_folds(project / "processed/split.csv"))
    assert set(added) <= set(chosen["pictures"])
    assert added


@pytest.mark.slow
def test_a_tile_that_balance_never_kept_is_none_of_the_corrections(project, prep):
    """There are two squares more than bars, which balance leaves out; now somebody does so too."""
    write_params(project, experiments=EXPERIMENTS)
    for stage in STAGES:
        assert prep(stage)[0] == 0
    boxes = read_boxes(project)
    kept = {row["id"] for row in read_table(project / "processed/balanced.csv", ())}
    spare = sorted(boxes.keys() - kept)
    assert len(spare) == 2
    correct(project, {name: (boxes[name]["source"], "-") for name in spare})
    for stage in STAGES:
        assert prep(stage)[0] == 0
    here, params = Project(project), load_params(project / "params.yaml")
    assert add_left_out(here, params, read_folds(project / "processed/split.csv")) == [[]]


@pytest.mark.slow
def test_what_was_found_in_no_class_has_the_label_that_it_was_given(project, prep):
    """A folder is called like no class, and raw/labels.csv says what its pictures show."""
    write_params(project, experiments=EXPERIMENTS, balance={"method": "none"})
    (project / "raw/pictures/misc").mkdir()
    lines = ["source,label"]
    for number in range(6):
        (project / f"raw/pictures/bar/{number:03}.png").rename(
            project / f"raw/pictures/misc/{number}.png"
        )
        lines.append(f"raw/pictures/misc/{number}.png,bar")
    (project / "raw/labels.csv").write_text("\n".join(lines))
    for stage in (*STAGES, "augment", "plan"):
        assert prep(stage)[0] == 0
    plain, found = (read_trained(project, name)[0] for name in EXPERIMENTS)
    assert plain == found


@pytest.mark.slow
def test_without_corrections_it_is_said_and_nothing_differs(project, prep):
    write_params(project, experiments=EXPERIMENTS)
    run_to(prep, "augment")
    code, _, errors = prep("plan")
    assert code == 0
    assert "uncleaned: raw/labels.csv corrects nothing that is trained on" in " ".join(
        errors.split()
    )
    here, params = Project(project), load_params(project / "params.yaml")
    plain, found = (load_plan(here, params, name) for name in EXPERIMENTS)
    assert plain["folds"] == found["folds"]


@pytest.mark.parametrize(
    "experiments, reason",
    [
        ({"none": {}, "x": {"labels": "found", "ops": ["flip"]}}, "without ops and share"),
        ({"none": {}, "x": {"labels": "found", "share": 0.5}}, "without ops and share"),
        ({"none": {"labels": "found"}}, "the others are compared with it"),
        ({"none": {}, "x": {"labels": "found"}, "flip": {"ops": ["flip"], "control": "x"}},
         "would not be its own"),
        ({"none": {}, "x": {"labels": "fuond"}}, "found"),
    ],
)  # fmt: skip
def test_what_would_mix_corrections_with_something_else_is_refused(tmp_path, experiments, reason):
    write_params(tmp_path, experiments=experiments)
    with pytest.raises(DataError, match=reason):
        load_params(tmp_path / "params.yaml")
