"""prep sheet: a printable form whose pages say themselves what is written where."""

import secrets
from pathlib import Path

from pipeline.atomic import whole_file
from pipeline.errors import DataError, count_things
from pipeline.forms import drawing, layout, planning


def make_sheet(
    target: Path,
    classes: str,
    *,
    rows: int,
    columns: int,
    writers: list[str],
    copies: int,
    paper: str,
    order: layout.Order,
) -> str:
    """Write a PDF with a form for each writer, or `copies` forms with a line for the name."""
    if target.suffix.lower() != ".pdf":
        raise DataError(f"{target}: give the PDF to write a name that ends in .pdf")
    if target.exists():
        raise DataError(f"{target} exists already; remove it, or give another name")
    if writers and copies > 1:
        raise DataError("give --writer for each writer, or --copies for forms without names")
    names = planning.expand_classes(classes)
    pages = [
        page
        for writer in writers or [""] * copies
        for page in planning.plan_forms(
            names, secrets.token_hex(3), rows, columns, writer, paper, order
        )
    ]
    with whole_file(target) as part:
        part.write_bytes(drawing.draw_forms(pages))
    return (
        f"{target}: {count_things(len(pages), 'page')} for {len(names)} classes. Print at "
        "100 %, fill in, scan or photograph, and put the pictures into a source of layout form."
    )
