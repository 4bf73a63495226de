"""A training in the middle: all that it takes to go on as if it had never stopped.

A checkpoint is one `.npz` file (numpy's, without pickles), written whole. It keeps every number
exactly, and the digest of the inputs that it belongs to: under other inputs it is nothing.
"""

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.errors import pass_on_machine

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after a whole number of its intervals."""

    rows: tuple[tuple[float, ...], ...]  # of the history so far; each begins with its step
    best_step: int
    best_score: float
    best: Arrays  # the model's weights at best_step
    state: Arrays  # all variables of the model (the dice of its dropout too) and its optimiser
    seconds: float  # spent so far

    @property
    def step(self) -> int:
        """How many steps are done."""
        return int(self.rows[-1][0]) if self.rows else 0


# What numpy and zipfile were seen to raise for files cut short or with wrong bytes.
UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, RuntimeError,
    MemoryError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip

NUMBERS = ("rows", "best_step", "best_score", "seconds")
ARRAYS = ("best", "state")


def write_checkpoint(path: Path, checkpoint: Checkpoint, inputs: str) -> None:
    """Write a checkpoint of a training with these inputs over the one before."""
    numbers = {name: getattr(checkpoint, name) for name in NUMBERS}
    text = json.dumps({"inputs": inputs} | numbers)  # JSON keeps every digit, and NaN
    arrays = {
        f"{name}-{number}": array
        for name in ARRAYS
        for number, array in enumerate(getattr(checkpoint, name))
    }
    with whole_file(path, synced=False) as part:
        np.savez(part, header=np.array(text), **arrays)


def read_checkpoint(path: Path, inputs: str) -> Checkpoint | None:
    """Return the checkpoint, or None when there is none of a training with these inputs."""
    try:
        # Opened here, because numpy leaves a file open that turns out to be none of its own.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            numbers: dict[str, Any] = json.loads(str(file["header"]))
            if numbers.pop("inputs") != inputs:
                return None
            numbers |= {name: _read_arrays(file, name) for name in ARRAYS}
        rows = tuple(map(tuple, numbers.pop("rows")))
        return Checkpoint(rows=rows, **numbers)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        if not isinstance(error, MemoryError):
            pass_on_machine(error, path)
        return None  # damaged: the training begins again


def _read_arrays(file: Any, name: str) -> list[npt.NDArray[Any]]:
    count = sum(key.startswith(f"{name}-") for key in file.files)
    return [file[f"{name}-{number}"] for number in range(count)]
