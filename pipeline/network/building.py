"""The models, built: by name, by a user's own function, or from a trained one on.

A built model is compiled and ready for a first run; `restart` begins the next one with it. Only
Keras's own API is used, so that KERAS_BACKEND=jax or torch serves as well as TensorFlow.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.network.backend import (
    Weights,
    assign,
    import_keras,
    list_variables,
    make_deterministic,
)
from pipeline.network.probing import check_pixels, check_probabilities, check_spread
from pipeline.network.recipes import find_recipe
from pipeline.network.saving import check_fit

if TYPE_CHECKING:
    import keras


# Of 0.98 and 0.99 a step, and the mean over the second half, the one that was most often both the
# most accurate and the steadiest (benchmarks/keeping.py).
AVERAGING = 0.98


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
    `_set_precision`. Raises DataError for an unknown name and for tiles too small for the model.
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
    return _compile(_set_precision(model, precision), optimiser, learning_rate, seed)


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
    check_probabilities(model, name)
    check_spread(model, name)  # its weights may come from elsewhere
    optimiser = model.optimizer if model.compiled else keras.optimizers.Adam()
    if precision != "float32":  # else it stays as its author made it
        model = _set_precision(model, precision)
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
    check_fit(base, shape, None, name)
    check_pixels(base, name)
    model, start = base, base.get_weights()
    if base.output_shape[-1] == class_count:
        check_probabilities(base, name)
    else:
        old = next((layer for layer in reversed(base.layers) if layer.weights), None)
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
    model = _set_precision(model, precision)
    return _compile(model, keras.optimizers.get(optimiser), learning_rate, seed=0), start


def _set_precision(model: "keras.Model", precision: str) -> "keras.Model":
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
    # It keeps the average of the weights that fitting.fit may end with.
    averaging = {"use_ema": True, "ema_momentum": AVERAGING, "ema_overwrite_frequency": None}
    optimiser = type(optimiser).from_config(optimiser.get_config() | averaging)
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
    assign([variable.value for variable in variables], list_variables(model))
    model.set_weights([*start, *model.get_weights()[len(start) :]])
