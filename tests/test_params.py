"""params.yaml: defaults, types, and errors that name the key and the nearest known one."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.errors import DataError
from pipeline.params import Params, load_params

MINIMAL = {
    "sources": [{"path": "raw/photos", "layout": "whole"}],
    "classes": ["cat", "dog"],
    "augment": {"flip": {}, "rotate": {"degrees": [-10, 10]}, "duplicate": None},
    "experiments": {"none": None, "flip-cat": {"ops": ["flip"], "classes": ["cat"]}},
}


@pytest.fixture
def load(tmp_path):
    def load_with(**changes):
        content = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_params(tmp_path / "params.yaml")

    return load_with


def test_a_minimal_file_gets_every_default(load):
    params = load()
    assert params.classes == ("cat", "dog")
    assert params.train.seeds == (0, 1, 2)
    assert params.augment["rotate"].draw_names == ("degrees",)
    assert params.experiments["flip-cat"].classes == ("cat",)


def test_numbers_are_class_names_too(load):
    experiments = {"none": {}}
    assert load(classes=[0, 1], experiments=experiments).classes == ("0", "1")


@pytest.mark.parametrize("name", ["a<b>&\"c'", "日本", "🐈", "no cat", "CON2"])
def test_a_class_may_have_any_name_that_is_no_path(load, name):
    assert load(classes=[name, "x"], experiments={"none": {}}).classes == (name, "x")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "a\\b",
        "",
        ".",
        "..",
        "nul",
        "COM1.txt",
        "a\x00b",
        "a\x9bb",
        "all",
        " a",
        True,
        1.5,
    ],
)
def test_a_class_name_that_forms_a_path_is_refused(load, name):
    with pytest.raises(DataError, match=r"params\.yaml: classes"):
        load(classes=[name, "x"], experiments={"none": {}})


@pytest.mark.parametrize("seeds, expected", [(2, (0, 1)), ([7, 3], (7, 3))])
def test_seeds_are_a_count_or_a_list(load, seeds, expected):
    assert load(train={"seeds": seeds}).train.seeds == expected


def test_the_control_defaults_to_none(load):
    params = load(
        experiments={"none": {}, "a": {}, "b": {"control": "a"}},
    )
    assert [params.control_of(name) for name in ("none", "a", "b")] == [None, "none", "a"]
    assert load(experiments={"a": {}}).control_of("a") is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"split": {"tset": 0.2}}, r"split\.tset: there is no such key\. Did you mean 'test'"),
        ({"sources": [{"path": "raw", "layot": "whole"}]}, r"layot.*Did you mean 'layout'"),
        ({"spilt": {}}, r"spilt: there is no such key\. Did you mean 'split'"),
        ({"split": {"test": 1.5}}, r"split\.test: .*less than 1 .found: 1\.5"),
        ({"split": {"test": "a fifth"}}, r"split\.test: .*number.*found: 'a fifth'"),
        ({"tile": {"method": "mnsit"}}, r"tile\.method: it should be.*Did you mean 'mnist'"),
        ({"balance": {"to": "all"}}, r"balance\.to: it should be 'smallest'.*; or .*integer"),
        ({"experiments": {"x": {"ops": "flip"}}}, r"experiments\.x\.ops: it should be a list"),
        ({"train": {"model": "deepconf"}}, r"train\.model: unknown model.*Did you mean 'deepconv'"),
        ({"train": {"seeds": [1, 1]}}, r"train\.seeds: .*different"),
        ({"tile": {"method": "emnist", "channels": 3}}, r"tile: .*set channels: 1"),
        ({"sources": []}, r"sources: "),
        ({"sources": [{"path": "../x", "layout": "free"}]}, r"sources\.0\.path: .*inside"),
        ({"sources": [{"path": "raw", "layout": "cells"}]}, r"sources\.0: .*needs rows: and"),
        ({"classes": ["a", "A"]}, r"classes: two classes have the same name"),
        ({"augment": {"flip": {"direktion": "vertical"}}}, r"direktion.*direction"),
        ({"augment": {"a b": {"transform": "flip"}}}, r"augment: 'a b' is no name"),
        ({"experiments": {"x": {"ops": ["flipp"]}}}, r"experiments\.x: 'flipp' is not in augment"),
        ({"experiments": {"x": {"classes": ["cta"]}}}, r"'cta' is not in classes.*'cat'"),
        ({"experiments": {"x": {"control": "non"}, "none": {}}}, r"'non' is not in exp.*'none'"),
        ({"train": {"model": "../mine.py:build"}}, r"train\.model: give a path inside"),
        ({"train": {"model": "mine.py"}}, r"unknown model 'mine.py'.*models/mine\.py:build"),
        ({"train": {"budget": "epochs"}}, r"train: budget: epochs and epochs: .how many"),
        ({"train": {"epochs": 3}}, r"train: budget: epochs and epochs: .how many"),
        (
            {"experiments": {"x": {"ops": ["flip"], "classes": {"flpi": ["cat"]}}}},
            r"experiments.*classes: 'flpi' is not in its ops\. Did you mean 'flip'",
        ),
        (
            {"experiments": {"x": {"ops": ["flip"], "classes": {"flip": ["cta"]}}}},
            r"'cta' is not in classes.*'cat'",
        ),
        ({"experiments": {"x": {"variants": "onlin"}}}, r"variants: .*'stored' or 'online'"),
        ({"experiments": {"x; rm -rf": {}}}, r"'x; rm -rf' is no name"),
    ],
)  # fmt: skip
def test_a_wrong_setting_names_the_key_and_the_nearest(load, changes, message):
    with pytest.raises(DataError, match=message):
        load(**changes)


def test_each_op_of_an_experiment_may_have_classes_of_its_own(load):
    ideas = {"ops": ["flip", "rotate"], "classes": {"flip": ["cat"]}}
    params = load(experiments={"none": {}, "ideas": ideas})
    assert params.classes_of("ideas", "flip") == ("cat",)
    assert params.classes_of("ideas", "rotate") == ("cat", "dog")
    assert params.count_variants("ideas") == {"cat": 2, "dog": 1}
    assert params.control_of("ideas") is None
    assert "duplicate: [dog], duplicate-2: [cat]" in params.explain_missing_control("ideas")


def test_as_many_variants_of_each_class_need_no_control_of_their_own(load):
    ideas = {"ops": ["flip", "rotate"], "classes": {"flip": ["cat"], "rotate": ["dog"]}}
    assert load(experiments={"none": {}, "ideas": ideas}).control_of("ideas") == "none"


def test_every_wrong_setting_gets_its_line(load):
    with pytest.raises(DataError) as error:
        load(split={"tset": 0.2, "val": -1}, train={"steps": 0})
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["classes: [a", "- a\n- b", "\xff"])
def test_what_is_no_map_is_refused(tmp_path, text):
    (tmp_path / "params.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"params\.yaml"):
        load_params(tmp_path / "params.yaml")


def test_a_missing_file_says_how_to_start(tmp_path):
    with pytest.raises(DataError, match="prep init"):
        load_params(tmp_path / "params.yaml")


def test_the_presets_and_the_root_are_valid():
    root = Path(__file__).parents[1]
    for path in [root / "params.yaml", *root.glob("pipeline/presets/*/params.yaml")]:
        assert isinstance(load_params(path), Params)


AUGMENT = {
    "flip": {},
    "turn": {"transform": "rotate", "degrees": 5, "copies": 3},
    "duplicate": {},
    "duplicate-3": {"transform": "duplicate", "copies": 3},
}


@pytest.mark.parametrize(
    "experiment, control, expected",
    [
        (("flip", None), (), "control"),
        (("flip", None), ("duplicate", None), "control"),
        (("flip", "cat"), (), None),
        (("flip", "cat"), ("duplicate", "cat"), "control"),
        (("flip", "cat"), ("duplicate", "dog"), None),
        (("turn", "cat"), ("duplicate", "cat"), None),
        (("turn", "cat"), ("duplicate-3", "cat"), "control"),
    ],
)  # fmt: skip
def test_a_control_makes_the_classes_as_frequent(load, experiment, control, expected):
    def write(op=None, label=None):
        return {"ops": [op] if op else [], "classes": [label] if label else None}

    arms = {"control": write(*control), "arm": write(*experiment) | {"control": "control"}}
    assert load(augment=AUGMENT, experiments=arms).control_of("arm") == expected


@pytest.mark.parametrize("op", ["flip", "turn"])
def test_the_lines_that_are_suggested_give_a_control(load, op):
    """Whatever the classes are called: the line is pasted into the file and read again."""
    arms = {"none": {}, "arm": {"ops": [op], "classes": ["no", "a cat"]}}
    classes = ["no", "a cat", "dog"]
    params = load(augment=AUGMENT, experiments=arms, classes=classes)
    advice = params.explain_missing_control("arm")
    pasted = [yaml.safe_load(line) for line in re.findall(r"`([^`]+)`", advice)]
    recipe, control, pointer = pasted
    arms = arms | control | {"arm": arms["arm"] | pointer}
    params = load(augment=AUGMENT | recipe, experiments=arms, classes=classes)
    assert params.control_of("arm") == "duplicate-for-arm"
    assert params.explain_missing_control("arm") == ""
    assert params.explain_missing_control("duplicate-for-arm") == ""


SHARES = {"none": {}, "none-50": {"share": 0.5}, "flip": {"ops": ["flip"]}}
HALF = {"ops": ["flip"], "share": 0.5}


def test_a_share_of_the_training_tiles_has_no_control_and_needs_none(load):
    params = load(experiments=SHARES | {"flip-50": HALF})
    controls = {name: params.control_of(name) for name in params.experiments}
    assert controls == {"none": None, "none-50": None, "flip": "none", "flip-50": None}
    assert not any(map(params.explain_missing_control, params.experiments))


def test_a_control_with_the_same_share_is_one(load):
    params = load(experiments=SHARES | {"flip-50": HALF | {"control": "none-50"}})
    assert params.control_of("flip-50") == "none-50"


@pytest.mark.parametrize("classes", [["cat"], None])
def test_the_lines_that_are_suggested_at_a_share_give_a_control(load, classes):
    odd = {"ops": ["duplicate"], "classes": ["dog"], "share": 0.5}
    arm = HALF | {"classes": classes, "control": "odd"}
    arms = {"odd": odd, "arm": arm}
    advice = load(augment=AUGMENT, experiments=arms).explain_missing_control("arm")
    *recipe, control, pointer = [yaml.safe_load(line) for line in re.findall(r"`([^`]+)`", advice)]
    arms = arms | control | {"arm": arm | pointer}
    recipes = AUGMENT | (recipe[0] if recipe else {})
    assert load(augment=recipes, experiments=arms).control_of("arm") == pointer["control"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"a": {"share": 0}}, r"experiments\.a\.share: .*greater than 0"),
        ({"a": {"share": 1.5}}, r"experiments\.a\.share: .*less than or equal to 1"),
        ({"a": {"shar": 0.5}}, r"shar: there is no such key\. Did you mean 'share'"),
        ({"a": HALF | {"control": "none"}}, r"control: none trains on 100 % .* a on 50 %"),
        ({"none": {"share": 0.5}}, r"experiments\.none: share: .*`none-50: \{share: 0\.5\}`"),
    ],
)
def test_a_wrong_share_is_told(load, changes, message):
    with pytest.raises(DataError, match=message):
        load(experiments=SHARES | changes)
