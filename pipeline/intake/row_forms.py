"""What a row of a table says, however it is written: a spreadsheet that saves a table anew quotes
other fields, parts them by another sign, and may have moved the columns.
"""

import csv
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.intake.spreadsheets import Writing

ENDS = "\r\n"  # of lines
Said = frozenset[tuple[str, str]]  # each column with its field, but for empty ones


def end_of(row: str) -> str:
    """Return the end of a row's line."""
    return row[len(row.rstrip(ENDS)) :]


def is_header(fields: Iterable[str]) -> bool:
    """Tell whether a row names the columns of a table of sources."""
    return "source" in [field.casefold() for field in fields]


class RowForm(NamedTuple):
    """By what the text of a row is read."""

    separator: str
    columns: tuple[str, ...]  # their names, without capitals

    def read(self, row: str) -> Said:
        """Return what a row says, nothing for what is none."""
        try:
            cells = Writing("utf-8", "", self.separator, "").parse(row)
        except (csv.Error, TypeError):  # a row, or a sign between fields, that nobody wrote
            return frozenset()
        return frozenset(
            (name, cell) for name, cell in zip(self.columns, cells, strict=False) if cell
        )

    def write(self, said: Mapping[str, str]) -> str:
        """Return a row that says it, without the end of its line."""
        cells = [said.get(name, "") for name in self.columns]
        return Writing("utf-8", "", self.separator, "").write(cells)

    def turn(self, row: str, form: "RowForm") -> str:
        """Return a row of another form as one of this, without the end of its line."""
        return self.write(dict(form.read(row)))
