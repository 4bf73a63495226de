"""The page as an ASGI app: its own files, and the routes of each subject, behind the guard.

A subject that is added to the page is
- a module here with `routes(desk)`, made of `give` (GET) and `take` (POST of JSON) of answering.py:
  plain values in, plain values out, `DataError` for what the person has to know; where its files
  change by themselves, also `desk.versions["name"]`, by which the page hears of it;
- its line in SUBJECTS;
- a module in static/ that exports a view, and its line in static/main.js, which says what
  a view is.
"""

from importlib import resources

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from pipeline.review import boxes, costs, labels, scans, suggestions, suspects, tiles
from pipeline.review.answering import Content, MissingError, give
from pipeline.review.desk import Desk
from pipeline.review.guard import Guard

SUBJECTS = (tiles, labels, suspects, scans, costs, boxes, suggestions)
_KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def build_app(desk: Desk, token: str, port: int) -> ASGIApp:
    """Return the app that shows what lies on the desk to whoever has the token."""
    routes: list[BaseRoute] = [
        give("/api/project", lambda asked: _describe(desk)),
        give("/api/state", lambda asked: {name: tell() for name, tell in desk.versions.items()}),
    ]
    for subject in SUBJECTS:
        routes += subject.routes(desk)
    routes += [
        give("/", lambda asked: _read_own("index.html")),
        give("/static/{name}", lambda asked: _read_own(asked["name"])),
    ]
    return Guard(Starlette(routes=routes), token, port)


def _describe(desk: Desk) -> Content:
    """Return what every view has to know of the project."""
    return {
        "title": desk.params.report.title,
        "folder": desk.project.root.name,
        "classes": list(desk.params.classes),
        "writing": desk.params.tile.method != "photo",
    }


def _read_own(name: str) -> Response:
    """Return one of the page's own files."""
    found = {
        file.name: file for file in resources.files("pipeline.review").joinpath("static").iterdir()
    }
    kind = _KINDS.get(name[name.rfind(".") :])
    if name not in found or kind is None:
        raise MissingError("there is no such file")
    return Response(
        found[name].read_bytes(),
        media_type=f"{kind}; charset=utf-8",
        headers={"Cache-Control": "no-cache"},
    )
