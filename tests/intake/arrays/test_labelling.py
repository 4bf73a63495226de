"""Labels of any form become names of classes, once and for all rows alike."""

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.intake.arrays.labelling import name_labels


@pytest.mark.parametrize(
    ("labels", "classes", "called"),
    [
        ("1,3.0,2.000e+00", "1 2 3", "1,3,2"),
        ("01,02,1", "01 02", "01,02,1"),
        ("01,2", "1 2", "1,2"),
        ("01,x", "1 x", "01,x"),  # a text among them: all are
        ("007,7", "", "007,7"),  # of groups nobody knows
        ("NA,None,nan,true", "", "NA,None,nan,true"),
        ("1,,2", "1 2", "1,,2"),
        ("-1,1", "1", ",1"),
        ("-1,1", "-1 1", "-1,1"),
        ("10,1", "0 1", "0,1"),
        ("10,,1", "0 1", "0,,1"),
        ("0.5,1", "0.5 1", "0.5,1"),
    ],
)
def test_texts_that_are_all_numbers_are_numbers(labels, classes, called):
    found, _ = name_labels(np.array(labels.split(",")), {}, classes.split())
    assert found == called.split(",")


def test_names_of_numbers_count_for_numbers_in_text_too():
    names = {0: ("7",), 1: ("9",)}
    assert name_labels(np.array(["0", "1"]), names, ["7", "9", "1"])[0] == ["7", "9"]


def test_what_is_wrong_is_called_by_its_noun():
    with pytest.raises(DataError, match="group 3 is 1.5, no whole number and no text"):
        name_labels(np.array(["1", "1", "1.5", "0.5"]), {}, (), "group")
    with pytest.raises(DataError, match=r"groups \(2, 3\) are several a picture"):
        name_labels(np.ones((2, 3)), {}, (), "group")
