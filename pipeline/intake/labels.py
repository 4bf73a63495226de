"""raw/labels.csv: what a person says about pictures and boxes.

Columns: source, and any of id, row, col, label, group, text. Each line that is not clear is a
DataError with its number: nothing is guessed.
"""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipeline.errors import DataError, nearest, shorten
from pipeline.intake.names import LEFT_OUT, compose_name, tidy_path
from pipeline.intake.spreadsheets import read_spreadsheet

LABELS = "raw/labels.csv"
COLUMNS = ("source", "id", "row", "col", "label", "group", "text")


ANY = -1  # in the place of a row or a column: all of them


@dataclass(frozen=True)
class Override:
    """A line of raw/labels.csv; what it leaves as it is, is ''."""

    line: int
    source: str  # from the project's root, with "/"
    id: str = ""  # of a box, "" when the line is about the whole source
    label: str = ""  # a class, or LEFT_OUT
    group: str = ""
    row: int = ANY  # of boxes on the page, as boxes.csv counts them
    column: int = ANY
    text: tuple[tuple[str, ...], ...] = ()  # of each line the labels of its boxes

    @property
    def is_whole(self) -> bool:
        """Whether the line is about all that is on a source."""
        return not self.id and self.row == ANY


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


def read_overrides(root: Path, classes: Sequence[str], file: Path | None = None) -> list[Override]:
    """Return the lines of raw/labels.csv, none when there is no such file.

    `file`: what is to become it. Raises DataError when it is no plain file, or when any of its
    lines is not clear.
    """
    path = file or labels_file(root)
    if not os.path.lexists(path):  # a link that leads nowhere is there
        return []
    said, known = [], {"", LEFT_OUT, *classes}
    for line, row in read_spreadsheet(path, LABELS, COLUMNS, "source", several_lines=("text",)):
        if not row["source"]:
            raise DataError(f"{LABELS}: line {line} names no source, as in raw/photos/1.jpg")
        label, group = compose_name(row["label"]), compose_name(row["group"])
        if label not in known:
            raise DataError(
                f"{LABELS}: line {line}: '{shorten(label)}' is not among the classes in "
                f"params.yaml.{nearest(label, classes)} Correct it, or add the class (or write "
                f"'{LEFT_OUT}' to leave the picture out)."
            )
        source, text = tidy_path(row["source"], root), read_text(row["text"], classes, line)
        where = (_read_number(row["row"], "row", line), _read_number(row["col"], "col", line))
        said.append(Override(line, source, row["id"], label, group, *where, text))
        _refuse_half_said(said[-1])
    refuse_contradictions([(f"box '{one.id}'", one) for one in said if one.id])
    placed = [one for one in said if one.row != ANY]
    refuse_contradictions([(f"place {_tell_place(one)}", one) for one in placed])
    return said


def read_text(text: str, classes: Sequence[str], line: int) -> tuple[tuple[str, ...], ...]:
    """Return the labels that each line of a text gives to the boxes of a row, in order.

    Where all classes are one character the characters are the labels, whatever space is between
    them; else the words are. Raises DataError, with the line of raw/labels.csv, for what is no
    class.
    """
    single = all(len(_split_letters(name)) == 1 for name in classes)
    rows = [
        tuple(_split_letters("".join(one.split())) if single else one.split())
        for one in compose_name(text).splitlines()
        if one.strip()
    ]
    known = {LEFT_OUT, *classes}
    if strange := [f"'{name}'" for name in dict.fromkeys(chain(*rows)) if name not in known]:
        hint = "" if single else " (there is a space between two labels, as in 1 2 10)"
        verb = "is" if len(strange) == 1 else "are"
        raise DataError(
            f"{LABELS}: line {line}: text: {shorten(', '.join(strange))} {verb} not among the "
            f"classes in params.yaml{hint}. Correct it, or write '{LEFT_OUT}' for a box that is to "
            "be left out"
        )
    return tuple(rows)


def _split_letters(text: str) -> list[str]:
    """Return the characters of a text, each with its marks."""
    letters: list[str] = []
    for letter in text:
        if letters and unicodedata.category(letter)[0] == "M":
            letters[-1] += letter
        else:
            letters.append(letter)
    return letters


def _read_number(text: str, column: str, line: int) -> int:
    """Return the number of a row or a column, ANY for none."""
    if not text:
        return ANY
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise DataError(
            f"{LABELS}: line {line}: {column} '{shorten(text)}' is no number; they count from 0, "
            "as processed/boxes.csv and the overlays have them"
        )
    return int(text)


def _refuse_half_said(one: Override) -> None:
    """Raise DataError for a line that says two things at once, or half of where a box is."""
    clashes = {
        "an id and a row; either names the box": one.id and one.row != ANY,
        "a text and an id; a text is of a row": one.id and one.text,
        "a text and a col; a text is of a whole row": one.text and one.column != ANY,
        "a text and a label; either says what is there": one.text and one.label,
        "a row and a text of several lines": one.row != ANY and len(one.text) > 1,
        "a col and no row": one.column != ANY and one.row == ANY,
    }
    for what, clash in clashes.items():
        if clash:
            raise DataError(f"{LABELS}: line {one.line} has {what}")


def _tell_place(one: Override) -> str:
    column = "" if one.column == ANY else f".{one.column}"
    return f"{one.row}{column} on {one.source}"


def _show(value: str | tuple[tuple[str, ...], ...]) -> str:
    return shorten(value if isinstance(value, str) else " ".join(chain(*value)))


def refuse_contradictions(said: Sequence[tuple[str, Override]]) -> None:
    """Raise DataError when two lines say different things of the same source or box."""
    first: dict[tuple[str, str], Override] = {}
    for what, override in said:
        for column in ("label", "text", "group"):
            value = getattr(override, column)
            if (not override.id and not value) or (
                column == "text" and override.row == ANY
            ):  # it leaves what another line says
                continue
            before = first.setdefault((what, column), override)
            if getattr(before, column) != value:
                raise DataError(
                    f"{LABELS}: lines {before.line} and {override.line} give the {what} different "
                    f"{column}s, '{_show(getattr(before, column))}' and '{_show(value)}'; keep one"
                )
