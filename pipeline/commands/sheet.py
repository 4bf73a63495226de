"""prep sheet: a printable form whose pages say themselves what is written where."""

import secrets
from collections import Counter
from pathlib import Path

from pipeline.atomic import whole_file
from pipeline.console import track, warn
from pipeline.errors import DataError, count_things
from pipeline.forms import drawing, layout, planning
from pipeline.project import find_project
from pipeline.settings.loading import load_params
from pipeline.settings.names import check_class, check_once

MOST_NAMED = 100


def make_sheet(
    target: Path,
    classes: str | None,
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
    if twice := [name for name, count in Counter(writers).items() if count > 1]:
        raise DataError(
            f"--writer {twice[0]} is given twice, and forms of one name count as one writer's: "
            "give names that differ"
        )
    names = _choose_classes(classes)
    pages = [
        page
        for writer in writers or [""] * copies
        for page in planning.plan_forms(
            names, secrets.token_hex(3), rows, columns, writer, paper, order
        )
    ]
    with whole_file(target) as part:
        part.write_bytes(drawing.draw_forms(track(pages, "drawing", len(pages))))
    return (
        f"{target}: {count_things(len(pages), 'page')} for {_list_names(names)}. Print at 100 %, "
        "fill in, scan or photograph, and put the pictures into a folder of their own, with the "
        "line `- {path: raw/forms, layout: form}` under sources in params.yaml."
    )


def _choose_classes(typed: str | None) -> tuple[str, ...]:
    """Return the classes that are typed, else those of the project here, if there is one.

    Raises DataError for those that no project may have.
    """
    own = _read_classes()
    if typed is None and own:
        return own
    wanted = "0-9" if typed is None else typed
    try:
        names = check_once(tuple(check_class(name) for name in planning.expand_classes(wanted)))
    except ValueError as error:
        raise DataError(f"--classes: {error}") from error
    if own and (others := [name for name in names if name not in own]):
        warn(
            f"not among the classes in params.yaml: {', '.join(others)}. Add them there before you "
            "put the pictures into the project, or leave out --classes"
        )
    return names


def _read_classes() -> tuple[str, ...]:
    """Return the classes of the project that this folder lies in, none outside of projects."""
    try:
        project = find_project(Path.cwd())
    except DataError:
        return ()
    return load_params(project.params_file).classes


def _list_names(names: tuple[str, ...]) -> str:
    """Return the classes by number and name."""
    more = len(names) - MOST_NAMED
    rest = f" and {more:,} more" if more > 0 else ""
    noun = "class" if len(names) == 1 else "classes"
    return f"{len(names):,} {noun}: {', '.join(names[:MOST_NAMED])}{rest}"
