"""The model that the settings ask for: by name, by an own function, or from a trained one on."""

from collections.abc import Callable
from inspect import isfunction
from pathlib import Path
from runpy import run_path
from typing import Any

from pipeline.errors import DataError, nearest
from pipeline.network import backend, building, saving
from pipeline.settings.sections import Train

Built = tuple[Any, list[backend.Weights]]  # a Keras model, and the weights that it starts with


def build_model(
    root: Path, settings: Train, shape: tuple[int, int, int], class_count: int
) -> Built:
    """Return the compiled model and its trained weights, both for `network.restart`."""
    rate, precision = settings.learning_rate, settings.precision
    if settings.init is not None:
        return building.build_on(
            saving.load(root / settings.init),
            f"train.init {settings.init}",
            shape,
            class_count,
            learning_rate=rate,
            freeze=settings.freeze,
            precision=precision,
        )
    if settings.own_model is None:
        model = building.build(
            settings.model, shape, class_count, seed=0, learning_rate=rate, precision=precision
        )
        return model, []
    function = _load_function(root, *settings.own_model)
    name = f"train.model {settings.model}"
    model = building.build_own(
        function, name, shape, class_count, learning_rate=rate, precision=precision
    )
    return model, []


def _load_function(root: Path, file: str, name: str) -> Callable[..., Any]:
    """Return a function of the user's own file; DataError if there is none."""
    path = root / file
    if not path.is_file():
        raise DataError(f"train.model: there is no file {file} in {root}")
    try:
        module = run_path(str(path))  # unlike an import it leaves no __pycache__ for DVC to see
    except building.BROKEN as error:
        raise DataError(f"train.model: {file} does not run: {error}") from error
    if not callable(module.get(name)):
        functions = [key for key, thing in module.items() if isfunction(thing)]
        raise DataError(
            f"train.model: {file} has no function {name}.{nearest(name, functions)} "
            f"It has: {', '.join(functions) or 'none'}"
        )
    function: Callable[..., Any] = module[name]
    return function
