"""MNIST's own files: OUT/train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... for the test.

Grey tiles have three dimensions (idx3), tiles in colour four (idx4). Labels are bytes, of more than
256 classes numbers of two bytes. tiles.csv says which tile each is, classes.txt what labels mean.
"""

import struct
from pathlib import Path

from pipeline.console import Advance
from pipeline.export.contents import MOST_IN_A_BYTE, Content, Contents
from pipeline.export.listing import Listing, list_tiles

STEMS = {"test": "t10k"}  # as MNIST's readers look for it
BYTES, SHORTS = 0x08, 0x0B


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write a file of pictures and one of labels for each part."""
    with list_tiles(contents, folder) as listing:
        for content in contents.parts:
            _write_part(contents, content, folder, listing, advance)


def _write_part(
    contents: Contents, content: Content, folder: Path, listing: Listing, advance: Advance
) -> None:
    kind, dtype = choose_type(contents)
    of_images, of_labels = name_files(contents, content)
    with (folder / of_images).open("wb") as images, (folder / of_labels).open("wb") as labels:
        images.write(_write_header(BYTES, (len(content), *contents.array_shape)))
        labels.write(_write_header(kind, (len(content),)))
        for window in content.windows():
            images.write(window.images.data)
            labels.write(window.labels.astype(dtype).data)
            listing.append(content.name, window)
            advance(len(window))


def name_files(contents: Contents, content: Content) -> tuple[str, str]:
    """Return the names of a part's files of pictures and of labels."""
    stem, axes = STEMS.get(content.name, content.name), 1 + len(contents.array_shape)
    word = "ubyte" if choose_type(contents)[0] == BYTES else "short"
    return f"{stem}-images-idx{axes}-ubyte", f"{stem}-labels-idx1-{word}"


def choose_type(contents: Contents) -> tuple[int, str]:
    """Return the type of labels, as the format numbers it and as NumPy writes it."""
    return (BYTES, ">u1") if len(contents.classes) <= MOST_IN_A_BYTE else (SHORTS, ">i2")


def _write_header(kind: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape)
