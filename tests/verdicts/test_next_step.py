"""What to do next is what settles a line with the least training."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pipeline.verdicts.ablation import Arm, Judged
from pipeline.verdicts.estimates import Estimate, Variance
from pipeline.verdicts.families import HELPS, NO_HARM, OPEN, Verdict
from pipeline.verdicts.next_step import find_next_step
from pipeline.verdicts.worth import find_need


def make_arm(name, seconds, seeds=5, folds=1):
    runs = [{"seconds": seconds}] * seeds * folds
    return Arm(name, "none", tuple(range(seeds)), np.zeros((seeds, 1), int), runs)


def make_line(name, difference, error, word=OPEN, variance=None):
    variance = variance or Variance(error**2, 0, 0, 8, 200, 1e6)
    estimate = Estimate(difference, -1, 1, 0.5, 5, 5, 1000, 200, variance)
    return Judged(name, "none", "all", "accuracy", estimate, Verdict(word, level=0.005))


def test_it_is_the_cheapest_line_with_the_runs_of_both_arms_and_all_folds():
    arms = [make_arm("none", 2.0, folds=3), make_arm("near", 10.0, folds=3), make_arm("far", 10.0)]
    near, far = make_line("near", 0.02, 0.008), make_line("far", 0.02, 0.02)
    step = find_next_step(arms, [far, near], 0.01)
    seeds = find_need(near.estimate, 0.005, 0.01).seeds
    assert (step.experiment, step.arms, step.seeds) == ("near", ("near", "none"), seeds)
    assert step.trainings == 2 * 3 * (seeds - 5)
    assert step.seconds == pytest.approx(3 * (seeds - 5) * 12.0)


def test_a_control_with_more_seeds_already_needs_no_more():
    arms = [make_arm("none", 2.0, seeds=90), make_arm("near", 10.0)]
    step = find_next_step(arms, [make_line("near", 0.02, 0.008)], 0.01)
    assert step.trainings == step.seeds - 5


def test_half_a_word_is_not_settled_and_a_whole_one_is():
    arms = [make_arm("none", 1.0), make_arm("near", 1.0)]
    half = make_line("near", 0.02, 0.008, NO_HARM)
    assert find_next_step(arms, [half], 0.01).experiment == "near"
    assert find_next_step(arms, [make_line("near", 0.02, 0.008, HELPS)], 0.01) is None
    behind = replace(half, verdict=replace(half.verdict, primary=False))
    assert find_next_step(arms, [behind], 0.01) is None


def test_where_no_number_of_seeds_settles_anything_it_is_the_pictures():
    arms = [make_arm("none", 1.0), make_arm("a", 1.0), make_arm("b", 1.0)]
    pictures = Variance(1e-6, 1e-4, 1e-6, 8, 999, 1e6)
    lines = [make_line(name, d, 0, variance=pictures) for name, d in (("a", 0.018), ("b", 0.02))]
    step = find_next_step(arms, lines, 0.01)
    assert (step.experiment, step.seeds) == ("b", None)
    assert 1000 < step.pictures < math.inf
