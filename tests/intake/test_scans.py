"""raw/labels.csv is not trusted: only a plain file is read, and every unclear line is named."""

import os

import pytest

from pipeline.errors import DataError
from pipeline.intake.labels import read_overrides


@pytest.fixture
def labels(tmp_path):
    """Where raw/labels.csv of a project belongs; nothing is there yet."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw/labels.csv"


def refusal(labels, content=None):
    if content is not None:
        labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_overrides(labels.parent.parent)
    return str(caught.value)


def test_no_file_says_nothing(labels):
    assert read_overrides(labels.parent.parent) == []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_its_rows_are_read_with_or_without_a_mark(labels, mark, end):
    lines = [b"source,id,label,group", "raw/ä.jpg,,cat,Ada".encode(), b"", b'"raw/b,c.jpg",1-2,-']
    labels.write_bytes(mark + end.join(lines))
    assert [tuple(row.values()) for row in read_overrides(labels.parent.parent)] == [
        ("raw/ä.jpg", "", "cat", "Ada"),
        ("raw/b,c.jpg", "1-2", "-", ""),
    ]


# --- What is no plain file below raw/ -------------------------------------------------------


def test_a_link_within_raw_is_followed(labels):
    (labels.parent / "notes").mkdir()
    (labels.parent / "notes/by hand.csv").write_text("source,label\nraw/a.jpg,cat\n")
    labels.symlink_to("notes/by hand.csv")
    assert read_overrides(labels.parent.parent) == [{"source": "raw/a.jpg", "label": "cat"}]


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
        ("", "is empty: its first line has to name the columns, source,id,label,group"),
        ("\n\n", "is empty"),
        ("source,label\n".encode("utf-16"), "is in UTF-16: save it as CSV UTF-8"),
        ("source,label\n".encode("utf-16-le"), "is in UTF-16: save it as CSV UTF-8"),
        ("source,label\na,b\nKäse,x\n".encode("latin-1"), "line 3 is not in UTF-8"),
        ("source\tlabel\na\tb\n", "Save it with commas instead of tabs."),
        ("source;label\na;b\n", "Save it with commas instead of semicolons."),
        ("Source,Label\na,b\n", "lacks the column source. Rename 'Source' to 'source'."),
        ("source,Label\na,b\n", "no column 'Label'. Did you mean 'label'?"),
        ("source,label,label\na,b,c\n", "has two columns with the name 'label'"),
        ("source,label\n\na,b,c\n", "line 3 lacks fields or has too many"),
        ('source,label\na,b\n"c,d\ne,f\n', 'in line 3 a quote (") is opened and not closed'),
        ("source,group\na,to\0m\n", "line 2 holds a zero byte"),
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
        (["a,,cat,", "b,,dog,", "a,,dog,"], "lines 2 and 4 give the source 'a' different labels"),
        (["a,,,Ada", "a,,cat,Bob"], "lines 2 and 3 give the source 'a' different groups, 'Ada'"),
        (["a,1-2,cat,", "a,1-2,-,"], "lines 2 and 3 give the box '1-2' different labels, 'cat'"),
        (["a,1-2,cat,", "a,1-2,,Ada"], "lines 2 and 3 give the box '1-2' different labels"),
    ],
)
def test_contradicting_lines_are_named(labels, rows, message):
    assert message in refusal(labels, "\n".join(["source,id,label,group", *rows]))


def test_lines_that_add_to_each_other_or_repeat_are_no_contradiction(labels):
    rows = ["a,,cat,", "a,,,Ada", "a,,cat,Ada", "a,1-2,dog,", "a,1-2,dog,", "a,3-4,cat,"]
    labels.write_text("\n".join(["source,id,label,group", *rows]))
    assert len(read_overrides(labels.parent.parent)) == 6
