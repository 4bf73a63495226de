"""Groups: what must not be torn apart, as `split.group` says it.

A group that was given to a picture in raw/labels.csv always counts. A form's own is its writer,
whom `page` and `none` set aside: then a score says how well these hands are read, and no other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

from pipeline.dataset.tables import COLUMNS, Row, read_table
from pipeline.project import Project
from pipeline.subjects.boxes import scan_of

Rule = Literal["writer", "page", "folder", "none"]
# What divides where a rule does not, the largest groups first.
FINER: dict[Rule, tuple[Rule, ...]] = {
    "writer": ("page", "none"),
    "folder": ("page", "none"),
    "page": ("none",),
    "none": (),
}


def group_tiles(
    rule: Rule,
    tiles: Sequence[Row],
    scans: Mapping[str, Row],
    lines: Mapping[str, str],
    parts: int,
) -> list[str]:
    """Return the group of each tile (N,).

    tiles: id, label and group of each. scans: rows of the catalogue by id. lines: the row on its
    page of each tile, by id. A page alone is divided by its rows where each class is in `parts` of
    them, and else tile by tile.
    """
    pages = {scan_of(tile["id"]) for tile in tiles}
    if rule == "page" and len(pages) == 1:
        return _divide_page(tiles, scans, lines, parts)
    own = find_writers(tiles, scans)
    return [find_given(rule, tile, own) or _default(rule, tile["id"], scans) for tile in tiles]


def read_lines(project: Project, tiles: Sequence[Row]) -> dict[str, str]:
    """Return the row on its page of each tile, by id, where all are of one page; else nothing."""
    if len({scan_of(tile["id"]) for tile in tiles}) != 1:
        return {}
    boxes = read_table(project.input("boxes.csv"), COLUMNS["boxes"])
    return {box["id"]: box["row"] for box in boxes}


def tell_torn(
    rule: Rule, tiles: Sequence[Row], scans: Mapping[str, Row], groups: Iterable[str]
) -> str:
    """Return a sentence where tiles of one form's writer are in several groups (N,), else ''."""
    own = find_writers(tiles, scans)
    of_writer: dict[str, set[str]] = defaultdict(set)
    for tile, group in zip(tiles, groups, strict=True):
        if tile["group"] and not find_given(rule, tile, own):
            of_writer[tile["group"]].add(group)
    torn = sorted(writer for writer, own in of_writer.items() if len(own) > 1)
    if not torn:
        return ""
    named = ", ".join(torn[:3]) + (f" and {len(torn) - 3:,} more" if len(torn) > 3 else "")
    hands = "this hand" if len(torn) == 1 else "these hands"
    return (
        f"split.group: {rule} divides what {named} wrote, so scores hold for {hands} only: how "
        "well another's writing is read, they don't say"
    )


def find_writers(tiles: Iterable[Row], scans: Mapping[str, Row]) -> dict[str, str]:
    """Return the writer that each form names: the group of most of its tiles, by the scan's id.

    Those of which raw/labels.csv gives another group have that one.
    """
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for tile in tiles:
        scan = scans[scan_of(tile["id"])]
        if scan["layout"] == "form" and not scan["group"]:
            groups[scan_of(tile["id"])][tile["group"]] += 1
    return {scan: counts.most_common(1)[0][0] for scan, counts in groups.items()}


def find_given(rule: Rule, tile: Row, writers: Mapping[str, str]) -> str:
    """Return the group that a tile was given, "" where the rule sets it aside.

    writers: those that forms name, by the scan's id.
    """
    own = writers.get(scan_of(tile["id"]))
    return "" if tile["group"] == own and rule in ("page", "none") else tile["group"]


def _default(rule: Rule, tile_id: str, scans: Mapping[str, Row]) -> str:
    scan = scan_of(tile_id)
    if rule == "folder":
        return PurePosixPath(scans[scan]["source"], scans[scan]["member"]).parent.as_posix()
    return tile_id if rule == "none" else scan


def _divide_page(
    tiles: Sequence[Row], scans: Mapping[str, Row], lines: Mapping[str, str], parts: int
) -> list[str]:
    """Return the groups of the tiles of one page: its rows, or each tile by itself."""
    of_class: dict[str, set[str]] = defaultdict(set)
    for tile in tiles:
        of_class[tile["label"]].add(lines[tile["id"]])
    by_rows = all(len(found) >= parts for found in of_class.values())
    own = find_writers(tiles, scans)
    return [
        find_given("page", tile, own)
        or (f"{scan_of(tile['id'])} row {lines[tile['id']]}" if by_rows else tile["id"])
        for tile in tiles
    ]
