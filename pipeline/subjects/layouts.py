"""The layouts: what one file of a source is, how its subjects are found, where labels come from.

The table of raw/README.md, for the program. Whoever asks something of a layout asks it here.
"""

from dataclasses import dataclass
from typing import Literal

LayoutName = Literal["form", "rows", "sequence", "free", "cells", "whole", "array", "idx"]
Origin = Literal["code", "rows", "columns", "folder", "file"]  # of labels
CellLabels = Literal["rows", "columns", "folder"]  # that a source of cells may choose from


@dataclass(frozen=True)
class Layout:
    """What is true of every file of a layout."""

    labels: Origin
    is_subject: bool = False  # a scan is its one subject, with nothing to search for
    is_array: bool = False  # a file holds many pictures as numbers: ink bright on 0
    wants_class_folders: bool = False  # without them, or raw/labels.csv, there is no class
    has_cells: bool = False  # the source says how many rows and columns, and where labels stand


LAYOUTS: dict[str, Layout] = {
    "form": Layout(labels="code"),
    "rows": Layout(labels="rows"),
    "sequence": Layout(labels="columns"),
    "free": Layout(labels="folder"),
    "cells": Layout(labels="rows", has_cells=True),
    "whole": Layout(labels="folder", is_subject=True, wants_class_folders=True),
    "array": Layout(labels="file", is_subject=True, is_array=True),
}
LAYOUTS["idx"] = LAYOUTS["array"]  # what it was called when IDX was all that it read
# Those that a picture from anywhere may have.
PREDICTED = tuple(name for name, layout in LAYOUTS.items() if not layout.is_array)


def find_origin(layout: str, of_cells: CellLabels = "rows") -> Origin:
    """Return where the labels of a layout come from; a source of cells chooses it."""
    return of_cells if LAYOUTS[layout].has_cells else LAYOUTS[layout].labels
