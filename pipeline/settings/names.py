"""Names that a person gives, checked: they become files, folders, commands and stages."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from pipeline.intake.names import LEFT_OUT, compose_name
from pipeline.project import find_alike

Thing = TypeVar("Thing")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # safe in a path, a shell command and dvc.yaml
FORBIDDEN_IN_CLASSES = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")

RESERVED_ON_WINDOWS = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\..*)?", re.IGNORECASE
)


def check_name(name: object) -> str:
    """Return the name of an op or experiment; it becomes a folder and part of a command."""
    if name is None:
        raise ValueError("an entry is empty")
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name; put it in quotes, as in '7'")
    if not NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name: use letters, digits, - and _ (as in flip-cat)")
    if RESERVED_ON_WINDOWS.fullmatch(name):
        raise ValueError(f"'{name}' can't be a name: Windows allows no file that is called so")
    return name


def check_class(name: object) -> str:
    """Return the name of a class; it becomes a file name, so it can't form a path."""
    if name is None:
        raise ValueError("an entry is empty")
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise ValueError(f"{name!r} is no class name; put it in quotes, as in 'no' or '1.5'")
    text = compose_name(str(name))
    if (
        not text
        or text != text.strip()
        or text.startswith(".")
        or text.endswith(".")
        or FORBIDDEN_IN_CLASSES.search(text)
        or RESERVED_ON_WINDOWS.fullmatch(text)
        or len(text.encode()) > 200
    ):
        raise ValueError(f"{text!r} can't be a class: it has to be usable as a file name")
    if text == LEFT_OUT:
        raise ValueError("'-' can't be a class: in raw/labels.csv it leaves a box out; say 'minus'")
    if text == "all":
        raise ValueError("'all' can't be a class: the tables use it for all classes together")
    return text


def check_once(things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """Return a list in which nothing comes twice."""
    if twice := [thing for thing, times in Counter(things).items() if times > 1]:
        raise ValueError(f"{twice[0]!r} stands there twice; all have to be different")
    return things


def check_apart(names: Iterable[str]) -> None:
    """Raise ValueError when the files of two names would meet on a disk that ignores capitals."""
    for name, other, *_ in find_alike(names):
        raise ValueError(f"'{name}' and '{other}' are the same name (capitals do not count)")


def check_inside(path: str, example: str) -> str:
    """Return a path that stays inside the project."""
    if ".." in path.replace("\\", "/").split("/") or path.startswith(("/", "\\")):
        raise ValueError(f"give a path inside the project, as in {example}")
    return path
