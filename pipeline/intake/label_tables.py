"""Tables of labels beside the pictures, as other people's sets have them: `filename,label`.

What makes a CSV file such a table are its columns: one that names files, and one that says what
they show (any of the usual names; of two columns in all the other one, if classes stand in it). All
other files are notes. Which picture a name means: the one whose path below the table's folder ends
with it, with or without the suffix.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError, count_things, shorten
from pipeline.intake.archives import ArchiveLimits
from pipeline.intake.columns import FILES, LABELS, SPLITS, find_column, simplify
from pipeline.intake.files import PictureFile
from pipeline.intake.names import compose_name, is_example, plain_name, printable_name
from pipeline.intake.parts import read_part
from pipeline.intake.spreadsheets import MOST_BYTES, has_header, read_lines

_ARCHIVE = re.compile(r"(\.tar)?\.(zip|tar|tgz|gz)$", re.IGNORECASE)
_LIMITS = ArchiveLimits(file=MOST_BYTES)
_TABLES = {".csv", ".tsv"}
_ABOUT = re.compile(r"labels?|metadata|list", re.IGNORECASE)  # beside a part: train_labels.csv


@dataclass(frozen=True)
class Entry:
    """What a row says of a picture, '' for what it does not."""

    table: str  # as a person would name it
    line: int
    label: str
    part: str  # train, val or test

    @property
    def place(self) -> str:
        """The table and the line."""
        return f"{self.table}, line {self.line}"


@dataclass(frozen=True)
class LabelTable:
    """A table of labels: where it lies, and what its rows say of which names."""

    name: str
    folder: tuple[str, ...]  # below the source's
    rows: list[tuple[str, Entry]]


@dataclass(frozen=True)
class Found:
    """What the tables of a source say of its pictures, and what they say of none."""

    tables: list[str]
    entries: dict[PictureFile, Entry]
    lost: list[tuple[str, Entry]]  # rows whose name no picture has


def list_label_tables(root: Path, notes: Iterable[PictureFile]) -> list[PictureFile]:
    """Return those of a source's notes that are tables of labels by their columns."""
    return [note for note in notes if _is_table(note) and _read_header(root, note)]


def list_other_tables(notes: Iterable[PictureFile], tables: Collection[str]) -> list[str]:
    """Return the names of those of a source's notes that could be tables of labels, and are not."""
    return [_name(note) for note in notes if _is_table(note) and _name(note) not in tables]


def read_label_tables(
    root: Path, folder: str, notes: Iterable[PictureFile], classes: Sequence[str]
) -> list[LabelTable]:
    """Return the tables of labels of a source; raises DataError for one that is not clear.

    One that says something else in its second column than classes is none.
    """
    tables = []
    for note in notes:
        rows = _read_rows(root, note, classes)
        tables += [LabelTable(_name(note), _path_below(note, folder)[:-1], rows)] if rows else []
    return tables


def match_rows(tables: Sequence[LabelTable], files: Sequence[PictureFile], folder: str) -> Found:
    """Return what tables say of the files of a source.

    Raises DataError for a name that several pictures have, and for rows that contradict each other.
    """
    by_name = _index(files, folder)
    entries: dict[PictureFile, Entry] = {}
    lost = []
    for table in tables:
        for named, entry in table.rows:
            file = _find_file(table, named, entry, by_name)
            if file is None:
                lost.append((named, entry))
            elif entry.label or entry.part:
                entries[file] = _join(entries.get(file, entry), entry, named)
    return Found([table.name for table in tables], entries, lost)


def _is_table(note: PictureFile) -> bool:
    path = PurePosixPath(_name(note))
    return path.suffix.casefold() in _TABLES and not is_example(path.name)


def _name(note: PictureFile) -> str:
    """Return how a person would name a table."""
    return f"{note.source} > {note.member}" if note.member else note.source


def _read_header(root: Path, note: PictureFile) -> bool:
    """Return whether a table has the columns of one of labels."""
    try:
        return has_header(note.read(root, limits=_LIMITS), _shows_labels)
    except DataError:  # larger than any such table, or broken
        return False


def _read_rows(root: Path, note: PictureFile, classes: Sequence[str]) -> list[tuple[str, Entry]]:
    """Return the names in a table and what it says of them; none if it is no table of labels."""
    name, used = _name(note), set[str]()

    def is_header(fields: list[str]) -> bool:
        used.update(fields[column] for column in _find_columns(fields) or () if column >= 0)
        return _shows_labels(fields)

    def may_go_on(column: str) -> bool:
        return column not in used

    data = note.read(root, limits=_LIMITS)
    sure = has_header(data, lambda fields: any(simplify(one) in LABELS for one in fields))
    try:
        (_, header), *lines = read_lines(data, name, is_header, ("filename", "label"), may_go_on)
    except DataError:
        if sure:
            raise
        return []  # of two columns with other names nobody knows that they should be clear
    columns = _find_columns(header)
    if columns is None:
        return []
    rows, own_part = [], read_part(_ABOUT.sub("", PurePosixPath(name).stem))
    for line, cells in lines:
        named, label, part = (cells[at] if 0 <= at < len(cells) else "" for at in columns)
        if named:
            said = _read_split(part, name, line) or own_part
            rows.append((compose_name(named), Entry(name, line, compose_name(label), said)))
    return rows if sure or any(entry.label in classes for _, entry in rows) else []


def _shows_labels(fields: list[str]) -> bool:
    return _find_columns(fields) is not None


def _find_columns(fields: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the columns of names, labels and parts (-1: none); None for another table."""
    named, label, split = (find_column(fields, known) for known in (FILES, LABELS, SPLITS[:1]))
    if label < 0 and len(fields) == 2:
        label = 1 - named
    return None if named < 0 or label < 0 or label == split else (named, label, split)


def _read_split(text: str, name: str, line: int) -> str:
    """Return the part that a field of the column split names."""
    part = read_part(text)
    if text and not part:
        raise DataError(
            f"{name}: line {line}: split is '{shorten(text)}'; write train, val or test, or nothing"
        )
    return part


def _path_below(file: PictureFile, folder: str) -> tuple[str, ...]:
    """Return the parts (NFC) of a file's path below a source's folder; an archive is a folder."""
    own = file.source.removeprefix(printable_name(PurePosixPath(folder).as_posix()))
    path = compose_name(plain_name(f"{own}/{file.member}"))
    return tuple(part for part in path.split("/") if part)


Index = Mapping[str, list[tuple[tuple[str, ...], PictureFile]]]  # paths by their last part


def _index(files: Iterable[PictureFile], folder: str) -> Index:
    """Return the files by their names, and by these without the suffix."""
    found: dict[str, list[tuple[tuple[str, ...], PictureFile]]] = defaultdict(list)
    for file in files:
        *above, name = _path_below(file, folder) or ("",)
        # An archive is the folder that it would be unpacked to.
        path = tuple(_ARCHIVE.sub("", part) for part in above)
        for text in {name, name.rpartition(".")[0] or name}:
            found[text].append(((*path, name), file))
    return found


def _find_file(table: LabelTable, named: str, entry: Entry, by_name: Index) -> PictureFile | None:
    """Return the file that a name in a table means, None if there is none."""
    said = tuple(part for part in re.split(r"[/\\]", named) if part not in ("", "."))
    if not said:
        return None
    folder = tuple(_ARCHIVE.sub("", part) for part in table.folder)
    found = []
    for path, file in by_name.get(said[-1], ()):
        if path[: len(folder)] == folder:
            own = path[len(folder) : -1]
            shorter = min(len(own), len(said) - 1)
            if own[len(own) - shorter :] == said[len(said) - 1 - shorter : -1]:
                found.append((own, path[-1] == said[-1], file))
    for is_meant in (
        lambda own, whole: whole,
        lambda own, whole: own == said[:-1],
        lambda own, whole: entry.part != "" and any(read_part(part) == entry.part for part in own),
    ):
        if len(found) > 1:
            found = [one for one in found if is_meant(*one[:2])] or found
    if len(found) > 1:
        names = " and ".join("/".join((*own, said[-1])) for own, _, _ in found[:2])
        raise DataError(
            f"{entry.place}: {len(found)} pictures are called '{shorten(named)}', {names}: write "
            "the folder before the name, or call the table like the folder that it is about, as "
            "in train.csv"
        )
    return found[0][2] if found else None


def _join(first: Entry, entry: Entry, named: str) -> Entry:
    """Return what two rows say of a picture; raises DataError when they contradict each other."""
    for what, one, other in (
        ("labels", first.label, entry.label),
        ("parts", first.part, entry.part),
    ):
        if one and other and one != other:
            raise DataError(
                f"{first.place}, and {entry.place}, give '{shorten(named)}' different {what}, "
                f"'{shorten(one)}' and '{shorten(other)}': mend one of them, or delete its table"
            )
    where = first if first.label else entry
    return replace(where, part=first.part or entry.part)


def describe(found: Found, files: Sequence[PictureFile]) -> Iterator[str]:
    """Yield what the tables gave, and what they could not."""
    labelled = sum(bool(entry.label) for entry in found.entries.values())
    more = f" and {count_things(len(found.tables) - 1, 'more table')}"
    tables = f"{found.tables[0]}{more} give" if found.tables[1:] else f"{found.tables[0]} gives"
    yield f"{tables} the labels of {count_things(labelled, 'picture')}"
    without = [file for file in files if file not in found.entries]
    if without:
        place = without[0].member or without[0].source
        yield f"{count_things(len(without), 'picture')} without a row, such as {place}"
    if found.lost:
        named, entry = found.lost[0]
        rows = count_things(len(found.lost), "row")
        yield f"{rows} without a picture, such as '{shorten(named)}' ({entry.place})"
