"""Where a project's files lie, and which command makes each of them."""

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path

from pipeline.console import warn
from pipeline.dvc_cache import is_in_cache
from pipeline.errors import NO_LOCKS, DataError, UnusableFileError
from pipeline.notes import digest_file, find_processed, read_versions

_REFUSED = '%<>:"|?*'  # in names, by some system; separators are no part of a class's name

MADE_BY = {
    "catalogue.csv": "ingest",
    "boxes.csv": "segment",
    "glyphs.h5": "segment",
    "left_out.csv": "segment",
    "quarantine.csv": "segment",
    "overlays": "segment",
    "tiles.h5": "normalise",
    "contact": "normalise",
    "balanced.csv": "balance",
    "split.csv": "split",
    "augmented": "augment",
    "experiments": "plan",
    "lineage.json": "plan",
    "runs": "train",
    "scores": "train",
    "ablation.csv": "compare",
    "ablation.json": "compare",
    "ablation.md": "compare",
    "report": "report",
}
BY_HAND = {"suspects.csv": "check suspects"}  # what no stage makes, and the road goes without
EDITED = {  # the tables that people edit by hand, and where that belongs
    "catalogue.csv": "labels and groups belong in raw/labels.csv",
    "boxes.csv": "labels, groups and boxes to leave out belong in raw/labels.csv, other boxes in "
    "raw/boxes.csv",
    "balanced.csv": "what is to be left out belongs in raw/labels.csv, with the label -",
    "split.csv": "groups belong in raw/labels.csv, a test set in a source with split: test",
}


State = tuple[int, int, int]  # of a file: its number on the disk, size and time


@dataclass(frozen=True)
class Project:
    """A folder with params.yaml, raw/ and processed/.

    What it gives out of processed/ as an input is as it was written: its digest was compared, once
    for as long as it stays the same. `digests` are those that were, and go to other processes with
    the project. `verifies`: whether that is done at all.
    """

    root: Path
    verifies: bool = field(default=True, compare=False)
    digests: dict[Path, tuple[State, str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def params_file(self) -> Path:
        """params.yaml."""
        return self.root / "params.yaml"

    def is_raw(self, path: Path) -> bool:
        """Return whether a path lies under raw/, where all is taken for the user's pictures."""
        return path.resolve().is_relative_to((self.root / "raw").resolve())

    def output(self, *parts: str) -> Path:
        """Return the path of something under processed/, to be written."""
        return self.root.joinpath("processed", *parts)

    def renew(self, name: str) -> Path:
        """Return the path of a table that is to be written anew.

        One that somebody edited, or that nobody knows of, is kept beside it, and that is told.
        """
        path = self.output(name)
        known = self.is_as_written(path) if path.is_file() else True
        if known is False or (known is None and (self.root / "dvc.lock").exists()):
            taken = (f"{name}.edited{number or ''}" for number in itertools.count())
            kept = next(path for path in map(self.output, taken) if not path.exists())
            path.rename(kept)
            what = (
                "was edited by hand, or is damaged"
                if known is False
                else "has no note of who wrote it"
            )
            warn(
                f"{self.relative(path)} {what}: it is kept as {self.relative(kept)}, and made "
                f"anew. {EDITED[name].capitalize()} (see raw/README.md)"
            )
        return path

    def input(self, *parts: str) -> Path:
        """Return the path of something under processed/ that has to be there, as it was written."""
        return self.require(self.output(*parts))

    def require(self, path: Path, remedy: str = "") -> Path:
        """Return the path of an input; raises DataError if it is missing, with what makes it.

        Raises UnusableFileError for a file that is not as it was written; remedy: in the place of
        the usual one.
        """
        if not path.exists():
            raise DataError(
                f"{self.relative(path)} is not there yet. Make it with: {self._tell_maker(path)}"
                " (or everything with: dvc repro)"
            )
        if self.verifies and path.is_file():
            self.digest(path, remedy)
        return path

    def digest(self, path: Path, remedy: str = "") -> str:
        """Return the SHA-256 of a file under processed/; raises UnusableFileError as require does.

        It is always read, once: a byte that is lost on the disk changes neither size nor time.
        """
        found = path.stat()
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self.digests.get(path, ((), ""))[0] != state:
            digest = digest_file(path)
            if self.verifies:
                self._verify(path, digest, remedy)
            self.digests[path] = state, digest
        return self.digests[path][1]

    def is_as_written(self, path: Path) -> bool | None:
        """Return whether a file has bytes that prep wrote, or DVC put there; None: nobody knows."""
        return self._is_known(path, digest_file(path))

    def find_damaged(self) -> Iterator[Path]:
        """Yield the files under processed/ that prep wrote and that have other bytes now."""
        for file in list(read_versions(self.output())):
            path = self.output(file)
            is_ours = file.split("/")[0] in MADE_BY  # a contact sheet may lie there too
            if is_ours and path.is_file() and self.is_as_written(path) is False:
                yield path

    def _verify(self, path: Path, digest: str, remedy: str) -> None:
        known = self._is_known(path, digest)
        file, maker = self.relative(path), self._tell_maker(path)
        if known is False:
            _refuse_locked(path)  # opened to be written, a file may say so in its own bytes
            reason = f"is not as `{maker}` wrote it: damaged, or edited by hand"
            raise UnusableFileError(Path(file), reason, remedy or self._tell_remedy(path))
        if known is None and (self.root / "dvc.lock").exists():
            warn(
                f"nothing vouches for {file}: prep did not note it, and DVC has no such version. "
                "If an older prep made it, or you put it there, all is well; else make it again "
                f"with: {maker}"
            )

    def _is_known(self, path: Path, digest: str) -> bool | None:
        file = path.relative_to(self.output()).as_posix()
        versions = read_versions(self.output()).get(file, set())
        if digest in versions or is_in_cache(self.root, path):
            return True
        return False if versions else None

    def _tell_maker(self, path: Path) -> str:
        """Return the command that makes a file or folder under processed/."""
        name, *below = path.relative_to(self.output()).parts
        only = f" --only {below[0]}" if name == "augmented" and below else ""
        return f"prep {(MADE_BY | BY_HAND)[name]}{only}"

    def _tell_remedy(self, path: Path) -> str:
        again = f"Make it again with: {self._tell_maker(path)}"
        return f"{again} (it keeps {say_kept(path.name)})" if path.name in EDITED else again

    def relative(self, path: Path) -> str:
        """Return the path from the root, with '/', as it stands in every table."""
        return path.relative_to(self.root).as_posix()

    def variants_file(self, op: str, class_name: str, classes: Iterable[str] = ()) -> Path:
        """Return the path of the variants that an op made of one of the classes."""
        return self.output("augmented", op, f"{class_file_name(class_name, classes)}.h5")

    def run_folder(self, experiment: str, fold: int, seed: int) -> Path:
        """Return the folder of one training."""
        return self.output("runs", experiment, f"fold-{fold}", f"seed-{seed}")


def _refuse_locked(path: Path) -> None:
    """Raise OSError where another program has a file open and locked, as HDF5 does."""
    try:
        import fcntl
    except ImportError:  # Windows lets nobody read such a file in the first place
        return
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise OSError(error.errno, error.strerror, str(path)) from error


def say_kept(name: str) -> str:
    """Return what becomes of a table that was edited by hand, and where that belongs."""
    return f"yours as {name}.edited; {EDITED[name]}"


def require_made(path: Path) -> Path:
    """Return the path of a file from anywhere; one that a project's road made is as it was written.

    Raises DataError as Project.require does.
    """
    folder = find_processed(path)
    if folder and path.absolute().relative_to(folder).parts[0] in MADE_BY:
        try:
            Project(folder.parent).require(path.absolute())
        except UnusableFileError as error:
            if is_made_here(path):
                raise
            remedy = f"In its own project: {error.remedy}"
            raise UnusableFileError(path, error.reason, remedy) from error
    return path


def class_file_name(class_name: str, classes: Iterable[str] = ()) -> str:
    """Return one of the classes as a file name: what some system refuses in names becomes %XX.

    So do its capitals where another class differs in these alone, as A and a do: on many disks
    they would be one file.
    """
    told_apart = class_name in _list_alike(tuple(classes))
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if letter in _REFUSED or (told_apart and _fold(letter) != letter)
        else letter
        for letter in class_name
    )


def find_alike(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that would be one file on a disk where capitals do not count."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_fold(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


@lru_cache(maxsize=2)  # asked for each class in turn
def _list_alike(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(chain.from_iterable(find_alike(names)))


def _fold(name: str) -> str:
    """Return what a name and all that differ from it in capitals have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).upper().casefold())


def is_made_here(path: Path) -> bool:
    """Return whether a file lies where the road of the project that we are in writes one.

    Only such a one can be deleted and made again.
    """
    try:
        made = find_project(Path.cwd()).output().resolve()
    except DataError:
        return False
    place = path.parent.resolve() / path.name  # DVC may have put a link to its cache there
    return any(place.is_relative_to(made / name) for name in MADE_BY)


def find_project(start: Path) -> Project:
    """Return the project that `start` lies in; raises DataError where it lies in none."""
    project = look_for_project(start)
    if project is None:
        raise DataError(
            f"There is no params.yaml in {start} or above it. Go to your project's folder, or make "
            "one with: prep init my-project --preset digits"
        )
    return project


def look_for_project(start: Path) -> Project | None:
    """Return the project that `start` lies in: the nearest folder upwards with a params.yaml."""
    folders = (start, *start.parents)
    return next((Project(one) for one in folders if (one / "params.yaml").is_file()), None)
