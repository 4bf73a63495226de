"""Training runs on a tiny project: finished ones are kept, changed ones are trained again."""

import json

import pytest
from conftest import run_to, write_params


@pytest.fixture
def planned(project, prep):
    run_to(prep, "plan")
    return project


def train(prep, name="none"):
    code, printed, errors = prep("train", "--experiment", name)
    assert (code, errors) == (0, "")
    return printed


def run_file(project, seed, name="none"):
    return project / f"processed/runs/{name}/fold-0/seed-{seed}/run.json"


def test_a_finished_run_is_kept(planned, prep):
    assert train(prep).startswith("train: 2 runs of 6 steps in processed/runs, in")
    before = run_file(planned, 0).stat().st_mtime_ns
    assert "(2 were finished already)" in train(prep)
    assert run_file(planned, 0).stat().st_mtime_ns == before


def test_only_what_is_missing_is_trained(planned, prep):
    train(prep)
    run_file(planned, 1).unlink()
    assert "(1 were finished already)" in train(prep)
    assert run_file(planned, 1).exists()


@pytest.mark.parametrize("change", [{"steps": 7}, {"batch_size": 5}, {"model": "dense512"}])
def test_another_budget_trains_again(planned, prep, change):
    train(prep)
    budget = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": 2}
    write_params(planned, train=budget | change)
    assert "finished already" not in train(prep)


def test_runs_that_are_no_longer_asked_for_are_removed(planned, prep):
    train(prep)
    budget = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": [1]}
    write_params(planned, train=budget)
    assert "(1 were finished already)" in train(prep)
    assert not run_file(planned, 0).parent.exists()


def test_a_run_says_what_it_was_and_what_made_it(planned, prep):
    train(prep, "flip")
    run = json.loads(run_file(planned, 1, "flip").read_text())
    assert (run["seed"], run["fold"], run["steps"]) == (1, 0, 6)
    assert run["variants"] == run["originals"] > 0
    assert run["parameters"] == 784 * 16 + 16 + 16 * 2 + 2
    assert "keras" in run["versions"]
    history = (run_file(planned, 1, "flip").parent / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["step", "3", "6"]
