"""Names of classes: as params.yaml lists them, and at the start of names of files.

In cat.0.jpg, dog_12.png, 3-0001.png and cat (3).jpg the class stands at the start, and ends where
the name ends, or where no letter and no digit follows; of several the longest counts. Capitals do
not, unless classes differ in these alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

import yaml

from pipeline.errors import find_nearest
from pipeline.intake.files import PictureFile
from pipeline.intake.names import compose_name, plain_name
from pipeline.project import class_file_name, find_alike


class ClassNames:
    """The classes, to be found at the start of a name."""

    def __init__(self, classes: Sequence[str]) -> None:
        """Look for these classes."""
        self._classes = classes
        alike = {name for group in find_alike(classes) for name in group}
        self._exact = {class_file_name(name, classes): name for name in classes}
        self._exact |= {name: name for name in alike}
        self._folded = {name.casefold(): name for name in classes if name not in alike}

    def find(self, name: str) -> str:
        """Return the class that a file's name (NFC) begins with, '' for none."""
        known = (_find(name, self._exact), _find(name.casefold(), self._folded))
        return max(known, key=len)

    def find_nearest(self, name: str) -> str:
        """Return the class that a word in a file's name may mean, '' for none."""
        words = re.split(r"[\W\d_]+", PurePosixPath(name).stem)
        found = (find_nearest(word, self._classes) for word in words if word)
        return next(filter(None, found), "")


def name_of_file(file: PictureFile) -> str:
    """Return the own name of a picture's file (NFC), without its folders."""
    return compose_name(plain_name((file.member or file.source).rpartition("/")[2]))


def _find(name: str, known: Mapping[str, str]) -> str:
    """Return what the longest start of a name is known as that ends with a word; '' for none."""
    for end in range(len(name), 0, -1):
        if name[:end] in known and not (end < len(name) and _is_of_word(name[end])):
            return known[name[:end]]
    return ""


def _is_of_word(letter: str) -> bool:
    """Return whether a character goes on with a word: a letter, its mark, a digit."""
    return unicodedata.category(letter)[0] in "LMN"


def write_names(names: Iterable[str]) -> str:
    """Return class names as a list in params.yaml, quoted where YAML needs it."""
    numbers = [int(name) if name.isdecimal() and str(int(name)) == name else name for name in names]
    line: str = yaml.safe_dump(numbers, default_flow_style=True, width=10**9, allow_unicode=True)
    return line.strip()
