"""prep compare by hand: other views of the scores that are there, and nothing written."""

import csv
import io

import pytest
from conftest import DATA_STAGES, once, write_params
from scipy.stats import binomtest

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


def test_a_seed_that_only_one_arm_has_is_left_out_and_named(scored, prep):
    path = scored / "processed/scores/flip/predictions.csv"
    header, *lines = path.read_text().splitlines()
    seed = header.split(",").index("seed")
    kept = [line for line in lines if line.split(",")[seed] != "2"]
    path.write_text("\n".join([header, *kept]) + "\n")
    code, printed, _ = prep("compare")
    told = "flip is compared with none on the seeds that both have; only one of them has 2."
    assert (code, told in " ".join(printed.split())) == (0, True)


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
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(project, prep, words, message):
    """There are no scores yet, and that is not what is told."""
    code, printed, errors = prep("compare", *words)
    assert (code, printed, message in errors) == (1, "", True)
