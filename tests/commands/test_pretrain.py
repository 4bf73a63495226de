"""Fine-tuning: a net trained elsewhere, trained on here, and what it has then forgotten."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import once, run_to, write_params
from sklearn.metrics import confusion_matrix

from pipeline.intake.outside import read_outside
from pipeline.network import building, saving

pytestmark = pytest.mark.slow

TRAIN = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": 2}
NONE = ("--experiment", "none")


@pytest.fixture
def pretrained(project, prep):
    """The tiny project with a net in models/ that was trained on a copy of its tiles."""

    def make():
        run_to(prep, "plan")
        (project / "other").mkdir()
        for name in ("tiles.h5", "split.csv"):
            shutil.copy(project / "processed" / name, project / "other")
        code, printed, errors = prep("pretrain", "other/tiles.h5", "--steps", "60")
        assert (code, errors) == (0, "")
        assert "test tiles right" in printed

    once("pretrain", make, also=("other", "models"))
    return project


def fine_tune(project, prep, **changes):
    """Train on from the net and return the weights of seed 1."""
    settings = TRAIN | {"init": "models/pretrained.keras"} | changes
    write_params(project, train=settings)
    assert prep("plan")[0] == 0
    code, _, errors = prep("train", *NONE)
    assert (code, errors) == (0, "")
    return load_weights(project / "processed/runs/none/fold-0/seed-1/model.keras")


def load_weights(path):
    return saving.load(path).get_weights()


def test_which_tiles_from_elsewhere_are_wrong_is_shown_on_a_page(pretrained, prep):
    """The page counts what the models themselves say of the same tiles."""
    fine_tune(pretrained, prep, learning_rate=1e-9)
    where = ("--on", "other/tiles.h5", *NONE)
    code, printed, errors = prep("evaluate", *where, "--page", "page.html")
    assert (code, errors) == (0, "")
    assert "page.html, to be opened in a browser" in printed
    page = (pretrained / "page.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="answer-data">(.*?)</script>', page, re.S).group(1))
    tiles = read_outside(pretrained / "other/tiles.h5", "test")
    models = sorted((pretrained / "processed/runs/none").glob("fold-*/seed-*/model.keras"))
    said = [saving.load(path).predict(tiles.images, verbose=0).argmax(axis=1) for path in models]
    ever_wrong = np.any([one != tiles.labels for one in said], axis=0)
    assert len(data["labels"]) == ever_wrong.sum()
    confusion = sum(confusion_matrix(tiles.labels, one, labels=range(2)) for one in said)
    assert data["arms"]["none"]["confusion"] == confusion.tolist()


def test_every_run_starts_from_the_trained_weights(pretrained, prep):
    start = load_weights(pretrained / "models/pretrained.keras")
    tuned = fine_tune(pretrained, prep, learning_rate=1e-9)
    for one, two in zip(start, tuned, strict=True):
        assert one == pytest.approx(two, abs=1e-6)
    assert not np.array_equal(start[0], tuned[0])


def test_frozen_layers_stay_as_they_are(pretrained, prep):
    start = load_weights(pretrained / "models/pretrained.keras")
    tuned = fine_tune(pretrained, prep, freeze=1)
    assert np.array_equal(start[0], tuned[0])
    assert not np.array_equal(start[2], tuned[2])


def test_another_start_trains_again(pretrained, prep):
    fine_tune(pretrained, prep)
    assert "(2 finished before)" in prep("train", *NONE)[1]
    prep("pretrain", "other/tiles.h5", "--steps", "3", "--seed", "5")
    assert "has changed since none was planned" in prep("train", *NONE)[2]
    prep("plan")
    assert "finished before" not in prep("train", *NONE)[1]


def test_runs_and_files_are_tested_on_other_tiles_and_nothing_is_written(pretrained, prep):
    fine_tune(pretrained, prep)
    code, printed, errors = prep("evaluate", *NONE, "--on", "other/tiles.h5")
    assert (code, errors) == (0, "")
    metrics = json.loads((pretrained / "processed/scores/none/metrics.json").read_text())
    accuracy = 100 * np.mean([run["accuracy"] for run in metrics["runs"]])
    line = next(line.split() for line in printed.splitlines() if line.startswith("none"))
    assert line[:3] == ["none", "2", f"{accuracy:.2f}"]  # the other tiles are these ones here
    model = ("--model", "models/pretrained.keras")
    printed = prep("evaluate", "--on", "other/tiles.h5", *model)[1]
    assert "pretrained.keras  1     100.00    100.00  100.00" in printed


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"init": "models/missing.keras"}, "there is no file models/missing.keras"),
        ({"init": "models/pretrained.keras", "freeze": 2}, "2 layers .* can't be frozen"),
        ({"init": "models/pretrained.h5"}, "train.init: give a .keras file"),
        ({"init": "../x.keras"}, "train.init: give a path inside"),
        ({"freeze": 1}, "freeze needs init"),
    ],
)
def test_a_start_that_cannot_be_is_one_clear_error(pretrained, prep, settings, message):
    write_params(pretrained, train=TRAIN | settings)
    results = [prep("plan"), prep("train", *NONE)]
    code, _, errors = next(result for result in results if result[0])
    assert code == 1
    assert np.any([part in errors for part in message.split(" .* ")])
    assert "Traceback" not in errors


def test_a_model_alone_needs_tiles_to_be_tested_on(pretrained, prep):
    assert "--page needs --on" in prep("evaluate", "--page", "page.html")[2]
    assert "--model needs --on" in prep("evaluate", "--model", "models/pretrained.keras")[2]


def test_a_model_file_and_an_experiment_are_not_tested_at_once(project, prep):
    words = ("--on", "other.h5", "--model", "models/pretrained.keras", *NONE)
    code, _, errors = prep("evaluate", *words)
    assert (code, "--experiment its runs: leave one of them out" in errors) == (1, True)


@pytest.mark.parametrize(
    "words, message",
    [
        (("--out", "mine.h5"), "--out mine.h5: give a .keras file"),
        (("--seed", "5000000000"), "--seed 5000000000 is too large"),
    ],
)
def test_what_could_not_be_used_is_refused_before_the_training(project, prep, words, message):
    """There are no tiles to train on, and that is not what is told."""
    code, _, errors = prep("pretrain", "other/tiles.h5", *words)
    assert (code, message in errors) == (1, True)


def test_another_number_of_classes_gets_a_new_last_layer():
    base = building.build("dense16", (9, 7, 1), 5, seed=3)
    model, start = building.build_on(base, "base", (9, 7, 1), 3)
    building.restart(model, 1, start)
    one = model.get_weights()
    building.restart(model, 2, start)
    two = model.get_weights()
    assert [array.shape for array in one] == [(63, 16), (16,), (16, 3), (3,)]
    assert np.array_equal(one[0], base.get_weights()[0])
    assert np.array_equal(one[0], two[0])
    assert not np.array_equal(one[2], two[2])  # each seed draws its own
