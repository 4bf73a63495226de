"""What a file is that holds no Keras model which can be read: said so that a person can mend it."""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import shorten
from pipeline.network.backend import import_keras

_PARTS = ("metadata.json", "config.json", "model.weights.h5")
_MOST_BYTES = 1 << 26  # of a text in the archive; 20 times that of the largest of Keras's own
_SAVE = "open it where it was made, and save it with model.save('NAME.keras')"
_PYTORCH = "is a PyTorch file, which Keras can't read"
_BEGINNINGS = (
    (rb"\x89HDF\r\n\x1a\n", f"is an HDF5 file, as older Keras wrote (.h5): {_SAVE}"),
    (rb"\x80[\x02-\x05]", f"is a pickle, as of PyTorch or joblib: {_SAVE}"),
    (rb"....TFL3", "is a TensorFlow Lite file, which can't be trained on"),
    (rb"GGUF", "is a GGUF file, which Keras can't read"),
    (rb".{8}\{\s*\"", "is a safetensors file: weights without a model"),
    (rb"\x08[\x01-\x20].{0,60}(onnx|pytorch|\x12)", "is an ONNX file, which Keras can't read"),
    (rb"version https://git-lfs", "is a Git LFS pointer: fetch the file itself with git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml)", "is a web page, as where a download went wrong"),
)  # fmt: skip
_READING = (OSError, ValueError, RuntimeError, RecursionError, zipfile.BadZipFile, zlib.error)


def recognise(path: Path) -> str:
    """Return what is there instead of a .keras file, to go on from its name; '' if it is one.

    A folder, an empty or cut file, another kind of model: told by the first bytes.
    """
    if path.is_dir():
        saved = (path / "saved_model.pb").exists()
        return f"is a folder, a TensorFlow SavedModel: {_SAVE}" if saved else "is a folder"
    with path.open("rb") as file:
        start = file.read(256)
    if not start:
        return "is empty"
    if start.startswith(b"PK"):
        return _recognise_archive(path)
    for beginning, told in _BEGINNINGS:
        if re.match(beginning, start, re.DOTALL | re.IGNORECASE):
            return told
    return f"is no Keras model, which is a zip archive: {_SAVE}"


def _recognise_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _READING:
        return "is cut short: its end is missing. Copy or download it again"
    if any(name.endswith("data.pkl") for name in names):
        return _PYTORCH
    missing = [name for name in _PARTS if name not in names]
    if missing == [*_PARTS]:
        return f"is a zip archive, but no Keras model: {_SAVE}"
    return f"lacks {', '.join(missing)}: it is damaged. Copy it again" if missing else ""


def explain_refusal(path: Path, error: Exception) -> str:
    """Return why Keras did not read a .keras file: what it holds, as a sentence goes on."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            config, metadata = (_read_json(archive, name) for name in ("config.json", _PARTS[0]))
    except _READING:
        damaged, config, metadata = "an entry", {}, {}
    if damaged:
        return f"is damaged ({damaged} is not as it was written). Copy or download it again"
    foreign = sorted(set(_find_foreign(config)))
    if "Lambda" in foreign:
        return (
            "holds a Lambda layer, which is code of its own, and no stranger's code is run: build "
            "the model with Keras's own layers, as Rescaling"
        )
    if foreign:
        return (
            f"holds {', '.join(foreign)}, of code that is not in the file: build the model with "
            "Keras's own layers, or give the code as train.model: models/mine.py:build"
        )
    other, own = str(metadata.get("keras_version", "?")), import_keras().__version__
    if other.split(".")[:2] != own.split(".")[:2]:
        return (
            f"was saved by Keras {shorten(other, 20)}, which this one ({own}) can't read: {_SAVE}"
        )
    return f"does not hold a Keras model that can be read ({_tell(error)})"


def _tell(error: Exception) -> str:
    """Return the first words of what Keras says; it may quote a whole configuration."""
    return shorten(str(error).split("config=")[0].split("\n\n")[0]) or type(error).__name__


def _read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f"{name} is too large")
    content = json.loads(archive.read(name))
    return content if isinstance(content, dict) else {}


def _find_foreign(config: Any) -> Iterator[str]:
    """Yield the names of what a configuration takes from elsewhere than Keras."""
    parts = list(config.values()) if isinstance(config, dict) else config
    if isinstance(parts, list):
        for part in parts:
            yield from _find_foreign(part)
    if not isinstance(config, dict) or not isinstance(name := config.get("class_name"), str):
        return
    module, known = config.get("module"), config.get("registered_name")
    if name in ("Lambda", "__lambda__"):
        yield "Lambda"
    elif name == "function" and isinstance(config.get("config"), str):
        yield shorten(f"the function {config['config']}")
    elif (module is not None and str(module).split(".")[0] not in ("keras", "builtins")) or (
        module is None and known is not None
    ):
        yield shorten(f"the class {name}")
