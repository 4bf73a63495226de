"""Balance stays as it is while tiles are corrected, until a class has drifted too far."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.training.division import choose_balanced


def make(method="undersample", to="smallest"):
    balance = SimpleNamespace(method=method, to=to, seed=3)
    return SimpleNamespace(classes=("a", "b", "c"), balance=balance)


@pytest.fixture
def tiles():
    """40 of a, 30 of b, 50 of c, and one that nobody has labelled."""
    found = np.array(["a"] * 40 + ["b"] * 30 + ["c"] * 50 + [""], object)
    return found, np.array([f"tile {n}" for n in range(len(found))], object)


def test_a_tile_left_out_is_the_only_one_that_goes(tiles):
    found, ids = tiles
    whole = choose_balanced(make(), found, found, ids)
    assert [int(whole[found == name].sum()) for name in "abc"] == [30, 30, 30]
    for place in range(0, 120, 7):
        labels = found.copy()
        labels[place] = "-"
        less = choose_balanced(make(), labels, found, ids)
        gone = np.flatnonzero(whole & ~less)
        assert gone.tolist() == ([place] if whole[place] else [])
        assert not (less & ~whole).any()


def test_a_tile_relabelled_stays_or_stays_away(tiles):
    found, ids = tiles
    whole = choose_balanced(make(), found, found, ids)
    labels = found.copy()
    labels[[3, 41, 77]] = ["b", "c", "a"]
    assert (choose_balanced(make(), labels, found, ids) == whole).all()


def test_what_was_labelled_by_hand_counts_by_that(tiles):
    found, ids = tiles
    labels = found.copy()
    labels[-1] = "b"
    first = np.where(found == "", labels, found)  # as `prep balance` asks
    chosen = choose_balanced(make(), labels, first, ids)
    assert [int(chosen[labels == name].sum()) for name in "abc"] == [31, 31, 31]


def test_of_a_class_that_lost_a_twentieth_all_are_chosen_anew(tiles):
    found, ids = tiles
    for count, sizes in ((1, [30, 29, 30]), (2, [28, 28, 28])):
        labels = found.copy()
        labels[40 : 40 + count] = "-"
        chosen = choose_balanced(make(), labels, found, ids)
        assert [int(chosen[labels == name].sum()) for name in "abc"] == sizes


def test_without_balance_all_that_have_a_class_stay(tiles):
    found, ids = tiles
    labels = found.copy()
    labels[5] = "-"
    chosen = choose_balanced(make(method="none"), labels, found, ids)
    assert np.flatnonzero(~chosen).tolist() == [5, 120]
