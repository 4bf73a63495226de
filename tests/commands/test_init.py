"""prep init: a whole project or nothing, and a reason; pictures that move with git and DVC.

In a project that is there already it says what a newer prep wants of it.
"""

import os
import subprocess
import sys

import pytest
import yaml
from conftest import write_params

from pipeline.commands import init
from pipeline.commands.init import init_project
from pipeline.errors import DataError
from pipeline.settings.loading import load_params, tell_defaults
from pipeline.settings.params import Params

pytestmark = pytest.mark.slow


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty current folder in which git knows no repository and has a name to commit by."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, cwd="."):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dvc(*words, cwd="."):
    return run(sys.executable, "-P", "-m", "dvc", *words, cwd=cwd)


def list_all(folder):
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in found if not name.startswith(".git/"))


@pytest.mark.parametrize(
    ("rule", "place", "file"),
    [
        ("data/", ".gitignore", "data/pets/dvc.yaml"),
        ("*", "data/.gitignore", "data/pets/dvc.yaml"),
        ("*.lock", ".gitignore", "data/pets/dvc.lock"),
        ("params.yaml", ".git/info/exclude", "data/pets/params.yaml"),
        (".dvc", ".gitignore", "data/pets/.dvc/config"),
    ],
)
def test_where_git_ignores_what_dvc_keeps_nothing_is_written(work, rule, place, file):
    run("git", "init", "--quiet")
    (work / place).parent.mkdir(parents=True, exist_ok=True)
    (work / place).write_text(f"{rule}\n")
    before = list_all(work)
    with pytest.raises(DataError) as caught:
        init_project(work / "data/pets", "pets")
    assert f"git ignores {work / file} (" in str(caught.value)
    assert f"{place}: {rule}), and DVC needs its files there in git" in str(caught.value)
    assert list_all(work) == before


@pytest.mark.parametrize("way", ["p", "p/raw", "p/raw/photos", "p/models"])
def test_a_file_in_the_way_is_named_and_nothing_is_written(work, way):
    (work / way).parent.mkdir(parents=True, exist_ok=True)
    (work / way).write_text("mine")
    before = list_all(work)
    with pytest.raises(DataError, match="is a file"):
        init_project(work / "p", "pets")
    assert list_all(work) == before


def test_a_folder_that_may_not_be_written_in_is_named(work, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DataError, match="you may not write in .*: start the project elsewhere"):
        init_project(work / "p", "pets")
    assert list_all(work) == []


@pytest.mark.parametrize("missing", ["git", "dvc"])
def test_without_git_or_dvc_nothing_is_written(work, monkeypatch, missing):
    if missing == "git":
        monkeypatch.setenv("PATH", str(work))
    else:
        monkeypatch.setattr(init.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="(?i)is not installed; prep init needs it"):
        init_project(work / "p", "pets")
    assert list_all(work) == []


@pytest.mark.parametrize("there", [False, True])
def test_whatever_fails_half_way_leaves_all_as_it_was(work, monkeypatch, there):
    if there:
        (work / "p/raw/photos/cat").mkdir(parents=True)
        (work / "p/raw/photos/cat/1.jpg").write_text("mine")
        (work / "p/.gitignore").write_text("mine")
    before = list_all(work)

    def fail(folder):
        (folder / ".dvc").mkdir()
        raise DataError("no room")

    monkeypatch.setattr(init, "_set_up_dvc", fail)
    with pytest.raises(DataError, match="no room"):
        init_project(work / "p", "pets")
    assert list_all(work) == before


def test_a_link_whose_disk_is_not_mounted_is_told_and_stays(work):
    (work / "p/raw").mkdir(parents=True)
    (work / "p/raw/photos").symlink_to("/nowhere/photos")
    before = list_all(work)
    with pytest.raises(DataError, match="raw/photos is a link that leads nowhere, to /nowhere/pho"):
        init_project(work / "p", "pets")
    assert list_all(work) == before
    assert (work / "p/raw/photos").is_symlink()


def test_a_list_of_what_git_takes_in_is_no_list_of_what_it_ignores(work):
    run("git", "init", "--quiet")
    rules = ["*.lock", "!dvc.lock", "*.yaml", "!params.yaml", "!dvc.yaml"]
    (work / ".gitignore").write_text("\n".join(rules))
    assert "is ready" in init_project(work / "p", "blank")


@pytest.mark.parametrize(("labels", "made"), [("folder", True), ("name", False)])
def test_folders_of_classes_are_made_where_they_say_the_labels(work, labels, made):
    source = {"path": "raw/pictures", "layout": "whole", "labels": labels}
    write_params(work, sources=[source])
    init_project(work, "blank")
    assert (work / "raw/pictures").is_dir()
    assert (work / "raw/pictures/bar").exists() is made


def test_settings_that_are_wrong_are_told_before_anything_is_written(work):
    (work / "p").mkdir()
    (work / "p/params.yaml").write_text("sources: 3\n")
    with pytest.raises(DataError):
        init_project(work / "p", "pets")
    assert list_all(work / "p") == ["params.yaml"]


def test_pictures_are_kept_by_dvc_and_come_along(work):
    """As raw/README.md says, by git and dvc themselves; the same in the template's gitignore."""
    said = init_project(work / "p", "pets")
    assert "commit once" in said
    (work / "p/raw/photos/cat/ü 1.png").write_bytes(b"picture")
    (work / "p/raw/photos/dog/2.png").write_bytes(b"another")
    (work / "p/raw/labels.csv").write_text("source,label,group\n")
    run("git", "add", "-A", cwd="p")
    kept = run("git", "ls-files", "raw", cwd="p").split()
    assert kept == ["raw/.gitignore", "raw/README.md", "raw/labels.csv"]
    dvc("add", "raw/photos", cwd="p")
    assert "raw/photos.dvc" in run("git", "ls-files", "raw", cwd="p")  # staged by itself
    dvc("remote", "add", "-d", "store", str(work / "store"), cwd="p")
    run("git", "add", "-A", cwd="p")
    run("git", "commit", "--quiet", "-m", "the pictures", cwd="p")
    dvc("push", cwd="p")
    run("git", "clone", "--quiet", "p", "q")
    dvc("pull", "raw/photos.dvc", cwd="q")
    assert (work / "q/raw/photos/cat/ü 1.png").read_bytes() == b"picture"
    assert (work / "q/raw/photos/dog/2.png").read_bytes() == b"another"
    assert "raw/photos.dvc" not in dvc("status", "raw/photos.dvc", cwd="q")


# --- in a project that is there already


@pytest.fixture
def older(tmp_path):
    """A project with a params.yaml; git and DVC are set up already, as far as init looks."""
    write_params(tmp_path)
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def change(folder, edit):
    content = yaml.safe_load((folder / "params.yaml").read_text())
    edit(content)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def test_it_names_each_setting_that_is_missing_with_the_default_that_holds(older):
    change(older, lambda content: content.pop("limits"))
    said = init_project(older, "blank").splitlines()
    assert "  tile: {fit: crop}" in said
    assert "  split: {near_duplicates: 4}" in said
    assert "  limits: {seconds: 60.0, memory_mb: 4000, pixels: 200000000}" in said
    (train,) = [line for line in said if line.startswith("  train: ")]
    assert "keep: average, minutes: null," in train
    assert "steps" not in yaml.safe_load(train)["train"]


def test_what_it_names_may_be_written_there_and_changes_nothing(older):
    before = load_params(older / "params.yaml")
    missing = yaml.safe_load("\n".join(tell_defaults(older / "params.yaml")))

    def add(content):
        for section, keys in missing.items():
            content[section] = content.get(section, {}) | keys

    change(older, add)
    assert load_params(older / "params.yaml") == before
    assert list(tell_defaults(older / "params.yaml")) == []


def test_it_names_keys_that_have_gone_beside_a_road_that_differs_and_writes_nothing(older):
    change(older, lambda content: content["train"].update(stepps=5, keeps="best"))
    (older / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(DataError) as error:
        init_project(older, "blank")
    told = str(error.value)
    assert "train.stepps: there is no such key. Did you mean 'steps'?" in told
    assert "train.keeps: there is no such key. Did you mean 'keep'?" in told
    assert "or of another version of prep" in told
    assert "dvc.yaml is not the road of this prep" in told
    assert sorted(path.name for path in older.iterdir()) == [".dvc", "dvc.yaml", "params.yaml"]


def test_the_sections_are_those_of_params(older):
    (older / "params.yaml").write_text(
        yaml.safe_dump(
            {
                "sources": [{"path": "raw/a", "layout": "whole"}],
                "classes": ["a", "b"],
                "augment": {"flip": {}},
                "experiments": {"none": {}},
            }
        )
    )
    named = {line.split(":")[0] for line in tell_defaults(older / "params.yaml")}
    assert named == set(Params.model_fields) - {"sources", "classes", "augment", "experiments"}
