"""raw/labels.csv is not trusted: only a plain file is read, and every unclear line is named.

As spreadsheets write it, it is read: the judge is the plain table that was typed, saved by hand as
each of them would save it.
"""

import os

import pytest

from pipeline.errors import DataError
from pipeline.intake.labels import Override, read_overrides

CLASSES = ("cat", "dog", "ä")


@pytest.fixture
def labels(tmp_path):
    """Where raw/labels.csv of a project belongs; nothing is there yet."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw/labels.csv"


def refusal(labels, content=None):
    if content is not None:
        labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read(labels)
    return str(caught.value)


def read(labels):
    return read_overrides(labels.parent.parent, CLASSES)


def test_no_file_says_nothing(labels):
    assert read(labels) == []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_its_rows_are_read_with_or_without_a_mark(labels, mark, end):
    lines = [b"source,id,label,group", "raw/ä.jpg,,cat,Ada".encode(), b"", b'"raw/b,c.jpg",1-2,-']
    labels.write_bytes(mark + end.join(lines))
    assert read(labels) == [
        Override(2, "raw/ä.jpg", "", "cat", "Ada"),
        Override(4, "raw/b,c.jpg", "1-2", "-", ""),
    ]


# --- What is no plain file below raw/ -------------------------------------------------------


def test_a_link_within_raw_is_followed(labels):
    (labels.parent / "notes").mkdir()
    (labels.parent / "notes/by hand.csv").write_text("source,label\nraw/a.jpg,cat\n")
    labels.symlink_to("notes/by hand.csv")
    assert read(labels) == [Override(2, "raw/a.jpg", label="cat")]


def test_a_link_out_of_raw_is_not_followed(labels):
    outside = labels.parent.parent / "outside.csv"
    outside.write_text("source,label\nraw/a.jpg,cat\n")
    labels.symlink_to(outside)
    assert "leads out of raw/" in refusal(labels)


def test_an_endless_device_is_not_read(labels):
    labels.symlink_to("/dev/zero")
    assert "leads out of raw/" in refusal(labels)


@pytest.mark.parametrize("target", ["nowhere.csv", "labels.csv"])
def test_a_link_to_nowhere_or_itself_is_not_taken_for_no_file(labels, target):
    labels.symlink_to(target)
    assert "leads nowhere or in a circle" in refusal(labels)


def test_a_pipe_is_not_waited_for(labels):
    os.mkfifo(labels)
    assert "not a file but a pipe" in refusal(labels)


def test_a_folder_is_told(labels):
    labels.mkdir()
    assert "is a folder" in refusal(labels)


def test_a_file_of_gigabytes_is_not_read_to_its_end(labels):
    with labels.open("wb") as file:
        file.truncate(2**36)  # sparse: takes no room
    assert "the limit of 64,000,000 bytes" in refusal(labels)


# --- What is no clear table -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "",
            "is empty: its first line has to name the columns, source,id,row,col,label,group,text",
        ),
        ("\n\n", "is empty"),
        (",,,\r\n;;\r\n", "is empty"),
        ("source,label\na,b\nKäse,x\n".encode("latin-1"), "line 3 is not in UTF-8"),
        ("source,label\ra,b\rKäse,x\n".encode("latin-1"), "line 3 is not in UTF-8"),
        ("source,label\na,".encode("utf-16") + b"\0\xd8", "line 2 is not in UTF-16"),
        ("source,lable\na,cat\n", "no column 'lable'. Did you mean 'label'?"),
        ('"source,label"\n"a.jpg,cat"\n', "each line stands in quotes as a whole"),
        ("a.jpg,cat\n", "no column 'a.jpg'. Its first line has to name the columns"),
        ("id,label\n1-2,cat\n", "lacks the column source"),
        ("source,label,Label\na,b,c\n", "has two columns with the name 'label'"),
        ("source,label\n\na,cat,c\n", "line 3 has 'c' in a column without a name"),
        ("source,label,\n\na,cat,c\n", "line 3 has 'c' in a column without a name"),
        ('source,label\na,cat\n"c,d\ne,f\n', 'in line 3 a quote (") is opened and not closed'),
        ('source;label\r\n\r\na;"cat"s\r\n', 'in line 3 a quote (") is opened and not closed'),
        ("source,group\na,to\0m\n", "line 2 holds a zero byte"),
        ("source,label\n,,\n,cat\n", "line 3 names no source, as in raw/photos/1.jpg"),
        (
            "sep=;\nsource;label\na;cta\n",
            "line 3: 'cta' is not among the classes in params.yaml. Did you mean 'cat'?",
        ),
        ("source,id,label\n\r\na,1-2,7.0\n", "line 3: '7.0' is not among the classes"),
    ],
)
def test_what_is_wrong_is_said(labels, content, message):
    assert message in refusal(labels, content)


def test_of_what_an_opened_quote_swallows_only_the_start_is_shown(labels):
    swallowed = "".join(f"raw/{number}.jpg,cat\n" for number in range(200))
    said = refusal(labels, f'source,label\nraw/a.jpg,cat\n"{swallowed}",dog\n')
    assert "line 3 goes on in the next line, 'raw/0.jpg,cat raw/1.jpg,cat" in said
    assert len(said) < 300
    more = swallowed * 100  # more than the csv module takes as a field
    said = refusal(labels, f'source,label\nraw/a.jpg,cat\n"{more}",dog\n')
    assert "in line 3 a quote" in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,1-2,cat,", "a,1-2,-,"], "lines 2 and 3 give the box '1-2' different labels, 'cat'"),
        (["a,1-2,cat,", "a,1-2,,Ada"], "lines 2 and 3 give the box '1-2' different labels"),
    ],
)
def test_contradicting_lines_are_named(labels, rows, message):
    assert message in refusal(labels, "\n".join(["source,id,label,group", *rows]))


def test_lines_that_add_to_each_other_or_repeat_are_no_contradiction(labels):
    rows = ["a,,cat,", "a,,,Ada", "a,,cat,Ada", "a,1-2,dog,", "a,1-2,dog,", "a,3-4,cat,"]
    labels.write_text("\n".join(["source,id,label,group", *rows]))
    assert len(read(labels)) == 6


# --- As spreadsheets write it ---------------------------------------------------------------

TYPED = [Override(2, "raw/a.jpg", "", "cat", "Ada, 1"), Override(3, "raw/ä;b.jpg", "1-2", "ä", "")]
LINES = ["source,id,label,group", 'raw/a.jpg,,cat,"Ada, 1"', "raw/ä;b.jpg,1-2,ä,"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_any_line_end_and_unicode_encoding_is_read(labels, encoding, end):
    labels.write_bytes(end.join([*LINES, ""]).encode(encoding))
    assert read(labels) == TYPED


@pytest.mark.parametrize(
    "lines",
    [
        ["source;id;label;group", "raw/a.jpg;;cat;Ada, 1", '"raw/ä;b.jpg";1-2;ä;'],
        ["source\tid\tlabel\tgroup", 'raw/a.jpg\t\tcat\t"Ada, 1"', "raw/ä;b.jpg\t1-2\tä"],
        ["Source, ID , LABEL,group ", 'raw/a.jpg,, cat , "Ada, 1"', " raw/ä;b.jpg,1-2,ä,"],
        ['"source","id","label","group"', '"raw/a.jpg","","cat","Ada, 1"', '"raw/ä;b.jpg",1-2,ä'],
        ["source,id,label,group,,", 'raw/a.jpg,,cat,"Ada, 1",,', "raw/ä;b.jpg,1-2,ä,,,"],
        [LINES[0], LINES[1], LINES[2], ",,,", "", " , ,,", ",,,,,,"],
        ["source;;id;label;group", "raw/a.jpg;;;cat;Ada, 1", '"raw/ä;b.jpg";;1-2;ä'],
        [LINES[0], 'raw\\a.jpg,,cat,"Ada, 1"', "raw\\ä;b.jpg,1-2,ä"],
        [LINES[0], './raw/a.jpg,,cat,"Ada, 1"', ".\\raw\\ä;b.jpg,1-2,ä"],
        [LINES[0], 'raw//x/../a.jpg,,cat,"Ada, 1"', "{root}/raw/ä;b.jpg,1-2,ä"],
        ["\N{ZERO WIDTH NO-BREAK SPACE}" + LINES[0], *LINES[1:]],
    ],
    ids=["semicolons", "tabs", "spaces and capitals", "quotes", "columns without a name",
         "rows of commas", "an empty column between", "back-slashes", "./", "from the root",
         "a second mark"],
)  # fmt: skip
def test_what_each_spreadsheet_makes_of_the_same_table_is_the_same(labels, lines):
    text = "\r\n".join(lines).replace("{root}", labels.parent.parent.as_posix())
    labels.write_bytes(text.encode("utf-8-sig"))
    assert read(labels) == TYPED


@pytest.mark.parametrize("mark", ["sep=;", '"sep=;"', "SEP=;;;"])
def test_excels_own_first_line_names_the_separator_and_is_counted(labels, mark):
    labels.write_text(f"{mark}\r\n\r\nsource;label\r\n;\r\nraw/a,b.jpg;cat\r\n", newline="")
    assert read(labels) == [Override(5, "raw/a,b.jpg", label="cat")]


def test_a_name_of_which_each_letter_has_its_accent_beside_it_is_the_same_name(labels):
    decomposed = "a\N{COMBINING DIAERESIS}"
    labels.write_text(f"source,label,group\nraw/a.jpg,{decomposed},Zo{decomposed}\n", "utf-8")
    assert read(labels) == [Override(2, "raw/a.jpg", label="ä", group="Zoä")]


def test_an_escape_in_a_name_is_no_path_of_windows(labels):
    """A file whose name has a line break stands so in every table that prep writes."""
    labels.write_text("source,label\nraw/a\\nb.jpg,cat\n")
    assert read(labels) == [Override(2, "raw/a\\nb.jpg", label="cat")]
