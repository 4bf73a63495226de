"""Sets of arrays in the catalogue: a row a picture, found out in a process of its own."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.console import track, warn
from pipeline.dataset.tables import Row
from pipeline.errors import OUT_OF_MEMORY, DataError, count_things, pass_on_machine
from pipeline.intake.arrays.content import Reading
from pipeline.intake.arrays.reading import read_arrays
from pipeline.intake.arrays.sets import ArraySet, find_sets, name_of
from pipeline.intake.arrays.words import read_name
from pipeline.intake.files import PictureFile
from pipeline.intake.names import is_example
from pipeline.isolation import Death, held_to, map_isolated

# What stands beside the arrays of `prep export`, where one of its other files does.
_LIST, _DRAWING, _MARKS = "tiles.csv", "tiles.png", ("classes.txt", "README.md")


@dataclass(frozen=True)
class FoundPart:
    """What was found out about the pictures of a part; a list has an entry for each."""

    sizes: list[tuple[int, int] | str]  # width and height in pixels, or why it can't be read
    labels: list[str]
    groups: list[str]
    split: str
    notes: list[str]


def list_rows(
    root: Path,
    sets: Sequence[ArraySet],
    reading: Reading,
    classes: Sequence[str],
    *,
    layout: str,
    seconds: float,
    memory_mb: float,
    pixels: int,
    jobs: int | None = None,
) -> list[Row]:
    """Return a row for each picture of some sets, `page` counting those of a file.

    Sentences about how they are read are told. Raises DataError for a set that can't be used, with
    its file's name.
    """
    work = partial(
        inspect_set, root, reading, classes, seconds=seconds, memory_mb=memory_mb, pixels=pixels
    )
    rows: list[Row] = []
    noted: dict[str, list[str]] = defaultdict(list)
    found = zip(sets, map_isolated(work, sets, jobs, at_once=1), strict=True)
    for files, parts in track(found, "reading arrays", len(sets)):
        if isinstance(parts, Death):
            raise DataError(_explain_death(files, parts, seconds))
        rows += _make_rows(files, *parts, layout)
        for note in dict.fromkeys(note for part in parts[1] for note in part.notes):
            noted[note].append(name_of(files.images))
    if not rows:
        raise DataError(f"{name_of(sets[0].images)} holds no picture")
    for note, names in noted.items():
        more = f" and {count_things(len(names) - 1, 'more file')}" if len(names) > 1 else ""
        warn(f"{names[0]}{more}: {note}")
    return rows


def choose_files(files: Sequence[PictureFile], notes: Sequence[PictureFile]) -> list[ArraySet]:
    """Return the sets among a source's files and what looks like notes, as every CSV file does."""
    labelled = {key for kind, key in map(_read_name, (*files, *notes)) if kind == "labels"}
    tables = [note for note in notes if _is_of_set(note, labelled)]
    exported = {_path(note).parent for note in notes if _path(note).name in _MARKS}
    chosen = sorted(
        file
        for file in (*files, *tables)
        if _path(file).name not in (_LIST, _DRAWING) or _path(file).parent not in exported
    )
    holders = {file.source for file in chosen if file.member and _read_name(file)[0]}
    unknown = [
        file for file in chosen if file.source in holders and _read_name(file)[0] == ""
        if file.source.lower().endswith(".npz")
    ]  # fmt: skip
    if unknown:
        told = ", ".join(name_of(file) for file in unknown[:3])
        warn(f"{count_things(len(unknown), 'array')} not used, for the name says nothing: {told}")
    sets = find_sets(file for file in chosen if file not in unknown)
    lists = {_path(note).parent: note for note in tables if _path(note).name == _LIST}
    for place, one in enumerate(sets):
        home = _path(one.images).parent
        if one.groups is None and home in exported:
            sets[place] = replace(one, groups=lists.get(home))
    used = {one.names for one in sets}
    for file in chosen:
        if _read_name(file)[0] == "names" and file not in used:
            warn(f"{name_of(file)} names the labels of no set, and is not used")
    return sets


def _read_name(file: PictureFile) -> tuple[str, str]:
    return read_name(name_of(file))


def _path(file: PictureFile) -> PurePosixPath:
    return PurePosixPath(file.source, file.member)


def _is_of_set(note: PictureFile, labelled: Collection[str]) -> bool:
    """Return whether a file that may hold notes is a table of pictures, or goes with one.

    Of text files those are whose names say labels, their names or groups, or pictures of which
    there are labels.
    """
    path, (kind, key) = _path(note), _read_name(note)
    if is_example(path.name):
        warn(f"{name_of(note)} is an example of an answer, not labels, and is not used")
        return False
    if path.suffix.lower() in (".csv", ".tsv"):
        return True
    kind = read_name(path.name)[0]
    return path.suffix.lower() == ".txt" and (
        kind in ("names", "labels", "groups") or (kind == "images" and key in labelled)
    )


def inspect_set(
    root: Path,
    reading: Reading,
    classes: Collection[str],
    files: ArraySet,
    *,
    seconds: float,
    memory_mb: float,
    pixels: int,
) -> tuple[str, list[FoundPart]]:
    """Return the digest of a set and what its parts hold, which may cost so much (see held_to)."""
    try:
        for file in (files.images, files.labels, files.names, files.groups):
            if file:
                file.open_archive(root)
        with held_to(seconds, memory_mb):
            found = read_arrays(root, files, reading, classes, max_pixels=pixels)
            return found.sha256, [
                FoundPart(
                    [
                        str(one) if isinstance(one, DataError) else (one.shape[1], one.shape[0])
                        for one in part.pictures
                    ],
                    part.labels,
                    part.groups,
                    part.split,
                    part.notes,
                )
                for part in found.parts
            ]
    except MemoryError:
        raise DataError(
            f"{name_of(files.images)}: {OUT_OF_MEMORY}: raise limits.memory_mb in params.yaml, "
            f"{memory_mb:g}"
        ) from None
    except OSError as error:
        pass_on_machine(error, root / files.images.source)
        raise


def _explain_death(files: ArraySet, death: Death, seconds: float) -> str:
    name = name_of(files.images)
    if death.out_of_time:
        return f"{name}: takes longer to read than limits.seconds in params.yaml, {seconds:g}"
    if death.from_outside:
        return (
            f"{name}: the process that read it was ended from outside ({death}), as the system "
            "does when memory runs out. Close other programs, or lower limits.memory_mb"
        )
    return f"{name}: what reads it crashed ({death}): it is damaged"


def _make_rows(
    files: ArraySet, digest: str, parts: Sequence[FoundPart], layout: str
) -> Iterator[Row]:
    page = 0
    for part in parts:
        for number, size in enumerate(part.sizes):
            broken = isinstance(size, str)
            yield {
                "source": files.images.source,
                "member": files.images.member,
                "page": str(page),
                "sha256": digest,
                "layout": layout,
                "label": part.labels[number] if part.labels else "",
                "group": part.groups[number] if part.groups else "",
                "split": part.split,
                "width": "" if broken else str(size[0]),
                "height": "" if broken else str(size[1]),
                "status": "quarantined" if broken else "ok",
                "reason": size if isinstance(size, str) else "",
            }
            page += 1
