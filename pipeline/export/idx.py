"""MNIST's own files: OUT/train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... for the test.

Grey tiles have three dimensions (idx3), tiles in colour four (idx4). Labels are bytes, of more than
256 classes numbers of two bytes. tiles.csv says which tile each is, classes.txt what labels mean.
"""

import struct
from pathlib import Path

from pipeline.console import Advance
from pipeline.export.contents import Content, Contents
from pipeline.export.listing import Listing, list_tiles

STEMS = {"test": "t10k"}  # as MNIST's readers look for it
MOST_IN_A_BYTE = 256
BYTES, SHORTS = 0x08, 0x0B


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write a file of pictures and one of labels for each part."""
    with list_tiles(contents, folder) as listing:
        for content in contents.parts:
            _write_part(contents, content, folder, listing, advance)


def _write_part(
    contents: Contents, content: Content, folder: Path, listing: Listing, advance: Advance
) -> None:
    height, width, channels = contents.tile_shape
    shape = (height, width) if channels == 1 else contents.tile_shape
    kind, dtype = (BYTES, ">u1") if len(contents.classes) <= MOST_IN_A_BYTE else (SHORTS, ">i2")
    stem = STEMS.get(content.name, content.name)
    with (
        (folder / f"{stem}-images-idx{1 + len(shape)}-ubyte").open("wb") as images,
        (folder / f"{stem}-labels-idx1-{'ubyte' if kind == BYTES else 'short'}").open(
            "wb"
        ) as labels,
    ):
        images.write(_write_header(BYTES, (len(content), *shape)))
        labels.write(_write_header(kind, (len(content),)))
        for window in content.windows():
            images.write(window.images.data)
            labels.write(window.labels.astype(dtype).data)
            listing.append(content.name, window)
            advance(len(window))


def _write_header(kind: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape)
