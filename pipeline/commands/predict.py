"""prep predict: new pictures and a model -> labels, read out and as a table, and drawings."""

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.console import out as terminal
from pipeline.console import say, show, track, warn
from pipeline.dataset.predictions import choose_classes
from pipeline.dataset.tables import Row
from pipeline.errors import DataError, count_things
from pipeline.intake import images
from pipeline.intake.catalogue import name_of, overlay_name
from pipeline.intake.drafts import Predicted, write_draft, write_predictions
from pipeline.intake.files import PictureFile, find_files
from pipeline.intake.kinds import recognise
from pipeline.intake.names import plain_name, printable_name
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.sections import Limits, Source, Tile
from pipeline.subjects import overlays
from pipeline.subjects.search import Subject
from pipeline.tiles.cutting import ReducedPicture, cut_photo, cut_writing, side_needed
from pipeline.training.readers import Reader, find_reader
from pipeline.training.ways import Ways, choose_way, find_subjects

Pixels = npt.NDArray[np.uint8]

COLUMNS = ("picture", "no.", "box", "label", "chance", "second best")
SMALLEST_DRAWING = 300  # pixels: labels on a picture with a shorter long side could not be read
SHOWS: dict[str, str] = {
    "form": "a form",
    "rows": "a page of rows",
    "sequence": "a page of rows",
    "free": "a page of any writing",
    "cells": "a page of cells",
    "whole": "a close-up of one subject",
}
LONGEST_NAME = 24  # letters of a picture's in a table on a terminal, which its columns share
MOST_NAMED = 5  # of the labels that are left empty
MOST_ROWS = 30  # of the table that is shown


@dataclass(frozen=True)
class Targets:
    """The files to write beside the drawings, and how likely a label is that a draft may hold."""

    table: Path | None = None
    draft: Path | None = None
    least: float = 0.9


_NOTHING = Targets()


def predict(
    project: Project | None,
    params: Params | None,
    pictures: Sequence[Path],
    wanted: str | None = None,
    layout: str | None = None,
    out: Path | None = None,
    targets: Targets = _NOTHING,
) -> str:
    """Label the subjects on pictures; show the labels, draw them, and write what is wanted."""
    wanted_way = choose_way(params, layout)
    _check_targets(project, targets, layout)
    folder = _choose_folder(project, out)
    reader = find_reader(project, params, wanted)
    files = list(_find_pictures(pictures, folder))
    homes = {file.source: _find_home(project, params, file.source) for file in files}
    if targets.draft:
        _refuse_strangers(homes)
    inputs = {Path(plain_name(file.source)).resolve() for file in files}
    pixels = (params.limits if params else Limits()).pixels
    ways = Ways(params, reader, wanted_way, homes)
    found: list[Predicted] = []
    unused: list[str] = []
    for row, scan, data in _read_pages(track(files, "predicting", len(files)), pixels):
        try:
            if isinstance(scan, DataError):
                raise scan
            predicted = _predict_scan(row, scan, data, ways, reader, pixels)
            _write_drawing(folder, inputs, scan, predicted, reader.classes)
            found.append(predicted)
        except DataError as error:
            unused.append(f"{name_of(row)}: {error}")
    _report(found, unused, ways.looks, reader, is_written=targets.table is not None)
    written = _write_targets(targets, found, homes, reader.classes)
    count = sum(len(predicted.subjects) for predicted in found)
    return (
        f"{count_things(count, 'subject')} labelled by {reader.name} and drawn on "
        f"{count_things(len(found), 'picture')} in {_shorten(project, folder)}{written}"
    )


def _check_targets(project: Project | None, targets: Targets, layout: str | None) -> None:
    """Raise DataError for a file that is there, that would be data, or that can't be made."""
    for option, path in (("--csv", targets.table), ("--as-labels", targets.draft)):
        if path and os.path.lexists(path):
            raise DataError(f"{option} {path} is there already: delete it, or give another name")
    if targets.table and targets.table == targets.draft:
        raise DataError(f"--csv and --as-labels are both {targets.table}: give two names")
    if project and targets.table and project.is_raw(targets.table):
        raise DataError(f"--csv {targets.table}: a table under raw/ would be taken for your data")
    if targets.draft and project is None:
        raise DataError(
            "--as-labels: there is no params.yaml here or above, and labels.csv belongs to a "
            "project. Make one with: prep init my-project --preset digits"
        )
    if targets.draft and layout:
        raise DataError(
            "--as-labels finds boxes as `prep segment` does, by the layout of their source in "
            "params.yaml: leave out --layout"
        )


def _choose_folder(project: Project | None, out: Path | None) -> Path:
    """Return the folder for the drawings, which must not be taken for data."""
    made = project.output("predictions") if project else Path("predictions")
    folder = made if out is None else out
    if project and project.is_raw(folder):
        raise DataError(f"--out {folder}: drawings under raw/ would be taken for your pictures")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--out {folder} is a file; give the name of a folder")
    return folder


def _find_home(
    project: Project | None, params: Params | None, name: str
) -> tuple[str, Source] | None:
    """Return a picture's path from the project's root and the source that it lies in, if in one."""
    if project is None or params is None:
        return None
    path = Path(posixpath.normpath(Path.cwd() / plain_name(name)))
    for inside in (path, path.resolve()):
        for root in (project.root, project.root.resolve()):
            if inside.is_relative_to(root):
                place = printable_name(inside.relative_to(root).as_posix())
                source = params.find_source(place)
                return (place, source) if source else None
    return None


def _refuse_strangers(homes: Mapping[str, tuple[str, Source] | None]) -> None:
    """Raise DataError for pictures that raw/labels.csv can't name, or need not."""
    strangers = [name for name, home in homes.items() if home is None]
    if strangers:
        more = f" and {len(strangers) - 1:,} more" if strangers[1:] else ""
        raise DataError(
            f"--as-labels: {strangers[0]}{more} lies in no source of params.yaml, so labels.csv "
            "can't name it. Put it into a source's folder under raw/, and predict it there"
        )
    forms = [name for name, home in homes.items() if home and home[1].layout == "form"]
    if forms:
        raise DataError(
            f"--as-labels: {forms[0]} lies in a source of forms, which say their labels "
            "themselves. Name other pictures"
        )


def _find_pictures(paths: Iterable[Path], drawings: Path) -> Iterator[PictureFile]:
    """Yield the files that are named, and those in folders and archives that are."""
    for path in paths:
        absent = "" if os.path.lexists(path) else "there is no such file"
        named = PictureFile(printable_name(path.as_posix()), trouble=absent)
        if not os.access(path, os.R_OK):  # reading it says why
            yield named
            continue
        inside = _leave_out_drawings(path, find_files(Path(), path.as_posix()), drawings)
        yield from inside or [PictureFile(named.source, trouble="there is no picture in it")]


def _leave_out_drawings(
    path: Path, files: Sequence[PictureFile], drawings: Path
) -> Sequence[PictureFile]:
    """Return a folder's files without what was drawn in a folder below it, and tell of that."""
    own, here = drawings.resolve(), path.resolve()
    if own == here or not own.is_relative_to(here):
        return files
    kept = [
        file for file in files if not Path(plain_name(file.source)).resolve().is_relative_to(own)
    ]
    if len(kept) < len(files):
        count = count_things(len(files) - len(kept), "picture")
        warn(f"{count} in {drawings} left out: drawings of earlier predictions")
    return kept


def _read_pages(
    files: Iterable[PictureFile], most_pixels: int
) -> Iterator[tuple[Row, Pixels | DataError, bytes]]:
    """Yield each page of each file, and the file's bytes.

    What can't be read comes as the error that says why.
    """
    for file in files:
        row = {"source": file.source, "member": file.member, "page": "0"}
        data = b""
        try:
            data = file.read(Path())
            row["sha256"] = hashlib.sha256(data).hexdigest()
            for page, scan in enumerate(images.decode_pages(data, max_pixels=most_pixels)):
                row["page"] = str(page)
                yield row.copy(), scan, data
        except DataError as error:
            yield row, error, data


def _predict_scan(
    row: Row, scan: Pixels, data: bytes, ways: Ways, reader: Reader, most_pixels: int
) -> Predicted:
    """Label the subjects on a scan; raises DataError with the reason when there are none."""
    way = ways.choose(row, scan)
    searched = find_subjects(scan, way, reader)
    if searched.reason:
        raise DataError(searched.reason)
    if searched.note:
        warn(f"{name_of(row)}: {searched.note}")
    page = int(row["page"])
    made = _cut_tiles(scan, data, page, searched.subjects, reader.tile, most_pixels)
    probabilities = reader.predict(np.stack(made))
    if not np.isfinite(probabilities).all():
        raise DataError("the model gives no numbers as probabilities: its training diverged")
    bare = tuple(replace(subject, pixels=None) for subject in searched.subjects)  # pages' worth
    return Predicted(row, way.layout, bare, probabilities)


def _cut_tiles(
    scan: Pixels,
    data: bytes,
    page: int,
    subjects: Sequence[Subject],
    tile: Tile,
    most_pixels: int,
) -> list[Pixels]:
    """Return the subjects' tiles, made as `prep normalise` makes them.

    A JPEG, also one in a PDF, is decoded once more, as small as the tiles allow: averaged from the
    full picture they would differ by some grey levels from those that the model was trained on.
    """
    if tile.method != "photo":
        return [cut_writing(found.pixels, tile) for found in subjects if found.pixels is not None]
    boxes = [found.box for found in subjects]
    photo = ReducedPicture(scan, factor=1)
    if recognise(data) in {"JPEG", "PDF"}:
        at_least = side_needed(scan.shape[1], scan.shape[0], boxes, tile)
        photo = images.decode_one_reduced(data, at_least, page, max_pixels=most_pixels)
    return [cut_photo(photo, box, tile) for box in boxes]


def _write_drawing(
    folder: Path, inputs: set[Path], scan: Pixels, predicted: Predicted, classes: Sequence[str]
) -> None:
    """Write a scan with its boxes and labels; raises DataError rather than replace an input."""
    target = folder / overlay_name(predicted.row)
    if target.resolve() in inputs:
        raise DataError(f"its drawing {target} would replace one of the pictures: change --out")
    with whole_file(target, synced=False) as part:
        part.write_bytes(images.encode_jpeg(draw(scan, predicted, classes)))


def draw(scan: Pixels, predicted: Predicted, classes: Sequence[str]) -> Pixels:
    """Return a scan with its boxes, labels and probabilities; a small one is enlarged."""
    factor = max(1, round(SMALLEST_DRAWING / max(scan.shape[:2])))
    best = choose_classes(predicted.probabilities)
    chances = predicted.probabilities.max(axis=1)
    return overlays.draw_overlay(
        scan.repeat(factor, axis=0).repeat(factor, axis=1),
        [
            (x0 * factor, y0 * factor, x1 * factor, y1 * factor)
            for x0, y0, x1, y1 in (subject.box for subject in predicted.subjects)
        ],
        [classes[number] for number in best],
        list(chances),
        [f"{100 * chance:.0f}%" for chance in chances],
    )


def _report(
    found: Sequence[Predicted],
    unused: Sequence[str],
    looks: Mapping[str, Sequence[str]],
    reader: Reader,
    *,
    is_written: bool,
) -> None:
    """Show every label, and warn of pictures that can't be used; raises DataError if none can.

    is_written: whether a table of them is written, and need not be shown as well.
    """
    if not found:
        heading = ["none of the pictures can be used:"] if len(unused) > 1 else []
        raise DataError("\n".join([*heading, *unused, *_tell_looks(looks)]))
    for scan in found:
        own = "" if len(found) + len(unused) == 1 else f"{name_of(scan.row)}: "
        say("\n".join(_read_out(scan, reader.classes, own)))
    for line in _tell_looks(looks):
        say(line)
    _show_table(found, reader.classes, is_written=is_written)
    if reader.note:
        warn(reader.note)
    for line in unused:
        warn(f"not used: {line}")


def _show_table(found: Sequence[Predicted], classes: Sequence[str], *, is_written: bool) -> None:
    """Show the chances of each subject; of very many those of the least sure."""
    if is_written:
        return
    rows = [row for scan in found for row in _describe(scan, classes)]
    title = "Predictions"
    if len(rows) > MOST_ROWS:
        title = f"The {MOST_ROWS} least sure of {len(rows):,} predictions; all of them: --csv FILE"
        sure = np.concatenate([scan.probabilities.max(axis=1) for scan in found])
        rows = [rows[place] for place in np.sort(np.argsort(sure, kind="stable")[:MOST_ROWS])]
    say("")
    show(title, COLUMNS, rows)


def _read_out(scan: Predicted, classes: Sequence[str], name: str) -> Iterator[str]:
    """Yield what a scan says: the label of a single subject, or those of each row in a line."""
    labels = [classes[number] for number in choose_classes(scan.probabilities)]
    if len(labels) == 1:
        yield f"{name}{labels[0]} ({100 * scan.probabilities.max():.0f} %)"
        return
    for row, pairs in groupby(zip(scan.subjects, labels, strict=True), lambda pair: pair[0].row):
        yield f"{name if row == scan.subjects[0].row else ''}{' '.join(pair[1] for pair in pairs)}"


def _tell_looks(looks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a sentence on the layouts that were taken by how the pictures look."""
    if not looks:
        return
    parts = [
        f"{_count_names(names)} as {SHOWS[layout]} ({layout})" for layout, names in looks.items()
    ]
    yield f"Read by its look: {', '.join(parts)}. --layout NAME says otherwise."


def _count_names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else count_things(len(names), "picture")


def _describe(predicted: Predicted, classes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each subject of a scan."""
    for number, (subject, chances) in enumerate(
        zip(predicted.subjects, predicted.probabilities, strict=True), start=1
    ):
        best, *others = np.argsort(-chances, kind="stable")
        second = f"{classes[others[0]]} ({chances[others[0]]:.3f})" if others else ""
        place = ", ".join(map(str, subject.box))
        name = name_of(predicted.row)
        if terminal.is_terminal and len(name) > LONGEST_NAME:
            name = f"…{name[1 - LONGEST_NAME :]}"
        yield name, str(number), place, classes[best], f"{chances[best]:.3f}", second


def _write_targets(
    targets: Targets,
    found: Sequence[Predicted],
    homes: Mapping[str, tuple[str, Source] | None],
    classes: Sequence[str],
) -> str:
    """Write the table and the draft that are wanted; return what there is to say of them."""
    written = ""
    if targets.table:
        write_predictions(targets.table, found, classes)
        written += f", written to {targets.table}"
    if targets.draft:
        named = [
            replace(scan, row=scan.row | {"source": home[0]})
            for scan in found
            if (home := homes[scan.row["source"]])
        ]
        unsure = write_draft(targets.draft, named, classes, targets.least)
        written += f", {targets.draft} drafted"
        if unsure:
            more = f", and {len(unsure) - MOST_NAMED:,} more" if unsure[MOST_NAMED:] else ""
            warn(
                f"{targets.draft}: {count_things(len(unsure), 'label')} less sure than "
                f"{targets.least:g} left empty, for you to fill in (or - to leave one out): "
                f"{', '.join(unsure[:MOST_NAMED])}{more}"
            )
    return written


def _shorten(project: Project | None, path: Path) -> str:
    """Return a path from the project's root if it lies there, as the other commands show it."""
    is_inside = project is not None and path.is_relative_to(project.root)
    return project.relative(path) if project and is_inside else str(path)
