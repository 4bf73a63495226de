"""prep predict: new pictures and a model -> a table of labels, and drawings in predictions/."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.console import show, track, warn
from pipeline.dataset.documents import read_object
from pipeline.dataset.predictions import choose_classes
from pipeline.dataset.tables import Row
from pipeline.errors import DataError, count_things, nearest
from pipeline.intake import images
from pipeline.intake.catalogue import name_of, overlay_name
from pipeline.intake.files import PictureFile, find_files
from pipeline.intake.kinds import recognise
from pipeline.intake.names import plain_name, printable_name
from pipeline.network import asking, probing, saving
from pipeline.project import Project, is_made_here, require_made
from pipeline.settings.params import Params
from pipeline.settings.sections import Tile
from pipeline.subjects import overlays
from pipeline.subjects.boxes import Box
from pipeline.subjects.layouts import LAYOUTS, PREDICTED, LayoutName
from pipeline.subjects.search import Searched, Subject, search_scan
from pipeline.tiles.cutting import ReducedPicture, cut_photo, cut_writing, side_needed

Pixels = npt.NDArray[np.uint8]

COLUMNS = ("picture", "number", "box", "label", "probability", "second best")
SMALLEST_DRAWING = 300  # pixels: labels on a picture with a shorter long side could not be read


@dataclass(frozen=True)
class _Wanted:
    """What a picture is: its layout, and of a page of cells how many there are."""

    layout: LayoutName
    rows: int
    columns: int


@dataclass(frozen=True)
class Predicted:
    """A scan, named as in the catalogue, its subjects' boxes and the probability of each class."""

    row: Row
    boxes: list[Box]
    probabilities: npt.NDArray[np.float32]  # (N, K)


def predict(
    project: Project,
    params: Params,
    pictures: Sequence[Path],
    wanted: str,
    layout: str | None = None,
    out: Path | None = None,
) -> str:
    """Label the subjects on pictures with a model; show the labels and draw them."""
    reading = _choose_reading(params, layout)
    model_file = _find_model(project, params, wanted)
    folder = _choose_folder(project, out)
    files = list(_find_pictures(pictures))
    model = _load_model(model_file, params)
    inputs = {Path(plain_name(file.source)).resolve() for file in files}
    found: list[Predicted] = []
    unused: list[str] = []
    scans = _read_pages(track(files, "predicting", len(files)), params.limits.pixels)
    for row, scan, data in scans:
        try:
            if isinstance(scan, DataError):
                raise scan
            predicted = _predict_scan(row, scan, data, reading, params, model)
            _write_drawing(folder, inputs, scan, predicted, params.classes)
            found.append(predicted)
        except DataError as error:
            unused.append(f"{name_of(row)}: {error}")
    _report(found, unused, params.classes)
    count = sum(len(predicted.boxes) for predicted in found)
    return (
        f"{count_things(count, 'subject')} labelled by {_shorten(project, model_file)} and "
        f"drawn on {count_things(len(found), 'picture')} in {_shorten(project, folder)}"
    )


def _choose_reading(params: Params, wanted: str | None) -> _Wanted:
    """Return how to read the wanted layout, by default that of the project's first source."""
    name = wanted or params.sources[0].layout
    if name not in PREDICTED:
        raise DataError(
            f"--layout: '{name}' is no layout that can be predicted.{nearest(name, PREDICTED)} "
            f"Known: {', '.join(PREDICTED)}"
        )
    source = next((source for source in params.sources if source.layout == name), None)
    if source is None and LAYOUTS[name].has_cells:
        raise DataError(
            "--layout cells: params.yaml has no source of that layout, which would say how many "
            "rows and columns a page has"
        )
    return _Wanted(
        cast(LayoutName, name), (source and source.rows) or 1, (source and source.columns) or 1
    )


def _find_model(project: Project, params: Params, wanted: str) -> Path:
    """Return the model's file: a .keras file itself, or of an experiment that of its first run."""
    if wanted.endswith(".keras") or (wanted not in params.experiments and Path(wanted).exists()):
        return require_made(Path(wanted))
    if wanted not in params.experiments:
        known = list(params.experiments)
        raise DataError(
            f"--model: '{wanted}' is no .keras file, and there is no such experiment in "
            f"params.yaml.{nearest(wanted, known)} Known: {', '.join(known)}"
        )
    return project.require(
        project.run_folder(wanted, 0, params.seeds_of(wanted)[0]) / "model.keras"
    )


def _load_model(path: Path, params: Params) -> Any:
    """Read a model; raises DataError when it is made for other tiles or classes."""
    _refuse_other_classes(path, params.classes)
    model = saving.load(path)
    side, channels = params.tile.size, params.tile.channels
    saving.check_fit(model, (side, side, channels), len(params.classes), str(path))
    probing.check_file(model, path)
    return model


def _refuse_other_classes(path: Path, classes: Sequence[str]) -> None:
    """Raise DataError when the run.json beside a model names other classes, or another order."""
    beside = path.with_name("run.json")
    if not beside.exists():
        return
    again = "Train again with: prep train"
    come = "Bring the model's whole folder once more from where it came"
    run = read_object(require_made(beside), again if is_made_here(beside) else come)
    trained = run.get("classes", list(classes))  # an older prep did not write them
    if trained != list(classes):
        raise DataError(
            f"{path} was trained on the classes {', '.join(map(str, trained))}; params.yaml has "
            f"{', '.join(classes)}. Train again with: dvc repro"
        )


def _choose_folder(project: Project, out: Path | None) -> Path:
    """Return the folder for the drawings, which must not be taken for data."""
    folder = project.output("predictions") if out is None else out
    if project.is_raw(folder):
        raise DataError(f"--out {folder}: drawings under raw/ would be taken for your pictures")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--out {folder} is a file; give the name of a folder")
    return folder


def _find_pictures(paths: Iterable[Path]) -> Iterator[PictureFile]:
    """Yield the files that are named, and those in folders and archives that are."""
    for path in paths:
        absent = "" if os.path.lexists(path) else "there is no such file"
        named = PictureFile(printable_name(path.as_posix()), trouble=absent)
        if not os.access(path, os.R_OK):  # reading it says why
            yield named
            continue
        inside = find_files(Path(), path.as_posix())
        yield from inside or [PictureFile(named.source, trouble="there is no picture in it")]


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
    row: Row, scan: Pixels, data: bytes, reading: _Wanted, params: Params, model: Any
) -> Predicted:
    """Label the subjects on a scan; raises DataError with the reason when there are none."""
    searched = _find_subjects(scan, reading, params.tile)
    if searched.reason:
        raise DataError(searched.reason)
    if searched.note:
        warn(f"{name_of(row)}: {searched.note}")
    made = _cut_tiles(scan, data, int(row["page"]), searched.subjects, params)
    probabilities = asking.predict(model, np.stack(made))
    if not np.isfinite(probabilities).all():
        raise DataError("the model gives no numbers as probabilities: its training diverged")
    return Predicted(row, [subject.box for subject in searched.subjects], probabilities)


def _find_subjects(scan: Pixels, reading: _Wanted, tile: Tile) -> Searched:
    """Find the subjects of a scan without their labels; a photo is its one subject."""
    if LAYOUTS[reading.layout].is_subject and tile.method == "photo":
        if scan.min() == scan.max():
            return Searched(reason="it is blank, of one colour all over")
        return Searched((Subject((0, 0, scan.shape[1], scan.shape[0]), ""),))
    return search_scan(scan, reading.layout, None, rows=reading.rows, columns=reading.columns)


def _cut_tiles(
    scan: Pixels, data: bytes, page: int, subjects: Sequence[Subject], params: Params
) -> list[Pixels]:
    """Return the subjects' tiles, made as `prep normalise` makes them.

    A JPEG, also one in a PDF, is decoded once more, as small as the tiles allow: averaged from the
    full picture they would differ by some grey levels from those that the model was trained on.
    """
    tile = params.tile
    if tile.method != "photo":
        return [cut_writing(found.pixels, tile) for found in subjects if found.pixels is not None]
    boxes = [found.box for found in subjects]
    photo = ReducedPicture(scan, factor=1)
    if recognise(data) in {"JPEG", "PDF"}:
        at_least = side_needed(scan.shape[1], scan.shape[0], boxes, tile)
        most = params.limits.pixels
        photo = images.decode_one_reduced(data, at_least, page, max_pixels=most)
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
            for x0, y0, x1, y1 in predicted.boxes
        ],
        [classes[number] for number in best],
        list(chances),
        [f"{100 * chance:.0f}%" for chance in chances],
    )


def _report(found: Sequence[Predicted], unused: Sequence[str], classes: Sequence[str]) -> None:
    """Show every label, and warn of pictures that can't be used; raises DataError if none can."""
    if not found:
        heading = ["none of the pictures can be used:"] if len(unused) > 1 else []
        raise DataError("\n".join([*heading, *unused]))
    show("Predictions", COLUMNS, (row for scan in found for row in _describe(scan, classes)))
    for line in unused:
        warn(f"not used: {line}")


def _describe(predicted: Predicted, classes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each subject of a scan."""
    for number, (box, chances) in enumerate(
        zip(predicted.boxes, predicted.probabilities, strict=True), start=1
    ):
        best, *others = np.argsort(-chances, kind="stable")
        second = f"{classes[others[0]]} ({chances[others[0]]:.3f})" if others else ""
        place = ", ".join(map(str, box))
        name = name_of(predicted.row)
        yield name, str(number), place, classes[best], f"{chances[best]:.3f}", second


def _shorten(project: Project, path: Path) -> str:
    """Return a path from the project's root if it lies there, as the other commands show it."""
    return project.relative(path) if path.is_relative_to(project.root) else str(path)
