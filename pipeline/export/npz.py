"""NumPy's own archive, with Keras' names: OUT/dataset.npz with x_train, y_train, x_test, ...

x are uint8 (N, S, S), in colour (N, S, S, 3); y uint8 (N,), of more than 256 classes int64. For
each part there are ids and groups (and parents, ops, sources where there are such), and `classes`
once. Texts have a fixed length, so that nothing needs pickle.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt

from pipeline.console import Advance
from pipeline.export.contents import MOST_IN_A_BYTE, Content, Contents, Packed, pack, unpack

FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # that a zip archive knows: the same bytes each time


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write the archive."""
    with ZipFile(folder / "dataset.npz", "w") as archive:
        for content in contents.parts:
            _write_part(archive, contents, content, advance)
        _write_texts(archive, "classes", [pack(contents.classes)])


def _write_part(archive: ZipFile, contents: Contents, content: Content, advance: Advance) -> None:
    suffix, shape = name_arrays(content), contents.array_shape
    names = ["ids", "groups"]
    names += ["parents", "ops"] if any(piece.op for piece in content.pieces) else []
    names += ["sources"] if contents.has_sources else []
    texts: dict[str, list[Packed]] = {name: [] for name in names}

    def read_images() -> Iterable[npt.NDArray[np.uint8]]:
        for window in content.windows():
            yield window.images
            for name, blocks in texts.items():
                blocks.append(pack(getattr(window, name)))
            advance(len(window))

    _write_array(archive, f"x_{suffix}", np.dtype(np.uint8), (len(content), *shape), read_images())
    labels = content.labels.astype(choose_type(len(contents.classes)))
    _write_array(archive, f"y_{suffix}", labels.dtype, labels.shape, [labels])
    for name, blocks in texts.items():
        _write_texts(archive, f"{name}_{suffix}", blocks)


def name_arrays(content: Content) -> str:
    """Return what stands after the x_ and y_ of a part's arrays."""
    return content.word.replace("validation", "val")


def choose_type(classes: int) -> npt.DTypeLike:
    """Return the type of labels, as Keras' datasets have it: bytes, where the classes fit."""
    return np.uint8 if classes <= MOST_IN_A_BYTE else np.int64


def _write_texts(archive: ZipFile, name: str, blocks: Sequence[Packed]) -> None:
    """Write blocks of texts as one array; only one of them is unpacked at a time."""
    longest = max((len(text) for block in blocks for text in unpack(block)), default=1)
    dtype = np.dtype(f"<U{max(1, longest)}")
    count = sum(map(len, blocks))
    _write_array(archive, name, dtype, (count,), (unpack(block).astype(dtype) for block in blocks))


def _write_array(
    archive: ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    windows: Iterable[npt.NDArray[Any]],
) -> None:
    """Write an array a window at a time."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(ZipInfo(f"{name}.npy", FIRST_DAY), "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for window in windows:
            file.write(np.ascontiguousarray(window).view(np.uint8).data)
