"""What prep exports it reads again: the same pictures, labels, parts and groups."""

import numpy as np
import pytest
from ready_sets import read_contents, write_set

from pipeline.commands.export import export
from pipeline.intake.arrays.content import Reading
from pipeline.intake.arrays.reading import read_arrays
from pipeline.intake.arrays.rows import choose_files
from pipeline.intake.files import find_files_and_notes
from pipeline.project import Project
from pipeline.settings.loading import load_params

CLASSES = {
    "cents": ["1 cent", "2 cent", "5 cent"],
    "coins": ["1 cent", "2 euro", "5 pound"],  # like a mapping of labels to their names
    "digits from one": ["1", "2", "3", "0"],
    "padded": ["01", "1", "001"],
    "words for nothing": ["NA", "None", "true", "nan"],
    "hundreds": [f"c{number}" for number in range(300)],
}


def ingest(folder, classes):
    """What stands in a folder: of each part its pictures, labels and groups."""
    found = {}
    for files in choose_files(*find_files_and_notes(folder.parent, folder.name)):
        for part in read_arrays(folder.parent, files, Reading(), classes).parts:
            assert part.split not in found
            found[part.split] = (np.array(list(part.pictures)), part.labels, part.groups)
    return found


@pytest.mark.parametrize("form", ["npz", "idx", "csv", "huggingface"])
@pytest.mark.parametrize("kind", CLASSES)
def test_an_export_is_ingested_as_it_was(form, kind, tmp_path):
    classes = CLASSES[kind]
    write_set(tmp_path, classes=classes, count=2 * len(classes) + 21, shape=(9, 9, 1))
    params = load_params(tmp_path / "params.yaml")
    export(Project(tmp_path), params, tmp_path / "out", form)

    expected = read_contents(tmp_path)
    found = ingest(tmp_path / "out", classes)
    assert set(found) == {"train", "val", "test"}
    for name, part in (("train", "train"), ("validation", "val"), ("test", "test")):
        pictures, labels, groups = found[part]
        np.testing.assert_array_equal(pictures, expected[name]["images"][..., 0])
        assert labels == [classes[label] for label in expected[name]["labels"]]
        assert groups == expected[name]["groups"].tolist()


@pytest.mark.parametrize("form", ["npz", "idx", "csv"])
def test_folds_come_back_with_their_groups(form, tmp_path):
    write_set(tmp_path, folds=3)
    params = load_params(tmp_path / "params.yaml")
    export(Project(tmp_path), params, tmp_path / "out", form)
    expected = read_contents(tmp_path)
    sets = choose_files(*find_files_and_notes(tmp_path, "out"))
    assert len(sets) == len(expected) == 3
    for files, name in zip(sets, sorted(expected), strict=True):
        (part,) = read_arrays(tmp_path, files, Reading(), ["bar", "square"]).parts
        np.testing.assert_array_equal(list(part.pictures), expected[name]["images"][..., 0])
        assert part.groups == expected[name]["groups"].tolist() and part.split == ""
