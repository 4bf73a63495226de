"""Every number is written in one way, wherever it stands; and what is said of a table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.verdicts.ablation import Arm, Judged
from pipeline.verdicts.estimates import Estimate, Variance
from pipeline.verdicts.families import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_HARM,
    NO_VERDICT,
    OPEN,
    Verdict,
)
from pipeline.verdicts.next_step import NextStep
from pipeline.verdicts.wording import (
    explain,
    say_broken,
    say_end,
    say_finding,
    say_next,
    say_points,
    write_difference,
    write_interval,
    write_mean,
    write_p,
    write_percent,
)


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (-0.0003, "−0.03"),
        (0.0003, "+0.03"),
        (-0.00003, "0.0"),
        (-0.051, "−5.1"),
        (0.0384, "+3.8"),
        (-0.00096, "−0.10"),
        (1.0, "+100.0"),
    ],
)
def test_a_difference_has_its_sign_and_nothing_has_none(share, written):
    assert write_difference(share) == written


def test_what_is_not_known_is_not_written():
    assert write_percent(None) == write_interval(None, 0.1) == write_p(None) == ""
    assert write_mean(0.5, None) == "50.0"


def test_the_same_number_reads_the_same_in_a_mean_a_difference_and_an_interval():
    assert write_mean(0.95125, 0.0004) == "95.1 ± 0.04"
    assert write_interval(-0.0004, 0.031) == "[−0.04, +3.1]"
    assert (write_p(0.0004), write_p(0.0351)) == ("< 0.001", "0.035")


@given(st.floats(-1, 1))
def test_what_is_written_reads_back_and_zero_is_never_negative(share):
    written = write_difference(share)
    assert math.isclose(float(written.replace("−", "-")), 100 * share, abs_tol=0.0501)
    assert "-" not in written
    assert float(written.replace("−", "-")) != 0 or written == "0.0"


# --- the finding -----------------------------------------------------------------------------


def make_line(name, word, difference=0.0, half=0.02, label="all", control="none", **verdict):
    """Make a line of the table whose interval has a given half width."""
    variance = Variance(1e-4, 0, 0, 20, 20, 1000)
    low, high = difference - half, difference + half
    p = 0.01 if low > 0 or high < 0 else 0.5
    estimate = Estimate(difference, low, high, p, 5, 5, 1000, 200, variance)
    metric = "accuracy" if label == "all" else "recall"
    more = {"primary": label == "all", "level": 0.001} | verdict
    return Judged(name, control, label, metric, estimate, Verdict(word, **more))


def make_silent(name, reason, groups=50, label="all"):
    estimate = Estimate(0.1, None, None, None, 2, 2, 50, groups, reason=reason)
    metric = "accuracy" if label == "all" else "recall"
    return Judged(name, "none", label, metric, estimate, Verdict(NO_VERDICT, reason=reason))


def test_the_finding_says_first_what_is_certain_and_last_what_is_open():
    lines = [
        make_line("zoom", OPEN),
        make_line("flip", HURTS, -0.024),
        make_line("shift", HELPS, 0.012),
        make_line("flip", HURTS, -0.051, label="7"),
        make_line("rotate", NO_EFFECT, 0.001),
        make_line("stretch", NO_HARM, 0.01),
    ]
    assert say_finding(lines, 0.976, 0.01) == (
        "Without augmentation 97.6 % of the test pictures are right. "
        "Helps: shift (+1.2 points). Hurts: flip (−2.4 points). "
        "No effect larger than 1 point: rotate. "
        "No harm larger than 1 point, but a gain is open: stretch. Open: zoom."
    )


def test_a_question_is_answered_in_the_finding():
    lines = [make_line("flip-cat", HURTS, -0.05, label="dog", primary=True)]
    assert say_finding(lines, None, 0.01) == "Hurts: flip-cat on dog (−5.0 points)."


def test_where_nothing_can_be_said_that_is_said():
    assert say_finding([make_silent("flip", "only 2 seeds")], None, 0.01).startswith("No verdict")
    assert say_finding([], None, 0.01) == ""
    assert explain([]) == ""


# --- the small print -------------------------------------------------------------------------


def test_a_claim_on_a_class_is_said_with_its_interval():
    text = explain([make_line("flip-cat", HURTS, -0.051, 0.031, "dog")])
    assert (
        "flip-cat lowers dog recall by 5.1 points against none (95 % interval 2.0 to 8.2)." in text
    )


def test_the_words_say_what_they_allow_for():
    lines = [
        make_line("flip", OPEN),
        make_line("zoom", OPEN),
        *(make_line(name, "", label=label) for name in ("flip", "zoom") for label in "ab"),
    ]
    told = "The words allow for 2 comparisons and 4 class recalls: the chance that any of them is"
    assert told in explain(lines)
    assert "allow for 1 comparison: the chance" in explain(lines[:1])


def test_which_control_is_which_is_said_where_they_differ():
    lines = [make_line("flip", OPEN), make_line("flip-cat", OPEN, control="duplicate-cat")]
    assert "Compared: flip against none and flip-cat against duplicate-cat." in explain(lines)
    assert "Compared" not in explain(lines[:1])


def test_many_lines_without_a_verdict_are_counted_not_named():
    """Two arms and six classes: every line has its own number of groups, all too small."""

    def silent(number):
        groups = 3 + number % 3
        reason = f"only {groups} test groups, at least 20 are needed"
        return make_silent(f"op{number // 6}", reason, groups, str(number % 6))

    lines = [silent(number) for number in range(12)]
    needed = "test groups, at least 20 are needed."
    assert explain(lines).startswith(f"No verdict on any of 12 lines: only 3 to 5 {needed}")
    some = explain([make_line("flip", HELPS, 0.1), *lines])
    assert f"No verdict on 12 lines: only 3 to 5 {needed}" in some
    few = explain(lines[:2])
    assert f"No verdict on op0 on 0 recall and op0 on 1 recall: only 3 to 4 {needed}" in few
    assert "No verdict on flip on accuracy: x." in explain([*lines, make_silent("flip", "x")])


def test_caveats_appear_only_where_they_apply():
    lines = [make_line("flip", HELPS, 0.1)]
    text = explain(lines, stored=["flip", "together"], best="flip")
    assert "flip and together: trained on variants that were made once; the intervals hold" in text
    assert "flip has the highest accuracy, but it was picked on the test set" in text
    for word in ("made once", "picked", "folds"):
        assert word not in explain(lines)
    # Two folds train on what the other tests; from three on they share pictures.
    assert "holds for these 2 folds: other ones could differ" in explain(lines, folds=2)
    assert "these 3 folds, whose training sets overlap: other" in explain(lines, folds=3)


def test_broken_runs_are_told():
    fine = {"collapsed": False, "failed_step": None}
    runs = [fine, fine | {"collapsed": True}, fine | {"failed_step": 7}, fine | {"failed_step": 9}]
    collapsed, failed = say_broken(Arm("flip", None, (0,), np.zeros((4, 1), int), runs))
    assert collapsed == "1 run of flip gave every picture one class; counted like the others."
    assert failed.startswith("2 runs of flip failed (the loss was no number at step 7 and 9);")
    assert list(say_broken(Arm("flip", None, (0,), np.zeros((1, 1), int), [fine]))) == []


# --- what to do next -------------------------------------------------------------------------


def test_the_next_step_has_its_cost_and_the_lines_to_write():
    step = NextStep("shift", "all", ("shift", "none"), 8, 6, 21.0)
    assert say_next(step, 440, 1430, 1) == (
        "Next: 6 more trainings of shift and none, about 20 s, would settle shift 4 times in 5, if "
        "its difference is as measured. Give each `seeds: 8` under experiments in params.yaml, and "
        "run: dvc repro"
    )
    assert "about 25 min" in say_next(NextStep("a", "dog", ("a",), 9, 4, 1500), 440, 1430, 1)


def test_where_seeds_do_not_help_pictures_may():
    pictures = NextStep("shift", "all", pictures=1200.0)
    folds = say_next(pictures, 440, 1430, 1)
    assert folds.startswith("Next: more trainings alone would not settle shift; about 1,200 test ")
    assert "with split.folds: 3 in params.yaml all 1,430 are tested, in 3 times as many" in folds
    more = say_next(NextStep("shift", "all", pictures=3000.0), 440, 1430, 1)
    assert more.endswith("about 3,000 test pictures would (now 440), more than there are.")
    assert "nothing in reach settles shift" in say_next(NextStep("shift", "all"), 440, 1430, 5)
    assert "all is settled" in say_next(None, 440, 1430, 1)


def test_a_margin_is_said_as_people_say_it():
    assert [say_points(share) for share in (0.01, 0.005, 0.02)] == [
        "1 point", "0.5 points", "2 points",
    ]  # fmt: skip


def test_a_study_in_rounds_at_its_end_says_what_is_open_and_what_asking_again_takes():
    step = NextStep("rotate", "all", ("rotate", "none"), 13)
    told = say_end(["rotate", "zoom"], step, 440, 40, 1200.0)
    assert "at its end (40 trainings, 20 min), and rotate and zoom are not settled." in told
    assert told.endswith(
        "the smallest has about 13 seeds each of rotate and none for rotate (26 trainings, about "
        "13 min)."
    )
    pictures = NextStep("zoom", "all", pictures=3000.0)
    assert "about 3,000 test pictures for zoom (now 440)." in say_end(["zoom"], pictures, 440, 9, 9)
    assert "Nothing in reach" in say_end(["zoom"], NextStep("zoom", "all"), 440, 9, 9)
    assert say_end([], None, 440, 9, 9).startswith("Next: nothing; all is settled")
