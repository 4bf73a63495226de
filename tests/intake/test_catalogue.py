"""The catalogue's rules: overrides, unknown labels, duplicates and conflicts."""

import pytest

from pipeline.errors import DataError
from pipeline.intake.catalogue import apply_overrides, check_labels, name_of, settle_duplicates


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
    apply_overrides(
        rows,
        [
            {"source": "a.jpg", "label": "dog", "group": ""},
            {"source": "b.zip/in/1.jpg", "label": "", "group": "rex"},
            {
                "source": "c.jpg",
                "id": "0-0-5-5",
                "label": "dog",
                "group": "",
            },  # a box's, not a scan's
        ],
    )
    assert [(row["label"], row["group"]) for row in rows] == [
        ("dog", ""), ("cat", "rex"), ("cat", ""),
    ]  # fmt: skip


def test_an_override_of_no_scan_offers_the_nearest():
    with pytest.raises(DataError, match=r"no scan is 'raw/a1\.jpg'\. Did you mean 'raw/a\.jpg'"):
        apply_overrides([scan("raw/a.jpg")], [{"source": "raw/a1.jpg"}])


def test_an_unknown_label_offers_the_nearest_class():
    with pytest.raises(DataError, match=r"x\.jpg: 'dgo' is not among.*Did you mean 'dog'"):
        check_labels([scan("x.jpg", "dgo")], ["cat", "dog"])


def test_names_say_file_member_and_page():
    assert name_of(scan("a.zip", member="b.tif", page="2")) == "a.zip > b.tif page 3"
