"""What was found on each file, kept for the next time that `prep segment` runs.

`processed/.searched/` holds a ZIP for each file, with the digest of all that its search depends on:
the file's bytes, its rows of the catalogue, settings, boxes that were drawn, and the program and
its libraries themselves. Where that is another one, or the ZIP is damaged, the file is searched
anew. Neither git nor DVC keeps the folder; it may be deleted at any time.
"""

import hashlib
import importlib.metadata
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline.atomic import whole_file
from pipeline.dataset.tables import Row
from pipeline.errors import DataError, pass_on_machine
from pipeline.intake.files import PictureFile
from pipeline.subjects.search import LeftOut, Searched, Subject

Result = tuple[Searched, bytes]  # what is on a scan, without its overlay, and that as JPEG

_LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "pillow", "pypdfium2")
_COLUMNS = ("page", "layout", "label", "group", "width", "height")  # that a search depends on
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, LookupError, TypeError, RuntimeError,
    NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class KeptSearches:
    """The folder of what was found, and the digest of the program that found it."""

    folder: Path
    program: str

    def find_or_make(
        self, root: Path, rows: list[Row], settings: object, make: Callable[[], list[Result]]
    ) -> list[Result]:
        """Return what was found on a file's rows before, with these settings, or else make it."""
        said = [[row[name] for name in _COLUMNS] for row in rows]
        digest = digest_work(root, rows, [self.program, said, settings])
        if not digest:
            return make()
        path = self._path_of(rows[0])
        results = _read(path, digest)
        if results is None or len(results) != len(rows):
            results = make()
            _write(path, digest, results)
        return results

    def forget_others(self, files: Iterable[Sequence[Row]]) -> None:
        """Remove what was found on any but these files."""
        wanted = {self._path_of(rows[0]) for rows in files}
        for path in self.folder.glob("*.zip"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def _path_of(self, row: Row) -> Path:
        return self.folder / f"{digest_text(row['source'] + chr(0) + row['member'])[:24]}.zip"


def open_kept(folder: Path) -> KeptSearches:
    """Return what was found by this very program, in a folder that may not be there yet."""
    return KeptSearches(folder, digest_program())


def digest_work(root: Path, rows: Sequence[Row], settings: object) -> str:
    """Return a digest of a file's bytes and of settings; '' for one that can't be read any more."""
    try:
        data = PictureFile(rows[0]["source"], rows[0]["member"]).read(root)
    except DataError:
        return ""
    return digest_text(json.dumps([hashlib.sha256(data).hexdigest(), settings], default=asdict))


def digest_program() -> str:
    """Return a digest of the program, and of the libraries that it looks at pictures with."""
    source = Path(pipeline.__file__).parent
    whole = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        whole.update(path.relative_to(source).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    versions = {name: _find_version(name) for name in _LIBRARIES}
    return digest_text(json.dumps([whole.hexdigest(), versions]))


def _find_version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, digest: str, results: list[Result]) -> None:
    """Write what was found on a file: all but the pixels as JSON, these end to end."""
    scans, inks = [], []
    for searched, overlay in results:
        subjects = []
        for subject in searched.subjects:
            pixels = subject.pixels
            shape = None if pixels is None else pixels.shape
            subjects.append({**_describe(subject), "pixels": shape})
            inks.append(b"" if pixels is None else pixels.tobytes())
        left_out = [_describe(one) for one in searched.left_out]
        said = {"reason": searched.reason, "note": searched.note, "overlay": len(overlay)}
        scans.append({**said, "subjects": subjects, "left_out": left_out})
    # What has been packed already grows no smaller, and what is not packed can't be a bomb.
    with whole_file(path, synced=False) as part, zipfile.ZipFile(part, "w") as file:
        file.writestr("found.json", json.dumps({"digest": digest, "scans": scans}))
        file.writestr("ink", b"".join(inks))
        file.writestr("overlays", b"".join(overlay for _, overlay in results))


def _describe(thing: Subject | LeftOut) -> dict[str, Any]:
    return {name: value for name, value in vars(thing).items() if name != "pixels"}


def _read(path: Path, digest: str) -> list[Result] | None:
    """Return what was written under this digest; None where there is none, or it is damaged."""
    if not path.is_file():  # nobody ever wrote into a pipe there
        return None
    try:
        with zipfile.ZipFile(path) as file:
            if any(one.compress_type != zipfile.ZIP_STORED for one in file.infolist()):
                return None
            found = json.loads(file.read("found.json"))
            if found["digest"] != digest:
                return None
            return _unpack(found["scans"], file.read("ink"), file.read("overlays"))
    except _DAMAGED:
        return None
    except FileNotFoundError:
        return None
    except OSError as error:
        pass_on_machine(error, path)
        return None


def _unpack(scans: list[dict[str, Any]], ink: bytes, overlays: bytes) -> list[Result]:
    """Return the scans that were described; ValueError where pixels or overlays do not fit."""
    results, at, seen = [], 0, 0
    for scan in scans:
        subjects = []
        for said in scan.pop("subjects"):
            shape, pixels = said.pop("pixels"), None
            if shape is not None:
                count = int(np.prod(shape))
                pixels = np.frombuffer(ink, np.uint8, count, at).reshape(shape)
                at += count
            subjects.append(Subject(**_tuple_box(said), pixels=pixels))
        left_out = tuple(LeftOut(**_tuple_box(said)) for said in scan.pop("left_out"))
        overlay = overlays[seen : seen + scan["overlay"]]
        seen += scan.pop("overlay")
        results.append((Searched(tuple(subjects), left_out=left_out, **scan), overlay))
    if at != len(ink) or seen != len(overlays):
        raise ValueError("its pixels are not those of its subjects")
    return results


def _tuple_box(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "box": tuple(map(int, said["box"]))}
