"""prep check: is the project what it says it is?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from pipeline.checks.agreement import examine
from pipeline.checks.faults import Fault, stage_of, tell_faults
from pipeline.checks.leaks import find_leaks
from pipeline.checks.records import (
    SOURCES,
    Lock,
    digest_md5,
    find_changed,
    find_new_sources,
    find_stale,
    list_files,
    read_lock,
)
from pipeline.checks.road import tell_differences
from pipeline.console import show, track, warn
from pipeline.dataset.store import Rows, open_dataset
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.errors import DataError, nearest
from pipeline.project import MADE_BY, Project
from pipeline.settings.params import Params
from pipeline.tiles.contact import pick_evenly
from pipeline.tiles.likeness import (
    Resemblance,
    TileSpace,
    count_needed,
    find_resemblances,
    map_originals,
)

# How many tiles are compared, so that an op takes seconds with any number of classes.
MOST_OF_A_CLASS = 300
MOST_OF_ALL = 3000

LAST_STEP = "Then bring all that follows up to date with: dvc repro"

SHOWN = 3  # examples in a row of the table, pairs in a warning


def check_lineage(project: Project, params: Params) -> str:
    """Prove that nothing crosses the split; raises DataError naming what does."""
    leaks = find_leaks(project, params)
    if leaks:
        raise DataError("\n".join(["the split leaks:", *leaks]))
    return "no tile, group, picture or variant's parent crosses the split"


def check_files(project: Project, params: Params) -> str:
    """Verify every processed file; raises DataError with a line for each that is faulty."""
    for sentence in tell_differences(project.root):
        warn(sentence)
    lock = read_lock(project.root)
    recorded = [record.path for record in [*lock.outputs, *lock.inputs]] if lock else []
    files = digest_all(project.root, dict.fromkeys([*recorded, *list_outputs(params)]))
    faults: list[Fault] = []
    stale: set[str] = set()
    if lock and files:
        lock = forget_dropped(lock, params, files)
        settings = yaml.safe_load(project.params_file.read_text(encoding="utf-8"))
        stale = find_stale(lock, files, settings)
        # A training that goes on has new runs already; what they are is told by their own digests.
        trained = {name for name in stale if name.startswith("train@")}
        recorded_then = [record for record in lock.outputs if record.stage not in trained]
        faults += find_changed(project.root, recorded_then, files)
    # What is out of date may well disagree with what is not.
    faults += [fault for fault in examine(project, params) if stage_of(fault.file) not in stale]
    tell_missing(project, params, lock if files else None)
    sources = check_sources(project.root, lock if files else None)
    if not lock:
        warn("there is no dvc.lock, so no file's bytes could be checked, only what they say")
    if stale and not faults:
        warn(f"not up to date: {', '.join(sorted(stale))}. Bring them up to date with: dvc repro")
    if faults:
        lines = tell_faults(project.root, dict.fromkeys(faults))
        raise DataError(
            "\n".join(["not everything under processed/ is as it should be:", *lines, LAST_STEP])
        )
    checked = sum(any(is_at(name, path) for path in recorded) for name in files)
    whole = f"{len(files):,} file{'s' * (len(files) != 1)}" if files else "no file"
    return (
        f"{whole} under processed/ and nothing wrong, {checked:,} of them by dvc.lock's digests; "
        f"{sources}"
    )


def digest_all(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the MD5 of each file at and under the given paths."""
    names = list_files(root, paths)
    return {name: digest_md5(root / name) for name in track(names, "reading files")}


def check_sources(root: Path, lock: Lock | None) -> str:
    """Warn of what in raw/ and models/ is not as DVC recorded it; return what is known of each."""
    recorded = dict.fromkeys(record.path for record in lock.sources) if lock else {}
    changed = find_new_sources(lock, digest_all(root, recorded)) if lock else {}
    for path, stages in changed.items():
        warn(
            f"{path} is not as dvc.lock recorded it for {', '.join(stages)}: changed, added to or "
            "not all here (what .dvcignore leaves out counts too). Bring what is made of it up to "
            "date with: dvc repro"
        )
    known = {
        "as recorded": [path for path in recorded if path not in changed],
        "changed since": list(changed),
        "not looked at": [name for name in SOURCES if name not in recorded],
    }
    return "; ".join(f"{' and '.join(paths)} {what}" for what, paths in known.items() if paths)


def forget_dropped(lock: Lock, params: Params, files: Mapping[str, str]) -> Lock:
    """Return the lock without what is gone of ops and experiments that params.yaml dropped."""
    known = {
        *(f"augment@{op}" for op in params.augment),
        *(f"{verb}@{name}" for verb in ("train", "evaluate") for name in params.experiments),
    }

    def counts(stage: str, path: str) -> bool:
        there = any(is_at(name, path) for name in files)
        return stage in known or "@" not in stage or there

    outputs = [record for record in lock.outputs if counts(record.stage, record.path)]
    stages = {record.stage for record in outputs}
    inputs = [record for record in lock.inputs if record.stage in stages]
    params_then = {s: values for s, values in lock.params.items() if s in stages}
    return Lock(outputs, inputs, params_then, lock.sources)


def is_at(name: str, path: str) -> bool:
    """Return whether a file is the path itself or lies under it."""
    return f"{name}/".startswith(f"{path}/")


def list_outputs(params: Params) -> Iterator[str]:
    """Yield what the road makes under processed/, in its order."""
    for name, stage in MADE_BY.items():
        if name == "augmented":
            yield from (f"processed/{name}/{op}" for op in params.augment)
        elif stage in {"train", "evaluate"}:
            yield from (f"processed/{name}/{experiment}" for experiment in params.experiments)
        else:
            yield f"processed/{name}"


def tell_missing(project: Project, params: Params, lock: Lock | None) -> None:
    """Say which outputs are not there, unless they were and are gone, which is a fault."""
    recorded = {record.path for record in lock.outputs} if lock else set()
    missing = [
        path
        for path in list_outputs(params)
        if path not in recorded and not (project.root / path).exists()
    ]
    if missing:
        warn(f"not made yet: {', '.join(missing)}. Make them with: dvc repro")


def check_labels(project: Project, params: Params, only: str | None = None) -> str:
    """Show and warn where an op (or `only` one) makes a class look like another."""
    if only is not None and only not in params.augment:
        raise DataError(
            f"there is no op '{only}' in params.yaml.{nearest(only, params.augment)} "
            f"Known (augment): {', '.join(params.augment)}"
        )
    most = min(MOST_OF_A_CLASS, MOST_OF_ALL // len(params.classes))
    originals, classes = read_originals(project, most)
    space = map_originals(originals.images, originals.labels, len(classes))
    names = list(params.augment) if only is None else [only]
    found = {
        name: find_in_op(project, params, name, originals, space)
        for name in track(names, "comparing variants")
    }
    report_found(found, classes)
    warn_of_small_classes(originals.labels, classes)
    return close(found, most)


def read_originals(project: Project, most: int) -> tuple[Rows, list[str]]:
    """Return up to `most` training tiles of each class, evenly picked, and the classes."""
    rows = read_table(project.input("split.csv"), COLUMNS["split"])
    trained = {row["id"] for row in rows if row["split"] == "train"}
    with open_dataset(project.input("tiles.h5")) as tiles:
        chosen = np.array([tile_id in trained for tile_id in tiles.ids], bool)
        labels = tiles.labels
        picked = [
            pick_evenly(np.flatnonzero(chosen & (labels == label)), most)
            for label in range(len(tiles.classes))
        ]
        return tiles.read(np.concatenate(picked)), tiles.classes


def find_in_op(
    project: Project, params: Params, op: str, originals: Rows, space: TileSpace
) -> list[tuple[Resemblance, list[str]]]:
    """Return the pairs of classes that an op brings nearer, with the ids of the worst variants.

    One variant of each original counts: its copies are no further witnesses.
    """
    row_of = {tile_id: row for row, tile_id in enumerate(originals.ids)}
    variants = [read_first_copies(project, op, name, row_of) for name in params.classes]
    ids = np.concatenate([rows.ids for rows in variants])
    images = np.concatenate([rows.images for rows in variants])
    parents = np.array([row_of[name] for rows in variants for name in parents_of(rows)], int)
    return [
        (pair, [str(ids[row]) for row in pair.examples[:SHOWN]])
        for pair in find_resemblances(space, images, parents)
    ]


def read_first_copies(
    project: Project, op: str, class_name: str, row_of: Mapping[str, int]
) -> Rows:
    """Return the first variant of each of the chosen originals of a class."""
    path = project.require(project.variants_file(op, class_name))
    with open_dataset(path) as variants:
        parents, first = np.unique(variants.parents.astype(str), return_index=True)
        rows = [row for parent, row in zip(parents, first, strict=True) if parent in row_of]
        return variants.read(np.sort(np.array(rows, int)))


def parents_of(variants: Rows) -> Sequence[str]:
    """Return the ids of the variants' parents."""
    return [] if variants.parents is None else list(variants.parents)


Found = Mapping[str, list[tuple[Resemblance, list[str]]]]


def report_found(found: Found, classes: Sequence[str]) -> None:
    """Show the pairs to be warned of in a table, and warn of each op in plain words."""
    rows = [
        (op, *describe(pair, classes), ", ".join(examples))
        for op, pairs in found.items()
        for pair, examples in pairs
        if pair.warns
    ]
    if not rows:
        return
    columns = ("op", "class", "looks like", "variants", "originals", "excess", "examples")
    show("Variants that look like another class (%; excess with 95 % interval)", columns, rows)
    for op, pairs in found.items():
        turned = [pair for pair, _ in pairs if pair.warns]
        if turned:
            warn(phrase_warning(op, turned, classes))


def describe(pair: Resemblance, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of a pair of classes."""
    return (
        classes[pair.label],
        classes[pair.looks_like],
        f"{100 * pair.share:.0f}",
        f"{100 * pair.original_share:.0f}",
        f"{100 * pair.excess:.0f} ({100 * pair.low:.0f} to {100 * pair.high:.0f})",
    )


def phrase_warning(op: str, pairs: Sequence[Resemblance], classes: Sequence[str]) -> str:
    """Say which classes an op makes look like which, and what to do about it."""
    worst = ", ".join(
        f"'{classes[pair.label]}' look like '{classes[pair.looks_like]}' "
        f"({100 * pair.share:.0f} % of its variants)"
        for pair in pairs[:SHOWN]
    )
    more = f" and {len(pairs) - SHOWN} more in the table" if len(pairs) > SHOWN else ""
    return (
        f"{op} makes {worst}{more}. They would be learnt under the wrong name: leave {op} out, or "
        "list the other classes only under 'classes:' in its experiment."
    )


def warn_of_small_classes(labels: npt.NDArray[np.integer], classes: Sequence[str]) -> None:
    """Warn of classes with too few training tiles for any finding."""
    needed = count_needed(len(classes))
    sizes = np.bincount(labels, minlength=len(classes))
    small = [f"'{name}' ({n})" for name, n in zip(classes, sizes, strict=True) if n < needed]
    if small:
        warn(
            f"too few training tiles to tell what becomes of {', '.join(small)}: "
            f"with {len(classes)} classes each needs {needed} or more"
        )


def close(found: Found, most: int) -> str:
    """Return the line that says what was found and how much was looked at."""
    unsafe = [op for op, pairs in found.items() if any(pair.warns for pair, _ in pairs)]
    safe = [op for op in found if op not in unsafe]
    parts = [
        f"classes look like others under {', '.join(unsafe)}" if unsafe else "",
        f"none looks like another under {', '.join(safe)}" if safe else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{told}; by one variant each of up to {most} training tiles a class"
