"""The files under processed/ against one another: counts, ids, labels, parents, digests.

Everything is attributed to the later of two files, which is made of the earlier one. A file that is
faulty by itself is not compared. Only ids and labels are kept in memory, never pictures.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.checks import contents
from pipeline.checks.contents import find_repeats, judge_lines, read_object
from pipeline.checks.faults import Fault
from pipeline.checks.leaks import find_leaks
from pipeline.dataset.store import open_dataset, read_glyph_ids
from pipeline.dataset.tables import COLUMNS, Row
from pipeline.errors import DataError, UnusableFileError
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_id, scan_of
from pipeline.training.plans import digest_file
from pipeline.training.runs import digest_files
from pipeline.verdicts.tables import LONG_COLUMNS

Found = TypeVar("Found")
Folds = dict[int, dict[str, str]]  # of each fold: the part of each id

SHOWN = 3  # ids that a sentence names


@dataclass(frozen=True)
class _Scans:
    """The usable scans of catalogue.csv: their width and height; was a split given?"""

    sizes: dict[str, tuple[int, int]]
    given: bool


@dataclass(frozen=True)
class _Columns:
    """What a dataset file says, without its images."""

    ids: list[str]
    labels: npt.NDArray[np.int16]
    groups: list[str]
    parents: list[str]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class _Data:
    """The files up to the split; None for what is missing or faulty by itself."""

    scans: _Scans | None
    boxes: dict[str, tuple[int, int, str]] | None  # right and lower side, label
    glyphs: list[str] | None
    tiles: _Columns | None
    balanced: dict[str, tuple[str, str]] | None  # label, group
    folds: Folds | None


def examine(project: Project, params: Params) -> list[Fault]:
    """Return what is wrong with the files that are there, each by itself and among each other."""
    faults: list[Fault] = []
    read = partial(_read_part, project, faults)
    data = _Data(
        scans=read("catalogue.csv", partial(_read_scans, params.classes)),
        boxes=read("boxes.csv", partial(_read_boxes, params.classes)),
        glyphs=read("glyphs.h5", lambda path, said: read_glyph_ids(path)),
        tiles=read("tiles.h5", partial(_read_columns, params.classes)),
        balanced=read("balanced.csv", partial(_read_balanced, params.classes)),
        folds=read("split.csv", _read_split),
    )
    read("quarantine.csv", _read_quarantine)
    faults += _compare_data(data, params.classes)
    trained = _find_trained(data, len(params.classes))
    whole = [
        _examine_variants(project, params, op, name, trained[label] if trained else None, faults)
        for op in params.augment
        for label, name in enumerate(params.classes)
    ]
    if data.tiles and data.folds and all(whole):
        faults += _tell_leaks(project, params)
    digest = cache(digest_file)  # experiments share files
    for name in params.experiments:
        _examine_plan(project, name, digest, faults)
        _examine_runs(project, params, name, data.folds, faults)
        _examine_scores(project, params, name, data, digest, faults)
    read("ablation.csv", partial(_read_ablation, params.experiments))
    read("ablation.json", lambda path, said: read_object(path))
    return faults


def _read_part(
    project: Project,
    faults: list[Fault],
    part: str,
    read: Callable[[Path, list[str]], Found],
) -> Found | None:
    """Return what a file under processed/ says; None if it is missing, or has a fault."""
    path = project.output(*part.split("/"))
    if not path.is_file():
        return None
    said: list[str] = []
    found = None
    try:
        found = read(path, said)
    except DataError as error:
        said.append(_tell_reason(error))
    faults += [Fault(project.relative(path), what) for what in said]
    return None if said else found


def _tell_reason(error: DataError) -> str:
    """Return what is wrong with a file, without its name and the remedy, which are a Fault's."""
    return error.reason if isinstance(error, UnusableFileError) else str(error).rstrip(".")


# --- The readers ---------------------------------------------------------------------------


def _read_scans(classes: Sequence[str], path: Path, faults: list[str]) -> _Scans:
    """Read catalogue.csv."""
    judge = partial(contents.judge_scan, classes=classes)
    rows = [
        (
            scan_id(row["sha256"], int(row["page"])),
            int(row["width"]),
            int(row["height"]),
            row["split"],
        )
        for row in judge_lines(path, COLUMNS["catalogue"], judge, faults)
        if row["status"] == "ok"
    ]
    faults += [f"the scan {name} stands there twice" for name in find_repeats(r[0] for r in rows)]
    return _Scans({name: (w, h) for name, w, h, _ in rows}, any(row[3] for row in rows))


def _read_boxes(
    classes: Sequence[str], path: Path, faults: list[str]
) -> dict[str, tuple[int, int, str]]:
    """Read boxes.csv."""
    judge = partial(contents.judge_box, classes=classes)
    rows = [
        (row["id"], (int(row["x1"]), int(row["y1"]), row["label"]))
        for row in judge_lines(path, COLUMNS["boxes"], judge, faults)
    ]
    return _without_repeats(rows, faults)


def _read_balanced(
    classes: Sequence[str], path: Path, faults: list[str]
) -> dict[str, tuple[str, str]]:
    """Read balanced.csv."""
    judge = partial(contents.judge_balanced, classes=classes)
    rows = judge_lines(path, COLUMNS["balanced"], judge, faults)
    return _without_repeats([(row["id"], (row["label"], row["group"])) for row in rows], faults)


def _read_split(path: Path, faults: list[str]) -> Folds:
    """Read split.csv."""
    folds: Folds = {}
    for row in judge_lines(path, COLUMNS["split"], contents.judge_split, faults):
        parts = folds.setdefault(int(row["fold"]), {})
        if row["id"] in parts:
            faults.append(f"{row['id']} stands twice in fold {row['fold']}")
        parts[row["id"]] = row["split"]
    if sorted(folds) != list(range(len(folds))):
        faults.append(f"its folds are {', '.join(map(str, sorted(folds)))}")
    return folds


def _read_quarantine(path: Path, faults: list[str]) -> None:
    """Read quarantine.csv."""
    for _ in judge_lines(path, COLUMNS["quarantine"], contents.judge_quarantined, faults):
        pass


def _read_ablation(experiments: Collection[str], path: Path, faults: list[str]) -> None:
    """Read ablation.csv."""

    def judge(row: Row) -> str:
        known = row["experiment"] in experiments
        return "" if known else f"there is no experiment '{row['experiment']}'"

    for _ in judge_lines(path, LONG_COLUMNS, judge, faults):
        pass


def _read_columns(classes: Sequence[str], path: Path, faults: list[str]) -> _Columns:
    """Read a dataset file: ids unique, labels in range, draws numbers."""
    with open_dataset(path) as dataset:
        names = [str(name) for name in dataset.ids]
        labels = dataset.labels
        if dataset.classes != list(classes):
            faults.append("its classes are not those of params.yaml, in this order")
        for row in np.flatnonzero((labels < -1) | (labels >= len(dataset.classes)))[:SHOWN]:
            faults.append(f"row {row} ({names[row]}): label {labels[row]} is no class's number")
        faults += [f"the id {name} stands there twice" for name in find_repeats(names)]
        parents = []
        if dataset.draw_names or "op" in dataset.made_by:
            parents = [str(name) for name in dataset.parents]
            draws = dataset.draws
            if draws.shape[1] != len(dataset.draw_names):
                faults.append(f"{draws.shape[1]} draws a variant, {len(dataset.draw_names)} names")
            for row in np.flatnonzero(~np.isfinite(draws).all(axis=1))[:SHOWN]:
                faults.append(f"row {row} ({names[row]}): its draws are not all numbers")
        parameters = dataset.made_by.get("parameters")
        return _Columns(
            names,
            labels,
            [str(group) for group in dataset.groups],
            parents,
            parameters if isinstance(parameters, dict) else {},
        )


def _without_repeats(rows: list[tuple[str, Found]], faults: list[str]) -> dict[str, Found]:
    faults += [f"the id {name} stands there twice" for name in find_repeats(r[0] for r in rows)]
    return dict(rows)


# --- Up to the split -----------------------------------------------------------------------


def _compare_data(data: _Data, classes: tuple[str, ...]) -> Iterator[Fault]:
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


def _compare_boxes(scans: _Scans, boxes: dict[str, tuple[int, int, str]]) -> Iterator[Fault]:
    """Yield the boxes of no scan, and those that reach beyond theirs."""
    file = "processed/boxes.csv"
    for name, (right, lower, _) in boxes.items():
        size = scans.sizes.get(scan_of(name))
        if size is None:
            yield Fault(file, f"{name}: catalogue.csv has no such scan")
        elif right > size[0] or lower > size[1]:
            yield Fault(file, f"{name}: the box reaches beyond its scan of {size[0]} x {size[1]}")


def _compare_tiles(
    boxes: dict[str, tuple[int, int, str]],
    glyphs: list[str] | None,
    tiles: _Columns,
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
    for name, label in zip(tiles.ids, tiles.labels, strict=True):
        said = boxes[name][2] if name in boxes else ""
        found = classes[label] if label >= 0 else ""
        if name in boxes and said != found:
            yield Fault(file, f"{name}: label '{found}', in boxes.csv '{said}'")


def _compare_balanced(
    tiles: _Columns, balanced: dict[str, tuple[str, str]], classes: tuple[str, ...]
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
        yield Fault("processed/tiles.h5", _tell_reason(error))


# --- Variants ------------------------------------------------------------------------------


def _find_trained(data: _Data, class_count: int) -> list[set[str]] | None:
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
    path = project.variants_file(op, class_name)
    part = path.relative_to(project.output()).as_posix()
    variants = _read_part(project, faults, part, partial(_read_columns, params.classes))
    if variants is None:
        return not path.exists()
    file = project.relative(path)
    for row in np.flatnonzero(variants.labels != params.classes.index(class_name))[:SHOWN]:
        what = f"label {variants.labels[row]}, not that of '{class_name}'"
        faults.append(Fault(file, f"row {row} ({variants.ids[row]}): {what}"))
    if trained is not None:
        faults += _compare_parents(file, op, variants, trained)
    return True


def _compare_parents(file: str, op: str, variants: _Columns, trained: set[str]) -> Iterator[Fault]:
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


# --- Experiments ---------------------------------------------------------------------------


def _examine_plan(
    project: Project, name: str, digest: Callable[[Path], str], faults: list[Fault]
) -> None:
    """Add where a plan is not of the files that are there."""
    part = f"experiments/{name}.json"
    _read_part(project, faults, part, partial(_read_plan, project.root, digest))


def _read_plan(root: Path, digest: Callable[[Path], str], path: Path, faults: list[str]) -> None:
    """Read a plan: each file that it names has the digest that it had then."""
    plan = read_object(path, contents.PLAN_KEYS)
    try:
        named = [plan["tiles"], plan["split"], *plan["variants"], *filter(None, [plan["model"]])]
        files = [(root / entry["file"], entry["file"], entry["sha256"]) for entry in named]
    except (TypeError, KeyError) as error:
        raise DataError(f"it does not name its files as a plan does ({error})") from error
    for file, shown, recorded in files:
        if not file.is_file():
            faults.append(f"it names {shown}, which is gone")
        elif digest(file) != recorded:
            faults.append(f"it was made for another {shown}")


def _examine_runs(
    project: Project, params: Params, name: str, folds: Folds | None, faults: list[Fault]
) -> None:
    """Add what is wrong with the trainings of an experiment, and which of them are missing."""
    there = sorted(project.output("runs", name).glob("fold-*/seed-*"))
    for folder in filter(Path.is_dir, there):
        part = folder.relative_to(project.output()).as_posix()
        for file in ("run.json", "history.csv", "model.keras"):
            if not (folder / file).is_file():
                faults.append(Fault(f"processed/{part}/{file}", "it is gone"))
        _read_part(project, faults, f"{part}/run.json", _check_run)
        _read_part(project, faults, f"{part}/history.csv", _read_history)
        _read_part(
            project, faults, f"{part}/model.keras", lambda path, said: contents.check_model(path)
        )
    for fold in folds if there and folds else ():
        for seed in params.train.seeds:
            folder = project.run_folder(name, fold, seed)
            if not folder.exists():
                faults.append(Fault(project.relative(folder), "this run is missing"))


def _check_run(path: Path, faults: list[str]) -> None:
    """Read run.json, which says where it lies, and what lies beside it."""
    run = read_object(path, contents.RUN_KEYS)
    place = f"fold-{run['fold']}/seed-{run['seed']}"
    if f"{path.parent.parent.name}/{path.parent.name}" != place:
        faults.append(f"it is of {place}")
    there = all((path.parent / name).is_file() for name in ("model.keras", "history.csv"))
    if there and run["files"] != digest_files(path.parent):
        faults.append("the files beside it are not those that it was written with")


def _read_history(path: Path, faults: list[str]) -> None:
    """Read history.csv, whose steps increase."""
    rows = judge_lines(path, COLUMNS["history"], contents.judge_interval, faults)
    steps = [float(row["step"]) for row in rows]
    if not steps or sorted(set(steps)) != steps:
        faults.append("its steps do not increase")


def _examine_scores(
    project: Project,
    params: Params,
    name: str,
    data: _Data,
    digest: Callable[[Path], str],
    faults: list[Fault],
) -> None:
    """Add what is wrong with the scores of an experiment: its predictions and its metrics."""
    read = partial(_read_part, project, faults)
    split = project.output("split.csv")
    wanted = digest(split) if split.is_file() else None
    read(f"scores/{name}/metrics.json", partial(_read_metrics, params.classes, wanted))
    judge = partial(_read_predictions, params, data)
    read(f"scores/{name}/predictions.csv", judge)


def _read_metrics(
    classes: tuple[str, ...], split: str | None, path: Path, faults: list[str]
) -> None:
    """Read metrics.json, which is of this split and these classes."""
    metrics = read_object(path, contents.METRICS_KEYS)
    if metrics["classes"] != list(classes):
        faults.append("its classes are not those of params.yaml, in this order")
    if split and metrics["split"] != split:
        faults.append("it was made on another split.csv")
    if not isinstance(metrics["runs"], list) or not metrics["runs"]:
        faults.append("it has no runs")


def _read_predictions(params: Params, data: _Data, path: Path, faults: list[str]) -> None:
    """Read predictions.csv: a row for each test tile of each fold and seed."""
    columns = [*COLUMNS["predictions"], *(f"p{number}" for number in range(len(params.classes)))]
    judge = partial(contents.judge_prediction, classes=params.classes)
    rows = [
        (int(row["fold"]), int(row["seed"]), row["id"], row["label"])
        for row in judge_lines(path, columns, judge, faults)
    ]
    found = Counter(row[:3] for row in rows)
    for fold, seed, name in (key for key, count in found.items() if count > 1):
        faults.append(f"{name} stands twice in fold {fold}, seed {seed}")
    if data.folds:
        expected = {
            (fold, seed, name)
            for fold, parts in data.folds.items()
            for name, part in parts.items()
            if part == "test"
            for seed in params.train.seeds
        }
        tests, seeds = len(expected) // len(params.train.seeds), len(params.train.seeds)
        if found.keys() != expected:
            lacking, strange = len(expected - found.keys()), len(found.keys() - expected)
            faults.append(
                f"{len(rows):,} rows, where {tests:,} test tiles and {seeds} seeds make "
                f"{len(expected):,} ({lacking:,} lacking, {strange:,} too many)"
            )
    if data.balanced:
        for _, _, name, label in rows:
            if name in data.balanced and data.balanced[name][0] != label:
                faults.append(f"{name}: label '{label}', in balanced.csv {data.balanced[name][0]}")
