import numpy as np
import pytest

from pipeline.report.mistakes import find_changes, rank_mistakes

LABELS = np.array([0, 1, 2, 1])


def test_the_surest_mistake_comes_first_and_a_single_slip_is_none():
    predicted = np.array([[1, 1, 0, 2], [2, 1, 0, 1], [1, 0, 0, 2]])
    confidence = np.array([[0.6, 0.9, 0.8, 0.5], [0.99, 0.9, 0.7, 0.9], [0.7, 0.9, 0.9, 0.6]])
    found = rank_mistakes(LABELS, predicted, confidence)
    # Picture 1 is wrong in one seed of three; picture 0 is taken for 1 by two seeds.
    assert [(m.picture, m.label, m.predicted, m.seeds) for m in found] == [
        (2, 2, 0, 3), (0, 0, 1, 2), (3, 1, 2, 2),
    ]  # fmt: skip
    assert [m.confidence for m in found] == pytest.approx([0.8, 0.65, 0.55])


def test_repaired_and_broken_count_each_seed_against_its_own_partner():
    control = np.array([[1, 1, 2, 0], [1, 1, 0, 1], [1, 1, 2, 0]])
    arm = np.array([[0, 0, 2, 1], [0, 0, 2, 1], [1, 1, 2, 0]])
    changes = find_changes(LABELS, control, arm)
    assert changes.repaired == [0]  # in two seeds; pictures 2 and 3 in one
    assert changes.broken == [1]


def test_what_turned_in_every_seed_comes_first():
    control = np.array([[1, 1, 2, 0], [1, 1, 2, 0], [0, 1, 2, 0]])
    changes = find_changes(LABELS, control, np.tile(LABELS, (3, 1)))
    assert changes.repaired == [3, 0]
    assert changes.broken == []


def test_half_of_the_seeds_is_not_most():
    control = np.array([[1, 1, 2, 1], [0, 1, 2, 1]])
    assert find_changes(LABELS, control, np.tile(LABELS, (2, 1))).repaired == []


def test_arms_with_different_seeds_are_refused():
    with pytest.raises(ValueError, match="one"):
        find_changes(LABELS, np.zeros((2, 4), int), np.zeros((3, 4), int))
