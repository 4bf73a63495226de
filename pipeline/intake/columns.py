"""The columns of strangers' tables: what parts the fields, and which column says what."""

import csv
import re
from collections.abc import Sequence

SEPARATORS = ",;\t"
# What columns are called, without capitals and signs; of several the first.
FILES = (
    "filename", "file", "filepath", "path", "imagepath", "imgpath", "imagefile", "imagename",
    "imgname", "image", "img", "picture", "photo", "filenames", "files", "images", "imageid",
    "imgid", "idcode", "id",
)  # fmt: skip
LABELS = (
    "label", "labelname", "classname", "class", "category", "target", "breed", "species", "labels",
    "classes",
)  # fmt: skip
# Beside pictures as numbers these say a label too; beside files' names y may be a place.
LABELS_OF_ARRAYS = (*LABELS, "targets", "y", "digit", "character", "letter")
GROUPS = ("group", "groups", "writer", "writers")
NUMBERS = ("", "id", "index", "imageid", "unnamed0")  # they count the rows
SPLITS = ("split", "part")


def simplify(column: str) -> str:
    """Return a column's name without capitals and signs."""
    return re.sub(r"[\W_]", "", column.casefold())


def find_column(names: Sequence[str], known: Sequence[str]) -> int:
    """Return the place of the first of the known names that a column has; -1 where none has."""
    simple = [simplify(name) for name in names]
    return next((simple.index(name) for name in known if name in simple), -1)


def find_separator(line: str) -> str:
    """Return what parts a line's fields: a comma, a semicolon, a tab, or else spaces."""
    best = max(SEPARATORS, key=line.count)
    return " " if best not in line and " " in line.strip() else best


def split_line(line: str, separator: str) -> list[str]:
    """Return a line's fields without quotes and without space around them."""
    if separator == " ":
        return [field.strip('"') for field in line.split()]
    if '"' not in line:
        return [field.strip() for field in line.split(separator)]
    try:
        fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # an enormous field, or a sign that no text has
        fields = line.split(separator)
    return [field.strip() for field in fields]
