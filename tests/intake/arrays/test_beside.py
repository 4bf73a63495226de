"""Tables of labels and groups beside pictures, and the names of labels."""

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.intake.arrays.beside import read_column, read_groups_of_labels, read_names

EXPORT = b"part,id,label,group\ntrain,a,cat,Ada\nfold-1,b,dog,Bea\nfold-10,c,cat,Cid\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("7\n3\n5\n", "7 3 5"),
        ("label\n7\n3\n", "7 3"),
        ("\ufeffLabel\r\n7\r\n\r\n3\r\n", "7 3"),  # Excel's
        ("\n\nCategory\n7\n3\n", "7 3"),
        ("id,label,writer\n0,7,Ada\n1,3,Bea\n", "7 3"),
        ("label,id\n7,0\n3,1\n", "7 3"),
        ("true_label;note\n7;x\n3;y\n", "7 3"),
        ("file,kind\n1.png,7\n2.png,3\n", "7 3"),  # the only one that names no picture
        ("nr,kind\n0,7\n1,3\n2,3\n", "7 3 3"),  # a column in which each row has its own name
        ("0,7\n1,3\n", "7 3"),
        ("0 7\n1 3\n2 5\n", "7 3 5"),
        ("1.png 7\n2.png 3\n", "7 3"),
        ("0\t7\n1\t3\n", "7 3"),
        ("x\ny\nz\ny\nx\n", "x y z y x"),  # y is a class here
        ("01\n1\n", "01 1"),
        ("NA\nNone\ntrue\n", "NA None true"),
        ("id,label\n0,\n1,3\n", " 3"),
        ('"cat, big",1\ndog,2\n', "1 2"),
    ],
)
def test_the_column_of_labels_is_found_by_its_name_or_stands_last(text, labels):
    assert read_column(text.encode()).tolist() == labels.split(" ")


def test_words_of_a_label_are_no_columns():
    text = b"ankle boot\nred shoe\nankle boot\n"
    assert read_column(text).tolist() == ["ankle boot", "red shoe", "ankle boot"]


def test_labels_one_hot_are_no_column_of_them():
    expected = [[0, 0, 1], [1, 0, 0]]
    np.testing.assert_array_equal(read_column(b"0,0,1\n1,0,0\n"), expected)
    np.testing.assert_array_equal(read_column(b"0.0e+00 0. 1e0\n1 0 0\n"), expected)  # as savetxt


def test_a_label_that_is_called_group_makes_no_groups():
    assert read_groups_of_labels(b"group\nportrait\ngroup\n") is None
    assert read_groups_of_labels(b"label,group\n7,Ada\n").tolist() == ["Ada"]


def test_groups_are_another_column_of_the_same_table():
    assert read_column(b"id,label,writer\n0,7,Ada\n1,3,Bea\n", "groups").tolist() == ["Ada", "Bea"]


def test_a_column_of_parts_of_which_the_pictures_are_none_changes_nothing():
    assert read_column(EXPORT, "groups", "out/X.npy").tolist() == ["Ada", "Bea", "Cid"]


@pytest.mark.parametrize(
    ("pictures", "groups"),
    [("out/train.csv", ["Ada"]), ("out/fold-1.csv", ["Bea"]), ("out/fold-10.csv", ["Cid"])],
)
def test_of_a_list_of_several_parts_the_own_one_counts(pictures, groups):
    assert read_column(EXPORT, "groups", pictures).tolist() == groups


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is empty"),
        (b"age,town\n7,Rome\n3,Oslo\n", "none of its columns is named label: it has age, town"),
        (b"0,7\n\n1,3,9\n", "line 3: it has 3 values, the first line 2"),
        ("0,é\n1,ü\n".encode("latin-1"), "line 1 is not in UTF-8"),
    ],
)
def test_a_table_that_is_not_clear_is_refused(text, reason):
    with pytest.raises(DataError, match=reason):
        read_column(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("10 65\n11 66 98\n", {10: ("A",), 11: ("B", "b")}),  # as EMNIST has it
        ("0 65\n1 65\n", {0: ("A",), 1: ("A",)}),
        ("cat\n\nbig dog\n", {0: ("cat",), 1: ("big dog",)}),
        ("7\n9\n", {0: ("7",), 1: ("9",)}),
        ("0 T-shirt\n1 Ankle boot\n", {0: ("T-shirt",), 1: ("Ankle boot",)}),
        ('label,name\n0,"T-shirt"\n1,Ankle boot\n', {0: ("T-shirt",), 1: ("Ankle boot",)}),
        ("1 cent\n2 cent\n5 cent\n", {0: ("1 cent",), 1: ("2 cent",), 2: ("5 cent",)}),
        ("1 cent\n1 euro\n", {0: ("1 cent",), 1: ("1 euro",)}),
        ("1 cent\n2 euro\n", {1: ("cent",), 2: ("euro",)}),
        ("class_id,class_name\n0,cat\n1,dog\n", {0: ("cat",), 1: ("dog",)}),
        ("name,label\ncat,0\ndog,1\n", {0: ("cat",), 1: ("dog",)}),
        ("type 1\nkind 0\n", {0: ("type 1",), 1: ("kind 0",)}),
        ("class\ncat\ndog\n", {0: ("cat",), 1: ("dog",)}),
        ("0,cat\n", {0: ("cat",)}),
        ("cat,dog\n", {0: ("cat,dog",)}),
        ("", {}),
    ],
)
def test_names_of_labels_are_a_list_or_a_mapping(text, names):
    assert read_names(text.encode()) == names


def test_the_classes_and_the_files_name_say_which_it_is():
    coins, repeated = b"1 cent\n2 euro\n", b"0 cat\n1 dog\n2 cat\n"
    as_list = {0: ("1 cent",), 1: ("2 euro",)}
    assert read_names(coins, ["1 cent", "2 euro"]) == as_list
    assert read_names(coins, ["cent"]) == {1: ("cent",), 2: ("euro",)}
    assert read_names(b"7 rings\nnone\n", ["none"]) == {0: ("7 rings",), 1: ("none",)}
    assert read_names(b"class\nlabel\n", ["class", "label"]) == {0: ("class",), 1: ("label",)}
    assert read_names(b"cat 1\ncat 2\n", ["cat 1", "cat 2"]) == {0: ("cat 1",), 1: ("cat 2",)}
    mapping = {0: ("cat",), 1: ("dog",), 2: ("cat",)}
    assert read_names(repeated, ["cat"]) == read_names(repeated, is_mapping=True) == mapping


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"10 65\nx\n", "line 2: 'x' is no label with its name"),
        (b"\n10 9999999\n", "line 2: 9999999 is the code of no character"),
    ],
)
def test_a_mapping_that_breaks_off_is_named_by_its_line(text, reason):
    with pytest.raises(DataError, match=reason):
        read_names(text)


def test_a_mapping_that_contradicts_itself_is_refused():
    with pytest.raises(DataError, match="line 2: the label 0 has another name further up"):
        read_names(b"0 cat\n0 dog\n", is_mapping=True)
