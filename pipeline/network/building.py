"""The models: built by name, trained for a fixed number of steps, asked, saved and loaded.

The only module that knows Keras, and only inside its functions: importing it costs nothing.
Only Keras's own API is used, so that KERAS_BACKEND=jax or torch serves as well as TensorFlow.

Tiles go in as they are stored, uint8 (N, S, S, C), 0..255: scaling is the model's first layer.
Labels are integers (N,), 0 .. classes-1. Probabilities come out as float32 (N, classes).
"""

import functools
import gc
import importlib
import io
import logging
import math
import os
import sys
import time
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError, nearest
from pipeline.network.checkpoints import Checkpoint

if TYPE_CHECKING:
    import keras

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer[Any]]
Weights = npt.NDArray[np.float32]
Batch = tuple[Images, Labels] | tuple[Images, Labels, Weights]


class ImageSource(Protocol):
    """Tiles: an array, or something that reads windows of them when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Images: ...


# --- The models ----------------------------------------------------------------------------


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


def build(
    name: str,
    shape: tuple[int, int, int],
    class_count: int,
    *,
    seed: int,
    learning_rate: float | None = None,
    precision: str = "float32",
) -> "keras.Model":
    """Make the named model for tiles of `shape` (S, S, C), compiled and ready for a first run.

    Without a `learning_rate` the model's own is used. For the seed see `restart`, for the precision
    `set_precision`. Raises DataError for an unknown name and for tiles too small for the model.
    """
    recipe = find_recipe(name, shape)
    keras = import_keras()
    make_deterministic(seed)  # here for the layers' names, which count on from earlier models
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            *recipe.layers(keras.layers),
            keras.layers.Dense(class_count, activation="softmax"),
        ],
        name=name,
    )
    optimiser = keras.optimizers.get(recipe.optimiser)
    optimiser.learning_rate = recipe.learning_rate
    return _compile(set_precision(model, precision), optimiser, learning_rate, seed)


def build_own(
    function: Callable[..., Any],
    name: str,
    shape: tuple[int, int, int],
    class_count: int,
    *,
    learning_rate: float | None = None,
    precision: str = "float32",
) -> "keras.Model":
    """Make a model by the user's own function(shape, class count), compiled and ready for a run.

    It takes tiles as they are stored, 0..255, and gives probabilities. If it comes compiled, its
    optimiser is kept (else Adam); the loss is ours. Raises DataError, naming the model, when the
    function fails, or returns what is no Keras model for these tiles and classes.
    """
    keras = import_keras()
    make_deterministic(0)
    try:
        model = function(shape, class_count)
        if isinstance(model, keras.Model) and not model.built:
            model.build((None, *shape))
    except BROKEN as error:
        raise DataError(f"{name} does not build: {type(error).__name__}: {error}") from error
    if not isinstance(model, keras.Model):
        raise DataError(f"{name} returns {type(model).__name__}, not a Keras model")
    try:
        type(model).from_config(model.get_config())
    except BROKEN as error:
        raise DataError(
            f"{name} can't be built again from its configuration ({error}): make it of Keras's own "
            "layers, with keras.Sequential or keras.Model(inputs, outputs)"
        ) from error
    check_fit(model, shape, class_count, name)
    some = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    sums = predict(model, some).sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        raise DataError(f"{name} does not give probabilities: end it with a softmax")
    optimiser = model.optimizer if model.compiled else keras.optimizers.Adam()
    if precision != "float32":  # else it stays as its author made it
        model = set_precision(model, precision)
    return _compile(model, optimiser, learning_rate, seed=0)


def build_on(
    base: "keras.Model",
    name: str,
    shape: tuple[int, int, int],
    class_count: int,
    *,
    optimiser: Any = "adam",
    learning_rate: float | None = None,
    freeze: int = 0,
    precision: str = "float32",
) -> tuple["keras.Model", list[Weights]]:
    """Make a model that goes on from a trained one; return it and the weights that it starts with.

    With as many classes all weights go on; with another number the last layer is a new one, whose
    weights each run draws. The first `freeze` layers that have weights stay as they are. Give the
    weights to `restart`. Raises DataError, naming the model, when it does not fit.
    """
    keras = import_keras()
    check_fit(base, shape, base.output_shape[-1], name)
    model, start = base, base.get_weights()
    if base.output_shape[-1] != class_count:
        old = base.layers[-1]
        if not isinstance(old, keras.layers.Dense):
            raise DataError(f"{name} can't get a new last layer: the old one is no Dense layer")
        head = keras.layers.Dense(class_count, activation="softmax", name="head")
        model = keras.Model(base.inputs, head(old.input), name=base.name)
        start = start[: -len(old.get_weights())]
    learning = [layer for layer in model.layers if layer.weights]
    if freeze >= len(learning):
        raise DataError(
            f"train.freeze: {freeze} layers of {name} can't be frozen: it has {len(learning)} with "
            "weights, and one at least has to learn"
        )
    for layer in learning[:freeze]:
        layer.trainable = False
    model = set_precision(model, precision)
    return _compile(model, keras.optimizers.get(optimiser), learning_rate, seed=0), start


def set_precision(model: "keras.Model", precision: str) -> "keras.Model":
    """Return the model, to be computed in float32 or, all but its last layer, in bfloat16.

    In bfloat16 it is a new one, with weights of its own. These, their gradients' sums and the
    optimiser stay float32 (Keras's policy mixed_bfloat16; Micikevicius et al., arXiv 1710.03740).
    """
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    *inner, last = _flatten(model)
    wanted = [*((layer, policy) for layer in inner), (last, "float32")]
    if all(layer.dtype_policy.name == name for layer, name in wanted):
        return model
    for layer, name in wanted:
        layer.dtype_policy = name
    return type(model).from_config(model.get_config())


def _flatten(model: "keras.Model") -> list[Any]:
    """Return the layers of a model, and those of the models among them."""
    parts = [_flatten(layer) if hasattr(layer, "layers") else [layer] for layer in model.layers]
    return [layer for part in parts for layer in part]


def _compile(
    model: "keras.Model", optimiser: Any, learning_rate: float | None, seed: int
) -> "keras.Model":
    if learning_rate is not None:
        optimiser.learning_rate = learning_rate
    model.compile(
        optimizer=optimiser,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # XLA makes TensorFlow's convolutions half as fast on a processor; JAX needs it.
        jit_compile=False if import_keras().config.backend() == "tensorflow" else "auto",
    )
    restart(model, seed)
    return model


# What a function written by the user was seen to raise, and Keras on its behalf.
BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def restart(model: "keras.Model", seed: int, start: Sequence[Weights] = ()) -> None:
    """Start a run: give the model initial weights, forget its optimiser's past, seed all dice.

    Weights and all dropout depend on the seed and the model's shape alone: no data, and no run
    before this one, changes them. One model restarted for each seed saves the second that a new
    one takes for its first step, and TensorFlow never gives a trained model's memory back.
    `start`: the trained weights of its first layers, from `build_on`.
    """
    make_deterministic(seed)
    fresh = type(model).from_config(model.get_config())
    optimiser = type(model.optimizer).from_config(model.optimizer.get_config())
    for one in (model.optimizer, optimiser):
        one.build(model.trainable_variables)
    variables = [*fresh.variables, *optimiser.variables]
    _assign([variable.value for variable in variables], _state(model))
    model.set_weights([*start, *model.get_weights()[len(start) :]])


def _assign(values: Iterable[Any], variables: list[Any]) -> None:
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)


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


# --- Training ------------------------------------------------------------------------------


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
    validation: tuple[ImageSource, Labels] | None = None,
    on_step: Callable[[int], None] | None = None,
    resume: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
) -> History:
    """Train for exactly `steps` steps, then return to the weights with the lowest validation loss.

    `get_batch(k)` gives batch k, counted from 0; `on_step(n)` is told when n steps are done. The
    validation loss is measured every `validate_every` steps and at the end; it chooses among
    checkpoints and never shortens the training (rule 8 of docs/ablation.md). Without a validation
    set the last weights stay. A loss that is no finite number ends the training, and the history
    says at which step. `on_checkpoint` is given the training's state after each interval but the
    last; a training with the same arguments that starts with one to `resume` ends like this one.
    A thread calls get_batch while a step computes; it ends with the training, however that ends.
    """
    if steps < 1 or validate_every < 1:
        raise ValueError(f"steps and validate_every must be at least 1: {steps}, {validate_every}")
    now = resume or Checkpoint((), 0, math.inf, model.get_weights(), (), 0.0)
    if resume:
        _assign(resume.state, _state(model))
    started = time.perf_counter() - now.seconds
    failed_step = None
    with closing(_read_ahead(get_batch, range(now.step, steps))) as batches:
        for first in range(now.step, steps, validate_every):
            last = min(first + validate_every, steps)
            row = _train_interval(model, batches, range(first, last), validation, on_step)
            score = row.val_loss if validation else -row.step  # without validation the last is best
            now = replace(now, rows=(*now.rows, row))
            known = [row.val_loss] if validation else model.get_weights()
            if not (math.isfinite(row.loss) and all(np.isfinite(one).all() for one in known)):
                failed_step = row.step
                break
            if score < now.best_score:
                now = replace(now, best_step=row.step, best_score=score, best=model.get_weights())
            if on_checkpoint and last < steps:
                now = replace(now, seconds=time.perf_counter() - started)
                on_checkpoint(replace(now, state=[one.numpy() for one in _state(model)]))
    model.set_weights(now.best)
    rows = tuple(Row(int(step), *numbers) for step, *numbers in now.rows)
    return History(rows, now.best_step, failed_step, time.perf_counter() - started)


def _state(model: "keras.Model") -> list[Any]:
    """Return all that a step changes: weights, the dice of dropout, the optimiser's memory."""
    return [*model.variables, *model.optimizer.variables]


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
    validation: tuple[ImageSource, Labels] | None,
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


# --- Asking --------------------------------------------------------------------------------


def predict(
    model: "keras.Model", images: ImageSource | Iterable[Images], batch_size: int = 128
) -> npt.NDArray[np.float32]:
    """Return the probability of every class for every tile: float32 (N, classes).

    `images` is one source (N, S, S, C) or windows of it, one after the other.
    """
    windows: Iterable[Any] = [images] if hasattr(images, "shape") else images
    parts = [
        model.predict_on_batch(window[start : start + batch_size])
        for window in windows
        for start in range(0, len(window), batch_size)
    ]
    nothing = np.empty((0, model.output_shape[-1]), np.float32)
    return np.concatenate([nothing, *parts]).astype(np.float32, copy=False)


def measure(model: "keras.Model", images: ImageSource, labels: Labels) -> tuple[float, float]:
    """Return cross-entropy and accuracy of a model on tiles (N, S, S, C) with labels (N,)."""
    probabilities = predict(model, images)
    own = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(own, 1e-7))  # a zero probability counts as Keras's own loss does
    return float(loss.mean()), float((probabilities.argmax(axis=1) == labels).mean())


def explain(
    model: "keras.Model", images: Images, classes: Labels
) -> npt.NDArray[np.float32] | None:
    """Return where in each tile (N, S, S, C) the model saw its class of `classes` (N,): (N, S, S).

    1 is the place that spoke most for the class, 0 one that did not. Grad-CAM of the last
    convolution, without averaging the gradients over the tile first (HiResCAM, Draelos and Carin,
    arXiv 2011.08891): the same where a network ends in global average pooling; where it ends in
    Flatten, as these do, the average would light up places that decided nothing. None when the
    model has no convolution, or Keras does not run on TensorFlow, whose gradients these are.
    """
    keras = import_keras()
    if keras.config.backend() != "tensorflow":
        return None
    import tensorflow

    copy = keras.models.clone_model(model)  # in a loaded one the layers' ends do not meet
    copy.set_weights(model.get_weights())
    convolutions = [layer for layer in copy.layers if isinstance(layer, keras.layers.Conv2D)]
    if not convolutions:
        return None
    last = copy.layers[-1]
    parts = keras.Model(copy.inputs, [convolutions[-1].output, last.input])
    with tensorflow.GradientTape() as tape:
        features, before = parts(tensorflow.constant(images), training=False)
        # Before the softmax: its gradient vanishes where the model is sure.
        before = keras.ops.cast(before, "float32")
        scores = before @ last.kernel + last.bias if hasattr(last, "kernel") else before
        own = tensorflow.gather(scores, classes, axis=1, batch_dims=1)
    spoke = keras.ops.relu(keras.ops.sum(tape.gradient(own, features) * features, axis=-1))
    spoke = keras.ops.cast(spoke, "float32")[..., None]
    maps = np.asarray(keras.ops.image.resize(spoke, images.shape[1:3]))[..., 0]
    most = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)


def count_parameters(model: "keras.Model") -> int:
    """Return how many numbers the model learns or keeps."""
    return int(model.count_params())


def summarise(model: "keras.Model") -> str:
    """Return the model's layers, their output shapes and parameters as a plain text table."""
    text = io.StringIO()
    model.summary(line_length=80, print_fn=text.write)
    return text.getvalue()


# --- Saving and loading --------------------------------------------------------------------


def save(model: "keras.Model", path: Path) -> None:
    """Write what is needed to predict or to fine-tune: layers and weights, without the optimiser.

    The optimiser's memory is two thirds of a file, and belongs to the last step, not to the best.
    Any name will do; Keras itself insists on `.keras`.
    """
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    written = path.with_name(path.name + ".keras")
    with _warnings_off():  # Keras reads its own variables in a way that numpy will give up
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
    if not path.is_file():
        raise DataError(f"There is no model file {path}.")
    if path.suffix != ".keras":  # Keras would read older kinds, which safe mode does not cover
        raise DataError(f"{path} is no .keras file")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except _exhaustions() as error:
        raise DataError(
            f"{path} does not hold a Keras model that can be read: it asks for more memory than "
            "there is."
        ) from error
    except _UNREADABLE as error:
        raise DataError(f"{path} does not hold a Keras model that can be read.") from error


def _exhaustions() -> tuple[type[Exception], ...]:
    """Return what is raised when there is no memory; TensorFlow's own error is no MemoryError."""
    tensorflow = sys.modules.get("tensorflow")
    return (MemoryError, tensorflow.errors.ResourceExhaustedError) if tensorflow else (MemoryError,)


def check_fit(
    model: "keras.Model", shape: tuple[int, int, int], class_count: int, name: str
) -> None:
    """Raise DataError, naming the model, unless it takes tiles of `shape` (S, S, C) to the classes.

    A side that a model leaves open takes any number of pixels.
    """
    takes, gives = model.input_shape[1:], model.output_shape[1:]
    if len(takes) != 3 or any(
        side not in (None, wanted) for side, wanted in zip(takes, shape, strict=True)
    ):
        raise DataError(
            f"{name} takes {_by_sides(takes)}, but the tiles are {_by_sides(shape)} (tile in "
            "params.yaml)"
        )
    if gives != (class_count,):
        raise DataError(
            f"{name} tells {_by_sides(gives)} classes apart, but params.yaml has {class_count}"
        )


def _by_sides(shape: tuple[Any, ...]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)


# --- Keras itself --------------------------------------------------------------------------


def make_deterministic(seed: int) -> None:
    """Start from nothing: forget earlier models' names and memory, and seed all dice.

    What follows gives the same numbers each time on one machine with the same versions and the
    same number of cores (rule 11 of docs/ablation.md), whatever ran before in this process. Seeds
    are 0 .. 2**32 - 1.
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
    """Import Keras on its first use, quietly, with TensorFlow's operations made deterministic.

    TensorFlow takes seconds to import, and every training or evaluating stage pays for it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read at import; 3: errors only
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _import_lightly():
        import keras

        if keras.config.backend() == "tensorflow":
            import tensorflow

            tensorflow.config.experimental.enable_op_determinism()
            gc.freeze()  # what lives to the end is not gone over at every collection and at exit
    return keras


def _warnings_off() -> AbstractContextManager[None]:
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
        with _warnings_off():
            yield
    finally:
        gc.enable()
        for name in absent:
            sys.modules.pop(name, None)
