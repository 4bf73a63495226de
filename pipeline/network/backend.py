"""Keras itself: imported once, quietly and deterministically; the arrays that go in and out.

Tiles go in as they are stored, uint8 (N, S, S, C), 0..255: scaling is a model's first layer. Labels
are integers (N,), 0 .. classes-1; weights of pictures in the loss float32 (N,).
"""

import contextlib
import functools
import gc
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

if TYPE_CHECKING:
    import keras

# Bytes that TensorFlow takes to be imported and to train a small network: with 2.05e9 and 0.51e9 it
# aborted, with 2.25e9 and 0.72e9 it trained.
_ADDRESSES = 2.2e9
_DATA = 0.7e9

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer[Any]]
Weights = npt.NDArray[np.float32]
Batch = tuple[Images, Labels] | tuple[Images, Labels, Weights]


class Windows(Protocol):
    """Tiles: an array, or something that reads windows of them when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Images: ...


def assign(values: Iterable[Any], variables: list[Any]) -> None:
    """Give each variable its value."""
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)


def list_variables(model: "keras.Model") -> list[Any]:
    """Return all that a step changes: weights, the dice of dropout, the optimiser's memory."""
    return [*model.variables, *model.optimizer.variables]


def read_average(model: "keras.Model") -> list[Any]:
    """Return the model's weights with those that learn replaced by their optimiser's average."""
    now = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    averaged: list[Any] = model.get_weights()
    model.set_weights(now)
    return averaged


def make_deterministic(seed: int) -> None:
    """Start from nothing: forget earlier models' names and memory, and seed all dice.

    What follows gives the same numbers each time on one kind of processor with the same versions
    (rule 11 of docs/ablation.md), whatever ran before in this process. Seeds are 0 .. 2**32 - 1.
    """
    keras = import_keras()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def versions() -> dict[str, str]:
    """Return what computes: {"keras": "3.15.1", "backend": "jax", "jax": "0.8.1"}, for example."""
    keras = import_keras()
    backend = keras.config.backend()
    library = importlib.import_module(backend)
    return {"keras": keras.__version__, "backend": backend, backend: library.__version__}


@functools.cache
def import_keras() -> ModuleType:
    """Import Keras on its first use, quietly, with operations that are deterministic.

    They use one thread, so that numbers depend neither on how many cores there are nor on how many
    trainings run beside each other; several of those use the cores better than one with several
    threads. TensorFlow takes seconds to import, and every process that trains pays for it.
    """
    _prepare()
    with _import_lightly():
        import keras

        if keras.config.backend() == "tensorflow":
            import tensorflow

            tensorflow.config.experimental.enable_op_determinism()
            _use_one_thread(tensorflow)
            gc.freeze()  # what lives to the end is not gone over at every collection and at exit
    result: ModuleType = keras
    return result


@functools.cache
def import_tensorflow() -> ModuleType:
    """Import TensorFlow on its first use, as quietly: its files, whatever Keras computes with."""
    _prepare()
    with _import_lightly():
        import tensorflow
    result: ModuleType = tensorflow
    return result


def _prepare() -> None:
    """Set what TensorFlow reads when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 3: errors only
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[threads] = "1"  # read at import, or when the first operation runs
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if "tensorflow" not in sys.modules:
        _check_limits()


def _check_limits() -> None:
    """Raise DataError where TensorFlow does not fit: it would end the process without a word."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow" or os.name == "nt":
        return
    import resource

    for limit, needs, option in (
        (resource.RLIMIT_AS, _ADDRESSES, "-v"),
        (resource.RLIMIT_DATA, _DATA, "-d"),
    ):
        most = resource.getrlimit(limit)[0]
        if resource.RLIM_INFINITY != most < needs:
            raise DataError(
                f"TensorFlow needs about {needs / 1e9:.1f} GB of memory, and this process may have "
                f"{most / 1e9:.1f} GB (ulimit {option}): raise that limit and run again"
            )


def _use_one_thread(tensorflow: ModuleType) -> None:
    """Tell TensorFlow itself, which may have been imported before the environment said so."""
    for limit in ("intra_op", "inter_op"):
        with contextlib.suppress(RuntimeError):  # it has begun already
            getattr(tensorflow.config.threading, f"set_{limit}_parallelism_threads")(1)


def list_exhaustions() -> tuple[type[Exception], ...]:
    """Return what is raised when there is no memory; TensorFlow's own error is no MemoryError."""
    tensorflow = sys.modules.get("tensorflow")
    return (MemoryError, tensorflow.errors.ResourceExhaustedError) if tensorflow else (MemoryError,)


def warnings_off() -> AbstractContextManager[None]:
    """Return the context in which Keras and TensorFlow do not warn about themselves."""
    return warnings.catch_warnings(action="ignore")  # of Keras and TensorFlow about themselves


@contextmanager
def _import_lightly() -> Iterator[None]:
    """Halve the time of `import keras` (8.9 s to 4.1 s here).

    Keras imports these packages if they are there, for plots, data frames and wrappers that are
    not used here. And the garbage collector would go over 300,000 new objects again and again.
    """
    absent = [name for name in ("matplotlib", "pandas", "sklearn") if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it says ImportError
    gc.disable()
    try:
        with warnings_off():
            yield
    finally:
        gc.enable()
        for name in absent:
            sys.modules.pop(name, None)
