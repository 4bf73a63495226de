"""The command line `prep`: the only place that knows Typer, and the only one that exits."""

import sys

from pipeline.cli import by_hand, road
from pipeline.cli.app import BY_HAND, ROAD, app
from pipeline.errors import DataError, explain
from pipeline.signs import spell_out_from_now_on

__all__ = ["BY_HAND", "ROAD", "app", "by_hand", "main", "road"]


def main() -> None:
    """Run `prep`; what goes wrong becomes a line and exit code 1."""
    spell_out_from_now_on()
    try:
        app()
    except (DataError, OSError) as error:
        from pipeline import console

        console.fail(explain(error) if isinstance(error, OSError) else str(error))
        sys.exit(1)
