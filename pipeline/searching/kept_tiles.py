"""Which of a project's tiles were cut from what, so that a photo that stays is not opened again.

`processed/.cut` names for each file of photos the digest of all that its tiles depend on (the
file's bytes, its pages, the boxes on them, settings, the program and its libraries) and where they
lie in tiles.h5, of whose very bytes it speaks, after a digest of itself. Without it, or where it is
damaged, all are cut.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.atomic import whole_file
from pipeline.dataset.schema import Pixels
from pipeline.dataset.store import open_dataset
from pipeline.notes import digest_file, digest_if_there
from pipeline.searching.kept import digest_text


class Cut(NamedTuple):
    """The tiles of a file: what they depend on, and their rows in tiles.h5."""

    digest: str
    first: int
    number: int


@dataclass(frozen=True)
class KeptTiles:
    """The tiles that were cut last time, by file."""

    path: Path  # tiles.h5
    cuts: Mapping[str, Cut]


def read_kept_tiles(path: Path, cuts: Sequence[Cut]) -> Iterator[Pixels]:
    """Yield the tiles (n, S, S, C) of some files out of a tiles.h5."""
    if cuts:
        with open_dataset(path) as tiles:
            for cut in cuts:
                yield tiles.read_images(np.arange(cut.first, cut.first + cut.number))


def open_kept_tiles(tiles: Path) -> KeptTiles:
    """Return the tiles of a tiles.h5 whose origin is known: none where it is another one."""
    try:
        digest, text = tiles.with_name(".cut").read_text().split("\n", 1)
        if digest != digest_text(text):  # a lost bit may name another photo's tiles
            return KeptTiles(tiles, {})
        said = json.loads(text)
        if said["tiles"] != digest_if_there(tiles):
            return KeptTiles(tiles, {})
        return KeptTiles(tiles, {name: Cut(*cut) for name, cut in said["files"].items()})
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return KeptTiles(tiles, {})


def keep_tiles(tiles: Path, cuts: Sequence[tuple[str, str, int]]) -> None:
    """Note what a new tiles.h5 was cut from: of each file, in its order, name, digest and tiles."""
    files, first = {}, 0
    for name, digest, count in cuts:
        files[name] = Cut(digest, first, count)
        first += count
    with whole_file(tiles.with_name(".cut"), synced=False) as part:
        text = json.dumps({"tiles": digest_file(tiles), "files": files})
        part.write_text(f"{digest_text(text)}\n{text}")
