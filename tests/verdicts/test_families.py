"""Verdicts of a whole table: chains, Holm and the graph by hand; simulated studies in short."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.verdicts.estimates import Estimate, Variance
from pipeline.verdicts.families import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_GAIN,
    NO_HARM,
    NO_VERDICT,
    OPEN,
    PRIMARY,
    SECONDARY,
    Line,
    find_visible_effect,
    judge_family,
    reject,
)


def load_benchmark():
    """Return benchmarks/verdicts.py as a module: the tests run its simulation in short."""
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("verdicts_benchmark", folder / "verdicts.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(folder))
    return module


def make_estimate(difference, error, pictures=1000, degrees=1e6):
    """Make an estimate with a given standard error, nearly normal."""
    variance = Variance(error**2, 0.0, 0.0, degrees, 1.0, 1e9)
    half = stats.norm.ppf(0.975) * error
    p = 2 * stats.norm.sf(abs(difference) / error)
    return Estimate(difference, difference - half, difference + half, p, 5, 5, pictures, 200,
                    variance)  # fmt: skip


def make_line(difference, error, experiment="flip", primary=True, **more):
    return Line(experiment, primary, make_estimate(difference, error, **more), chance=0.7)


def words(lines, margin=0.01, **more):
    return [verdict.verdict for verdict in judge_family(lines, margin, **more)]


# --- the words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("difference", "error", "word"),
    [
        (0.05, 0.01, HELPS),
        (-0.05, 0.01, HURTS),
        (0.004, 0.001, HELPS),  # small and certain: said, even within the margin
        (0.0, 0.003, NO_EFFECT),
        (0.012, 0.0085, NO_HARM),
        (-0.012, 0.0085, NO_GAIN),
        (0.012, 0.05, OPEN),
    ],
)
def test_each_word_of_one_line_alone(difference, error, word):
    assert words([make_line(difference, error)]) == [word]


def test_one_line_alone_spends_half_of_its_level_on_each_chain():
    """helps needs p below 1.5 %, one-sided; there are no recalls that share."""
    edge = stats.norm.isf(PRIMARY / 2) * 0.01
    assert words([make_line(edge + 1e-6, 0.01)], margin=1e-9) == [HELPS]
    assert words([make_line(edge - 1e-4, 0.01)], margin=1e-9) == [OPEN]


def test_without_a_variance_there_is_no_verdict_and_no_test_is_spent():
    few = Line("zoom", True, Estimate(0.2, None, None, None, 2, 2, 50, 50, reason="only 2 seeds"))
    edge = stats.norm.isf(PRIMARY / 2) * 0.01 + 1e-6
    verdicts = judge_family([make_line(edge, 0.01), few], 1e-9)
    assert [v.verdict for v in verdicts] == [HELPS, NO_VERDICT]
    assert verdicts[1].reason == "only 2 seeds"


def test_an_empty_table_has_nothing_to_say_and_a_negative_margin_is_refused():
    assert judge_family([], 0.01) == []
    with pytest.raises(ValueError, match="margin -0.1"):
        judge_family([], -0.1)


# --- many lines ------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0001, 0.9999), min_size=1, max_size=9), st.sampled_from([0.01, 0.2]))
def test_a_graph_in_which_all_share_alike_is_holms_method(p, level):
    n = len(p)
    passes = (np.ones((n, n)) - np.eye(n)) / max(n - 1, 1)
    rejected, _ = reject(np.array(p), np.full(n, 1 / n), passes, level)
    judge = multipletests(p, alpha=level, method="holm")[0]
    assert rejected == set(np.flatnonzero(judge))


def test_a_graph_by_hand():
    """Two tests that pass to each other, one behind: Bretz et al. 2009, figure 1's kind."""
    p = np.array([0.01, 0.07, 0.02])
    passes = np.array([[0, 0.5, 0.5], [1.0, 0, 0], [0, 1.0, 0]])
    rejected, left = reject(p, np.array([0.5, 0.5, 0.0]), passes, 0.05)
    # 0.01 <= 0.025; then 2 has 0.0125 and 3 too: neither 0.07 nor 0.02.
    assert rejected == {0}
    assert left.tolist() == [0.0, 0.75, 0.25]
    rejected, _ = reject(np.array([0.01, 0.07, 0.012]), np.array([0.5, 0.5, 0]), passes, 0.05)
    assert rejected == {0, 2}
    assert reject(p, np.array([0.5, 0.5, 0.0]), passes, 0.05, known=[1])[0] == {0, 1, 2}


def test_a_claim_gives_its_share_to_the_open_lines():
    lonely = make_line(stats.norm.isf(PRIMARY / 3) * 0.01 + 1e-4, 0.01, "zoom")
    certain = make_line(0.2, 0.01)
    assert words([lonely, make_line(0.0, 0.01)], 1e-9) == [OPEN, OPEN]
    # 4 chains of which the certain one's is wholly rejected: 3 are left.
    assert words([lonely, certain], 1e-9) == [HELPS, HELPS]


def test_a_chain_counts_until_its_last_link_is_rejected():
    """No harm is said of one; its chain still takes its share from the others."""
    lonely = make_line(stats.norm.isf(PRIMARY / 3.5) * 0.01, 0.01, "zoom")
    assert words([lonely, make_line(0.005, 0.008, "shift")], 0.02)[0] == NO_HARM


def test_recalls_stand_behind_their_own_experiments_accuracy():
    recalls = [make_line(-0.03, 0.01, e, primary=False) for e in ("flip", "zoom") for _ in "ab"]
    lines = [make_line(-0.05, 0.01), make_line(0.0, 0.02, "zoom"), *recalls]
    found = words(lines)
    assert found[:2] == [HURTS, OPEN]
    assert found[2:] == [HURTS, HURTS, "", ""]
    assert words([make_line(-0.005, 0.01), *lines[1:]])[2:] == ["", "", "", ""]


def test_a_recall_may_be_certain_enough_on_its_own_share():
    lines = [make_line(0.0, 0.02), make_line(0.08, 0.01, primary=False)]
    assert words(lines) == [OPEN, HELPS]
    error = 0.08 / stats.norm.isf(SECONDARY / 2)
    assert words([lines[0], make_line(0.0799, error, primary=False)]) == [OPEN, ""]


def test_a_recall_that_nothing_could_settle_is_a_number_without_a_verdict():
    lines = [make_line(0.0, 0.02), make_line(0.5, 0.2, primary=False, pictures=3)]
    verdict = judge_family(lines, 0.01)[1]
    assert (verdict.verdict, verdict.level, verdict.visible_effect) == ("", None, None)


def test_what_was_said_at_an_earlier_look_stays_said():
    lines = [make_line(0.012, 0.01), make_line(0.0, 0.02, "zoom")]
    assert words(lines, spent=0.1) == [OPEN, OPEN]
    said = [frozenset({NO_HARM, HELPS}), frozenset()]
    assert words(lines, spent=0.1, before=said) == [HELPS, OPEN]


def test_less_of_the_level_says_less():
    line = make_line(stats.norm.isf(PRIMARY / 2) * 0.01 + 1e-6, 0.01)
    assert words([line], 1e-9) == [HELPS]
    assert words([line], 1e-9, spent=0.5) == [OPEN]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(0.001, 0.1)), min_size=1, max_size=8),
    st.floats(0, 0.05),
)
def test_a_claim_never_stands_beside_an_interval_that_holds_zero(pairs, margin):
    lines = [make_line(d, e, str(n)) for n, (d, e) in enumerate(pairs)]
    for line, word in zip(lines, words(lines, margin), strict=True):
        if word in (HELPS, HURTS):
            assert line.estimate.low > 0 or line.estimate.high < 0
            assert (word == HELPS) == (line.estimate.difference > 0)


# --- the smallest visible effect --------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "level"), [(4, 0.015), (12, 0.002), (1e6, 0.025)])
def test_the_visible_effect_is_found_four_times_in_five(degrees, level):
    """By brute force: a normal difference over a chi-squared standard error."""
    effect = find_visible_effect(Variance(1e-4, 0, 0, degrees, 1.0, 1e9), level)
    dice = np.random.default_rng(5)
    freedom = min(degrees, 10_000)
    error = 0.01 * np.sqrt(dice.chisquare(freedom, 100_000) / freedom)
    t = (effect + 0.01 * dice.normal(size=100_000)) / error
    assert np.mean(t > stats.t.isf(level, freedom)) == pytest.approx(0.8, abs=0.01)


def test_no_effect_is_promised_that_is_not_possible():
    estimate = make_estimate(0.0, 0.2)
    assert judge_family([Line("a", True, estimate, 0.5)], 0.01)[0].visible_effect is None
    assert judge_family([Line("a", True, estimate, 0.1)], 0.01)[0].visible_effect < 0.9


# --- simulated studies, in short: benchmarks/verdicts.py runs them at size --------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no effect", {"seeds": 3}),
        ("arms at the margin", {"effects": (0.01, -0.01) * 2, "pictures": 2000}),
        ("one arm unsteady", {"seeds": 3, "spreads": (1.0, 3.0, 1.0, 1.0, 1.0)}),
        ("groups and a large control", {"grouped": True, "more_seeds": 4}),
        ("collapsed runs", {"collapse": 0.1}),
    ],
)
def test_studies_rarely_say_anything_false_and_intervals_hold_the_truth(name, changes):
    benchmark = load_benchmark()
    setting = benchmark.Setting(**{"effects": (0.0,) * 4} | changes)
    rows = [benchmark.check((setting, seed, False)) for seed in range(100)]
    # A true 5 % gives more than 11 of 100 once in 150.
    assert sum(row["false2"][0] for row in rows) <= 11
    assert np.mean([row["cover"] for row in rows]) >= 0.92


@pytest.mark.slow
def test_it_sees_what_the_first_version_did_not():
    benchmark = load_benchmark()
    setting = benchmark.Setting((0.05, 0.0, 0.0, 0.0), 5, pictures=2000, accuracy=0.75)
    rows = [benchmark.check((setting, seed, True)) for seed in range(30)]
    first, second = (np.mean([row[f"+5 found{n}"] for row in rows]) for n in (1, 2))
    assert second >= 0.8 > 0.6 >= first
