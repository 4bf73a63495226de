"""What is said of pictures where they stand: by folders, by their own names, or by a table.

A folder directly below a source that is called train, test or val (parts.py) says the part of the
pictures in it, whatever says their labels, unless a class has that name. Below it stand the
classes' folders. So they do below another folder, such as the one that an archive was unpacked to,
if all pictures in that lie in folders of classes.
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.errors import count_things, find_nearest
from pipeline.intake.class_folders import FolderReader, Place
from pipeline.intake.class_names import ClassNames, name_of_file, write_names
from pipeline.intake.files import PictureFile, folders_of
from pipeline.intake.label_tables import (
    LabelTable,
    describe,
    list_label_tables,
    list_other_tables,
    match_rows,
    read_label_tables,
)
from pipeline.intake.names import compose_name, plain_name
from pipeline.intake.parts import read_part
from pipeline.project import class_file_name, find_alike
from pipeline.subjects.layouts import Origin, find_origin

_MOST_TOLD = 4  # lines for a shell
_MOST_CLASSES = 200  # that anybody would write; what has more labels is no table of classes


@dataclass
class Labelling:
    """The label and the part of each file, '' for none; what is to be told, and mended."""

    origin: Origin
    labels: list[str]
    parts: list[str]  # train, val, test
    tables: list[str] = field(default_factory=list)  # of labels, by name
    notes: list[str] = field(default_factory=list)
    remedies: dict[str, str] = field(default_factory=dict)  # of labels that are no classes
    named: list[str] = field(default_factory=list)  # files that begin with a class, by no folder's


def label_files(
    root: Path,
    folder: str,
    files: Sequence[PictureFile],
    notes: Sequence[PictureFile],
    *,
    layout: str,
    chosen: Origin | None,
    classes: Sequence[str],
) -> Labelling:
    """Return what is said of the files of a source where they stand.

    notes: the files beside them that are no pictures; chosen: where labels come from, if the source
    says it. Raises DataError for tables that are not clear.
    """
    usual = find_origin(layout, chosen)
    if usual not in ("folder", "name", "table"):
        tops = ["".join(folders_of(file, folder)[:1]) for file in files]
        parts = ["" if compose_name(top) in classes else read_part(top) for top in tops]
        return Labelling(usual, [""] * len(files), parts)
    reader = FolderReader(root, folder, classes)
    places = reader.read(files, strict=usual == "folder")
    said = Labelling(
        origin=usual,
        labels=[place.label for place in places],
        parts=[place.part for place in places],
        notes=list(_tell_above(folder, places)),
    )
    beside = list_label_tables(root, notes) if chosen in (None, "table") else []
    wanted = chosen == "table" or not any(place.is_class for place in places)
    tables = read_label_tables(root, folder, beside, classes) if wanted else []
    said.tables = [table.name for table in tables]
    said.origin = find_origin(layout, chosen, has_table=bool(tables))
    match said.origin:
        case "table":
            _by_table(said, folder, files, tables, classes)
        case "name":
            _by_name(said, folder, files, classes)
        case _:
            _by_folder(said, folder, files, places, classes)
    if beside and not wanted:
        said.notes.append(
            f"{beside[0].source} is not read, for folders say the classes; `labels: table` in the "
            "source takes it instead"
        )
    elif chosen in (None, "table") and not all(said.labels):
        said.notes += _tell_others(list_other_tables(notes, said.tables))
    return said


def _tell_others(tables: Sequence[str]) -> Iterator[str]:
    """Yield a sentence when there are tables that could be meant to have labels, and have none."""
    if tables:
        more = f" (nor are {len(tables) - 1:,} more)" if len(tables) > 1 else ""
        yield (
            f"{tables[0]} is not read as a table of labels{more}: its first line would have to "
            "name the columns filename and label"
        )


def _tell_above(folder: str, places: Sequence[Place]) -> Iterator[str]:
    """Yield a sentence when folders were passed over, for what counts lies below them."""
    counts = Counter("/".join(place.above) for place in places if place.above)
    if counts:
        name = counts.most_common(1)[0][0]
        more = f" (so are {len(counts) - 1:,} more)" if len(counts) > 1 else ""
        yield (
            f"{folder}: the folder {name} is passed over{more}: those in it are read as if they "
            f"lay in {folder}, with {count_things(counts.total(), 'file')}"
        )


def _by_folder(
    said: Labelling,
    folder: str,
    files: Sequence[PictureFile],
    places: Sequence[Place],
    classes: Sequence[str],
) -> None:
    """Tell what folders leave open: classes that share one, folders of no class."""
    said.notes += _tell_shared(folder, places, classes)
    names = ClassNames(classes)
    lying: dict[str, dict[tuple[str, ...], PictureFile]] = defaultdict(dict)  # by label and folder
    begin = set()  # labels beside names that begin with a class
    for file, place in zip(files, places, strict=True):
        if not place.is_class:
            lying[place.label].setdefault(place.folder, file)
            if names.find(name_of_file(file)):
                said.named.append(file.member or file.source)
                begin.add(place.label)
    lying.pop("", None)
    strange = list(lying)[:_MOST_CLASSES]
    near = {label: find_nearest(label, classes) for label in strange}
    meant = {near[label]: label for label in reversed(strange)}
    added = [meant.get(name, name) for name in classes]
    added += [label for label in strange if label not in added]
    for label in strange:
        cures = list(_move_folders(folder, lying[label], near[label]))
        cures.append(f"write it among the classes in params.yaml:\n  classes: {write_names(added)}")
        if label in begin:
            cures.append("let the files' own names say it, by `labels: name` in the source")
        if not near[label]:
            cures.append(f"take it out of {folder}, if its pictures are not meant")
        text = "\nor ".join(cures)
        said.remedies[label] = f"{text[0].upper()}{text[1:]}"


def _tell_shared(folder: str, places: Sequence[Place], classes: Sequence[str]) -> Iterator[str]:
    """Yield a sentence when classes share a folder, because capitals do not count on the disk."""
    unsure = [place for place in places if place.is_class and not place.label]
    if unsure:
        folders = {compose_name(place.folder[-1]) for place in unsure}
        shared = [name for group in find_alike(classes) if folders & {*group} for name in group]
        capital = next(name for name in shared if class_file_name(name, classes) != name)
        yield (
            f"{folder}: capitals do not count on this disk, so {', '.join(shared)} share "
            f"folders, and {count_things(len(unsure), 'file')} in these have no label. Give each "
            "class that has capitals a folder of its own, as in "
            f"{class_file_name(capital, classes)} for {capital}, or list the files in "
            "raw/labels.csv"
        )


def _move_folders(
    folder: str, lying: Mapping[tuple[str, ...], PictureFile], near: str
) -> Iterator[str]:
    """Yield what to do with folders of one name, that of no class, each with a file in it."""
    lines = []
    for folders, file in lying.items():
        path = PurePosixPath(plain_name(folder), *map(plain_name, folders))
        if file.member:
            continue
        if near:
            lines.append(f"mv {_quote(path)} {_quote(path.with_name(near))}")
        elif len(folders_of(file, folder)) > len(folders):  # perhaps those of the classes
            lines.append(f"mv {_quote(path)}/* {_quote(path.parent)}/")
    if lines:
        what = "rename the folder" if near else "move the folders in it up"
        yield "\n  ".join([f"{what}:", *lines[:_MOST_TOLD], *["..."][: len(lines) - _MOST_TOLD]])
    else:
        yield "rename the folder"


def _quote(path: PurePosixPath) -> str:
    return shlex.quote(path.as_posix())


def _by_name(
    said: Labelling, folder: str, files: Sequence[PictureFile], classes: Sequence[str]
) -> None:
    """Let the own names of files say their classes."""
    names = ClassNames(classes)
    said.labels = [names.find(name_of_file(file)) for file in files]
    loose = [file for file, label in zip(files, said.labels, strict=True) if not label]
    if loose:
        name = name_of_file(loose[0])
        near, cure = names.find_nearest(name), ""
        if near:
            cure = f" (is it '{near}'? rename it, as in {near}.{name})"
        said.notes.append(
            f"{folder}: {count_things(len(loose), 'picture')} without a label, for the name of the "
            f"file begins with no class, as that of {loose[0].member or loose[0].source}{cure}; "
            "raw/labels.csv may name them too"
        )


def _by_table(
    said: Labelling,
    folder: str,
    files: Sequence[PictureFile],
    tables: Sequence[LabelTable],
    classes: Sequence[str],
) -> None:
    """Let tables beside the pictures say their labels, and where they do their parts."""
    found = match_rows(tables, files, folder)
    entries = [found.entries.get(file) for file in files]
    said.labels = [entry.label if entry else "" for entry in entries]
    said.parts = [
        (entry.part if entry else "") or part
        for entry, part in zip(entries, said.parts, strict=True)
    ]
    if tables:
        said.notes.append("; ".join(describe(found, files)))
    strange = dict.fromkeys(name for name in said.labels if name and name not in classes)
    wanted = [name for name in classes if name in set(said.labels)] + list(strange)
    for entry in entries:
        if entry and entry.label in strange and entry.label not in said.remedies:
            said.remedies[entry.label] = f"It stands in {entry.place}: mend it there" + (
                "\nor write the labels of that table as classes in params.yaml:\n  classes: "
                f"{write_names(wanted)}"
                if len(wanted) <= _MOST_CLASSES
                else f"; that table has {len(strange):,} labels that are no classes"
            )
