"""What a model says: probabilities, its loss and accuracy, where it looked, how large it is.

Probabilities are float32 (N, classes); tiles uint8 (N, S, S, C).
"""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.network.backend import Images, Labels, Windows, import_keras

if TYPE_CHECKING:
    import keras


def predict(
    model: "keras.Model", images: Windows | Iterable[Images], batch_size: int = 128
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


def measure(model: "keras.Model", images: Windows, labels: Labels) -> tuple[float, float]:
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

    layers = list(_list_layers(model))
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    if not convolutions:
        return None
    with (
        tensorflow.GradientTape() as tape,
        _overhear(convolutions[-1], tape.watch) as looked,  # it may be frozen
        _overhear(layers[-1]) as decided,
    ):
        model(tensorflow.constant(images), training=False)
        features, before, last = looked[-1][1], decided[-1][0], layers[-1]
        # Before the softmax: its gradient vanishes where the model is sure.
        before = keras.ops.cast(before, "float32")
        scores = before @ last.kernel + last.bias if hasattr(last, "kernel") else before
        own = tensorflow.gather(scores, classes, axis=1, batch_dims=1)
    spoke = keras.ops.relu(keras.ops.sum(tape.gradient(own, features) * features, axis=-1))
    spoke = keras.ops.cast(spoke, "float32")[..., None]
    maps = np.asarray(keras.ops.image.resize(spoke, images.shape[1:3]))[..., 0]
    most = maps.max(axis=(1, 2), keepdims=True)
    shares: npt.NDArray[np.float32] = np.zeros_like(maps)
    np.divide(maps, most, out=shares, where=most > 0)
    return shares


def _list_layers(model: "keras.Model") -> Iterator[Any]:
    """Yield the layers of a network, and of the networks within it, in their order."""
    keras = import_keras()
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _list_layers(layer)
        else:
            yield layer


@contextmanager
def _overhear(
    layer: Any, watch: Callable[[Any], None] | None = None
) -> Iterator[list[tuple[Any, Any]]]:
    """Collect what goes into a layer and comes out of it, however deep in a network it lies."""
    heard: list[tuple[Any, Any]] = []
    own = layer.call

    def call(inputs: Any, *others: Any, **named: Any) -> Any:
        output = own(inputs, *others, **named)
        if watch:
            watch(output)
        heard.append((inputs, output))
        return output

    layer.call = call
    try:
        yield heard
    finally:
        layer.call = own


def count_parameters(model: "keras.Model") -> int:
    """Return how many numbers the model learns or keeps."""
    return int(model.count_params())


def summarise(model: "keras.Model") -> str:
    """Return the model's layers, their output shapes and parameters as a plain text table."""
    text = io.StringIO()
    model.summary(line_length=80, print_fn=text.write)
    return text.getvalue()
