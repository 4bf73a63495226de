"""What DVC recorded of the project's files in dvc.lock, and what is not so any more.

A file is recorded by its MD5; a folder by the MD5 of a listing of its files, with '.dir' at the
end. The listing itself lies in DVC's cache. `files` are the MD5s of what is there now, by path
from the root, with '/'. DVC looks at a file's size and time first; here every byte is read.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from pipeline.checks.faults import Fault
from pipeline.errors import DataError, pass_on_machine

Files = Mapping[str, str]

_FOLDER = ".dir"
SOURCES = ("raw", "models")  # what a project starts from
_CHANGED = "its bytes are not those that dvc.lock recorded: damaged, or made by hand since"


@dataclass(frozen=True)
class Record:
    """A file or folder of a stage, as DVC recorded it."""

    stage: str
    path: str
    md5: str


@dataclass(frozen=True)
class Lock:
    """dvc.lock: what the stages made, of what, and with which settings of params.yaml."""

    outputs: list[Record]
    inputs: list[Record]
    params: dict[str, dict[str, Any]]
    sources: list[Record]  # inputs that lie in raw/ or models/


# --- What DVC writes ---------------------------------------------------------------------------


class _Entry(BaseModel):
    """An input or output of a stage in dvc.lock."""

    path: str
    # Of an entry without "md5" here, DVC 2 has taken the digest of text in another way.
    hash: str = ""
    md5: str = ""

    @model_validator(mode="after")
    def _check_digest(self) -> "_Entry":
        if self.hash == "md5" and not self.md5:
            raise ValueError("an entry lacks its md5")
        return self


class _Watched(BaseModel):
    """The settings that a stage watches, by file; dvc.yaml's stages watch params.yaml only."""

    settings: dict[str, Any] = Field({}, alias="params.yaml")


class _StageLock(BaseModel):
    """A stage in dvc.lock."""

    outs: list[_Entry] = []
    deps: list[_Entry] = []
    params: _Watched = _Watched()


class _LockFile(BaseModel):
    """The whole of dvc.lock."""

    stages: dict[str, _StageLock]


class _Listed(BaseModel):
    """A file in the listing of a folder, as DVC's cache holds it."""

    relpath: str
    md5: str


_LISTING = TypeAdapter(list[_Listed])


def read_yaml(path: Path) -> Any:
    """Return what a YAML file says; ValueError if it can't be read."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    # PyYAML turns text into dates and numbers without looking first, and recurses into what is
    # deep: besides its own errors, any of these is the file's fault.
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OSError,
            RecursionError) as error:  # fmt: skip
        if not isinstance(error, FileNotFoundError):
            pass_on_machine(error, path)
        raise ValueError(str(error)) from error


def read_lock(root: Path) -> Lock | None:
    """Return what dvc.lock says of the project, None where there is none; DataError if damaged."""
    path = root / "dvc.lock"
    if not path.exists():
        return None
    try:
        stages = _LockFile.model_validate(read_yaml(path)).stages
    except ValueError as error:
        raise DataError(
            f"dvc.lock can't be read ({_word(error)}). Take it back from git (git checkout "
            "dvc.lock), or rename it and run: dvc repro"
        ) from error
    inputs = {name: stage.deps for name, stage in stages.items()}
    return Lock(
        list(_list_records({name: stage.outs for name, stage in stages.items()}, {"processed"})),
        list(_list_records(inputs, {"processed"})),
        {name: stage.params.settings for name, stage in stages.items()},
        list(_list_records(inputs, SOURCES)),
    )


def _word(error: ValueError) -> str:
    """Return what is wrong with a file, pydantic's complaints without its advice to programmers."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def _list_records(
    entries: Mapping[str, list[_Entry]], folders: Collection[str]
) -> Iterator[Record]:
    """Yield what is recorded at and under some of the project's folders, given each stage's."""
    for stage, found in entries.items():
        for entry in found:
            parts = PurePosixPath(entry.path).parts
            inside = parts[:1] and parts[0] in folders and ".." not in parts
            if inside and entry.hash == "md5":
                yield Record(stage, entry.path, entry.md5)


# --- What there is now -------------------------------------------------------------------------


def list_files(root: Path, paths: Iterable[str]) -> list[str]:
    """Return the files at and under the given paths, each once; links to folders are not followed.

    Raises OSError for a folder that can't be read.
    """
    found = dict.fromkeys(
        file.relative_to(root).as_posix()
        for path in paths
        for file in ([root / path] if (root / path).is_file() else _walk(root / path))
        if file.is_file()
    )
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what lies below a folder, none where there is no folder; DVC follows the same links."""
    walk = os.walk(folder, onerror=_refuse_folder) if folder.is_dir() else ()
    for place, _, names in walk:
        yield from (Path(place, name) for name in names)


def _refuse_folder(error: OSError) -> None:
    raise error


def digest_listing(listing: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder, given the MD5 of each file by its path from there."""
    entries = [{"md5": listing[path], "relpath": path} for path in sorted(listing)]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + _FOLDER


def _list_folder(files: Files, folder: str) -> dict[str, str]:
    """Return the MD5s of the files in a folder, by their paths from there."""
    inside = f"{folder}/"
    return {
        path.removeprefix(inside): md5 for path, md5 in files.items() if path.startswith(inside)
    }


def find_changed(root: Path, records: Iterable[Record], files: Files) -> Iterator[Fault]:
    """Yield what is not as DVC recorded it: changed, gone or added."""
    for record in records:
        if not record.md5.endswith(_FOLDER):
            if record.path not in files:
                yield Fault(record.path, "it is gone")
            elif files[record.path] != record.md5:
                yield Fault(record.path, _CHANGED)
        else:
            yield from _compare_folder(root, record, _list_folder(files, record.path))


def _compare_folder(root: Path, record: Record, found: dict[str, str]) -> Iterator[Fault]:
    if digest_listing(found) == record.md5:
        return
    listing = read_listing(root, record.md5)
    if listing is None:
        yield Fault(record.path, "something in this folder is not as dvc.lock recorded it")
        return
    for name in sorted(listing.keys() | found.keys()):
        file = f"{record.path}/{name}"
        if name not in found:
            yield Fault(file, "it is gone")
        elif name not in listing and not PurePosixPath(name).name.startswith("."):  # unfinished
            yield Fault(file, "it was not there when dvc.lock was written")
        elif found[name] != listing.get(name, found[name]):
            yield Fault(file, _CHANGED)


def read_listing(root: Path, md5: str) -> dict[str, str] | None:
    """Return the MD5s of a recorded folder's files, None when DVC's cache has no such listing."""
    path = root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    try:
        entries = _LISTING.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    listing = {entry.relpath: entry.md5 for entry in entries}
    return listing if digest_listing(listing) == md5 else None


def find_stale(lock: Lock, files: Files, params: Mapping[str, Any]) -> set[str]:
    """Return the stages whose settings or inputs are not what they were, and all after these."""
    stale = {
        stage
        for stage, recorded in lock.params.items()
        if any(
            _read_numbers(_look_up(params, key)) != _read_numbers(value)
            for key, value in recorded.items()
        )
    }
    stale |= {
        record.stage for record in lock.inputs if _digest_now(files, record.path) != record.md5
    }
    while True:
        made = [record.path for record in lock.outputs if record.stage in stale]
        after = {
            record.stage
            for record in lock.inputs
            if any(_overlap(record.path, path) for path in made)
        }
        if after <= stale:
            return stale
        stale |= after


def find_new_sources(lock: Lock, found: Mapping[str, Files]) -> dict[str, list[str]]:
    """Return what of raw/ and models/ is not as DVC recorded it, each with the stages that read it.

    `found` are the files at and under each of the lock's sources, by its path: what lies behind a
    link belongs to the source that the link is, and to none above it. DVC records neither names
    nor digests of an input's files: which of them changed isn't known.
    """
    changed: dict[str, list[str]] = defaultdict(list)
    for record in lock.sources:
        if _digest_now(found[record.path], record.path) != record.md5:
            changed[record.path].append(record.stage)
    return dict(changed)


def _digest_now(files: Files, path: str) -> str:
    return files.get(path) or digest_listing(_list_folder(files, path))


def is_at(name: str, path: str) -> bool:
    """Return whether a file is the path itself or lies under it."""
    return f"{name}/".startswith(f"{path}/")


def _overlap(one: str, other: str) -> bool:
    return is_at(one, other) or is_at(other, one)


def _read_numbers(value: Any) -> Any:
    """Return a setting with its numbers as such.

    DVC writes YAML 1.2, in which 1e-05 is a number; to PyYAML it is text.
    """
    if isinstance(value, dict):
        return {key: _read_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_read_numbers(one) for one in value]
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value


def _look_up(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params
