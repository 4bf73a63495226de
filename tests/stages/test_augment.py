"""prep augment: the variants of the training tiles, the same bytes whoever makes them."""

import hashlib

import h5py
import numpy as np
import pytest
from conftest import run_to, write_params

from pipeline import parallel
from pipeline.augmentation import warps
from pipeline.dataset import schema
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages import augment

CLASSES = ["bar", "square", "ring"]
AUGMENT = {
    "flip": {"copies": 3},
    "rotate": {"degrees": [-30, 30]},
    "blur": {"transform": "GaussianBlur", "blur_limit": [3, 5], "copies": 2},
}
SHAPES = {"writing": (28, 28, 1), "photos": (12, 12, 3)}
METHODS = {"writing": "mnist", "photos": "photo"}


@pytest.fixture(params=SHAPES)
def kind(request):
    """Writing, which is stored compressed, or photos, which are not."""
    return request.param


@pytest.fixture
def tiles_project(tmp_path, kind, monkeypatch):
    """A project of 90 tiles, classes mixed and uneven, 60 of them for training.

    A chunk has 4 tiles and a window 6 chunks, so that there are many of both.
    """
    size, _, channels = shape = SHAPES[kind]
    monkeypatch.setattr(schema, "CHUNK_BYTES", 4 * size * size * channels)
    monkeypatch.setattr(augment, "WINDOW", 6)
    tile = {"size": size, "channels": channels, "method": METHODS[kind]}
    write_params(tmp_path, classes=CLASSES, tile=tile, augment=AUGMENT, experiments={"none": {}})
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (90, *shape), np.uint8)
    if kind == "writing":
        images[:, :, :20] = 0
    ids = np.array([f"é{row}-0" for row in range(90)], object)
    groups = np.array([f"page {row // 7}" for row in range(90)], object)
    labels = dice.choice(3, 90, p=[0.6, 0.3, 0.1]).astype(np.int16)
    project = Project(tmp_path)
    with create_dataset(
        project.output("tiles.h5"), tile_shape=shape, classes=CLASSES, made_by={}
    ) as out:
        out.append(Rows(images, labels, ids, groups))
    rows = [
        {"id": ids[row], "split": ["train", "train", "test"][row % 3], "fold": 0, "group": "g"}
        for row in range(90)
    ]
    write_table(project.output("split.csv"), COLUMNS["split"], rows)
    return project


def make(project, **options):
    return augment.augment(project, load_params(project.params_file), **options)


def digest(project):
    files = sorted(project.output("augmented").rglob("*.h5"))
    assert len(files) == len(AUGMENT) * len(CLASSES)
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def test_every_training_tile_has_its_variants_and_no_other(tiles_project):
    make(tiles_project, jobs=1)
    with h5py.File(tiles_project.input("tiles.h5")) as file:
        tile_of = dict(zip(file["ids"].asstr()[:], file["images"][:], strict=True))
        label_of = dict(zip(file["ids"].asstr()[:], file["labels"][:], strict=True))
    training = [name for row, name in enumerate(tile_of) if row % 3 < 2]
    for label, class_name in enumerate(CLASSES):
        theirs = [name for name in training if label_of[name] == label]
        with open_dataset(tiles_project.variants_file("flip", class_name)) as file:
            flipped = file.read()
        assert list(flipped.parents) == [name for name in theirs for _ in range(3)]
        assert list(flipped.ids) == [f"{name}-flip-{copy}" for name in theirs for copy in range(3)]
        assert set(flipped.labels) == {label}
        assert set(flipped.groups) == {"g"}
        for image, parent in zip(flipped.images, flipped.parents, strict=True):
            np.testing.assert_array_equal(image, tile_of[parent][:, ::-1])
        with open_dataset(tiles_project.variants_file("rotate", class_name)) as file:
            turned = file.read()
        for image, parent, [degrees] in zip(
            turned.images, turned.parents, turned.draws, strict=True
        ):
            [expected] = warps.rotate(tile_of[parent][None], degrees)
            np.testing.assert_array_equal(image, expected)


def test_any_number_of_processes_makes_the_same_bytes(tiles_project, monkeypatch):
    make(tiles_project, jobs=1)
    alone = digest(tiles_project)
    monkeypatch.setattr(parallel, "PATIENCE", 0.0)
    for jobs in (2, 3):
        make(tiles_project, jobs=jobs)
        assert digest(tiles_project) == alone


def test_the_tiles_of_the_chosen_class_are_counted(tiles_project):
    made = make(tiles_project, only="blur", class_name="ring")
    with open_dataset(tiles_project.variants_file("blur", "ring")) as file:
        count = len(file)
    assert made == (
        f"{count} variants in 1 file under processed/augmented, from {count // 2} tiles"
    )


def test_a_class_that_is_never_trained_on_has_a_file_without_rows(tiles_project):
    write_table(tiles_project.output("split.csv"), COLUMNS["split"], [])
    assert make(tiles_project).startswith("0 variants in 9 files")
    with open_dataset(tiles_project.variants_file("rotate", "ring")) as file:
        assert file.read().images.shape == (0, *file.tile_shape)


def test_an_op_that_fails_leaves_nothing_behind(project, prep):
    run_to(prep, "split")
    crop = {"transform": "CenterCrop", "height": 9, "width": 9}
    write_params(project, augment={"crop": crop}, experiments={"none": {}})
    code, _, errors = prep("augment", "--jobs", "2")
    assert code == 1
    assert "an op has to keep the size" in errors
    assert list((project / "processed/augmented").rglob("*")) == []


def test_variants_of_a_class_that_is_gone_are_removed_and_told(project, prep):
    run_to(prep, "augment")
    folder = project / "processed/augmented/flip"
    (folder / "ring.h5").write_bytes((folder / "bar.h5").read_bytes())
    (folder / ".part-1-bar.h5").write_bytes(b"being written by another process")
    code, _, said = prep("augment", "--only", "flip", "--class", "bar")
    assert code == 0 and "ring" not in said and (folder / "ring.h5").exists()
    code, _, said = prep("augment", "--only", "flip")
    assert code == 0 and "variants of ring, of which there is no class, are removed" in said
    assert {path.name for path in folder.iterdir()} == {".part-1-bar.h5", "bar.h5", "square.h5"}
