"""What a person sees while a stage works: progress on a terminal, one line at the end.

Without a terminal, or with -q, nothing moves and no control characters are written.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.text import Text

Item = TypeVar("Item")

_WIDE = 400  # columns: wider than any table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def be_quiet() -> None:
    """Silence everything but errors."""
    out.quiet = True


def say(text: str) -> None:
    """Print text as it is: square brackets are no markup. Only a terminal breaks lines."""
    out.print(_printable(text), markup=False, soft_wrap=not out.is_terminal)


def emit(text: str) -> None:
    """Print what another program may read: as it is, and also when quiet."""
    sys.stdout.write(text)


def warn(text: str) -> None:
    """Print a line that the user should act on."""
    err.print(f"[yellow]Note:[/yellow] {escape(_printable(text))}", soft_wrap=True)


def fail(text: str) -> None:
    """Print what is wrong."""
    err.print(f"[red]Error:[/red] {escape(_printable(text))}", soft_wrap=True)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a terminal its cells wrap, elsewhere it is as wide as it needs to be."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(_printable(column)), overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    wide = out if out.is_terminal else Console(width=_WIDE, quiet=out.quiet)
    wide.print(Text(f"{title}\n", style="bold"), table, "", sep="\n")


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items under a progress bar."""
    if out.quiet or not out.is_terminal:
        yield from items
        return
    from rich.progress import track as track_progress

    yield from track_progress(items, what, total=total, console=out, transient=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each of `total` steps; it moves a progress bar."""
    if out.quiet or not out.is_terminal:
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(console=out, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _printable(text: str) -> str:
    """Return the text with control characters spelled out, so that a file name can't hide any."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text
    )
