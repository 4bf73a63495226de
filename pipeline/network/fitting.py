"""Training: a fixed number of steps, the chosen weights kept, every interval measured.

A batch is read while the one before is computed; a training can go on from any checkpoint.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pipeline.network.asking import measure
from pipeline.network.backend import (
    Batch,
    Labels,
    Windows,
    assign,
    list_variables,
    read_average,
)
from pipeline.network.checkpoints import Checkpoint

if TYPE_CHECKING:
    import keras

Keep = Literal["best", "last", "average"]
AHEAD = 2  # batches that are ready before they are needed


class Row(NamedTuple):
    """What one interval of a training measured; nan where there is no validation set."""

    step: int  # steps done at the end of the interval
    loss: float  # mean over the interval's batches, as they were met (with dropout)
    accuracy: float
    val_loss: float  # after the interval, on the whole validation set
    val_accuracy: float


@dataclass(frozen=True)
class History:
    """The course of a training."""

    rows: tuple[Row, ...]
    best_step: int  # the step whose weights the model now has; 0: as it was before
    failed_step: int | None  # the step whose loss was not a finite number; None: all went well
    seconds: float


def fit(
    model: "keras.Model",
    get_batch: Callable[[int], Batch],
    *,
    steps: int,
    validate_every: int,
    validation: tuple[Windows, Labels] | None = None,
    on_step: Callable[[int], None] | None = None,
    resume: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    keep: Keep = "best",
) -> History:
    """Train for exactly `steps` steps, then set the weights that are kept.

    These are those with the lowest validation loss (`best`), those at the end (`last`), or the
    exponential average over the last fifty steps or so (`average`). `get_batch(k)` gives batch k,
    counted from 0; `on_step(n)` is told when n steps are done. The validation loss is measured
    every `validate_every` steps and at the end; it never shortens the training (rule 8 of
    docs/ablation.md). Without a validation set the best are the last. A loss that is no finite
    number ends the training, and the history says at which step; what is kept is then of the
    interval before. `on_checkpoint` is given the training's state after each interval but the last;
    a training with the same arguments that starts with one to `resume` ends like this one. A thread
    calls get_batch while a step computes; it ends with the training, however that ends.
    """
    if steps < 1 or validate_every < 1:
        raise ValueError(f"steps and validate_every must be at least 1: {steps}, {validate_every}")
    now = resume or Checkpoint((), 0, math.inf, model.get_weights(), (), 0.0)
    if resume:
        assign(resume.state, list_variables(model))
    started = time.perf_counter() - now.seconds
    failed_step = None
    with closing(_read_ahead(get_batch, range(now.step, steps))) as batches:
        for first in range(now.step, steps, validate_every):
            last = min(first + validate_every, steps)
            row = _train_interval(model, batches, range(first, last), validation, on_step)
            # Where validation does not choose, the last is the best.
            score = row.val_loss if validation and keep == "best" else -row.step
            now = replace(now, rows=(*now.rows, row))
            known = [row.val_loss] if validation else model.get_weights()
            if not (math.isfinite(row.loss) and all(np.isfinite(one).all() for one in known)):
                failed_step = row.step
                break
            if score < now.best_score:
                kept = read_average(model) if keep == "average" else model.get_weights()
                now = replace(now, best_step=row.step, best_score=score, best=kept)
            if on_checkpoint and last < steps:
                now = replace(now, seconds=time.perf_counter() - started)
                on_checkpoint(replace(now, state=[one.numpy() for one in list_variables(model)]))
    model.set_weights(now.best)
    rows = tuple(Row(int(step), *numbers) for step, *numbers in now.rows)
    return History(rows, now.best_step, failed_step, time.perf_counter() - started)


def _read_ahead(
    get_batch: Callable[[int], Batch], numbers: Iterable[int]
) -> Generator[Batch, None, None]:
    """Yield the batches of these numbers, while a thread already gets the next ones."""
    worker = ThreadPoolExecutor(1)
    ahead: deque[Future[Batch]] = deque()
    try:
        for number in numbers:
            ahead.append(worker.submit(get_batch, number))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        worker.shutdown(cancel_futures=True)


def _train_interval(
    model: "keras.Model",
    batches: Iterator[Batch],
    numbers: range,
    validation: tuple[Windows, Labels] | None,
    on_step: Callable[[int], None] | None,
) -> Row:
    """Train on the next batches, fewer if the loss stops being a number; then validate."""
    with _averaging(model):
        for number, batch in zip(numbers, batches, strict=False):  # the others are for later
            # One call a batch takes no longer than model.fit on arrays, and shows every step's loss
            # (once it is no number, the mean is none).
            logs = model.train_on_batch(*batch, return_dict=True)
            if not math.isfinite(logs["loss"]):
                break
            if on_step:
                on_step(number + 1)
    scores = measure(model, *validation) if validation else (math.nan, math.nan)
    return Row(number + 1, float(logs["loss"]), float(logs["accuracy"]), *scores)


@contextmanager
def _averaging(model: "keras.Model") -> Iterator[None]:
    """Make loss and accuracy means over all steps in the block.

    train_on_batch sets them to 0 before each step, which takes a third of a millisecond.
    """
    model.reset_metrics()
    model.reset_metrics = lambda: None
    try:
        yield
    finally:
        del model.reset_metrics
