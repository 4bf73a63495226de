"""Parquet as Hugging Face writes it: a column of pictures as files' bytes, and their labels."""

import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.arrays.content import ArrayPart, Picture, Values, quote
from pipeline.intake.arrays.words import find_said, read_name
from pipeline.intake.names import compose_name

_MISSING = (
    "it is a Parquet file, which pyarrow reads, and that is not installed: pip install 'prep[hub]'"
)
_WINDOW = 256  # rows whose pictures are in memory at once


def read_parquet(data: bytes, *, max_pixels: int) -> ArrayPart:
    """Return the pictures of a Parquet file, decoded one by one, with labels, names and groups.

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
        image, label, group = _find_columns(schema, arrow.types)
        labels = _read_column(file, label) if label else None
        groups = _read_column(file, group) if group else None
        count = file.metadata.num_rows
    except MemoryError:  # Arrow's is one of its own errors as well
        raise
    except broken as error:
        raise DataError(f"damaged Parquet file: {quote(str(error))}") from error
    return ArrayPart(
        _decode(file, image, max_pixels, broken),
        labels,
        names=_read_names(schema.metadata or {}, label),
        groups=groups,
        count=count,
    )


def _find_columns(schema: Any, types: Any) -> tuple[str, str, str]:
    """Return the names of the columns of pictures, of labels and of groups, '' for none."""
    fits = [field.name for field in schema if _holds_files(field.type, types)]
    named = [name for name in fits if read_name(name)[0] == "images"]
    if not fits:
        known = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise DataError(
            f"it has no column of pictures as Hugging Face writes them, {{bytes, path}}: it has "
            f"{quote(known)}"
        )
    image = (named or fits)[0]
    usable = [field.name for field in schema if _holds_labels(field.type, types)]
    others = [field.name for field in schema if field.name not in (*usable, image)]
    label, group = _find_said(usable, "labels"), _find_said(usable, "groups")
    for found, odd in (
        (label, _find_said(others, "labels")),
        (group, _find_said(others, "groups")),
    ):
        if odd and not found:
            raise DataError(
                f"its column {quote(odd)} is of type {quote(str(schema.field(odd).type))}, not of "
                "whole numbers or text: save it as one of these, or save the set without it"
            )
    return image, label, group


def _find_said(names: list[str], kind: Literal["labels", "groups"]) -> str:
    place = find_said(names, kind)
    return names[place] if place >= 0 else ""


def _holds_labels(kind: Any, types: Any) -> bool:
    """Return whether a column holds whole numbers or text, also once each in a dictionary."""
    kind = kind.value_type if types.is_dictionary(kind) else kind
    holds = (types.is_integer, types.is_string, types.is_large_string, types.is_boolean)
    return any(is_such(kind) for is_such in (*holds, types.is_floating, types.is_null))


def _holds_files(kind: Any, types: Any) -> bool:
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return any(one.name == "bytes" and _holds_files(one.type, types) for one in fields)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _read_column(file: Any, column: str) -> Values:
    """Return labels or groups as text, empty where there is none."""
    values = file.read(columns=[column]).column(column).to_pylist()
    numbers = (int(value) if isinstance(value, bool) else value for value in values)
    return np.array(["" if value is None else str(value) for value in numbers], str)


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
    except MemoryError:
        raise
    except broken as error:
        raise DataError(f"damaged Parquet file: {quote(str(error))}") from error


def _decode_one(data: bytes | None, max_pixels: int) -> Picture | DataError:
    if data is None:
        return DataError("its row holds no picture, only a path: save the set with its pictures")
    try:
        return next(images.decode_pages(data, max_pixels=max_pixels))
    except DataError as error:
        return error
