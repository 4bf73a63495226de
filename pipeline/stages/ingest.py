"""prep ingest: raw/ -> catalogue.csv, a row a scan."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pipeline.checks.road import read_inputs
from pipeline.console import track, warn
from pipeline.dataset.tables import COLUMNS, Row, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake import catalogue
from pipeline.intake.arrays.rows import choose_files, list_rows, settle_splits
from pipeline.intake.class_folders import read_class_folders
from pipeline.intake.files import PictureFile, find_files_and_notes, folder_of, locate
from pipeline.intake.inspection import Inspection, inspect_file
from pipeline.intake.kinds import explain_table
from pipeline.intake.labels import LABELS, find_lookalike, labels_file, read_overrides
from pipeline.intake.links import refuse_unseen
from pipeline.intake.names import compose_name, is_clutter, printable_name
from pipeline.isolation import Death, map_isolated
from pipeline.project import Project, class_file_name
from pipeline.settings.loading import list_source_places
from pipeline.settings.params import Params
from pipeline.settings.sections import Limits, Source
from pipeline.subjects.layouts import LAYOUTS, find_origin


class _SourceError(DataError):
    """A source is not what params.yaml says: the message goes on from the line there."""

    def __init__(self, source: Source, message: str) -> None:
        super().__init__(message)
        self.source = source


def ingest(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find, decode and catalogue every scan of every source."""
    if other := find_lookalike(project.root):
        warn(f"{other} is not read; save it as CSV with the name {LABELS}")
    rows: list[Row] = []
    inputs = read_inputs(project.root)
    try:
        folders = _locate_sources(project.root, params.sources)
        refuse_unseen(project.root, folders, inputs)
        for source, folder in zip(params.sources, folders, strict=True):
            rows += _ingest_source(project.root, source, folder, params, inputs, jobs)
    except _SourceError as error:
        places = dict(enumerate(list_source_places(project.params_file)))
        place = places.get(params.sources.index(error.source), "")
        raise DataError(f"{place}{error}") from error
    catalogue.apply_overrides(rows, read_overrides(project.root, params.classes))
    catalogue.check_labels(rows, params.classes)
    catalogue.settle_duplicates(rows)
    write_table(project.renew("catalogue.csv"), COLUMNS["catalogue"], rows)
    return _describe(rows)


def _describe(rows: list[Row]) -> str:
    """Return how many scans there are of each status, and what has no label and should."""
    counts = Counter(row["status"] for row in rows)
    ok, twice, broken = (counts[status] for status in ("ok", "duplicate", "quarantined"))
    out = f", {counts['left out']:,} left out" if counts["left out"] else ""
    loose = [
        row
        for row in rows
        if row["status"] == "ok"
        and row["layout"] in {"free", "whole", "array", "idx"}
        and not row["label"]
    ]
    where = " (its column `reason` says why)" if broken else ""
    note = (
        f"; {len(loose):,} without a label, such as {catalogue.name_of(loose[0])}" if loose else ""
    )
    return (
        f"{count_things(ok, 'scan')} in processed/catalogue.csv, "
        f"{count_things(twice, 'duplicate')}, {broken:,} quarantined{where}{out}{note}"
    )


def _locate_sources(root: Path, sources: Sequence[Source]) -> list[str]:
    """Return the folders of the sources as they are spelt on the disk; one that is not is refused.

    A link that leads nowhere is there.
    """
    folders = [locate(root, source.path) for source in sources]
    for source, folder in zip(sources, folders, strict=True):
        if not os.path.lexists(root / folder):
            raise _SourceError(
                source,
                f"{source.path} is not there. Make that folder and put your pictures there (is its "
                "disk mounted?), or mend the line",
            )
    return folders


def _ingest_source(
    root: Path,
    source: Source,
    folder: str,
    params: Params,
    inputs: Sequence[str],
    jobs: int | None,
) -> list[Row]:
    """Return the rows of one source; raises DataError when there is nothing to use in it."""
    files, notes = find_files_and_notes(root, folder, followed=inputs)
    layout = LAYOUTS[source.layout]
    if layout.is_array:
        return _ingest_arrays(root, source, files, notes, params, jobs)
    if not files:
        raise _SourceError(source, _explain_no_files(root, folder))
    labels = _label_by_folder(root, source, folder, files, params.classes)
    rows = list(_ingest_pictures(root, source, files, labels, params.limits, jobs))
    if layout.wants_class_folders:
        _check_class_folders(root, source, rows)
    return rows


def _explain_no_files(root: Path, folder: str) -> str:
    """Return why a source has no files: it is empty, or what it holds counts as notes."""
    base = root / folder
    paths = sorted(path for path in base.rglob("*") if path.is_file()) if base.is_dir() else [base]
    shown = [path for path in paths if not is_clutter(path.name)]
    names = [printable_name(path.relative_to(root).as_posix()) for path in shown]
    for name in names:
        if table := explain_table(name):
            return table
    if names:
        rest = f" and {count_things(len(names) - 1, 'other note')}" if len(names) > 1 else ""
        return f"{folder} holds no picture, only {names[0]}{rest}: put your pictures there"
    return f"{folder} is empty: put your pictures there (see raw/README.md)"


def _ingest_pictures(
    root: Path,
    source: Source,
    files: Sequence[PictureFile],
    labels: Sequence[str],
    limits: Limits,
    jobs: int | None,
) -> Iterator[Row]:
    """Yield a row for each page of each file; what can't be read gives one quarantined row.

    A file whose decoder crashes, hangs or grows too large takes only its own process with it.
    """
    inspect = partial(inspect_file, root, **limits.model_dump())
    inspected = map_isolated(inspect, files, jobs)
    read = zip(files, labels, inspected, strict=True)
    noted: dict[str, list[Row]] = defaultdict(list)
    for file, label, found in track(read, f"reading {source.path}", len(files)):
        if isinstance(found, Death):
            found = Inspection(trouble=_explain_death(file, found, limits))
        rows = list(_rows_of_file(source, file, label, found))
        for note in found.notes:
            noted[note].append(rows[0])
        yield from rows
    for note, told in sorted(noted.items()):
        name = catalogue.name_of(told[0])
        count = count_things(len(told), "picture")
        warn(f"{note}, the range that it uses, not to 65,535: {count}, such as {name}")


def _explain_death(file: PictureFile, death: Death, limits: Limits) -> str:
    """Return why a file over which a process died is quarantined; DataError if it need not be."""
    if death.from_outside:
        raise DataError(
            f"{catalogue.name_of(vars(file))}: the processes that read it were ended from outside "
            f"({death}), as the system does when memory runs out. Close other programs, work with "
            "fewer processes (prep ingest --jobs 1), or lower limits.memory_mb in params.yaml, "
            "above which a picture is quarantined"
        )
    if death.out_of_time:
        allowed = f"limits.seconds in params.yaml, {limits.seconds:g}"
        return f"takes longer to read and decode than {allowed}"
    return f"its decoder crashed ({death})"


def _rows_of_file(
    source: Source, file: PictureFile, label: str, found: Inspection
) -> Iterator[Row]:
    """Yield the rows of one file: its readable pages, and the first that is not."""
    row = {
        "source": file.source,
        "member": file.member,
        "page": "0",
        "sha256": found.sha256,
        "layout": source.layout,
        "label": label,
        "group": "",
        "split": source.split or "",
        "status": "ok",
        "reason": "",
    }
    for page, (width, height) in enumerate(found.sizes):
        yield row | {"page": str(page), "width": str(width), "height": str(height)}
    if found.trouble:
        broken = {"page": str(len(found.sizes)), "status": "quarantined", "reason": found.trouble}
        yield row | broken


def _ingest_arrays(
    root: Path,
    source: Source,
    files: Sequence[PictureFile],
    notes: Sequence[PictureFile],
    params: Params,
    jobs: int | None,
) -> list[Row]:
    """Return a row for each picture of the sets in a source."""
    sets = choose_files(files, notes)
    if not sets:
        raise _SourceError(source, _explain_no_files(root, source.path))
    limits = params.limits.model_dump()
    rows = list_rows(
        root, sets, source.reading, params.classes, layout=source.layout, jobs=jobs, **limits
    )
    settle_splits(rows, source.path, source.split, params.split.folds)
    return rows


def _label_by_folder(
    root: Path, source: Source, folder: str, files: Sequence[PictureFile], classes: Sequence[str]
) -> list[str]:
    """Return the label of each file where the folder that it lies in names its class, else ''."""
    if find_origin(source.layout, source.labels) != "folder":
        return [""] * len(files)
    class_of = read_class_folders(root / folder, classes)
    names = [compose_name(folder_of(file, folder)) for file in files]
    shared = [name for name in classes if not class_of[name]]
    unsure = sum(name in shared for name in names)
    if unsure:
        capital = next(name for name in shared if class_file_name(name, classes) != name)
        warn(
            f"{source.path}: capitals do not count on this disk, so {', '.join(shared)} share "
            f"folders, and {count_things(unsure, 'file')} in these have no label. Give each class "
            f"that has capitals a folder of its own, as in {class_file_name(capital, classes)} for "
            f"{capital}, or list the files in raw/labels.csv"
        )
    return [class_of.get(name, name) for name in names]


def _check_class_folders(root: Path, source: Source, rows: list[Row]) -> None:
    """Raise DataError when neither folders nor raw/labels.csv say what the pictures show."""
    if not any(row["label"] for row in rows) and not labels_file(root).exists():
        raise _SourceError(
            source,
            f"{source.path} has no class folders: put the pictures of each class into a folder "
            f"with its name, as in {source.path}/cat (or list labels in raw/labels.csv)",
        )
