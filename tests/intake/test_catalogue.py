"""The catalogue's rules: overrides, unknown labels, duplicates and conflicts."""

import pytest

from pipeline.errors import DataError
from pipeline.intake.catalogue import apply_overrides, check_labels, name_of, settle_duplicates
from pipeline.intake.labels import Override

DECOMPOSED, COMPOSED = "raw/Mu\N{COMBINING DIAERESIS}ller.jpg", "raw/Müller.jpg"


def scan(source, label="", sha256="", **more):
    row = {"source": source, "member": "", "page": "0", "label": label, "group": "", "split": ""}
    return row | {"sha256": sha256 or source, "status": "ok", "reason": ""} | more


def test_the_same_bytes_are_used_once():
    rows = [scan("a.jpg", "cat", "1"), scan("b.jpg", "cat", "2"), scan("c.jpg", "cat", "1")]
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["ok", "ok", "duplicate"]
    assert rows[2]["reason"] == "same as a.jpg"


def test_of_the_same_bytes_the_one_of_a_given_test_set_stays():
    rows = [scan("a.jpg", "cat", "1", split="train"), scan("b.jpg", "cat", "1", split="test")]
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["duplicate", "ok"]
    assert rows[0]["reason"] == "same as b.jpg"


def test_the_same_bytes_under_two_labels_are_all_quarantined():
    rows = [scan("a.jpg", "cat", "1"), scan("b.jpg", "dog", "1"), scan("c.jpg", "dog", "2")]
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["quarantined", "quarantined", "ok"]
    assert "'cat' (a.jpg), 'dog' (b.jpg)" in rows[0]["reason"]


def test_an_unlabelled_copy_takes_nothing_from_the_labelled_one():
    rows = [
        scan("loose.jpg", "", "1", split="test"), scan("b.jpg", "bar", "1"),
        scan("c.jpg", "", "2"), scan("d.jpg", "", "2"),
    ]  # fmt: skip
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["duplicate", "ok", "ok", "duplicate"]
    assert rows[0]["reason"] == "same as b.jpg"


def test_where_labels_differ_an_unlabelled_copy_is_not_used_either():
    rows = [scan("a.jpg", "", "1"), scan("b.jpg", "cat", "1"), scan("c.jpg", "dog", "1")]
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["quarantined"] * 3
    assert rows[0]["reason"].endswith("under different labels: 'cat' (b.jpg), 'dog' (c.jpg)")


def test_pages_of_one_file_are_no_duplicates():
    rows = [scan("a.tif", sha256="1"), scan("a.tif", sha256="1", page="1")]
    settle_duplicates(rows)
    assert [row["status"] for row in rows] == ["ok", "ok"]


def test_a_broken_file_is_no_duplicate_of_another():
    rows = [scan("a.jpg", sha256="1", status="quarantined"), scan("b.jpg", sha256="1")]
    settle_duplicates(rows)
    assert rows[1]["status"] == "ok"


def test_overrides_change_only_what_they_name():
    rows = [scan("a.jpg", "cat"), scan("b.zip", "cat", member="in/1.jpg"), scan("c.jpg", "cat")]
    said = [
        Override(2, "a.jpg", label="dog"),
        Override(3, "b.zip/in/1.jpg", group="rex"),
        Override(4, "c.jpg", id="0-0-5-5", label="dog"),  # a box's, not a scan's
    ]
    apply_overrides(rows, said)
    assert [(row["label"], row["group"]) for row in rows] == [
        ("dog", ""), ("cat", "rex"), ("cat", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "written, message",
    [
        ("raw/a1.jpg", r"line 7: no scan is 'raw/a1\.jpg'\. Did you mean 'raw/a\.jpg'"),
        ("/home/bob/raw/a.jpg", r"line 7: .* Paths begin at the project.*'raw/a\.jpg'"),
        ("C:/Users/bob/pets/raw/a.jpg", r"line 7: .* Paths begin at .* Did you mean 'raw/a\.jpg'"),
        ("a.jpg", r"line 7: no scan is 'a\.jpg'\. Did you mean 'raw/a\.jpg'"),
        ("raw", r"line 7: 'raw' is a folder; name each of its files"),
    ],
)
def test_an_override_of_no_scan_offers_the_nearest(written, message):
    with pytest.raises(DataError, match=message):
        apply_overrides([scan("raw/a.jpg")], [Override(7, written)])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([("a", "cat", ""), ("b", "dog", ""), ("a", "dog", "")],
         "lines 2 and 4 give the source 'a' different labels, 'cat' and 'dog'"),
        ([("a", "", "Ada"), ("a", "cat", "Bob")],
         "lines 2 and 3 give the source 'a' different groups, 'Ada'"),
        ([("a", "cat", ""), ("a", "-", "")], "lines 2 and 3 give the source 'a' different labels"),
        ([(COMPOSED, "cat", ""), (DECOMPOSED, "dog", "")], "lines 2 and 3 give the source 'raw/M"),
    ],
)  # fmt: skip
def test_contradicting_lines_are_named(said, message):
    lines = [
        Override(line, source, label=label, group=group)
        for line, (source, label, group) in enumerate(said, 2)
    ]
    with pytest.raises(DataError, match=message):
        apply_overrides([scan("a"), scan("b"), scan(DECOMPOSED)], lines)


@pytest.mark.parametrize(("found", "written"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
@pytest.mark.parametrize("member", ["", "in/ä.jpg"])
def test_a_scan_is_known_however_its_accents_are_encoded(found, written, member):
    rows = [scan(found, member=member)]
    said = f"{written}/in/a\N{COMBINING DIAERESIS}.jpg" if member else written
    apply_overrides(rows, [Override(2, said, label="cat")])
    assert rows[0]["label"] == "cat"
    assert rows[0]["source"] == found  # as it can be opened


def test_two_files_that_differ_in_that_only_are_told_apart_by_who_writes_exactly():
    rows = [scan(DECOMPOSED), scan(COMPOSED)]
    apply_overrides(
        rows, [Override(2, COMPOSED, label="cat"), Override(3, DECOMPOSED, label="dog")]
    )
    assert [row["label"] for row in rows] == ["dog", "cat"]
    twice = "raw/x\N{COMBINING ACUTE ACCENT}\N{COMBINING CEDILLA}.jpg"
    other = "raw/x\N{COMBINING CEDILLA}\N{COMBINING ACUTE ACCENT}.jpg"
    rows = [scan(twice), scan(other.replace("x", "x\N{COMBINING GRAPHEME JOINER}"))]
    apply_overrides(rows, [Override(2, other, label="cat")])
    assert [row["label"] for row in rows] == ["cat", ""]


def test_what_could_be_either_is_refused():
    angstrom, letter, two = "\N{ANGSTROM SIGN}.jpg", "\u00c5.jpg", "A\N{COMBINING RING ABOVE}.jpg"
    with pytest.raises(DataError, match="line 2: 2 files are called .* accent .* Rename one"):
        apply_overrides([scan(angstrom), scan(two)], [Override(2, letter, label="cat")])


def test_a_picture_that_is_left_out_is_used_nowhere_and_needs_no_class():
    rows = [scan("a.jpg", "nonsense", "1"), scan("b.jpg", "cat", "1"), scan("c.jpg", "cat")]
    apply_overrides(rows, [Override(2, "a.jpg", label="-")])
    check_labels(rows, ["cat"])
    settle_duplicates(rows)
    assert [(row["status"], row["label"]) for row in rows] == [
        ("left out", "nonsense"), ("ok", "cat"), ("ok", "cat"),
    ]  # fmt: skip
    assert rows[0]["reason"] == "as raw/labels.csv wants it"


def test_a_line_about_a_file_goes_before_one_about_its_archive():
    rows = [scan("a.zip", member="1.jpg"), scan("a.zip", member="2.jpg")]
    said = [Override(2, "a.zip/1.jpg", label="cat"), Override(3, "a.zip", label="dog")]
    apply_overrides(rows, said)
    assert [row["label"] for row in rows] == ["cat", "dog"]


def test_an_unknown_label_offers_the_nearest_class():
    with pytest.raises(DataError, match=r"x\.jpg: 'dgo' is not among.*Did you mean 'dog'"):
        check_labels([scan("x.jpg", "dgo")], ["cat", "dog"])


def test_names_say_file_member_and_page():
    assert name_of(scan("a.zip", member="b.tif", page="2")) == "a.zip > b.tif page 3"
