"""No group is torn; where a class lies in too few, the next smaller ones are taken for it."""

import numpy as np

from pipeline.suspects.dividing import divide


def make(count, pages, writers):
    """Return ids of tiles dealt out to pages, and the writers of these pages."""
    page = np.arange(count) % pages
    ids = np.array([f"page{number}-0-{tile}-5" for tile, number in enumerate(page)], object)
    return ids, np.array([f"w{p % writers}" if writers else "" for p in page], object)


def torn(folds, names):
    return [name for name in set(names) if len(set(folds[names == name])) > 1]


ALONE = np.arange(240)


def test_writers_stay_whole_and_so_do_pages_where_no_writer_is_known():
    labels = np.arange(240) // 12 % 3
    ids, writers = make(240, 24, 8)
    folds = divide(ids, writers, labels, ALONE)
    assert torn(folds.of_tile, writers) == [] and len(set(folds.of_tile)) == 5
    assert set(folds.level_of.values()) == {"writer"}
    ids, nobody = make(240, 24, 0)
    folds = divide(ids, nobody, labels, ALONE)
    pages = np.array([name.split("-")[0] for name in ids], object)
    assert torn(folds.of_tile, pages) == [] and set(folds.level_of.values()) == {"page"}


def test_one_writer_is_divided_by_pages_and_one_page_by_tiles():
    labels = np.arange(240) // 12 % 3
    ids, writers = make(240, 24, 1)
    folds = divide(ids, writers, labels, ALONE)
    pages = np.array([name.split("-")[0] for name in ids], object)
    assert torn(folds.of_tile, pages) == [] and set(folds.level_of.values()) == {"page"}
    ids, writers = make(240, 1, 1)
    folds = divide(ids, writers, labels, ALONE)
    assert set(folds.level_of.values()) == {"tile"}
    for label in range(3):
        assert len(set(folds.of_tile[labels == label])) == 5


def test_only_a_class_that_lies_on_too_few_pages_is_torn():
    labels = np.arange(240) // 12 % 3
    ids, writers = make(240, 24, 0)
    labels[np.char.startswith(ids.astype(str), "page7-")] = 3  # a page for this class alone
    folds = divide(ids, writers, labels, ALONE)
    assert folds.level_of == {0: "page", 1: "page", 2: "page", 3: "tile"}
    assert len(set(folds.of_tile[labels == 3])) > 1
    pages = np.array([name.split("-")[0] for name in ids], object)
    assert torn(folds.of_tile, pages) == ["page7"]


def test_the_same_picture_is_in_one_fold_whoever_wrote_it():
    labels = np.arange(240) // 12 % 3
    ids, writers = make(240, 24, 8)
    same = ALONE.copy()
    same[100] = same[3]
    folds = divide(ids, writers, labels, same)
    assert folds.of_tile[100] == folds.of_tile[3]
    assert torn(folds.of_tile, writers) == []


def test_the_order_of_the_tiles_and_the_ones_left_out_change_little():
    labels = np.arange(240) % 3
    ids, writers = make(240, 240, 0)
    folds = divide(ids, writers, labels, ALONE).of_tile
    order = np.random.default_rng(0).permutation(240)
    assert (divide(ids[order], writers, labels[order], ALONE).of_tile == folds[order]).all()
    fewer = divide(ids[1:], writers[1:], labels[1:], ALONE[1:]).of_tile
    assert (fewer != folds[1:]).sum() <= 5
