"""What is left under processed/ of ops, classes and experiments that params.yaml names no more.

A file is prep's own when its bytes are noted as those that prep wrote, or when dvc.lock has them of
a stage that is gone. Whatever else lies beside it stays, whoever put it there.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from pipeline.checks.records import Lock, Record, list_files, read_listing
from pipeline.dvc_cache import digest_md5
from pipeline.errors import count_things
from pipeline.notes import digest_file, read_versions
from pipeline.project import Project, class_file_name
from pipeline.settings.params import Params

# The stages of which a road has, or had, one for each op or experiment.
_EACH = {"augment", "train", "evaluate"}
_CHECKPOINT = re.compile(r"\.seed-\d+\.npz")


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nothing uses any more: its path, prep's own files, and strangers'."""

    place: str
    own: list[str]
    strange: list[str]
    size: int  # bytes of the own files


def is_dropped(params: Params, file: str) -> bool:
    """Return whether a file is of an op, class or experiment that params.yaml does not name."""
    return bool(_find_place(params, file))


def forget_dropped(lock: Lock, params: Params) -> tuple[Lock, list[Record]]:
    """Return the lock without the stages of what params.yaml dropped, and these stages' outputs.

    DVC itself keeps them for ever.
    """
    known = {
        *(f"augment@{op}" for op in params.augment),
        *(f"{verb}@{name}" for verb in ("train", "evaluate") for name in params.experiments),
    }

    def counts(stage: str) -> bool:
        return stage in known or stage.split("@")[0] not in _EACH or "@" not in stage

    return (
        Lock(
            [record for record in lock.outputs if counts(record.stage)],
            [record for record in lock.inputs if counts(record.stage)],
            {stage: values for stage, values in lock.params.items() if counts(stage)},
            lock.sources,
        ),
        [record for record in lock.outputs if not counts(record.stage)],
    )


def find_leftovers(project: Project, params: Params, gone: Iterable[Record]) -> list[Leftover]:
    """Return what is left under processed/; gone: what dvc.lock has of stages that are no more."""
    recorded = dict(_list_recorded(project, gone))
    folders = [f"processed/{name}" for name in ("augmented", "experiments", "runs", "scores")]
    places: dict[str, list[str]] = defaultdict(list)
    for file in list_files(project.root, folders):
        if place := _find_place(params, file):
            places[place].append(file)
    return [_divide(project, place, files, recorded) for place, files in sorted(places.items())]


def tell_leftovers(leftovers: Iterable[Leftover]) -> Iterator[str]:
    """Yield a sentence on all that --tidy would remove, and one on each place that it leaves."""
    leftovers = list(leftovers)
    own = [left for left in leftovers if left.own]
    if own:
        places = ", ".join(f"{left.place} ({_measure(left)})" for left in own)
        yield (
            f"nothing in params.yaml names these any more: {places}. Remove what prep wrote there "
            "with: prep check files --tidy"
        )
    for left in leftovers:
        if left.strange:
            yield (
                f"nothing in params.yaml names {left.place} any more, and prep did not write "
                f"{_name(left.strange)} as it is: it stays there"
            )


def remove_leftovers(project: Project, leftovers: Iterable[Leftover]) -> Iterator[str]:
    """Remove prep's own files, and the folders that are empty then; yield what was removed."""
    for left in leftovers:
        for file in left.own:
            (project.root / file).unlink()
        folders = {folder for file in left.own for folder in PurePosixPath(file).parents}
        inside = [folder for folder in folders if folder.is_relative_to(left.place)]
        for folder in sorted(inside, key=lambda path: -len(path.parts)):
            with suppress(OSError):  # there is something else in it
                (project.root / folder).rmdir()
        if left.own:
            yield f"removed {left.place}: {_measure(left)}"


def _find_place(params: Params, file: str) -> str:
    """Return the file or folder under processed/ that a file is dropped with, '' if it is not."""
    parts = PurePosixPath(file).parts
    _, folder, name, *below = (*parts, "", "")
    stem = PurePosixPath(name).stem
    if folder == "augmented" and name in params.augment:
        known = not below[0] or below[0] in _name_variants(params.classes)
        return "" if known else "/".join(parts[:4])
    dropped = {
        "augmented": below[0] != "" and name not in params.augment,
        "experiments": name.endswith(".json") and stem not in params.experiments,
        "runs": below[0] != "" and name not in params.experiments,
        "scores": below[0] != "" and name not in params.experiments,
    }
    return "/".join(parts[:3]) if dropped.get(folder) else ""


@lru_cache(maxsize=1)  # asked for each file
def _name_variants(classes: tuple[str, ...]) -> frozenset[str]:
    """Return the names of an op's files."""
    return frozenset(f"{class_file_name(name, classes)}.h5" for name in classes)


def _list_recorded(project: Project, records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Yield the files of some outputs with their MD5s, as far as DVC's cache lists them."""
    for record in records:
        listing = read_listing(project.root, record.md5)
        if listing is None:
            yield record.path, record.md5
        else:
            yield from ((f"{record.path}/{name}", md5) for name, md5 in listing.items())


def _divide(
    project: Project, place: str, files: list[str], recorded: Mapping[str, str]
) -> Leftover:
    own = [file for file in files if _is_own(project, file, recorded)]
    strange = sorted(set(files) - set(own))
    size = sum((project.root / file).stat().st_size for file in own)
    return Leftover(place, own, strange, size)


def _is_own(project: Project, file: str, recorded: Mapping[str, str]) -> bool:
    path = project.root / file
    if _CHECKPOINT.fullmatch(path.name):
        return True
    versions = read_versions(project.output()).get(file.removeprefix("processed/"), ())
    return digest_file(path) in versions or recorded.get(file) == digest_md5(path)


def _measure(left: Leftover) -> str:
    return f"{count_things(len(left.own), 'file')}, {left.size / 1e6:,.2f} MB"


def _name(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more"
