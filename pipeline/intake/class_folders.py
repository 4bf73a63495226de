"""Folders that name classes, on any disk: which class a folder of a source stands for.

A class's folder has its name. Where capitals do not count, A and a are one folder; then that of A
may have the file name that prep gives it beside a, %41.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.intake.files import PictureFile, folders_of, locate
from pipeline.intake.names import compose_name, plain_name
from pipeline.intake.parts import read_part
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


@dataclass(frozen=True)
class Place:
    """What a file's folders say."""

    label: str = ""  # a class, or the name of a folder that is none
    part: str = ""
    is_class: bool = False
    above: tuple[str, ...] = ()  # folders down to the first that is neither class nor part
    folder: tuple[str, ...] = ()  # the one that label is of


class FolderReader:
    """Reads the class and the part of files off their folders."""

    def __init__(self, root: Path, folder: str, classes: Sequence[str]) -> None:
        self._root, self._folder, self._classes = root, folder, classes
        self._known: dict[tuple[str, ...], Mapping[str, str]] = {}

    def read(self, files: Sequence[PictureFile], *, strict: bool) -> list[Place]:
        """Return the place of each file; strict: only folders of classes let others be passed."""
        walked = [self._walk(tuple(folders_of(file, self._folder))) for file in files]
        blocked = set()
        for place in walked:
            if not (place.is_class or (place.above and (place.label or not strict))):
                blocked.add(place.above or place.folder)
        return [
            self._walk(place.above) if place.above and place.above in blocked else place
            for place in walked
        ]

    def _walk(self, folders: tuple[str, ...]) -> Place:
        """Return what folders say, from the top."""
        part, unknown = "", -1
        above: tuple[str, ...] = ()
        for depth, name in enumerate(folders):
            here = folders[: depth + 1]
            label = self._classes_in(folders[:depth]).get(compose_name(name))
            if label is not None:
                return Place(label, part, True, above or folders[: unknown + 1], here)
            said = read_part(name)
            if said and part in ("", said):
                part = said
                above, unknown = above or folders[: unknown + 1], -1
            elif unknown < 0:
                unknown = depth
        label = compose_name(folders[unknown]) if unknown >= 0 else ""
        return Place(label, part, False, above, folders[: unknown + 1])

    def _classes_in(self, above: tuple[str, ...]) -> Mapping[str, str]:
        """Return the class of each name that a folder in these folders may have."""
        if above not in self._known:
            place = Path(self._root, self._folder, *map(plain_name, above))
            self._known[above] = read_class_folders(place, self._classes)
        return self._known[above]


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
