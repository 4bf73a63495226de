import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from pipeline.report.projection import embed_neighbours, find_principal


@pytest.fixture(scope="module")
def groups():
    """Two sets of noisy 6x5 tiles, bright at the top or on the left."""
    dice = np.random.default_rng(3)
    tiles = dice.integers(0, 60, (80, 6, 5, 1))
    tiles[:40, :2] += 150
    tiles[40:, :, :2] += 150
    return tiles.astype(np.uint8), np.repeat([0, 1], 40)


def test_components_agree_with_the_singular_values(groups):
    tiles, _ = groups
    found = find_principal(tiles)
    pixels = tiles.reshape(80, -1) / 255
    singular = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False) ** 2
    count = len(found.explained)
    assert found.explained == pytest.approx((singular / singular.sum())[:count], abs=1e-4)
    assert (found.scores**2).sum(axis=0)[:3] == pytest.approx(singular[:3], rel=1e-3)


def test_neighbours_stay_neighbours_and_the_seed_decides(groups):
    tiles, labels = groups
    scores = find_principal(tiles).scores
    points = embed_neighbours(scores, seed=1)
    assert points.shape == (80, 2)
    assert silhouette_score(points, labels) > 0.5
    assert np.array_equal(points, embed_neighbours(scores, seed=1))


def test_tiles_that_are_all_alike_fall_on_one_point():
    found = find_principal(np.full((6, 4, 4, 3), 7, np.uint8))
    assert not found.explained.any()
    assert not embed_neighbours(found.scores).any()
