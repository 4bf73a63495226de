"""prep report: all of it -> report/index.html, one file that opens offline."""

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline import contact, images
from pipeline.ablation import LEGEND
from pipeline.atomic import whole_folder
from pipeline.catalogue import name_of
from pipeline.console import track
from pipeline.params import Params
from pipeline.project import Project
from pipeline.results import load_ablation
from pipeline.store import DatasetFile, open_dataset
from pipeline.tables import COLUMNS, read_table

PAIRS = 8  # of an original and its variant, for each op and class


@dataclass(frozen=True)
class Figure:
    """A picture of the report, `source` a data: URI; width and height in pixels of the page."""

    caption: str
    alt: str
    source: str
    width: int
    height: int


def report(project: Project, params: Params) -> str:
    """Write the page: the table, counts, tiles, variants and what was not used."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    ablation = load_ablation(project, params)
    with open_dataset(project.input("tiles.h5")) as tiles:
        classes = track(params.classes, "drawing tiles")
        content = {
            "title": params.report.title or project.root.name,
            "ablation": ablation,
            "legend": LEGEND,
            "counts": count_stages(project, params, tiles),
            "classes": params.classes,
            "tiles": [show_tiles(tiles, name, params.report.tiles_per_class) for name in classes],
            "ops": {
                op: [show_variants(project, tiles, op, name) for name in params.classes]
                for op in track(params.augment, "drawing variants")
            },
            "unused": list(list_unused(project)),
        }
    loader = PackageLoader("pipeline")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    with whole_folder(project.output("report")) as folder:
        page = environment.get_template("report.html").render(content)
        (folder / "index.html").write_text(page, encoding="utf-8")
    return f"{project.relative(project.output('report', 'index.html'))}, to be opened in a browser"


def count_stages(
    project: Project, params: Params, tiles: DatasetFile
) -> list[tuple[str, list[int]]]:
    """Return how many tiles of each class there are after each stage."""
    names = np.array([*params.classes, ""], object)[tiles.labels]
    balanced = read_table(project.input("balanced.csv"), COLUMNS["balanced"])
    label = {row["id"]: row["label"] for row in balanced}
    split = [
        row
        for row in read_table(project.input("split.csv"), COLUMNS["split"])
        if row["fold"] == "0"
    ]
    found = {"tiles": Counter(names), "balanced": Counter(label.values())}
    for part in ("train", "val", "test"):
        of_part = Counter(label[row["id"]] for row in split if row["split"] == part)
        found[{"train": "training", "val": "validation", "test": "test"}[part]] = of_part
    return [(stage, [counts[name] for name in params.classes]) for stage, counts in found.items()]


def show_tiles(tiles: DatasetFile, class_name: str, count: int) -> Figure:
    """Return a grid of a class's tiles, evenly picked from all of them."""
    rows = np.flatnonzero(tiles.labels == tiles.classes.index(class_name))
    picked = contact.pick_evenly(rows, count)
    sheet = contact.lay_out(tiles.read(picked).images, columns=count)
    return draw(sheet, class_name, f"{len(picked)} tiles of class {class_name}")


def show_variants(project: Project, tiles: DatasetFile, op: str, class_name: str) -> Figure:
    """Return originals beside their variants, with the numbers that made them."""
    with open_dataset(project.require(project.variants_file(op, class_name))) as variants:
        rows = variants.read(slice(0, PAIRS))
        names = variants.draw_names
    place = {tile_id: number for number, tile_id in enumerate(tiles.ids)}
    assert rows.parents is not None and rows.draws is not None
    originals = tiles.read(np.array([place[parent] for parent in rows.parents], int))
    sheet = contact.lay_out(contact.pair_up(originals.images, rows.images), columns=2 * PAIRS)
    first = describe_draws(names, rows.draws[0]) if len(rows) and names else ""
    caption = f"{class_name}{f' (first pair: {first})' if first else ''}"
    return draw(
        sheet, caption, f"{len(rows)} tiles of class {class_name}, each beside its {op} variant"
    )


def describe_draws(names: list[str], numbers: npt.NDArray[np.float64]) -> str:
    """Return 'degrees 7.31, x 0.02'."""
    return ", ".join(f"{name} {number:.3g}" for name, number in zip(names, numbers, strict=True))


def list_unused(project: Project) -> Iterator[tuple[str, str, str]]:
    """Yield name, what became of it and why, for every file that was not used."""
    for row in read_table(project.input("catalogue.csv"), COLUMNS["catalogue"]):
        if row["status"] == "duplicate":
            yield name_of(row), "duplicate", row["reason"]
    for row in read_table(project.input("quarantine.csv"), COLUMNS["quarantine"]):
        yield name_of(row), "quarantined", row["reason"]


def draw(sheet: npt.NDArray[np.uint8], caption: str, alt: str) -> Figure:
    """Return a contact sheet as a figure; small tiles are shown twice as large."""
    height, width = sheet.shape[:2]
    data = images.encode_png(sheet) if sheet.ndim == 2 else images.encode_jpeg(sheet, quality=85)
    kind = "png" if sheet.ndim == 2 else "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    scale = 2 if sheet.ndim == 2 else 1
    return Figure(caption, alt, source, scale * width, scale * height)
