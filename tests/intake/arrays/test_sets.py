"""Files are put together by what their names say, and parts are read off names too."""

import pytest

from pipeline.errors import DataError
from pipeline.intake.arrays.rows import choose_files
from pipeline.intake.arrays.sets import find_sets, name_of
from pipeline.intake.files import PictureFile


def sets_of(*names):
    """The sets among files, each as its names; a > stands before a member."""
    files = [PictureFile(*name.split(">")) for name in sorted(names)]
    return [
        tuple(name_of(file) if file else "" for file in (one.images, one.labels))
        for one in find_sets(files)
    ]


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [
        ("raw/train-images-idx3-ubyte", "raw/train-labels-idx1-ubyte"),
        ("raw/train-images-idx3-ubyte.gz", "raw/train-labels-idx1-ubyte"),
        ("raw/train-images.idx3-ubyte", "raw/train-labels.idx1-ubyte"),
        ("raw/images/a-images-idx3-ubyte", "raw/images/a-labels-idx1-ubyte"),
        ("r/emnist-test-images-idx3-ubyte.gz", "r/emnist-test-labels-idx1-ubyte.gz"),
        ("raw/m.npz>x_train.npy", "raw/m.npz>y_train.npy"),
        ("raw/m.npz>val_images.npy", "raw/m.npz>val_labels.npy"),
        ("raw/m.npz>images.npy", "raw/m.npz>labels.npy"),
        ("raw/k-train-imgs.npz>arr_0.npy", "raw/k-train-labels.npz>arr_0.npy"),
        ("raw/X.npy", "raw/y.npy"),
        ("raw/Xtrain.npy", "raw/ytrain.npy"),
        ("raw/trainX.npy", "raw/trainY.npy"),
        ("raw/digits.npy", "raw/digits_labels.npy"),
        ("raw/images/train.npy", "raw/labels/train.npy"),
        ("raw/csvTrainImages.csv", "raw/csvTrainLabel.csv"),
        ("raw/train-images-idx3-ubyte", "raw/train-labels-idx1-short"),
        ("raw/train-images.idx3-ubyte.gz", "raw/train-labels.idx1-int.gz"),
        ("raw/train.parquet", "raw/train-labels.csv"),
    ],
)  # fmt: skip
def test_pictures_and_labels_are_paired_by_their_names(pictures, labels):
    assert sets_of(pictures, labels) == [(pictures.replace(">", "/"), labels.replace(">", "/"))]


def test_each_part_and_each_folder_is_a_set_of_its_own():
    assert sets_of("r/x_test.npy", "r/x_train.npy", "r/y_test.npy", "r/y_train.npy") == [
        ("r/x_test.npy", "r/y_test.npy"),
        ("r/x_train.npy", "r/y_train.npy"),
    ]
    assert sets_of("r/a/X.npy", "r/a/y.npy", "r/b/X.npy") == [
        ("r/a/X.npy", "r/a/y.npy"),
        ("r/b/X.npy", ""),
    ]
    assert sets_of("r/mnist_test.csv", "r/mnist_train.csv") == [
        ("r/mnist_test.csv", ""),
        ("r/mnist_train.csv", ""),
    ]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["a/train-images-idx3-ubyte"],
         r"a/train-images-idx3-ubyte has no file of labels beside it: a/train-labels\.\.\. exp"),
        (["a/t10k-labels-idx1-ubyte.gz"], r"no file of images beside it: a/t10k-images\.\.\. exp"),
        (["a/train-images", "b/train-labels"], "no file of labels"),
        (["a/train-images", "a/train-images.gz", "a/train-labels"], "two files of the same images"),
        (["a/y_train.npy"], "a/y_train.npy has no file of images beside it"),
        (["a/x_train.npy", "a/x_test.npy", "a/groups.npy"],
         r"a/groups.npy: which pictures it is about is not clear \(a/x_test.npy and a/x_train.npy"),
        (["a/x_train.npy", "b/groups_train.npy"], "b/groups_train.npy: which pictures"),
        (["a/x.npy", "a/groups.npy", "writers.npy"], "writers.npy: which pictures"),
        (["a.npz>data.npy", "a.npz>images.npy"], "save it again with one of them only"),
    ],
)  # fmt: skip
def test_a_file_without_its_partner_is_named(files, reason):
    with pytest.raises(DataError, match=reason):
        sets_of(*files)


def test_tables_and_mappings_are_of_the_set_and_other_notes_are_not(capsys):
    notes = ["r/README.md", "r/emnist-letters-mapping.txt", "r/emnist-letters-train.csv", "r/a.txt"]
    (one,) = choose_files([], [PictureFile(name) for name in notes])
    assert one.images == PictureFile("r/emnist-letters-train.csv")
    assert one.names == PictureFile("r/emnist-letters-mapping.txt")


def test_an_array_whose_name_says_nothing_is_left_out_and_told(capsys):
    members = ["ids.npy", "x_train.npy", "y_train.npy", "writers_train.npy", "class_names.npy"]
    (one,) = choose_files([PictureFile("r/m.npz", member) for member in members], [])
    assert one.groups.member == "writers_train.npy"
    assert one.names.member == "class_names.npy"
    assert "1 array not used, for the name says nothing: r/m.npz/ids.npy" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("pictures", "groups"),
    [
        ("a/x_train.npy", "a/groups_train.npy"),
        ("a/train.parquet", "a/train_groups.npy"),
        ("a/x_train.npy", "a/writers.npy"),
        ("a/mnist.csv", "a/mnist-writers.csv"),
    ],
)
def test_groups_go_with_the_pictures_that_they_can_be_about(pictures, groups):
    (one,) = find_sets([PictureFile(pictures), PictureFile(groups)])
    assert (one.images, one.groups) == (PictureFile(pictures), PictureFile(groups))


def test_names_of_no_sets_labels_and_examples_of_answers_are_left_out_and_told(capsys):
    notes = ["r/train.csv", "r/test_classes.txt", "r/sample_submission.csv"]
    (one,) = choose_files([], [PictureFile(name) for name in notes])
    assert one.images == PictureFile("r/train.csv") and one.names is None
    said = " ".join(capsys.readouterr().err.split())
    assert "r/test_classes.txt names the labels of no set, and is not used" in said
    assert "r/sample_submission.csv is an example of an answer, not labels" in said


def test_text_files_are_of_a_set_by_their_names():
    notes = ["r/X_train.txt", "r/y_train.txt", "r/groups_train.txt", "r/features.txt"]
    (one,) = choose_files([], [PictureFile(name) for name in notes])
    assert (one.images.source, one.labels.source, one.groups.source) == tuple(notes[:3])
