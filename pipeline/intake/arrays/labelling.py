"""Labels of any form -> the names that they have among the classes."""

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import Values, quote
from pipeline.intake.names import compose_name

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def name_labels(
    labels: Values,
    names: Mapping[int, Sequence[str]],
    classes: Collection[str],
    noun: str = "label",
) -> tuple[list[str], list[str]]:
    """Return each picture's label as text, "" for none, and sentences about what was made of them.

    Labels are numbers or texts (N,) or (N, 1), or one-hot (N, C); texts that are all plain numbers
    are numbers. A number is called what `names` say, the first of them that is a class, or else as
    it is written. Raises DataError, in which a label is a `noun`, for the rest.
    """
    flat, notes = _flatten(labels, noun)
    if flat.dtype.kind in "SUO":
        flat = np.array([_to_text(label) for label in flat], str)
    values, first, places, counts = np.unique(flat, True, True, True)
    written = [str(value) for value in values.tolist()]
    numbers = _to_numbers(written, first, classes, noun)
    called = [_name(*one, names, classes) for one in zip(numbers, written, strict=True)]
    ends_in_ten = "10" not in classes and "0" in classes and not names and 10 in numbers
    if ends_in_ten and set(numbers) <= {None, *range(1, 11)}:
        called = _rename(10, "0", numbers, called)
        notes.append("the label 10 is read as 0, as SVHN and Matlab's digits have it")
    if -1 in numbers and "-1" not in classes:
        called = _rename(-1, "", numbers, called)
        none = counts[[number == -1 for number in numbers]].sum()
        notes.append(f"{none:,} with the {noun} -1 have none")
    return [called[place] for place in places.tolist()], notes


def _to_numbers(
    written: Sequence[str], rows: Values, classes: Collection[str], noun: str
) -> list[int | None]:
    """Return the whole numbers that labels are, None for no such: all texts are, or none is."""
    if not all(_NUMBER.fullmatch(text) for text in written if text):
        return [None] * len(written)
    numbers = [_to_number(text) for text in written]
    odd = [
        (int(row), text)
        for number, text, row in zip(numbers, written, rows, strict=True)
        if number is None and text and text not in classes
    ]
    if odd:
        row, text = min(odd)
        raise DataError(f"{noun} {row + 1:,} is {quote(text)}, no whole number and no text")
    return numbers


def _to_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        number = float(text or "nan")
        return int(number) if number.is_integer() else None


def _name(
    number: int | None, written: str, names: Mapping[int, Sequence[str]], classes: Collection[str]
) -> str:
    """Return what a label is called: the first of its names that is a class, else the first."""
    if number is None:
        return written
    spelt = (written, str(number)) if written.isdigit() else (str(number), written)
    called = [*names.get(number, ()), *spelt]
    return next((name for name in called if name in classes), called[0])


def _rename(
    number: int, name: str, numbers: Sequence[int | None], called: Sequence[str]
) -> list[str]:
    return [name if one == number else old for one, old in zip(numbers, called, strict=True)]


def _to_text(label: object) -> str:
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    return compose_name(text.strip())


def _flatten(labels: Values, noun: str) -> tuple[Values, list[str]]:
    """Return labels (N,), of whole numbers or text."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif" and labels.shape[1] > 1:
        return _read_one_hot(labels, noun), [
            "labels are one-hot: the place of the largest is the label"
        ]
    if labels.ndim != 1:
        raise DataError(
            f"{noun}s in the shape {labels.shape} are not read: (N,) or (N, 1), or one-hot (N, C)"
        )
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            odd = ~np.isfinite(labels) | (labels != np.floor(labels)) | (np.abs(labels) >= 2.0**63)
        if odd.any():
            row = int(np.argmax(odd))
            raise DataError(f"{noun} {row + 1:,} is {labels[row]}, no whole number and no text")
        return labels.astype(np.int64), []
    if labels.dtype.kind == "b":
        return labels.astype(np.int64), []
    if labels.dtype.kind not in "uiSUO":
        raise DataError(f"{noun}s must be whole numbers or text, not {labels.dtype}")
    return labels, []


def _read_one_hot(labels: Values, noun: str) -> Values:
    largest = labels.max(axis=1, keepdims=True)
    wrong = (labels == largest).sum(axis=1) != 1
    wrong |= ((labels != largest) & (labels != labels.min())).any(axis=1)
    if wrong.any():
        raise DataError(
            f"{noun}s {labels.shape} are several a picture and not one-hot, as that of picture "
            f"{int(np.argmax(wrong)) + 1:,} shows: save one {noun} a picture"
        )
    place: Values = labels.argmax(axis=1)
    return place
