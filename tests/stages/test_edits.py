"""A table that somebody edited by hand is never overwritten in silence: it is kept, and told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import forget_notes, run_to, write_params, write_pictures

from pipeline.commands.init import init_project
from pipeline.project import EDITED, MADE_BY

ROAD = Path(__file__).parents[2] / "dvc.yaml"


@pytest.fixture
def made(project, prep):
    run_to(prep, "plan")
    return project / "processed"


def edit(path):
    """Leave the last row out, as a person does in a spreadsheet; return both files."""
    before = path.read_bytes()
    path.write_bytes(b"".join(before.splitlines(keepends=True)[:-1]))
    return before, path.read_bytes()


@pytest.mark.parametrize("name", EDITED)
def test_what_was_edited_is_kept_and_told_with_the_place_for_it(made, prep, name):
    before, edited = edit(made / name)
    code, _, errors = prep(MADE_BY[name])
    said = " ".join(errors.split())
    assert code == 0
    assert f"processed/{name} was edited by hand, or is damaged: it is kept as processed/" in said
    assert f"{name}.edited, and made anew" in said
    assert "raw/labels.csv" in said and "(see raw/README.md)" in said
    assert ((made / name).read_bytes(), (made / f"{name}.edited").read_bytes()) == (before, edited)


def test_one_edit_never_takes_the_place_of_another(made, prep):
    for number in range(3):
        edit(made / "boxes.csv")
        with (made / "boxes.csv").open("a") as file:
            file.write(f"{number}\n")
        assert prep("segment")[0] == 0
    kept = [made / f"boxes.csv.edited{end}" for end in ("", "1", "2")]
    assert [path.read_text().splitlines()[-1] for path in kept] == ["0", "1", "2"]


def test_what_nobody_edited_is_not_kept(made, prep, project):
    for seed in (2, 1):  # also where it becomes another, and back
        write_params(project, balance={"method": "undersample", "to": 9, "seed": seed})
        assert prep("balance")[2] == ""
    assert list(made.glob("*.edited*")) == []


def test_what_nobody_knows_of_is_kept_where_dvc_should_know_it(made, prep, project):
    forget_notes(project)
    _, edited = edit(made / "split.csv")
    (project / "dvc.lock").write_text("stages: {}")
    errors = " ".join(prep("split")[2].split())
    assert "processed/split.csv has no note of who wrote it: it is kept as" in errors
    assert (made / "split.csv.edited").read_bytes() == edited


def test_dvc_does_not_delete_what_people_edit():
    stages = yaml.safe_load(ROAD.read_text())["stages"]
    for name in EDITED:
        assert {f"processed/{name}": {"persist": True}} in stages[MADE_BY[name]]["outs"]


@pytest.mark.slow
def test_dvc_repro_keeps_what_was_edited(tmp_path):
    folder = tmp_path / "project"
    init_project(folder, "blank")
    for empty in ("first", "second"):
        (folder / "raw/pictures" / empty).rmdir()
    write_pictures(folder)
    write_params(folder)
    place = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def repro():
        words = [sys.executable, "-m", "dvc", "repro", "balance"]
        return subprocess.run(
            words, cwd=folder, env=os.environ | {"PATH": place}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    assert repro().returncode == 0
    before, edited = edit(folder / "processed/boxes.csv")
    done = repro()
    assert done.returncode == 0, done.stderr
    assert "it is kept as processed/boxes.csv.edited" in done.stdout + done.stderr
    assert (folder / "processed/boxes.csv").read_bytes() == before
    assert (folder / "processed/boxes.csv.edited").read_bytes() == edited
