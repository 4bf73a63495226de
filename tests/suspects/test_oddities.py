"""Twins under two labels, tiles that are none, and empty ones."""

import numpy as np
from scipy.spatial.distance import cdist

from pipeline.suspects.appearance import learn_appearance
from pipeline.suspects.oddities import (
    find_contradictions,
    find_empty,
    find_outliers,
    measure_contrast,
)


def test_twins_under_two_labels_are_each_others_nearest(monkeypatch):
    monkeypatch.setattr("pipeline.suspects.oddities._AT_ONCE", 7)
    dice = np.random.default_rng(3)
    seen = dice.normal(0, 0.25, (60, 3)).astype(np.float32)
    labels = dice.integers(0, 3, 60)
    seen[41] = seen[5]
    labels[41], labels[5] = 0, 2
    apart = cdist(seen, seen)
    apart[labels[:, None] == labels] = np.inf
    nearest = apart.argmin(axis=1)
    expected = {
        (one, other)
        for one, other in enumerate(nearest)
        if one < other and nearest[other] == one and apart[one, other] < 0.35
    }
    pairs = find_contradictions(seen, labels)
    assert {(pair.one, pair.other) for pair in pairs} == expected and len(expected) > 3
    assert pairs[0] == (5, 41, 0.0)
    assert [pair.distance for pair in pairs] == sorted(pair.distance for pair in pairs)


def test_one_wrong_label_among_many_alike_makes_one_pair():
    seen = np.random.default_rng(0).normal(0, 0.01, (50, 4)).astype(np.float32)
    labels = np.zeros(50, int)
    labels[13] = 1
    (pair,) = find_contradictions(seen, labels)
    assert 13 in (pair.one, pair.other)


def test_the_same_under_one_label_is_no_contradiction():
    assert find_contradictions(np.zeros((5, 3), np.float32), np.zeros(5, int)) == []


def test_scribbles_among_strokes_are_outliers():
    dice = np.random.default_rng(1)
    tiles = np.zeros((300, 28, 28, 1), np.uint8)
    for tile in tiles:  # upright bars of all kinds
        left = dice.integers(8, 16)
        tile[4:24, left : left + dice.integers(2, 5)] = dice.integers(150, 256)
    scribbles = [31, 77, 200]
    tiles[scribbles] = dice.integers(0, 256, (3, 28, 28, 1))
    found = find_outliers(learn_appearance(tiles).describe(tiles).oddness)
    assert set(found[:3].tolist()) == set(scribbles)


def test_none_is_an_outlier_where_all_are_alike():
    assert len(find_outliers(np.zeros(9))) == 0
    assert len(find_outliers(np.full(9, 0.3))) == 0


def test_what_has_next_to_no_contrast_is_empty():
    tiles = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
    tiles[4] = 200
    tiles[9] = tiles[9] // 8 + 100
    assert find_empty(measure_contrast(tiles)).tolist() == [4, 9]
    assert len(find_empty(measure_contrast(np.zeros((3, 4, 4, 1), np.uint8)))) == 0
