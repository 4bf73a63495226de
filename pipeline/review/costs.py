"""What `dvc repro` would have to do for a corrected tile: which trainings held it, how long is one.

By the plans and runs that are there. A tile of another label may let `balance` keep other tiles, so
that all this is about so.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from starlette.routing import BaseRoute

from pipeline.dataset.reading import FIRST_FOLD, Fold
from pipeline.errors import DataError
from pipeline.review.answering import Content, give
from pipeline.review.desk import Desk
from pipeline.review.watching import Watched

PARTS = ("", "train", "val", "test")


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the route of the costs."""
    output = desk.project.output
    files = [output("tiles.h5"), output("split.csv"), output("experiments"), output("scores")]
    costs = Watched(files, lambda: weigh(desk))
    desk.versions["costs"] = lambda: costs.version
    return [give("/api/costs", lambda asked: costs.read()[1])]


def weigh(desk: Desk) -> Content:
    """Return the part of each tile (N,) in the split, and what holds it.

    `sets`: of each training and validation set how many finished runs it has; `held` (N,): the
    place in `combinations` of the sets that hold a tile. `seconds`: of a run. `lanes`: at once.
    """
    from pipeline.training.lanes import count_lanes

    folds, sets = _list_sets(desk)
    ids = desk.tiles().ids
    combinations: dict[tuple[int, ...], int] = {}
    held = []
    for name in ids:
        inside = tuple(number for number, (content, _) in enumerate(sets) if name in content)
        held.append(combinations.setdefault(inside, len(combinations)))
    part_of = {
        name: part
        for fold in folds
        for part, names in fold.ids.items()
        for name in names
        if part == "test" or (len(folds) == 1 and fold.number == FIRST_FOLD)
    }
    seconds = [time for _, times in sets for time in times]
    return {
        "parts": PARTS,
        "part": [PARTS.index(part_of.get(name, "")) for name in ids],
        "folds": len(folds),
        "sets": [len(times) for _, times in sets],
        "combinations": list(combinations),
        "held": held,
        "seconds": float(np.mean(seconds)) if seconds else 0,
        "lanes": count_lanes(None, len(seconds), desk.params.train.memory_mb),
    }


def _list_sets(desk: Desk) -> tuple[list[Fold], list[tuple[set[str], list[float]]]]:
    """Return the folds, and each set that some experiment trains on with its runs' seconds.

    Nothing where there is no split yet, or one that does not belong to the tiles any more.
    """
    from pipeline.training.plans import load_plan, read_planned_folds

    project, params = desk.project, desk.params
    if not project.output("split.csv").exists():
        return [], []
    sets: dict[tuple[object, int], tuple[set[str], list[float]]] = {}
    folds: list[Fold] = []
    for name in params.experiments:
        with suppress(DataError, KeyError):
            plan = load_plan(project, params, name)
            folds = read_planned_folds(project, plan)
            for fold in folds:
                key = plan.get("share"), fold.number
                content = fold.ids["train"] | fold.ids["val"]
                _, times = sets.setdefault(key, (content, []))
                for seed in params.seeds_of(name):
                    times += _time_run(project.run_folder(name, fold.number, seed))
    return folds, list(sets.values())


def _time_run(folder: Path) -> Iterator[float]:
    """Yield how many seconds a run took, if it is there."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        yield float(json.loads((folder / "run.json").read_bytes())["seconds"])
