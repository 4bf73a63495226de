"""Texts of rows, and labels by row and column, in raw/labels.csv."""

import pytest

from pipeline.errors import DataError
from pipeline.intake.labels import Override, read_overrides, read_text
from pipeline.intake.placed_labels import label_places
from pipeline.subjects.search import Subject

PAGE = "raw/pages/1.png"


def scan(source=PAGE, member="", page="0"):
    return {"source": source, "member": member, "page": page}


def place(said, counts=(3, 2), scans=None, labels="x"):
    """Return the labels of rows of so many boxes, as one text a row, and what is told."""
    scans = scans or [scan()] * len(counts)
    found = [
        (one, Subject((0, 0, 1, 1), labels, row=row, column=column))
        for row, (one, count) in enumerate(zip(scans, counts, strict=True))
        for column in reversed(range(count))  # in whatever order
    ]
    subjects, notes = label_places([one for one, _ in found], [s for _, s in found], said)
    rows = {}
    for subject in sorted(subjects, key=lambda subject: (subject.row, subject.column)):
        rows.setdefault(subject.row, []).append(subject.label or "?")
    return ["".join(row) for row in rows.values()], notes


def text(*rows, line=2, **more):
    return Override(line, more.pop("source", PAGE), text=tuple(map(tuple, rows)), **more)


def test_texts_label_the_boxes_of_their_rows_from_left_to_right():
    assert place([text("123", "45")]) == (["123", "45"], [])
    assert place([text("123"), text("45", line=3)]) == (["123", "45"], [])
    assert place([text("45", row=1)]) == (["xxx", "45"], [])
    assert place([text("1-3", row=0)]) == (["1-3", "xx"], [])  # which segment leaves out


def test_a_row_of_another_length_is_told_and_has_no_labels():
    labels, notes = place([text("1234", "45")])
    assert labels == ["???", "45"]
    assert notes == [
        f"{PAGE}, row 0: boxes found: 3, labels in its text: 4 (raw/labels.csv, line 2); these "
        "boxes have no label"
    ]


def test_other_rows_than_texts_label_nothing_for_any_may_be_the_one_too_many():
    labels, notes = place([text("123", "45", "6")])
    assert labels == ["???", "??"]
    assert "rows found: 2, lines of its text: 3 (raw/labels.csv, line 2)" in notes[0]
    assert place([text("45", row=1), text("12", row=7, line=3)])[0] == ["xxx", "45"]
    assert "row 7: boxes found: 0, labels" in place([text("12", row=7)])[1][0]


def test_pages_of_a_file_go_on_where_the_one_before_ends():
    pages = [scan(), scan(page="1")]
    assert place([text("123", "45")], scans=pages) == (["123", "45"], [])
    labels, notes = place([text("123", row=0)], scans=pages)
    assert (labels, "several pages" in notes[0]) == (["xxx", "xx"], True)


def test_labels_by_place_go_before_the_text_of_the_row_and_a_box_before_its_row():
    said = [
        Override(2, PAGE, row=0, column=1, label="9"),
        Override(3, PAGE, row=0, label="8"),
        text("123", row=0, line=4),
    ]
    assert place(said) == (["898", "xx"], [])
    assert (
        "no box in row 0, col 5 (raw/labels.csv, line 2)"
        in (place([Override(2, PAGE, row=0, column=5, label="9")])[1][0])
    )


def test_a_page_in_an_archive_and_one_with_accents():
    packed, own = scan("raw/a.zip", "in/1.png"), scan("raw/u\N{COMBINING DIAERESIS}.png")
    said = [text("123", source="raw/a.zip/in/1.png"), text("45", source="raw/\u00fc.png")]
    assert place(said, scans=[packed, own]) == (["123", "45"], [])


@pytest.mark.parametrize(
    ("written", "classes", "rows"),
    [
        ("0 12  3", "0123", [("0", "1", "2", "3")]),
        ("01\r\n\r\n 23 \n", "0123", [("0", "1"), ("2", "3")]),
        ("é\u0065\N{COMBINING ACUTE ACCENT}", "é", [("é", "é")]),
        ("x\N{COMBINING TILDE}x", ["x\N{COMBINING TILDE}", "x"], [("x\N{COMBINING TILDE}", "x")]),
        ("1 2  10 -", ["1", "2", "10"], [("1", "2", "10", "-")]),
        ("", "01", []),
    ],
)
def test_a_text_is_characters_or_words_where_classes_are(written, classes, rows):
    assert read_text(written, list(classes), 2) == tuple(rows)


@pytest.mark.parametrize(
    ("written", "classes", "message"),
    [
        ("0a1b", "01", r"line 2: text: 'a', 'b' are not among the classes in params\.yaml\. Corr"),
        ("0O", "01", r"'O' is not among"),
        ("1210", ["1", "2", "10"], r"'1210' is not .*there is a space between two labels, as in"),
    ],
)
def test_what_is_no_class_is_named(written, classes, message):
    with pytest.raises(DataError, match=message):
        read_text(written, list(classes), 2)


def test_a_text_may_have_several_lines_in_a_field(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/labels.csv").write_text(
        'source,row,col,label,group,text\nraw/a.png,,,,Ada,"12\n1"\nraw/b.png,1,,,,21\n'
        "raw/b.png,0,3,2,,\n"
    )
    assert read_overrides(tmp_path, ["1", "2"]) == [
        Override(2, "raw/a.png", group="Ada", text=(("1", "2"), ("1",))),
        Override(4, "raw/b.png", row=1, text=(("2", "1"),)),
        Override(5, "raw/b.png", row=0, column=3, label="2"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,1-2,0,,1,", "has an id and a row"),
        ("a,1-2,,,,12", "has a text and an id"),
        ("a,,0,1,,12", "has a text and a col"),
        ("a,,0,,1,12", "has a text and a label"),
        ("a,,,3,1,", "has a col and no row"),
        ('a,,0,,,"12\n1"', "has a row and a text of several lines"),
        ("a,,one,,1,", "row 'one' is no number; they count from 0"),
        ("a,,-1,,1,", "row '-1' is no number"),
        ("a,,0,,,12\na,,0,,,21", "lines 2 and 3 give the place 0 on a different texts, '1 2' and"),
        ("a,,0,1,1,\na,,0,1,2,", "lines 2 and 3 give the place 0.1 on a different labels"),
    ],
)
def test_a_line_that_is_not_clear_is_named(tmp_path, line, message):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/labels.csv").write_text(f"source,id,row,col,label,text\n{line}\n")
    with pytest.raises(DataError) as error:
        read_overrides(tmp_path, ["1", "2"])
    assert message in str(error.value) and "line" in str(error.value)
