"""Section 4, second half: another set of tiles beside the project's own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.dataset.store import DatasetFile
from pipeline.intake.outside import Outside, read_outside
from pipeline.project import Project
from pipeline.report.data import show_grid
from pipeline.report.figures import Figure, Pixels, embed, scale_of
from pipeline.report.landscape import Scatter, place_sample
from pipeline.report.tile_statistics import average_tiles, measure_spread, measure_strokes
from pipeline.settings.params import Params
from pipeline.tiles import contact

_MEASURED = 1000  # tiles of a class at most


@dataclass(frozen=True)
class _Measured:
    """What is told of one class in one set; None where nothing can be told."""

    count: int
    mean: Figure | None = None
    strokes: float | None = None  # pixels
    spread: float | None = None  # grey levels


def show_reference(
    project: Project, params: Params, tiles: DatasetFile
) -> dict[str, object] | None:
    """Return grids, plots and numbers of the reference set beside ours; None without one."""
    if not params.report.reference:
        return None
    other = read_outside(project.root / params.report.reference, "train")
    sheets, images, labels = [], [], []
    each = max(1, params.report.points // len(other.classes))
    for number, name in enumerate(other.classes):
        rows = np.flatnonzero(other.labels == number)
        if len(rows):
            shown = other.images[contact.pick_evenly(rows, params.report.tiles_per_class)]
            sheets.append(show_grid(shown, len(rows), name, "tiles of the reference's class"))
            chosen = other.images[contact.pick_evenly(rows, each)]
            images.append(chosen)
            labels += [number] * len(chosen)
    nothing = other.images[:0]
    plots: list[Scatter] = place_sample(np.concatenate([nothing, *images]))
    return {
        "name": params.report.reference,
        "classes": other.classes,
        "sheets": sheets,
        "plots": plots,
        "labels": labels,
        "lines": _compare_sets(params.classes, tiles, other),
        "sides": (tiles.tile_shape[0], other.images.shape[1]),
    }


def _compare_sets(
    classes: Sequence[str], tiles: DatasetFile, other: Outside
) -> list[tuple[str, _Measured, _Measured]]:
    """Return each class of either set with what is told of it in ours and in the other."""
    lines = []
    for name in dict.fromkeys([*classes, *other.classes]):
        ours = np.flatnonzero(tiles.labels == _find(name, tiles.classes))
        theirs = np.flatnonzero(other.labels == _find(name, other.classes))
        own_tiles = tiles.read(contact.pick_evenly(ours, _MEASURED)).images
        other_tiles = other.images[contact.pick_evenly(theirs, _MEASURED)]
        lines.append(
            (
                name,
                _measure(own_tiles, len(ours), f"mean of our {name}"),
                _measure(other_tiles, len(theirs), f"mean of the reference's {name}"),
            )
        )
    return lines


def _find(name: str, classes: Sequence[str]) -> int:
    """Return the number of a class; one that no tile has, where there is no such class."""
    return list(classes).index(name) if name in classes else -2


def _measure(tiles: Pixels, count: int, alt: str) -> _Measured:
    """Return what is told of `count` tiles, of which these are some."""
    if not len(tiles):
        return _Measured(0)
    mean = average_tiles(tiles)
    writing = tiles.shape[3] == 1
    return _Measured(
        count,
        embed(mean, alt, scale=scale_of(mean.shape[0])),
        measure_strokes(tiles) if writing else None,
        measure_spread(tiles),
    )
