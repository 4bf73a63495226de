"""Checkpoints: every number comes back exactly, and only to the training it belongs to."""

import math

import numpy as np
import pytest

from pipeline.network.checkpoints import Checkpoint, read_checkpoint, write_checkpoint

ROWS = ((3, 0.1 + 0.2, 1 / 3, math.nan, math.nan), (6, 1e-300, 0.5, math.pi, 0.25))
BEST = [np.random.default_rng(number).random((3, number), np.float32) for number in range(12)]
STATE = [np.array([7, 2**32 - 1], np.uint32), np.array(5, np.int64), np.float32([np.inf, -0.0])]


@pytest.fixture
def path(tmp_path):
    write_checkpoint(
        tmp_path / "run.npz", Checkpoint(ROWS, 6, 1 / 7, BEST, STATE, seconds=12.3), "abc"
    )
    return tmp_path / "run.npz"


def test_what_is_written_comes_back_bit_for_bit_in_its_order(path):
    found = read_checkpoint(path, "abc")
    assert np.array_equal(found.rows, ROWS, equal_nan=True)
    assert (found.step, found.best_step, found.best_score, found.seconds) == (6, 6, 1 / 7, 12.3)
    for written, read in ((BEST, found.best), (STATE, found.state)):
        assert [a.tobytes() for a in read] == [a.tobytes() for a in written]
        assert [(a.dtype, a.shape) for a in read] == [(a.dtype, a.shape) for a in written]
    assert list(path.parent.iterdir()) == [path]


def test_under_other_inputs_it_is_nothing(path):
    assert read_checkpoint(path, "abd") is None


@pytest.mark.parametrize("size", [0, 10, 500, -10])
def test_cut_short_it_is_nothing(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert read_checkpoint(path, "abc") is None


def test_without_a_file_there_is_none(tmp_path):
    assert read_checkpoint(tmp_path / "run.npz", "abc") is None


def test_a_training_that_has_not_begun_is_at_step_0():
    assert Checkpoint((), 0, math.inf, [], [], 0.0).step == 0
