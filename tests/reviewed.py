"""Projects for the review page, with their tables and tiles written directly: no stage runs."""

import hashlib
from pathlib import Path

import numpy as np
from conftest import write_params
from starlette.testclient import TestClient

from pipeline.dataset.schema import Rows
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.intake import images
from pipeline.notes import digest_file
from pipeline.project import Project
from pipeline.review.app import build_app
from pipeline.review.desk import Desk

SIDE, ACROSS = 12, 10  # pixels of a tile; boxes in a row of a page


def draw_tile(number: int, label: int) -> np.ndarray:
    """Return a (SIDE, SIDE, 1) tile: a bar as long as its label, and its number in two pixels."""
    tile = np.zeros((SIDE, SIDE, 1), np.uint8)
    tile[2 : 4 + label, 5:8] = 255
    tile[-1, -2:, 0] = number // 250 + 1, number % 250 + 1
    return tile


def write_project(
    folder: Path,
    *,
    tiles: int = 30,
    pages: int = 3,
    classes: tuple[str, ...] = ("0", "1", "2"),
    layout: str = "rows",
) -> list[str]:
    """Write a project of pages with rows of boxes; return the ids, whose labels go round."""
    sources = [{"path": "raw/scans", "layout": layout}]
    write_params(
        folder,
        sources=sources,
        classes=list(classes),
        augment={"flip": {}},
        experiments={"none": {}},
    )
    (folder / "raw/scans").mkdir(parents=True, exist_ok=True)
    scans = [_write_page(folder, number, layout) for number in range(pages)]
    boxes = [_describe_box(scans, number, tiles // pages, classes) for number in range(tiles)]
    processed = folder / "processed"
    write_table(processed / "catalogue.csv", COLUMNS["catalogue"], scans)
    write_table(processed / "boxes.csv", COLUMNS["boxes"], boxes)
    write_tiles(folder, [(box["id"], box["label"]) for box in boxes], classes)
    return [box["id"] for box in boxes]


def write_tiles(
    folder: Path,
    tiles: list[tuple[str, str]],
    classes: tuple[str, ...] = ("0", "1", "2"),
    found: list[str] | None = None,
) -> None:
    """Write tiles.h5 with these ids and labels; `found`: what they show, and were labelled with."""
    numbers = {name: number for number, name in enumerate(classes)} | {"": -1, "-": -2}
    labels = np.array([numbers[label] for _, label in tiles], np.int16)
    first = labels if found is None else np.array([numbers[label] for label in found], np.int16)
    with create_dataset(
        folder / "processed/tiles.h5",
        tile_shape=(SIDE, SIDE, 1),
        classes=list(classes),
        made_by={"stage": "normalise"},
        corrected=found is not None,
    ) as out:
        for start in range(0, len(tiles), 1000):
            part = range(start, min(start + 1000, len(tiles)))
            out.append(
                Rows(
                    images=np.stack([draw_tile(n, int(first[n]) % 8) for n in part]),
                    labels=labels[start : start + 1000],
                    ids=np.array([tiles[n][0] for n in part], object),
                    groups=np.array([""] * len(part), object),
                    found=None if found is None else first[start : start + 1000],
                )
            )


def write_suspects(folder: Path, suspects: list[tuple[str, str, str]]) -> None:
    """Write suspects.csv: the id, label and reading of each."""
    columns = ["kind", "rank", "id", "label", "read_as", "probability", "self_confidence", "why"]
    rows = [
        dict(
            zip(
                columns,
                ("label", rank, one, label, read, 0.98, 0.01, f"read as {read}, 98 %"),
                strict=True,
            )
        )
        for rank, (one, label, read) in enumerate(suspects)
    ]
    digest = digest_file(folder / "processed/tiles.h5")
    head = {"kind": "tiles", "rank": 0, "id": digest, "why": "by tiles"}
    write_table(folder / "processed/suspects.csv", columns, [head, *rows])


def _write_page(folder: Path, number: int, layout: str) -> dict[str, object]:
    """Write a page and return its row of the catalogue."""
    pixels = np.full((400, 300, 3), (230, 240, 250 - number % 200), np.uint8)
    pixels[::20] = 40 + number % 100
    data = images.encode_png(pixels)
    source = f"raw/scans/page-{number:03}.png"
    (folder / source).write_bytes(data)
    return {
        "source": source, "page": 0, "sha256": hashlib.sha256(data).hexdigest(), "layout": layout,
        "width": 300, "height": 400, "status": "ok",
    }  # fmt: skip


def _describe_box(scans, number: int, on_page: int, classes) -> dict[str, object]:
    scan = scans[min(number // on_page, len(scans) - 1)]
    place = number - scans.index(scan) * on_page
    row, column = divmod(place, ACROSS)
    x, y = 10 + 25 * column, 10 + 15 * row
    return {
        "id": f"{scan['sha256'][:10]}-0-{x + 5}-{y + 6}", "source": scan["source"], "page": 0,
        "x0": x, "y0": y, "x1": x + 10, "y1": y + 12, "label": classes[number % len(classes)],
        "row": row, "col": column, "score": "1.000",
    }  # fmt: skip


TOKEN, PORT = "a-token", 8766
ADDRESS = f"http://127.0.0.1:{PORT}"


def open_page(folder, token=TOKEN):
    """Return a client that has opened the page of a project, as a browser does."""
    desk = Desk(Project(folder))
    client = TestClient(build_app(desk, TOKEN, PORT), base_url=ADDRESS)
    assert client.get(f"/?token={token}").status_code == 200
    return client
