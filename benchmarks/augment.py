"""`prep augment`, file to file: `python benchmarks/augment.py [--rounds 5] [--tiles 1.0]`.

In turn on the same tiles, in every round: the whole stage with one process and with two ("prep":
tables and tiles read, numbers drawn, images warped, files of variants written), the warp alone
("warp": arrays in memory, numbers ready), h5py's write alone ("write": an array in memory; gzip 1
for digits, as it is for photos), and the loops that people write, each with an h5py file that grows
by 256 images at a time, on the first 2,000 tiles: albumentations for each image, Keras's random
layers for each batch, Augmentor for each image (if it is installed; it has no shift).

Tiles are scikit-learn's digits, enlarged to 28x28x1 and turned a little, and 80x80x3 noise, which
like a photo gzip can't make smaller. The processes of "prep" are running before the first round.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import albumentations as A  # noqa: N812
import cv2
import h5py
import keras
import numpy as np
import numpy.typing as npt
import yaml
from sklearn.datasets import load_digits

from pipeline import parallel
from pipeline.augmentation import recipes
from pipeline.augmentation.warps import rotate
from pipeline.dataset.schema import Rows, rows_per_chunk
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.settings.params import Params
from pipeline.stages.augment import augment

try:
    import Augmentor
except ImportError:
    Augmentor = None

Images = npt.NDArray[np.uint8]
Work = Callable[[], object]

SAMPLE = 2_000  # tiles that the peers' loops are timed on
BATCH = 256

SETTINGS: dict[str, dict[str, Any]] = {
    "flip": {"direction": "horizontal"},
    "rotate": {"degrees": [-15, 15]},
    "shift": {"x": [-0.1, 0.1], "y": [-0.1, 0.1]},
    "zoom": {"factor": [0.9, 1.1]},
}
ALBUMENTATIONS = {
    "flip": A.HorizontalFlip(p=1),
    "rotate": A.Rotate((-15, 15), border_mode=cv2.BORDER_CONSTANT, p=1),
    "shift": A.Affine(translate_percent={"x": (-0.1, 0.1), "y": (-0.1, 0.1)}, p=1),
    "zoom": A.Affine(scale=(0.9, 1.1), p=1),
}
KERAS = {
    "flip": keras.layers.RandomFlip("horizontal"),
    "rotate": keras.layers.RandomRotation(15 / 360, fill_mode="constant"),
    "shift": keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
    "zoom": keras.layers.RandomZoom((-0.1, 0.1), fill_mode="constant"),
}
AUGMENTOR: dict[str, Callable[[Any], object]] = {
    "flip": lambda pipeline: pipeline.flip_left_right(1),
    "rotate": lambda pipeline: pipeline.rotate(1, 15, 15),
    "zoom": lambda pipeline: pipeline.zoom(1, 0.9, 1.1),
}
COLUMNS_SHOWN = ["albumentations", "Keras", "Augmentor", "warp", "write", "prep 1", "prep 2"]


def draw_digits(count: int) -> tuple[Images, npt.NDArray[np.int16]]:
    """Return (count, 28, 28, 1) digits, ink bright on 0, and what they are."""
    dice, digits = np.random.default_rng(0), load_digits()
    large = [cv2.resize(image, (20, 20), interpolation=cv2.INTER_CUBIC) for image in digits.images]
    ink = np.clip(16 * np.array(large), 0, 255)
    ink[ink < 40] = 0
    chosen = dice.integers(0, len(ink), count)
    tiles = np.zeros((count, 28, 28, 1), np.uint8)
    tiles[:, 4:24, 4:24, 0] = ink[chosen]
    return rotate(tiles, dice.uniform(-8, 8, count)), digits.target[chosen].astype(np.int16)


def draw_noise(count: int) -> tuple[Images, npt.NDArray[np.int16]]:
    """Return (count, 80, 80, 3) noise of two classes."""
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (count, 80, 80, 3), dtype=np.uint8)
    return images, dice.integers(0, 2, count).astype(np.int16)


def make_project(folder: Path, images: Images, labels: npt.NDArray[np.int16]) -> Project:
    """Write the tables and tiles that `prep augment` reads; every tile is a training tile."""
    classes = [str(number) for number in range(labels.max() + 1)]
    ids = [f"{row:010x}-0-{row % 2480}-{row % 3508}" for row in range(len(images))]
    settings = {
        "sources": [{"path": "raw", "layout": "whole"}],
        "classes": classes,
        "tile": {
            "size": images.shape[1],
            "channels": images.shape[3],
            "method": "mnist" if images.shape[3] == 1 else "photo",
        },
        "augment": SETTINGS,
        "experiments": {"none": {}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    project = Project(folder)
    with create_dataset(
        project.output("tiles.h5"), tile_shape=images.shape[1:], classes=classes, made_by={}
    ) as out:
        names = np.array(ids, object)
        out.append(Rows(images, labels, names, names))
    rows = ({"id": name, "split": "train", "fold": 0, "group": name} for name in ids)
    write_table(project.output("split.csv"), COLUMNS["split"], rows)
    return project


def write_batches(path: Path, batches: Iterator[Images], compression: int | None) -> None:
    """Append batch after batch, as h5py's own examples do."""
    with h5py.File(path, "w") as file:
        for batch in batches:
            if "images" not in file:
                shape = (None, *batch.shape[1:])
                file.create_dataset("images", data=batch, maxshape=shape, compression=compression)
                continue
            images = file["images"]
            images.resize(len(images) + len(batch), axis=0)
            images[-len(batch) :] = batch


def read_batches(project: Project) -> Iterator[Images]:
    """Yield the sample, a batch at a time."""
    with h5py.File(project.input("tiles.h5")) as file:
        for start in range(0, min(SAMPLE, len(file["images"])), BATCH):
            yield file["images"][start : min(start + BATCH, SAMPLE)]


def loop_albumentations(name: str, project: Project) -> Iterator[Images]:
    transform = ALBUMENTATIONS[name]
    for batch in read_batches(project):
        yield np.stack([transform(image=image)["image"] for image in batch])


def loop_keras(name: str, project: Project) -> Iterator[Images]:
    for batch in read_batches(project):
        warped = KERAS[name](batch.astype(np.float32), training=True)
        yield np.clip(np.rint(keras.ops.convert_to_numpy(warped)), 0, 255).astype(np.uint8)


def loop_augmentor(name: str, project: Project) -> Iterator[Images]:
    for batch in read_batches(project):
        pipeline = Augmentor.DataPipeline([[image.squeeze()] for image in batch])
        AUGMENTOR[name](pipeline)
        yield np.array(pipeline.sample(len(batch))).reshape(batch.shape)


def write_bare(path: Path, images: Images, compression: int | None) -> None:
    """Write an array with h5py, in chunks as large as prep's where they are compressed."""
    chunks = None if compression is None else (rows_per_chunk(images.shape[1:]), *images.shape[1:])
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=chunks, compression=compression)


def list_candidates(
    name: str, images: Images, project: Project, params: Params
) -> dict[str, tuple[int, Work]]:
    """Return for each column how many images it works on, and the work."""
    count, sample, out = len(images), min(SAMPLE, len(images)), project.output("peer.h5")
    with open_dataset(project.input("tiles.h5")) as tiles:
        compression = 1 if tiles.compressed else None
    op = params.augment[name]
    draws = recipes.draw(op, 1, [str(row) for row in range(count)], 0)
    loops = {"albumentations": loop_albumentations, "Keras": loop_keras}
    if Augmentor and name in AUGMENTOR:
        loops["Augmentor"] = loop_augmentor
    work: dict[str, tuple[int, Work]] = {
        peer: (sample, lambda loop=loop: write_batches(out, loop(name, project), compression))
        for peer, loop in loops.items()
    }
    return work | {
        "warp": (count, lambda: recipes.apply(op, images, draws)),
        "write": (count, lambda: write_bare(out, images, compression)),
        "prep 1": (count, lambda: augment(project, params, name, jobs=1)),
        "prep 2": (count, lambda: augment(project, params, name, jobs=2)),
    }


def measure(candidates: dict[str, tuple[int, Work]], rounds: int) -> dict[str, float]:
    """Return each candidate's median rate, in images a second; they run in turn."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, (count, work) in candidates.items():
            start = time.perf_counter()
            work()
            seconds = time.perf_counter() - start
            if number:  # the first round warms caches, allocators, traces and processes
                rates[name].append(count / seconds)
    return {name: median(values) for name, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--tiles", type=float, default=1.0, help="times 20,000 digits, 4,000 noise")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    parallel.PATIENCE = 0.0  # as for a large set: with the processes from the start

    print(f"Thousand images a second, medians of {options.rounds} rounds; ratios: prep with 1 and")
    print("with 2 processes / the slower of warp and write; 2 processes / 1; 1 / albumentations.")
    if Augmentor is None:
        print("Augmentor is not installed.")
    print(f"\n| size | op | {' | '.join(COLUMNS_SHOWN)} | 1 / bare | 2 / bare | 2 / 1 | 1 / alb. |")
    print("|---|---|" + "---:|" * (len(COLUMNS_SHOWN) + 4))
    for draw, count in ((draw_digits, 20_000), (draw_noise, 4_000)):
        images, labels = draw(round(count * options.tiles))
        with TemporaryDirectory() as folder:
            project = make_project(Path(folder), images, labels)
            params = load_params(project.params_file)
            for name in SETTINGS:
                rates = measure(list_candidates(name, images, project, params), options.rounds)
                print_row("x".join(map(str, images.shape[1:])), name, rates)


def print_row(size: str, name: str, rates: dict[str, float]) -> None:
    cells = [f"{rates[column] / 1000:,.1f}" if column in rates else "-" for column in COLUMNS_SHOWN]
    bare = min(rates["warp"], rates["write"])
    ratios = [rates["prep 1"] / bare, rates["prep 2"] / bare, rates["prep 2"] / rates["prep 1"]]
    ratios.append(rates["prep 1"] / rates["albumentations"])
    print(f"| {size} | {name} | {' | '.join(cells + [f'{x:.2f}' for x in ratios])} |", flush=True)


if __name__ == "__main__":
    main()
