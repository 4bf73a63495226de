"""prep check labels: does an op turn one class into another? The originals beside their variants.

`found` holds for each op the pairs of classes that it brings nearer to each other, worst first,
each with the ids of some variants that show it. What a likeness is, `pipeline.tiles.likeness` says.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.console import show, track, warn
from pipeline.dataset.reading import read_first_variants, read_part
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError, nearest
from pipeline.project import Project
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
_MOST_OF_A_CLASS = 300
_MOST_OF_ALL = 3000
SHOWN = 3  # examples in a row of the table, pairs in a warning


def check_labels(project: Project, params: Params, only: str | None = None) -> str:
    """Show and warn where an op (or `only` one) makes a class look like another."""
    if only is not None and only not in params.augment:
        raise DataError(
            f"there is no op '{only}' in params.yaml.{nearest(only, params.augment)} "
            f"Known (augment): {', '.join(params.augment)}"
        )
    most = min(_MOST_OF_A_CLASS, _MOST_OF_ALL // len(params.classes))
    originals, classes = _read_originals(project, most)
    space = map_originals(originals.images, originals.labels, len(classes))
    names = list(params.augment) if only is None else [only]
    found = {
        name: _find_in_op(project, params, name, originals, space)
        for name in track(names, "comparing variants")
    }
    _report_found(found, classes)
    _warn_of_small_classes(originals.labels, classes)
    return _close(found, most)


def _read_originals(project: Project, most: int) -> tuple[Rows, list[str]]:
    """Return up to `most` training tiles of each class, evenly picked, and the classes."""
    trained = read_part(project.input("split.csv"), "train")
    with open_dataset(project.input("tiles.h5")) as tiles:
        chosen = np.array([tile_id in trained for tile_id in tiles.ids], bool)
        labels = tiles.labels
        picked = [
            pick_evenly(np.flatnonzero(chosen & (labels == label)), most)
            for label in range(len(tiles.classes))
        ]
        return tiles.read(np.concatenate(picked)), tiles.classes


def _find_in_op(
    project: Project, params: Params, op: str, originals: Rows, space: TileSpace
) -> list[tuple[Resemblance, list[str]]]:
    """Return the pairs of classes that an op brings nearer, with the ids of the worst variants.

    One variant of each original counts: its copies are no further witnesses.
    """
    row_of = {tile_id: row for row, tile_id in enumerate(originals.ids)}
    variants = [
        read_first_variants(
            project.require(project.variants_file(op, name, params.classes)), row_of
        )
        for name in params.classes
    ]
    ids = np.concatenate([rows.ids for rows in variants])
    images = np.concatenate([rows.images for rows in variants])
    parents = np.array([row_of[name] for rows in variants for name in _parents_of(rows)], int)
    return [
        (pair, [str(ids[row]) for row in pair.examples[:SHOWN]])
        for pair in find_resemblances(space, images, parents)
    ]


def _parents_of(variants: Rows) -> Sequence[str]:
    """Return the ids of the variants' parents."""
    return [] if variants.parents is None else list(variants.parents)


Found = Mapping[str, list[tuple[Resemblance, list[str]]]]


def _report_found(found: Found, classes: Sequence[str]) -> None:
    """Show the pairs to be warned of in a table, and warn of each op in plain words."""
    rows = [
        (op, *_describe(pair, classes), ", ".join(examples))
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
            warn(_phrase_warning(op, turned, classes))


def _describe(pair: Resemblance, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of a pair of classes."""
    return (
        classes[pair.label],
        classes[pair.looks_like],
        f"{100 * pair.share:.0f}",
        f"{100 * pair.original_share:.0f}",
        f"{100 * pair.excess:.0f} ({100 * pair.low:.0f} to {100 * pair.high:.0f})",
    )


def _phrase_warning(op: str, pairs: Sequence[Resemblance], classes: Sequence[str]) -> str:
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


def _warn_of_small_classes(labels: npt.NDArray[np.integer], classes: Sequence[str]) -> None:
    """Warn of classes with too few training tiles for any finding."""
    needed = count_needed(len(classes))
    sizes = np.bincount(labels, minlength=len(classes))
    small = [f"'{name}' ({n})" for name, n in zip(classes, sizes, strict=True) if n < needed]
    if small:
        warn(
            f"too few training tiles to tell what becomes of {', '.join(small)}: "
            f"with {len(classes)} classes each needs {needed} or more"
        )


def _close(found: Found, most: int) -> str:
    """Return the line that says what was found and how much was looked at."""
    unsafe = [op for op, pairs in found.items() if any(pair.warns for pair, _ in pairs)]
    safe = [op for op in found if op not in unsafe]
    parts = [
        f"classes look like others under {', '.join(unsafe)}" if unsafe else "",
        f"none looks like another under {', '.join(safe)}" if safe else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{told}; by one variant each of up to {most} training tiles a class"
