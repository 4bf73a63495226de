"""The files under processed/ against one another: counts, ids, labels, parents, digests.

Everything is attributed to the later of two files, which is made of the earlier one. A file that is
faulty by itself is not compared. Only ids and labels are kept in memory, never pictures.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, partial

import numpy as np

from pipeline.checks.experiments import examine_plans, examine_runs, examine_scores
from pipeline.checks.faults import Fault, stage_of
from pipeline.checks.leaks import find_leaks
from pipeline.checks.readers import (
    SHOWN,
    Box,
    Columns,
    Data,
    Folds,
    Scans,
    read_ablation,
    read_balanced,
    read_boxes,
    read_columns,
    read_left_out,
    read_part,
    read_quarantine,
    read_scans,
    read_split,
    tell_reason,
)
from pipeline.dataset.documents import Plan, read_object
from pipeline.dataset.reading import open_tiles
from pipeline.dataset.schema import name_labels
from pipeline.dataset.store import read_glyph_ids
from pipeline.errors import DataError
from pipeline.notes import digest_file
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.training.plans import digest_originals, draw_plans, find_model


def examine(project: Project, params: Params) -> list[Fault]:
    """Return what is wrong with the files that are there, each by itself and among each other."""
    faults: list[Fault] = []
    read = partial(read_part, project, faults)
    data = Data(
        scans=read("catalogue.csv", partial(read_scans, params.classes)),
        boxes=read("boxes.csv", partial(read_boxes, params.classes)),
        glyphs=read("glyphs.h5", lambda path, said: read_glyph_ids(path)),
        tiles=read("tiles.h5", partial(read_columns, params.classes)),
        balanced=read("balanced.csv", partial(read_balanced, params.classes)),
        folds=read("split.csv", read_split),
    )
    read("left_out.csv", read_left_out)
    read("quarantine.csv", read_quarantine)
    faults += _compare_data(data, params.classes)
    if data.tiles:
        faults += _compare_settings("processed/tiles.h5", data.tiles, params.tile.model_dump())
    trained = _find_trained(data, len(params.classes))
    whole = [
        _examine_variants(project, params, op, name, trained[label] if trained else None, faults)
        for op in params.augment
        for label, name in enumerate(params.classes)
    ]
    drawn: list[Plan] = []
    if data.tiles and data.folds and all(whole):
        faults += _tell_leaks(project, params)
        drawn = _draw_plans(project, params)
    examine_plans(project, params, drawn, faults)
    digest = cache(digest_file)  # experiments share files
    for name in params.experiments:
        examine_runs(project, params, name, data.folds, faults)
        examine_scores(project, params, name, data, digest, faults)
    read("ablation.csv", partial(read_ablation, params.experiments))
    read("ablation.json", lambda path, said: read_object(path, ""))
    return faults


def _compare_data(data: Data, classes: tuple[str, ...]) -> Iterator[Fault]:
    """Yield where boxes, glyphs, tiles, balanced tiles and split disagree."""
    if data.scans and data.boxes is not None:
        yield from _compare_boxes(data.scans, data.boxes)
    if data.boxes is not None and data.tiles:
        yield from _compare_tiles(data.boxes, data.glyphs, data.tiles, classes)
    if data.tiles and data.balanced is not None:
        yield from _compare_balanced(data.tiles, data.balanced, classes)
    if data.balanced is not None and data.folds is not None:
        may_lack = data.scans is None or data.scans.given
        yield from _compare_split(data.balanced, data.folds, may_lack)


def _compare_boxes(scans: Scans, boxes: dict[str, Box]) -> Iterator[Fault]:
    """Yield the boxes of no scan, and those that reach beyond theirs."""
    file = "processed/boxes.csv"
    for name, (right, lower, _, _) in boxes.items():
        size = scans.sizes.get(scan_of(name))
        if size is None:
            yield Fault(file, f"{name}: catalogue.csv has no such scan")
        elif right > size[0] or lower > size[1]:
            yield Fault(file, f"{name}: the box reaches beyond its scan of {size[0]} x {size[1]}")


def _compare_tiles(
    boxes: dict[str, Box],
    glyphs: list[str] | None,
    tiles: Columns,
    classes: tuple[str, ...],
) -> Iterator[Fault]:
    """Yield where glyphs.h5 and tiles.h5 are not of the boxes."""
    writing = tiles.parameters.get("method") != "photo"
    if glyphs is not None and (writing or glyphs) and glyphs != list(boxes):
        yield Fault(
            "processed/glyphs.h5",
            f"its {len(glyphs):,} glyphs are not those of the {len(boxes):,} boxes of boxes.csv",
        )
    file = "processed/tiles.h5"
    yield from _compare_ids(file, tiles.ids, boxes, "boxes.csv")
    labels, found = (name_labels(one, classes) for one in (tiles.labels, tiles.found))
    for name, label, first in zip(tiles.ids, labels, found, strict=True):
        box = boxes.get(name)
        if box and box.label != label:
            yield Fault(file, f"{name}: label '{label}', in boxes.csv '{box.label}'")
        elif box and box.found != first:
            yield Fault(file, f"{name}: found with label '{first}', in boxes.csv '{box.found}'")


def _compare_balanced(
    tiles: Columns, balanced: dict[str, tuple[str, str]], classes: tuple[str, ...]
) -> Iterator[Fault]:
    """Yield the rows of balanced.csv that are not those of tiles.h5."""
    place = {name: row for row, name in enumerate(tiles.ids)}
    for name, (label, group) in balanced.items():
        row = place.get(name)
        if row is None:
            what = "tiles.h5 has no such tile"
        elif tiles.labels[row] < 0 or classes[tiles.labels[row]] != label:
            what = f"label '{label}' is not that of tiles.h5"
        elif tiles.groups[row] != group:
            what = f"group '{group}', in tiles.h5 '{tiles.groups[row]}'"
        else:
            continue
        yield Fault("processed/balanced.csv", f"{name}: {what}")


def _compare_split(
    balanced: dict[str, tuple[str, str]], folds: Folds, may_lack: bool
) -> Iterator[Fault]:
    """Yield where a fold is not of all balanced tiles, or a tile is not tested once.

    With a split that came with the data, tiles may be left out.
    """
    file = "processed/split.csv"
    for number, parts in folds.items():
        wanted: Iterable[str] = balanced
        if may_lack:
            wanted = [name for name in balanced if name in parts]
        yield from _compare_ids(file, list(parts), wanted, "balanced.csv", f"fold {number}: ")
    tested = Counter(
        name for parts in folds.values() for name, part in parts.items() if part == "test"
    )
    for name in balanced:
        if len(folds) > 1 and tested[name] != 1:
            yield Fault(file, f"{name} is tested in {tested[name]} folds")


def _compare_ids(
    file: str, found: list[str], wanted: Iterable[str], origin: str, where: str = ""
) -> Iterator[Fault]:
    expected = set(wanted)
    strangers, missing = set(found) - expected, expected - set(found)
    if strangers:
        yield Fault(file, f"{where}{origin} does not have {_name(strangers)}")
    if missing:
        yield Fault(file, f"{where}{_name(missing)} of {origin} is not in it")


def _name(names: Collection[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more


def _tell_leaks(project: Project, params: Params) -> Iterator[Fault]:
    """Yield each leak of the split; every tile's pixels are read for that, in windows."""
    try:
        yield from (Fault("processed/split.csv", leak) for leak in find_leaks(project, params))
    except DataError as error:  # pixels that can't be unpacked
        yield Fault("processed/tiles.h5", tell_reason(error))


def _draw_plans(project: Project, params: Params) -> list[Plan]:
    """Return the plans that would be drawn now; none where a file of theirs is not there."""
    try:
        with open_tiles(project, params.classes) as tiles:
            originals = digest_originals(tiles)
        return draw_plans(project, params, originals, find_model(project, params))
    except DataError:
        return []


def _find_trained(data: Data, class_count: int) -> list[set[str]] | None:
    """Return for each class the ids that some fold trains on; None where that can't be known."""
    if not data.tiles or not data.folds:
        return None
    trained: list[set[str]] = [set() for _ in range(class_count)]
    label_of = dict(zip(data.tiles.ids, data.tiles.labels, strict=True))
    for parts in data.folds.values():
        for name, part in parts.items():
            label = label_of.get(name, -1)
            if part == "train" and label >= 0:
                trained[label].add(name)
    return trained


def _examine_variants(
    project: Project,
    params: Params,
    op: str,
    class_name: str,
    trained: set[str] | None,
    faults: list[Fault],
) -> bool:
    """Add what is wrong with one op's variants of one class; return whether it can be read."""
    path = project.variants_file(op, class_name, params.classes)
    part = path.relative_to(project.output()).as_posix()
    variants = read_part(project, faults, part, partial(read_columns, params.classes))
    if variants is None:
        return not path.exists()
    file = project.relative(path)
    for row in np.flatnonzero(variants.labels != params.classes.index(class_name))[:SHOWN]:
        what = f"label {variants.labels[row]}, not that of '{class_name}'"
        faults.append(Fault(file, f"row {row} ({variants.ids[row]}): {what}"))
    faults += _compare_settings(file, variants, params.augment[op].describe())
    if trained is not None:
        faults += _compare_parents(file, op, variants, trained)
    return True


def _compare_settings(file: str, made: Columns, wanted: Mapping[str, object]) -> Iterator[Fault]:
    """Yield the settings that a file was made with and that params.yaml has otherwise by now.

    DVC's cache of runs takes `size: 28` for `size: 24` where dvc.yaml is an older one.
    """
    now = json.loads(json.dumps(wanted))
    for name, value in made.parameters.items():
        if name in now and now[name] != value:
            yield Fault(
                file,
                f"was made with {name}: {json.dumps(value)}, and params.yaml has "
                f"{json.dumps(now[name])}",
                f"Make it again with: dvc repro --force --single-item {stage_of(file)}",
            )


def _compare_parents(file: str, op: str, variants: Columns, trained: set[str]) -> Iterator[Fault]:
    """Yield where a file is not of as many variants of each training tile as its op makes."""
    told = variants.parameters.get("copies", 1)
    copies = told if isinstance(told, int) else 1
    expected = {f"{name}-{op}-{copy}": name for name in trained for copy in range(copies)}
    if len(variants.ids) != len(expected):
        yield Fault(
            file,
            f"{len(variants.ids):,} variants, where {len(trained):,} training tiles and {copies} "
            f"copies of each make {len(expected):,}",
        )
    for row, (name, parent) in enumerate(zip(variants.ids, variants.parents, strict=True)):
        if expected.get(name) != parent:
            yield Fault(file, f"row {row}: {name} is no variant of the training tile {parent}")
