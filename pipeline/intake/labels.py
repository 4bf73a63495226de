"""raw/labels.csv: what a person says about pictures and boxes.

Columns: source, and any of id, label, group. Each line that is not clear is a DataError with its
number: nothing is guessed.
"""

import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError, nearest, shorten
from pipeline.intake.names import LEFT_OUT, compose_name
from pipeline.intake.spreadsheets import read_spreadsheet

LABELS = "raw/labels.csv"
_COLUMNS = ("source", "id", "label", "group")


@dataclass(frozen=True)
class Override:
    """A line of raw/labels.csv; what it leaves as it is, is ''."""

    line: int
    source: str  # from the project's root, with "/"
    id: str = ""  # of a box, "" when the line is about the whole source
    label: str = ""  # a class, or LEFT_OUT
    group: str = ""


def labels_file(root: Path) -> Path:
    """raw/labels.csv."""
    return root / "raw" / "labels.csv"


def find_lookalike(root: Path) -> str:
    """Return a file in raw/ that may be meant for raw/labels.csv where there is none, '' for none.

    Spreadsheets save labels.xlsx, editors labels.csv.txt.
    """
    if os.path.lexists(labels_file(root)):
        return ""
    raw = root / "raw"
    files = [path for path in raw.iterdir() if path.is_file()] if raw.is_dir() else []
    names = sorted(path.name for path in files if path.suffix != ".dvc")  # DVC's own notes
    meant = [name for name in names if name.casefold().startswith("labels.")]
    return f"raw/{meant[0]}" if meant else ""


def read_overrides(root: Path, classes: Sequence[str]) -> list[Override]:
    """Return the lines of raw/labels.csv, none when there is no such file.

    Raises DataError when it is no plain file, or when any of its lines is not clear.
    """
    path = labels_file(root)
    if not os.path.lexists(path):  # a link that leads nowhere is there
        return []
    bases = {f"{place.as_posix()}/" for place in (root, root.resolve())}
    said, known = [], {"", LEFT_OUT, *classes}
    for line, row in read_spreadsheet(path, LABELS, _COLUMNS, "source"):
        if not row["source"]:
            raise DataError(f"{LABELS}: line {line} names no source, as in raw/photos/1.jpg")
        label, group = compose_name(row["label"]), compose_name(row["group"])
        if label not in known:
            raise DataError(
                f"{LABELS}: line {line}: '{shorten(label)}' is not among the classes in "
                f"params.yaml.{nearest(label, classes)} Correct it, or add the class (or write "
                f"'{LEFT_OUT}' to leave the picture out)."
            )
        said.append(Override(line, _tidy_path(row["source"], bases), row["id"], label, group))
    refuse_contradictions([(f"box '{one.id}'", one) for one in said if one.id])
    return said


def _tidy_path(text: str, bases: Iterable[str]) -> str:
    """Return a path, as it is written anywhere, from the project's root (the bases), with '/'."""
    if "/" not in text.removeprefix("./"):
        text = text.replace("\\", "/")  # from Windows; else it belongs to a name (names.py)
    for base in bases:
        text = text.removeprefix(base)
    return posixpath.normpath(text)


def refuse_contradictions(said: Sequence[tuple[str, Override]]) -> None:
    """Raise DataError when two lines say different things of the same source or box."""
    first: dict[tuple[str, str], Override] = {}
    for what, override in said:
        for column in ("label", "group"):
            value = getattr(override, column)
            if not override.id and not value:  # it leaves what another line says
                continue
            before = first.setdefault((what, column), override)
            if getattr(before, column) != value:
                raise DataError(
                    f"{LABELS}: lines {before.line} and {override.line} give the {what} different "
                    f"{column}s, '{shorten(getattr(before, column))}' and '{shorten(value)}'; keep "
                    "one"
                )
