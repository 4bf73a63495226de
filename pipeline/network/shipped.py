"""The digit model that comes with prep, computed by numpy: Keras takes seconds to be imported.

`benchmarks/digits.py` makes it: convolutions without padding, each with a ReLU, then dense layers,
the last one a softmax. Tiles are uint8 (N, 28, 28, 1), ink bright on 0, as `normalise_mnist` makes
them.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).with_name("digits.npz")
CLASSES = tuple("0123456789")
SIDE = 28  # pixels of a tile
ACCURACY = 99.45  # per cent of MNIST's test set

Floats = npt.NDArray[np.float32]


class Layer(NamedTuple):
    """A convolution, its kernel (h, w, in, out), or a dense layer, (in, out)."""

    kernel: Floats
    bias: Floats
    stride: int = 1


def write_layers(path: Path, layers: Sequence[Layer]) -> None:
    """Write layers in half precision, which moves no probability by more than a thousandth."""
    arrays: dict[str, Any] = {"strides": np.array([layer.stride for layer in layers], np.uint8)}
    for number, layer in enumerate(layers):
        arrays[f"kernel{number}"] = layer.kernel.astype(np.float16)
        arrays[f"bias{number}"] = layer.bias.astype(np.float16)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


@cache
def read_layers(path: Path = FILE) -> tuple[Layer, ...]:
    """Read the layers of a model, those that come with prep."""
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(
            Layer(
                arrays[f"kernel{number}"].astype(np.float32),
                arrays[f"bias{number}"].astype(np.float32),
                int(stride),
            )
            for number, stride in enumerate(arrays["strides"])
        )


def predict(
    tiles: npt.NDArray[np.uint8], layers: Sequence[Layer] | None = None, batch_size: int = 128
) -> Floats:
    """Return the probability of each digit for every tile, float32 (N, 10)."""
    chosen = layers or read_layers()
    parts = [
        _compute(tiles[start : start + batch_size], chosen)
        for start in range(0, len(tiles), batch_size)
    ]
    return np.concatenate([np.empty((0, len(CLASSES)), np.float32), *parts])


def _compute(tiles: npt.NDArray[np.uint8], layers: Sequence[Layer]) -> Floats:
    values: Floats = tiles.astype(np.float32) / np.float32(255)
    for layer in layers[:-1]:
        values = np.maximum(_apply(layer, values), 0)
    scores = _apply(layers[-1], values)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def _apply(layer: Layer, values: Floats) -> Floats:
    """Return what a layer makes of (N, h, w, in) or (N, in), before its activation."""
    if layer.kernel.ndim == 2:
        return np.asarray(values.reshape(len(values), -1) @ layer.kernel + layer.bias)
    height, width, *_ = layer.kernel.shape
    windows = np.lib.stride_tricks.sliding_window_view(values, (height, width), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride]  # (N, h, w, in, height, width)
    return np.asarray(np.tensordot(windows, layer.kernel, ((4, 5, 3), (0, 1, 2))) + layer.bias)
