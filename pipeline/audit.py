"""Reading a project's split and variants back to see whether anything leaks across it."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from pipeline import lineage
from pipeline.params import Params
from pipeline.project import Project
from pipeline.store import open_dataset
from pipeline.tables import COLUMNS, Row, read_table

WINDOW = 1024  # tiles that are in memory at once


def find_leaks(project: Project, params: Params) -> list[str]:
    """Return a sentence for each leak of the split: ids, groups, same pictures, variants."""
    folds: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(project.input("split.csv"), COLUMNS["split"]):
        folds[row["fold"]].append(row)
    digests = digest_tiles(project)
    leaks = [
        f"fold {number}: {leak}" if len(folds) > 1 else leak
        for number, rows in folds.items()
        for leak in find_leaks_of_fold(rows, digests)
    ]
    return [*leaks, *find_stray_variants(project, params, folds)]


def find_leaks_of_fold(rows: list[Row], digests: dict[str, str]) -> Iterator[str]:
    """Yield the leaks of one fold."""
    yield from lineage.find_torn(((row["id"], row["split"]) for row in rows), "tile")
    yield from lineage.find_torn(((row["group"], row["split"]) for row in rows), "group")
    unknown = sorted(row["id"] for row in rows if row["id"] not in digests)
    if unknown:
        yield f"tiles.h5 has no {unknown[0]}: make the split again with: prep split"
    known = {row["id"]: row["split"] for row in rows if row["id"] in digests}
    yield from lineage.find_same_pictures(digests, known)


def find_stray_variants(
    project: Project, params: Params, folds: dict[str, list[Row]]
) -> Iterator[str]:
    """Yield the files of variants whose parents no fold trains on."""
    trained = {row["id"] for rows in folds.values() for row in rows if row["split"] == "train"}
    for op in params.augment:
        for class_name in params.classes:
            path = project.variants_file(op, class_name)
            if path.exists():
                with open_dataset(path) as variants:
                    file = project.relative(path)
                    yield from lineage.find_strangers(variants.parents, trained, file)


def digest_tiles(project: Project) -> dict[str, str]:
    """Return a digest of each tile's pixels, by id."""
    digests: dict[str, str] = {}
    with open_dataset(project.input("tiles.h5")) as tiles:
        for start in range(0, len(tiles), WINDOW):
            rows = tiles.read(slice(start, start + WINDOW))
            for tile_id, image in zip(rows.ids, rows.images, strict=True):
                digests[tile_id] = hashlib.sha256(image.tobytes()).hexdigest()
    return digests
