"""Section 4: where the data lies - originals and their variants in two dimensions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import FIRST_FOLD, read_first_variants, read_part
from pipeline.dataset.store import DatasetFile
from pipeline.project import Project
from pipeline.report.charts import place_points
from pipeline.report.figures import Figure, Pixels, embed
from pipeline.report.projection import FEWEST, embed_neighbours, find_principal
from pipeline.settings.params import Params
from pipeline.tiles import contact

_WIDTH, _HEIGHT, _EDGE = 560, 460, 14  # of a scatter plot
_SPRITE_SIDE = 32  # pixels of a tile that is shown on hover
_SPRITE_COLUMNS = 40


@dataclass(frozen=True)
class _Sample:
    """Some training tiles and variants: images (N, S, S, C), and for each its class, op, parent.

    An original's op is -1 and its parent itself.
    """

    images: Pixels
    labels: list[int]
    ops: list[int]
    parents: list[int]


@dataclass(frozen=True)
class Scatter:
    """A scatter plot: its points' places, in the order of the sample."""

    title: str
    note: str
    points: list[float]  # x, y, x, y, ...
    axes: tuple[str, str] = ("", "")  # what x and y are, where they are something
    width: int = _WIDTH
    height: int = _HEIGHT


def show_landscape(project: Project, params: Params, tiles: DatasetFile) -> dict[str, object]:
    """Return PCA and t-SNE of some training tiles and their variants."""
    sample = _join(list(_draw_sample(project, params, tiles)), tiles)
    if len(sample.labels) < FEWEST:
        return {"plots": {}, "total": len(sample.labels), "gist": "too few tiles"}
    originals = [n for n, op in enumerate(sample.ops) if op < 0]
    return {
        # Among their variants, and alone: what is placed together moves together.
        "plots": {
            "together": place_sample(sample.images),
            "alone": place_sample(sample.images[originals]),
        },
        "gist": "PCA and t-SNE of tiles and their variants",
        "total": len(sample.labels),
        "originals": len(originals),
        "labels": sample.labels,
        "ops": sample.ops,
        "names": list(params.augment),
        "parents": sample.parents,
        "sprite": _draw_sprite(sample.images),
        "sprite_side": _SPRITE_SIDE,
        "sprite_columns": _SPRITE_COLUMNS,
    }


def place_sample(tiles: Pixels) -> list[Scatter]:
    """Return PCA and t-SNE of tiles (N, S, S, C); nothing when there are too few."""
    if len(tiles) < FEWEST:
        return []
    principal = find_principal(tiles)
    first, second = (*principal.explained, 0.0)[:2]
    scores = np.pad(principal.scores, ((0, 0), (0, max(0, 2 - principal.scores.shape[1]))))
    return [
        _scatter(
            "Principal components (PCA)",
            f"The two explain {100 * (first + second):.1f} % of the variance, the first "
            f"{len(principal.explained)} {100 * principal.explained.sum():.1f} %.",
            scores[:, :2],
            (f"1st component: {100 * first:.1f} %", f"2nd component: {100 * second:.1f} %"),
        ),
        _scatter(
            "Neighbourhoods (t-SNE)",
            "Near each other means alike; wide distances and sizes of clusters mean little. "
            "Seed 0.",
            embed_neighbours(scores),
        ),
    ]


@dataclass(frozen=True)
class _Picked:
    """Tiles of one class: originals (`op` -1) or their variants, with the original's row."""

    images: Pixels
    label: int
    op: int
    rows: list[int]  # of the originals in tiles.h5


def _draw_sample(project: Project, params: Params, tiles: DatasetFile) -> Iterator[_Picked]:
    """Yield evenly picked training tiles of each class, and the first variant of each op."""
    training = read_part(project.input("split.csv"), "train", FIRST_FOLD)
    trained = np.array([name in training for name in tiles.ids], bool)
    ids, labels = tiles.ids, tiles.labels
    for number, name in enumerate(params.classes):
        each = max(1, params.report.points // (len(params.classes) * (1 + len(params.augment))))
        rows = contact.pick_evenly(np.flatnonzero(trained & (labels == number)), each)
        if not len(rows):
            continue
        yield _Picked(tiles.read(rows).images, number, -1, rows.tolist())
        place = {ids[row]: int(row) for row in rows}
        for op_number, op in enumerate(params.augment):
            path = project.variants_file(op, name, params.classes)
            if path.exists():
                yield from _read_variants(project.require(path), op_number, number, place)


def _read_variants(path: Path, op: int, label: int, place: dict[str, int]) -> Iterator[_Picked]:
    """Yield the first variant that an op made of each of the originals in `place`."""
    found = read_first_variants(path, place)
    if found.parents is not None and len(found):
        yield _Picked(found.images, label, op, [place[name] for name in found.parents])


def _join(parts: list[_Picked], tiles: DatasetFile) -> _Sample:
    """Return the parts as one sample."""
    place: dict[int, int] = {}
    labels: list[int] = []
    ops: list[int] = []
    parents: list[int] = []
    for part in parts:
        for row in part.rows:
            if part.op < 0:
                place[row] = len(labels)
            parents.append(place[row])
            labels.append(part.label)
            ops.append(part.op)
    nothing = np.empty((0, *tiles.tile_shape), np.uint8)
    return _Sample(np.concatenate([nothing, *(p.images for p in parts)]), labels, ops, parents)


def _scatter(
    title: str, note: str, points: npt.NDArray[np.float64], axes: tuple[str, str] = ("", "")
) -> Scatter:
    """Return a scatter plot with its points placed."""
    placed = place_points(points, _WIDTH, _HEIGHT, _EDGE)
    return Scatter(title, note, placed.ravel().tolist(), axes)


def _draw_sprite(tiles: Pixels) -> Figure:
    """Return all tiles in one small picture, _SPRITE_COLUMNS a row."""
    size = (_SPRITE_SIDE, _SPRITE_SIDE)
    small = [cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles]
    shaped = np.stack(small).reshape(-1, *size, tiles.shape[3])
    return embed(contact.lay_out(shaped, _SPRITE_COLUMNS, gap=0), "")
