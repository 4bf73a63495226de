"""The digit model that comes with prep: small, computed by numpy as Keras computes it."""

import numpy as np
import pytest

from pipeline.network import shipped


def some_tiles(count):
    """Return tiles of noise in blobs, each with another share of ink."""
    dice = np.random.default_rng(4)
    coarse = dice.random((count, 7, 7, 1)) < np.linspace(0.05, 0.6, count)[:, None, None, None]
    return (255 * coarse).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def test_it_is_small():
    assert shipped.FILE.stat().st_size < 1_500_000


def test_tiles_are_judged_each_on_its_own_in_batches_of_any_size():
    tiles = some_tiles(11)
    whole = shipped.predict(tiles)
    assert (whole.shape, whole.dtype) == ((11, 10), np.float32)
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(shipped.predict(tiles, batch_size=3), whole, atol=1e-6)
    assert shipped.predict(tiles[:0]).shape == (0, 10)


def test_layers_are_read_as_they_were_written(tmp_path):
    dice = np.random.default_rng(2)
    kernel, bias = dice.normal(size=(3, 2, 1, 4)), dice.normal(size=4)
    layers = [shipped.Layer(kernel, bias, stride=2), shipped.Layer(np.eye(5), np.zeros(5))]
    shipped.write_layers(tmp_path / "few.npz", layers)
    first, second = shipped.read_layers(tmp_path / "few.npz")
    np.testing.assert_allclose(first.kernel, kernel, rtol=1e-3)
    np.testing.assert_allclose(first.bias, bias, rtol=1e-3)
    assert (first.stride, second.stride, second.kernel.dtype) == (2, 1, np.float32)


@pytest.mark.slow
def test_keras_says_the_same():
    import keras

    layers = shipped.read_layers()
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255)])
    for layer in layers[:-1]:
        if layer.kernel.ndim == 4:
            *_, wide = layer.kernel.shape
            model.add(keras.layers.Conv2D(wide, 3, strides=layer.stride, activation="relu"))
        else:
            model.add(keras.layers.Flatten())
            model.add(keras.layers.Dense(len(layer.bias), activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.set_weights([weights for layer in layers for weights in (layer.kernel, layer.bias)])
    tiles = some_tiles(40)
    np.testing.assert_allclose(shipped.predict(tiles), model.predict_on_batch(tiles), atol=1e-3)
