"""Training runs on a tiny project: finished ones are kept, stopped ones go on, failed ones stay."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import forget_notes, once, run_to, write_params

from pipeline.network import asking, fitting, saving
from pipeline.network.checkpoints import Checkpoint, write_checkpoint

pytestmark = pytest.mark.slow

BUDGET = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": 2}
NONE = ("--experiment", "none")


@pytest.fixture
def planned(project, prep):
    run_to(prep, "plan")
    return project


def train(prep, name="none"):
    code, printed, errors = prep("train", "--experiment", name)
    assert (code, errors) == (0, "")
    return printed


@pytest.fixture
def trained(project, prep):
    """A project in which the experiment `none` is trained."""

    def make():
        run_to(prep, "plan")
        train(prep)

    once("train none", make)
    return project


def run_file(project, seed, name="none"):
    return project / f"processed/runs/{name}/fold-0/seed-{seed}/run.json"


def test_a_finished_run_is_kept(planned, prep):
    assert train(prep).startswith("train: 2 runs of 6 steps in processed/runs, scored")
    before = run_file(planned, 0).stat().st_mtime_ns
    assert "(2 finished before)" in train(prep)
    assert run_file(planned, 0).stat().st_mtime_ns == before


def test_only_what_is_missing_is_trained(trained, prep):
    run_file(trained, 1).unlink()
    assert "(1 finished before)" in train(prep)
    assert run_file(trained, 1).exists()


@pytest.mark.parametrize("change", [{"steps": 7}, {"batch_size": 5}, {"model": "dense512"}])
def test_another_budget_trains_again(trained, prep, change):
    write_params(trained, train=BUDGET | change)
    assert "finished before" not in train(prep)


def test_runs_that_are_no_longer_asked_for_are_removed(trained, prep):
    write_params(trained, train=BUDGET | {"seeds": [1]})
    assert "(1 finished before)" in train(prep)
    assert not run_file(trained, 0).parent.exists()


def test_a_run_says_what_it_was_and_what_made_it(planned, prep):
    train(prep, "flip")
    run = json.loads(run_file(planned, 1, "flip").read_text())
    assert (run["seed"], run["fold"], run["steps"]) == (1, 0, 6)
    assert run["variants"] == run["originals"] > 0
    assert run["parameters"] == 784 * 16 + 16 + 16 * 2 + 2
    assert "keras" in run["versions"]
    history = (run_file(planned, 1, "flip").parent / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["step", "3", "6"]


def test_where_a_diverged_network_has_no_number_it_tells_no_class_from_another(
    trained, prep, monkeypatch
):
    asked = asking.predict

    def diverge(model, images):
        probabilities = asked(model, images)
        probabilities[3] = np.nan
        return probabilities

    monkeypatch.setattr(asking, "predict", diverge)
    assert prep("evaluate", *NONE)[0] == 0
    with (trained / "processed/scores/none/predictions.csv").open() as file:
        said = [(row["p0"], row["p1"]) for row in csv.DictReader(file)]
    assert said[3] == ("0.500000", "0.500000")
    assert ("0.500000", "0.500000") not in said[:3]


# --- Epochs, own models --------------------------------------------------------------------


def test_equal_epochs_give_an_experiment_with_more_tiles_more_steps(planned, prep):
    write_params(planned, train=BUDGET | {"budget": "epochs", "epochs": 2})
    code, printed, _ = prep("train")
    assert (code, printed[:31]) == (0, "train: 6 runs of 2 epochs in pr")
    for name in ("none", "flip"):
        run = json.loads(run_file(planned, 0, name).read_text())
        assert run["steps"] == -(-2 * (run["originals"] + run["variants"]) // 8)
        assert run["budget"]["budget"] == "epochs"
    prep("evaluate")
    assert "The arms ran equal epochs" in prep("compare")[1]


OWN = """
import keras
WIDTH = 3
def build(shape, classes):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(),
        keras.layers.Dense(WIDTH), keras.layers.Dense(classes, activation="softmax")])
"""


@pytest.fixture
def own_model(planned, prep):
    (planned / "models").mkdir()
    path = planned / "models/mine.py"
    path.write_text(OWN)
    write_params(planned, train=BUDGET | {"model": "models/mine.py:build"})
    assert prep("plan")[0] == 0
    return path


def test_an_own_model_is_trained_and_a_change_of_its_file_trains_again(own_model, planned, prep):
    train(prep)
    run = json.loads(run_file(planned, 0).read_text())
    assert run["parameters"] == 784 * 3 + 3 + 3 * 2 + 2
    own_model.write_text(OWN.replace("WIDTH = 3", "WIDTH = 4"))
    code, _, errors = prep("train", *NONE)
    assert code == 1
    assert "models/mine.py has changed since none was planned" in errors
    prep("plan")
    assert "finished before" not in train(prep)
    assert prep("evaluate", *NONE)[0] == 0
    assert not (own_model.parent / "__pycache__").exists()  # dvc would take it for a change


@pytest.mark.parametrize(
    "text, message",
    [
        ("def biuld(shape, classes): pass", "has no function build. Did you mean 'biuld'? It has"),
        ("def build(", "models/mine.py does not run: "),
        ("import kears", "models/mine.py does not run: No module named 'kears'"),
        ("def build(shape, classes): return 1", "models/mine.py:build returns int, not a Keras"),
        (OWN.replace("(classes, a", "(classes + 1, a"), "build tells 3 classes apart"),
    ],
)
def test_an_own_model_that_is_wrong_is_one_clear_error(own_model, prep, text, message):
    own_model.write_text(text)
    prep("plan")
    code, _, errors = prep("train", *NONE)
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


def test_a_model_that_dvc_does_not_watch_is_told_once(own_model, planned, prep):
    own_model.rename(planned / "mine.py")
    write_params(planned, train=BUDGET | {"model": "mine.py:build"})
    code, _, errors = prep("plan")
    assert (code, errors.count("dvc repro sees changes of models in models/ only")) == (0, 1)
    train(prep)


def test_a_missing_file_of_a_model_is_told_when_planning(own_model, prep):
    own_model.unlink()
    code, _, errors = prep("plan")
    assert code == 1
    assert "there is no file models/mine.py" in errors


def test_online_variants_and_balanced_classes_train_and_say_so(planned, prep):
    arms = {
        "none": {},
        "flip": {"ops": ["rotate"], "variants": "online"},
        "rotate": {"ops": ["rotate"], "classes": ["bar"], "balance": "oversample"},
        "weights": {"ops": ["rotate"], "classes": ["bar"], "balance": "weights"},
    }
    write_params(planned, experiments=arms)
    prep("plan")
    assert prep("train")[::2] == (0, "")
    runs = {name: json.loads(run_file(planned, 0, name).read_text()) for name in arms}
    assert [run["online"] for run in runs.values()] == [False, True, False, False]
    assert [run["repeats"] for run in runs.values()] == [0, 0, runs["rotate"]["variants"], 0]
    learned = {name: what_was_learned(run_file(planned, 0, name).parent)[0][0] for name in arms}
    assert len(set(learned.values())) == 4
    run_file(planned, 0, "flip").unlink()
    train(prep, "flip")
    assert what_was_learned(run_file(planned, 0, "flip").parent)[0][0] == learned["flip"]
    prep("evaluate")
    printed = prep("compare", "--all")[1]
    assert "rotate and weights: trained on variants that were made once" in printed


# --- Memory, precision ---------------------------------------------------------------------


def test_a_run_from_the_disk_ends_like_one_from_memory_and_is_the_same_run(planned, prep):
    write_params(planned, train=BUDGET | {"model": "cnn", "seeds": 1})
    for name in ("none", "flip"):
        train(prep, name)
    near = what_was_learned(run_file(planned, 0, "flip").parent)
    scores = score(planned, prep)
    write_params(planned, train=BUDGET | {"model": "cnn", "seeds": 1, "memory_mb": 0})
    assert "(1 finished before)" in train(prep, "flip")
    run_file(planned, 0, "flip").unlink()
    assert "(1 finished before)" not in train(prep, "flip")
    assert what_was_learned(run_file(planned, 0, "flip").parent) == near
    assert score(planned, prep) == scores


def score(project, prep):
    assert prep("evaluate", "--experiment", "flip")[0] == 0
    return (project / "processed/scores/flip/predictions.csv").read_bytes()


def test_another_precision_trains_again_and_says_so(trained, prep):
    near = what_was_learned(run_file(trained, 0).parent)
    write_params(trained, train=BUDGET | {"precision": "float32"})
    assert "(2 finished before)" in train(prep)
    assert "precision" not in json.loads(run_file(trained, 0).read_text())["budget"]
    write_params(trained, train=BUDGET | {"precision": "bfloat16"})
    assert "finished before" not in train(prep)
    assert json.loads(run_file(trained, 0).read_text())["budget"]["precision"] == "bfloat16"
    assert what_was_learned(run_file(trained, 0).parent) != near


# --- Failed runs ---------------------------------------------------------------------------


def test_a_failed_run_is_marked_kept_scored_and_told_of(planned, prep):
    for experiment in ("flip", "rotate"):
        train(prep, experiment)
    write_params(planned, train=BUDGET | {"learning_rate": 1e38})
    code, _, errors = prep("train", "--experiment", "none")
    assert code == 0
    assert "none, fold 0, seed 1 failed: the loss stopped being a number at step " in errors
    run = json.loads(run_file(planned, 1).read_text())
    assert 1 <= run["failed_step"] <= 6
    weights = saving.load(run_file(planned, 1).parent / "model.keras").get_weights()
    assert all(np.isfinite(array).all() for array in weights)
    prep("evaluate", "--experiment", "none")
    metrics = json.loads((planned / "processed/scores/none/metrics.json").read_text())
    assert [bool(run["failed_step"]) for run in metrics["runs"]] == [True, True]


def test_the_others_go_on_and_the_table_counts_the_failed(planned, prep):
    write_params(planned, train=BUDGET | {"learning_rate": 1e38})
    code, printed, errors = prep("train")
    assert (code, errors.count("failed:")) == (0, 6)
    assert printed.startswith("train: 6 runs")
    assert prep("evaluate")[0] == 0
    _, printed, _ = prep("compare", "--all")
    assert "2 (2 failed" in printed
    assert "2 runs of rotate failed (the loss was no number at step " in prep("compare")[1]


# --- Stopped runs --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("blow", ["SIGKILL", "SIGINT"])
def test_a_stopped_training_goes_on_and_ends_like_one_never_stopped(
    planned, prep, monkeypatch, blow
):
    write_params(planned, train=BUDGET | {"steps": 60, "seeds": 1, "model": "cnn"})
    place = run_file(planned, 0).parent.with_name(".seed-0.npz")
    stop_at_a_checkpoint(place, getattr(signal, blow))
    assert not run_file(planned, 0).exists()
    resumed = watch_resumed(monkeypatch)
    train(prep)
    stopped = what_was_learned(run_file(planned, 0).parent)
    assert not place.exists()
    run_file(planned, 0).unlink()
    train(prep)
    assert what_was_learned(run_file(planned, 0).parent) == stopped
    assert 0 < resumed[0] < 60 and resumed[1:] == [None]


def stop_at_a_checkpoint(place, blow):
    """Train in a process of its own and stop it when it has written a checkpoint."""
    process = subprocess.Popen([Path(sys.executable).parent / "prep", "train", "-q", *NONE])
    deadline = time.monotonic() + 60
    while not place.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    while process.poll() is None:
        process.send_signal(blow)  # again: a Ctrl-C that meets TensorFlow's own code can get lost
        time.sleep(0.2)
    assert process.returncode != 0


def watch_resumed(monkeypatch):
    """Return a list that gets, for each training, the step that it went on from."""
    steps = []
    fit = fitting.fit

    def watched(*arguments, resume, **more):
        steps.append(resume and resume.step)
        return fit(*arguments, resume=resume, **more)

    monkeypatch.setattr(fitting, "fit", watched)
    return steps


def what_was_learned(folder):
    """Return a run's weights and history, bit for bit."""
    weights = saving.load(folder / "model.keras").get_weights()
    return [array.tobytes() for array in weights], (folder / "history.csv").read_bytes()


def test_a_checkpoint_of_other_inputs_is_thrown_away(planned, prep, monkeypatch):
    place = run_file(planned, 0).parent.with_name(".seed-0.npz")
    write_checkpoint(place, Checkpoint((), 0, 1.0, [], [], 0.0), "of other inputs")
    resumed = watch_resumed(monkeypatch)
    train(prep)
    assert resumed == [None, None]
    assert not place.exists()


def test_what_a_killed_training_left_behind_is_removed(trained, prep):
    fold = run_file(trained, 0).parents[1]
    (fold / ".part-999999999-seed-0").mkdir()
    (fold / ".part-999999999-seed-0/model.keras").touch()
    (fold / ".part-999999999-.seed-0.npz").touch()
    (fold / ".seed-0.npz").touch()
    train(prep)
    assert sorted(path.name for path in fold.iterdir()) == ["seed-0", "seed-1"]


def test_a_run_of_another_split_is_not_tested(trained, prep):
    """Its training tiles may be among what are the test tiles now."""
    split = {"test": 0.3, "val": 0.2, "folds": 1, "group": "page", "seed": 2}
    write_params(trained, split=split)
    assert prep("split")[0] == 0
    code, _, errors = prep("evaluate", "--experiment", "none")
    assert (code, "split.csv has changed since the experiments were planned" in errors) == (1, True)
    for stage in ("augment", "plan"):
        assert prep(stage)[0] == 0
    code, _, errors = prep("evaluate", "--experiment", "none")
    assert (code, "prep train --experiment none" in errors) == (1, True)


def test_classes_in_another_order_are_not_taken_for_the_same(trained, prep):
    write_params(trained, classes=["square", "bar"])
    for stage in ("augment", "plan", "train", "evaluate"):
        code, _, errors = prep(stage)
        assert code == 1
        assert "classes" in errors


def test_a_run_whose_weights_are_damaged_is_not_scored_but_trained_again(trained, prep):
    weights = trained / "processed/runs/none/fold-0/seed-1/model.keras"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    code, _, errors = prep("evaluate", "--experiment", "none")
    said = " ".join(errors.split())
    assert (code, "seed-1 is damaged: model.keras is not the one that its" in said) == (1, True)
    assert "Train again with: prep train --experiment none" in said
    code, printed, errors = prep("train", "--experiment", "none")
    assert (code, "(1 finished before)" in printed) == (0, True)
    assert "; prep train trains that run again" in " ".join(errors.split())
    assert prep("evaluate", "--experiment", "none")[0] == 0


# --- Several at once ---------------------------------------------------------------------------


def read_learned(project):
    """Return the weights and history of each run, bit for bit, and all predictions."""
    runs = sorted((project / "processed/runs").glob("*/*/seed-*"))
    learned = {str(run.relative_to(project)): what_was_learned(run) for run in runs}
    scores = sorted((project / "processed/scores").glob("*/predictions.csv"))
    return learned, [file.read_text() for file in scores]


def run_prep(project, *words, **more):
    """Run `prep` as a program; return how it ended."""
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        cwd=project, env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True,
        check=False, **more,
    )  # fmt: skip


def test_the_numbers_are_the_same_however_many_are_trained_at_once(planned, prep):
    """cnn has dropout and convolutions; a process of its own each time."""
    write_params(planned, train=BUDGET | {"model": "cnn", "steps": 4})
    assert prep("plan")[0] == 0
    found = []
    for jobs in ("1", "2", "3"):
        for made in ("runs", "scores"):
            shutil.rmtree(planned / "processed" / made, ignore_errors=True)
        done = run_prep(planned, "train", "--jobs", jobs)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found.append(read_learned(planned))
    assert len(found[0][0]) == 6
    assert found[0] == found[1] == found[2]


def test_scoring_again_gives_the_same_predictions(planned, prep):
    assert prep("train")[0] == 0
    before = read_learned(planned)[1]
    assert prep("evaluate")[0] == 0
    assert read_learned(planned)[1] == before


def test_a_run_that_fails_does_not_stop_the_others(planned, prep):
    """flip's variants are others than was planned; none and rotate are trained all the same."""
    (planned / "processed/augmented/flip/bar.h5").write_bytes(
        (planned / "processed/augmented/rotate/bar.h5").read_bytes()
    )
    for jobs in ("1", "2"):
        code, printed, errors = prep("train", "--jobs", jobs)
        assert (code, printed) == (1, "")
        told = " ".join(errors.split())
        assert "2 of 6 runs could not be trained; the others are finished and kept." in told
        what = "is not as `prep augment --only flip` wrote it" if jobs == "1" else "has changed"
        assert f"flip, fold 0, seed 0 and 1 more: processed/augmented/flip/bar.h5 {what}" in told
        forget_notes(planned)  # then the plan's own digests tell
        for name in ("none", "rotate"):
            assert (planned / f"processed/scores/{name}/metrics.json").exists()
        assert not (planned / "processed/scores/flip").exists()


def test_a_process_that_dies_costs_its_run_and_no_other(planned, prep):
    """An own model that ends its process: each try of each run, and nothing else."""
    (planned / "models").mkdir(exist_ok=True)
    (planned / "models/deadly.py").write_text(
        "import os\n\ndef build(shape, classes):\n    os._exit(9)\n"
    )
    write_params(planned, train=BUDGET | {"model": "models/deadly.py:build", "seeds": 1})
    assert run_prep(planned, "plan").returncode != 0  # it times a few steps
    write_params(planned, train=BUDGET)
    assert prep("train", "--experiment", "none")[0] == 0


def test_scores_are_made_again_only_where_something_changed(planned, prep):
    assert prep("train")[0] == 0
    files = {path: path.stat().st_mtime_ns for path in planned.glob("processed/scores/*/*")}
    assert "(6 finished before)" in prep("train")[1]
    assert all(path.stat().st_mtime_ns == time for path, time in files.items())
    spoiled = planned / "processed/scores/flip/predictions.csv"
    whole = spoiled.read_text()
    spoiled.write_text(whole.replace("bar,square", "bar,bar", 1) + "\n")
    assert prep("train")[0] == 0
    assert spoiled.read_text() == whole
    again = {path for path, time in files.items() if path.stat().st_mtime_ns != time}
    assert {path.parent.name for path in again} == {"flip"}


def test_a_study_with_seeds_of_its_own_trains_so_many(planned, prep):
    experiments = {"none": {"seeds": 3}, "flip": {"ops": ["flip"]}}
    write_params(planned, train=BUDGET, experiments=experiments)
    assert prep("plan")[0] == 0
    assert prep("train")[1].startswith("train: 5 runs of 6 steps")
    assert len(list(planned.glob("processed/runs/none/fold-0/seed-*"))) == 3
