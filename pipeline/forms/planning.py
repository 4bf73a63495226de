"""Planning forms: the pages that one writer fills in, from the classes that a user names.

Classes are spread over as few pages as have boxes for all of them and codes that hold their names.
What can't be printed, written in or read back is a DataError in the user's words.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise, product

from pipeline.errors import DataError
from pipeline.forms.code import LARGEST_CODE, USUAL_CODES, draw_code
from pipeline.forms.layout import PAPERS, SMALLEST_BOX, Form, Order, box_side

MOST_IN_RUN = 10_000  # names
_RUN = re.compile(r"(\d+|\w)\s*[-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}]\s*(\d+|\w)")


def plan_forms(
    classes: Iterable[str],
    identity: str,
    rows: int = 10,
    columns: int = 8,
    writer: str = "",
    paper: str = "a4",
    order: Order = "row",
) -> tuple[Form, ...]:
    """Return the pages that one writer fills in, with the classes spread evenly over them.

    Raises DataError when names repeat, the boxes come out too small, or one page's names are
    more than its code can carry.
    """
    names = tuple(_clean_name(name) for name in classes)
    _check_names(names)
    whole = Form(paper.lower(), rows, columns, order, names, _clean_name(writer), identity)
    _check_geometry(whole)
    places = rows if order == "row" else rows * columns
    fewest = math.ceil(len(names) / places)
    versions = [whole]
    if box_side(large := replace(whole, version=2)) >= SMALLEST_BOX:
        versions.append(large)
    for pages, form in product(range(fewest, len(names) + 1), versions):
        forms = _share_out(form, pages)
        if all(_code_fits(form, USUAL_CODES[form.version]) for form in forms):
            return forms
    forms = _share_out(versions[-1], len(names))
    if all(_code_fits(form, LARGEST_CODE) for form in forms):
        return forms
    raise DataError(
        "The names are too long for the code that the page carries: at most about 160 letters "
        f"(50 in Japanese) for the writer and one class together, found writer '{writer}' and "
        f"class '{max(names, key=_utf8_length)}'. Shorten them."
    )


def expand_classes(text: str) -> tuple[str, ...]:
    """Return the class names that a user typed: names and runs, commas between.

    A run is 0-9 or A-Z, or of numbers: 0-12, or 00-12 with as many digits each. Raises DataError
    for what looks like a run and is none.
    """
    names: list[str] = []
    for part in text.split(","):
        name = _clean_name(part)
        run = _RUN.fullmatch(name)
        names += _expand_run(name, run[1], run[2]) if run else [name]
    return tuple(names)


def _expand_run(text: str, first: str, last: str) -> list[str]:
    """Return the names from the first to the last."""
    if first.isdecimal() and last.isdecimal():
        width = len(first) if first.startswith("0") else 0
        if 0 < int(last) - int(first) < MOST_IN_RUN:
            return [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    elif len(first) == len(last) == 1:
        names = [chr(number) for number in range(ord(first), ord(last) + 1)]
        if len(names) > 1 and len(set(map(unicodedata.category, names))) == 1:
            return names
    raise DataError(
        f"'{text}' is no run of names, such as 0-9, A-Z, a-z or 0-12; write each name, with commas "
        "between. (A name that looks so is printed when it is one of the project's own classes and "
        "--classes is left out.)"
    )


def _check_names(names: tuple[str, ...]) -> None:
    """Raise DataError when there is no class, an empty one or the same one twice."""
    if not names or not all(names):
        raise DataError(f"A form needs classes with a name, found {list(names)}.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"Each class may be named once, found twice: {', '.join(repeated)}.")


def _check_geometry(form: Form) -> None:
    """Raise DataError when the paper is unknown or the boxes would be too small to write in."""
    if form.paper not in PAPERS:
        raise DataError(f"The paper is one of {', '.join(PAPERS)}, found '{form.paper}'.")
    if form.rows < 1 or form.columns < 1:
        raise DataError(f"A form needs rows and columns, found {form.rows} x {form.columns}.")
    side = box_side(form)
    if side < SMALLEST_BOX:
        raise DataError(
            f"{form.rows} rows of {form.columns} columns on {form.paper} leave boxes of "
            f"{side:.1f} mm; at least {SMALLEST_BOX:.0f} mm are needed to write in. "
            "Ask for fewer rows or columns; the classes then take more pages."
        )


def _clean_name(name: str) -> str:
    """Return the name in Unicode's composed form (NFC) without outer blanks.

    Raises DataError for control characters, which no page can show.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise DataError(f"A name on a form may hold no control characters, found {name!r}.")
    return cleaned


def _code_fits(form: Form, largest: int) -> bool:
    """Tell whether the page's description fits a code of so many modules a side."""
    try:
        return len(draw_code(form)) <= largest
    except DataError:
        return False


def _share_out(whole: Form, pages: int) -> tuple[Form, ...]:
    """Return the form as so many pages, their numbers of classes differing by one at most."""
    ends = [round(index * len(whole.classes) / pages) for index in range(pages + 1)]
    return tuple(
        replace(whole, classes=whole.classes[start:end], page=index + 1, pages=pages)
        for index, (start, end) in enumerate(pairwise(ends))
    )


def _utf8_length(name: str) -> int:
    return len(name.encode())
