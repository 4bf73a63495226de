"""tiles.csv of an export: a row a tile, in the order of the pictures; and the classes' names."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.export.contents import Contents, Window


@contextmanager
def list_tiles(contents: Contents, folder: Path) -> Iterator["Listing"]:
    """Write tiles.csv, to which each window of each part is appended, and classes.txt."""
    names = "".join(f"{name}\n" for name in contents.classes)
    (folder / "classes.txt").write_text(names, encoding="utf-8", newline="\n")
    with (folder / "tiles.csv").open("w", encoding="utf-8", newline="") as file:
        yield Listing(contents, csv.writer(file, lineterminator="\n"))


class Listing:
    """A table of tiles: parents and ops where there are variants, sources where they are told."""

    def __init__(self, contents: Contents, writer: Any) -> None:
        self._writer = writer
        self._classes = contents.classes
        self._columns = ["id", "label", "group"]
        self._columns += ["parent", "op"] if contents.ops else []
        self._columns += ["source"] if contents.has_sources else []
        self._writer.writerow(["part", *self._columns])

    def append(self, part: str, window: Window) -> None:
        """Append the tiles of a window."""
        columns: dict[str, Iterable[str]] = {
            "id": window.ids,
            "label": (self._classes[label] for label in window.labels.tolist()),
            "group": window.groups,
            "parent": window.parents,
            "op": window.ops,
            "source": window.sources,
        }
        parts = [part] * len(window)
        self._writer.writerows(zip(parts, *(columns[name] for name in self._columns), strict=True))
