"""Whole pages for the page: a scan as JPEG, decoded in a process of its own."""

import threading
from functools import partial
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute

from pipeline.dataset.tables import Row
from pipeline.errors import OUT_OF_MEMORY, DataError
from pipeline.intake.names import plain_name
from pipeline.isolation import Death, held_to, map_isolated
from pipeline.review.answering import KEEP, MissingError, give
from pipeline.review.desk import Desk
from pipeline.settings.sections import Limits
from pipeline.subjects.layouts import LAYOUTS

MOST = 2400  # pixels of the longer side
_one_at_a_time = threading.Lock()  # a page of an A0 sheet takes half a gigabyte


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the route of the pages' pictures."""
    return [give("/api/scan/{name}", lambda asked: _show_scan(desk, asked["name"]))]


def _show_scan(desk: Desk, name: str) -> Response:
    """Return the JPEG of a scan, smaller where it is very large."""
    row = desk.scan(name)
    if row is None or not _lies_in_a_source(desk, row["source"]):
        raise MissingError("there is no such page")
    if LAYOUTS[row["layout"]].is_array:
        raise MissingError("the picture stands in a table of numbers, and is no more than its tile")
    with _one_at_a_time:
        work = partial(draw_scan, desk.project.root, desk.params.limits)
        made = next(map_isolated(work, [row], 1))
    if isinstance(made, Death):
        raise DataError(f"{row['source']} can't be shown: its decoder ended with {made}")
    return Response(made, media_type="image/jpeg", headers={"Cache-Control": KEEP})


def _lies_in_a_source(desk: Desk, name: str) -> bool:
    """Return whether a file lies in a source, links followed; the catalogue is not believed."""
    source, root = desk.params.find_source(name), desk.project.root
    if source is None:
        return False
    try:
        file = (root / plain_name(name)).resolve()
    except (ValueError, RuntimeError):  # a zero byte, or a circle of links
        return False
    return file.is_relative_to((root / source.path).resolve())


def draw_scan(root: Path, limits: Limits, row: Row) -> bytes:
    """Return a scan as JPEG, within the limits; raises DataError when it can't be read."""
    import cv2

    from pipeline.intake.images import encode_jpeg
    from pipeline.intake.scans import read_scans

    try:
        with held_to(limits.seconds, limits.memory_mb):
            scan = next(
                (scan for _, scan in read_scans(root, [row])), DataError("it has no such page")
            )
            if isinstance(scan, DataError):
                raise DataError(f"{row['source']} can't be read: {scan}")
            scale = MOST / max(scan.shape[:2])
            if scale < 1:
                scan = cv2.resize(scan, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            return encode_jpeg(scan)
    except MemoryError as error:
        raise DataError(f"{row['source']} can't be shown: {OUT_OF_MEMORY}") from error
