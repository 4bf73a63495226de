"""What a person sees while a stage works: progress on a terminal, one line at the end.

Without a terminal, or with -q, nothing moves and no control characters are written.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pipeline.errors import write_duration

Item = TypeVar("Item")

_WIDE = 400  # columns: wider than any table
_GAP = 2  # columns between two of a table
_LEAST = 8  # columns of a name

# A file name that holds :cat: stays as it is.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


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
    """Print a table; elsewhere than on a terminal it is as wide as it needs to be.

    On a terminal cells wrap between words. Where words themselves would be torn, the columns are
    dealt to several tables below each other, each with the first column.
    """
    table = [[_printable(cell) for cell in row] for row in (columns, *rows)]
    wide = out if out.is_terminal else Console(width=_WIDE, quiet=out.quiet)
    wide.print(Text(f"{title}\n", style="bold"))
    words = [
        max(cell_len(word) for cell in column for word in [*cell.split(), ""])
        for column in _columns(table)
    ]
    whole = [max(map(cell_len, column)) for column in _columns(table)]
    # Names are broken only where not even one other column fits beside them.
    words[0] = min(whole[0], max(wide.width - 2 * _GAP - max(words[1:], default=0), _LEAST))
    for part in _deal_columns(words, wide.width):
        widths = _fit([whole[c] for c in part], [words[c] for c in part], wide.width)
        _print_table([[row[column] for column in part] for row in table], widths, wide)


def _columns(table: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return list(zip(*table, strict=True))


def _fit(whole: Sequence[int], words: Sequence[int], width: int) -> list[int]:
    """Return the widths of columns: whole cells if they fit, else the widest give way to words."""
    widths = list(whole)
    while sum(widths) + _GAP * len(widths) > width:
        spare = [(now, column) for column, now in enumerate(widths) if now > words[column]]
        if not spare:
            break
        widths[max(spare)[1]] -= 1
    return widths


def _deal_columns(needs: Sequence[int], width: int) -> list[list[int]]:
    """Return which columns stand in each of the tables that fit the width; needs: of each."""
    parts = [[0]]
    for column in range(1, len(needs)):
        taken = sum(needs[one] + _GAP for one in (*parts[-1], column))
        if len(parts[-1]) > 1 and taken > width:
            parts.append([0])
        parts[-1].append(column)
    return parts


def _print_table(table: Sequence[Sequence[str]], widths: Sequence[int], wide: Console) -> None:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column, width in zip(table[0], widths, strict=True):
        shown.add_column(Text(column), overflow="fold", width=width)
    for row in table[1:]:
        shown.add_row(*map(Text, row))
    wide.print(shown, "", sep="\n")


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items under a progress bar."""
    if out.quiet or not out.is_terminal:
        yield from items
        return
    from rich.progress import track as track_progress

    yield from track_progress(items, what, total=total, console=out, transient=True)


class Advance(Protocol):
    """Moves a progress bar by some steps."""

    def __call__(self, steps: int = 1) -> None:
        """Move it."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Yield a function to call after each of `total` steps, or some; it moves a progress bar."""
    if out.quiet or not out.is_terminal:
        yield lambda steps=1: None
        return
    from rich.progress import Progress

    with Progress(console=out, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps=1: bar.advance(task, steps)


@contextmanager
def watch(tell: Callable[[], tuple[float, str]], total: float) -> Iterator[None]:
    """Show a progress bar that asks, twice a second, how much of `total` is done and what to say.

    It adds how long the rest will take, as soon as that can be guessed.
    """
    if out.quiet or not out.is_terminal or total <= 0:
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn

    started, ended = time.monotonic(), threading.Event()
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")]

    def follow() -> None:
        while not ended.wait(0.5):
            show_now()

    def show_now() -> None:
        done, what = tell()
        spent = time.monotonic() - started
        known = done > 0 and spent > 5
        left = f"about {write_duration(spent * (total - done) / done)} left" if known else ""
        bar.update(task, completed=done, description=what, left=left)

    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(tell()[1], total=total, left="")
        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()


def _printable(text: str) -> str:
    """Return the text with control characters spelled out, so that a file name can't hide any."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text
    )
