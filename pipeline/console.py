"""What a person sees while a stage works: progress on a terminal, one line at the end.

Without a terminal, or with -q, nothing moves and no control characters are written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.text import Text

Item = TypeVar("Item")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def be_quiet() -> None:
    """Silence everything but errors."""
    out.quiet = True


def say(text: str) -> None:
    """Print a line as it is: square brackets are no markup."""
    out.print(printable(text), markup=False)


def warn(text: str) -> None:
    """Print a line that the user should act on."""
    err.print(f"[yellow]Note:[/yellow] {escape(printable(text))}")


def fail(text: str) -> None:
    """Print what is wrong."""
    err.print(f"[red]Error:[/red] {escape(printable(text))}")


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; without a terminal as wide as it needs to be."""
    from rich import box
    from rich.table import Table

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(Text(printable(column)))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    out.print(table, width=None if out.is_terminal else 240, soft_wrap=False)


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


def printable(text: str) -> str:
    """Return the text with control characters spelled out, so that a file name can't hide any."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text
    )
