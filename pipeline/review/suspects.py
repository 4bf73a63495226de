"""Suspects for the page: processed/suspects.csv, and `prep check suspects`, which writes it.

That runs in a process of its own: it takes minutes of a large project, and the page goes on.
"""

import subprocess
import sys
import threading
from collections import defaultdict
from functools import partial

from starlette.routing import BaseRoute

from pipeline.project import Project
from pipeline.review.answering import Content, give, take
from pipeline.review.desk import Desk
from pipeline.review.watching import Watched
from pipeline.suspects.table import FILE, read_suspects


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the suspects."""
    files = [desk.project.output(name) for name in (FILE, "tiles.h5")]
    listed = Watched(files, partial(list_suspects, desk.project))
    search = Search(desk.project)
    desk.versions["suspects"] = lambda: f"{listed.version} {search.version}"
    return [
        give("/api/suspects", lambda asked: listed.read()[1] | search.describe()),
        take("/api/suspects", lambda sent: search.start()),
    ]


def list_suspects(project: Project) -> Content:
    """Return the suspects of each kind, the likeliest first; `isStale`: they are of other tiles."""
    if not project.output(FILE).exists():
        return {"lists": {}, "isStale": False}
    suspects = read_suspects(project)
    lists: dict[str, list[Content]] = defaultdict(list)
    for one in suspects.found:
        shown = {"id": one.id, "label": one.label, "read_as": one.read_as, "why": one.why}
        lists[one.kind].append(shown)
    is_stale = project.output("tiles.h5").exists() and not suspects.is_of(project)
    return {"lists": lists, "isStale": is_stale}


class Search:
    """`prep check suspects`, at most one at a time; what it could not do is told."""

    def __init__(self, project: Project) -> None:
        """Search in a project."""
        self._project, self._trouble, self._begun = project, "", 0
        self._thread: threading.Thread | None = None

    @property
    def version(self) -> str:
        """What is another when a search begins or ends."""
        return f"{self._begun} {self._is_on}"

    def describe(self) -> Content:
        """Return whether a search is on, and why the last one failed."""
        return {"isOn": self._is_on, "trouble": self._trouble}

    def start(self) -> Content:
        """Begin a search, unless one is on."""
        if not self._is_on:
            self._trouble, self._begun = "", self._begun + 1
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        return self.describe()

    @property
    def _is_on(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        # -P: a csv.py in the project is not taken for Python's own.
        words = [sys.executable, "-P", "-m", "pipeline", "check", "suspects", "--quiet"]
        made = subprocess.run(
            words, cwd=self._project.root, capture_output=True, text=True, check=False
        )
        if made.returncode:
            self._trouble = made.stderr.strip().removeprefix("Error: ") or "the search was ended"
