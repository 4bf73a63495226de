"""What is read back from the scores of a study."""

import numpy as np
import pytest

from pipeline.verdicts import results


def make_run(fold, seed, right, tested):
    confusion = [[right, tested - right], [0, 0]]
    return {"fold": fold, "seed": seed, "accuracy": right / tested, "confusion": confusion}


def test_the_folds_of_a_seed_are_one_score(monkeypatch):
    """Fold 1 is much harder than fold 0, which is no noise: over both the seeds are alike."""
    runs = [
        *(make_run(0, seed, right, 300) for seed, right in ((0, 270), (1, 273), (2, 267))),
        *(make_run(1, seed, right, 100) for seed, right in ((0, 50), (1, 47), (2, 53))),
    ]
    metrics = {"budget": "steps", "runs": runs}
    monkeypatch.setattr(results, "list_scored", lambda project, params: ["none"])
    monkeypatch.setattr(results, "_read_metrics", lambda project, name: metrics)
    noise = results.read_noise(None, None, "steps")
    assert noise.skill == 0
    assert noise.disagreement == pytest.approx(0.85 * (1 - np.mean([320, 320, 320]) / 400))
    assert results.read_noise(None, None, "other") is None
