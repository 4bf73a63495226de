"""A class that is too small: named with what it has and what it needs, and the cure is one."""

from collections import Counter

import numpy as np
import pytest
import yaml

from pipeline.dataset.tables import read_table
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.balance import balance
from pipeline.stages.ingest import ingest
from pipeline.stages.normalise import normalise
from pipeline.stages.segment import segment
from pipeline.stages.split import split

WHOLE = [{"path": "raw/a", "layout": "whole"}]
TEST_GIVEN = [
    {"path": "raw/a", "layout": "whole", "split": "train"},
    {"path": "raw/b", "layout": "whole", "split": "test"},
]
VAL_GIVEN = [
    {"path": "raw/a", "layout": "whole"},
    {"path": "raw/b", "layout": "whole", "split": "val"},
]
NONE = {"method": "none"}
NEEDS_3 = "and 3 are needed, one each to train, validate and test"


@pytest.fixture
def divide(tmp_path):
    """Run the road up to split for so many noise pictures in each folder; return what it says."""

    def run(counts, labels="", sources=WHOLE, alike=(), near=4, split_by=None, balance_by=None):
        for folder, count in counts.items():
            (tmp_path / "raw" / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                dice = np.random.default_rng([0 if folder in alike else number, *folder.encode()])
                picture = dice.integers(0, 255, (20, 26, 3), np.uint8)
                picture[0, 0] = number
                path = tmp_path / "raw" / folder / f"{number}.png"
                path.write_bytes(images.encode_png(picture))
        if labels:
            (tmp_path / "raw/labels.csv").write_text("source,group\n" + labels)
        content = {
            "sources": sources,
            "classes": ["cat", "dog"],
            "tile": {"size": 16, "channels": 3, "method": "photo"},
            "balance": balance_by or {},
            "split": {"test": 0.3, "val": 0.2, "near_duplicates": near} | (split_by or {}),
            "augment": {"flip": {}},
            "experiments": {"none": {}},
        }
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        project, params = Project(tmp_path), load_params(tmp_path / "params.yaml")
        for stage in (ingest, segment, normalise):
            stage(project, params, jobs=1)
        balance(project, params)
        return split(project, params)

    return run


@pytest.mark.parametrize(
    "case, said, helps",
    [
        (
            {"counts": {"a/cat": 20, "a/dog": 1}},
            f"class 'dog' is too small to appear in each part: it has 1 tile {NEEDS_3}; balance.to:"
            " smallest leaves no more of any other class. Add pictures of 'dog', or take it out of "
            "classes in params.yaml.",
            {"counts": {"a/dog": 3}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 2}, "balance_by": NONE},
            f"it has 2 tiles {NEEDS_3}. Add pictures of 'dog', or",
            {"counts": {"a/dog": 3}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 1}, "balance_by": NONE, "split_by": {"val": 0}},
            "it has 1 tile and 2 are needed, one each to train and test. ",
            {"counts": {"a/dog": 2}},
        ),
        (
            {"counts": {"a/cat": 8, "a/dog": 9}, "balance_by": {"to": 2}},
            f"it has 2 tiles {NEEDS_3}; balance.to: 2 keeps 2 of the 8 tiles of class 'cat'. "
            "Raise it, or",
            {"balance_by": {"to": 3}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 4}, "balance_by": NONE, "split_by": {"folds": 5}},
            "it has 4 tiles and 5 are needed, for 5 folds. Add pictures of 'dog', set split.folds: "
            "4, or take",
            {"split_by": {"folds": 4}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 5}, "split_by": {"group": "folder"}},
            f"its 9 tiles come from 1 group {NEEDS_3}. Add pictures of 'cat' from others, or take "
            "it out of classes, or set split.group: page",
            {"split_by": {"group": "page"}},
        ),
        (
            {
                "counts": {"a/cat": 9, "a/dog": 4},
                "balance_by": NONE,
                "labels": "".join(f"raw/a/dog/{number}.png,Rex\n" for number in range(4)),
            },
            f"its 4 tiles come from 1 group {NEEDS_3}. Add pictures of 'dog' from others, or take "
            "it out of classes in params.yaml.",  # split.group: none would change nothing
            {"counts": {"a/dog": 6}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 4}, "balance_by": NONE, "alike": ["a/dog"]},
            f"its 4 tiles come from 1 group {NEEDS_3}. Tiles that look the same stay together: add "
            "others",
            {"alike": []},
        ),
        (
            {"counts": {"a/cat": 9, "b/cat": 3, "b/dog": 3}, "sources": TEST_GIVEN,
             "balance_by": NONE},
            "the test set as given leaves 0 of its 3 tiles and 2 are needed, one each to train and "
            "validate. Add pictures of 'dog' to sources without split: test",
            {"counts": {"a/dog": 2}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 3, "b/cat": 3}, "sources": TEST_GIVEN,
             "balance_by": NONE},
            "it has 3 tiles and none came into the test set. The test set is as given (split: test "
            "in sources). Add pictures of 'dog' to it.",
            {"counts": {"b/dog": 1}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 3, "b/cat": 3}, "balance_by": NONE,
             "sources": [TEST_GIVEN[0], WHOLE[0] | {"path": "raw/b"}]},
            "All come from sources with split: train, which are never tested. Add pictures of 'd",
            {"sources": [*WHOLE, WHOLE[0] | {"path": "raw/b"}]},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 9, "b/cat": 3}, "sources": VAL_GIVEN},
            "it has 9 tiles and none came into the validation set. The validation set is as given "
            "(split: val in sources). Add pictures of 'dog' to it.",
            {"counts": {"b/dog": 1}, "balance_by": NONE},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 1, "b/cat": 3, "b/dog": 3}, "sources": VAL_GIVEN,
             "balance_by": NONE},
            "the validation set as given leaves 1 of its 4 tiles and 2 are needed, one each to "
            "train and test. Add pictures of 'dog' to sources without split: val",
            {"counts": {"a/dog": 2}},
        ),
        (
            {"counts": {"a/cat": 9, "a/dog": 9}, "split_by": {"test": 0}},
            "params.yaml: split.test is 0, so nothing would be tested; give a share",
            {"split_by": {"test": 0.2}},
        ),
    ],
)  # fmt: skip
def test_a_class_is_named_with_what_it_has_and_needs_and_the_cure_helps(divide, case, said, helps):
    with pytest.raises(DataError) as error:
        divide(**case)
    assert said in str(error.value)
    assert "processed/split.csv" in divide(**case | helps)


def test_every_class_that_is_too_small_is_named(divide):
    with pytest.raises(DataError, match=r"'cat'.* it has 1 tile and 3 .*\. So are 'dog' \(2\)\. "):
        divide({"a/cat": 1, "a/dog": 2}, balance_by=NONE)


def test_where_the_smallest_would_do_the_tiles_that_stayed_of_another_are_told(divide):
    """Of 30 cats all but two are of one litter, and the 3 that stay are."""
    litter = "".join(f"raw/a/cat/{number}.png,litter\n" for number in range(28))
    with pytest.raises(DataError) as error:
        divide({"a/cat": 30, "a/dog": 3}, labels=litter)
    assert (
        f"class 'cat' is too small to appear in each part: its 3 tiles come from 2 groups {NEEDS_3}"
        "; balance.to: smallest keeps 3 of the 30 tiles of class 'cat', as many as there are of 'd"
    ) in str(error.value)
    assert "processed/split.csv" in divide({"a/dog": 3}, labels=litter, balance_by=NONE)


def test_validation_is_as_given_and_the_test_set_is_drawn_from_the_rest(divide, tmp_path):
    divide({"a/cat": 20, "a/dog": 20, "b/cat": 4, "b/dog": 3}, sources=VAL_GIVEN, balance_by=NONE)
    split_of = {row["id"]: row["split"] for row in read_table(tmp_path / "processed/split.csv", ())}
    sources = {row["id"]: row["source"] for row in read_table(tmp_path / "processed/boxes.csv", ())}
    assert {sources[name][:6] for name, part in split_of.items() if part == "val"} == {"raw/b/"}
    assert Counter(split_of.values()) == {"train": 26, "val": 7, "test": 14}


@pytest.mark.parametrize(("part", "name"), [("test", "test"), ("val", "validation")])
def test_folds_are_refused_where_a_set_is_given_with_the_way_out(divide, part, name):
    sources = [WHOLE[0], WHOLE[0] | {"path": "raw/b", "split": part}]
    counts = {"a/cat": 9, "a/dog": 9, "b/cat": 3, "b/dog": 3}
    with pytest.raises(DataError) as error:
        divide(counts, sources=sources, split_by={"folds": 3})
    assert f"so the {name} set is given; cross-validation needs to choose it" in str(error.value)
    assert "Set folds: 1, or split: none in that source" in str(error.value)
    sources[1]["split"] = "none"
    assert "3 folds" in divide(counts, sources=sources, split_by={"folds": 3})


def test_with_folds_the_parts_that_folders_say_do_not_count_and_that_is_told(divide, capsys):
    counts = {"a/train/cat": 6, "a/train/dog": 6, "a/test/cat": 3, "a/test/dog": 3}
    assert "12 train" in divide(counts, split_by={"val": 0})
    capsys.readouterr()
    assert "3 folds (12 train" in divide(counts, split_by={"val": 0, "folds": 3})
    told = " ".join(capsys.readouterr().err.split())
    assert "the parts that names, folders or tables say (raw/a/t" in told
    assert "are not used, for split.folds tests every tile once" in told


def test_with_folds_a_source_that_is_only_trained_on_is_told_to_be_tested(divide):
    said = divide(
        {"a/cat": 9, "a/dog": 9}, sources=[WHOLE[0] | {"split": "train"}], split_by={"folds": 3}
    )
    assert "split: train of sources is not used: with folds every tile is tested once" in said
