"""The ablation table: means, spreads, differences and what is left out, against scikit-learn."""

import csv
import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, precision_score

from pipeline.verdicts.ablation import Arm, compare_arms, count_primary, list_judged
from pipeline.verdicts.families import NO_HARM, OPEN, Verdict
from pipeline.verdicts.scores import score_run
from pipeline.verdicts.tables import (
    narrow,
    summarise,
    to_lines,
    to_row,
    widen,
    write_markdown,
    write_rows,
)

CLASSES = ["cat", "dog"]
LABELS = np.array([0, 0, 0, 1, 1] * 12)
GROUPS = np.array([f"photo {n // 2}" for n in range(len(LABELS))], object)


def make_arm(name, control, seeds, share_wrong):
    """Return an arm that gets about a share of the pictures wrong, other ones for each seed."""
    dice = np.random.default_rng(len(name))
    predicted = np.array(
        [np.where(dice.random(60) < share_wrong, 1 - LABELS, LABELS) for _ in seeds]
    )
    runs = [
        asdict(score_run(LABELS, row, 2)) | {"steps": 10, "originals": 40, "variants": 8}
        for row in predicted
    ]
    return Arm(name, control, tuple(seeds), predicted, runs)


@pytest.fixture
def arms():
    return [
        make_arm("none", None, range(5), 0.3),
        make_arm("flip", "none", range(5), 0.05),
        make_arm("lonely", None, range(2), 0.3),
        make_arm("short", "none", [4, 1, 9], 0.3),
    ]


@pytest.fixture
def results(arms):
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, margin=0.01)
    return {(r.experiment, r.metric, r.label): r for r in found}


def test_means_and_spreads_are_scikit_learns(arms, results):
    accuracies = [accuracy_score(LABELS, row) for row in arms[1].predicted]
    scores = [precision_recall_fscore_support(LABELS, row)[:3] for row in arms[1].predicted]
    result = results["flip", "accuracy", "all"]
    assert result.mean == pytest.approx(np.mean(accuracies))
    assert result.sd == pytest.approx(np.std(accuracies, ddof=1))
    for place, metric in enumerate(("precision", "recall", "f1")):
        for number, name in enumerate(CLASSES):
            expected = np.mean([score[place][number] for score in scores])
            assert results["flip", metric, name].mean == pytest.approx(expected)


def test_differences_are_between_the_means(results):
    for metric, name in (("accuracy", "all"), ("recall", "cat"), ("precision", "dog")):
        arm, control = results["flip", metric, name], results["none", metric, name]
        assert arm.estimate.difference == pytest.approx(arm.mean - control.mean, abs=2e-3)
        assert arm.estimate.low < arm.estimate.difference < arm.estimate.high


def test_accuracy_and_recalls_are_judged_and_nothing_else(results):
    judged = {key for key, result in results.items() if result.verdict}
    assert judged == {
        (name, metric, label)
        for name in ("flip", "short")
        for metric, label in (("accuracy", "all"), ("recall", "cat"), ("recall", "dog"))
    }
    assert results["flip", "accuracy", "all"].verdict.verdict == "helps"


def test_all_seeds_of_every_arm_are_used(arms, results):
    estimate = results["short", "accuracy", "all"].estimate
    assert (estimate.seeds, estimate.control_seeds) == (3, 5)
    expected = np.mean(arms[3].predicted == LABELS) - np.mean(arms[0].predicted == LABELS)
    assert estimate.difference == pytest.approx(expected)


def test_an_arm_that_changes_nothing_is_shown_and_not_tested(arms):
    arms[3] = replace(arms[3], judged=False)
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, margin=0.01)
    short = [result for result in found if result.experiment == "short"]
    assert all(result.verdict is None for result in short)
    assert all(r.estimate.low is not None for r in short if r.metric == "accuracy")


def test_a_question_stands_beside_the_accuracies(arms):
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, 0.01, {("flip", "cat")})
    by_key = {(r.experiment, r.label): r.verdict for r in found if r.verdict}
    assert by_key["flip", "cat"].primary
    assert not by_key["flip", "dog"].primary
    assert count_primary(list_judged(found)) == 3  # two accuracies and the question


def test_the_runs_of_a_twin_count_for_the_control(arms):
    """duplicate is none in another order: nine runs of none, but not in duplicate's own line."""
    twin = make_arm("duplicate", "none", range(4), 0.3)
    arms[0] = replace(arms[0], twin="duplicate")
    found = compare_arms([*arms, replace(twin, judged=False)], LABELS, GROUPS, CLASSES, 0.01)
    accuracy = {r.experiment: r for r in found if r.metric == "accuracy"}
    together = np.concatenate([arms[0].predicted, twin.predicted]) == LABELS
    assert accuracy["none"].runs == 9
    assert accuracy["none"].mean == pytest.approx(together.mean())
    flip = accuracy["flip"].estimate
    assert flip.control_seeds == 9
    assert flip.difference == pytest.approx(accuracy["flip"].mean - together.mean())
    assert accuracy["duplicate"].estimate.control_seeds == 5
    assert widen([*arms, twin], found, CLASSES)[0].rows[0][3] == "9 (4 of duplicate)"


def test_arms_on_another_share_of_the_tiles_say_nothing_of_the_spread(arms):
    wild = make_arm("none-50", None, range(5), 0.3)
    wild.predicted[0] = 1 - LABELS
    with_it, without = (
        compare_arms([*arms, *more], LABELS, GROUPS, CLASSES, 0.01)
        for more in ([replace(wild, share=0.5)], [])
    )
    width = [
        next(r for r in found if (r.experiment, r.metric) == ("flip", "accuracy")).estimate
        for found in (with_it, without)
    ]
    assert width[0] == width[1]


def test_a_difference_that_is_undefined_for_a_run_is_left_out(arms):
    """A collapsed run claims one class only: the other's precision is unknown, not 0."""
    collapsed = np.zeros_like(arms[1].predicted[0])
    arms[1].predicted[2] = collapsed
    arms[1].runs[2].update(asdict(score_run(LABELS, collapsed, 2)))
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, margin=0.01)
    precision = {(r.experiment, r.label): r for r in found if r.metric == "precision"}
    assert precision["flip", "dog"].estimate is None
    assert "difference" not in to_row(precision["flip", "dog"])
    assert precision["flip", "cat"].estimate is not None
    assert widen(arms, found, CLASSES)[0].rows[1][3] == "5 (1 collapsed)"


def test_a_mean_says_of_how_many_runs_it_is(arms):
    """Two of the runs never say dog: the mean of dog's precision is of the three others."""
    collapsed = np.zeros_like(arms[1].predicted[0])
    for run in (0, 3):
        arms[1].predicted[run] = collapsed
        arms[1].runs[run].update(asdict(score_run(LABELS, collapsed, 2)))
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, margin=0.01)
    dog = next(
        r for r in found if (r.experiment, r.metric, r.label) == ("flip", "precision", "dog")
    )
    others = [precision_score(LABELS, arms[1].predicted[run], pos_label=1) for run in (1, 2, 4)]
    assert dog.mean == pytest.approx(np.mean(others))
    assert to_row(dog)["runs"] == 3
    lines = {row[:3]: row[-1] for row in to_lines(found).rows}
    assert lines["flip", "dog", "precision"] == "3 of 5"
    assert lines["flip", "cat", "precision"] == lines["flip", "dog", "recall"] == "5"
    recall, precision = widen(arms, found, CLASSES)[1:]
    assert precision.rows[1][2] == f"{100 * np.mean(others):.1f} (3 of 5 runs)"
    assert "runs" not in recall.rows[1][2]


def test_a_failed_run_is_counted_in_the_table(arms):
    arms[1].runs[3]["failed_step"] = 7
    found = compare_arms(arms, LABELS, GROUPS, CLASSES, 0.01)
    assert widen(arms, found, CLASSES)[0].rows[1][3] == "5 (1 failed)"


def test_rows_of_the_long_table_leave_unknown_fields_empty(results):
    row = to_row(results["none", "accuracy", "all"])
    assert row["runs"] == 5
    assert "difference" not in row
    assert to_row(results["flip", "f1", "cat"]).get("p") is None
    estimate = results["flip", "recall", "cat"].estimate
    assert to_row(results["flip", "recall", "cat"])["p"] == f"{estimate.p:.6f}"


def test_the_summary_has_a_line_an_experiment_with_what_decides(arms, results):
    table = summarise(arms, list(results.values()))
    assert [row[0] for row in table.rows] == ["none", "flip", "lonely", "short"]
    assert table.title.startswith("Accuracy (%), difference to none")
    flip = table.rows[1]
    accuracy, moved = results["flip", "accuracy", "all"], results["flip", "recall", "dog"]
    assert flip[1] == f"{100 * accuracy.mean:.1f}"
    assert flip[2].startswith(f"+{100 * accuracy.estimate.difference:.1f} [+")
    assert flip[3] == "▲ helps"
    others = results["flip", "recall", "cat"].estimate.difference
    most = max(("cat", others), ("dog", moved.estimate.difference), key=lambda one: abs(one[1]))
    assert flip[4].startswith(f"{most[0]}: +{100 * most[1]:.1f}")
    assert table.rows[2][2:] == ("", "", "")


def test_an_interval_without_0_beside_open_says_why(arms, results):
    """Significant alone, not in the company of the others."""
    flip = results["flip", "accuracy", "all"]
    slight = replace(flip, verdict=Verdict(OPEN, level=0.001))
    lines = [slight if result is flip else result for result in results.values()]
    assert summarise(arms, lines).rows[1][3] == "? open, not enough among 2"
    half = replace(flip, verdict=Verdict(NO_HARM, level=0.001))
    lines = [half if result is flip else result for result in results.values()]
    assert summarise(arms, lines).rows[1][3] == "≥ no harm, not enough for more among 2"
    unclear = replace(slight, estimate=replace(flip.estimate, p=0.06))
    lines = [unclear if result is flip else result for result in results.values()]
    assert summarise(arms, lines).rows[1][3] == "? open"


def test_wide_tables_have_a_row_an_experiment(arms, results):
    accuracy, recall, precision = widen(arms, list(results.values()), CLASSES)
    assert [row[0] for row in accuracy.rows] == ["none", "flip", "lonely", "short"]
    assert recall.columns == ("experiment", "cat", "dog")
    assert "▲" in recall.rows[1][1]
    assert "[" in recall.rows[1][1], "with two classes there is room for the intervals"
    assert precision.rows[2][1].replace(".", "").isdigit()


def test_a_class_name_cannot_break_out_of_markdown(arms):
    found = compare_arms(arms, LABELS, GROUPS, ["a|b", "c"], margin=0.01)
    table = widen(arms, found, ["a|b", "c"])[1]
    assert "a\\|b" in write_markdown(table)


def test_lines_are_narrowed_by_metric_and_class(results):
    lines = list(results.values())
    assert {r.label for r in narrow(lines, "recall", None)} == {"cat", "dog"}
    assert {r.metric for r in narrow(lines, None, "dog")} == {"recall", "precision", "f1"}
    assert narrow(lines, None, None) == lines


def test_every_form_of_the_long_table_says_the_same(results):
    lines = narrow(list(results.values()), "recall", "cat")
    as_csv = list(csv.DictReader(io.StringIO(write_rows(lines, "csv"))))
    as_json = json.loads(write_rows(lines, "json"))
    assert [{k: str(v) for k, v in row.items()} for row in as_json] == as_csv
    assert [row["experiment"] for row in as_csv] == ["none", "flip", "lonely", "short"]
    markdown = write_rows(lines, "md").splitlines()
    assert markdown[2].split(" | ")[1:3] == ["control", "class"]
    assert "visible\\_effect" in write_rows(lines, "latex")
