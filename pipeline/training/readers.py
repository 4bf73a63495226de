"""Readers: what labels new tiles. A run's model, a .keras file, or the digit model that prep ships.

Tiles are uint8 (N, S, S, C), as the reader's rule makes them; probabilities float32 (N, K).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dataset.documents import read_object
from pipeline.errors import DataError, nearest
from pipeline.network import asking, probing, saving, shipped
from pipeline.project import Project, is_made_here, require_made
from pipeline.settings.params import Params
from pipeline.settings.sections import Tile

Tiles = npt.NDArray[np.uint8]
Chances = npt.NDArray[np.float32]

_SHIPPED = f"the digit model that comes with prep ({shipped.ACCURACY} % of MNIST's test set)"


@dataclass(frozen=True)
class Reader:
    """A model with the classes that it tells apart and the tiles that it takes."""

    name: str
    classes: tuple[str, ...]
    tile: Tile
    predict: Callable[[Tiles], Chances]
    note: str = ""  # what was taken for granted


def find_reader(project: Project | None, params: Params | None, wanted: str | None) -> Reader:
    """Return the model that is wanted: an experiment's, by its name, or a .keras file.

    By default it is that of the project's first trained experiment. Where there is none, and where
    there is no project, digits are read by the model that comes with prep. Raises DataError for a
    model that is not there, or is made for other tiles or classes.
    """
    if project is None or params is None:
        return _read_digits() if wanted is None else _load_alone(_find_file(wanted))
    if wanted is None:
        wanted = _find_trained(project, params)
        if wanted is None and params.classes == shipped.CLASSES:
            note = "no experiment of this project is trained yet, so the model is prep's own"
            return _read_digits(note)
    path = _find_model(project, params, wanted or next(iter(params.experiments)))
    _refuse_other_classes(path, params.classes)
    name = project.relative(path) if path.is_relative_to(project.root) else str(path)
    return _check(saving.load(path), path, name, params.classes, params.tile)


def _read_digits(note: str = "") -> Reader:
    tile = Tile(size=shipped.SIDE, channels=1, method="mnist")
    return Reader(_SHIPPED, shipped.CLASSES, tile, shipped.predict, note)


def _find_trained(project: Project, params: Params) -> str | None:
    """Return the first experiment whose first run is there; None where nothing is trained."""
    models = ((name, _first_model(project, params, name)) for name in params.experiments)
    return next((name for name, model in models if model.exists()), None)


def _first_model(project: Project, params: Params, experiment: str) -> Path:
    return project.run_folder(experiment, 0, params.seeds_of(experiment)[0]) / "model.keras"


def _find_model(project: Project, params: Params, wanted: str) -> Path:
    """Return the model's file: a .keras file itself, or of an experiment that of its first run."""
    if wanted.endswith(".keras") or (wanted not in params.experiments and Path(wanted).exists()):
        return require_made(Path(wanted))
    if wanted not in params.experiments:
        known = list(params.experiments)
        raise DataError(
            f"--model: '{wanted}' is no .keras file, and there is no such experiment in "
            f"params.yaml.{nearest(wanted, known)} Known: {', '.join(known)}"
        )
    return project.require(_first_model(project, params, wanted))


def _find_file(wanted: str) -> Path:
    """Return the file of a model that is used without a project."""
    path = Path(wanted)
    if not (wanted.endswith(".keras") or path.exists()):
        raise DataError(
            f"--model: '{wanted}' is no .keras file. Experiments have names in a project: there is "
            "no params.yaml here or above"
        )
    return require_made(path)


def _check(
    model: Any, path: Path, name: str, classes: tuple[str, ...], tile: Tile, note: str = ""
) -> Reader:
    """Return the reader that a model is; raises DataError when it takes other tiles or classes."""
    saving.check_fit(model, (tile.size, tile.size, tile.channels), len(classes), str(path))
    probing.check_file(model, path)
    return Reader(name, classes, tile, lambda tiles: asking.predict(model, tiles), note)


def _load_alone(path: Path) -> Reader:
    """Read a model without a project: its tiles' size is its own, the rest is what is usual."""
    model = saving.load(path)
    size, channels, count = _measure(model, path)
    tile = Tile(size=size, channels=channels, method="mnist" if channels == 1 else "photo")
    trained = _read_classes(path)
    classes = tuple(trained or map(str, range(count)))
    named = "" if trained else f"its classes are called 0 to {count - 1}, and "
    note = f"{path}: {named}its tiles are made by method {tile.method}, as nothing says otherwise"
    return _check(model, path, str(path), classes, tile, note)


def _measure(model: Any, path: Path) -> tuple[int, Any, int]:
    """Return side and channels of the tiles that a model takes, and how many classes it tells."""
    takes, gives = model.inputs[0].shape[1:], model.outputs[0].shape[1:]
    sizes = [side for side in takes[:2] if side is not None] if len(takes) == 3 else []
    fits = len(set(sizes)) == 1 and 8 <= sizes[0] <= 1024 and takes[2] in (1, 3)
    if not fits or len(gives) != 1 or not gives[0]:
        raise DataError(
            f"{path} takes {takes} and gives {gives}; expected square tiles of 8 to 1024 pixels "
            "in 1 or 3 channels, and a number for each class"
        )
    return int(sizes[0]), int(takes[2]), int(gives[0])


def _read_classes(path: Path) -> list[str]:
    """Return the classes that the run.json beside a model names, none where it names none."""
    beside = path.with_name("run.json")
    if not beside.exists():
        return []
    again = "Train again with: prep train"
    come = "Bring the model's whole folder once more from where it came"
    run = read_object(require_made(beside), again if is_made_here(beside) else come)
    return list(map(str, run.get("classes", [])))  # an older prep did not write them


def _refuse_other_classes(path: Path, classes: Sequence[str]) -> None:
    """Raise DataError when the run.json beside a model names other classes, or another order."""
    trained = _read_classes(path)
    if trained and trained != list(classes):
        raise DataError(
            f"{path} was trained on the classes {', '.join(trained)}; params.yaml has "
            f"{', '.join(classes)}. Train again with: dvc repro"
        )
