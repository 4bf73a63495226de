"""Tables that stand beside pictures: a label or a group a row, and the names of labels."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import Values, quote
from pipeline.intake.arrays.table import is_number, open_rows
from pipeline.intake.arrays.words import find_said
from pipeline.intake.columns import (
    FILES,
    GROUPS,
    LABELS_OF_ARRAYS,
    NUMBERS,
    SEPARATORS,
    SPLITS,
    find_column,
    simplify,
    split_line,
)
from pipeline.intake.names import compose_name, split_words
from pipeline.intake.parts import read_part, read_part_of_path

_KNOWN = {*FILES, *GROUPS, *LABELS_OF_ARRAYS, *NUMBERS, *SPLITS} - {""}
_Row = tuple[int, list[str]]  # its line, as an editor counts, and its fields


def read_column(
    data: bytes, kind: Literal["labels", "groups"] = "labels", pictures: str = ""
) -> Values:
    """Return the column of a table that says labels or groups, as text; "" where it says nothing.

    It is the one that the first line calls so or, of a table without names, the last. Columns of 0
    and 1 alone are labels one-hot (N, C). Of a table with a column split or part, as the tiles.csv
    of `prep export`, the rows count that are about the part that the file of pictures is called,
    if there are such. Raises DataError for a table that is not clear.
    """
    rows = _split_rows(data)
    names = rows[0][1]
    if not _is_header(rows):
        cells = np.array([fields for _, fields in rows])
        different = np.unique(cells).tolist()
        is_one_hot = len(names) > 2 and all(map(is_number, different))
        is_one_hot = is_one_hot and {*map(float, different)} <= {0, 1}
        return cells.astype(float) if is_one_hot and kind == "labels" else cells[:, -1]
    place = find_said(names, kind)
    if place < 0:
        others = [at for at in range(len(names)) if not _is_known(rows, at)]
        if len(others) != 1:
            told = ", ".join(quote(name, 40) for name in names[:6])
            raise DataError(f"none of its columns is named {kind[:-1]}: it has {told}")
        place = others[0]
    split = find_column(names, SPLITS)
    own = [row for row in rows[1:] if split >= 0 and _is_of_part(row[1][split], pictures)]
    return np.array([fields[place] for _, fields in own or rows[1:]], str)


def read_groups_of_labels(data: bytes) -> Values | None:
    """Return the column of groups in a table that also names one of labels; None for none."""
    names = open_rows(data).fields
    has_both = find_said(names, "labels") >= 0 and find_said(names, "groups") >= 0
    return read_column(data, "groups") if has_both else None


def _is_known(rows: Sequence[_Row], place: int) -> bool:
    """Return whether a column is no label: its name says something else, or each row its own."""
    cells = [fields[place] for _, fields in rows[1:]]
    return simplify(rows[0][1][place]) in _KNOWN | {""} or len({*cells}) == len(cells) > 2


@lru_cache
def _is_of_part(part: str, pictures: str) -> bool:
    """Return whether a file of pictures is of a part by its name: train, or fold-0."""
    said, words = read_part(part), split_words(part)
    if said:
        return read_part_of_path(pictures) == said
    return split_words(pictures.rpartition("/")[2])[: len(words)] == words


def _split_rows(data: bytes) -> list[_Row]:
    """Return the rows of a table, each of as many fields; DataError for one that has others."""
    table = open_rows(data)
    lines, separator = table.split_lines(), table.separator
    rows = [(number, split_line(line, separator)) for number, line in lines]
    width = len(rows[0][1])
    if separator == " " and not _is_parted_by_spaces(rows):
        return [(number, [line.strip(' "')]) for number, line in lines]
    for number, fields in rows:
        if len(fields) != width:
            raise DataError(
                f"line {number}: it has {len(fields)} values, the first line {width}. Mend or "
                "delete that line"
            )
    return rows


def _is_parted_by_spaces(rows: Sequence[_Row]) -> bool:
    """Return whether spaces part columns: numbers, or a name of its own and a label in each row."""
    fields = [cells for _, cells in rows]
    numbers = all(is_number(cell) for cells in fields[1:] for cell in cells)
    first = [cells[0] for cells in fields]
    return len({*map(len, fields)}) == 1 and (numbers or len({*first}) == len(first) > 1)


def _is_header(rows: Sequence[_Row]) -> bool:
    """Return whether the first row names the columns: by words known for it, that come once."""
    names = rows[0][1]
    seen = [{fields[place] for _, fields in rows[1:]} for place in range(len(names))]
    once = [name not in cells for name, cells in zip(names, seen, strict=True)]
    if any(simplify(name) in _KNOWN and own for name, own in zip(names, once, strict=True)):
        return True
    is_words = not any(re.search(r"\d|\.", name) for name in names)
    return len(names) > 1 and is_words and all(once)


def read_names(
    data: bytes, classes: Collection[str] = (), *, is_mapping: bool = False
) -> dict[int, tuple[str, ...]]:
    """Return the names of labels: of a list, a name a line and the first of label 0, or a mapping.

    A mapping has the label first in each line, then its name, or as EMNIST's the codes of its
    characters. Names that begin with numbers, as `5 cent`, are a list where the classes say so, or
    where they would be no mapping.
    """
    if not data.strip():
        return {}
    written = [(number, line.strip(' \t"')) for number, line in open_rows(data).split_lines()]
    pairs = [(number, *_split_pair(line)) for number, line in written]
    below = pairs[1:]
    is_parted = below and any(mark in written[-1][1] for mark in SEPARATORS)
    if is_parted and all(_is_digits(name) and not _is_digits(label) for _, label, name in below):
        pairs = [(number, name, label) for number, label, name in pairs]  # cat,0
    if below and written[0][1] not in classes and _is_header_of_names(written[0][1], pairs):
        del pairs[0], written[0]
    if not pairs or _is_list(pairs, [line for _, line in written], classes, is_mapping):
        return {label: (compose_name(line),) for label, (_, line) in enumerate(written)}
    named: dict[int, tuple[str, ...]] = {}
    for (number, label, name), (_, line) in zip(pairs, written, strict=True):
        if not (_is_digits(label) and name):
            raise DataError(
                f"line {number}: '{quote(line, 40)}' is no label with its name or with the code of "
                "its character, as in: 10 65"
            )
        if named.setdefault(int(label), found := _read_codes(number, name)) != found:
            raise DataError(f"line {number}: the label {label} has another name further up")
    return named


def _is_header_of_names(line: str, pairs: Sequence[tuple[int, str, str]]) -> bool:
    """Return whether the first line names the columns, as in label,name, or the only one."""
    if simplify(line) in ("class", "classname", "label", "labelname", "name"):
        return True
    is_mapping = all(_is_digits(label) and name for _, label, name in pairs[1:])
    return not _is_digits(pairs[0][1]) and is_mapping and any(mark in line for mark in SEPARATORS)


def _split_pair(line: str) -> tuple[str, str]:
    label, _, name = re.sub(r"[\s,;]+", "\n", line, count=1).partition("\n")
    return label.strip('"'), name.strip('"')


def _is_list(
    pairs: Sequence[tuple[int, str, str]],
    written: Sequence[str],
    classes: Collection[str],
    is_mapping: bool,
) -> bool:
    """Return whether lines are names as a whole, also if they look like labels and their names."""
    labels, names = zip(*((label, name) for _, label, name in pairs), strict=True)
    if not (_is_digits(labels[0]) and names[0]):
        return True
    if is_mapping:
        return False
    as_list, as_mapping = (sum(name in classes for name in some) for some in (written, names))
    if as_list or as_mapping:
        return as_list > as_mapping
    is_codes = all(map(_is_digits, re.split(r"[\s,;]+", " ".join(names))))
    come_twice = len({*labels}) < len(labels) or (len({*names}) < len(names) and not is_codes)
    return all(map(_is_digits, labels)) and all(names) and come_twice


def _read_codes(number: int, text: str) -> tuple[str, ...]:
    """Return the characters of a line's codes, or its text if these are no codes."""
    codes = re.split(r"[\s,;]+", text)
    if not all(map(_is_digits, codes)):
        return (compose_name(text),)
    if any(len(code) > 7 or int(code) > 0x10FFFF for code in codes):
        raise DataError(f"line {number}: {max(codes, key=len)} is the code of no character")
    return tuple(dict.fromkeys(compose_name(chr(int(code))) for code in codes))


def _is_digits(word: str) -> bool:
    return word.isascii() and word.isdigit()
