"""Labels of any form -> the names that they have among the classes."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import Values
from pipeline.intake.names import compose_name


def name_labels(
    labels: Values, names: Mapping[int, Sequence[str]], classes: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return each picture's label as text, "" for none, and sentences about what was made of them.

    Labels are numbers or texts (N,) or (N, 1), or one-hot (N, C). A number is called what `names`
    say, the first of them that is a class, or else by its digits. Raises DataError for the rest.
    """
    flat, notes = _flatten(labels)
    if flat.dtype.kind in "SUO":
        return [_to_text(label) for label in flat], notes
    numbers, counts = np.unique(flat, return_counts=True)
    called = {int(number): _name(int(number), names, classes) for number in numbers}
    ends_in_ten = "10" not in classes and "0" in classes and not names
    if ends_in_ten and set(numbers.tolist()) <= set(range(1, 11)) and 10 in called:
        called[10] = "0"
        notes.append("the label 10 is read as 0, as SVHN and Matlab's digits have it")
    if -1 in called and "-1" not in classes:
        called[-1] = ""
        notes.append(f"{int(counts[list(numbers).index(-1)]):,} with the label -1 have none")
    return [called[number] for number in flat.tolist()], notes


def _name(number: int, names: Mapping[int, Sequence[str]], classes: Collection[str]) -> str:
    called = [*names.get(number, ()), str(number)]
    return next((name for name in called if name in classes), called[0])


def _to_text(label: object) -> str:
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    return compose_name(text.strip())


def _flatten(labels: Values) -> tuple[Values, list[str]]:
    """Return labels (N,), of whole numbers or text."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif" and labels.shape[1] > 1:
        return _read_one_hot(labels), ["labels are one-hot: the place of the largest is the label"]
    if labels.ndim != 1:
        raise DataError(
            f"labels in the shape {labels.shape} are not read: (N,) or (N, 1), or one-hot (N, C)"
        )
    if labels.dtype.kind == "f":
        if not np.all(np.isfinite(labels)) or np.any(labels != np.floor(labels)):
            row = int(np.argmax(~np.isfinite(labels) | (labels != np.floor(labels))))
            raise DataError(f"label {row + 1:,} is {labels[row]}, no whole number and no text")
        return labels.astype(np.int64), []
    if labels.dtype.kind == "b":
        return labels.astype(np.int64), []
    if labels.dtype.kind not in "uiSUO":
        raise DataError(f"labels must be whole numbers or text, not {labels.dtype}")
    return labels, []


def _read_one_hot(labels: Values) -> Values:
    largest = labels.max(axis=1, keepdims=True)
    wrong = (labels == largest).sum(axis=1) != 1
    wrong |= ((labels != largest) & (labels != labels.min())).any(axis=1)
    if wrong.any():
        raise DataError(
            f"labels {labels.shape} are several a picture and not one-hot, as that of picture "
            f"{int(np.argmax(wrong)) + 1:,} shows: save one label a picture"
        )
    place: Values = labels.argmax(axis=1)
    return place
