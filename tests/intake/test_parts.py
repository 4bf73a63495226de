"""Names that say a part of a set."""

import pytest

from pipeline.intake.parts import read_part


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
