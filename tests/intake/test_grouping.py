"""Groups by each rule, worked out by hand, and a set of one hand that is divided."""

import hashlib

import numpy as np
import pytest
from conftest import write_params

from pipeline.dataset.schema import Rows
from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.errors import DataError
from pipeline.intake.grouping import group_tiles, tell_torn
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.split import split

SCANS = {
    "f1-0": {"source": "raw/forms/a.jpg", "member": "", "layout": "form", "group": ""},
    "f2-0": {"source": "raw/forms/b.jpg", "member": "", "layout": "form", "group": "class 3"},
    "p1-0": {"source": "raw/pages.zip", "member": "ann/1.jpg", "layout": "rows", "group": ""},
}
TILES = [
    {"id": "f1-0-3-9", "group": "Ada", "label": "x"},
    {"id": "f2-0-3-9", "group": "class 3", "label": "x"},
    {"id": "p1-0-3-9", "group": "Bo", "label": "x"},
    {"id": "p1-0-4-9", "group": "", "label": "x"},
]


@pytest.mark.parametrize(
    "rule, groups",
    [
        ("writer", ["Ada", "class 3", "Bo", "p1-0"]),
        ("page", ["f1-0", "class 3", "Bo", "p1-0"]),  # what raw/labels.csv gave stays
        ("folder", ["Ada", "class 3", "Bo", "raw/pages.zip/ann"]),
        ("none", ["f1-0-3-9", "class 3", "Bo", "p1-0-4-9"]),
    ],
)
def test_only_the_group_of_a_form_is_set_aside(rule, groups):
    assert group_tiles(rule, TILES, SCANS, {}, parts=3) == groups


@pytest.mark.parametrize("rule", ["page", "none"])
def test_a_group_that_a_box_of_a_form_was_given_counts(rule):
    tiles = [{"id": f"f1-0-{n}-9", "group": "Ada", "label": "x"} for n in range(4)]
    tiles[2]["group"] = "her sister"
    groups = group_tiles(rule, [*tiles, *TILES[1:]], SCANS, {}, parts=3)
    assert groups[2] == "her sister"
    assert "Ada" not in groups


def place(label, line, column):
    return {"id": f"f1-0-{column}-{line}", "group": "Ada", "label": label}, str(line)


def test_a_page_alone_is_divided_by_its_rows_where_each_class_stands_in_enough_of_them():
    tiles, lines = zip(*(place("xy"[n % 2], n // 4, n) for n in range(12)), strict=True)
    where = {tile["id"]: line for tile, line in zip(tiles, lines, strict=True)}
    rows = [f"f1-0 row {n // 4}" for n in range(12)]
    assert group_tiles("page", tiles, SCANS, where, parts=3) == rows
    single = [tile["id"] for tile in tiles]
    assert group_tiles("page", tiles, SCANS, where, parts=4) == single
    assert group_tiles("page", tiles[:10], SCANS, where, parts=3) == rows[:10]
    assert group_tiles("page", tiles[:9], SCANS, where, parts=3) == single[:9]  # y: in two rows


def test_whose_writing_is_divided_is_told():
    """Five writers with two forms each: their pages divide them, and their tiles do."""
    scans = {f"{n}-0": SCANS["f1-0"] for n in range(10)} | {"p1-0": SCANS["p1-0"]}
    tiles = [
        {"id": f"{n}-0-{m}-2", "group": f"W{n % 5}", "label": "x"}
        for n in range(10)
        for m in (1, 2)
    ]
    tiles.append({"id": "p1-0-1-2", "group": "Bo", "label": "x"})
    for rule, told in (("page", True), ("none", True), ("writer", False)):
        groups = group_tiles(rule, tiles, scans, {}, parts=3)
        said = tell_torn(rule, tiles, scans, groups)
        assert ("divides what W0, W1, W2 and 2 more wrote" in said) is told
        assert bool(said) is told


@pytest.fixture
def divide(tmp_path):
    """Divide forms of so many pages, 3 rows of 8 boxes each, classes x and y; say what is said."""

    def run(writers, rule=None, layout="form", **split_by):
        scans = [(writer, f"{n}{hashlib.sha256(writer.encode()).hexdigest()[:9]}")
                 for writer, pages in writers.items() for n in range(pages)]  # fmt: skip
        boxes = [
            {"id": f"{scan}-0-{column}-{line}", "source": f"raw/in/{scan}.jpg", "page": 0,
             "x0": 0, "y0": 0, "x1": 9, "y1": 9, "group": writer, "label": "xy"[column % 2],
             "row": line, "col": column, "score": "1.000"}
            for writer, scan in scans for line in range(3) for column in range(8)
        ]  # fmt: skip
        by = {"test": 0.3, "val": 0.2, "folds": 1, "seed": 1} | split_by
        write_params(tmp_path, classes=["x", "y"], split=by | ({"group": rule} if rule else {}))
        made = tmp_path / "processed"
        made.mkdir(exist_ok=True)
        catalogue = (
            {"source": f"raw/in/{scan}.jpg", "page": 0, "sha256": scan, "layout": layout,
             "group": writer if layout != "form" else "", "status": "ok", "width": 9, "height": 9}
            for writer, scan in scans
        )  # fmt: skip
        write_table(made / "catalogue.csv", COLUMNS["catalogue"], catalogue)
        write_table(made / "boxes.csv", COLUMNS["boxes"], boxes)
        balanced = ({key: box[key] for key in COLUMNS["balanced"]} for box in boxes)
        write_table(made / "balanced.csv", COLUMNS["balanced"], balanced)
        dice = np.random.default_rng(1)
        shape = (28, 28, 1)
        with create_dataset(
            made / "tiles.h5", tile_shape=shape, classes="xy", made_by={"stage": "normalise"}
        ) as file:
            file.append(Rows(
                images=dice.integers(0, 256, (len(boxes), *shape), dtype=np.uint8),
                labels=np.array(["xy".index(box["label"]) for box in boxes], np.int16),
                ids=np.array([box["id"] for box in boxes], object),
                groups=np.array([box["group"] for box in boxes], object),
            ))  # fmt: skip
        split(Project(tmp_path), load_params(tmp_path / "params.yaml"))
        return read_table(made / "split.csv", COLUMNS["split"])

    return run


@pytest.mark.parametrize("pages, cure", [(1, "page"), (2, "none"), (3, "page")])
def test_one_writer_is_the_cause_that_is_named_and_the_cure_works(divide, capsys, pages, cure):
    with pytest.raises(DataError) as error:
        divide({"Ada": pages})
    assert str(error.value) == (
        f"all {24 * pages} tiles are by one writer (Ada), and what one writer wrote is not "
        f"divided. Add forms of others; or set split.group: {cure} in params.yaml: then scores "
        "hold for this hand only"
    )
    rows = divide({"Ada": pages}, cure)
    assert len(rows) == 24 * pages
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    said = " ".join(capsys.readouterr().err.split())
    assert f"split.group: {cure} divides what Ada wrote, so scores hold for this hand only" in said


def test_rows_of_a_single_page_stay_whole(divide):
    sides = {}
    for row in divide({"Ada": 1}, "page"):
        sides.setdefault(row["id"].rsplit("-", 1)[1], set()).add(row["split"])
    assert sorted(map(sorted, sides.values())) == [["test"], ["train"], ["val"]]


def test_two_writers_are_too_few_for_three_sides_and_the_cure_works(divide):
    with pytest.raises(DataError, match="come from 2 groups .* or set split.group: page in para"):
        divide({"Ada": 2, "Bo": 2})
    assert len({row["group"] for row in divide({"Ada": 2, "Bo": 2}, "page")}) == 4


def test_a_group_that_somebody_gave_is_not_said_to_be_a_writers(divide):
    with pytest.raises(
        DataError, match=r"in one group \(me\), which raw/labels.csv gives them.*ou"
    ):
        divide({"me": 3}, layout="rows")


def test_writers_stay_whole_unless_asked_to(divide, capsys):
    writers = dict.fromkeys(("Ada", "Bo", "Cy", "Di", "Ed", "Flo"), 2)
    assert {row["group"] for row in divide(writers)} == set(writers)
    assert "hold" not in capsys.readouterr().err
