"""The whole road on a tiny project, with real `dvc repro`: what a change redoes, no more."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import BLOBS, write_params, write_pictures

from pipeline.ablation import LONG_COLUMNS
from pipeline.commands.init import init_project
from pipeline.tables import COLUMNS, read_table

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("road")]  # one worker: one `dvc repro`

BIN = Path(sys.executable).parent


def dvc(folder: Path, *words: str) -> str:
    """Run dvc in the folder and return what it printed; `prep` is found beside this Python."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=environment,
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
    assert stages_run(dvc(finished, "repro")) == {
        "augment@rotate", "plan", "train@rotate", "evaluate@rotate", "compare", "report",
    }  # fmt: skip


def test_metrics_are_dvc_metrics(finished):
    shown = dvc(finished, "metrics", "show", "--json")
    assert '"accuracy"' in shown
    assert '"flip"' in shown
