"""Section 3: what each op does - originals beside their variants, with the numbers drawn."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.augmentation.recipes import Op
from pipeline.dataset.schema import Rows
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.report.figures import Figure, Pixels, embed, scale_of
from pipeline.settings.params import Params
from pipeline.tiles import contact

SHOWN = 6  # originals of each op and class
_COPIES = 3  # variants of one original


@dataclass(frozen=True)
class _Shown:
    """Some originals of a class, each in one picture with its variants; `gap` says why none."""

    label: str
    figures: list[Figure]
    gap: str = ""


@dataclass(frozen=True)
class ShownOp:
    """An op, its recipe in a line, and what it does to each class."""

    name: str
    recipe: str
    classes: list[_Shown]


def show_ops(project: Project, params: Params, tiles: DatasetFile) -> list[ShownOp]:
    """Return for each op that an experiment uses, and each class, originals beside variants.

    An op that changes nothing, as `duplicate`, has nothing to show.
    """
    used = {op for experiment in params.experiments.values() for op in experiment.ops}
    place = {tile_id: number for number, tile_id in enumerate(tiles.ids)}
    return [
        ShownOp(
            name,
            _describe_recipe(op),
            [_show_class(project, tiles, place, name, one) for one in params.classes],
        )
        for name, op in params.augment.items()
        if name in used and _describe_recipe(op) != "duplicate"
    ]


def _describe_recipe(op: Op) -> str:
    """Return 'rotate: degrees −15 to 15, border reflect; 2 copies'."""
    steps = []
    for step in op.describe()["steps"]:
        [(name, settings)] = step.items()
        told = ", ".join(f"{key} {_tell(value)}" for key, value in settings.items())
        steps.append(f"{name}: {told}" if told else name)
    copies = f"; {op.copies} copies" if op.copies > 1 else ""
    return f"{', then '.join(steps)}{copies}"


def _tell(value: object) -> str:
    """Return a setting as text, a range as 'low to high'."""
    if isinstance(value, (tuple, list)):
        return " to ".join(dict.fromkeys(map(_tell, value)))
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def _show_class(
    project: Project, tiles: DatasetFile, place: dict[str, int], op: str, class_name: str
) -> _Shown:
    """Return originals of one class beside the variants that one op made of them."""
    path = project.variants_file(op, class_name, tiles.classes)
    if not path.exists():
        return _Shown(class_name, [], f"not made yet: prep augment --only {op}")
    with open_dataset(project.require(path)) as variants:
        if not len(variants):
            return _Shown(class_name, [], "no training tiles")
        parents = variants.parents
        names = variants.draw_names
        chosen = contact.pick_evenly(np.unique(parents), SHOWN)
        if strangers := set(chosen) - place.keys():
            raise DataError(
                f"{project.relative(path)} has a variant of {min(strangers)}, which is not in "
                f"tiles.h5. Make it again with: prep augment --only {op}"
            )
        families = [variants.read(np.flatnonzero(parents == parent)[:_COPIES]) for parent in chosen]
    originals = tiles.read(np.array([place[parent] for parent in chosen], int)).images
    figures = [
        _show_family(original, family, names, op, class_name)
        for original, family in zip(originals, families, strict=True)
    ]
    return _Shown(class_name, figures)


def _show_family(
    original: Pixels, variants: Rows, names: list[str], op: str, class_name: str
) -> Figure:
    """Return one original and its variants in a row, with each variant's numbers."""
    row = np.concatenate([original[None], variants.images])
    sheet = contact.lay_out(row, columns=len(row))
    assert variants.draws is not None
    caption = "\n".join(_describe_draws(names, numbers) for numbers in variants.draws)
    alt = f"a tile of class {class_name} and its {op} variant"
    return embed(sheet, alt, caption.strip(), scale=scale_of(original.shape[0]))


def _describe_draws(names: list[str], numbers: npt.NDArray[np.float64]) -> str:
    """Return 'degrees 7.3, x 0.02'."""
    told = (f"{name} {number:.3g}" for name, number in zip(names, numbers, strict=True))
    return ", ".join(told).replace("-", "−")
