"""The one exception that users see as a sentence instead of a traceback."""

import difflib
from collections.abc import Iterable


class DataError(Exception):
    """Something in the user's files, settings or command is wrong.

    The message is written for the person at the keyboard: what is wrong, where, what to do.
    `cli.main` prints it and exits with code 1.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the closest known word, or '' if nothing is close."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ""
