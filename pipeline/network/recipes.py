"""The models by name: their layers between scaling and softmax, and what trains them.

Only descriptions: a recipe is given the module keras.layers and knows nothing else of Keras.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pipeline.errors import DataError, nearest


@dataclass(frozen=True)
class Recipe:
    """A model by name: the layers between scaling and the softmax, and what trains it."""

    layers: Callable[[ModuleType], list[Any]]  # given the module keras.layers
    smallest_side: int  # pixels: below it a pooling layer has nothing left to pool
    optimiser: str = "adam"
    learning_rate: float = 0.001


def _dense16(layers: ModuleType) -> list[Any]:
    return [layers.Flatten(), layers.Dense(16, activation="sigmoid")]


def _dense512(layers: ModuleType) -> list[Any]:
    return [layers.Flatten(), layers.Dense(512, activation="relu")]


def _cnn1(layers: ModuleType) -> list[Any]:
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(784, activation="relu"),
    ]


def _cnn(layers: ModuleType) -> list[Any]:
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(784, activation="relu"),
        layers.Dropout(0.5),
    ]


def _cifar(layers: ModuleType) -> list[Any]:
    convolve = functools.partial(layers.Conv2D, kernel_size=3, padding="same", activation="relu")
    return [
        convolve(32),
        convolve(64),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        convolve(64),
        convolve(64),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
    ]


def _deepconv(layers: ModuleType) -> list[Any]:
    relu = {"activation": "relu", "kernel_initializer": "he_normal"}
    convolve = functools.partial(layers.Conv2D, kernel_size=3, padding="same", **relu)
    return [
        convolve(16),
        convolve(16),
        layers.MaxPooling2D(2),
        convolve(32),
        convolve(32),
        layers.MaxPooling2D(2),
        convolve(64),
        convolve(64),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(50, **relu),
        layers.Dropout(0.5),
    ]


RECIPES = {
    "cnn": Recipe(_cnn, smallest_side=12),
    # At Adam's usual 0.001 one run in ten ended with one class for everything; at this, none.
    "deepconv": Recipe(_deepconv, smallest_side=8, learning_rate=0.0003),
    "dense16": Recipe(_dense16, smallest_side=1),
    "dense512": Recipe(_dense512, smallest_side=1),
    "cnn1": Recipe(_cnn1, smallest_side=4, optimiser="sgd", learning_rate=0.01),
    "cifar": Recipe(_cifar, smallest_side=4),
}
MODELS = tuple(RECIPES)


def find_recipe(name: str, shape: tuple[int, int, int]) -> Recipe:
    """Return the recipe of a model; DataError if there is none or the tiles are too small."""
    if name not in RECIPES:
        known = ", ".join(MODELS)
        raise DataError(f"Unknown model '{name}'.{nearest(name, MODELS)} Known are {known}.")
    recipe = RECIPES[name]
    if min(shape[:2]) < recipe.smallest_side:
        raise DataError(
            f"Model '{name}' needs tiles of at least {recipe.smallest_side} x "
            f"{recipe.smallest_side} pixels; these are {shape[0]} x {shape[1]}."
        )
    return recipe
