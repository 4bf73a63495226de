"""Tar archives for the webdataset library: OUT/train-000000.tar, ...: KEY.png, KEY.cls, KEY.json.

KEY is the tile's id, KEY.cls its label as a number, KEY.json all that is told of it in words. The
archives are read from their beginning to their end, so the files of one tile follow one another.
classes.txt says what labels mean.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.console import Advance
from pipeline.export.contents import Contents, Window
from pipeline.export.listing import write_classes
from pipeline.export.shards import cut_shards
from pipeline.intake.images import encode_png


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write each part's shards."""
    write_classes(contents, folder)
    for content in contents.parts:
        for number, shard in enumerate(cut_shards(contents, content)):
            path = folder / f"{content.name}-{number:06}.tar"
            with path.open("wb") as archive:
                for window in shard.windows():
                    for name, data in _make_files(contents, window):
                        archive.write(_pack(name, data))
                    advance(len(window))
                archive.write(bytes(2 * tarfile.BLOCKSIZE))  # its end


def _make_files(contents: Contents, window: Window) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of the files of each tile."""
    for image, label, told in zip(
        window.images, window.labels.tolist(), contents.tell(window), strict=True
    ):
        words = {"label": label, "class": contents.classes[label], **told}
        yield f"{told['id']}.png", encode_png(image)
        yield f"{told['id']}.cls", str(label).encode()
        yield f"{told['id']}.json", json.dumps(words, ensure_ascii=False).encode()


def _pack(name: str, data: bytes) -> bytes:
    """Return a file as it lies in an archive, with no time and no owner: the same each time.

    A tarfile.TarFile would keep each header in memory.
    """
    header = tarfile.TarInfo(name)
    header.size = len(data)
    padding = bytes(-len(data) % tarfile.BLOCKSIZE)
    return header.tobuf(tarfile.GNU_FORMAT) + data + padding
