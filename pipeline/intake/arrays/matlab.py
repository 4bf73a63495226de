"""Matlab's files up to version 7: EMNIST's, SVHN's, and any with pictures and labels by name."""

import io
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import ArrayPart, Values, quote
from pipeline.intake.arrays.words import read_name
from pipeline.intake.names import compose_name
from pipeline.intake.parts import read_part_of_path

_TOO_NEW = (
    "a Matlab file of version 7.3, which is HDF5 and not read: in Matlab save it again with "
    "save('x.mat', ..., '-v7')"
)
_MOST_DEPTH = 6
# What scipy is known to raise on broken files, beside its own; NotImplementedError is among them.
_DAMAGE = (
    ValueError, TypeError, LookupError, OSError, EOFError, ArithmeticError, AttributeError,
    RuntimeError, zlib.error,
)  # fmt: skip


def read_mat(data: bytes) -> list[ArrayPart]:
    """Return the parts of a .mat file, the training pictures first; DataError when it has none."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if data.startswith(b"MATLAB 7.3") or data.startswith(b"\x89HDF"):
        raise DataError(_TOO_NEW)
    try:
        content = loadmat(io.BytesIO(data))
    except (MatReadError, *_DAMAGE) as error:
        raise DataError(f"damaged Matlab file: {quote(str(error))}") from error
    arrays = {
        name: array
        for key, value in content.items()
        if not key.startswith("__")
        for name, array in _walk(key, value, 0)
    }
    return _make_parts(arrays)


def _walk(name: str, value: Any, depth: int) -> Iterator[tuple[str, Values]]:
    """Yield the arrays of a structure with their names, as in dataset/train/images."""
    if not isinstance(value, np.ndarray) or depth > _MOST_DEPTH:
        return
    if value.dtype.names:
        for field in value.dtype.names if value.size == 1 else ():
            yield from _walk(f"{name}/{field}", value.reshape(-1)[0][field], depth + 1)
    elif value.dtype.kind == "O":
        cells = [cell.item() if _is_text(cell) else None for cell in value.reshape(-1)]
        if cells and all(isinstance(cell, str) for cell in cells):
            yield name, np.array(cells)
    else:
        yield name, value


def _is_text(cell: Any) -> bool:
    return isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size == 1


def _make_parts(arrays: dict[str, Values]) -> list[ArrayPart]:
    """Return a part for each array of pictures with what has the same name but for the word."""
    said = {name: read_name(name) for name in arrays}
    of_kind = {(kind, key): arrays[name] for name, (kind, key) in said.items()}
    mapping = next((arrays[name] for name, (kind, _) in said.items() if kind == "names"), None)
    found = [
        (name, key, read_part_of_path(name))
        for name, (kind, key) in said.items()
        if kind == "images"
    ]
    if not found:
        known = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
        raise DataError(
            f"none of its variables is named like pictures (X, images, data): it holds "
            f"{known or 'nothing'}. Save the pictures as X (N, H, W) and their labels as y"
        )
    order = {"train": 0, "": 0, "val": 1, "test": 2}
    parts = [
        _make_part(arrays[name], of_kind, key, part, mapping)
        for name, key, part in sorted(found, key=lambda one: order[one[2]])
    ]
    keys = {key for _, key, _ in found}
    lost = [name for name, (kind, key) in said.items() if kind == "groups" and key not in keys]
    for name in lost:
        if arrays[name].size in map(len, parts):
            raise DataError(
                f"which pictures its variable {quote(name)} is about is not clear: name it after "
                "them, as in writers_train for images_train"
            )
    return parts


def _make_part(
    images: Values, of_kind: dict[Any, Values], key: str, part: str, mapping: Values | None
) -> ArrayPart:
    labels, groups = (_flatten(of_kind.get((kind, key))) for kind in ("labels", "groups"))
    if labels is not None and labels.ndim == 1 and len(labels) != len(images):
        if images.ndim > 2 and images.shape[-1] == len(labels):  # SVHN: (H, W, C, N)
            images = np.moveaxis(images, -1, 0)
        elif images.ndim == 2 and images.shape[1] == len(labels):
            images = images.T
    return ArrayPart(
        images,
        labels,
        names=_read_mapping(mapping),
        groups=groups,
        split=part,
        transposed="Matlab"
        if images.ndim == 2
        else "",  # it lays the columns of a picture end to end
    )


def _flatten(values: Values | None) -> Values | None:
    """Return a row or a column, of which Matlab has no other, as (N,)."""
    return values.reshape(-1) if values is not None and 1 in values.shape else values


def _read_mapping(mapping: Values | None) -> dict[int, tuple[str, ...]]:
    """Return the names of labels in EMNIST's mapping: a label and its characters' codes a row."""
    if mapping is None:
        return {}
    if mapping.dtype.kind == "U":
        return {number: (compose_name(str(name)),) for number, name in enumerate(mapping)}
    if mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.dtype.kind not in "uif":
        return {}
    rows = mapping.astype(np.int64)
    if rows.min() < 0 or rows.max() > 0x10FFFF:
        return {}
    return {int(row[0]): tuple(dict.fromkeys(map(chr, row[1:].tolist()))) for row in rows}
