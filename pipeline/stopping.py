"""Ctrl-C and SIGTERM end the program at once, with one line and nothing unfinished left behind."""

import os
import signal
import sys

from pipeline.atomic import remove_unfinished

_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar has hidden it


def end_at_once_from_now_on() -> None:
    """Let SIGINT end the program with exit code 130, and SIGTERM with 143."""
    # joblib's own process clears up after us then, and would say so.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_at_once)


def _end_at_once(number: int, frame: object) -> None:
    """Remove what is unfinished, stop the worker processes, say so, and exit.

    A signal is no exception here: raised inside `import tensorflow` or a callback of HDF5, one is
    lost, or comes out as another. And nothing that is whole needs to be closed.
    """
    for repeated in (signal.SIGINT, signal.SIGTERM):
        signal.signal(repeated, signal.SIG_IGN)
    try:
        # It may be in the middle of being imported.
        for worker in getattr(sys.modules.get("multiprocessing"), "active_children", list)():
            worker.terminate()
        remove_unfinished()
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + b"Stopped.\n")
    finally:
        os._exit(128 + number)  # also when nobody is left to read the line
