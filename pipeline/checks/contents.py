"""The files under processed/ read one by one, each by itself: is everything in them as it should?

A reader returns what the other files are compared with, and adds a sentence to `faults` for what is
wrong, with its place: the line of a table (the first is 1, its header), or the id of a tile. What
can't be read at all is a DataError.
"""

import csv
import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.dataset.tables import COLUMNS, LEFT_OUT, OPTIONAL, Row
from pipeline.errors import DataError, pass_on_machine

Judge = Callable[[Row], str]  # returns what is wrong with a row, '' if nothing is

_PARTS = ("train", "val", "test")
_STATUSES = ("ok", "duplicate", "quarantined", "left out")
_DIGEST = re.compile("[0-9a-f]{64}")


# --- Tables --------------------------------------------------------------------------------


def _read_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a table with their lines, one at a time; DataError where it breaks off."""
    line, absent = 1, dict.fromkeys(OPTIONAL.intersection(columns), "")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            found = next(reader, [])
            missing = [name for name in columns if name not in found and name not in OPTIONAL]
            if missing:
                noun = "column" if len(missing) == 1 else "columns"
                raise DataError(f"it lacks the {noun} {_name(missing)}")
            for cells in reader:
                line = reader.line_num
                if len(cells) != len(found):
                    raise DataError(f"line {line} has {len(cells)} fields, not {len(found)}")
                yield line, absent | dict(zip(found, cells, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"it is no CSV table in UTF-8 after line {line} ({error})") from error
    except OSError as error:
        pass_on_machine(error, path)
        raise DataError(f"it can't be read ({error.strerror})") from error


def judge_lines(
    path: Path, columns: Sequence[str], judge: Judge, faults: list[str]
) -> Iterator[Row]:
    """Yield the rows of a table that are in order; the others are faults."""
    for line, row in _read_lines(path, columns):
        trouble = judge(row)
        if trouble:
            faults.append(f"line {line}: {trouble}")
        else:
            yield row


def judge_scan(row: Row, classes: Sequence[str]) -> str:
    """Return what is wrong with a row of catalogue.csv."""
    if row["status"] not in _STATUSES:
        return f"status '{row['status']}' is none of {_name(_STATUSES)}"
    if row["label"] and row["label"] not in classes and row["status"] == "ok":
        return _tell_label(row["label"])
    if row["split"] and row["split"] not in _PARTS:
        return f"split '{row['split']}' is none of {_name(_PARTS)}"
    if not _is_number(row["page"]):
        return f"page '{row['page']}' is no number"
    if row["status"] == "ok" and not _DIGEST.fullmatch(row["sha256"]):
        return f"'{row['sha256']}' is no SHA-256"
    if row["status"] == "ok" and not (_is_count(row["width"]) and _is_count(row["height"])):
        return f"{row['width']} x {row['height']} is no size in pixels"
    return "" if row["source"] else "it names no source"


def judge_box(row: Row, classes: Sequence[str]) -> str:
    """Return what is wrong with a row of boxes.csv."""
    sides = [row[side] for side in ("x0", "y0", "x1", "y1")]
    if not all(_is_number(side) for side in sides):
        return f"{', '.join(sides)} is no box in pixels"
    x0, y0, x1, y1 = map(int, sides)
    if x0 >= x1 or y0 >= y1:
        return f"the box {x0}, {y0}, {x1}, {y1} is empty"
    if row["label"] not in {"", LEFT_OUT, *classes}:
        return _tell_label(row["label"])
    if not _is_share(row["score"]):
        return f"score '{row['score']}' is not between 0 and 1"
    return "" if row["id"] else "it has no id"


def judge_left_out(row: Row) -> str:
    """Return what is wrong with a row of left_out.csv."""
    sides = [row[side] for side in ("x0", "y0", "x1", "y1")]
    if not all(_is_number(side) for side in sides):
        return f"{', '.join(sides)} is no box in pixels"
    return "" if row["id"] and row["reason"] else "it lacks the id or the reason"


def judge_balanced(row: Row, classes: Sequence[str]) -> str:
    """Return what is wrong with a row of balanced.csv."""
    return "" if row["label"] in classes else _tell_label(row["label"])


def judge_split(row: Row) -> str:
    """Return what is wrong with a row of split.csv."""
    if row["split"] not in _PARTS:
        return f"split '{row['split']}' is none of {_name(_PARTS)}"
    return "" if _is_number(row["fold"]) else f"fold '{row['fold']}' is no number"


def judge_quarantined(row: Row) -> str:
    """Return what is wrong with a row of quarantine.csv."""
    return "" if row["source"] and row["reason"] else "it lacks the source or the reason"


def judge_prediction(row: Row, classes: Sequence[str]) -> str:
    """Return what is wrong with a row of predictions.csv."""
    for column in ("label", "predicted"):
        if row[column] not in classes:
            return _tell_label(row[column])
    if not (_is_number(row["fold"]) and _is_number(row["seed"])):
        return f"fold '{row['fold']}' or seed '{row['seed']}' is no number"
    chances = [row[f"p{number}"] for number in range(len(classes))]
    if not all(map(_is_share, chances)):
        return "a probability is not between 0 and 1"
    numbers = [float(chance) for chance in chances]
    # Written with six digits: each may be off by half of the last.
    if not math.isclose(sum(numbers), 1, abs_tol=1e-6 * (len(numbers) + 1)):
        return f"the probabilities add up to {sum(numbers):.6f}"
    if numbers[classes.index(row["predicted"])] < max(numbers):
        return f"'{row['predicted']}' is not the likeliest class"
    return ""


def judge_interval(row: Row) -> str:
    """Return what is wrong with a row of history.csv."""
    try:
        numbers = {name: float(row[name]) for name in COLUMNS["history"]}
    except ValueError:
        return "it does not hold numbers only"
    return "" if numbers["step"] > 0 else f"step {row['step']} is none"


def find_repeats(keys: Iterable[Any]) -> Iterator[Any]:
    """Yield each key that came before."""
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)


def _tell_label(label: str) -> str:
    return f"label '{label}' is not among the classes" if label else "it has no label"


def _is_count(text: str) -> bool:
    return _is_number(text) and int(text) > 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _name(words: Iterable[str]) -> str:
    return ", ".join(words)


# --- JSON and models -----------------------------------------------------------------------


def check_model(path: Path) -> None:
    """Raise DataError unless a .keras file is whole; nothing in it is built or run."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken:
                raise DataError(f"its part {broken} is damaged")
            json.loads(archive.read("config.json"))
            archive.getinfo("model.weights.h5")
    except (OSError, ValueError, LookupError, RuntimeError, EOFError, zlib.error,
            zipfile.BadZipFile, NotImplementedError) as error:  # fmt: skip
        pass_on_machine(error, path)
        raise DataError(f"it is no whole .keras file ({error})") from error
