"""raw/labels.csv edited line by line: what is not meant stays, byte for byte; all can be undone."""

import csv
import errno
import io
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.intake import rewriting
from pipeline.intake.label_lines import (
    ChangedSinceError,
    Hunk,
    Line,
    change_lines,
    rewrite_labels,
    undo_lines,
)
from pipeline.intake.labels import COLUMNS, read_overrides
from pipeline.intake.spreadsheets import read_writing

CLASSES = ("0", "1", "ä, ö")
ONE = Line("raw/scans/a.png", "0123456789-0-7-9", "1")
TWO = Line("raw/set.zip/b, c.png", "abcdef0123-0-1-2", "-")

FILES = {
    "none": None,
    "only a header": b"source,id,label\n",
    "no line end": b"source,id,label\nraw/scans/a.png,,0",
    "windows": b"source,id,label\r\nraw/scans/a.png,,0\r\n",
    "old mac": b"source,id,label\rraw/scans/a.png,,0\r",
    "a mark": b"\xef\xbb\xbfsource,id,label\nraw/scans/a.png,,0\n",
    "utf-16": "\ufeffsource\tid\tlabel\nraw/scans/a.png\t\tä, ö\n".encode("utf-16-le"),
    "utf-16 big": "\ufeffsource;label\nraw/scans/a.png;0\n".encode("utf-16-be"),
    "semicolons": b"source;id;label\nraw/scans/a.png;;0\n",
    "tabs": b"source\tid\tlabel\nraw/scans/a.png\t\t0\n",
    "Excel's own line": b"sep=;\r\nsource;label\r\nraw/scans/a.png;0\r\n",
    "other order": b"Label,group,SOURCE,Id\n0,ada,raw/scans/a.png,0123456789-0-7-9\n",
    "no id": b"source,label\nraw/scans/a.png,0\n",
    "no label": b"source,id,group\nraw/scans/a.png,0123456789-0-7-9,ada\n",
    "text of several lines": b'source,row,text\nraw/scans/a.png,,"0 1\n1 0"\n',
    "empty lines": b"\n,,\nsource,id,label\n\nraw/scans/a.png,,0\n,,\n\n",
    "quotes and space": b'"source", id,label\n "raw/scans/a, b.png",x ,"0"\n',
    "twice": b"source,id,label\nr,0123456789-0-7-9,0\nr,0123456789-0-7-9,0\n",
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_what_is_wanted_is_read_back_and_undone_to_the_byte(data, tmp_path):
    made, hunks, form = change_lines(data, [ONE, TWO])
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/labels.csv").write_bytes(made)
    said = {one.id: one for one in read_overrides(tmp_path, CLASSES) if one.id}
    assert (said[ONE.id].label, said[TWO.id].label, said[TWO.id].source) == ("1", "-", TWO.source)
    assert undo_lines(made, hunks, form)[0] == data


@pytest.mark.parametrize("data", list(FILES.values())[1:], ids=list(FILES)[1:])
def test_all_that_stood_there_stays_when_a_line_is_added(data):
    """The first row may get columns at its end; all else stays, in its order."""
    made, *_ = change_lines(data, [TWO])
    encoding = (
        "utf-16-le" if data[1:2] == b"\xfe" else "utf-16-be" if data[:1] == b"\xfe" else "utf-8"
    )
    before, after = data.decode(encoding), made.decode(encoding)
    first = next(line for line in before.splitlines() if "source" in line.lower())
    head, _, body = before.partition(first)
    assert after.startswith(head + first)
    assert body in after
    assert after.count(TWO.id) == 1


def test_a_line_keeps_its_other_columns_and_its_place():
    data = b"source,id,label,group\nr,x-0-1-1,0,ada\nr,y-0-1-1,0,bo\n# mine,,,\n"
    made, hunks, _ = change_lines(data, [Line("r", "x-0-1-1", "1")])
    assert made == b"source,id,label,group\nr,x-0-1-1,1,ada\nr,y-0-1-1,0,bo\n# mine,,,\n"
    assert [tuple(hunk) for hunk in hunks] == [("r,x-0-1-1,0,ada\n", "r,x-0-1-1,1,ada\n")]


def test_what_is_said_already_changes_nothing():
    data = b"source,id,label\nr, x-0-1-1 , 1 \n"
    assert change_lines(data, [Line("r", "x-0-1-1", "1")])[:2] == (data, [])


def test_an_undo_keeps_what_somebody_else_wrote_meanwhile():
    made, hunks, form = change_lines(
        b"source,id,label\nr,x,0\n", [Line("r", "x", "1"), Line("r", "y", "1")]
    )
    edited = b"source,id,label\nr,w,1\n" + made.partition(b"\n")[2] + b"r,z,0\n"
    assert undo_lines(edited, hunks, form)[0] == b"source,id,label\nr,w,1\nr,x,0\nr,z,0\n"


def test_an_undo_leaves_the_first_row_to_lines_that_came_later():
    made, hunks, form = change_lines(None, [Line("r", "y", "1")])
    assert undo_lines(made + b"r,z,0\n", hunks, form)[0] == b"source,id,label\nr,z,0\n"
    made, hunks, form = change_lines(b"source\nr\n", [Line("r", "y", "1")])
    assert undo_lines(made + b"r,z,0\n", hunks, form)[0] == b"source,id,label\nr\nr,z,0\n"


def test_a_line_that_was_changed_since_is_not_undone():
    made, hunks, form = change_lines(None, [Line("r", "y", "1")])
    with pytest.raises(ChangedSinceError, match="'r,y,1' was changed outside this page"):
        undo_lines(made.replace(b"y,1", b"y,0"), hunks, form)


def save_anew(data, encoding="utf-8", end="\r\n", columns=None, **options):
    """Return a table as a spreadsheet saves it, its columns in another order if need be."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    order = [rows[0].index(name) for name in columns or rows[0]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, **options)
    writer.writerows([(row + [""] * len(order))[place] for place in order] for row in rows)
    return text.getvalue().encode(encoding)


SAVED_ANEW = {
    "all quoted": {"quoting": csv.QUOTE_ALL},
    "semicolons": {"delimiter": ";"},
    "UTF-16, tabs": {"encoding": "utf-16", "delimiter": "\t"},
    "a mark": {"encoding": "utf-8-sig", "end": "\n"},
    "columns moved": {"columns": ("label", "source", "group", "id")},
}


@pytest.mark.parametrize("saved", SAVED_ANEW.values(), ids=SAVED_ANEW)
def test_what_a_spreadsheet_saved_anew_is_undone_for_it_says_the_same(saved):
    before = b'source,id,label,group\nr,x,0,"Lee, Ada"\nr,z,0,\n'
    made, hunks, form = change_lines(before, [Line("r", "x", "1"), Line("r", "y", "1")])
    undone, stay = undo_lines(save_anew(made, **saved), hunks, form)
    assert stay == 0
    assert undone is not None
    writing = read_writing(undone, "it", lambda fields: "source" in fields, COLUMNS)
    header, *rows = writing.read()
    assert [dict(zip(header, row, strict=True)) for row in rows if row] == [
        {"source": "r", "id": "x", "label": "0", "group": "Lee, Ada"},
        {"source": "r", "id": "z", "label": "0", "group": ""},
    ]


@pytest.mark.parametrize("saved", list(SAVED_ANEW.values())[:4], ids=list(SAVED_ANEW)[:4])
def test_a_file_that_prep_made_and_a_spreadsheet_saved_anew_is_gone_after_undo(saved):
    made, hunks, form = change_lines(None, [Line("r", "y", "1")])
    assert undo_lines(save_anew(made, **saved), hunks, form) == (None, 0)


def test_of_what_an_older_prep_noted_the_text_is_compared():
    made, hunks, _ = change_lines(b"source,id,label\nr,x,0\n", [Line("r", "x", "1")])
    assert undo_lines(made, hunks, None) == (b"source,id,label\nr,x,0\n", 0)


@pytest.mark.parametrize("after", ["", "\n", '"half', '"a"b,c', ",,"])
def test_a_row_that_prep_never_wrote_is_found_nowhere(after):
    with pytest.raises(ChangedSinceError):
        undo_lines(b"source,id,label\n\n,,\nr,x,0\n", [Hunk(None, after)], None)


# --- The file -------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "processed").mkdir()
    (tmp_path / "raw/labels.csv").write_bytes(b"source,id,label\nr,x,0\n")
    return tmp_path


def write(root, line=ONE):
    rewrite_labels(root, CLASSES, lambda data, said: change_lines(data, [line])[0], [line])


def test_nothing_else_is_ever_seen_in_raw(root, monkeypatch):
    seen, real = [], Path.replace

    def note_and_replace(part, target):
        seen.append([one.name for one in (root / "raw").iterdir()])
        return real(part, target)

    monkeypatch.setattr(
        Path,
        "replace",
        lambda a, b: (seen.append([one.name for one in (root / "raw").iterdir()]), real(a, b)),
    )
    write(root)
    assert seen == [["labels.csv"]]
    assert list((root / "processed").iterdir()) == []


def test_a_file_that_cannot_be_read_is_told_with_its_line_and_left_alone(root):
    before = b"source,id,label\nr,x,0\nr,y,9\n"
    (root / "raw/labels.csv").write_bytes(before)
    with pytest.raises(DataError, match="line 3: '9' is not among the classes"):
        write(root)
    assert (root / "raw/labels.csv").read_bytes() == before


def test_what_would_not_be_read_back_is_not_written(root):
    before = (root / "raw/labels.csv").read_bytes()
    with pytest.raises(DataError, match="can't name the file"):
        write(root, Line("raw/scans/space at the end ", "x-0-1-1", "1"))
    assert (root / "raw/labels.csv").read_bytes() == before


def test_a_full_disk_leaves_the_file_as_it_was(root, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="No space left") as caught:
        write(root)
    assert Path(caught.value.filename).name == "labels.csv"
    assert (root / "raw/labels.csv").read_bytes() == b"source,id,label\nr,x,0\n"


def test_a_read_only_file_is_refused(root, monkeypatch):
    monkeypatch.setattr(rewriting.os, "access", lambda path, mode: False)  # root may all
    with pytest.raises(PermissionError):
        write(root)


def test_the_rights_of_the_file_stay(root):
    (root / "raw/labels.csv").chmod(0o640)
    write(root)
    assert (root / "raw/labels.csv").stat().st_mode & 0o777 == 0o640


def test_a_link_within_raw_stays_one_and_one_that_leads_out_is_refused(root):
    labels = root / "raw/labels.csv"
    labels.rename(root / "raw/mine.csv")
    labels.symlink_to("mine.csv")
    write(root)
    assert labels.is_symlink()
    assert ONE.id in (root / "raw/mine.csv").read_text()
    (root / "elsewhere.csv").write_bytes(b"source,label\n")
    labels.unlink()
    labels.symlink_to("../elsewhere.csv")
    with pytest.raises(DataError, match="leads out of raw/"):
        write(root)
    assert (root / "elsewhere.csv").read_bytes() == b"source,label\n"


def test_of_many_rows_the_others_are_undone_where_one_was_changed_since():
    made, hunks, form = change_lines(b"source,id,label\n", [Line("r", name, "1") for name in "xyz"])
    edited = made.replace(b"r,y,1", b"r,y,0")
    assert undo_lines(edited, hunks, form) == (b"source,id,label\nr,y,0\n", 1)
    assert undo_lines(made, hunks, form)[1] == 0
