"""What raw/labels.csv says of the rows of a page: their texts, and labels by row and column.

A text counts only where as many boxes were found in its row as it has labels, and texts without the
number of their row only where as many rows were found as there are texts: nothing is guessed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import path_of
from pipeline.intake.labels import ANY, LABELS, Override
from pipeline.intake.names import LEFT_OUT, compose_name
from pipeline.subjects.search import Subject

Line = tuple[int, int]  # the page of a file, and the row on it


def label_places(
    scans: Sequence[Row], subjects: Sequence[Subject], said: Sequence[Override]
) -> tuple[list[Subject], list[str]]:
    """Return the subjects (N,) with what is said of their places, and what has to be told.

    scans (N,): the row of the catalogue that each subject lies on. A box that is to be left out has
    the label LEFT_OUT; one in a row whose text does not fit has none.
    """
    by_name: dict[str, list[Override]] = defaultdict(list)
    for one in said:
        if one.text or one.row != ANY:
            by_name[compose_name(one.source)].append(one)
    files: dict[str, dict[Line, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, (scan, subject) in enumerate(zip(scans, subjects, strict=True)):
        name = compose_name(path_of(scan))
        if name in by_name:
            files[name][int(scan["page"]), subject.row].append(number)
    result, notes = list(subjects), list[str]()
    for name, lines in by_name.items():
        rows = {
            line: sorted(numbers, key=lambda number: subjects[number].column)
            for line, numbers in sorted(files[name].items())
        }
        notes += _label_file(name, rows, lines, result)
    return result, notes


def _label_file(
    name: str, rows: Mapping[Line, list[int]], said: Sequence[Override], result: list[Subject]
) -> Iterator[str]:
    """Let the subjects of a file be what is said of their places; yield what does not fit."""
    running = [(one, text) for one in said if one.row == ANY for text in one.text]
    placed = [one for one in said if one.row != ANY]
    if running and len(running) != len(rows):
        where = f"{LABELS}, line {running[0][0].line}"
        yield (
            f"{name}: rows found: {len(rows):,}, lines of its text: {len(running):,} ({where}); "
            "the boxes of that page have no label. Give each text its row, as the overlay counts"
        )
        _set(result, [number for numbers in rows.values() for number in numbers], "")
    elif running:
        for (line, numbers), (one, text) in zip(rows.items(), running, strict=True):
            yield from _write(name, line[1], numbers, one, text, result)
    if placed and len({page for page, _ in rows}) > 1:
        yield (
            f"{name}: it has several pages, so a row alone names no box ({LABELS}, line "
            f"{placed[0].line}); take the ids in processed/boxes.csv"
        )
        return
    numbers_of = {row: numbers for (_, row), numbers in rows.items()}
    for one in sorted(placed, key=lambda one: (not one.text, one.column != ANY)):
        numbers = numbers_of.get(one.row, [])
        if one.text:
            yield from _write(name, one.row, numbers, one, one.text[0], result)
        else:
            meant = [n for n in numbers if one.column in (ANY, result[n].column)]
            _set(result, meant, one.label or None)
            if not meant:
                column = "" if one.column == ANY else f", col {one.column}"
                yield f"{name}: no box in row {one.row}{column} ({LABELS}, line {one.line})"
        if one.group:
            _set(result, numbers if one.text else meant, None, group=one.group)


def _write(
    name: str,
    row: int,
    numbers: Sequence[int],
    one: Override,
    text: Sequence[str],
    result: list[Subject],
) -> Iterator[str]:
    """Give the boxes of a row the labels of its text, if these are as many."""
    if len(numbers) != len(text):
        yield (
            f"{name}, row {row}: boxes found: {len(numbers):,}, labels in its text: "
            f"{len(text):,} ({LABELS}, line {one.line}); these boxes have no label"
        )
        _set(result, numbers, "")
        return
    for number, label in zip(numbers, text, strict=True):
        _set(result, [number], label)


def _set(result: list[Subject], numbers: Sequence[int], label: str | None, group: str = "") -> None:
    for number in numbers:
        result[number] = relabel(result[number], label, group)


def relabel(subject: Subject, label: str | None, group: str = "") -> Subject:
    """Return a subject with another label (None: its own) and group ('': its own).

    It remembers the first label that it had: that of its layout or folder, or where these give none
    the first that raw/labels.csv gave.
    """
    own = subject.label if label is None else label
    first = subject.found or (subject.label if subject.label != LEFT_OUT else "")
    return replace(subject, label=own, group=group or subject.group, found=first)
