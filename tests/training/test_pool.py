"""What an experiment trains on: online variants, balanced classes."""

import json
import os
from contextlib import ExitStack

import h5py
import numpy as np
import pytest
from conftest import BLOBS, forget_notes, run_to, write_params

from pipeline.augmentation import parsing, recipes
from pipeline.dataset import store
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.settings.sections import Train
from pipeline.training.plans import describe_budget, load_plan, read_planned_folds
from pipeline.training.pool import open_pool, open_set

pytestmark = pytest.mark.slow

AUGMENT = {"flip": {}, "rotate": {"degrees": [-40, 40], "copies": 2}, "duplicate": {}}
BOTH = {"ops": ["rotate", "flip"], "classes": {"flip": ["bar"]}}
EXPERIMENTS = {
    "none": {},
    "stored": BOTH,
    "online": BOTH | {"variants": "online"},
    "weights": {"ops": ["flip"], "classes": ["bar"], "balance": "weights"},
    "oversample": {"ops": ["flip"], "classes": ["bar"], "balance": "oversample"},
    "all-of-it": BOTH | {"variants": "online", "balance": "oversample"},
}


@pytest.fixture
def pool(project, prep):
    write_params(project, augment=AUGMENT, experiments=EXPERIMENTS)
    run_to(prep, "plan")

    with ExitStack() as opened:

        def read(name, **train):
            here, params = Project(project), load_params(project / "params.yaml")
            params = params.model_copy(update={"train": params.train.model_copy(update=train)})
            plan = load_plan(here, params, name)
            fold = read_planned_folds(here, plan)[0]
            return opened.enter_context(open_pool(here, params, plan, fold, params.train.memory_mb))

        yield read


def take(pool, number, seed=0):
    """Return all images of a pool as they are in pass `number`."""
    rows = np.arange(len(pool))
    return pool.take(rows, np.full(len(rows), number), seed)[0]


def test_online_variants_are_the_stored_ones_in_the_first_pass(pool):
    stored, online = pool("stored"), pool("online")
    assert (stored.originals, stored.variants) == (online.originals, online.variants)
    assert np.array_equal(take(online, 0), stored.tiles.images)
    assert np.array_equal(online.labels, stored.labels)
    assert len(online.tiles) == online.originals


def test_each_later_pass_and_each_seed_draws_anew_and_the_same_again(pool):
    online = pool("online")
    passes = [take(online, 0), take(online, 1), take(online, 2), take(online, 0, seed=1)]
    assert np.array_equal(take(pool("online"), 2), passes[2])
    originals = slice(online.originals)
    assert np.array_equal(passes[0][originals], passes[1][originals])
    rotated = online.fresh.op_of == 0
    flipped = online.fresh.op_of == 1  # nothing is drawn for a flip
    for one, two in ((0, 1), (0, 2), (1, 2), (0, 3)):
        differ = (passes[one] != passes[two]).any(axis=(1, 2, 3))
        assert differ[rotated].mean() > 0.9
        assert not differ[flipped].any()


def test_a_variant_of_a_later_pass_is_the_ops_next_copy_of_its_parent(pool, project):
    online, rotate = pool("online"), parsing.parse_op("rotate", AUGMENT["rotate"])
    row = int(np.flatnonzero(online.fresh.copies == 1)[3])
    parent = int(online.shown[row])
    draws = recipes.draw(rotate, 1, [online.tiles.ids[parent]], copy=3 * 2 + 1)
    expected = recipes.apply(rotate, online.tiles.images[[parent]], draws)
    shuffled = np.array([5, row, 0, row])
    images, labels = online.take(shuffled, np.array([1, 3, 2, 0]), seed=0)
    assert np.array_equal(images[1], expected[0])
    assert np.array_equal(labels, online.labels[shuffled])


def test_an_op_that_changed_since_its_variants_were_made_is_refused_online(pool, project):
    changed = AUGMENT | {"rotate": {"degrees": [-50, 50], "copies": 2}}
    write_params(project, augment=changed, experiments=EXPERIMENTS)
    with pytest.raises(DataError, match="rotate has changed since .*prep augment --only rotate"):
        pool("online")


def test_each_op_adds_variants_of_its_own_classes(pool, project):
    stored, none = pool("stored"), pool("none")
    per_class = np.bincount(none.labels)
    assert np.bincount(stored.labels).tolist() == (per_class * [4, 3]).tolist()
    names = json.loads((project / "processed/experiments/stored.json").read_text())["variants"]
    assert [(one["op"], one["class"]) for one in names] == [
        ("rotate", "bar"), ("rotate", "square"), ("flip", "bar"),
    ]  # fmt: skip
    with store.open_dataset(project / "processed/augmented/flip/bar.h5") as variants:
        assert np.array_equal(stored.tiles.images[-len(variants) :], variants.read().images)


def test_weights_make_every_class_count_alike(pool):
    weighted = pool("weights")
    counts = np.bincount(weighted.labels)
    assert counts[0] == 2 * counts[1]
    assert weighted.weights == pytest.approx([0.75, 1.5])
    labels, weights = weighted.take(np.arange(len(weighted)), np.zeros(1, int), seed=0)[1:]
    totals = np.bincount(labels, weights)
    assert totals[0] == pytest.approx(totals[1])
    assert weights.mean() == pytest.approx(1)


def test_oversampling_repeats_the_rare_class_evenly_and_leaves_the_rest(pool):
    plain, more = pool("none"), pool("oversample")
    assert more.originals == plain.originals
    counts = np.bincount(more.labels)
    assert counts[0] == counts[1]
    assert more.repeats == np.bincount(plain.labels)[1]
    ids = more.tiles.ids[more.shown]
    assert sorted(ids[-more.repeats :]) == sorted(plain.tiles.ids[plain.labels == 1])
    assert np.array_equal(ids[: plain.originals], plain.tiles.ids)


def test_online_variants_can_be_oversampled(pool):
    both = pool("all-of-it")
    assert np.bincount(both.labels).tolist() == [len(both) // 2] * 2
    assert len(take(both, 1)) == both.originals + both.variants + both.repeats
    assert set(BLOBS) == set(both.classes)


# --- From the disk -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_batches_from_the_disk_are_those_from_memory(pool, name):
    near, far = pool(name), pool(name, memory_mb=0)
    assert isinstance(near.tiles.images, np.ndarray)
    assert not isinstance(far.tiles.images, np.ndarray)
    assert (near.originals, near.variants, near.repeats) == (
        far.originals, far.variants, far.repeats,
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(len(near))
    for rows in np.array_split(order, 5):
        passes = rows % 3
        for one, two in zip(near.take(rows, passes, 4), far.take(rows, passes, 4), strict=True):
            assert np.array_equal(one, two)
    assert np.array_equal(near.validation.images, far.validation.images[:])
    assert np.array_equal(near.validation.labels, far.validation.labels)


def test_the_test_set_from_the_disk_is_that_from_memory(pool, project):
    pool("none")
    here, params = Project(project), load_params(project / "params.yaml")
    plan = load_plan(here, params, "none")
    ids = read_planned_folds(here, plan)[0].ids["test"]
    with open_set(here, ids, 512) as near, open_set(here, ids, 0) as far:
        assert set(near.ids) == ids
        assert np.array_equal(near.images, far.images[:])
        assert np.array_equal(near.labels, far.labels)


def test_the_digest_of_a_run_does_not_hold_what_changes_no_number():
    before = {
        "model", "budget", "steps", "epochs", "batch_size", "learning_rate", "validate_every",
        "init", "freeze", "keep",
    }  # fmt: skip
    assert set(describe_budget(Train())) == before
    assert set(describe_budget(Train(precision="bfloat16"))) == before | {"precision"}


def test_what_is_unpacked_is_gone_with_the_training(project, prep):
    write_params(project, augment=AUGMENT, experiments=EXPERIMENTS)
    run_to(prep, "plan")
    here, params = Project(project), load_params(project / "params.yaml")
    params = params.model_copy(update={"train": params.train.model_copy(update={"memory_mb": 0})})
    plan = load_plan(here, params, "stored")
    before = sorted(project.rglob("*"))
    with open_pool(
        here, params, plan, read_planned_folds(here, plan)[0], params.train.memory_mb
    ) as far:
        if os.name != "nt":  # where a file that is open can't go without a name
            assert sorted(project.rglob("*")) == before
        with pytest.raises(IndexError):
            far.tiles.images[np.array([len(far)])]
    assert sorted(project.rglob("*")) == before
    with pytest.raises(ValueError, match="closed file"):
        far.tiles.images[:1]


SHARES = {"none-50": {"share": 0.5}, "none-25": {"share": 0.25}}


def test_a_share_thins_the_training_tiles_and_their_variants_and_nothing_else(project, prep):
    half = {"ops": ["rotate"], "share": 0.5}
    write_params(project, augment=AUGMENT, experiments={"none": {}, "half": half, **SHARES})
    run_to(prep, "plan")
    here, params = Project(project), load_params(project / "params.yaml")
    plans = {name: load_plan(here, params, name) for name in params.experiments}
    ids = {name: read_planned_folds(here, plan)[0].ids for name, plan in plans.items()}
    assert ids["none-25"]["train"] < ids["none-50"]["train"] < ids["none"]["train"]
    assert len(ids["none-50"]["train"]) == pytest.approx(len(ids["none"]["train"]) / 2, abs=1)
    assert ids["half"] == ids["none-50"]
    for part in ("val", "test"):
        assert ids["none-25"][part] == ids["none"][part]
    fold = read_planned_folds(here, plans["half"])[0]
    with open_pool(here, params, plans["half"], fold, 512) as pool:
        assert pool.originals == len(ids["half"]["train"])
        assert pool.variants == 2 * pool.originals


def test_a_share_changes_no_byte_of_the_other_plans(project, prep):
    write_params(project, augment=AUGMENT, experiments={"none": {}, "stored": BOTH})
    run_to(prep, "plan")
    folder = project / "processed/experiments"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert not any(b"share" in text for text in before.values())
    write_params(project, augment=AUGMENT, experiments={"none": {}, "stored": BOTH, **SHARES})
    assert prep("plan")[0] == 0
    assert before.items() <= {path.name: path.read_bytes() for path in folder.iterdir()}.items()


def test_a_share_that_leaves_a_class_without_tiles_is_refused_by_the_plan(project, prep):
    write_params(project, experiments={"none": {}, "none-1": {"share": 0.01}})
    run_to(prep, "augment")
    code, _, errors = prep("plan")
    assert code == 1
    assert "experiments.none-1.share: 0.01 leaves no training tile of class" in errors


def test_tiles_with_a_label_that_is_no_class_are_refused_with_their_row(project, prep):
    run_to(prep, "normalise")
    with h5py.File(project / "processed/tiles.h5", "r+") as file:
        file["labels"][7] = 2
    forget_notes(project)
    code, _, errors = prep("balance")
    assert (code, errors.count("\n")) == (1, 1)
    assert "the label of row 7 is 2" in errors
