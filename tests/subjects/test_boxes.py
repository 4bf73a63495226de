"""Ids of scans and boxes, and the labels that a layout gives to places."""

import pytest

from pipeline.errors import DataError
from pipeline.subjects.boxes import box_id, label_places, scan_id, scan_of

CLASSES = ["a", "b", "c"]


def test_a_box_is_named_after_its_scan_and_its_centre():
    scan = scan_id("0123456789abcdef", 2)
    assert scan == "0123456789-2"
    assert box_id(scan, (10, 20, 31, 25)) == "0123456789-2-20-22"
    assert scan_of("0123456789-2-20-22") == scan_of(scan) == scan


def test_rows_are_classes():
    places = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]
    assert label_places("rows", places, CLASSES, "") == ["a", "a", "b", "c", "c"]


def test_sequences_are_columns():
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert label_places("sequence", places, CLASSES, "") == list("abcabc")


def test_free_pages_hold_the_class_of_their_folder():
    assert label_places("free", [(0, 0), (3, 1)], CLASSES, "b") == ["b", "b"]


@pytest.mark.parametrize("labels_from", ["rows", "columns", "folder"])
def test_cells_are_labelled_as_the_source_says(labels_from):
    places = [(0, 0), (1, 1), (2, 2), (1, 0)]
    expected = {"rows": list("abcb"), "columns": list("abca"), "folder": ["c"] * 4}
    assert label_places("cells", places, CLASSES, "c", labels_from) == expected[labels_from]


def test_a_page_with_other_rows_is_refused_not_guessed():
    with pytest.raises(DataError, match="expects 3 rows .one for each class., but 2 rows"):
        label_places("rows", [(0, 0), (1, 0)], CLASSES, "")
