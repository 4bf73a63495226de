"""predictions.csv: what each run of an experiment says of each test tile, written and read.

Probabilities are float (N, K), one for each class; labels int (N,), indices into the classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.documents import Run
from pipeline.dataset.tables import COLUMNS, write_table


@dataclass(frozen=True)
class Tested:
    """What one run said of its fold's test set."""

    ids: npt.NDArray[np.object_]  # (N,)
    labels: npt.NDArray[np.int16]  # (N,)
    probabilities: npt.NDArray[np.float32]  # (N, K)
    run: Run

    @property
    def predicted(self) -> npt.NDArray[np.integer]:
        """(N,) the likeliest class of each tile; the first one on a tie."""
        return choose_classes(self.probabilities)


def choose_classes(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.integer]:
    """Return the likeliest class of each picture, (N, K) -> (N,); the first one on a tie.

    Raises ValueError when a probability is not a finite number.
    """
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity: the training diverged")
    result: npt.NDArray[np.integer] = np.argmax(probabilities, axis=-1)
    return result


def write_predictions(path: Path, classes: Sequence[str], tested: Sequence[Tested]) -> None:
    """Write a row for each run and test tile, with a probability for each class."""
    columns = [*COLUMNS["predictions"], *(f"p{number}" for number in range(len(classes)))]
    write_table(path, columns, (row for run in tested for row in _list_rows(run, classes)))


def _list_rows(run: Tested, classes: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield the rows of one run."""
    for row, (tile_id, predicted) in enumerate(zip(run.ids, run.predicted, strict=True)):
        yield {
            "id": tile_id,
            "fold": run.run["fold"],
            "seed": run.run["seed"],
            "label": classes[run.labels[row]],
            "predicted": classes[predicted],
            **{f"p{number}": f"{p:.6f}" for number, p in enumerate(run.probabilities[row])},
        }
