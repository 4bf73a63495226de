"""Names of files: printable, safe, and telling notes and clutter from pictures.

Passed over: hidden files, what operating systems leave behind (Thumbs.db, __MACOSX, ...), and
notes (README, .md, .txt, .csv, .json, ..., when they hold text, and spreadsheets).

Names are given printable: what does not print (line breaks, invisible marks, bytes that are not
UTF-8) is written as Python's escape, such as \\n or \\udcff, and a backslash is doubled.
"""

import posixpath
import re
import unicodedata
from pathlib import Path, PurePosixPath

from pipeline.dataset.tables import LEFT_OUT as LEFT_OUT

_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"}

_NOTES = {
    ".csv", ".dvc", ".htm", ".html", ".json", ".log", ".md", ".rst", ".toml", ".tsv", ".txt",
    ".xml", ".yaml", ".yml",
}  # fmt: skip
_NOTE_STEMS = {"readme", "license", "licence", "copying"}
_SPREADSHEETS = {".xlsx", ".ods"}  # zip archives by their content
_ESCAPE = re.compile(r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def printable_name(name: str) -> str:
    """Return a file's name with all that does not print, and backslashes, as escapes."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(
        letter
        if letter.isprintable() and letter != "\\"
        else letter.encode("unicode_escape").decode("ascii")
        for letter in name
    )


def compose_name(name: str) -> str:
    """Return a name as names are compared: a letter and its accent as one character (NFC).

    A Mac may write the ü of a file's name as u and two dots, which nobody can see.
    """
    return unicodedata.normalize("NFC", name)


def tidy_path(text: str, root: Path) -> str:
    """Return a path, as a person writes it anywhere, from the project's root, with '/'."""
    if "/" not in text.removeprefix("./"):
        text = text.replace("\\", "/")  # from Windows; else it belongs to a name
    for place in {root, root.resolve()}:
        text = text.removeprefix(f"{place.as_posix()}/")
    return posixpath.normpath(text)


def plain_name(printable: str) -> str:
    """Return the name that printable_name was given."""
    return _ESCAPE.sub(lambda escape: escape[0].encode("ascii").decode("unicode_escape"), printable)


def is_clutter(name: str) -> bool:
    """Return whether a file is hidden, or one that an operating system leaves behind."""
    return name.startswith(".") or name.casefold() in _CLUTTER


def is_note_by_name(name: str) -> bool:
    """Return whether a file may hold notes, by its name."""
    path = PurePosixPath(name.casefold())
    return path.suffix in _NOTES | _SPREADSHEETS or path.stem in _NOTE_STEMS


def is_note(name: str, head: bytes) -> bool:
    """Return whether a file holds notes: its name says so and its first bytes do not deny it."""
    if not is_note_by_name(name):
        return False
    if PurePosixPath(name.casefold()).suffix in _SPREADSHEETS:
        return head.startswith(b"PK")
    # Text has none of the lowest control characters, pictures have; UTF-16 is told by its mark.
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or min(head, default=9) > 8


def is_example(name: str) -> bool:
    """Return whether a table is called like the example of an answer that contests hand out."""
    return re.search(r"sample_?submission", name, re.IGNORECASE) is not None


def split_words(name: str) -> list[str]:
    """Return the words of a name or a path in small letters, each "/" as a word of its own.

    Words end at signs and before capitals, and x and y before a part: XtestSet has x, test and set.
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", compose_name(name)).lower()
    parted = re.sub(r"(?<![a-z])([xy])(?=train|test|val)", r"\1_", parted)
    return re.findall(r"[^\W_]+|/", parted)


def distrust_name(name: str) -> str:
    """Return why a member's name is refused, "" when it stays inside its archive everywhere."""
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ".." in name.split("/")
        or re.match("[A-Za-z]:", name)
        or posixpath.normpath(name) == "."
    ):
        return "refused: its name could lead out of the archive"
    return ""
