"""The command line `prep`: the only place that knows Typer, and the only one that exits."""

import sys

from pipeline.cli import by_hand, road
from pipeline.cli.app import BY_HAND, ROAD, app
from pipeline.errors import NO_MEMORY, DataError, explain, is_out_of_memory
from pipeline.signs import spell_out_from_now_on

__all__ = ["BY_HAND", "ROAD", "app", "by_hand", "main", "road"]


def main() -> None:
    """Run `prep`; what goes wrong becomes a line and exit code 1."""
    spell_out_from_now_on()
    try:
        app()
    except Exception as error:
        told = explain(error) if isinstance(error, OSError) else str(error)
        if not isinstance(error, DataError | OSError):
            if not is_out_of_memory(error):
                raise
            told = NO_MEMORY
        try:
            from pipeline import console

            console.fail(told)
        except MemoryError:  # so little is left that Rich does not fit either
            sys.stderr.write(f"Error: {NO_MEMORY}\n")
        sys.exit(1)
