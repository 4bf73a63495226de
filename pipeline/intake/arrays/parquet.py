"""Parquet as Hugging Face writes it: a column of pictures as files' bytes, and their labels."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.arrays.content import Part, Picture, Values, quote
from pipeline.intake.arrays.words import read_name
from pipeline.intake.names import compose_name

_MISSING = (
    "it is a Parquet file, which pyarrow reads, and that is not installed: pip install 'prep[hub]'"
)
_WINDOW = 256  # rows whose pictures are in memory at once


def read_parquet(data: bytes, *, max_pixels: int) -> Part:
    """Return the pictures of a Parquet file, decoded one by one, with labels and their names.

    Raises DataError when it is damaged, has no column of pictures, or pyarrow is missing.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(_MISSING) from None
    broken = (arrow.ArrowException, OSError, ValueError, KeyError)
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        schema = file.schema_arrow
        image, label = _find_columns(schema, arrow.types)
        labels = None if label is None else _read_labels(file, label)
    except broken as error:
        raise DataError(f"damaged Parquet file: {quote(str(error))}") from error
    names = {} if label is None else _read_names(schema.metadata or {}, label)
    return Part(_decode(file, image, max_pixels, broken), labels, names=names)


def _find_columns(schema: Any, types: Any) -> tuple[str, str | None]:
    """Return the names of the columns of pictures and of labels."""
    fits = [field.name for field in schema if _holds_files(field.type, types)]
    named = [name for name in fits if read_name(name)[0] == "images"]
    if not fits:
        known = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise DataError(
            f"it has no column of pictures as Hugging Face writes them, {{bytes, path}}: it has "
            f"{quote(known)}"
        )
    labels = [
        field.name
        for field in schema
        if types.is_integer(field.type) or types.is_string(field.type)
        if read_name(field.name)[0] == "labels" or field.name in ("class", "fine_label", "digit")
    ]
    preferred = sorted(labels, key=lambda name: (name != "label", name.startswith("coarse")))
    return (named or fits)[0], preferred[0] if preferred else None


def _holds_files(kind: Any, types: Any) -> bool:
    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _read_labels(file: Any, column: str) -> Values:
    values = file.read(columns=[column]).column(column).to_pylist()
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else value for value in values])
    return np.array([-1 if value is None else value for value in values], np.int64)


def _read_names(metadata: dict[bytes, bytes], label: str) -> dict[int, tuple[str, ...]]:
    """Return the names of a ClassLabel, which stand in the file's metadata."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
        return {number: (compose_name(str(name)),) for number, name in enumerate(names)}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}


def _decode(
    file: Any, column: str, max_pixels: int, broken: tuple[type[Exception], ...]
) -> Iterator[Picture | DataError]:
    """Yield each picture, upright, or the reason why it can't be read."""
    try:
        for window in file.iter_batches(_WINDOW, columns=[column]):
            for cell in window.column(0).to_pylist():
                yield _decode_one(cell["bytes"] if isinstance(cell, dict) else cell, max_pixels)
    except broken as error:
        raise DataError(f"damaged Parquet file: {quote(str(error))}") from error


def _decode_one(data: bytes | None, max_pixels: int) -> Picture | DataError:
    if data is None:
        return DataError("its row holds no picture, only a path: save the set with its pictures")
    try:
        return next(images.decode_pages(data, max_pixels=max_pixels))
    except DataError as error:
        return error
