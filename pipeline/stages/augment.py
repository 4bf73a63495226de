"""prep augment: split.csv, tiles.h5 -> augmented/<op>/<class>.h5."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from pipeline import ops
from pipeline.console import track
from pipeline.errors import DataError
from pipeline.experiments import open_tiles
from pipeline.ops import Op
from pipeline.params import Params, choose
from pipeline.project import Project
from pipeline.store import DatasetFile, DatasetWriter, Rows, create_dataset
from pipeline.tables import COLUMNS, read_table

WINDOW = 512  # tiles that are in memory at once


def augment(
    project: Project, params: Params, only: str | None = None, class_name: str | None = None
) -> str:
    """Write the variants of each op (or `only` one) of each class (or one)."""
    chosen_ops = choose(only, params.augment, "op", "augment")
    chosen_classes = choose(class_name, {name: name for name in params.classes}, "class", "classes")
    groups = training_groups(project)
    count = 0
    with open_tiles(project, params) as tiles:
        refuse_strangers(groups, tiles)
        jobs = [(op, name) for op in chosen_ops for name in chosen_classes]
        for op, name in track(jobs, "augmenting"):
            count += write_variants(project, tiles, op, name, groups)
    files = f"{len(jobs)} file{'s' * (len(jobs) != 1)}"
    return f"{count:,} variants in {files} under processed/augmented, from {len(groups):,} tiles"


def refuse_strangers(groups: Mapping[str, str], tiles: DatasetFile) -> None:
    """Raise DataError when the split names a tile that there is not."""
    strangers = groups.keys() - set(tiles.ids)
    if strangers:
        raise DataError(
            f"processed/split.csv names {min(strangers)}, which is not in tiles.h5. Bring all up "
            "to date with: dvc repro split"
        )


def training_groups(project: Project) -> dict[str, str]:
    """Return the group of each tile that some run trains on, by id."""
    rows = read_table(project.input("split.csv"), COLUMNS["split"])
    return {row["id"]: row["group"] for row in rows if row["split"] == "train"}


def write_variants(
    project: Project, tiles: DatasetFile, op: Op, class_name: str, groups: Mapping[str, str]
) -> int:
    """Write one op's variants of one class and return how many there are."""
    of_class = np.flatnonzero(tiles.labels == tiles.classes.index(class_name))
    rows = of_class[[tile_id in groups for tile_id in tiles.ids[of_class]]]
    with create_dataset(
        project.variants_file(op.name, class_name),
        tile_shape=tiles.tile_shape,
        classes=tiles.classes,
        made_by={"stage": "augment", "op": op.name, "parameters": op.describe(), "seed": op.seed},
        draw_names=op.draw_names,
    ) as out:
        for start in range(0, len(rows), WINDOW):
            append_variants(out, tiles.read(rows[start : start + WINDOW]), op, groups)
    return len(rows) * op.copies


def append_variants(out: DatasetWriter, originals: Rows, op: Op, groups: Mapping[str, str]) -> None:
    """Append every copy of a window of originals."""
    for copy in range(op.copies):
        draws = ops.draw(op, op.seed, list(originals.ids), copy)
        out.append(
            Rows(
                images=ops.apply(op, originals.images, draws),
                labels=originals.labels,
                ids=as_text(f"{tile_id}-{op.name}-{copy}" for tile_id in originals.ids),
                groups=as_text(groups[tile_id] for tile_id in originals.ids),
                parents=originals.ids,
                draws=draws,
            )
        )


def as_text(names: Iterable[str]) -> npt.NDArray[np.object_]:
    """Return the names as a column of the store."""
    return np.array(list(names), object)
