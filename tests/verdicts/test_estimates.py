"""The estimate of a difference: judged by scipy, brute force and the formulas of its source."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.verdicts.estimates import (
    Pooled,
    Sums,
    Variance,
    compare_two_runs,
    estimate_contrast,
    estimate_difference,
    number_groups,
    pool_arms,
    sum_groups,
)

ALONE = np.arange(400)  # every picture is its own group


def draw_parts(seeds=5, pictures=400, effect=0.0, seed=3):
    """Draw which pictures each run gets right, where pictures differ in difficulty."""
    dice = np.random.default_rng([seed, seeds, pictures, int(1000 * effect)])
    difficulty = np.random.default_rng(pictures).normal(size=pictures)
    skill = 0.1 * dice.normal(size=(seeds, 1))
    score = difficulty + skill + dice.normal(size=(seeds, pictures)) + effect
    return (score > 0).astype(float)


def estimate(arm, control, groups=None, others=()):
    """Estimate a difference; `others` are more arms of the study."""
    numbers = number_groups(np.arange(arm.shape[1]) if groups is None else groups)
    sums = [sum_groups(parts, numbers) for parts in (arm, control, *others)]
    return estimate_difference(sums[0], sums[1], pool_arms(sums))


# --- the parts of the variance --------------------------------------------------------------


def test_the_runs_part_is_half_an_arms_own_spread_and_half_the_mean_of_all():
    arms = [draw_parts(seeds, effect=effect) for seeds, effect in ((5, 0.3), (4, 0.0), (7, 0.1))]
    own = [parts.mean(axis=1).var(ddof=1) for parts in arms]
    shrunk = [(spread + np.mean(own)) / 2 for spread in own]
    shrunk[1] = max(shrunk[1], own[1])  # the control's own is the least
    variance = estimate(arms[0], arms[1], others=arms[2:]).variance
    expected = shrunk[0] / 5 + shrunk[1] / 4
    assert variance.runs == pytest.approx(max(expected, variance.both))
    parts = np.array([shrunk[0] / 5, shrunk[1] / 4])
    welch = parts.sum() ** 2 / np.sum(parts**2 / (2 * np.array([4, 3])))
    assert variance.run_degrees == pytest.approx(min(welch, 4 + 3 + 6 - 6))


def test_an_unsteady_control_is_not_hidden_by_steady_arms():
    rise = np.repeat([[0.1], [0.9], [0.5]], 400, axis=1)
    steady = np.full((3, 400), 0.5) + np.array([[0.0], [0.01], [-0.01]])
    others = [steady] * 6
    wide = estimate(steady, rise, others=others).variance.runs
    assert wide == pytest.approx(np.var([0.1, 0.9, 0.5], ddof=1) / 3, rel=0.1)
    assert estimate(rise, steady, others=others).variance.runs < 0.7 * wide


def test_groups_of_any_size_are_left_out_one_by_one():
    """B is the jackknife's variance of the difference of the means, here by brute force."""
    arm, control = draw_parts(effect=0.2), draw_parts(3)
    groups = np.minimum(np.random.default_rng(0).geometric(0.04, 400), 60)
    names = np.unique(groups)
    without = [arm[:, groups != name].mean() - control[:, groups != name].mean() for name in names]
    distances = np.array(without) - (arm.mean() - control.mean())
    expected = (len(names) - 1) / len(names) * np.sum(distances**2)
    found = estimate(arm, control, groups)
    assert found.variance.groups == pytest.approx(expected)
    sizes = np.array([np.sum(groups == name) for name in names])
    assert found.variance.group_degrees == pytest.approx(400**2 / np.sum(sizes**2) - 1)


def test_the_noise_of_single_pictures_is_that_of_the_two_way_analysis():
    """C: for groups of one picture, the residual mean square of each arm over its runs."""

    def residual(parts):
        seeds, pictures = parts.shape
        rows = parts.mean(axis=1, keepdims=True) - parts.mean()
        rest = parts - parts.mean(axis=0) - rows
        square = np.sum(rest**2) / ((seeds - 1) * (pictures - 1))
        return square / (seeds * pictures)

    arm, control = draw_parts(6, effect=0.2), draw_parts(4)
    both = estimate(arm, control).variance.both
    assert both == pytest.approx(residual(arm) + residual(control))


@pytest.mark.parametrize(
    ("runs", "groups", "both", "total", "doubt"),
    [
        (3e-4, 2e-4, 5e-5, 4.5e-4, 3e-4**2 / 6 + 2e-4**2 / 30),
        (3e-4, 4e-5, 5e-5, 3e-4, 3e-4**2 / 6),  # the groups add nothing beyond single pictures
        (1e-8, 0.0, 0.0, 1e-6, None),  # the floor of 1,000 pictures
    ],
)
def test_variance_and_degrees_of_freedom_by_hand(runs, groups, both, total, doubt):
    variance = Variance(runs, groups, both, run_degrees=6, group_degrees=30, pictures=1000)
    assert variance.total == pytest.approx(total)
    expected = 36 if doubt is None else np.clip(total**2 / doubt, 6, 36)
    assert variance.degrees == pytest.approx(expected)


# --- the interval -----------------------------------------------------------------------------


def test_when_only_runs_differ_it_is_welchs_test_between_the_runs():
    """With two arms of equal spread nothing is shrunk; the control's is not below its own."""
    scores = np.array([[0.52, 0.55, 0.49, 0.6], [0.51, 0.48, 0.59, 0.54]])
    scores[1] = scores[0][::-1] - 0.03
    arm, control = (np.repeat(one[:, None], 5000, axis=1) for one in scores)
    found = estimate(arm, control)
    judge = stats.ttest_ind(scores[0], scores[1], equal_var=False)
    assert found.difference == pytest.approx(0.03)
    error = 0.03 / judge.statistic
    assert found.variance.error == pytest.approx(error, rel=1e-3)
    # Two arms know their spread with 3 degrees of freedom, whatever half-way shrinking says.
    assert found.p == pytest.approx(2 * stats.t.sf(judge.statistic, 3), rel=0.01)


def test_a_contrast_of_weights_scales_what_a_difference_is():
    sums = [sum_groups(draw_parts(effect=e), ALONE) for e in (0.3, 0.0)]
    pooled = pool_arms(sums)
    plain = estimate_difference(*sums, pooled)
    twice = estimate_contrast([(2.0, sums[0]), (-2.0, sums[1])], pooled, value=0.7)
    assert twice.difference == 0.7
    assert twice.variance.error == pytest.approx(2 * plain.variance.error)


@given(
    hnp.arrays(np.int8, (3, 4, 30), elements=st.integers(0, 1)),
    hnp.arrays(np.int8, 30, elements=st.integers(-1, 25)),
)
def test_p_and_interval_agree(parts, groups):
    arm, control, other = parts.astype(float)
    found = estimate(arm, control, groups, [other])
    if found.p is None:
        assert found.groups < 20 and found.reason
        return
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.p == pytest.approx(2 * min(found.tail(0, 1), found.tail(0, -1)))
    if abs(found.p - 0.05) > 1e-6:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_tails_are_students():
    found = estimate(draw_parts(effect=0.2), draw_parts())
    t = (found.difference - 0.01) / found.variance.error
    assert found.tail(0.01, 1) == pytest.approx(stats.t.sf(t, found.variance.degrees))
    assert found.tail(0.01, -1) == pytest.approx(stats.t.cdf(t, found.variance.degrees))


def test_groups_are_names_or_numbers_and_without_one_a_picture_is_alone():
    numbers = np.repeat(np.arange(-1, 29), 2)
    names = np.array(["" if number < 0 else f"writer {number:02}" for number in numbers], object)
    assert number_groups(numbers).tolist() == number_groups(names).tolist()
    assert len(set(number_groups(numbers))) == 29 + 2
    assert number_groups(numbers.astype(np.int64))[:2].tolist() == [29, 30]


def test_pictures_that_belong_together_widen_the_interval():
    arm, control = (np.repeat(draw_parts(4, 80, effect=e), 5, axis=1) for e in (0.3, 0.0))
    honest, naive = (estimate(arm, control, g) for g in (np.repeat(np.arange(80), 5), ALONE))
    assert honest.difference == naive.difference
    assert honest.variance.groups > 4 * naive.variance.groups


def test_arms_may_have_different_numbers_of_runs():
    few, many = (estimate(draw_parts(5, effect=0.2), draw_parts(n)) for n in (3, 40))
    assert (few.seeds, few.control_seeds) == (5, 3)
    assert many.variance.runs < few.variance.runs


# --- where there is little to go by -----------------------------------------------------------


def test_identical_predictions_are_no_proof_of_no_difference():
    same = np.ones((5, 400))
    found = estimate(same, same)
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.high == pytest.approx(1.96 / 400, rel=0.01)


@pytest.mark.parametrize(
    ("shape", "groups", "reason"),
    [
        ((2, 50), np.arange(50), "only 2 seeds, at least 3 are needed"),
        ((1, 50), np.arange(50), "only 1 seed, at least 3"),
        ((5, 50), np.arange(50) % 19, "only 19 test groups, at least 20 are needed"),
        ((5, 1), np.array([-1]), "only 1 test group,"),
    ],
)
def test_too_few_seeds_or_groups_give_a_reason_instead(shape, groups, reason):
    found = estimate(np.ones(shape), np.zeros(shape), groups)
    assert found.difference == 1.0
    assert (found.low, found.high, found.p, found.variance) == (None, None, None, None)
    assert reason in found.reason


def test_an_arm_of_one_run_says_nothing_of_the_spread():
    sums = [sum_groups(draw_parts(seeds), ALONE) for seeds in (5, 1, 4)]
    pooled = pool_arms(sums)
    assert pooled == Pooled(np.mean([sums[0].spread, sums[2].spread]), (4, 3))


def test_a_score_that_is_undefined_in_one_run_gives_a_reason():
    parts = draw_parts()
    parts[2] = np.nan
    assert estimate(parts, draw_parts()).reason == "undefined for at least one run"


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 5\), groups \(4,\)"):
        sum_groups(np.zeros((3, 5)), np.arange(4))
    with pytest.raises(ValueError, match=r"\(3, 0\)"):
        sum_groups(np.zeros((3, 0)), np.arange(0))


def test_sums_are_those_of_the_groups():
    sums = sum_groups(np.array([[1, 0, 1, 1], [0, 0, 1, 0]], float), np.array([0, 1, 0, 2]))
    assert sums.totals.tolist() == [[2, 0, 1], [1, 0, 0]]
    assert sums.sizes.tolist() == [2, 1, 1]
    assert sums.scores.tolist() == [0.75, 0.25]
    assert sums.spread == pytest.approx(np.var([0.75, 0.25], ddof=1))
    assert np.isnan(Sums(sums.totals[:1], sums.sizes).spread)


# --- one pair of runs -------------------------------------------------------------------------


def test_mcnemar_is_a_sign_test_of_the_pictures_that_changed():
    control = np.repeat([True, True, False, False], [50, 3, 11, 20])
    arm = np.repeat([True, False, True, False], [50, 3, 11, 20])
    result = compare_two_runs(control, arm)
    assert (result.gained, result.lost) == (11, 3)
    assert result.p == pytest.approx(stats.binomtest(3, 14).pvalue)
    assert compare_two_runs(control, control).p == 1.0
