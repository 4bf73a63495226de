"""Section 2: the data - from files to training tiles, what was not used, pages and tiles."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.dataset.reading import read_folds
from pipeline.dataset.store import DatasetFile
from pipeline.dataset.tables import COLUMNS, LEFT_OUT, Row, read_table
from pipeline.errors import DataError, count_things
from pipeline.intake import images
from pipeline.intake.catalogue import name_of, overlay_name, scan_id_of
from pipeline.intake.files import PictureFile
from pipeline.intake.scans import read_scans
from pipeline.project import Project
from pipeline.report.figures import Figure, Pixels, embed, scale_of, shrink
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.subjects.layouts import LAYOUTS
from pipeline.tiles import contact

_PAGE_SIDE = 1000  # pixels of an overlay's longer side
_THUMBNAIL_SIDE = 120
_LISTED = 200  # unused files that are named; more are counted


@dataclass(frozen=True)
class _Step:
    """How many there are of each class (the last: of none) after a step of the road."""

    name: str
    counts: list[int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts)


@dataclass(frozen=True)
class _Unused:
    """A file that was not used, why, and what it looks like if it can be read."""

    name: str
    what: str
    why: str
    figure: Figure | None


def show_data(project: Project, params: Params, tiles: DatasetFile) -> dict[str, object]:
    """Return the funnel, what was not used, some segmented pages and some tiles of each class."""
    catalogue = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    boxes = read_table(project.input("boxes.csv"), COLUMNS["boxes"])
    quarantine = read_table(project.input("quarantine.csv"), COLUMNS["quarantine"])
    unused = list(_list_unused(catalogue, quarantine))
    steps = _count_steps(project, params, catalogue, quarantine, boxes)
    return {
        "gist": _say_briefly(steps, len(unused)),
        "steps": steps,
        "most": max(step.total for step in steps),
        "unlabelled": any(step.counts[-1] for step in steps),
        "unused_total": len(unused),
        "unused": [
            _Unused(name_of(row), what, row["reason"], _look_at(project.root, row, number, params))
            for number, (row, what) in enumerate(unused[:_LISTED])
        ],
        "pages": _show_pages(project, params, catalogue, boxes),
        "tiles": [
            _show_tiles(tiles, name, params.report.tiles_per_class)
            for name in params.classes
            if name in tiles.classes
        ],
    }


def _say_briefly(steps: list[_Step], unused: int) -> str:
    """Return how much there is, and how much of it was not used."""
    files, training = steps[0].total, steps[-3].total
    told = f"{files:,} files, {training:,} training tiles"
    return f"{told}, {count_things(unused, 'file')} not used" if unused else told


def _count_steps(
    project: Project,
    params: Params,
    catalogue: list[Row],
    quarantine: list[Row],
    boxes: list[Row],
) -> list[_Step]:
    """Return the funnel from files to training tiles; of several folds the first."""
    refused = {name_of(row) for row in quarantine}
    used = [row for row in catalogue if row["status"] == "ok" and name_of(row) not in refused]
    files = {(row["source"], row["member"]): row["label"] for row in reversed(catalogue)}
    balanced = read_table(project.input("balanced.csv"), COLUMNS["balanced"])
    label = {row["id"]: row["label"] for row in balanced}
    folds = read_folds(project.input("split.csv"))
    if not folds or not label.keys() >= set().union(*folds[0].ids.values()):
        raise DataError(
            "processed/split.csv is not of the tiles of balanced.csv. Bring all up to date with: "
            "dvc repro split"
        )
    part = folds[0].ids
    of = f" (fold 1 of {len(folds)})" if len(folds) > 1 else ""
    steps: dict[str, Iterable[str]] = {
        "files found": files.values(),
        "pages and pictures in them": _labels_of(catalogue),
        "pages and pictures used": _labels_of(used),
        "subjects found on them": [row["found"] or row["label"] for row in boxes],
    }
    if any(row["found"] or row["label"] == LEFT_OUT for row in boxes):
        kept = [row for row in boxes if row["label"] != LEFT_OUT]
        steps["with raw/labels.csv, and without what it leaves out"] = _labels_of(kept)
    steps |= {
        "balanced": label.values(),
        f"for training{of}": (label[name] for name in part["train"]),
        f"for validation{of}": (label[name] for name in part["val"]),
        f"for the test{of}": (label[name] for name in part["test"]),
    }
    return [_Step(name, count(labels, params.classes)) for name, labels in steps.items()]


def _labels_of(rows: Iterable[Row]) -> list[str]:
    """Return the label of each row."""
    return [row["label"] for row in rows]


def count(labels: Iterable[str], classes: Iterable[str]) -> list[int]:
    """Return how many labels name each class, and how many name none."""
    counts = Counter(labels)
    by_class = [counts[name] for name in classes]
    return [*by_class, counts.total() - sum(by_class)]


def _list_unused(catalogue: list[Row], quarantine: list[Row]) -> Iterable[tuple[Row, str]]:
    """Yield the row and what became of it for every file that was not used."""
    by_name = {name_of(row): row for row in catalogue}
    for row in quarantine:
        yield by_name.get(name_of(row), row) | {"reason": row["reason"]}, "quarantined"
    for row in catalogue:
        if row["status"] in ("duplicate", "left out"):
            yield row, row["status"]


def _look_at(root: Path, row: Row, number: int, params: Params) -> Figure | None:
    """Return a thumbnail of a picture; None when it can't be read or enough are shown."""
    if number >= params.report.gallery:
        return None
    try:
        picture = _read_picture(root, row, params)
    except DataError:
        return None
    return embed(shrink(picture, _THUMBNAIL_SIDE), f"thumbnail of {name_of(row)}")


def _read_picture(root: Path, row: Row, params: Params) -> Pixels:
    """Return a picture of the catalogue; large ones come smaller, where that is quicker."""
    if row.get("layout") in LAYOUTS and LAYOUTS[row["layout"]].is_array:
        reading = params.source_of(row["source"]).reading
        _, found = next(read_scans(root, [row], reading))
        if isinstance(found, DataError):
            raise found
        return found
    data = PictureFile(row["source"], row["member"]).read(root)
    page = int(row["page"])
    return images.decode_page(data, page, at_least=_THUMBNAIL_SIDE)


def _show_pages(
    project: Project, params: Params, catalogue: list[Row], boxes: list[Row]
) -> list[Figure]:
    """Return overlays of segmented pages, those first of which prep was least sure."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in boxes:
        scores[scan_of(row["id"])].append(float(row["score"]))
    pages = [
        (float(np.mean(scores[scan])), name_of(row), overlay, scores[scan])
        for row in catalogue
        if row["sha256"]
        for scan, overlay in [(scan_id_of(row), project.output("overlays", overlay_name(row)))]
        if scan in scores and overlay.exists()
    ]
    return [
        _show_page(project.require(overlay), name, found)
        for _, name, overlay, found in sorted(pages)[: params.report.pages]
    ]


def _show_page(overlay: Path, name: str, scores: list[float]) -> Figure:
    """Return one overlay, scaled down."""
    picture = shrink(images.decode_page(overlay.read_bytes(), at_least=_PAGE_SIDE), _PAGE_SIDE)
    caption = f"{name}: {len(scores)} found, lowest score {min(scores):.2f}"
    return embed(picture, f"page with its boxes drawn, {caption}", caption)


def _show_tiles(tiles: DatasetFile, class_name: str, most: int) -> Figure:
    """Return a grid of a class's tiles, evenly picked from all of them."""
    rows = np.flatnonzero(tiles.labels == tiles.classes.index(class_name))
    shown = tiles.read(contact.pick_evenly(rows, most)).images
    return show_grid(shown, len(rows), class_name, "tiles of class")


def show_grid(shown: Pixels, total: int, class_name: str, what: str) -> Figure:
    """Return a grid of some tiles (n, S, S, C) of a class that has `total`, ten a row."""
    sheet = contact.lay_out(shown, columns=min(10, max(1, len(shown))))
    caption = f"{class_name}: {len(shown)} of {total:,}"
    return embed(sheet, f"{what} {caption}", caption, scale=scale_of(shown.shape[1]))
