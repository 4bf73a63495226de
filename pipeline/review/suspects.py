"""Lists of suspects for the page: processed/suspects.csv, as `prep check suspects` wrote it."""

from starlette.routing import BaseRoute

from pipeline.dataset.tables import read_table
from pipeline.review.answering import Content, give
from pipeline.review.desk import Desk
from pipeline.review.watching import Watched

FILE = "suspects.csv"
COLUMNS = ("kind", "rank", "id", "label", "read_as", "probability", "why")


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the suspects."""
    path = desk.project.output(FILE)
    listed = Watched([path], lambda: list_suspects(desk))
    desk.versions["suspects"] = lambda: listed.version
    return [give("/api/suspects", lambda asked: {"lists": listed.read()[1]})]


def list_suspects(desk: Desk) -> Content:
    """Return the suspects of each kind, the likeliest first; nothing where none were looked for."""
    path = desk.project.output(FILE)
    if not path.exists():
        return {}
    lists: dict[str, list[Content]] = {}
    for row in read_table(path, COLUMNS):
        suspect = {name: row[name] for name in ("id", "label", "read_as", "probability", "why")}
        lists.setdefault(row["kind"], []).append(suspect)
    return lists
