"""The page served to this machine: a free port, the address with its token, a browser."""

import contextlib
import errno
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from pipeline.console import say
from pipeline.errors import DataError

HOST = "127.0.0.1"
USUAL = 8766  # the port that is tried first, where none is asked for


class _Server(uvicorn.Server):
    """A server that leaves Ctrl-C to the program (pipeline/stopping.py)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(build: Callable[[str, int], ASGIApp], port: int | None, *, browser: bool) -> None:
    """Serve the app that is built for a token and a port until the program is stopped.

    Raises DataError when the port that is asked for is taken.
    """
    token = secrets.token_urlsafe(24)
    with _listen(port) as place:
        number = place.getsockname()[1]
        address = f"http://{HOST}:{number}/?token={token}"
        config = uvicorn.Config(
            build(token, number),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            loop="asyncio",
            http="h11",
            server_header=False,
            proxy_headers=False,
        )
        opened = browser and _open_browser(address)
        say(f"{'The page is open' if opened else 'Open the page'} at {address}\nCtrl-C ends it.")
        _Server(config).run(sockets=[place])


def _listen(port: int | None) -> socket.socket:
    """Return a socket at the port that is asked for, or at any."""
    for number in (USUAL, 0) if port is None else (port,):
        place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, number))
        except OSError as error:
            place.close()
            if port is None and number:
                continue
            taken = error.errno == errno.EADDRINUSE
            why = "is taken by another program" if taken else f"can't be had ({error.strerror})"
            raise DataError(f"port {number} {why}. Name another, or none: prep review") from error
        place.listen(64)
        return place
    raise AssertionError("a port is always found or refused")


def _open_browser(address: str) -> bool:
    """Open the address in a window, if there is a browser with one."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    if isinstance(found, webbrowser.GenericBrowser) and not isinstance(
        found, webbrowser.BackgroundBrowser
    ):
        return False  # of text, and would take the terminal
    threading.Thread(target=found.open, args=(address,), daemon=True).start()
    return True
