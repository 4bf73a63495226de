"""Verdicts: the interval judged by scipy, brute force and simulated studies; and the words."""

import gc
import importlib.util
import re
import sys
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.verdicts.ablation import Judged
from pipeline.verdicts.estimates import (
    CANNOT_TELL,
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_VERDICT,
    Components,
    Estimate,
    Verdict,
    adjust_holm,
    compare_two_runs,
    estimate_difference,
    find_visible_effect,
    half_width,
    judge_family,
    two_sided_p,
)
from pipeline.verdicts.wording import explain

pytestmark = pytest.mark.slow

ALONE = np.full(400, -1)  # every picture is its own group


@pytest.fixture(autouse=True, scope="module")
def spare_the_garbage():
    """Keep statsmodels, which collects garbage at every correction, from searching all modules."""
    gc.freeze()
    yield
    gc.unfreeze()


def load_benchmark():
    """Return benchmarks/verdicts.py as a module: the tests run its simulation in short."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "verdicts.py"
    spec = importlib.util.spec_from_file_location("verdicts_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_differences(seeds=5, pictures=400, effect=0.05, seed=3):
    """Draw differences of -1, 0 and 1 from two arms whose pictures differ in difficulty."""
    dice = np.random.default_rng(seed)
    difficulty = dice.normal(size=pictures)
    control = difficulty + dice.normal(size=(seeds, pictures)) > 0
    arm = difficulty + dice.normal(size=(seeds, pictures)) + effect > 0
    return arm.astype(float) - control


def make_estimate(difference, half, **changes):
    """Make an estimate with a given interval, its p from the normal distribution."""
    error = half / stats.norm.ppf(0.975)
    p = 2 * stats.norm.sf(abs(difference) / error)
    parts = Components(error**2, 0.0, 0.0, 0.0, 400.0, 400.0)
    values = {"seeds": 5, "pictures": 1000, "groups": 200, "components": parts, **changes}
    low, high = difference - half, difference + half
    return Estimate(difference, low, high, p, 400.0, **values)


# --- the variance and the interval ----------------------------------------------------------


def test_the_variance_is_that_of_the_two_way_analysis():
    differences = make_differences()
    seeds, pictures = differences.shape
    rows = differences.mean(axis=1, keepdims=True) - differences.mean()
    columns = differences.mean(axis=0, keepdims=True) - differences.mean()
    rest = differences - differences.mean() - rows - columns
    between_seeds = pictures * np.sum(rows**2) / (seeds - 1)
    between_pictures = seeds * np.sum(columns**2) / (pictures - 1)
    residual = np.sum(rest**2) / ((seeds - 1) * (pictures - 1))
    parts = estimate_difference(differences, ALONE).components
    measured = np.array([parts.seeds, parts.groups, parts.both]) * seeds * pictures
    np.testing.assert_allclose(measured, [between_seeds, between_pictures, residual])


def test_groups_of_any_size_are_left_out_one_by_one():
    """The component of the groups is the jackknife's variance, here by brute force."""
    differences = make_differences()
    groups = np.minimum(np.random.default_rng(0).geometric(0.04, 400), 60)
    names = np.unique(groups)
    without = [differences[:, groups != name].mean() for name in names]
    distances = np.array(without) - differences.mean()
    expected = (len(names) - 1) / len(names) * np.sum(distances**2)
    assert estimate_difference(differences, groups).components.groups == pytest.approx(expected)


def test_when_only_seeds_differ_it_is_the_t_test_over_seeds():
    by_seed = np.array([0.02, 0.035, 0.01, 0.05])
    differences = np.repeat(by_seed[:, None], 5000, axis=1)
    estimate = estimate_difference(differences, np.arange(5000))
    judge = stats.ttest_1samp(by_seed, 0)
    assert estimate.p == pytest.approx(judge.pvalue, rel=1e-3)
    interval = judge.confidence_interval()
    np.testing.assert_allclose([estimate.low, estimate.high], interval, rtol=1e-3, atol=1e-5)
    assert estimate.degrees_of_freedom == pytest.approx(3, rel=0.01)


def test_when_only_pictures_differ_it_is_the_t_test_over_pictures():
    by_picture = np.repeat([1.0, 0.0, -1.0], [11, 27, 2])
    estimate = estimate_difference(np.stack([by_picture] * 6), np.full(40, -1))
    parts = estimate.components
    floorless = Components(parts.seeds, parts.groups, parts.both, 0.0, 5, parts.group_degrees)
    judge = stats.ttest_1samp(by_picture, 0).pvalue
    assert two_sided_p(estimate.difference, floorless) == pytest.approx(judge, rel=1e-3)
    assert judge < estimate.p < 1.5 * judge  # the floor of 40 pictures


@pytest.mark.parametrize("difference", [0.01, 0.03, 0.08])
def test_p_averages_over_the_variances_that_are_plausible(difference):
    parts = Components(3e-4, 2e-4, 5e-5, 1e-6, 4.0, 30.0)
    dice = np.random.default_rng(1)
    seeds = np.maximum(parts.seeds * 4 / dice.chisquare(4, 400_000), parts.both)
    groups = np.maximum(parts.groups * 30 / dice.chisquare(30, 400_000) - parts.both, 0)
    judge = 2 * stats.norm.sf(difference / np.sqrt(seeds + groups + parts.floor)).mean()
    assert two_sided_p(difference, parts) == pytest.approx(judge, rel=0.02)


def test_in_the_far_tail_it_is_still_students_t():
    parts = Components(1.0, 0.0, 0.0, 0.0, 2.0, 500.0)
    for t in (10, 100, 10_000):
        assert two_sided_p(t, parts) == pytest.approx(2 * stats.t.sf(t, 2), rel=1e-3)
    assert half_width(parts, 0.0005) == pytest.approx(stats.t.isf(0.00025, 2), rel=1e-3)


@settings(max_examples=40)
@given(
    hnp.arrays(np.int8, (4, 30), elements=st.integers(-1, 1)),
    hnp.arrays(np.int8, 30, elements=st.integers(-1, 25)),
)
def test_p_and_interval_agree_and_swapping_the_arms_turns_the_sign(differences, groups):
    estimate = estimate_difference(differences.astype(float), groups)
    swapped = estimate_difference(-differences.astype(float), groups)
    assert swapped.difference == pytest.approx(-estimate.difference)
    if estimate.p is None:
        assert estimate.groups < 20 and estimate.reason
        return
    assert swapped.p == pytest.approx(estimate.p)
    assert -1 <= estimate.low <= estimate.difference <= estimate.high <= 1
    if abs(estimate.p - 0.05) > 1e-3:
        assert (estimate.p < 0.05) == (estimate.low > 0 or estimate.high < 0)


def test_groups_are_names_or_numbers_and_without_one_a_picture_is_alone():
    differences = make_differences(pictures=60)
    numbers = np.repeat(np.arange(-1, 29), 2)
    names = np.array(["" if number < 0 else f"writer {number}" for number in numbers])
    as_names = estimate_difference(differences, names)
    as_numbers = estimate_difference(differences, numbers)
    assert as_names == estimate_difference(differences, names.astype(object))
    assert as_names.p == pytest.approx(as_numbers.p)
    assert as_names.groups == as_numbers.groups == 29 + 2


def test_pictures_that_belong_together_widen_the_interval():
    """Five copies of each picture count as one: an interval sqrt(5) times as wide."""
    together = np.repeat(np.stack([make_differences(seeds=1, pictures=80)[0]] * 4), 5, axis=1)
    groups = np.repeat(np.arange(80), 5)
    honest, naive = estimate_difference(together, groups), estimate_difference(together, ALONE)
    assert honest.difference == naive.difference
    ratio = (honest.high - honest.low) / (naive.high - naive.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.03)


# --- where there is little to go by ---------------------------------------------------------


def test_identical_predictions_are_no_proof_of_no_difference():
    estimate = estimate_difference(np.zeros((5, 400)), ALONE)
    assert (estimate.difference, estimate.p) == (0.0, 1.0)
    assert estimate.high == pytest.approx(1.96 / 400, rel=0.01)
    assert judge_family([estimate], margin=0.01)[0].verdict == NO_EFFECT
    assert judge_family([estimate], margin=0.001)[0].verdict == CANNOT_TELL


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
    estimate = estimate_difference(np.ones(shape), groups)
    assert estimate.difference == 1.0
    assert (estimate.low, estimate.high, estimate.p) == (None, None, None)
    assert reason in estimate.reason
    verdict = judge_family([estimate], margin=0.01)[0]
    assert (verdict.verdict, verdict.reason) == (NO_VERDICT, estimate.reason)


def test_a_score_that_is_undefined_in_one_run_gives_a_reason():
    differences = make_differences()
    differences[2] = np.nan
    assert estimate_difference(differences, ALONE).reason == "undefined for at least one run"


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 5\), groups \(4,\)"):
        estimate_difference(np.zeros((3, 5)), np.arange(4))
    with pytest.raises(ValueError, match=r"\(3, 0\)"):
        estimate_difference(np.zeros((3, 0)), np.arange(0))


# --- the family -----------------------------------------------------------------------------


def test_holm_by_hand():
    """0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 that may not be smaller than the one before."""
    adjusted = adjust_holm([0.01, None, 0.04, 0.03, 0.005])
    assert adjusted[1] is None
    assert [adjusted[i] for i in (0, 2, 3, 4)] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([None]) == [None]


def test_the_verdicts():
    family = [
        make_estimate(0.05, 0.02),
        make_estimate(-0.05, 0.02),
        make_estimate(0.001, 0.005),
        make_estimate(0.01, 0.03),
        make_estimate(0.02, 0.018),  # significant alone, not in this company
    ]
    verdicts = judge_family(family, margin=0.01)
    assert [v.verdict for v in verdicts] == [HELPS, HURTS, NO_EFFECT, CANNOT_TELL, CANNOT_TELL]
    assert judge_family(family[-1:], margin=0.01)[0].verdict == HELPS


def test_a_small_but_certain_effect_is_named_even_within_the_margin():
    assert judge_family([make_estimate(0.005, 0.002)], margin=0.01)[0].verdict == HELPS


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(0.001, 0.1)), min_size=1, max_size=8),
    st.floats(0, 0.05),
)
def test_a_claim_never_stands_beside_an_interval_that_holds_zero(pairs, margin):
    family = [make_estimate(difference, half) for difference, half in pairs]
    for estimate, verdict in zip(family, judge_family(family, margin), strict=True):
        assert verdict.adjusted_p >= estimate.p
        if verdict.verdict in (HELPS, HURTS):
            assert estimate.low > 0 or estimate.high < 0
            assert (verdict.verdict == HELPS) == (estimate.difference > 0)


# --- the smallest visible effect ------------------------------------------------------------


def test_with_many_seeds_and_pictures_it_is_the_textbooks():
    parts = Components(1e-4, 0.0, 0.0, 0.0, 2000.0, 2000.0)
    textbook = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    assert find_visible_effect(parts, 0.05) == pytest.approx(0.01 * textbook, rel=0.01)


@pytest.mark.parametrize(("seeds", "significance"), [(3, 0.05), (5, 0.05), (5, 0.005)])
def test_four_of_five_promises_are_kept_when_only_seeds_differ(seeds, significance):
    """Promise from one study, kept in another: t-tests over seeds, by brute force."""
    dice = np.random.default_rng(5)
    first, second = dice.normal(size=(2, 40_000, seeds))
    unit = find_visible_effect(Components(1.0, 0, 0, 0, seeds - 1, 5000), significance)
    promise = unit * stats.sem(first, axis=1)
    t = (second.mean(axis=1) + promise) / stats.sem(second, axis=1)
    found = np.mean(2 * stats.t.sf(np.abs(t), seeds - 1) <= significance)
    assert found == pytest.approx(0.8, abs=0.01)


def test_the_promise_counts_the_other_tests_of_the_family():
    alone = judge_family([make_estimate(0.01, 0.03)], margin=0.01)[0]
    one_of_ten = judge_family([make_estimate(0.01, 0.03)] * 10, margin=0.01)[0]
    claimed = [make_estimate(0.5, 0.03)] * 9
    after_nine_claims = judge_family([make_estimate(0.01, 0.03), *claimed], margin=0.01)[0]
    assert one_of_ten.visible_effect > 1.2 * alone.visible_effect
    assert after_nine_claims.visible_effect == pytest.approx(alone.visible_effect)


# --- simulated studies, in short: benchmarks/verdicts.py runs them at size --------------------


@pytest.mark.parametrize(
    ("seeds", "noise", "grouped"),
    [(3, "typical", False), (5, "high", False), (10, "typical", True), (5, "low", True)],
)
def test_intervals_hold_a_planted_difference(seeds, noise, grouped):
    """Where a percentile bootstrap over the seeds does so in 72 to 87 %."""
    benchmark = load_benchmark()
    setting = benchmark.Setting(seeds, noise, grouped)
    rows = [benchmark.check_planted(setting, seed) for seed in range(40)]
    # 240 accuracies: a true 95 % falls below 92 % once in 50.
    assert np.mean([row["cover"] for row in rows]) >= 0.92
    assert np.mean([row["recalls"] for row in rows]) >= 0.93
    assert np.mean([row["bootstrap"] for row in rows]) < 0.92


def test_studies_without_an_effect_rarely_claim_one():
    """Satterthwaite's t makes a false claim in a quarter of these."""
    benchmark = load_benchmark()
    setting = benchmark.Setting(3, "high", False)
    rows = [benchmark.check_same(setting, seed) for seed in range(60)]
    assert np.sum([row["A/A"] for row in rows]) <= 6
    assert np.sum([row["plain"] for row in rows]) >= 8


# --- one pair of runs -----------------------------------------------------------------------


def test_mcnemar_is_a_sign_test_of_the_pictures_that_changed():
    control = np.repeat([True, True, False, False], [50, 3, 11, 20])
    arm = np.repeat([True, False, True, False], [50, 3, 11, 20])
    result = compare_two_runs(control, arm)
    assert (result.gained, result.lost) == (11, 3)
    assert result.p == pytest.approx(stats.binomtest(3, 14).pvalue)
    assert compare_two_runs(control, control).p == 1.0


# --- in plain words -------------------------------------------------------------------------


def make_cells(*rows, margin=0.01):
    """Make a table from (experiment, label, estimate)."""
    verdicts = judge_family([estimate for _, _, estimate in rows], margin)
    return [
        Judged(name, "none", label, "accuracy" if label == "all" else "recall", estimate, verdict)
        for (name, label, estimate), verdict in zip(rows, verdicts, strict=True)
    ]


def test_a_claim_is_said_with_its_interval():
    cells = make_cells(
        ("flip-cat", "dog", make_estimate(-0.051, 0.031)), ("flip", "all", make_estimate(0.1, 0.02))
    )
    text = explain(cells, margin=0.01)
    assert (
        "flip-cat lowers dog recall by 5.1 points against none (95 % interval 2.0 to 8.2): hurts."
    ) in text
    assert "flip raises accuracy by 10.0 points against none" in text
    assert "corrected for 2 comparisons (Holm)" in text


def test_what_is_not_known_is_said_as_plainly():
    few = Estimate(0.2, None, None, None, None, 2, 50, 50, reason="only 2 seeds")
    cells = make_cells(
        ("shift", "all", make_estimate(0.001, 0.004)),
        ("zoom", "cat", make_estimate(0.01, 0.03)),
        ("all", "all", few),
    )
    text = explain(cells, margin=0.01)
    assert "No effect beyond the margin of 1.0 points: shift on accuracy." in text
    assert "Cannot tell: zoom on cat recall; the smallest effect" in text
    assert "No verdict on all on accuracy: only 2 seeds." in text
    assert "helps" not in text


@pytest.mark.parametrize(
    "halves, told",
    [((0.1, 0.9), "over 100 points, line by line"), ((0.9, 0.95), "power is over 100 points.")],
)
def test_no_effect_of_more_than_a_hundred_points_is_promised(halves, told):
    cells = make_cells(*((f"op{half}", "all", make_estimate(0.0, half)) for half in halves))
    assert max(cell.verdict.visible_effect for cell in cells) > 1
    text = explain(cells, margin=0.01)
    assert told in text
    assert all(float(number) <= 100 for number in re.findall(r"[\d.]+(?= (?:to|points))", text))


def test_many_lines_without_a_verdict_are_counted_not_named():
    """Two arms and six classes: every line has its own number of groups, all too small."""
    cells = []
    for number in range(12):
        groups = 3 + number % 3
        differences = np.zeros((3, 10))
        estimate = estimate_difference(differences, np.arange(10) % groups)
        cells.append((f"op{number // 6}", str(number % 6), estimate))
    needed = "test groups, at least 20 are needed."
    assert explain(make_cells(*cells), margin=0.01).startswith(
        f"No verdict on any of 12 comparisons: only 3 to 5 {needed}"
    )
    some = explain(make_cells(("flip", "all", make_estimate(0.1, 0.02)), *cells), margin=0.01)
    assert f"No verdict on 12 comparisons: only 3 to 5 {needed}" in some
    few = explain(make_cells(*cells[:2]), margin=0.01)
    assert f"No verdict on op0 on 0 recall and op0 on 1 recall: only 3 to 4 {needed}" in few
    mixed = [*cells, ("flip", "cat", Estimate(0.2, None, None, None, None, 3, 50, 50, reason="x"))]
    assert "No verdict on flip on cat recall: x." in explain(make_cells(*mixed), margin=0.01)


def test_caveats_appear_only_where_they_apply():
    cells = make_cells(("flip", "all", make_estimate(0.1, 0.02, seeds=3)))
    text = explain(
        cells,
        margin=0.01,
        stored=["flip", "all"],
        equal_epochs=True,
        collapsed={"none": 2, "flip": 0, "all": 1},
        best="flip",
    )
    assert "Collapsed to one class: 2 runs of none and 1 run of all" in text
    assert "With 3 seeds take a verdict as a hint" in text
    assert "flip and all: trained on stored variants, so the intervals hold for those draws" in text
    assert "equal epochs" in text
    assert "flip has the highest accuracy, but it was picked on the test set" in text
    plain = explain(make_cells(("flip", "all", make_estimate(0.1, 0.02))), margin=0.01)
    for word in ("Collapsed", "hint", "stored", "epochs", "picked"):
        assert word not in plain


def test_an_empty_table_has_nothing_to_say():
    assert explain([], margin=0.01) == ""
    assert judge_family([], margin=0.01) == []
    with pytest.raises(ValueError, match="margin -0.1"):
        judge_family([], margin=-0.1)


def test_verdicts_can_be_compared_and_kept():
    assert Verdict(HELPS, 0.01, 0.02) == Verdict(HELPS, 0.01, 0.02)
