"""What training costs: `python benchmarks/training.py [--rounds 9]`.

For each model the peers work in turn in every round, on the same pictures, for as many steps, with
the same settings of TensorFlow:

fit        keras' own model.fit on arrays in memory, float32: one epoch, shuffled, nothing printed
memory     pipeline.network.fitting.fit on a pool that fits into train.memory_mb
disk       the same on a pool that does not, streamed from its files (pictures of writing are
           compressed there, photos are not)
bfloat16   the same as memory, with train.precision: bfloat16

Times are medians; ratios are medians of the ratios within a round, to fit. "Processor" is the same
for the seconds that all cores worked, which other work on the machine changes less.

`--precision-study FOLDER_OR_TILES [--model cnn --seeds 8 --steps 500]` judges the accuracy instead:
bfloat16 against float32, run by run with the same seed, start and batches, as `prep compare` does;
and so a bfloat16 that does not spare the last layer, as Keras's global policy has it. The pictures
are MNIST's IDX files, or another project's tiles.h5.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.dataset.predictions import choose_classes
from pipeline.dataset.schema import Rows
from pipeline.dataset.streams import FileRows, open_images
from pipeline.dataset.writing import create_dataset
from pipeline.intake.outside import Outside, read_outside
from pipeline.network import asking, backend, building, fitting
from pipeline.training.pool import Pool, Tiles
from pipeline.training.schedule import Schedule
from pipeline.verdicts.estimates import estimate_difference, judge_family

# --- Time ------------------------------------------------------------------------------------


class Setting(NamedTuple):
    """What is trained on what."""

    model: str
    shape: tuple[int, int, int]
    batch_size: int
    steps: int  # of a round


SETTINGS = (
    Setting("cnn", (28, 28, 1), 64, 60),
    Setting("cnn", (28, 28, 1), 128, 30),
    Setting("deepconv", (80, 80, 3), 32, 15),
)
PEERS = ("fit", "memory", "disk", "bfloat16")


def make_pictures(setting: Setting) -> Tiles:
    """Return noise: as dense as a photo, or as sparse as writing."""
    rng, count = np.random.default_rng(0), setting.batch_size * setting.steps
    images = rng.integers(0, 256, (count, *setting.shape), np.uint8)
    if setting.shape[2] == 1:
        images *= rng.random(images.shape) < 0.15
    names = np.arange(count).astype(str).astype(object)
    return Tiles(images, rng.integers(0, 2, count).astype(np.int16), names)


def write_tiles(path: Path, tiles: Tiles, shape: tuple[int, int, int]) -> FileRows:
    with create_dataset(path, tile_shape=shape, classes=["a", "b"], made_by={}) as out:
        out.append(Rows(tiles.images[:], tiles.labels, tiles.ids, tiles.ids))
    return FileRows(path, np.arange(len(tiles)), shape)


def train(model: Any, tiles: Tiles, setting: Setting) -> None:
    """Train for one pass as `prep train` does."""
    pool = Pool(0, ["a", "b"], tiles, len(tiles), None)
    order = Schedule(0, len(tiles), 0, setting.steps, setting.batch_size)
    fitting.fit(
        model,
        lambda step: pool.take(order[step], order.passes(step), 0),
        steps=setting.steps,
        validate_every=setting.steps,
    )


def make_peers(setting: Setting, stack: ExitStack) -> dict[str, Callable[[], Any]]:
    near = make_pictures(setting)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    part = write_tiles(folder / "tiles.h5", near, setting.shape)
    images = stack.enter_context(open_images([part], in_memory=False, scratch=folder))
    far = Tiles(images, near.labels, near.ids)
    full, half = (
        building.build(setting.model, setting.shape, 2, seed=0, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    return {
        "fit": lambda: full.fit(
            near.images, near.labels, batch_size=setting.batch_size, shuffle=True, verbose=0
        ),
        "memory": lambda: train(full, near, setting),
        "disk": lambda: train(full, far, setting),
        "bfloat16": lambda: train(half, near, setting),
    }


def time_setting(setting: Setting, rounds: int) -> None:
    """Print a line of the table for each peer."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in PEERS}
    with ExitStack() as stack:
        peers = make_peers(setting, stack)
        for number in range(rounds + 1):
            for name, work in peers.items():
                wall, processor = time.perf_counter(), time.process_time()
                work()
                if number:  # the first is for warming up
                    spent = time.perf_counter() - wall, time.process_time() - processor
                    taken[name].append(spent)
    side = "x".join(map(str, setting.shape))
    for name, times in taken.items():
        ratios = [
            median(mine[clock] / fit[clock] for mine, fit in zip(times, taken["fit"], strict=True))
            for clock in (0, 1)
        ]
        step = 1000 * median(wall for wall, _ in times) / setting.steps
        print(
            f"| {setting.model} {side}, batch {setting.batch_size} | {name} | {step:.1f} "
            f"| {ratios[0]:.3f} | {ratios[1]:.3f} |",
            flush=True,
        )


# --- Accuracy --------------------------------------------------------------------------------


def build_to_the_end(name: str, shape: tuple[int, int, int], class_count: int) -> Any:
    """Make a model that computes its last layer in bfloat16 too, as Keras's global policy does."""
    model = building.build(name, shape, class_count, seed=0, precision="bfloat16")
    model.layers[-1].dtype_policy = "mixed_bfloat16"
    lower = type(model).from_config(model.get_config())
    lower.compile(
        optimizer=type(model.optimizer).from_config(model.optimizer.get_config()),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    return lower


def enlarge(pictures: Outside, side: int | None) -> Outside:
    if side is None:
        return pictures
    larger = [cv2.resize(image, (side, side)) for image in pictures.images]
    return replace(pictures, images=np.stack(larger).reshape(len(larger), side, side, -1))


def take(pictures: Outside, used: np.ndarray, order: Schedule, step: int) -> backend.Batch:
    rows = used[order[step]]
    return pictures.images[rows], pictures.labels[rows]


def study_precision(source: Path, chosen: argparse.Namespace) -> None:
    """Train runs in pairs and print what the verdicts on bfloat16 are."""
    pictures, test = (
        enlarge(read_outside(source, part), chosen.side) for part in ("train", "test")
    )
    wanted = chosen.model, pictures.images.shape[1:], len(pictures.classes)
    models = {
        "float32": building.build(*wanted, seed=0),
        "bfloat16": building.build(*wanted, seed=0, precision="bfloat16"),
        "bfloat16 to the end": build_to_the_end(*wanted),
    }
    right: dict[str, list[np.ndarray]] = {precision: [] for precision in models}
    for seed in range(chosen.seeds):
        drawn = np.random.default_rng(seed).permutation(len(pictures.labels))[: chosen.pictures]
        held, used = np.split(drawn, [min(len(drawn) // 10, 2000)])
        order = Schedule(seed, len(used), 0, chosen.steps, chosen.batch_size)
        for precision, model in models.items():
            building.restart(model, seed)
            fitting.fit(
                model,
                partial(take, pictures, used, order),
                steps=chosen.steps,
                validate_every=max(1, chosen.steps // 5),
                validation=(pictures.images[held], pictures.labels[held]),
            )
            said = choose_classes(asking.predict(model, test.images))
            right[precision].append(said == test.labels)
        scores = [f"{precision} {100 * runs[-1].mean():.2f}" for precision, runs in right.items()]
        print(f"seed {seed}: {', '.join(scores)}", flush=True)
    tell_differences(
        {precision: np.stack(runs) for precision, runs in right.items()}, chosen.margin
    )


def tell_differences(right: dict[str, np.ndarray], margin: float) -> None:
    full = right.pop("float32").astype(float)
    print(
        f"float32 {100 * full.mean():.2f} % (sd of runs {100 * full.mean(axis=1).std(ddof=1):.2f})"
    )
    for precision, runs in right.items():
        estimate = estimate_difference(runs - full, np.full(full.shape[1], "", object))
        assert estimate.low is not None and estimate.high is not None  # there are several seeds
        verdict = judge_family([estimate], margin / 100)[0].verdict
        print(
            f"{precision} {100 * estimate.difference:+.2f} points (95 % interval "
            f"{100 * estimate.low:+.2f} to {100 * estimate.high:+.2f}); +-{margin:g}: {verdict}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision-study", type=Path)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--pictures", type=int, help="to train on and to validate (default: all)")
    parser.add_argument("--side", type=int, help="enlarge the pictures to so many pixels")
    parser.add_argument("--margin", type=float, default=0.3, help="points")
    chosen = parser.parse_args()
    if chosen.precision_study:
        study_precision(chosen.precision_study, chosen)
        return
    print("| model | peer | ms a step | / fit | processor / fit |\n|---|---|---|---|---|")
    for setting in SETTINGS:
        time_setting(setting, chosen.rounds)


if __name__ == "__main__":
    main()
