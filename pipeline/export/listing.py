"""tiles.csv of an export: a row a tile, in the order of the pictures; and the classes' names."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.export.contents import Contents, Window


@contextmanager
def list_tiles(contents: Contents, folder: Path) -> Iterator["Listing"]:
    """Write tiles.csv, to which each window of each part is appended, and classes.txt."""
    write_classes(contents, folder)
    with (folder / "tiles.csv").open("w", encoding="utf-8", newline="") as file:
        yield Listing(contents, csv.writer(file, lineterminator="\n"))


def write_classes(contents: Contents, folder: Path) -> None:
    """Write classes.txt: a class a line, the first is label 0."""
    names = "".join(f"{name}\n" for name in contents.classes)
    (folder / "classes.txt").write_text(names, encoding="utf-8", newline="\n")


class Listing:
    """A table of tiles: parents and ops where there are variants, sources where they are told."""

    def __init__(self, contents: Contents, writer: Any) -> None:
        self._writer = writer
        self._classes = contents.classes
        others = {name: place for name, place in contents.columns.items() if name != "id"}
        self._others = list(others.values())
        self._writer.writerow(["part", "id", "label", *others])

    def append(self, part: str, window: Window) -> None:
        """Append the tiles of a window."""
        labels = (self._classes[label] for label in window.labels.tolist())
        others = (getattr(window, attribute) for attribute in self._others)
        self._writer.writerows(zip([part] * len(window), window.ids, labels, *others, strict=True))
