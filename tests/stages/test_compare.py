"""prep compare by hand: other views of the scores that are there, and nothing written."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import DATA_STAGES, forget_notes, once, sign_predictions, write_params
from scipy.stats import binomtest
from terminals import run_in_terminal

from pipeline.dataset.tables import read_table
from pipeline.verdicts.tables import LONG_COLUMNS

pytestmark = pytest.mark.slow


@pytest.fixture
def scored(project, prep):
    budget = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": 3}
    write_params(project, train=budget, experiments={"none": {}, "flip": {"ops": ["flip"]}})

    def make():
        for stage in (*DATA_STAGES, "train", "evaluate", "compare"):
            assert prep(stage)[0] == 0

    once("compare", make)
    return project


def test_views_say_what_the_table_says_and_write_nothing(scored, prep):
    written = scored / "processed/ablation.csv"
    before = written.stat().st_mtime_ns
    code, printed, _ = prep("compare", "--metric", "recall", "--class", "bar", "--format", "csv")
    wanted = [
        row
        for row in read_table(written, LONG_COLUMNS)
        if (row["metric"], row["class"]) == ("recall", "bar")
    ]
    assert (code, list(csv.DictReader(io.StringIO(printed)))) == (0, wanted)
    _, printed, _ = prep("compare", "--against", "flip", "--metric", "accuracy", "--format", "csv")
    reversed_rows = {row["experiment"]: row for row in csv.DictReader(io.StringIO(printed))}
    assert reversed_rows["none"]["control"] == "flip"
    assert written.stat().st_mtime_ns == before


def test_a_view_to_read_is_in_per_cent_like_the_table(scored, prep):
    rows = read_table(scored / "processed/ablation.csv", LONG_COLUMNS)
    flip = next(row for row in rows if (row["experiment"], row["metric"]) == ("flip", "accuracy"))
    printed = prep("compare", "--class", "all")[1]
    line = next(line for line in printed.splitlines() if line.startswith("flip "))
    mean, sd = (f"{100 * float(flip[name]):.1f}" for name in ("mean", "sd"))
    assert line.split()[3:6] == [mean, "±", sd]


def test_a_seed_that_only_one_arm_has_counts_as_well(scored, prep):
    path = scored / "processed/scores/none/predictions.csv"
    header, *lines = path.read_text().splitlines()
    seed = header.split(",").index("seed")
    path.write_text("\n".join([header, *(one for one in lines if one.split(",")[seed] != "0")]))
    sign_predictions(scored, "none")
    printed = prep("compare", "--class", "all", "--format", "csv")[1]
    rows = {row["experiment"]: row for row in csv.DictReader(io.StringIO(printed))}
    right = {
        name: [row["label"] == row["predicted"] for row in read_table(file, ())]
        for name in ("none", "flip")
        for file in [scored / f"processed/scores/{name}/predictions.csv"]
    }
    expected = np.mean(right["flip"]) - np.mean(right["none"])  # three runs against two
    assert float(rows["flip"]["difference"]) == pytest.approx(expected, abs=1e-6)
    assert rows["flip"]["verdict"] == "no verdict"


def test_the_first_screen_fits_a_terminal_of_80_columns(scored):
    """In a real terminal: the finding, a line an experiment, what to do next; no word is torn."""
    shown = run_in_terminal(["compare"], scored, columns=80).splitlines()
    assert shown[0].startswith("Without augmentation ")
    assert max(map(len, shown)) <= 80
    assert len(shown) <= 24
    header = next(line for line in shown if line.startswith("experiment "))
    assert header.split() == ["experiment", "accuracy", "difference", "verdict", "moved", "most"]
    narrow = run_in_terminal(["compare", "--all"], scored, columns=48)
    assert max(map(len, narrow.splitlines())) <= 48
    for word in ("accuracy", "difference", "experiment", "control"):
        assert word in narrow


def test_mcnemar_is_told_for_each_pair_of_runs(scored, prep):
    code, printed, _ = prep("compare", "--mcnemar", "flip")
    rows = [line.split() for line in printed.splitlines() if line[:1].isdigit()]
    assert (code, [row[0] for row in rows]) == (0, ["0", "1", "2"])
    assert "It is no evidence about the op" in " ".join(printed.split())
    predictions = {
        name: {
            (row["seed"], row["id"]): row["label"] == row["predicted"]
            for row in read_table(scored / f"processed/scores/{name}/predictions.csv", ())
        }
        for name in ("none", "flip")
    }
    for seed, gained, lost, p in rows:
        right = [(predictions["flip"][key], predictions["none"][key])
                 for key in predictions["none"] if key[0] == seed]  # fmt: skip
        counts = right.count((True, False)), right.count((False, True))
        assert (int(gained), int(lost)) == counts
        expected = binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
        assert float(p) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    "words, message",
    [
        (("--against", "flp"), "Did you mean 'flip'"),
        (("--class", "bra"), "Did you mean 'bar'"),
        (("--mcnemar", "none"), "none has no control"),
    ],
)
def test_an_unknown_name_offers_the_nearest(scored, prep, words, message):
    code, _, errors = prep("compare", *words)
    assert (code, message in errors) == (1, True)


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ("--mcnemar", "flip", "--against", "rotate", "--format", "csv", "--metric", "recall"),
            "leave --against and --metric and --format out",
        ),
        (("--class", "all", "--metric", "recall"), "there is no recall of all"),
        (("--class", "bar", "--metric", "accuracy"), "there is no accuracy of bar"),
        (("--all", "--format", "csv"), "--all prints all tables, and --format chosen lines alone"),
        (("--all", "--mcnemar", "flip"), "--all prints all tables, and --mcnemar chosen lines"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(project, prep, words, message):
    """There are no scores yet, and that is not what is told."""
    code, printed, errors = prep("compare", *words)
    assert (code, printed, message in errors) == (1, "", True)


@pytest.mark.parametrize(
    "damage", [lambda text: text.replace("bar", "bra", 1), lambda text: text.replace(",", "", 1)]
)
def test_predictions_that_are_not_those_of_the_scores_are_refused(scored, prep, damage):
    """An unknown class, a lost comma: a table must not be made of it, also where no note is."""
    path = scored / "processed/scores/flip/predictions.csv"
    header, rest = path.read_text().split("\n", 1)
    path.write_text(header + "\n" + damage(rest))
    written = (scored / "processed/ablation.csv").read_bytes()
    assert "scores/flip/predictions.csv is not as `prep train` wrote it" in prep("compare")[2]
    forget_notes(scored)
    code, printed, errors = prep("compare")
    assert (code, printed) == (1, "")
    assert "scores/flip/predictions.csv is not the file that metrics.json beside it" in errors
    assert (scored / "processed/ablation.csv").read_bytes() == written
    assert prep("train")[0] == 0
    assert prep("compare")[0] == 0


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda run: run | {"accuracy": 0.99}, "does not say what the predictions beside it come"),
        (lambda run: run | {"accuracy": "much"}, "is damaged: accuracy: "),
        (lambda run: run | {"classes": None}, "is damaged: classes: "),
        (lambda run: {k: v for k, v in run.items() if k != "accuracy"}, "lacks accuracy"),
        (lambda run: run | {"classes": run["classes"][:1]}, "of seed 1 are not of 2 classes"),
        (lambda run: run | {"confusion": [[1, 2], [3]]}, "of seed 1 are not of 2 classes"),
        (lambda run: run | {"classes": [{"recall": 1.0}] * 2}, "is damaged: classes.0.precision"),
        (lambda run: run | {"steps": None}, "is damaged: steps"),
        (lambda run: {k: v for k, v in run.items() if k != "originals"}, "lacks originals"),
        (lambda run: run | {"seed": 77}, "does not say what the predictions beside it come to"),
    ],
)
def test_scores_that_do_not_agree_with_the_predictions_are_refused(scored, prep, damage, told):
    path = scored / "processed/scores/flip/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["runs"][1] = damage(metrics["runs"][1])
    path.write_text(json.dumps(metrics))
    forget_notes(scored)
    code, printed, errors = prep("compare")
    assert (code, printed, told in " ".join(errors.split())) == (1, "", True), errors


def test_scores_of_other_classes_are_refused(scored, prep):
    params = scored / "params.yaml"
    params.write_text(params.read_text().replace("- bar\n- square\n", "- square\n- bar\n"))
    code, printed, errors = prep("compare")
    assert (code, printed) == (1, "")
    assert "was scored with the classes bar, square; params.yaml has square, bar" in errors
