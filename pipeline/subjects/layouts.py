"""The layouts: what one file of a source is, how its subjects are found, where labels come from.

The table of raw/README.md, for the program. Whoever asks something of a layout asks it here.
"""

from dataclasses import dataclass
from typing import Literal

LayoutName = Literal["form", "rows", "sequence", "free", "cells", "whole", "array", "idx"]
# Of labels: the code of a form, the place on a page, the name of a picture's folder or its own, a
# table beside the pictures, the file of labels that goes with an array.
Origin = Literal["code", "rows", "columns", "folder", "name", "table", "file"]
_NAMED: tuple[Origin, ...] = ("folder", "name", "table")


@dataclass(frozen=True)
class Layout:
    """What is true of every file of a layout."""

    origins: tuple[Origin, ...]  # of labels, that a source may choose from; else it is the first
    is_subject: bool = False  # a scan is its one subject, with nothing to search for
    is_array: bool = False  # a file holds many pictures as numbers: ink bright on 0
    wants_class_folders: bool = False  # without them, or raw/labels.csv, there is no class
    has_cells: bool = False  # the source says how many rows and columns, and where labels stand


LAYOUTS: dict[str, Layout] = {
    "form": Layout(("code",)),
    "rows": Layout(("rows",)),
    "sequence": Layout(("columns",)),
    "free": Layout(_NAMED),
    "cells": Layout(("rows", "columns", *_NAMED), has_cells=True),
    "whole": Layout(_NAMED, is_subject=True, wants_class_folders=True),
    "array": Layout(("file",), is_subject=True, is_array=True),
}
LAYOUTS["idx"] = LAYOUTS["array"]  # what it was called when IDX was all that it read
# Those that a picture from anywhere may have.
PREDICTED = tuple(name for name, layout in LAYOUTS.items() if not layout.is_array)


def find_origin(layout: str, chosen: Origin | None = None, *, has_table: bool = False) -> Origin:
    """Return where the labels of a source come from, which may choose it (`labels:`).

    If it does not, a table of labels goes before folders where it has one (and no folder says a
    class: see intake/labelling).
    """
    usual = LAYOUTS[layout].origins[0]
    return chosen or ("table" if has_table and usual == "folder" else usual)
