"""Folders that name classes, on any disk: which class a folder of a source stands for.

A class's folder has its name. Where capitals do not count, A and a are one folder; then that of A
may have the file name that prep gives it beside a, %41.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.intake.files import locate
from pipeline.project import class_file_name, find_alike


def read_class_folders(source: Path, classes: Sequence[str]) -> dict[str, str]:
    """Return the class of each name that a folder in a source's may have; '' for several."""
    places = {class_file_name(name, classes): name for name in classes}
    places |= {name: name for name in classes}
    for group in find_alike(classes):
        for name in group:
            one = [other for other in group if _is_one_folder(source / name, source / other)]
            if len(one) > 1:
                left = [other for other in one if not _has_own_folder(source, other, classes)]
                places[name] = left[0] if len(left) == 1 else ""
    return places


def make_class_folders(source: Path, classes: Sequence[str]) -> None:
    """Make the folder of each class that has none."""
    made: set[tuple[int, int]] = set()
    # First those that keep their names wherever capitals do not count.
    for name in sorted(classes, key=lambda name: class_file_name(name, classes) != name):
        place = source / locate(source, name)
        if place.exists() and _identify(place) in made:
            place = source / class_file_name(name, classes)
        place.mkdir(parents=True, exist_ok=True)
        made.add(_identify(place))


def _is_one_folder(place: Path, other: Path) -> bool:
    """Return whether two names lead to one folder (a link to it is another)."""
    if not (place.is_dir() and other.is_dir()) or place.is_symlink() or other.is_symlink():
        return False
    return _identify(place) == _identify(other)


def _has_own_folder(source: Path, name: str, classes: Sequence[str]) -> bool:
    """Return whether a class has the folder that can be no other's."""
    own = class_file_name(name, classes)
    return own != name and (source / own).is_dir()


def _identify(place: Path) -> tuple[int, int]:
    """Return what is the same for two names of one folder only."""
    state = place.stat()
    return state.st_dev, state.st_ino
