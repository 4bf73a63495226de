"""The whole road on a tiny project, with real `dvc repro`: what a change redoes, no more."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import yaml
from conftest import BLOBS, write_params, write_pictures

from pipeline.commands.init import init_project
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.verdicts.tables import LONG_COLUMNS

pytestmark = pytest.mark.slow

OWN_MODEL = """
from keras import Input, Sequential, layers
def build(shape, classes):
    return Sequential([Input(shape), layers.Flatten(), layers.Dense(3),
        layers.Dense(classes, activation="softmax")])
"""

BIN = Path(sys.executable).parent


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def dvc(folder: Path, *words: str) -> str:
    """Run dvc in the folder and return what it printed; `prep` is found beside this Python."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stages_run(printed: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", printed))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny project that has been through `dvc repro` once."""
    folder = tmp_path_factory.mktemp("road") / "project"
    init_project(folder, "blank")
    write_params(folder)
    write_pictures(folder)
    (folder / "raw/pictures/first").rmdir()
    (folder / "raw/pictures/second").rmdir()
    dvc(folder, "repro")
    return folder


def test_everything_is_there_at_the_end(finished):
    processed = finished / "processed"
    rows = read_table(processed / "ablation.csv", LONG_COLUMNS)
    assert {row["experiment"] for row in rows} == {"none", "flip", "rotate"}
    assert {row["class"] for row in rows} == {"all", *BLOBS}
    predictions = read_table(processed / "scores/flip/predictions.csv", COLUMNS["predictions"])
    tested = {row["id"] for row in predictions}
    split = read_table(processed / "split.csv", COLUMNS["split"])
    assert tested == {row["id"] for row in split if row["split"] == "test"}
    assert len(predictions) == 2 * len(tested)  # two seeds
    page = (processed / "report/index.html").read_text(encoding="utf-8")
    assert "Bars and squares" in page
    assert 'src="http' not in page


def test_nothing_to_do_runs_nothing(finished):
    assert stages_run(dvc(finished, "repro")) == set()


def test_a_change_of_one_op_redoes_its_variants_and_its_experiments_alone(finished):
    params = yaml.safe_load((finished / "params.yaml").read_text())
    params["augment"]["rotate"]["degrees"] = [-20, 20]
    (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    runs = {
        file: file.stat().st_mtime_ns
        for file in finished.glob("processed/runs/*/*/seed-*/run.json")
    }
    assert stages_run(dvc(finished, "repro")) == {
        "augment@rotate", "plan", "train", "compare", "report",
    }  # fmt: skip
    again = {file.parts[-4] for file, time in runs.items() if file.stat().st_mtime_ns != time}
    assert again == {"rotate"}


def test_another_size_of_tiles_is_made_and_not_taken_from_a_cache(finished):
    """DVC's cache of runs does not see a setting that is called `size`."""
    params = yaml.safe_load((finished / "params.yaml").read_text())
    for side in (24, 28):
        params["tile"]["size"] = side
        (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        assert "normalise" in stages_run(dvc(finished, "repro", "balance"))
        with h5py.File(finished / "processed/tiles.h5") as tiles:
            assert tiles["images"].shape[1:] == (side, side, 1)


def test_a_change_of_an_own_model_trains_again(finished):
    own = finished / "models/mine.py"
    own.write_text(OWN_MODEL)
    params = yaml.safe_load((finished / "params.yaml").read_text())
    params["train"] |= {"model": "models/mine.py:build", "seeds": 1}
    (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    dvc(finished, "repro", "train")
    assert stages_run(dvc(finished, "repro", "train")) == set()
    own.write_text(OWN_MODEL.replace("Dense(3)", "Dense(4)"))
    assert stages_run(dvc(finished, "repro", "train")) == {"plan", "train"}
    params["train"] |= {"model": "dense16", "seeds": 2}
    (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_a_killed_repro_goes_on_from_the_last_checkpoint(finished):
    """Killed when some run is finished and another has begun; two are trained at once."""
    params = yaml.safe_load((finished / "params.yaml").read_text())
    params["train"] |= {"model": "cnn", "steps": 90}
    (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    runs = finished / "processed/runs"
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/*/seed-*/run.json")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "-q", "train"],
        cwd=finished,
        env=environment() | {"LOKY_MAX_CPU_COUNT": "2"},
        start_new_session=True,
    )
    begun, done = [], {}
    while not (begun and done) and process.poll() is None:
        time.sleep(0.01)
        done = {path: path.stat().st_mtime_ns for path in runs.glob("*/*/seed-*/run.json")}
        done = {path: time for path, time in done.items() if before.get(path) != time}
        begun = list(runs.glob("*/*/.seed-*.npz"))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert begun and done, "the training ended before it could be killed"
    dvc(finished, "repro", "train")
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    steps = [json.loads(path.read_text())["steps"] for path in runs.glob("*/*/seed-*/run.json")]
    assert steps == [90] * 6
    assert not [path for path in runs.glob("*/*/*") if not path.name.startswith("seed-")]
    assert (finished / "processed/scores/rotate/metrics.json").exists()


def test_metrics_are_dvc_metrics(finished):
    shown = dvc(finished, "metrics", "show", "--json")
    assert '"accuracy"' in shown
    assert '"flip"' in shown


def test_plots_are_dvc_plots(finished):
    page = dvc(finished, "plots", "show").strip().removeprefix("file://")
    drawn = Path(page).read_text(encoding="utf-8")
    for name in ("accuracy.csv", "curves/flip.csv", "confusion/flip.csv"):
        assert f"report/plots/{name}".replace("/", "_").replace(".", "_") in drawn
