"""What an experiment trains on: online variants, balanced classes."""

import json

import numpy as np
import pytest
from conftest import BLOBS, run_to, write_params

from pipeline import ops, store
from pipeline.errors import DataError
from pipeline.experiments import load_plan, read_folds, read_pool
from pipeline.params import load_params
from pipeline.project import Project

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

    def read(name):
        here, params = Project(project), load_params(project / "params.yaml")
        plan = load_plan(here, params, name)
        return read_pool(here, params, plan, read_folds(here, plan)[0])

    return read


def take(pool, number, seed=0):
    """Return all images of a pool as they are in pass `number`."""
    rows = np.arange(len(pool.tiles))
    return pool.take(rows, np.full(len(rows), number), seed)[0]


def test_online_variants_are_the_stored_ones_in_the_first_pass(pool):
    stored, online = pool("stored"), pool("online")
    assert (stored.originals, stored.variants) == (online.originals, online.variants)
    assert np.array_equal(take(online, 0), stored.tiles.images)
    assert np.array_equal(online.tiles.labels, stored.tiles.labels)


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
    online, rotate = pool("online"), ops.parse_op("rotate", AUGMENT["rotate"])
    row = int(np.flatnonzero(online.fresh.copies == 1)[3])
    parent = int(np.flatnonzero(online.tiles.ids[: online.originals] == online.tiles.ids[row])[0])
    draws = ops.draw(rotate, 1, [online.tiles.ids[row]], copy=3 * 2 + 1)
    expected = ops.apply(rotate, online.tiles.images[[parent]], draws)
    shuffled = np.array([5, row, 0, row])
    images, labels = online.take(shuffled, np.array([1, 3, 2, 0]), seed=0)
    assert np.array_equal(images[1], expected[0])
    assert np.array_equal(labels, online.tiles.labels[shuffled])


def test_an_op_that_changed_since_its_variants_were_made_is_refused_online(pool, project):
    changed = AUGMENT | {"rotate": {"degrees": [-50, 50], "copies": 2}}
    write_params(project, augment=changed, experiments=EXPERIMENTS)
    with pytest.raises(DataError, match="rotate has changed since .*prep augment --only rotate"):
        pool_of_changed = load_params(project / "params.yaml")
        here = Project(project)
        plan = load_plan(here, pool_of_changed, "online")
        read_pool(here, pool_of_changed, plan, read_folds(here, plan)[0])


def test_each_op_adds_variants_of_its_own_classes(pool, project):
    stored, none = pool("stored"), pool("none")
    per_class = np.bincount(none.tiles.labels)
    assert np.bincount(stored.tiles.labels).tolist() == (per_class * [4, 3]).tolist()
    names = json.loads((project / "processed/experiments/stored.json").read_text())["variants"]
    assert [(one["op"], one["class"]) for one in names] == [
        ("rotate", "bar"), ("rotate", "square"), ("flip", "bar"),
    ]  # fmt: skip
    with store.open_dataset(project / "processed/augmented/flip/bar.h5") as variants:
        assert np.array_equal(stored.tiles.images[-len(variants) :], variants.read().images)


def test_weights_make_every_class_count_alike(pool):
    weighted = pool("weights")
    counts = np.bincount(weighted.tiles.labels)
    assert counts[0] == 2 * counts[1]
    assert weighted.weights == pytest.approx([0.75, 1.5])
    labels, weights = weighted.take(np.arange(len(weighted.tiles)), np.zeros(1, int), seed=0)[1:]
    totals = np.bincount(labels, weights)
    assert totals[0] == pytest.approx(totals[1])
    assert weights.mean() == pytest.approx(1)


def test_oversampling_repeats_the_rare_class_evenly_and_leaves_the_rest(pool):
    plain, more = pool("none"), pool("oversample")
    assert more.originals == plain.originals
    counts = np.bincount(more.tiles.labels)
    assert counts[0] == counts[1]
    assert more.repeats == np.bincount(plain.tiles.labels)[1]
    repeated = more.tiles.ids[-more.repeats :]
    assert sorted(repeated) == sorted(plain.tiles.ids[plain.tiles.labels == 1])
    assert np.array_equal(more.tiles.ids[: plain.originals], plain.tiles.ids)


def test_online_variants_can_be_oversampled(pool):
    both = pool("all-of-it")
    assert np.bincount(both.tiles.labels).tolist() == [len(both.tiles) // 2] * 2
    assert len(take(both, 1)) == both.originals + both.variants + both.repeats
    assert set(BLOBS) == set(both.classes)
