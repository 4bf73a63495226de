"""Labels and parts where they stand: folders, names of files, tables; through `prep ingest`."""

import zipfile
from collections import Counter

import pytest
from conftest import draw_subject, write_params

from pipeline.dataset.tables import read_table
from pipeline.intake import images

SOURCE = {"path": "raw/photos", "layout": "whole"}


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Write a project of bars and squares with a picture, or a text, in each of these places."""

    def write(*names, source=None, texts=None, **changes):
        monkeypatch.chdir(tmp_path)
        for number, name in enumerate(names):
            path = tmp_path / "raw/photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images.encode_png(draw_subject("bar", number)))
        for name, content in (texts or {}).items():
            (tmp_path / "raw/photos" / name).write_text(content)
        write_params(tmp_path, sources=[SOURCE | (source or {})], **changes)
        return tmp_path

    return write


@pytest.fixture
def ingest(prep, tmp_path):
    """Run `prep ingest`; return {picture: "label part"} and the words of what was told."""

    def run():
        code, _, told = prep("ingest")
        assert code == 0, told
        rows = read_table(tmp_path / "processed/catalogue.csv", ())
        return {
            f"{row['source']}/{row['member']}".removeprefix("raw/photos/").rstrip("/"): (
                f"{row['label']} {row['split']}".strip()
            )
            for row in rows
        }, " ".join(told.split())

    return run


@pytest.fixture
def refusal(prep):
    """Run `prep ingest`, which refuses; return why."""

    def run():
        code, _, error = prep("ingest")
        assert code == 1
        return error

    return run


# --- Names of files -------------------------------------------------------------------------

KAGGLE = ("train/bar.0.png", "train/square.0.png")


def test_where_names_begin_with_classes_the_line_that_says_so_is_given(start, refusal, ingest):
    project = start(*KAGGLE)
    line = "- {path: raw/photos, layout: whole, labels: name}"
    error = refusal()
    assert "raw/photos has no class folders, but the names of 2 files begin with a class" in error
    assert error.endswith(f"  {line}\n")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("- path: raw/photos\n  layout: whole", line))
    assert ingest()[0] == {"train/bar.0.png": "bar", "train/square.0.png": "square"}


def test_the_same_in_a_folder_of_no_class(start, refusal):
    start("images/bar.0.png", "images/square.0.png")
    error = " ".join(refusal().split())
    assert "'images' is not among the classes in params.yaml" in error
    assert "let the files' own names say it, by `labels: name` in the source" in error


def test_what_fits_no_class_is_counted_with_what_may_be_meant(start, ingest):
    start(*KAGGLE, "IMG_squares_7.png", source={"labels": "name"})
    said, told = ingest()
    assert said["IMG_squares_7.png"] == ""
    assert (
        "raw/photos: 1 picture without a label, for the name of the file begins with no class, as "
        "that of raw/photos/IMG_squares_7.png (is it 'square'? rename it, as in "
        "square.IMG_squares_7.png)"
    ) in told


def test_names_of_no_class_at_all_are_refused_unless_labels_csv_speaks(start, refusal, ingest):
    project = start("1.png", source={"labels": "name"})
    assert "no file in raw/photos has a name that begins with a class" in " ".join(
        refusal().split()
    )
    (project / "raw/labels.csv").write_text("source,label\nraw/photos/1.png,bar\n")
    assert ingest()[0] == {"1.png": "bar"}


def test_names_go_before_folders_when_they_are_asked_and_for_any_layout(start, ingest):
    start("square/bar.0.png", source={"labels": "name", "layout": "free"})
    assert ingest()[0] == {"square/bar.0.png": "bar"}


@pytest.mark.parametrize(
    ("layout", "labels", "known"),
    [
        ("whole", "rows", "labels: folder or labels: name or labels: table"),
        ("rows", "name", "labels: rows"),
        ("form", "folder", "labels: code"),
    ],
)
def test_labels_that_a_layout_cannot_have_are_refused_with_those_that_it_can(
    start, refusal, layout, labels, known
):
    start(*KAGGLE, source={"layout": layout, "labels": labels})
    error = " ".join(refusal().split())
    assert f"layout '{layout}' has no labels by {labels}: say {known}, or leave" in error


# --- Folders that say a part ----------------------------------------------------------------

SETS = [
    f"{part}/{name}/{number}.png"
    for part, count in (("Training_Set", 3), ("valid", 1), ("test", 2))
    for name in ("bar", "square")
    for number in range(count)
]


@pytest.mark.parametrize("above", ["", "archive/", "a/b/"])
def test_folders_give_the_split_and_the_classes_lie_below_them(start, ingest, above):
    start(*(f"{above}{name}" for name in SETS))
    said, told = ingest()
    assert said[f"{above}Training_Set/bar/2.png"] == "bar train"
    assert Counter(said.values()) == {
        "bar train": 3, "bar val": 1, "bar test": 2,
        "square train": 3, "square val": 1, "square test": 2,
    }  # fmt: skip
    assert "the names of files, folders or tables give the split: 6 train, 2 val, 4 test" in told
    assert "write - {path: raw/photos, layout: whole, split: none}" in told
    assert ("is passed over" in told) is bool(above)


@pytest.mark.parametrize(("split", "said"), [("none", ""), ("test", "test"), ("val", "val")])
def test_what_the_source_says_goes_before_its_folders(start, ingest, split, said):
    start(*SETS, source={"split": split})
    parts, told = ingest()
    assert {part.partition(" ")[2] for part in parts.values()} == {said}
    assert "give the split" not in told


def test_a_class_of_that_name_is_a_class(start, ingest):
    start("test/bar/1.png", "train/2.png", classes=["test", "train"], experiments={"none": {}})
    assert ingest()[0] == {"test/bar/1.png": "test", "train/2.png": "train"}


def test_a_folder_below_a_class_says_nothing(start, ingest):
    start("bar/test/1.png", "square/train/2.png")
    assert ingest()[0] == {"bar/test/1.png": "bar", "square/train/2.png": "square"}


def test_without_labels_in_test_the_test_set_is_drawn_from_train(start, ingest):
    start(*(name for name in SETS if "test" not in name), "test/1.png", "test/2.png")
    said, told = ingest()
    assert Counter(said.values()) == {
        "bar": 3, "square": 3, "bar val": 1, "square val": 1, "test": 2
    }  # fmt: skip
    assert "no picture of test has a label, so prep split draws it from train" in told


def test_archives_are_such_folders_and_what_a_mac_leaves_in_them_is_not(start, ingest):
    project = start("x.png", texts={})
    (project / "raw/photos/x.png").unlink()
    for part in ("train", "test"):
        with zipfile.ZipFile(project / f"raw/photos/{part}.zip", "w") as archive:
            for number, name in enumerate(("bar", "square")):
                picture = images.encode_png(draw_subject(name, len(part) + number))
                archive.writestr(f"{part}/{name}/1.png" if number else f"{name}/1.png", picture)
                archive.writestr(f"__MACOSX/{name}/._1.png", b"\0\5\x16\7")
    assert sorted(ingest()[0].values()) == ["bar test", "bar train", "square test", "square train"]


@pytest.mark.parametrize("layout", ["rows", "free"])
def test_parts_are_read_whatever_says_the_labels(start, ingest, layout):
    start("Test/1.png", "train/2.png", "Ada/test/3.png", source={"layout": layout})
    if layout == "free":  # where Ada would be a class
        start(source={"layout": layout}, classes=["Ada", "x"], experiments={"none": {}})
    parts = {name: said.split()[-1:] for name, said in ingest()[0].items()}
    assert parts["Ada/test/3.png"] == (["Ada"] if layout == "free" else [])
    assert parts["Test/1.png"] == ["test"]


def test_plural_folders_are_refused_with_every_way_out(start, refusal, ingest, tmp_path):
    start("set/train/bars/bar.1.png", "set/test/bars/bar.2.png", "set/test/squares/square.1.png")
    error = refusal()
    assert "'bars' is not among the classes in params.yaml. Did you mean 'bar'?" in error
    assert "  mv raw/photos/set/train/bars raw/photos/set/train/bar\n" in error
    assert "  classes: [bars, squares]\n" in error
    assert "`labels: name` in the source" in error
    for path in sorted((tmp_path / "raw/photos/set").glob("*/*s")):
        path.rename(path.with_name(path.name[:-1]))
    assert ingest()[0]["set/train/bar/bar.1.png"] == "bar train"


def test_a_folder_with_anything_beside_classes_is_not_passed_over(start, refusal):
    start("bra/bar/1.png", "bra/2.png", "square/3.png")
    error = refusal()
    assert "'bra' is not among the classes" in error and "mv raw/photos/bra raw/photos/bar" in error


def test_a_folder_of_folders_that_are_no_classes_may_be_moved_up(start, refusal):
    start("PetImages/Kittens/1.png", "square/3.png")
    error = refusal()
    assert "  mv raw/photos/PetImages/* raw/photos/\n" in error
    assert "or take it out of raw/photos, if its pictures are not meant" in error


# --- Tables ---------------------------------------------------------------------------------

TABLE = "id,label\n1,bar\n2,square\n9,bar\n"


def test_a_table_beside_the_pictures_gives_their_labels(start, ingest):
    start("train/1.png", "train/2.png", "test/3.png", texts={"labels.csv": TABLE})
    said, told = ingest()
    assert said == {"train/1.png": "bar", "train/2.png": "square", "test/3.png": "test"}
    assert (
        "raw/photos/labels.csv gives the labels of 2 pictures; 1 picture without a row, such as "
        "raw/photos/test/3.png; 1 row without a picture, such as '9' (raw/photos/labels.csv, line "
        "4)"
    ) in told


def test_where_folders_say_the_classes_a_table_is_only_told(start, ingest):
    project = start("square/1.png", "bar/2.png", texts={"labels.csv": TABLE})
    said, told = ingest()
    assert said == {"square/1.png": "square", "bar/2.png": "bar"}
    assert "raw/photos/labels.csv is not read, for folders say the classes; `labels: tab" in told
    write_params(project, sources=[SOURCE | {"labels": "table"}])
    assert ingest()[0] == {"square/1.png": "bar", "bar/2.png": "square"}
    write_params(project, sources=[SOURCE | {"labels": "folder"}])
    assert "labels.csv" not in ingest()[1]


def test_raw_labels_csv_stays_above_all(start, ingest):
    project = start("1.png", "2.png", texts={"labels.csv": TABLE.replace("square", "sqare")})
    (project / "raw/labels.csv").write_text("source,label\nraw/photos/2.png,square\n")
    assert ingest()[0] == {"1.png": "bar", "2.png": "square"}


def test_a_label_that_is_no_class_is_named_with_its_line(start, refusal):
    start("1.png", "2.png", texts={"labels.csv": TABLE.replace("square", "sqare")})
    error = refusal()
    assert "raw/photos/2.png: 'sqare' is not among the classes" in error
    assert "Did you mean 'square'?" in error
    assert "It stands in raw/photos/labels.csv, line 3: mend it there" in error
    assert "  classes: [bar, sqare]\n" in error


def test_where_a_table_has_numbers_for_labels_they_are_not_all_said(start, refusal):
    numbers = "\n".join(f"{number},{number / 7:.5f}" for number in range(1, 400))
    start(*(f"{number}.png" for number in range(1, 210)), texts={"x.csv": f"id,target\n{numbers}"})
    error = " ".join(refusal().split())
    assert "in raw/photos/x.csv, line 2: mend it there; that table has 209 labels that are" in error


def test_without_a_table_that_is_asked_for_its_first_lines_are_said(start, refusal):
    start("1.png", source={"labels": "table"}, texts={"sizes.csv": "file,width\n1.png,30\n"})
    error = " ".join(refusal().split())
    assert "line 2: raw/photos has no table of labels, as `labels: table` wants it" in error
    assert "whose first line is filename,label, with a line for each picture below" in error


def test_a_table_that_could_have_been_meant_is_told(start, prep):
    start("1.png", texts={"names.csv": "picture name,what\n1.png,bar\n"})
    code, _, told = prep("ingest")
    assert code == 1
    assert "raw/photos/names.csv is not read as a table of labels: its first line would" in (
        " ".join(told.split())
    )


def test_from_a_table_with_a_column_split_to_the_split(start, prep, tmp_path):
    names = [f"{number}.png" for number in range(20)]
    parts = ["train"] * 12 + ["validation"] * 4 + ["test"] * 4
    rows = [
        f"{name},{('bar', 'square')[number % 2]},{part}"
        for number, (name, part) in enumerate(zip(names, parts, strict=True))
    ]
    table = "\n".join(["file_name,label,split", *rows])
    start(*names, texts={"metadata.csv": table}, tile={"size": 16, "channels": 1})
    for stage in ("ingest", "segment", "normalise", "balance", "split"):
        assert prep(stage)[0] == 0
    divided = Counter(row["split"] for row in read_table(tmp_path / "processed/split.csv", ()))
    assert divided == {"train": 12, "val": 4, "test": 4}
