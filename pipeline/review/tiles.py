"""The tiles for the page: what is known of each, as columns; their pictures, many in a sheet."""

from collections.abc import Sequence

import numpy as np
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipeline.dataset.reading import open_tiles
from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import name_of
from pipeline.review.answering import KEEP, ClashError, Content, MissingError, give
from pipeline.review.desk import Desk
from pipeline.review.shelf import Tiles
from pipeline.subjects.boxes import box_of, scan_of
from pipeline.tiles.contact import lay_out

MOST_IN_SHEET = 200
COLUMNS = 10  # of a sheet


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the tiles."""
    return [
        give("/api/tiles", lambda asked: describe(desk.tiles())),
        give(
            "/api/sheet/{digest}",
            lambda asked: _draw_sheet(desk, asked["digest"], asked.get("rows", "")),
        ),
    ]


def describe(tiles: Tiles) -> Content:
    """Return what the page has to know of the tiles, as columns (N,).

    Repeated texts stand once in a list, and the column has their places in it.
    """
    scans = [scan_of(name) for name in tiles.ids]
    pages = list(dict.fromkeys(scans))
    place_of = {name: place for place, name in enumerate(pages)}
    boxes = tiles.boxes
    return {
        "digest": tiles.digest,
        "names": tiles.names,
        "shape": tiles.shape,
        "sheet": {"most": MOST_IN_SHEET, "columns": COLUMNS},
        "pages": [_describe_page(name, tiles.scans.get(name)) for name in pages],
        "ids": tiles.ids,
        "label": tiles.labels.tolist(),
        "page": [place_of[name] for name in scans],
        "box": [list(box_of(row)) if row else None for row in boxes],
        "row": [int(row["row"] or 0) if row else 0 for row in boxes],
        "col": [int(row["col"] or 0) if row else 0 for row in boxes],
        "score": [float(row["score"] or 1) if row else 1 for row in boxes],
        "group": [row["group"] if row else "" for row in boxes],
        "found": [row.get("found", "") if row else "" for row in boxes],
    }


def _describe_page(name: str, row: Row | None) -> Content:
    if row is None:
        return {"id": name, "name": name, "source": "", "layout": "", "width": 0, "height": 0}
    size = {"width": int(row["width"]), "height": int(row["height"])}
    return {
        "id": name,
        "name": name_of(row),
        "source": row["source"],
        "layout": row["layout"],
        **size,
    }


def _draw_sheet(desk: Desk, digest: str, rows: str = "") -> Response:
    """Return a PNG of some tiles, in the order asked for, in rows of COLUMNS without gaps."""
    from pipeline.intake.images import encode_png  # the page is there before its pictures

    tiles = desk.tiles()
    if digest != tiles.digest:
        raise ClashError("tiles.h5 was made anew meanwhile")
    wanted = _read_rows(rows, len(tiles.ids))
    with open_tiles(desk.project, tiles.names) as file:
        images = file.read_images(np.array(wanted))
    if desk.tiles().digest != digest:  # while they were read
        raise ClashError("tiles.h5 was made anew meanwhile")
    columns = min(COLUMNS, len(wanted))
    sheet = lay_out(images, columns, gap=0)
    return Response(encode_png(sheet), media_type="image/png", headers={"Cache-Control": KEEP})


def _read_rows(text: str, count: int) -> Sequence[int]:
    """Return the rows that an address names, as in 3,4,17."""
    words = text.split(",")
    good = all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words)
    if not good or len(words) > MOST_IN_SHEET or max(map(int, words)) >= count:
        raise MissingError("there are no such tiles")
    return [int(word) for word in words]
