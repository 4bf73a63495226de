"""What `dvc repro` would have to do for corrections: pages, trainings, and about how long.

Found out as the road does it: with the labels as they would be, tiles are balanced and split, and
every fold in which another set is trained or validated on has its runs trained again.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from starlette.routing import BaseRoute

from pipeline.dataset.reading import PARTS as DIVIDED
from pipeline.dataset.reading import Fold, Part, read_folds, read_groups
from pipeline.dataset.splits import check_parts, choose_share
from pipeline.dataset.tables import LEFT_OUT, Row
from pipeline.errors import DataError
from pipeline.intake.grouping import group_tiles
from pipeline.review.answering import Content, give, take
from pipeline.review.changes import check_changes
from pipeline.review.desk import Desk
from pipeline.review.sheets import find_waiting
from pipeline.review.shelf import Tiles
from pipeline.review.watching import Watched
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of

STAGES, STAGE_SECONDS = 9, 1.5  # of the road, but for an op's own each; what each costs at least
TRAINED: tuple[Part, ...] = ("train", "val")
Labels = Mapping[str, str]  # by id
Parts = Mapping[Part, Collection[str]]  # ids


@dataclass(frozen=True)
class Study:
    """What is planned, and what its runs took."""

    folds: dict[str, list[Fold]] = field(default_factory=dict)  # of each planned experiment
    shares: dict[str, float] = field(default_factory=dict)  # of those that train on a part
    as_found: set[str] = field(default_factory=set)  # those on what nobody had corrected
    groups: dict[str, str] = field(default_factory=dict)  # of split.csv, by id
    seconds: float = 0  # of a run


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the costs, and of which part each tile is in."""
    made = [desk.project.output(name) for name in ("split.csv", "experiments", "runs", "tiles.h5")]
    # dvc.lock: a run that is finished deep in runs/ shows in no folder's time.
    also = [desk.project.params_file, desk.project.root / "dvc.lock"]
    study = Watched([*also, *made], partial(read_study, desk))
    desk.versions["parts"] = lambda: study.version
    return [
        give("/api/parts", lambda asked: _list_parts(desk)),
        take("/api/costs", lambda sent: _foresee(desk, study.read()[1], sent)),
    ]


def _foresee(desk: Desk, study: Study, sent: Content) -> Content:
    changes = check_changes(sent.get("changes"), desk.params.classes)
    changes = desk.waiting() | changes
    try:
        anew = find_waiting(desk.sheets(), desk.drawn())
    except DataError as error:  # of raw/boxes.csv: segment stops there too
        return foresee(desk.params, desk.tiles(), study, changes) | {"trouble": str(error)}
    return foresee(desk.params, desk.tiles(), study, changes, anew)


def foresee(
    params: Params, tiles: Tiles, study: Study, changes: Labels, anew: Collection[str] = ()
) -> Content:
    """Return how many pages, trainings and seconds it costs that tiles get other labels.

    anew: pages whose boxes changed; what tiles they will give shows when they are cut, so of them
    the trainings are the most that it may be (`most`). `trouble`: why the road would stop there,
    '' where it would not.
    """
    now = dict(zip(tiles.ids, tiles.words, strict=True))
    changed = {name: label for name, label in changes.items() if now.get(name, label) != label}
    then = now | changed
    pages = {scan_of(name) for name in changed} | set(anew)
    cost: Content = {"pages": len(pages), "trouble": "", "most": bool(anew)}
    trainings = 0
    if pages and not study.folds:  # nothing is planned yet: all has to be trained anyway
        trainings = params.split.folds * sum(map(len, map(params.seeds_of, params.experiments)))
    elif pages:
        try:
            trainings = _count_trainings(params, tiles, study, now, then, set(anew))
        except DataError as error:
            cost["trouble"] = str(error)
    road = (STAGES + len(params.augment)) * STAGE_SECONDS if pages else 0
    known = study.seconds or not trainings  # None: nobody has trained here yet
    seconds = road + trainings * study.seconds / _count_lanes(params, trainings) if known else None
    return cost | {"tiles": len(changed), "trainings": trainings, "seconds": seconds}


def _count_lanes(params: Params, trainings: int) -> int:
    from pipeline.training.lanes import count_lanes

    return count_lanes(None, trainings, params.train.memory_mb)


def _count_trainings(
    params: Params, tiles: Tiles, study: Study, now: Labels, then: Labels, anew: set[str]
) -> int:
    """Return how many runs would train or validate on another set than they did."""
    drawn = _divide(params, tiles, study.groups, then)
    # New tiles of a page that has none yet may come into any part.
    is_new = not anew <= {scan_of(name) for name in tiles.ids}
    changed: dict[tuple[float, bool], int] = {}  # folds, by what is trained on
    trainings = 0
    for name, folds in study.folds.items():
        share, is_found = kind = study.shares.get(name, 1), name in study.as_found
        if kind not in changed:
            thin = partial(
                _thin, share=share, seed=params.split.seed, labels=then, tied=study.groups
            )
            pairs = zip(folds, map(thin, drawn), strict=False)
            is_other = partial(_is_found_other if is_found else _is_other, now=now, then=then)
            changed[kind] = sum(
                is_new or _holds(fold.ids, anew) or is_other(fold.ids, after=ids)
                for fold, ids in pairs
            )
        trainings += changed[kind] * len(params.seeds_of(name))
    return trainings


def _holds(parts: Parts, pages: set[str]) -> bool:
    """Return whether tiles of some pages train or validate."""
    return any(scan_of(one) in pages for part in TRAINED for one in parts[part])


def _is_other(before: Parts, after: Parts, now: Labels, then: Labels) -> bool:
    """Return whether other tiles, or the same with other labels, train or validate."""
    return any(
        {(one, now.get(one)) for one in before[part]} != {(one, then[one]) for one in after[part]}
        for part in TRAINED
    )


def _is_found_other(before: Parts, after: Parts, now: Labels, then: Labels) -> bool:
    """Return whether other tiles train or validate where their labels are those that were found.

    What was trained on goes on being so where it is left out now (but for a group of which nothing
    else is left, which is dealt anew: that is not foreseen).
    """
    kept = {one for one in before["train"] if then.get(one) == LEFT_OUT}
    return set(before["train"]) != {*after["train"], *kept} or set(before["val"]) != set(
        after["val"]
    )


def _divide(params: Params, tiles: Tiles, tied: Labels, labels: Labels) -> list[Parts]:
    """Return the ids in each part of each fold, were these the labels."""
    from pipeline.training.division import (
        choose_balanced,
        count_parts,
        divide_tiles,
        find_given,
        name_parts,
    )

    words = np.array([labels[name] for name in tiles.ids], object)
    # As segment and DatasetFile.first_labels will have it.
    known = set(params.classes)
    first = [
        next((word for word in (box["found"] if box else "", now, then) if word in known), "")
        for box, now, then in zip(tiles.boxes, tiles.words, words, strict=True)
    ]
    keep = choose_balanced(params, words, np.array(first, object), np.array(tiles.ids, object))
    rows: list[Row] = [
        {"id": name, "label": labels[name], "group": group}
        for name, group, stays in zip(tiles.ids, tiles.groups, keep, strict=True)
        if stays and scan_of(name) in tiles.scans
    ]
    own, ids = _column(rows, "label"), _column(rows, "id")
    given, _ = find_given(params, [tiles.scans[scan_of(name)] for name in ids])
    parts, lines = name_parts(params, given), {row["id"]: row["row"] for row in tiles.boxes if row}
    count = count_parts(params, given)
    single = group_tiles(params.split.group, rows, tiles.scans, lines, count)
    # Tiles that look the same share a group, and with them all of their groups.
    ties = {own: tied[one] for own, one in zip(single, ids, strict=True) if one in tied}
    merged = np.array([ties.get(one, one) for one in single], object)
    split = divide_tiles(params, own, np.array(single, object), merged, given)
    for fold in split.folds:
        check_parts(own, fold, params.classes, parts)
    return [{part: ids[fold == part].tolist() for part in DIVIDED} for fold in split.folds]


def _column(rows: Sequence[Row], name: str) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.array([row[name] for row in rows], object)


def _thin(ids: Parts, share: float, seed: int, labels: Labels, tied: Labels) -> Parts:
    """Return the parts of a fold where an experiment trains on a share."""
    if share == 1:
        return ids
    chosen = sorted(ids["train"])
    own = np.array([labels[name] for name in chosen], object)
    group = np.array([tied.get(name, name) for name in chosen], object)
    stays = choose_share(own, group, share, seed)
    return {**ids, "train": [name for name, one in zip(chosen, stays, strict=True) if one]}


def read_study(desk: Desk) -> Study:
    """Return what is planned; nothing where nothing is, or what is there can't be used."""
    from pipeline.training.plans import load_plan, read_planned_folds

    project, params = desk.project, desk.params
    with suppress(DataError):
        plans = {name: load_plan(project, params, name) for name in params.experiments}
        seconds = [time for name in plans for time in _time_runs(project.output("runs", name))]
        return Study(
            folds={name: read_planned_folds(project, plan) for name, plan in plans.items()},
            shares={name: plan["share"] for name, plan in plans.items() if "share" in plan},
            as_found={name for name, plan in plans.items() if "labels" in plan},
            groups=read_groups(project.input("split.csv")),
            seconds=float(np.mean(seconds)) if seconds else 0,
        )
    return Study()


def _time_runs(folder: Path) -> Iterator[float]:
    """Yield how many seconds each finished run of an experiment took."""
    for file in folder.glob("fold-*/seed-*/run.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield float(json.loads(file.read_bytes())["seconds"])


def _list_parts(desk: Desk) -> Content:
    """Return the part of each tile (N,), as a place in `names`; with folds all is tested once."""
    part_of, names = dict[str, str](), ["", *DIVIDED]
    with suppress(DataError):
        folds = read_folds(desk.project.input("split.csv"))
        if len(folds) == 1:
            part_of = {name: part for part, ids in folds[0].ids.items() for name in ids}
    return {"names": names, "part": [names.index(part_of.get(one, "")) for one in desk.tiles().ids]}
