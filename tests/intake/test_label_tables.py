"""Tables of labels beside the pictures: which files are such, and which picture a name means."""

import zipfile

import pytest

from pipeline.errors import DataError
from pipeline.intake.files import find_files_and_notes
from pipeline.intake.label_tables import list_label_tables, match_rows, read_label_tables

FOLDER = "raw/photos"
CLASSES = ["cat", "dog"]


@pytest.fixture
def look(tmp_path):
    """Write these files, and return what the tables among them say: {picture: (label, part)}."""

    def read(files):
        for name, content in files.items():
            path = tmp_path / FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        pictures, notes = find_files_and_notes(tmp_path, FOLDER)
        beside = list_label_tables(tmp_path, notes)
        tables = read_label_tables(tmp_path, FOLDER, beside, CLASSES)
        found = match_rows(tables, pictures, FOLDER)
        said = {
            (file.source + "/" + file.member).removeprefix(f"{FOLDER}/").rstrip("/"): entry
            for file, entry in found.entries.items()
        }
        lost = [(name, entry.line) for name, entry in found.lost]
        return {name: (one.label, one.part) for name, one in said.items()}, lost

    return read


PICTURES = dict.fromkeys(("a.png", "b.png"), b"\x89PNG not much of a picture")


@pytest.mark.parametrize(
    "table",
    [
        "id,label\na.png,cat\nb.png,dog\n",
        "image,label\na,cat\nb,dog\n",
        "file_name,label\na.png,cat\nb.png,dog\n",
        "filename,class\na.png,cat\nb.png,dog\n",
        "path,target\n./a.png,cat\n/kaggle/input/pets/b.png,dog\n",
        "Image,Id\na.png,cat\nb.png,dog\n",
        "id,breed\na,cat\nb,dog\n",
        "image_id,cultivar\na,cat\nb,dog\n",  # of two columns the other one: it holds classes
        "Label;File Name\r\ncat;a.png\r\ndog;b.png\r\n",
        "index\tImage Path\tclass_name\n0\tphotos\\a.png\tcat\n1\tb.png\tdog\n",
        'filename,caption,label\na.png,"two\nlines, ""quoted""",cat\nb.png,,dog\n',
        "\ufefffilename,label\n\na.png,cat\nb.png,dog\n",
        "sep=;\nfilename;label\na.png;cat\nb.png;dog\n",
        "filename,label\na.png,cat\nb.png,dog\n".encode("utf-16"),
    ],
)
def test_the_usual_columns_make_a_table_of_labels(look, table):
    assert look({"x.csv": table, **PICTURES}) == ({"a.png": ("cat", ""), "b.png": ("dog", "")}, [])


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("x.csv", "filename,width\na.png,640\n"),
        ("x.csv", "filename,width,height\na.png,640,480\n"),
        ("x.csv", "name,label\na.png,cat\n"),
        ("x.csv", "label,pixel0,pixel1\n7,0,0\n"),
        ("x.csv", "a.png,cat\nb.png,dog\n"),
        ("x.csv", "  \n"),
        ("x.txt", "filename,label\na.png,cat\n"),
        ("sample_submission.csv", "id,label\na,0\n"),
        ("sampleSubmission.csv", "id,label\na,0\n"),
    ],
)
def test_other_tables_are_notes(look, name, table):
    assert look({name: table, **PICTURES}) == ({}, [])


def test_rows_without_a_picture_or_a_label_say_nothing(look):
    table = "filename,label\na.png,cat\nc.png,dog\nb.png,\n,dog\n"
    assert look({"labels.csv": table, **PICTURES}) == ({"a.png": ("cat", "")}, [("c.png", 3)])


def test_names_are_matched_by_the_end_of_their_paths(look):
    pictures = {f"{part}/{n}.png": b"x" for part in ("train", "test") for n in (1, 2)}
    table = "id,label\ntrain/1.png,cat\ntest/1.png,dog\nval/2.png,dog\n"
    said, lost = look({"labels.csv": table, **pictures})
    assert said == {"train/1.png": ("cat", ""), "test/1.png": ("dog", "")}
    assert lost == [("val/2.png", 4)]


def test_a_table_called_like_a_folder_is_about_that_one(look):
    pictures = {f"{part}/{n}.png": b"x" for part in ("train", "test") for n in (1, 2)}
    said, _ = look({"train.csv": "id,label\n1,cat\n2,dog\n", **pictures})
    assert said == {"train/1.png": ("cat", "train"), "train/2.png": ("dog", "train")}
    with pytest.raises(DataError, match=r"labels\.csv, line 2: 2 pictures are called '1'.*train"):
        look({"labels.csv": "id,label\n1,cat\n"})


def test_a_table_in_a_folder_is_about_that_folder(look):
    pictures = {f"{part}/{n}.png": b"x" for part in ("train", "test") for n in (1, 2)}
    tables = {
        "train/metadata.csv": "file_name,label\n1.png,cat\n2.png,dog\n",
        "test/metadata.csv": "file_name,label\n1.png,dog\n",
    }
    said, _ = look({**pictures, **tables})
    assert {name: label for name, (label, _) in said.items()} == {
        "train/1.png": "cat", "train/2.png": "dog", "test/1.png": "dog",
    }  # fmt: skip


def test_an_archive_is_the_folder_that_it_unpacks_to(look, tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / FOLDER / "train.zip", "w") as archive:
        for name in ("1.png", "2.png", "labels.csv"):
            content = "id,label\n1,cat\n" if name == "labels.csv" else "x"
            archive.writestr(name, content)
    said, _ = look({"more.csv": "path,label\ntrain/2.png,dog\n"})
    assert said == {"train.zip/1.png": ("cat", ""), "train.zip/2.png": ("dog", "")}


def test_accents_are_compared_composed(look):
    said, lost = look({"Mu\u0308ller.png": b"x", "labels.csv": "id,label\nMüller,cat\n"})
    assert (list(said.values()), lost) == ([("cat", "")], [])


def test_a_column_split_says_the_part_and_goes_before_the_tables_name(look):
    table = "id,label,split\na,cat,Training\nb,dog,\n"
    said, _ = look({"test.csv": table, **PICTURES})
    assert said == {"a.png": ("cat", "train"), "b.png": ("dog", "test")}
    with pytest.raises(DataError, match=r"test\.csv: line 2: split is 'trian'; write train, val"):
        look({"test.csv": table.replace("Training", "trian")})


def test_tables_that_contradict_each_other_are_both_named(look):
    one = {"one.csv": "id,label\na,cat\nb,dog\n", **PICTURES}
    assert look({**one, "two.csv": "id,label\na.png,cat\n"})[0]["a.png"] == ("cat", "")
    with pytest.raises(DataError) as error:
        look({**one, "two.csv": "id,label\nb,dog\n\na.png,dog\n"})
    assert str(error.value) == (
        "raw/photos/one.csv, line 2, and raw/photos/two.csv, line 4, give 'a.png' different "
        "labels, 'cat' and 'dog': mend one of them, or delete its table"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"id,label\na,cat\nK\xe4se,dog\n", "x.csv: line 3 is not in UTF-8"),
        (b'id,label\na,"cat\nb,dog\n', "x.csv: in line 2 a quote"),
    ],
)
def test_a_table_that_is_not_clear_is_refused_by_line(look, table, message):
    with pytest.raises(DataError, match=message):
        look({"x.csv": table, **PICTURES})
