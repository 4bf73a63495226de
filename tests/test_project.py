"""A project's paths: found from below, named from the root, safe for any class."""

import pytest

from pipeline.errors import DataError
from pipeline.project import Project, class_file_name, find_project


def test_the_project_is_found_from_below(tmp_path):
    (tmp_path / "params.yaml").touch()
    deep = tmp_path / "raw/photos"
    deep.mkdir(parents=True)
    assert find_project(deep) == Project(tmp_path)


def test_no_project_says_how_to_start_one(tmp_path):
    with pytest.raises(DataError, match="prep init"):
        find_project(tmp_path)


def test_a_missing_input_names_the_command_that_makes_it(tmp_path):
    project = Project(tmp_path)
    with pytest.raises(DataError, match=r"processed/tiles\.h5 is not there.*prep normalise"):
        project.input("tiles.h5")
    with pytest.raises(DataError, match=r"augmented/flip/cat\.h5 is not there.*prep augment"):
        project.require(project.variants_file("flip", "cat"))


@pytest.mark.parametrize(
    "name, expected", [("cat", "cat"), ("猫", "猫"), ('a<b>"?', "a%3Cb%3E%22%3F"), ("50%", "50%25")]
)
def test_a_class_becomes_a_file_name_that_every_system_takes(name, expected):
    assert class_file_name(name) == expected
