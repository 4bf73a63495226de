"""Looks at a study in rounds: what each may spend, and what needs no more runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.verdicts.estimates import Estimate, Variance
from pipeline.verdicts.families import HELPS, HURTS, NO_EFFECT, NO_HARM, Line, judge_family
from pipeline.verdicts.rounds import choose_active, forget_margin, spend

ROUNDS = (4, 7, 10, 15)
CONTROLS = {"flip": "none", "zoom": "none", "flip-cat": "duplicate-cat"}


def make_line(difference, error, experiment="flip", seeds=4, primary=True):
    """Make a line with runs as its only noise, so that more of them help."""
    variance = Variance(error**2, 0.0, 0.0, 1e6, 1.0, 1e9)
    estimate = Estimate(difference, -1, 1, 0.5, seeds, seeds, 1000, 200, variance)
    return Line(experiment, primary, estimate, chance=0.7)


def find_active(*lines, look=0):
    verdicts = judge_family(lines, 0.01, spend(ROUNDS, look))
    return choose_active(CONTROLS, lines, verdicts, ROUNDS, look, 0.01)


def test_what_is_spent_grows_with_the_square_of_the_seeds():
    parts = [spend(ROUNDS, look) for look in range(4)]
    assert parts == pytest.approx([16 / 225, 33 / 225, 51 / 225, 125 / 225])


@given(st.lists(st.integers(3, 500), min_size=1, max_size=9, unique=True).map(sorted))
def test_all_looks_together_spend_it_all(rounds):
    assert sum(spend(rounds, look) for look in range(len(rounds))) == pytest.approx(1)


def test_what_is_settled_stops_and_its_control_too():
    assert find_active(make_line(0.08, 0.005)) == set()
    assert find_active(make_line(0.0, 0.001)) == set()  # no effect
    unclear = make_line(0.02, 0.01, "zoom")
    assert find_active(make_line(0.08, 0.005), unclear) == {"zoom", "none"}


def test_what_the_last_round_would_hardly_settle_stops():
    """At 15 seeds the error is half of what it is at 4."""
    assert find_active(make_line(0.004, 0.012)) == set()
    assert find_active(make_line(0.025, 0.012)) == {"flip", "none"}


def test_a_control_goes_on_while_one_of_its_experiments_does():
    lines = [make_line(0.08, 0.005, "flip"), make_line(0.025, 0.012, "flip-cat")]
    assert find_active(*lines) == {"flip-cat", "duplicate-cat"}


def test_a_recall_alone_keeps_nothing_going():
    lines = [make_line(0.08, 0.005), make_line(0.02, 0.01, primary=False)]
    assert find_active(*lines) == set()


def test_without_a_verdict_yet_it_goes_on():
    few = Estimate(0.1, None, None, None, 2, 2, 50, 50, reason="only 2 seeds")
    assert find_active(Line("flip", True, few)) == {"flip", "none"}


def test_what_depends_on_the_margin_is_forgotten_with_it():
    assert forget_margin(frozenset({NO_HARM})) == frozenset()
    assert forget_margin(frozenset({NO_HARM, HELPS})) == {NO_HARM, HELPS}
    assert HURTS in forget_margin(frozenset({HURTS, "no gain beyond the margin"}))
    assert forget_margin(frozenset({"differs"})) == {"differs"}
    assert NO_EFFECT not in forget_margin(frozenset({"no gain beyond the margin", NO_HARM}))
