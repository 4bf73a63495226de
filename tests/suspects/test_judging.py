"""Planted label errors are found by a judge that saw neither the tile nor its group."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from pipeline.suspects.appearance import learn_appearance
from pipeline.suspects.judging import Judged, judge_out_of_fold


@pytest.fixture(scope="module")
def digits():
    """600 digits of 8 x 8 pixels, enlarged to 16 x 16, and their labels."""
    pictures, labels = load_digits(return_X_y=True)
    tiles = (pictures[:600].reshape(-1, 8, 8, 1) * 15.9).astype(np.uint8)
    return tiles.repeat(2, axis=1).repeat(2, axis=2), labels[:600]


@pytest.fixture(scope="module")
def looks(digits):
    return learn_appearance(digits[0]).describe(digits[0]).seen


FOLDS = np.arange(600) // 10 % 5


def plant(labels, share, classes):
    """Return labels of which some are wrong, and which."""
    dice = np.random.default_rng(7)
    rows = dice.permutation(len(labels))[: round(share * len(labels))]
    given = labels.copy()
    given[rows] = (labels[rows] + dice.integers(1, classes, len(rows))) % classes
    return given, rows


def test_nine_in_ten_planted_errors_stand_in_the_first_twentieth_of_the_list(digits, looks):
    given, planted = plant(digits[1], 0.03, 10)
    judged = judge_out_of_fold(looks, given, FOLDS, 10)
    first = judged.rank()[: len(given) // 20]
    assert np.isin(planted, first).mean() >= 0.9
    likely = np.flatnonzero(judged.find_likely())
    assert np.isin(likely, planted).mean() >= 0.8
    assert np.isin(planted, likely).mean() >= 0.7


def test_it_agrees_with_cleanlabs_rule_on_any_probabilities(digits):
    """An independent judge of the pixels, and the rule as the paper writes it, tile by tile."""
    tiles, labels = digits
    given, _ = plant(labels, 0.1, 10)
    model = LogisticRegression(max_iter=200)
    shares = cross_val_predict(
        model, tiles.reshape(len(tiles), -1) / 255, given, cv=3, method="predict_proba"
    )
    judged = Judged(given, shares)
    threshold = [np.mean([shares[i, c] for i in range(600) if given[i] == c]) for c in range(10)]
    expected = [
        i
        for i in range(600)
        if shares[i].argmax() != given[i] and shares[i].max() >= threshold[shares[i].argmax()]
    ]
    assert np.flatnonzero(judged.find_likely()).tolist() == expected
    own = [shares[i, given[i]] for i in judged.rank()]
    assert own == sorted(own) and len(own) == (shares.argmax(axis=1) != given).sum()


def test_a_tile_is_judged_by_other_folds_alone(digits, looks):
    """Whatever labels a fold has, what is said of its tiles stays in the same order."""
    labels = digits[1]
    inside = FOLDS == 2
    given = labels.copy()
    given[inside] = (labels[inside] + 1) % 10
    one = judge_out_of_fold(looks, labels, FOLDS, 10)
    other = judge_out_of_fold(looks, given, FOLDS, 10)
    assert (one.read_as[inside] == other.read_as[inside]).all()
    assert (one.read_as[~inside] != other.read_as[~inside]).any()


def test_probabilities_are_shares_that_can_be_believed(digits, looks):
    judged = judge_out_of_fold(looks, digits[1], FOLDS, 10)
    assert np.allclose(judged.probabilities.sum(axis=1), 1)
    assert judged.probabilities.min() >= 0
    sure = judged.probabilities.max(axis=1)
    right = (judged.read_as == digits[1]).mean()
    assert abs(sure.mean() - right) < 0.05


def test_the_same_twice(digits, looks):
    again = learn_appearance(digits[0]).describe(digits[0]).seen
    assert (again == looks).all()
    one, other = (judge_out_of_fold(looks, digits[1], FOLDS, 10) for _ in range(2))
    assert (one.probabilities == other.probabilities).all()


def test_a_class_of_one_tile_can_not_be_wrong_and_nothing_is_read_as_it_alone(digits, looks):
    labels = digits[1].copy()
    labels[17] = 10  # a class that only this tile has
    judged = judge_out_of_fold(looks, labels, FOLDS, 12)  # and one that none has
    assert judged.self_confidence[17] == 1 and 17 not in judged.rank()
    assert (judged.probabilities[:, 11] == 0).all()
    assert np.isfinite(judged.probabilities).all()


def test_more_tiles_than_the_equations_have_centres(monkeypatch, digits, looks):
    monkeypatch.setattr("pipeline.suspects.judging._LANDMARKS", 150)
    monkeypatch.setattr("pipeline.suspects.judging._AT_ONCE", 37)
    judged = judge_out_of_fold(looks, digits[1], FOLDS, 10)
    assert (judged.read_as == digits[1]).mean() > 0.9


def test_tiles_that_are_all_the_same_are_judged_too():
    tiles = np.full((20, 12, 12, 3), 77, np.uint8)
    looks = learn_appearance(tiles).describe(tiles)
    judged = judge_out_of_fold(looks.seen, np.arange(20) % 2, np.arange(20) // 2 % 5, 2)
    assert np.isfinite(judged.probabilities).all() and np.isfinite(looks.oddness).all()


@pytest.mark.parametrize(
    ("labels", "folds"), [([0, 1], [0, 1, 0]), ([0, 1, 2], [0, 1, 0]), ([0, -1, 1], [0, 1, 0])]
)
def test_arrays_that_do_not_fit_are_refused(labels, folds):
    with pytest.raises(ValueError):
        judge_out_of_fold(np.zeros((3, 2), np.float32), np.array(labels), np.array(folds), 2)


@pytest.mark.parametrize("shape", [(9, 28, 28, 1), (9, 5, 5, 3), (9, 80, 80, 3), (1, 28, 28, 1)])
def test_tiles_of_every_size_are_described(shape):
    tiles = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = learn_appearance(tiles).describe(tiles)
    assert len(found.seen) == len(found.oddness) == len(tiles)
    assert np.isfinite(found.seen).all()


def test_a_brighter_picture_is_nearer_than_any_other(digits, looks):
    tiles = digits[0]
    brighter = np.clip(tiles[:50] * 1.1, 0, 255).astype(np.uint8)
    found = learn_appearance(tiles).describe(brighter).seen
    apart = np.linalg.norm(found[:, None] - looks, axis=2)
    assert (apart.argmin(axis=1) == np.arange(50)).all()
