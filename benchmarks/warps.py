"""Warps from array to array, on one core: `python benchmarks/warps.py [--repeats 7]`.

In turn on the same images, in every repeat: the loop that people write with albumentations (on
the first 2,000 images: it is slow), cv2.warpAffine or cv2.flip in a tight loop into a preallocated
array with its matrices ready, a memory copy, the functions of augmentation.warps ("warps"), and a
whole op of pipeline.augmentation.recipes ("op": numbers drawn for each tile's id, then applied).

The batches (47 and 77 MB) are larger than a processor's cache, as a real dataset is.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A  # noqa: N812
import cv2
import numpy as np
import numpy.typing as npt

from pipeline.augmentation import parsing, recipes, warps

Images = npt.NDArray[np.uint8]
Work = Callable[[], object]

SHAPES = [(60_000, 28, 28, 1), (4_000, 80, 80, 3)]
SAMPLE = 2_000  # images that the albumentations loop is timed on

PEERS = {
    "flip": A.HorizontalFlip(p=1),
    "flip vertical": A.VerticalFlip(p=1),
    "rotate": A.Rotate((-15, 15), border_mode=cv2.BORDER_CONSTANT, p=1),
    "shift": A.Affine(translate_percent={"x": (-0.1, 0.1), "y": (-0.1, 0.1)}, p=1),
    "zoom": A.Affine(scale=(0.9, 1.1), p=1),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "flip": {"transform": "flip"},
    "flip vertical": {"transform": "flip", "direction": "vertical"},
    "rotate": {"transform": "rotate", "degrees": [-15, 15]},
    "shift": {"transform": "shift", "x": [-0.1, 0.1], "y": [-0.1, 0.1]},
    "zoom": {"transform": "zoom", "factor": [0.9, 1.1]},
}
OURS: dict[str, Callable[..., Images]] = {
    "flip": warps.flip_left_right,
    "flip vertical": warps.flip_up_down,
    "rotate": warps.rotate,
    "shift": warps.shift,
    "zoom": warps.zoom,
}
PEER_COLUMNS = ["albumentations", "OpenCV loop", "copy"]
FLIP_CODES = {"flip": 1, "flip vertical": 0}


def loop_albumentations(transform: Any, images: Images) -> Images:
    return np.stack([transform(image=image)["image"] for image in images])


def loop_flip(images: Images, result: Images, code: int) -> None:
    flip = cv2.flip
    for image, flipped in zip(images, result, strict=True):
        flip(image, code, flipped)


def loop_warp_affine(images: Images, result: Images, matrices: npt.NDArray[np.float64]) -> None:
    size = images.shape[2], images.shape[1]
    warp_affine, flags = cv2.warpAffine, cv2.INTER_LINEAR
    for image, warped, matrix in zip(images, result, matrices, strict=True):
        warp_affine(image, matrix, size, warped, flags, cv2.BORDER_CONSTANT, 0)


def make_matrices(name: str, images: Images, draws: recipes.Draws) -> npt.NDArray[np.float64]:
    """Return forward matrices, made one by one as OpenCV's own tutorials do."""
    height, width = images.shape[1:3]
    centre = (width - 1) / 2, (height - 1) / 2
    make = {
        "rotate": lambda row: cv2.getRotationMatrix2D(centre, row[0], 1.0),
        "shift": lambda row: np.array([[1, 0, row[0] * width], [0, 1, row[1] * height]]),
        "zoom": lambda row: cv2.getRotationMatrix2D(centre, 0.0, row[0]),
    }[name]
    return np.array([make(row) for row in draws])


def list_candidates(name: str, images: Images) -> dict[str, tuple[int, Work]]:
    """Return for each column how many images it works on, and the work."""
    count = len(images)
    ids = [f"{place:010x}-0-{place % 2480}-{place % 3508}" for place in range(count)]
    op = parsing.parse_op(name.replace(" ", "-"), SETTINGS[name])
    draws = recipes.draw(op, seed=1, ids=ids, copy=0)
    result = np.zeros_like(images)
    if name in FLIP_CODES:
        tight: Work = lambda: loop_flip(images, result, FLIP_CODES[name])  # noqa: E731
    else:
        matrices = make_matrices(name, images, draws)
        tight = lambda: loop_warp_affine(images, result, matrices)  # noqa: E731
    sample = images[:SAMPLE]
    return {
        "albumentations": (len(sample), lambda: loop_albumentations(PEERS[name], sample)),
        "OpenCV loop": (count, tight),
        "copy": (count, images.copy),
        "warps": (count, lambda: OURS[name](images, *draws.T)),
        "op": (count, lambda: recipes.apply(op, images, recipes.draw(op, 1, ids, 0))),
    }


def measure(candidates: dict[str, tuple[int, Work]], repeats: int) -> dict[str, float]:
    """Return each candidate's median rate, in images a second; they run in turn."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for repeat in range(repeats + 1):
        for name, (count, work) in candidates.items():
            start = time.perf_counter()
            work()
            seconds = time.perf_counter() - start
            if repeat:  # the first round warms caches and allocators
                rates[name].append(count / seconds)
    return {name: median(values) for name, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="timed rounds (default: 7)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)

    print(f"Thousand images a second, one core, medians of {repeats}; x: warps against the peer.\n")
    print(f"| size | work | {' | '.join(f'{peer} | x' for peer in PEER_COLUMNS)} | warps | op |")
    print("|---|---|" + "---:|" * (2 * len(PEER_COLUMNS) + 2))
    for shape in SHAPES:
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        for name in OURS:
            rates = measure(list_candidates(name, images), repeats)
            print_row("x".join(map(str, shape[1:])), name, rates)


def print_row(size: str, name: str, rates: dict[str, float]) -> None:
    cells = [size, name]
    for peer in PEER_COLUMNS:
        cells += [f"{rates[peer] / 1000:,.1f}", f"{rates['warps'] / rates[peer]:.2f}"]
    cells += [f"{rates['warps'] / 1000:,.1f}", f"{rates['op'] / 1000:,.1f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
