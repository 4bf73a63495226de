"""prep train in rounds: it stops where more runs settle nothing, and says which looks it made."""

import json
import shutil

import pytest
from conftest import forget_notes, once, run_to, write_params

from pipeline.verdicts import rounds

pytestmark = pytest.mark.slow

BUDGET = {"model": "dense16", "steps": 12, "batch_size": 8, "validate_every": 6}
ROUNDS = {"rounds": [3, 4, 6]}
SPLIT = {"test": 0.6, "val": 0.1, "near_duplicates": None}


def write(project, seeds=ROUNDS, **more):
    train = BUDGET | {"seeds": seeds} | more.pop("train", {})
    write_params(project, split=SPLIT, train=train, **more)


@pytest.fixture
def studied(project, prep, monkeypatch):
    """A study in rounds that was trained to its end: nothing is hopeless before."""
    monkeypatch.setattr(rounds, "HOPELESS", -1.0)
    write(project)

    def make():
        run_to(prep, "plan")
        code, _, errors = prep("train")
        assert (code, errors) == (0, "")

    once("rounds", make)
    return project


def read_looks(project):
    return json.loads((project / "processed/scores/rounds.json").read_text())


def count_seeds(project, name):
    return len(list((project / f"processed/runs/{name}/fold-0").glob("seed-*")))


def test_each_look_is_written_down_with_the_runs_that_it_had(studied):
    looks = read_looks(studied)
    assert [look["seeds"] for look in looks["looks"]] == [3, 4, 6]
    assert looks["ended"] == "rounds"
    for name in ("none", "flip", "rotate"):
        assert count_seeds(studied, name) == looks["seeds"][name] <= 6
    assert looks["seeds"]["none"] == max(looks["seeds"].values())
    assert (looks["margin"], looks["questions"]) == (1.0, [])


def test_the_table_allows_for_the_looks_and_says_so(studied, prep):
    printed = " ".join(prep("compare")[1].split())
    *first, last = (str(look["seeds"]) for look in read_looks(studied)["looks"])
    told = f"Judged with {', '.join(first)} and {last} seeds; the verdicts allow for every look;"
    assert told in printed
    assert "Next: this study is at its end (" in printed


def test_the_same_runs_give_the_same_looks_and_table_again(studied, prep):
    assert prep("compare")[0] == 0
    before, table = read_looks(studied), (studied / "processed/ablation.md").read_text()
    assert "finished before" in prep("train")[1]
    assert read_looks(studied) == before
    assert prep("compare")[0] == 0
    assert (studied / "processed/ablation.md").read_text() == table


def test_what_is_hopeless_takes_no_more_runs(project, prep, monkeypatch):
    monkeypatch.setattr(rounds, "HOPELESS", 2.0)
    write(project)
    run_to(prep, "plan")
    assert prep("train")[1].startswith("train: 9 runs")
    looks = read_looks(project)
    assert ([look["seeds"] for look in looks["looks"]], looks["ended"]) == ([3], "settled")
    assert count_seeds(project, "flip") == 3


def test_other_rounds_of_the_same_study_are_refused(studied, prep):
    write(studied, {"rounds": [3, 5]})
    code, _, errors = prep("train")
    told = " ".join(errors.split())
    assert code == 1
    assert "this study was looked at with the rounds [3, 4, 6]; go on with these." in told
    assert "delete processed/scores/rounds.json" in told


def test_another_study_begins_its_looks_anew(studied, prep):
    write(studied, {"rounds": [3, 5]}, train={"steps": 6})
    assert prep("plan")[0] == 0
    code, _, errors = prep("train")
    assert (code, "its looks count anew" in errors) == (0, True)
    assert read_looks(studied)["rounds"] == [3, 5]
    told = " ".join(prep("compare")[1].split())
    assert "it was looked at 3 times; the words do not allow for that" in told
    assert prep("train")[2] == ""  # told once
    assert read_looks(studied)["earlier"] == 3


def test_another_margin_is_told_as_asked_afterwards(studied, prep):
    write(studied, compare={"margin": 9.0})
    assert "asked afterwards" in " ".join(prep("compare")[1].split())


def test_seeds_that_are_added_by_hand_are_told_as_what_they_are(studied, prep):
    write(studied, 7)
    assert prep("train")[0] == 0
    told = " ".join(prep("compare")[1].split())
    assert "Seeds of none, flip, rotate were added after looks at 3, 4 and 6 seeds" in told
    assert "nothing of the 5 % was left" in told
    assert "Next:" not in told
    assert "the looks at it have spent the 5 %" in " ".join(prep("advise")[1].split())
    assert count_seeds(studied, "flip") == 7


def test_the_same_seeds_as_were_looked_at_are_no_added_ones(studied, prep):
    write(studied, 6)
    told = " ".join(prep("compare")[1].split())
    assert "were added" not in told
    assert "Judged with 3, 4 and 6 seeds; the verdicts allow for every look" in told


def test_seeds_of_one_experiment_that_are_added_are_told(studied, prep):
    experiments = {"none": {}, "flip": {"ops": ["flip"], "seeds": 8}, "rotate": {"ops": ["rotate"]}}
    write(studied, experiments=experiments)
    assert prep("train", "--experiment", "flip")[0] == 0
    assert "Seeds of flip were added after looks" in " ".join(prep("compare")[1].split())


def test_another_margin_does_not_begin_the_looks_anew(studied, prep):
    write(studied, compare={"margin": 9.0})
    code, _, errors = prep("train")
    assert (code, "looked at with another margin or other questions" in errors) == (1, True)
    assert [look["seeds"] for look in read_looks(studied)["looks"]] == [3, 4, 6]


@pytest.mark.parametrize(
    "damage",
    [{"rounds": []}, {"rounds": [0]}, {"rounds": [3]}, {"seeds": {"none": 0}}, {"looks": 5}],
)
def test_a_record_that_can_not_be_is_told_with_the_way_out(studied, prep, damage):
    path = studied / "processed/scores/rounds.json"
    path.write_text(json.dumps(read_looks(studied) | damage))
    code, _, errors = prep("compare")
    assert (code, "rounds.json is not as `prep train` wrote it" in errors) == (1, True)
    assert "delete processed/scores/rounds.json" in errors
    forget_notes(studied)
    code, _, errors = prep("compare")
    assert (code, "scores/rounds.json is damaged" in errors) == (1, True)
    assert "delete processed/scores/rounds.json" in errors


def test_too_little_time_for_the_first_round_is_told_with_what_it_takes(project, prep):
    write(project)
    run_to(prep, "plan")
    code, _, errors = prep("train", "--minutes", "0.0001")
    assert code == 1
    assert "too short for the first round: its 9 trainings take about 10 s" in errors
    assert not (project / "processed/runs").exists()


def test_where_time_ends_the_rounds_end_and_that_is_told(studied, prep):
    """All runs of the first round are there; there is no time for one more."""
    for name in ("none", "flip", "rotate"):
        for seed in range(3, 6):
            shutil.rmtree(studied / f"processed/runs/{name}/fold-0/seed-{seed}", ignore_errors=True)
    assert prep("train", "--minutes", "0.00001")[0] == 0
    assert [look["seeds"] for look in read_looks(studied)["looks"]] == [3]
    assert read_looks(studied)["ended"] == "minutes"
    assert "the time for more rounds is up" in " ".join(prep("compare")[1].split())


def test_minutes_without_rounds_are_refused(project, prep):
    write(project, 3)
    run_to(prep, "plan")
    code, _, errors = prep("train", "--minutes", "5")
    assert (code, "--minutes limits a study in rounds" in errors) == (1, True)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"seeds": {"rounds": [4, 4, 7]}}, "rounds have to rise, as in [4, 7, 10, 15] (found: [4"),
        ({"seeds": {"rounds": [5]}}, "rounds have to rise"),
        (
            {"seeds": {"rounds": [2, 5]}},
            "train.seeds.rounds.0: it should be greater than or equal to 3",
        ),
        ({"seeds": 5, "minutes": 10}, "minutes limits rounds"),
    ],
)
def test_rounds_that_can_not_be_are_told(project, prep, train, message):
    write_params(project, train=BUDGET | train)
    code, _, errors = prep("ingest")
    assert (code, message in errors) == (1, True), errors


def test_files_are_checked_against_the_seeds_that_there_are(studied, prep):
    code, _, errors = prep("check", "files")
    assert code == 0, errors
