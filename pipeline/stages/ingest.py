"""prep ingest: raw/ -> catalogue.csv, a row a scan."""

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipeline.checks.road import read_inputs
from pipeline.console import track, warn
from pipeline.dataset.tables import COLUMNS, Row, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake import catalogue
from pipeline.intake.arrays.rows import choose_files, list_rows
from pipeline.intake.arrays.sets import ArraySet
from pipeline.intake.drawn_boxes import boxes_file
from pipeline.intake.files import PictureFile, find_files_and_notes, locate
from pipeline.intake.inspection import Inspection, inspect_file
from pipeline.intake.kinds import explain_table
from pipeline.intake.labelling import Labelling, label_files
from pipeline.intake.labels import LABELS, find_lookalike, labels_file, read_overrides
from pipeline.intake.links import refuse_unseen
from pipeline.intake.names import is_clutter, printable_name
from pipeline.isolation import Death, map_isolated
from pipeline.notes import digest_if_there
from pipeline.project import Project
from pipeline.settings.loading import list_source_places, write_source
from pipeline.settings.params import Params
from pipeline.settings.sections import Limits, Source
from pipeline.subjects.layouts import LAYOUTS


class _SourceError(DataError):
    """A source is not what params.yaml says: the message goes on from the line there."""

    def __init__(self, source: Source, message: str) -> None:
        super().__init__(message)
        self.source = source


def ingest(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find, decode and catalogue every scan of every source."""
    if other := find_lookalike(project.root):
        warn(f"{other} is not read; save it as CSV with the name {LABELS}")
    by_source: list[list[Row]] = []
    remedies: dict[str, str] = {}  # of labels that are no classes
    inputs = read_inputs(project.root)
    try:
        folders = _locate_sources(project.root, params.sources)
        refuse_unseen(project.root, folders, inputs)
        before = _list_files(project.root, folders)
        for source, folder in zip(params.sources, folders, strict=True):
            said = _ingest_source(project.root, source, folder, params, inputs, jobs)
            by_source.append(said[0])
            remedies = said[1] | remedies
    except _SourceError as error:
        places = dict(enumerate(list_source_places(project.params_file)))
        place = places.get(params.sources.index(error.source), "")
        raise DataError(f"{place}{error}") from error
    _refuse_changed(before, _list_files(project.root, folders))
    while True:  # what is corrected meanwhile counts, for DVC will take it for used
        digest = digest_if_there(labels_file(project.root))
        told = _write_catalogue(project, params, by_source, remedies)
        if digest_if_there(labels_file(project.root)) == digest:
            return told


def _write_catalogue(
    project: Project, params: Params, read: list[list[Row]], remedies: dict[str, str]
) -> str:
    """Write the rows of all sources, which stay as they are, with what raw/labels.csv says."""
    by_source = [[row.copy() for row in its_rows] for its_rows in read]
    rows = [row for its_rows in by_source for row in its_rows]
    catalogue.apply_overrides(rows, read_overrides(project.root, params.classes))
    catalogue.check_labels(rows, params.classes, remedies)
    for source, its_rows in zip(params.sources, by_source, strict=True):
        _settle_parts(source, its_rows, rows)
    catalogue.settle_duplicates(rows)
    more = ("found",) if any("found" in row for row in rows) else ()
    write_table(project.renew("catalogue.csv"), (*COLUMNS["catalogue"], *more), rows)
    return _describe(rows)


def _list_files(root: Path, folders: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the size and the time of each file of the sources, by its path."""
    own = {labels_file(root), boxes_file(root)}  # they may change: they are read at the end
    found = {}
    for place in (root / folder for folder in folders):
        for path in (place, *place.rglob("*")):
            with suppress(FileNotFoundError):
                state = path.lstat()
                if path not in own and not stat.S_ISDIR(state.st_mode):
                    name = path.relative_to(root).as_posix()
                    found[name] = (state.st_size, state.st_mtime_ns)
    return found


def _refuse_changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> None:
    """Raise DataError when files came, went or changed while they were read.

    DVC looks at raw/ when a stage is done, and would take them for read.
    """
    changed = sorted(path for path, _ in before.items() ^ after.items())
    if changed:
        more = len(set(changed)) - 1
        others = f" and {count_things(more, 'other file')}" if more else ""
        raise DataError(
            f"{printable_name(changed[0])}{others} changed while prep ingest read the pictures. "
            "Run it again when all are there: dvc repro"
        )


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
) -> tuple[list[Row], dict[str, str]]:
    """Return the rows of one source, and what to do about each label in it that is no class.

    Raises DataError when there is nothing to use in it.
    """
    files, notes = find_files_and_notes(root, folder, followed=inputs)
    layout = LAYOUTS[source.layout]
    if layout.is_array:
        return _ingest_arrays(root, source, folder, choose_files(files, notes), params, jobs), {}
    if not files:
        unread = _find_unread(root, params)
        raise _SourceError(source, _explain_no_files(root, folder) + unread)
    said = label_files(
        root,
        folder,
        files,
        notes,
        layout=source.layout,
        chosen=source.labels,
        classes=params.classes,
    )
    if said.origin == "table" and not said.tables:
        raise _SourceError(
            source,
            f"{source.path} has no table of labels, as `labels: table` wants it: a CSV file in "
            "there whose first line is filename,label, with a line for each picture below, as in "
            f"1.jpg,{params.classes[0]}",
        )
    rows = list(_ingest_pictures(root, source, files, said, params.limits, jobs))
    if not any(row["status"] == "ok" for row in rows):
        for table in filter(None, map(explain_table, {row["source"]: None for row in rows})):
            raise _SourceError(source, table)
    for note in said.notes:
        warn(note)
    if layout.wants_class_folders and not labels_file(root).exists():
        _check_labelled(source, rows, said)
    return rows, said.remedies


def _explain_no_files(root: Path, folder: str, *, is_array: bool = False) -> str:
    """Return why a source has no files: it is empty, or what it holds counts as notes."""
    base = root / folder
    paths = sorted(path for path in base.rglob("*") if path.is_file()) if base.is_dir() else [base]
    shown = [path for path in paths if not is_clutter(path.name)]
    names = [printable_name(path.relative_to(root).as_posix()) for path in shown]
    for name in names:
        if table := explain_table(name, is_array=is_array):
            return table
    if names:
        rest = f" and {count_things(len(names) - 1, 'other note')}" if len(names) > 1 else ""
        return f"{folder} holds no picture, only {names[0]}{rest}: put your pictures there"
    return f"{folder} is empty: put your pictures there (see raw/README.md)"


def _find_unread(root: Path, params: Params) -> str:
    """Return a sentence on a folder of raw/ that holds files and that no source reads."""
    for folder in sorted(path for path in (root / "raw").iterdir() if path.is_dir()):
        name = folder.relative_to(root).as_posix()
        holds_source = any(source.path.startswith(f"{name}/") for source in params.sources)
        if holds_source or params.find_source(name):
            continue
        files = [path for path in folder.iterdir() if path.is_file() and not is_clutter(path.name)]
        if files:
            shown = printable_name(name)
            return (
                f". {shown} holds {count_things(len(files), 'file')}, but no source in params.yaml "
                f"reads it: add a line such as - {{path: {shown}, layout: form}} (for printed "
                "forms; raw/README.md has the layouts)"
            )
    return ""


def _ingest_pictures(
    root: Path,
    source: Source,
    files: Sequence[PictureFile],
    said: Labelling,
    limits: Limits,
    jobs: int | None,
) -> Iterator[Row]:
    """Yield a row for each page of each file; what can't be read gives one quarantined row.

    A file whose decoder crashes, hangs or grows too large takes only its own process with it.
    """
    inspect = partial(inspect_file, root, **limits.model_dump())
    inspected = map_isolated(inspect, files, jobs)
    read = zip(files, said.labels, said.parts, inspected, strict=True)
    noted: dict[str, list[Row]] = defaultdict(list)
    for file, label, part, found in track(read, f"reading {source.path}", len(files)):
        if isinstance(found, Death):
            found = Inspection(trouble=_explain_death(file, found, limits))
        rows = list(_rows_of_file(source, file, label, part, found))
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
    source: Source, file: PictureFile, label: str, part: str, found: Inspection
) -> Iterator[Row]:
    """Yield the rows of one file: its pages, and the first where reading ended."""
    row = {
        "source": file.source,
        "member": file.member,
        "page": "0",
        "sha256": found.sha256,
        "layout": source.layout,
        "label": label,
        "group": "",
        "split": _part_of(source, part),
        "status": "ok",
        "reason": "",
    }
    for page, size in enumerate(found.sizes):
        if isinstance(size, DataError):
            yield row | {"page": str(page), "status": "quarantined", "reason": str(size)}
        else:
            width, height = map(str, size)
            yield row | {"page": str(page), "width": width, "height": height}
    if found.trouble:
        broken = {"page": str(len(found.sizes)), "status": "quarantined", "reason": found.trouble}
        yield row | broken


def _ingest_arrays(
    root: Path,
    source: Source,
    folder: str,
    sets: Sequence[ArraySet],
    params: Params,
    jobs: int | None,
) -> list[Row]:
    """Return a row for each picture of the sets in a source."""
    if not sets:
        raise _SourceError(source, _explain_no_files(root, folder, is_array=True))
    limits = params.limits.model_dump()
    rows = list_rows(
        root, sets, source.reading, params.classes, layout=source.layout, jobs=jobs, **limits
    )
    for row in rows:
        row["split"] = _part_of(source, row["split"])
    return rows


def _part_of(source: Source, part: str) -> str:
    """Return the part that a file is in: as the source says, else as its folder or table does."""
    return part if source.split is None else source.split.replace("none", "")


def _settle_parts(source: Source, rows: Sequence[Row], everything: Sequence[Row]) -> None:
    """Tell which parts folders or tables gave; where they give no test set, training is free.

    It would never be tested, and nothing else could.
    """
    counts = Counter(row["split"] for row in rows if row["status"] == "ok" and row["split"])
    if source.split is not None or not counts:
        return
    is_tested = any(_is_tested(row) for row in everything)
    if set(counts) == {"train"} and not is_tested:  # as if nothing had been said
        for row in rows:
            row["split"] = ""
        return
    parts = ", ".join(
        f"{counts[part]:,} {part}" for part in ("train", "val", "test") if counts[part]
    )
    said = f"{source.path}: the names of files, folders or tables give the split: {parts}"
    if not is_tested:
        why = "no picture of test has a label" if counts["test"] else "there is no test set"
        said += f"; {why}, so prep split draws it" + (" from train" if counts["train"] else "")
        for row in rows:
            row["split"] = row["split"].replace("train", "")
    if any(row["split"] for row in rows):
        said += f". To have all of it drawn, write\n  {write_source(source, 'split', 'none')}"
    warn(said)


def _is_tested(row: Row) -> bool:
    """Return whether a picture is in a test set as given, and has a label or will have one."""
    labelled = row["label"] or LAYOUTS[row["layout"]].origins[0] not in ("folder", "file")
    return bool(labelled) and row["split"] == "test" and row["status"] == "ok"


def _check_labelled(source: Source, rows: Sequence[Row], said: Labelling) -> None:
    """Raise DataError when nothing says what the pictures of a source show."""
    if any(row["label"] for row in rows):
        return
    if said.origin == "name":
        raise _SourceError(
            source,
            f"no file in {source.path} has a name that begins with a class, as cat.1.jpg does. "
            "Rename them, or list labels in raw/labels.csv",
        )
    if said.named:
        raise _SourceError(
            source,
            f"{source.path} has no class folders, but the names of "
            f"{count_things(len(said.named), 'file')} begin with a class, as that of "
            f"{said.named[0]} does. If that is what they show, write\n"
            f"  {write_source(source, 'labels', 'name')}",
        )
    if said.origin == "table":
        raise _SourceError(source, f"no picture in {source.path} has a label in its table")
    raise _SourceError(
        source,
        f"{source.path} has no class folders: put the pictures of each class into a folder "
        f"with its name, as in {source.path}/cat (or list labels in raw/labels.csv, or in a table "
        f"filename,label in {source.path})",
    )
