"""Is a network that comes from elsewhere one of ours: pixels of 0..255 in, probabilities out.

Nothing in a model says so. It is asked about a few pictures that nobody drew, and what it says is
looked at: what is judged here shows on any picture, whatever the network was trained on.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.network.asking import predict
from pipeline.network.backend import Images, import_keras

if TYPE_CHECKING:
    import keras

Numbers = npt.NDArray[np.float32]

# A sound network says something else of black than of white: 1e-6 is what rounding leaves.
_SAME = 1e-6
# Of networks with ReLU that had learned from 0..1 or -1..1 (digits, 40 epochs) 78 to 94 % of the
# answers to 0..255 had nothing left for all classes but one; of those that had learned from 0..255
# without any scaling 56 % at most (one layer) or 22 % (more). Of 150 runs of ours one was above: a
# network without scaling after six steps, whose weights are still those that it was drawn with.
_SATURATED = 0.6
# Of the spread of what a BatchNormalization met in training. Pixels of 0..255 instead of 0..1 have
# 255 times that, instead of -1..1 half as much; noise instead of photos up to ten.
_TOO_WIDE = 32.0


def check_file(model: "keras.Model", path: Path) -> None:
    """Raise DataError unless the model of a file takes our pixels and gives probabilities.

    The runs of prep do, and may have learned nothing: what was measured of them counts.
    """
    if not path.with_name("run.json").exists():
        check_pixels(model, str(path))
        check_probabilities(model, str(path))


def check_probabilities(model: "keras.Model", name: str) -> None:
    """Raise DataError, naming the model, unless it ends in a softmax or the like of it.

    What comes out of a softmax sums to 1 whatever the weights are. So the last ones are changed and
    set back: two sigmoids that begin as 0.5 and 0.5 are told by it.
    """
    pictures = _draw_pictures(model)
    head = next((layer for layer in reversed(model.layers) if layer.weights), None)
    kept = head.get_weights() if head else []
    answers = [predict(model, pictures)]
    if head:
        dice = np.random.default_rng(1)
        head.set_weights([one + dice.random(one.shape).astype(one.dtype) for one in kept])
        answers.append(predict(model, pictures))
        head.set_weights(kept)
    for outputs in answers:
        if not np.isfinite(outputs).all():
            raise DataError(f"{name} gives outputs that are no numbers (NaN or infinite)")
        if not _are_probabilities(outputs):
            raise DataError(f"{name} does not give probabilities: {_tell_kind(outputs)}")


def check_pixels(model: "keras.Model", name: str) -> None:
    """Raise DataError, naming the model, unless a trained one makes something of 0..255.

    Weights that are no numbers, the same answer to every picture, or all classes but one at zero,
    as where it was trained on 0..1, are refused.
    """
    if not all(np.isfinite(one).all() for one in model.get_weights()):
        raise DataError(f"{name} has weights that are no numbers (NaN): its training diverged")
    check_spread(model, name)
    pictures = _draw_pictures(model)
    outputs = predict(model, pictures)
    if np.isfinite(outputs).all() and np.ptp(outputs, axis=0).max() < _SAME:
        raise DataError(
            f"{name} says the same of every picture: it has learned nothing, or from pixels of "
            "another range than 0..255"
        )
    if _saturate(outputs) > _SATURATED and not _saturate(predict(model, pictures / 255)):
        raise DataError(_tell_range(name))


def check_spread(model: "keras.Model", name: str) -> None:
    """Raise DataError where the first BatchNormalization learned from far narrower values.

    One that has learned nothing yet is let through, and so is a model without.
    """
    keras = import_keras()
    copy = keras.models.clone_model(model)  # in a loaded one the layers' ends do not meet
    copy.set_weights(model.get_weights())
    found = _reach_normalisation(copy, _draw_pictures(model).astype(np.float32))
    if found is None:
        return
    layer, values = found
    known = np.asarray(layer.moving_variance)
    if not (known == 1).all():
        axes = tuple(axis for axis in range(values.ndim) if axis != layer.axis % values.ndim)
        wider = np.sqrt((values.var(axis=axes) + layer.epsilon) / (known + layer.epsilon))
        if np.median(wider) > _TOO_WIDE:
            raise DataError(_tell_range(name))


def _reach_normalisation(model: Any, values: Any) -> tuple[Any, Numbers] | None:
    """Return the first BatchNormalization, also of a model inside, and what comes to it."""
    layers = import_keras().layers
    for layer in model.layers:
        inner = hasattr(layer, "layers")
        if not inner and not isinstance(layer, layers.BatchNormalization):
            continue
        reached = import_keras().Model(model.inputs, layer.input)([values], training=False)
        if not inner:
            return layer, np.asarray(reached, np.float32)
        if (found := _reach_normalisation(layer, reached)) is not None:
            return found
    return None


def _draw_pictures(model: "keras.Model") -> Images:
    """Return pictures (18, S, S, C): grey, noise of low and high contrast, and coarse patches."""
    height, width, channels = (side or 32 for side in model.input_shape[1:])
    dice = np.random.default_rng(0)
    shape = (4, height, width, channels)
    grey = [np.full(shape[1:], value) for value in (0, 64, 255)]
    noise = [*dice.integers(100, 156, shape), *dice.integers(0, 256, shape)]
    coarse = dice.integers(0, 256, (7, 4, 4, channels))
    patches = coarse.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)
    pictures: Images = np.array([*grey, *noise, *patches[:, :height, :width]], np.uint8)
    return pictures


def _are_probabilities(outputs: Numbers) -> bool:
    # As far as 16 bits can tell, which a model may compute in.
    return bool((outputs > -_SAME).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-2))


def _tell_kind(outputs: Numbers) -> str:
    """Return what comes out instead, and what to do about it."""
    lowest, highest = outputs.min(), outputs.max()
    if outputs.shape[-1] == 1:
        return "it has one output. Give each class its own, and end it with a softmax"
    if lowest >= 0 and highest <= 1:
        return (
            "its outputs do not sum to 1, as where each is a sigmoid. End it with a softmax over "
            "all classes instead, and train it again"
        )
    logarithms = highest <= _SAME and _are_probabilities(np.exp(outputs))
    kind = "their logarithms" if logarithms else f"numbers such as {lowest:.3g} and {highest:.3g}"
    return (
        f"it gives {kind}. End it with a softmax: keras.Model(model.inputs, "
        "keras.layers.Softmax()(model.outputs[0]))"
    )


def _saturate(outputs: Numbers) -> float:
    """Return the share of answers in which all classes but one have a probability of exactly 0."""
    if outputs.shape[-1] < 2:
        return 0.0
    if not _are_probabilities(outputs):
        # What the softmax of such a layer would give; log-probabilities come out as they are.
        outputs = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return float(((outputs > 0).sum(axis=-1) == 1).mean())


def _tell_range(name: str) -> str:
    return (
        f"{name} seems to have learned from pixels of another range than 0..255, as tiles have: "
        "begin it with the scaling that it was trained with, as in keras.layers.Rescaling(1/255) "
        "for 0..1 or keras.layers.Rescaling(1/127.5, offset=-1) for -1..1"
    )
