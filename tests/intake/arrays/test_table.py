"""Tables of numbers and the names of labels beside them."""

import pytest

from pipeline.errors import DataError
from pipeline.intake.arrays.table import read_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("10 65\n11 66 98\n", {10: ("A",), 11: ("B", "b")}),  # as EMNIST has it
        ("cat\n\nbig dog\n", {0: ("cat",), 1: ("big dog",)}),
        ("7\n9\n", {0: ("7",), 1: ("9",)}),
        ("0 T-shirt\n1 Ankle boot\n", {0: ("T-shirt",), 1: ("Ankle boot",)}),
    ],
)
def test_names_of_labels_are_a_list_or_a_mapping(text, names):
    assert read_names(text.encode()) == names


def test_a_mapping_that_breaks_off_is_named_by_its_line():
    with pytest.raises(DataError, match="line 2: 'x' is no label with its name"):
        read_names(b"10 65\nx\n")
