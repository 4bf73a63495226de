"""prep normalise: boxes.csv and glyphs.h5 (writing) or the photos -> tiles.h5, contact/."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_folder
from pipeline.console import track
from pipeline.dataset.schema import LEFT_OUT_LABEL, UNLABELLED, Rows, number_labels
from pipeline.dataset.store import in_windows, open_dataset, read_glyphs
from pipeline.dataset.tables import COLUMNS, LEFT_OUT, Row, read_table, tell_found
from pipeline.dataset.writing import create_dataset
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.arrays.content import Reading
from pipeline.intake.catalogue import name_of, scan_id_of
from pipeline.intake.scans import group_by_file, read_catalogue, read_photos
from pipeline.parallel import map_in_order
from pipeline.project import Project, class_file_name, find_alike
from pipeline.searching.kept import digest_program, digest_work
from pipeline.searching.kept_tiles import Cut, keep_tiles, open_kept_tiles, read_kept_tiles
from pipeline.settings.params import Params
from pipeline.settings.sections import Tile
from pipeline.subjects.boxes import box_of, scan_of
from pipeline.subjects.layouts import LAYOUTS
from pipeline.tiles import contact
from pipeline.tiles.cutting import cut_photo, cut_writing, side_needed

WINDOW = 256  # tiles that are in memory at once
SHEET_TILES = 300  # of a contact sheet, so that its JPEG stays under 1 MB
BATCH = 16  # files that a process is sent at once
NamedTile = tuple[Row, npt.NDArray[np.uint8]]
CutFile = tuple[str, str, int]  # its name, the digest of what its tiles depend on, how many
FileWork = tuple[list[Row], list[list[Row]]]  # a file's scans, and the boxes on each


def normalise(project: Project, params: Params, jobs: int | None = None) -> str:
    """Bring every box's subject to one size, in the order of boxes.csv."""
    boxes = read_table(project.input("boxes.csv"), COLUMNS["boxes"])
    if not boxes:
        raise DataError("processed/boxes.csv has no box: see processed/quarantine.csv for why")
    _refuse_strange_labels(boxes, params.classes)
    cuts: list[CutFile] = []
    if params.tile.method == "photo":
        made = _photo_tiles(project, params, boxes, cuts, jobs)
    else:
        made = _writing_tiles(project, params.tile, boxes)
    side, channels = params.tile.size, params.tile.channels
    corrected = any(row["found"] or row["label"] == LEFT_OUT for row in boxes)
    with create_dataset(
        project.output("tiles.h5"),
        tile_shape=(side, side, channels),
        classes=params.classes,
        made_by={"stage": "normalise", "parameters": params.tile.model_dump()},
        corrected=corrected,
    ) as out:
        for window in in_windows(track(made, "normalising", total=len(boxes)), WINDOW):
            out.append(_to_rows(window, params.classes))
    if cuts:
        keep_tiles(project.output("tiles.h5"), cuts)
    _write_contact_sheets(project, params, boxes)
    labels = Counter(row["label"] for row in boxes)
    note = f", {labels['']:,} of them unlabelled" if labels[""] else ""
    note += f", {labels[LEFT_OUT]:,} left out by raw/labels.csv" if labels[LEFT_OUT] else ""
    return f"{len(boxes):,} tiles of {side}x{side}x{channels} in processed/tiles.h5{note}"


def _writing_tiles(project: Project, tile: Tile, boxes: list[Row]) -> Iterator[NamedTile]:
    """Yield a tile for each glyph; what is a tile already (idx of that size) stays as it is."""
    ready = _ready_tiles(project, tile.size)
    glyphs = read_glyphs(project.input("glyphs.h5"))
    for row, (glyph_id, pixels) in zip(boxes, glyphs, strict=True):
        if row["id"] != glyph_id:
            raise DataError(
                f"processed/glyphs.h5 does not belong to processed/boxes.csv ({glyph_id} stands "
                f"where {row['id']} should). Make both again with: prep segment"
            )
        yield row, (pixels[..., None] if glyph_id in ready else cut_writing(pixels, tile))


def _photo_tiles(
    project: Project, params: Params, boxes: list[Row], cuts: list[CutFile], jobs: int | None
) -> Iterator[NamedTile]:
    """Yield a tile for each box, cut from its photo, and add of which file to `cuts`.

    Those of a photo that is as it was come from the tiles.h5 of before.
    """
    on_scan: dict[str, list[Row]] = defaultdict(list)
    for row in boxes:
        on_scan[scan_of(row["id"])].append(row)
    scans = [row for row in read_catalogue(project) if scan_id_of(row) in on_scan]
    _refuse_strangers(scans, boxes)
    files = group_by_file(scans)
    kept = open_kept_tiles(project.output("tiles.h5"))
    cut = partial(_cut_files, project.root, params, digest_program(), kept.path)
    work = (
        (rows, [on_scan[scan_id_of(row)] for row in rows], kept.cuts.get(_name_file(rows)))
        for rows in files
    )
    # Of arrays the thousands of tiles are made here: to send them takes longer.
    for is_array, some in groupby(work, key=lambda file: LAYOUTS[file[0][0]["layout"]].is_array):
        for tiles_of_files in map_in_order(cut, in_windows(some, BATCH), 1 if is_array else jobs):
            for name, digest, tiles in tiles_of_files:
                cuts.append((name, digest, len(tiles)))
                yield from tiles


def _name_file(rows: list[Row]) -> str:
    return json.dumps([rows[0]["source"], rows[0]["member"]])


def _refuse_strangers(scans: list[Row], boxes: list[Row]) -> None:
    """Raise DataError for a box of no scan, or one that does not lie on its own."""
    sizes = {scan_id_of(row): (int(row["width"]), int(row["height"])) for row in scans}
    for row in boxes:
        width, height = sizes.get(scan_of(row["id"]), (0, 0))
        x0, y0, x1, y1 = box_of(row)
        if not (x0 < x1 <= width and y0 < y1 <= height):
            raise DataError(
                f"processed/boxes.csv: the box {row['id']} lies on no scan of catalogue.csv. Make "
                "it again with: prep segment"
            )


def _cut_files(
    root: Path, params: Params, program: str, tiles: Path, files: list[tuple[*FileWork, Cut | None]]
) -> list[tuple[str, str, list[NamedTile]]]:
    """Return of several files the name, the digest of what its tiles depend on, and the tiles."""
    digests = [_digest_file(root, params.tile, program, rows, some) for rows, some, _ in files]
    same = [
        before if before and digest == before.digest else None
        for digest, (_, _, before) in zip(digests, files, strict=True)
    ]
    kept = read_kept_tiles(tiles, list(filter(None, same)))
    made = []
    for (rows, boxes, _), digest, cut in zip(files, digests, same, strict=True):
        if cut:
            named = list(zip(chain(*boxes), next(kept), strict=True))
        else:
            reading = params.source_of(rows[0]["source"]).reading
            named = cut_file(root, params.tile, (rows, boxes), reading)
        made.append((_name_file(rows), digest, named))
    return made


def _digest_file(
    root: Path, tile: Tile, program: str, rows: list[Row], boxes: list[list[Row]]
) -> str:
    """Return a digest of all that a file's tiles depend on; '' for an array, which is quick."""
    if LAYOUTS[rows[0]["layout"]].is_array:
        return ""
    on_scans = [[box_of(box) for box in some] for some in boxes]
    said = [[row["page"], row["width"], row["height"]] for row in rows]
    return digest_work(root, rows, [program, said, on_scans, tile.model_dump(mode="json")])


def cut_file(
    root: Path,
    tile: Tile,
    file: FileWork,
    reading: Reading = Reading(),  # noqa: B008
) -> list[NamedTile]:
    """Return the tiles of one file, given its scans' rows and the boxes on each.

    `reading`: how a source of arrays wants its pictures read.
    """
    scans, boxes = file
    on_scan = dict(zip(map(scan_id_of, scans), boxes, strict=True))
    at_least = max(
        side_needed(
            int(scan["width"]), int(scan["height"]), map(box_of, on_scan[scan_id_of(scan)]), tile
        )
        for scan in scans
    )
    made = []
    for scan, photo in read_photos(root, scans, at_least, reading):
        if isinstance(photo, DataError):
            raise DataError(
                f"{name_of(scan)} can't be read any more ({photo}). Start over with: dvc repro"
            )
        made += [(row, cut_photo(photo, box_of(row), tile)) for row in on_scan[scan_id_of(scan)]]
    return made


def _ready_tiles(project: Project, size: int) -> set[str]:
    """Return the ids of the idx pictures that have the tile's size."""
    return {
        scan_id_of(row)
        for row in read_catalogue(project)
        if LAYOUTS[row["layout"]].is_array and row["width"] == row["height"] == str(size)
    }


def _to_rows(window: list[NamedTile], classes: Sequence[str]) -> Rows:
    """Return the tiles as rows of the store, with the labels that they have and were found with."""
    return Rows(
        images=np.stack([pixels for _, pixels in window]),
        labels=number_labels([row["label"] for row, _ in window], classes),
        found=number_labels([tell_found(row, classes) for row, _ in window], classes),
        ids=np.array([row["id"] for row, _ in window], object),
        groups=np.array([row["group"] for row, _ in window], object),
    )


def _refuse_strange_labels(boxes: list[Row], classes: Sequence[str]) -> None:
    """Raise DataError for a box whose label is no class."""
    known = {"", LEFT_OUT, *classes}
    for row in boxes:
        if row["label"] not in known:
            raise DataError(
                f"processed/boxes.csv: {row['id']} has the label '{row['label']}', which is not "
                "among the classes in params.yaml. Make it again with: prep segment"
            )


def _write_contact_sheets(project: Project, params: Params, boxes: list[Row]) -> None:
    """Write a picture of many tiles for each class, to look at, each with its place and picture."""
    scans = {scan_id_of(row): row for row in read_catalogue(project)}
    with (
        open_dataset(project.input("tiles.h5")) as dataset,
        whole_folder(project.output("contact"), synced=False) as folder,
    ):
        files = dict(enumerate(class_file_name(name, params.classes) for name in params.classes))
        files |= {UNLABELLED: _name_sheet("unlabelled", params.classes, LEFT_OUT)}
        files |= {LEFT_OUT_LABEL: _name_sheet("left-out", params.classes, f"{LEFT_OUT}.")}
        names = [*params.classes, "left out", "unlabelled"]  # -2 and -1 count from the end
        for number, file in files.items():
            rows = np.flatnonzero(dataset.labels == number)
            if len(rows):
                picked = contact.pick_evenly(rows, SHEET_TILES)
                sheet = contact.lay_out_named(
                    dataset.read(picked).images,
                    [_name_tile(boxes[row], scans) for row in picked.tolist()],
                    contact.square_columns(len(picked)),
                    _title_sheet(names[number], len(picked), len(rows)),
                )
                picture = images.encode_jpeg(sheet, quality=80)
                (folder / f"{file}.jpg").write_bytes(picture)


def _name_sheet(name: str, classes: Sequence[str], other: str) -> str:
    """Return the name of the sheet of no class, `other` where a class's would be one file with it.

    other: what can't be a class, such as what ends in a dot.
    """
    return other if any(name in alike for alike in find_alike([*classes, name])) else name


def _name_tile(box: Row, scans: Mapping[str, Row]) -> tuple[str, str]:
    """Return row.column and the picture's name; of what is its whole picture the name alone."""
    scan = scans[scan_of(box["id"])]
    name = name_of(scan).rsplit("/", 1)[-1]
    return (name, "") if box["id"] == scan_id_of(scan) else (f"{box['row']}.{box['col']}", name)


def _title_sheet(name: str, shown: int, count: int) -> str:
    """Return the line above a contact sheet."""
    of = f"{shown:,} of {count:,} tiles, evenly chosen" if shown < count else f"{count:,} tiles"
    return f"{name}: {of}; to correct them: prep review"
