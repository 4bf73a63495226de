"""What a model reads where there is no label yet: what `prep predict --as-labels` drafts.

The model works in a process of its own: this one imports no TensorFlow.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from starlette.routing import BaseRoute

from pipeline.dataset.reading import open_tiles
from pipeline.dataset.store import in_windows, read_glyphs
from pipeline.errors import DataError
from pipeline.isolation import Death, map_isolated
from pipeline.project import Project
from pipeline.review.answering import Content, MissingError, give
from pipeline.review.desk import Desk
from pipeline.review.watching import name_state
from pipeline.settings.params import Params
from pipeline.settings.sections import Tile
from pipeline.tiles.cutting import cut_writing

LEAST = 0.9  # chance from which a label is sure, as in `prep predict --as-labels`
WINDOW = 256  # tiles that are read at once
_MOST_KEPT = 8  # models


class _Suggested:
    """What each model reads, kept as long as the tiles and the model stay as they are."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: dict[tuple[str, ...], Content] = {}
        self._one_at_a_time = threading.Lock()

    def read(self, name: str) -> Content:
        """Return the suggestions of a model, '' for the usual one."""
        desk = self._desk
        models = list_models(desk.project, desk.params)
        if name and name not in models:
            raise MissingError("there is no such model")
        with self._one_at_a_time:
            own = [desk.project.root / one for one in ([name] if name else models)]
            files = [desk.project.params_file, *own]
            state = (name, name_state(files), desk.tiles().digest)
            if state not in self._kept:
                while len(self._kept) >= _MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[state] = suggest(desk, name)
            return self._kept[state] | {"models": models}


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the route of the suggestions."""
    suggested = _Suggested(desk)
    return [give("/api/suggestions", lambda asked: suggested.read(asked.get("model", "")))]


def list_models(project: Project, params: Params) -> list[str]:
    """Return the models that there are: of each trained experiment the first, and in models/."""
    runs = (
        project.run_folder(name, 0, params.seeds_of(name)[0]) / "model.keras"
        for name in params.experiments
    )
    own = sorted((project.root / "models").glob("*.keras"))
    return [path.relative_to(project.root).as_posix() for path in (*runs, *own) if path.is_file()]


def suggest(desk: Desk, model: str) -> Content:
    """Return what a model reads of the tiles without a label: by id a label and its chance.

    Where no model fits, nothing, and `trouble` says why.
    """
    tiles = desk.tiles()
    ids = [name for name, label in zip(tiles.ids, tiles.words, strict=True) if not label]
    if not ids:
        return {"by": "", "labels": {}, "least": LEAST, "trouble": ""}
    work = partial(_read_tiles, desk.project, desk.params, model)
    try:
        read = next(map_isolated(work, [ids], 1))
    except DataError as error:
        return {"by": "", "labels": {}, "least": LEAST, "trouble": str(error)}
    if isinstance(read, Death):
        raise DataError(f"the model can't be used: its process ended with {read}")
    by, labels = read
    return {"by": by, "labels": labels, "least": LEAST, "trouble": ""}


def _read_tiles(
    project: Project, params: Params, model: str, ids: Sequence[str]
) -> tuple[str, Mapping[str, tuple[str, float]]]:
    """Return the model's name, and by id what it reads, with its chance."""
    from pipeline.dataset.predictions import choose_classes
    from pipeline.training.readers import find_reader

    reader = find_reader(project, params, str(project.root / model) if model else None)
    read: dict[str, tuple[str, float]] = {}
    for some, images in _find_images(project, params, reader.tile, set(ids)):
        chances = reader.predict(images)
        if not np.isfinite(chances).all():
            raise DataError("the model gives no numbers as probabilities: its training diverged")
        for name, number, row in zip(some, choose_classes(chances), chances, strict=True):
            read[name] = reader.classes[number], round(float(row[number]), 6)
    return reader.name, read


def _find_images(
    project: Project, params: Params, tile: Tile, ids: Collection[str]
) -> Iterator[tuple[list[str], npt.NDArray[np.uint8]]]:
    """Yield tiles (n, S, S, C) as a model takes them, with their ids, a window at a time.

    Of writing they are made of the glyphs, as `prep predict` makes them; of photos they are there.
    """
    if tile.method == "photo":
        with open_tiles(project, params.classes) as tiles:
            if tiles.tile_shape != (tile.size, tile.size, tile.channels):
                raise DataError("tiles.h5 was made with other settings. Make it again: dvc repro")
            rows = [row for row, name in enumerate(tiles.ids) if name in ids]
            for start in range(0, len(rows), WINDOW):
                some = np.array(rows[start : start + WINDOW])
                yield tiles.ids[some].tolist(), tiles.read_images(some)
        return
    glyphs = (one for one in read_glyphs(project.input("glyphs.h5")) if one[0] in ids)
    for window in in_windows(glyphs, WINDOW):
        yield (
            [name for name, _ in window],
            np.stack([cut_writing(pixels, tile) for _, pixels in window]),
        )
