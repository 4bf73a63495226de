"""Names that say a part of a set."""

import pytest

from pipeline.intake.parts import read_part, read_part_of_path


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("train", "train Train TRAINING training_set training-set trainset train_images seg_train"),
        ("val", "val valid validation Validation dev val_set ValidationSet dev-data"),
        ("test", "test Testing test_set testset images_test TEST"),
        ("", "trains test1 contest cat set images train_test validity development retrain"),
    ],
)
def test_the_usual_names_are_known_in_any_capitals(part, names):
    assert {name: read_part(name) for name in names.split()} == dict.fromkeys(names.split(), part)
    assert read_part("") == ""


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("r/mnist_train.csv", "train"),
        ("r/t10k-images-idx3-ubyte", "test"),
        ("r/validation-00000-of-00001.parquet", "val"),
        ("r/val_images.npy", "val"),
        ("r/train/X.npy", "train"),
        ("r/trainset.npz", "train"),
        ("r/test.npz/x_train.npy", "train"),  # the nearer word
        ("r/train_and_test.csv", ""),
        ("r/contest.csv", ""),
    ],
)
def test_a_word_of_a_files_name_says_its_part(name, part):
    assert read_part_of_path(name) == part
