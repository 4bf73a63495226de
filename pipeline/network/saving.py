"""Models as `.keras` files, in Keras's safe mode: a stranger's file runs no code of its own."""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError, pass_on_machine
from pipeline.network.backend import import_keras, list_exhaustions, warnings_off
from pipeline.network.recognising import explain_refusal, recognise

if TYPE_CHECKING:
    import keras


def save(model: "keras.Model", path: Path) -> None:
    """Write what is needed to predict or to fine-tune: layers and weights, without the optimiser.

    The optimiser's memory is two thirds of a file, and belongs to the last step, not to the best.
    Any name will do; Keras itself insists on `.keras`.
    """
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    written = path.with_name(path.name + ".keras")
    with warnings_off():  # Keras reads its own variables in a way that numpy will give up
        bare.save(written)
    written.replace(path)


# What Keras and HDF5 were seen to raise for files cut short, with wrong bytes or of another kind.
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    ImportError,
    zipfile.BadZipFile,
    zlib.error,
)


def load(path: Path) -> "keras.Model":
    """Read a `.keras` file in Keras's safe mode, to predict; DataError if it holds no model."""
    keras = import_keras()
    if not path.exists():
        raise DataError(f"There is no model file {path}.")
    if told := recognise(path):
        raise DataError(f"{path} {told}")
    if path.suffix != ".keras":  # Keras goes by the name
        raise DataError(f"{path} holds a Keras model: give it a name that ends in .keras")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except list_exhaustions() as error:
        raise DataError(
            f"{path} does not hold a Keras model that can be read: it asks for more memory than "
            "there is."
        ) from error
    except _UNREADABLE as error:
        pass_on_machine(error, path)
        raise DataError(f"{path} {explain_refusal(path, error)}") from error


def check_fit(
    model: "keras.Model", shape: tuple[int, int, int], class_count: int | None, name: str
) -> None:
    """Raise DataError, naming the model, unless it takes tiles of `shape` (S, S, C) to the classes.

    A side that a model leaves open takes any number of pixels; None: any number of classes.
    """
    for ends, what in ((model.inputs, "input"), (model.outputs, "output")):
        if len(ends) != 1:
            raise DataError(f"{name} has {len(ends)} {what}s: one is needed")
    takes, gives = model.inputs[0].shape[1:], model.outputs[0].shape[1:]
    if len(takes) != 3 or any(
        side not in (None, wanted) for side, wanted in zip(takes, shape, strict=True)
    ):
        raise DataError(
            f"{name} takes {_by_sides(takes)}, but the tiles are {_by_sides(shape)} (tile in "
            "params.yaml)"
        )
    if len(gives) != 1 or gives[0] is None:
        raise DataError(f"{name} gives {_by_sides(gives)} numbers, not one for each class")
    if class_count is not None and gives != (class_count,):
        raise DataError(
            f"{name} tells {_by_sides(gives)} classes apart, but params.yaml has {class_count}"
        )


def _by_sides(shape: tuple[Any, ...]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)
