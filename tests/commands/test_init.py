"""prep init in a project that is there already: what a newer prep wants of it."""

import pytest
import yaml
from conftest import write_params

from pipeline.commands.init import init_project
from pipeline.errors import DataError
from pipeline.settings.loading import load_params, tell_defaults
from pipeline.settings.params import Params


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
