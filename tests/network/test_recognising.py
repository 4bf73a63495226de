"""Files that hold no Keras model which can be read: each is told by what it is."""

import json
import zipfile

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.network import backend, saving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The object being serialized:UserWarning"),
]


def save_model(path, *layers):
    """Write a small network with these layers in the middle, as Keras itself does."""
    keras = backend.import_keras()
    ends = [keras.Input((7, 5, 1)), *layers, keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(ends).save(path)
    return path


def rewrite(path, change):
    """Write an archive again; change(name, content) gives what a part holds, or None."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)


def refusal(path):
    with pytest.raises(DataError) as caught:
        saving.load(path)
    return str(caught.value).replace(f"{path} ", "it ")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"", "it is empty"),
        (b"PNG, I swear", "it is no Keras model, which is a zip archive"),
        (b"\x89HDF\r\n\x1a\n and more", "it is an HDF5 file, as older Keras wrote"),
        (b"\x80\x02}q\x00.", "it is a pickle, as of PyTorch"),
        (b"\x80\x04\x95\x0c", "it is a pickle, as of PyTorch"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.0.0", "it is an ONNX file"),
        (b"\x1c\0\0\0TFL3\x14\0 \0", "it is a TensorFlow Lite file"),
        (b"GGUF\x03\0\0\0", "it is a GGUF file"),
        (b'\x58\0\0\0\0\0\0\0{"weight":', "it is a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
    ],
)
def test_other_files_are_told_by_how_they_begin(start, told, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(start)
    assert refusal(path).startswith(told)


def test_folders_and_other_archives_are_told(tmp_path):
    path = tmp_path / "model.keras"
    path.mkdir()
    assert refusal(path) == "it is a folder"
    (path / "saved_model.pb").touch()
    assert refusal(path).startswith("it is a folder, a TensorFlow SavedModel: open it where it was")
    for member, told in (("model/data.pkl", "it is a PyTorch file"), ("a.txt", "but no Keras")):
        with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
            archive.writestr(member, b"something")
        assert told in refusal(tmp_path / "zip.keras")
    assert "There is no model file" in refusal(tmp_path / "absent.keras")


def test_what_a_copy_lost_or_changed_is_told(tmp_path):
    path = save_model(tmp_path / "model.keras")
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:length])
        assert refusal(path).startswith("it is cut short")
    changed = bytearray(whole)
    changed[whole.index(b"\x89HDF") + 3000] ^= 4
    path.write_bytes(changed)
    assert refusal(path) == (
        "it is damaged (model.weights.h5 is not as it was written). Copy or download it again"
    )
    path.write_bytes(whole)
    rewrite(path, lambda name, content: None if "weights" in name else content)
    assert refusal(path).startswith("it lacks model.weights.h5: it is damaged")


def test_a_model_that_brings_its_own_code_is_refused_and_the_code_is_named(tmp_path):
    keras = backend.import_keras()

    class Mine(keras.layers.Layer):
        def call(self, values):
            return values

    def mine(values):
        return values

    path = tmp_path / "model.keras"
    nested = keras.Sequential([keras.layers.Lambda(lambda x: x * 2)])
    for layer, told in [
        (keras.layers.Lambda(lambda x: x * 2), "it holds a Lambda layer, which is code of its own"),
        (nested, "it holds a Lambda layer"),
        (Mine(), "it holds the class Mine, of code that is not in the file"),
        (keras.layers.Conv2D(2, 3, activation=mine), "it holds the function mine, of code"),
    ]:
        assert refusal(save_model(path, layer)).startswith(told)


def test_a_model_of_another_keras_is_told_by_its_version(tmp_path):
    path = save_model(tmp_path / "model.keras", backend.import_keras().layers.ReLU())

    def make_newer(name, content):
        changes = {"metadata.json": (backend.versions()["keras"], "9.8.1")}
        old, new = changes.get(name, ("ReLU", "NewLU"))
        return content.replace(old.encode(), new.encode()) if name.endswith(".json") else content

    rewrite(path, make_newer)
    assert refusal(path).startswith("it was saved by Keras 9.8.1, which this one (3.")


@pytest.mark.parametrize("config", [b"{", b"[]", b"{}", b"\xff", json.dumps([[]] * 3).encode()])
def test_a_configuration_of_nothing_is_one_sentence(config, tmp_path):
    path = save_model(tmp_path / "model.keras")
    rewrite(path, lambda name, content: config if name == "config.json" else content)
    assert "\n" not in refusal(path)


def test_a_model_of_keras_alone_is_read_whatever_its_layers(tmp_path):
    layers = backend.import_keras().layers
    middle = [layers.Conv2D(3, 2, activation="gelu", kernel_regularizer="l2"), layers.ReLU(6)]
    path = save_model(tmp_path / "model.keras", *middle)
    assert saving.load(path).output_shape == (None, 2)
    other = path.rename(tmp_path / "model.h5")
    assert refusal(other) == "it holds a Keras model: give it a name that ends in .keras"
    assert np.isfinite(saving.load(other.rename(path)).get_weights()[0]).all()
