"""What training costs: `python benchmarks/training.py [--rounds 9]`.

For each model the peers work in turn in every round, on the same pictures, for as many steps, with
the same settings of TensorFlow:

fit        keras' own model.fit on arrays in memory, float32: one epoch, shuffled, nothing printed
memory     pipeline.network.fit on a pool that fits into train.memory_mb
disk       the same on a pool that does not, streamed from its files (pictures of writing are
           compressed there, photos are not)
bfloat16   the same as memory, with train.precision: bfloat16

Times are medians; ratios are medians of the ratios within a round, to fit. "Processor" is the same
for the seconds that all cores worked, which other work on the machine changes less.

`--precision-study FOLDER_OR_TILES [--model cnn --seeds 8 --steps 500]` judges the accuracy instead:
bfloat16 against float32, run by run with the same seed, start and batches, as `prep compare` does.
The pictures are MNIST's IDX files, or another project's tiles.h5.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from pipeline import network
from pipeline.experiments import Pool, Tiles
from pipeline.outside import read_outside
from pipeline.schedule import Schedule
from pipeline.scores import choose_classes
from pipeline.store import Rows, create_dataset
from pipeline.streams import Part, open_images
from pipeline.verdicts import estimate_difference, judge_family

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


def write_tiles(path: Path, tiles: Tiles, shape: tuple[int, int, int]) -> Part:
    with create_dataset(path, tile_shape=shape, classes=["a", "b"], made_by={}) as out:
        out.append(Rows(tiles.images[:], tiles.labels, tiles.ids, tiles.ids))
    return Part(path, np.arange(len(tiles)))


def train(model: Any, tiles: Tiles, setting: Setting) -> None:
    """Train for one pass as `prep train` does."""
    pool = Pool(0, ["a", "b"], tiles, len(tiles), None)
    order = Schedule(0, len(tiles), 0, setting.steps, setting.batch_size)
    network.fit(
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
        network.build(setting.model, setting.shape, 2, seed=0, precision=precision)
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


def study_precision(source: Path, name: str, seeds: int, steps: int, margin: float) -> None:
    """Train runs in pairs and print what the verdict on bfloat16 is."""
    pictures, test = read_outside(source, "train"), read_outside(source, "test")
    held = len(pictures.labels) // 10
    shape = pictures.images.shape[1:]
    models = {
        precision: network.build(name, shape, len(pictures.classes), seed=0, precision=precision)
        for precision in ("float32", "bfloat16")
    }
    right: dict[str, list[np.ndarray]] = {precision: [] for precision in models}
    for seed in range(seeds):
        shuffled = np.random.default_rng(seed).permutation(len(pictures.labels))
        used, chosen = shuffled[held:], shuffled[: min(held, 2000)]
        order = Schedule(seed, len(used), 0, steps, 64)
        for precision, model in models.items():
            network.restart(model, seed)
            network.fit(
                model,
                lambda k, o=order, u=used: (pictures.images[u[o[k]]], pictures.labels[u[o[k]]]),
                steps=steps,
                validate_every=max(1, steps // 5),
                validation=(pictures.images[chosen], pictures.labels[chosen]),
            )
            said = choose_classes(network.predict(model, test.images))
            right[precision].append(said == test.labels)
        scores = [f"{precision} {100 * runs[-1].mean():.2f}" for precision, runs in right.items()]
        print(f"seed {seed}: {', '.join(scores)}", flush=True)
    runs = {precision: np.stack(each).astype(float) for precision, each in right.items()}
    nobody = np.full(len(test.labels), "", object)
    estimate = estimate_difference(runs["bfloat16"] - runs["float32"], nobody)
    verdict = judge_family([estimate], margin)[0].verdict
    print(
        f"{name}, {steps} steps, {seeds} seeds: float32 {100 * runs['float32'].mean():.2f} %, "
        f"bfloat16 {100 * estimate.difference:+.2f} points "
        f"(95 % interval {100 * estimate.low:+.2f} to {100 * estimate.high:+.2f}); "
        f"within +-{100 * margin:g}: {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision-study", type=Path)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--margin", type=float, default=0.3, help="points")
    chosen = parser.parse_args()
    if chosen.precision_study:
        study_precision(
            chosen.precision_study, chosen.model, chosen.seeds, chosen.steps, chosen.margin / 100
        )
        return
    print("| model | peer | ms a step | / fit | processor / fit |\n|---|---|---|---|---|")
    for setting in SETTINGS:
        time_setting(setting, chosen.rounds)


if __name__ == "__main__":
    main()
