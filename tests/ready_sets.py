"""A project whose tiles are made and split already, of any shape: no stage has to run for it."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from conftest import write_params

from pipeline.dataset.schema import Rows
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.export.contents import Window, open_contents
from pipeline.project import Project
from pipeline.settings.loading import load_params

PARTS = ("train", "val", "test", "train", "")  # of one tile after the other; '' = left out


def write_set(
    folder: Path,
    *,
    shape: tuple[int, int, int] = (9, 9, 1),
    classes: Sequence[str] = ("bar", "square"),
    count: int = 30,
    folds: int = 1,
    parts: Sequence[str] = PARTS,
    **params: object,
) -> Rows:
    """Write params.yaml, catalogue.csv, tiles.h5 and split.csv; return all that tiles.h5 holds.

    Labels go round, the last tile has none; two tiles share a picture and a group.
    """
    dice = np.random.default_rng([count, *shape])
    digests = [hashlib.sha256(f"{n // 2}".encode()).hexdigest() for n in range(count)]
    ids = [f"{digest[:10]}-0-{n % 2}-3" for n, digest in enumerate(digests)]
    rows = Rows(
        images=dice.integers(0, 256, (count, *shape), dtype=np.uint8),
        labels=np.array([n % len(classes) for n in range(count - 1)] + [-1], np.int16),
        ids=np.array(ids, object),
        groups=np.array([f"Zoë {n // 2}" for n in range(count)], object),
    )
    tile = {"size": max(shape[0], 8), "channels": shape[2], "method": "photo"}
    split = {"test": 0.3, "val": 0.2, "folds": folds, "group": "page", "seed": 1}
    write_params(folder, classes=list(classes), **{"tile": tile, "split": split} | params)
    made = folder / "processed"
    made.mkdir(exist_ok=True)
    with create_dataset(
        made / "tiles.h5", tile_shape=shape, classes=classes, made_by={"stage": "normalise"}
    ) as file:
        file.append(rows)
    write_table(
        made / "catalogue.csv",
        COLUMNS["catalogue"],
        (
            {"source": f"raw/pictures/Ada-{n}.jpg", "page": 0, "sha256": digests[n], "label": "",
             "layout": "free", "width": 9, "height": 9, "status": "ok"}
            for n in range(0, count, 2)
        ),
    )  # fmt: skip
    write_table(
        made / "split.csv",
        COLUMNS["split"],
        (
            {"id": ids[n], "split": part, "fold": fold, "group": rows.groups[n]}
            for fold in range(folds)
            for n in range(count - 1)
            if (part := parts[(n // 2 + fold) % len(parts)])
        ),
    )
    return rows


def read_contents(folder, **options):
    """Return the columns of each part, as test_contents.py holds them against tiles.h5."""
    params = load_params(Path(folder, "params.yaml"))
    with open_contents(Project(Path(folder)), params, **options) as contents:
        return {
            part.name: {
                column.name: np.concatenate([getattr(one, column.name) for one in part.windows(4)])
                for column in fields(Window)
            }
            for part in contents.parts
        }
