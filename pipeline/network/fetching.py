"""Sets that keras.datasets knows, from its addresses, checked and cached as it does that."""

import contextlib
import os
import sys
import zlib
from dataclasses import dataclass
from gzip import BadGzipFile
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from ssl import SSLError
from tarfile import TarError
from typing import Any
from urllib.error import URLError
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError, pass_on_machine, shorten
from pipeline.network.backend import import_keras, warnings_off

_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
_DIGITS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class KnownSet:
    """A set, and where Keras gets it from and keeps it."""

    classes: tuple[str, ...]
    origins: tuple[str, ...]  # addresses of its files
    cached: tuple[str, ...]  # and their names under ~/.keras/datasets


SETS = {
    "mnist": KnownSet(_DIGITS, (f"{_GOOGLE}mnist.npz",), ("mnist.npz",)),
    "fashion_mnist": KnownSet(
        ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
         "Ankle boot"),
        tuple(f"{_GOOGLE}{name}-ubyte.gz" for name in _IDX),
        tuple(f"fashion-mnist/{name}-ubyte.gz" for name in _IDX),
    ),
    "cifar10": KnownSet(
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
        ("cifar-10-batches-py-target_archive",),
    ),
}  # fmt: skip


_DAMAGE = (BadGzipFile, BadZipFile, EOFError, TarError, UnpicklingError, ValueError, zlib.error)
# Some of them have a number, which is none of the system's.
_NETWORK = (ConnectionError, HTTPException, SSLError, TimeoutError, URLError)


def load_set(name: str) -> dict[str, npt.NDArray[Any]]:
    """Return x_train, y_train, x_test and y_test of a set of SETS; labels are (N,).

    Keras downloads what is not in its cache. Raises DataError, with what to do, where it can't.
    """
    import_keras()
    loader = import_module(f"keras.datasets.{name}")
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings_off():
            (x_train, y_train), (x_test, y_test) = loader.load_data()
    except OSError as error:
        if error.errno and not isinstance(error, _NETWORK):
            pass_on_machine(error, _cache())
        raise DataError(_explain(name, error)) from error
    except Exception as error:  # of no address Keras raises just that
        raise DataError(_explain(name, error)) from error
    return {
        "x_train": x_train,
        "y_train": np.reshape(y_train, -1),
        "x_test": x_test,
        "y_test": np.reshape(y_test, -1),
    }


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "datasets")


def _explain(name: str, error: Exception) -> str:
    """Return why there is no set, and what helps."""
    known = SETS[name]
    if isinstance(error, _DAMAGE):
        places = ", ".join(str(_cache() / file) for file in known.cached)
        return f"{name}: what Keras keeps of it is damaged ({shorten(str(error))}). Delete {places}"
    pairs = "\n".join(
        f"  {origin}\n    as {_cache() / file}"
        for origin, file in zip(known.origins, known.cached, strict=True)
    )
    return (
        f"{name} can't be downloaded ({shorten(str(error), 200)}). Try again with a network, or "
        f"download by hand and run this again:\n{pairs}"
    )
