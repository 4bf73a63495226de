"""params.yaml: defaults, types, and errors that name the key and the nearest known one."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.dataset.splits import split_shares, undersample
from pipeline.errors import DataError
from pipeline.settings import sections
from pipeline.settings.controls import explain_missing_control
from pipeline.settings.loading import list_source_places, load_params
from pipeline.settings.params import Params
from pipeline.settings.sections import Balance, Limits, Source, Split, Train
from pipeline.verdicts import estimates

INF, NAN = float("inf"), float("nan")

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
        "COM¹.txt",
        "conin$",
        "con .txt",
        "COM1.txt",
        "a\x00b",
        "a\x9bb",
        "all",
        "-",
        " a",
        True,
        1.5,
    ],
)
def test_a_class_name_that_forms_a_path_is_refused(load, name):
    with pytest.raises(DataError, match=r"params\.yaml: classes"):
        load(classes=[name, "x"], experiments={"none": {}})


@pytest.mark.parametrize("path", ["raw/photos", "./raw/photos/", "raw//./photos"])
def test_a_picture_is_of_its_source_however_the_path_is_written(load, path):
    params = load(sources=[{"path": path, "layout": "whole"}])
    assert params.source_of("raw/photos/cat/1.png").path == "raw/photos"


def test_a_minus_is_called_by_a_name(load):
    with pytest.raises(DataError, match=r"raw/labels\.csv.*'minus'"):
        load(classes=["-", "x"], experiments={"none": {}})


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
        ({"split": {"test": 1.5}}, r"split\.test: .*less than 1.*whole number .found: 1\.5"),
        ({"split": {"test": "a fifth"}}, r"split\.test: .*number.*found: 'a fifth'"),
        ({"tile": {"method": "mnsit"}}, r"tile\.method: it should be.*Did you mean 'mnist'"),
        ({"balance": {"to": "all"}}, r"balance\.to: it should be 'smallest'; or .*whole number"),
        ({"experiments": {"x": {"ops": "flip"}}}, r"experiments\.x\.ops: it should be a list"),
        ({"train": {"model": "deepconf"}}, r"train\.model: unknown model.*Did you mean 'deepconv'"),
        ({"train": {"seeds": [1, 1]}}, r"train\.seeds: .*different"),
        ({"tile": {"method": "emnist", "channels": 3}}, r"tile: .*set channels: 1"),
        ({"sources": []}, r"sources: "),
        ({"sources": [{"path": "../x", "layout": "free"}]}, r"sources\.0\.path: .*inside"),
        ({"sources": [{"path": "", "layout": "free"}]}, r"sources\.0\.path: give a folder inside"),
        ({"sources": [{"path": "./", "layout": "free"}]}, r"sources\.0\.path: give a folder ins"),
        ({"sources": [{"path": "raw", "layout": "cells"}]}, r"sources\.0: .*needs rows: and"),
        ({"classes": ["a", "b", "a"]}, r"classes: 'a' stands there twice"),
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


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"balance": {"seed": -1}}, r"balance\.seed: .*greater than or equal to 0 .found: -1"),
        ({"split": {"seed": -1}}, r"split\.seed: .*greater than or equal to 0"),
        ({"split": {"seed": 2**32 - 1}}, r"split\.seed: .*less than 4294967295"),
        ({"train": {"seeds": [0, -1]}}, r"train\.seeds\.1: .*greater than or equal to 0"),
        ({"train": {"seeds": [5_000_000_000]}}, r"train\.seeds\.0: .*less than 4294967295"),
        ({"train": {"seeds": [[1]]}}, r"train\.seeds\.0: .*whole number .found: \[1\]"),
        ({"train": {"seeds": 20_260_101}}, r"train\.seeds: .*how many.*a list, as in \[7, 8, 9\]"),
        ({"train": {"budget": "epochs", "epochs": INF}}, r"train\.epochs: .*finite"),
        ({"train": {"budget": "epochs", "epochs": NAN}}, r"train\.epochs: .*finite"),
        ({"train": {"budget": "epochs", "epochs": 1e300}}, r"train\.epochs: .*1000000"),
        ({"train": {"learning_rate": INF}}, r"train\.learning_rate: .*finite"),
        ({"train": {"learning_rate": 1e300}}, r"train\.learning_rate: .*or equal to 10000000000"),
        ({"train": {"steps": 10**18}}, r"train\.steps: .*less than or equal to 1000000000"),
        ({"limits": {"memory_mb": 10**16}}, r"limits\.memory_mb: .*or equal to 10000000"),
        ({"limits": {"seconds": 1e20}}, r"limits\.seconds: .*less than or equal to 86400"),
        ({"augment": {"flip": {"copies": 10**9}}}, r"augment\.flip\.copies .*equal to 1000"),
    ],
)  # fmt: skip
def test_a_number_that_nothing_can_be_done_with_is_refused(load, changes, message):
    with pytest.raises(DataError, match=message):
        load(**changes)


@pytest.mark.parametrize("seed", [0, 2**32 - 2])
def test_the_ends_of_the_seeds_divide_and_balance(load, seed):
    """The largest one leaves room for the next, which the split takes too."""
    params = load(balance={"seed": seed}, split={"seed": seed}, train={"seeds": [seed]})
    labels, groups = np.array(["cat", "dog"] * 20, object), np.arange(40).astype(object)
    share = {"test": 0.2, "val": 0.2}
    [parts] = split_shares(labels, groups, **share, seed=params.split.seed).folds
    assert sorted(np.unique(parts, return_counts=True)[1]) == [8, 8, 24]
    assert undersample(labels, groups, 5, params.balance.seed).sum() == 10


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sources": []}, "sources: it needs 1 or more entries and has none"),
        ({"classes": ["cat"]}, "classes: it needs 2 or more entries and has 1"),
        ({"augment": {}}, "augment: it needs 1 or more entries and has none"),
        ({"augment": []}, "augment: it should be a map, as in {name: settings} (found: [])."),
        ({"experiments": {}}, "experiments: it needs 1 or more entries and has none"),
        ({"sources": [3]}, "sources.0: it should be a map, as in {key: value} (found: 3)."),
        ({"train": []}, "train: it should be a map, as in {key: value} (found: [])."),
        ({"train": {"steps": 1.5}}, "train.steps: it should be a whole number (found: 1.5)."),
        ({"train": {"init": 7}}, "train.init: it should be text (put it in quotes) (found: 7)."),
        ({"train": {"learning_rate": "1e-3"}}, "train.learning_rate: it should be a number (found: "
         "'1e-3'). Write 0.001, without quotes."),
        ({"limits": {1: 2}}, "limits.1: there is no such key. Known keys: seconds, memory_mb, "
         "pixels."),
        ({"experiments": {"x": {"classes": [[1]]}}}, "experiments.x.classes.0: [1] is no class name"
         "; put it in quotes, as in 'no' or '1.5'"),
        ({"experiments": {"x": {"classes": 7}}}, "experiments.x.classes: it should be a list, as in"
         " [one, two]; or it should be a map, as in {name: settings} (found: 7)."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_words_for_a_person(load, changes, message):
    with pytest.raises(DataError) as error:
        load(**changes)
    said = re.sub(r", line \d+", "", str(error.value))  # of a source
    assert said == f"params.yaml: {message}"


def test_an_empty_section_is_told(tmp_path):
    content = yaml.safe_dump(MINIMAL | {"train": None})
    (tmp_path / "params.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"train: .*nothing.*\. Write \{\} for the defaults"):
        load_params(tmp_path / "params.yaml")


WRONG_VALUES = [None, [], {}, -1, "x", "", [[1]], [{}], 1.5, True, {1: 2}, INF, NAN, 10**30, 1e300]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_of_no_key_is_a_crash_or_speaks_of_python(load, data):
    """Each ends in settings or in a sentence, whatever stands where."""
    section = data.draw(st.sampled_from(list(Params.model_fields)))
    value = data.draw(st.sampled_from(WRONG_VALUES))
    known = {"train": Train, "limits": Limits, "split": Split, "balance": Balance}.get(section)
    if known and data.draw(st.booleans()):
        value = {data.draw(st.sampled_from(list(known.model_fields))): value}
    elif section in ("augment", "experiments"):
        keys = ["ops", "classes", "share", "control", "copies", "seed", "direction", "transform"]
        value = {"flip": {data.draw(st.sampled_from(keys)): value}}
    try:
        assert isinstance(load(**{section: value}), Params)
    except DataError as error:
        assert re.match(r"params\.yaml(, line \d+)?: ", str(error))
        assert not re.search(r"\b([Ii]nput|[Tt]uple|[Dd]ict|instance|integer|valid)\b", str(error))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"experiments": {"x": {"ops": ["flip", "flip"]}}}, r"x\.ops: 'flip' stands there twice"),
        ({"experiments": {"x": {"classes": ["cat", "cat"]}}}, r"x\.classes: 'cat' stands there tw"),
        ({"experiments": {"Flip": {}, "flip": {}}}, r"experiments: 'Flip' and 'flip' are the s"),
        ({"augment": {"Turn": {"transform": "flip"}, "turn": {"transform": "flip"}}},
         r"augment: 'Turn' and 'turn' are the same name .capitals"),
        ({"augment": {"con": {"transform": "flip"}}}, r"augment: 'con' can't be .*Windows"),
        ({"experiments": {"LPT1": {}}}, r"experiments\.LPT1: 'LPT1' can't be .*Windows"),
    ],
)  # fmt: skip
def test_names_make_files_that_are_there_once_on_every_system(load, changes, message):
    with pytest.raises(DataError, match=message):
        load(**changes)


def test_each_op_of_an_experiment_may_have_classes_of_its_own(load):
    ideas = {"ops": ["flip", "rotate"], "classes": {"flip": ["cat"]}}
    params = load(experiments={"none": {}, "ideas": ideas})
    assert params.classes_of("ideas", "flip") == ("cat",)
    assert params.classes_of("ideas", "rotate") == ("cat", "dog")
    assert params.count_variants("ideas") == {"cat": 2, "dog": 1}
    assert params.control_of("ideas") is None
    assert "duplicate: [dog], duplicate-2: [cat]" in explain_missing_control(params, "ideas")


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
    root = Path(__file__).parents[2]
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
    advice = explain_missing_control(params, "arm")
    pasted = [yaml.safe_load(line) for line in re.findall(r"`([^`]+)`", advice)]
    recipe, control, pointer = pasted
    arms = arms | control | {"arm": arms["arm"] | pointer}
    params = load(augment=AUGMENT | recipe, experiments=arms, classes=classes)
    assert params.control_of("arm") == "duplicate-for-arm"
    assert explain_missing_control(params, "arm") == ""
    assert explain_missing_control(params, "duplicate-for-arm") == ""


SHARES = {"none": {}, "none-50": {"share": 0.5}, "flip": {"ops": ["flip"]}}
HALF = {"ops": ["flip"], "share": 0.5}


def test_a_share_of_the_training_tiles_has_no_control_and_needs_none(load):
    params = load(experiments=SHARES | {"flip-50": HALF})
    controls = {name: params.control_of(name) for name in params.experiments}
    assert controls == {"none": None, "none-50": None, "flip": "none", "flip-50": None}
    assert not any(explain_missing_control(params, name) for name in params.experiments)


def test_a_control_with_the_same_share_is_one(load):
    params = load(experiments=SHARES | {"flip-50": HALF | {"control": "none-50"}})
    assert params.control_of("flip-50") == "none-50"


@pytest.mark.parametrize("classes", [["cat"], None])
def test_the_lines_that_are_suggested_at_a_share_give_a_control(load, classes):
    odd = {"ops": ["duplicate"], "classes": ["dog"], "share": 0.5}
    arm = HALF | {"classes": classes, "control": "odd"}
    arms = {"odd": odd, "arm": arm}
    advice = explain_missing_control(load(augment=AUGMENT, experiments=arms), "arm")
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


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("classes: [a, b]\nclasses: [a, c]\n", 2, "classes"),
        ("limits:\n  seconds: 60\n  pixels: 5\n  'seconds': 1\n", 4, "seconds"),
        ("sources:\n  - {path: raw/a, layout: rows, path: raw/b}\n", 2, "path"),
    ],
)
def test_a_key_that_stands_twice_is_told_with_its_line(tmp_path, text, line, key):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(DataError, match=f"line {line}: the key '{key}' stands there twice"):
        load_params(tmp_path / "params.yaml")


def test_a_value_that_holds_itself_is_no_trap(tmp_path):
    (tmp_path / "params.yaml").write_text("classes: &names [a, *names]\n")
    with pytest.raises(DataError):
        load_params(tmp_path / "params.yaml")


# --- seeds of one experiment, questions, twins -------------------------------------------------

ARMS = {"none": {}, "duplicate": {"ops": ["duplicate"]}, "turned": {"ops": ["rotate"]}}
OPS = {"rotate": {"degrees": 5}, "duplicate": {}, "twice": {"transform": "duplicate", "copies": 2}}


def test_an_experiment_may_have_seeds_of_its_own(load):
    arms = {"none": {"seeds": 9}, "turned": {"ops": ["rotate"], "seeds": [4, 2]}, "plain": {}}
    params = load(experiments=arms, train={"seeds": 3})
    assert [len(params.seeds_of(name)) for name in arms] == [9, 2, 3]
    assert params.seeds_of("turned") == (4, 2)
    with pytest.raises(DataError, match="turned.seeds: a number says how many seeds, 1 to 1000"):
        load(experiments={"none": {}, "turned": {"ops": ["rotate"], "seeds": 0}})


def test_a_question_names_a_judged_experiment_and_a_class(load):
    asked = [{"experiment": "turned", "class": "dog"}]
    params = load(experiments=ARMS, augment=OPS, compare={"questions": asked})
    assert [(q.experiment, q.label) for q in params.compare.questions] == [("turned", "dog")]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"experiment": "turn", "class": "dog"}, "'turn' is not in experiments. Did you mean 't"),
        ({"experiment": "turned", "class": "dgo"}, "'dgo' is not in classes. Did you mean 'dog'"),
        ({"experiment": "duplicate", "class": "dog"}, "no verdict on duplicate: it changes nothi"),
        ({"experiment": "turned"}, "class: it is missing"),
    ],
)
def test_a_question_that_names_no_line_is_told(load, question, message):
    with pytest.raises(DataError, match=message):
        load(experiments=ARMS, augment=OPS, compare={"questions": [question]})


def test_what_is_judged_changes_pictures_or_the_training_and_has_a_control(load):
    arms = ARMS | {
        "weights": {"balance": "weights"},
        "half": {"share": 0.5},
        "cats": {"ops": ["rotate"], "classes": ["cat"]},
    }
    params = load(experiments=arms, augment=OPS)
    assert list(filter(params.is_judged, arms)) == ["turned", "weights"]


def test_each_tile_once_more_is_the_same_experiment_in_another_order(load):
    arms = ARMS | {"more": {"ops": ["twice"]}, "half": {"share": 0.5}}
    params = load(experiments=arms, augment=OPS)
    assert [params.find_twin(name) for name in arms] == ["duplicate", None, None, None, None]
    epochs = {"budget": "epochs", "epochs": 2}
    assert load(experiments=ARMS, augment=OPS, train=epochs).find_twin("none") is None


def test_a_look_needs_as_many_seeds_as_a_verdict():
    """Settings may not import verdicts: the number stands in both, and they agree."""
    assert sections.MINIMUM_SEEDS == estimates.MINIMUM_SEEDS


# --- The line of a source --------------------------------------------------------------------

TWO_SOURCES = """
classes: [a, b]

sources: # where the pictures are
  - {path: raw/a, layout: rows}

  - path: %s
    layout: %s
"""


@pytest.mark.parametrize(
    ("path", "layout", "message"),
    [
        ("../b", "rows", r"params.yaml, line 7: sources\.1\.path: .*inside the project"),
        ("raw/b", "row", r"params.yaml, line 7: sources\.1\.layout: .*'rows'"),
        ("raw/b", "cells", r"params.yaml, line 7: sources\.1: .*needs rows: and columns:"),
    ],
)
def test_what_is_wrong_with_a_source_is_told_with_its_line(tmp_path, path, layout, message):
    (tmp_path / "params.yaml").write_text(TWO_SOURCES % (path, layout))
    with pytest.raises(DataError, match=message):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "[1, 2]", "sources: 3", "sources: [", "a: &a [*a]", "\0"])
def test_where_there_are_no_sources_no_line_is_known(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    assert list_source_places(tmp_path / "params.yaml") == []
    assert list_source_places(tmp_path / "absent.yaml") == []


@pytest.mark.parametrize("key", ["transpose", "invert"])
def test_only_arrays_are_turned(key):
    with pytest.raises(ValidationError, match=f"{key}: is for layout array, not 'whole'"):
        Source.model_validate({"path": "raw/in", "layout": "whole", key: True})
    assert getattr(Source(path="raw/in", layout="idx", **{key: True}).reading, key)
