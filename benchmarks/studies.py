"""The models by name, held against their studies: `python benchmarks/studies.py --mnist FOLDER`.

Each model is trained as `prep train` does it, with the same recipe and the same batches, for the
budget of its study. It learns from all training pictures: there is no validation, the last
weights stay, and the test pictures are asked once, at the end.

--mnist FOLDER         the four IDX files
--cifar FOLDER_OR_ZIP  CIFAR-10 as pictures, train/<class>/ and test/<class>/
"""

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from pipeline.console import progress
from pipeline.intake.files import find_files
from pipeline.intake.images import decode_page
from pipeline.intake.outside import Outside, read_outside
from pipeline.network import asking, backend, building, fitting, recipes
from pipeline.tiles.normalising import normalise_photo
from pipeline.training.schedule import Schedule

MNIST, CIFAR, PETS = "MNIST", "CIFAR-10", "its cats and dogs"
SIDE = 32  # pixels, of CIFAR's pictures


@dataclass(frozen=True)
class Study:
    """What a model is trained on, for how long, and what was published of it."""

    model: str
    data: str
    epochs: int
    batch_size: int
    published: str = "–"
    seeds: int = 1

    def count_steps(self, pictures: int) -> int:
        """Return the optimiser steps of its epochs over so many pictures."""
        return math.ceil(self.epochs * pictures / self.batch_size)


STUDIES = (
    Study("dense16", MNIST, epochs=10, batch_size=1000, published="0.894 in 2.4 s", seeds=3),
    Study("dense512", MNIST, epochs=10, batch_size=128),
    Study("cnn1", MNIST, epochs=10, batch_size=200, published="about 0.95", seeds=3),
    Study("cnn", MNIST, epochs=12, batch_size=128, published="above 0.99"),
    Study("cifar", CIFAR, epochs=5, batch_size=32, published="0.73"),
    Study("deepconv", CIFAR, epochs=15, batch_size=64),
    Study("deepconv", PETS, epochs=30, batch_size=64),
)


@dataclass(frozen=True)
class Dataset:
    """The training and the test pictures."""

    train: Outside
    test: Outside

    def choose(self, classes: list[str]) -> "Dataset":
        """Return the pictures of some classes only."""
        return Dataset(choose_classes(self.train, classes), choose_classes(self.test, classes))


@dataclass(frozen=True)
class Outcome:
    """What the trainings of one study came to: a value for each seed."""

    parameters: int
    accuracies: list[float]
    seconds: list[float]


# --- the pictures -----------------------------------------------------------------------------


def read_datasets(mnist: Path | None, cifar: Path | None) -> dict[str, Dataset]:
    """Read what there is, by name."""
    datasets = {}
    if mnist:
        datasets[MNIST] = Dataset(read_outside(mnist, "train"), read_outside(mnist, "test"))
    if cifar:
        datasets[CIFAR] = read_cifar(cifar)
        datasets[PETS] = datasets[CIFAR].choose(["cat", "dog"])
    return datasets


def read_cifar(path: Path) -> Dataset:
    """Read a folder or an archive with train/<class>/ and test/<class>/."""
    parts: dict[str, dict[str, list[Any]]] = {"train": {}, "test": {}}
    for file in find_files(path.parent, path.name):
        part, label = Path(file.member or file.source).parts[-3:-1]
        pixels = decode_page(file.read(path.parent))
        parts[part].setdefault(label, []).append(normalise_photo(pixels, SIDE, 3, "crop"))
    return Dataset(stack(parts["train"]), stack(parts["test"]))


def stack(tiles: dict[str, list[Any]]) -> Outside:
    classes = sorted(tiles)
    images = np.concatenate([np.stack(tiles[name]) for name in classes])
    labels = np.repeat(np.arange(len(classes)), [len(tiles[name]) for name in classes])
    return Outside(images, labels, classes)


def choose_classes(pictures: Outside, classes: list[str]) -> Outside:
    numbers = [pictures.classes.index(name) for name in classes]
    chosen = np.isin(pictures.labels, numbers)
    labels = np.searchsorted(numbers, pictures.labels[chosen]).astype(np.int64)
    return Outside(pictures.images[chosen], labels, classes)


# --- the trainings ----------------------------------------------------------------------------


def run_study(study: Study, data: Dataset, seeds: int) -> Outcome:
    """Train a study's model with each seed on all training pictures, and test it."""
    shape = data.train.images.shape[1:]
    model = building.build(study.model, shape, len(data.train.classes), seed=0)
    outcome = Outcome(asking.count_parameters(model), [], [])
    for seed in range(seeds):
        building.restart(model, seed)
        outcome.seconds.append(train(model, study, data.train, seed))
        outcome.accuracies.append(asking.measure(model, data.test.images, data.test.labels)[1])
    return outcome


def train(model: Any, study: Study, pictures: Outside, seed: int) -> float:
    """Train a restarted model for the study's budget; return the seconds it took."""
    steps = study.count_steps(len(pictures.labels))
    order = Schedule(seed, len(pictures.labels), 0, steps, study.batch_size)
    with progress(f"{study.model}, seed {seed}", steps) as advance:
        history = fitting.fit(
            model,
            lambda step: (pictures.images[order[step]], pictures.labels[order[step]]),
            steps=steps,
            validate_every=steps,
            on_step=lambda _: advance(),
        )
    return history.seconds


# --- the table --------------------------------------------------------------------------------

COLUMNS = (
    "model", "data", "budget", "parameters", "published", "measured", "seconds", "pictures/s",
)  # fmt: skip


def write_line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def describe(study: Study, data: Dataset, outcome: Outcome) -> tuple[str, ...]:
    """Return a study's line of the table."""
    steps = study.count_steps(len(data.train.labels))
    seconds = median(outcome.seconds)
    return (
        study.model,
        study.data,
        f"{study.epochs} epochs, batch {study.batch_size:,}: {steps:,} steps",
        f"{outcome.parameters:,}",
        study.published,
        describe_accuracies(outcome.accuracies),
        f"{seconds:.1f}",
        f"{steps * study.batch_size / seconds:,.0f}",
    )


def describe_accuracies(accuracies: list[float]) -> str:
    if len(accuracies) == 1:
        return f"{accuracies[0]:.4f}"
    low, high = min(accuracies), max(accuracies)
    return f"{mean(accuracies):.4f} ({low:.4f} to {high:.4f}, {len(accuracies)} seeds)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="folder of the four IDX files")
    parser.add_argument("--cifar", type=Path, help="folder or zip of train/CLASS/, test/CLASS/")
    parser.add_argument("--models", nargs="*", default=recipes.MODELS, choices=recipes.MODELS)
    parser.add_argument("--seeds", type=int, help="trainings of each (default: 3 of quick ones)")
    arguments = parser.parse_args()
    datasets = read_datasets(arguments.mnist, arguments.cifar)
    wanted = [s for s in STUDIES if s.data in datasets and s.model in arguments.models]
    if not wanted:
        parser.error("nothing to train: give --mnist FOLDER or --cifar FOLDER_OR_ZIP, or both")
    print(f"{len(os.sched_getaffinity(0))} cores, {backend.versions()}\n")
    print(write_line(COLUMNS), write_line(("---",) * len(COLUMNS)), sep="\n", flush=True)
    for study in wanted:
        outcome = run_study(study, datasets[study.data], arguments.seeds or study.seeds)
        print(write_line(describe(study, datasets[study.data], outcome)), flush=True)


if __name__ == "__main__":
    main()
