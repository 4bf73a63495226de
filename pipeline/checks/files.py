"""prep check files: is every file under processed/ as it was made, and do all of them agree?

`files` are the MD5s of what is there now, by path from the project's root, with '/'. What a file
says is examined without dvc.lock too; its bytes can only be compared with what that recorded.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.checks.agreement import examine
from pipeline.checks.faults import Fault, stage_of, tell_faults
from pipeline.checks.leftovers import (
    Leftover,
    find_leftovers,
    forget_dropped,
    is_dropped,
    remove_leftovers,
    tell_leftovers,
)
from pipeline.checks.records import (
    SOURCES,
    Lock,
    Record,
    find_changed,
    find_new_sources,
    find_stale,
    is_at,
    list_files,
    read_lock,
    read_yaml,
)
from pipeline.checks.road import read_inputs, tell_differences
from pipeline.console import say, track, warn
from pipeline.dvc_cache import digest_md5
from pipeline.errors import DataError, count_things
from pipeline.intake.files import locate
from pipeline.intake.links import find_unseen, tell_unseen
from pipeline.notes import tidy_notes
from pipeline.project import MADE_BY, Project
from pipeline.settings.params import Params

_LAST_STEP = "Then bring all that follows up to date with: dvc repro"


def check_files(project: Project, params: Params, tidy: bool = False) -> str:
    """Verify every processed file; raises DataError with a line for each that is faulty.

    tidy: what prep made for what params.yaml names no more is removed first.
    """
    for sentence in tell_differences(project.root):
        warn(sentence)
    lock, gone = _read_lock(project, params)
    _look_after_leftovers(project, find_leftovers(project, params, gone), tidy)
    recorded = [record.path for record in [*lock.outputs, *lock.inputs]] if lock else []
    files = _digest_all(project.root, dict.fromkeys([*recorded, *_list_outputs(params)]))
    faults, stale = _find_changes(project, lock if files else None, files)
    faults += _examine(project, params, {_name_stage(name) for name in stale})
    faults = [fault for fault in faults if not is_dropped(params, fault.file)]
    _tell_missing(project, params, lock if files else None)
    sources = _check_sources(project.root, params, lock if files else None)
    if not lock:
        warn("there is no dvc.lock, so bytes could only be checked where prep noted their digests")
    if stale and not faults:
        warn(f"not up to date: {', '.join(sorted(stale))}. Bring them up to date with: dvc repro")
    _refuse(project, faults)
    checked = sum(any(is_at(name, path) for path in recorded) for name in files)
    whole = count_things(len(files), "file") if files else "no file"
    return (
        f"{whole} under processed/ and nothing wrong, {checked:,} of them by dvc.lock's digests; "
        f"{sources}"
    )


def _find_changes(
    project: Project, lock: Lock | None, files: Mapping[str, str]
) -> tuple[list[Fault], set[str]]:
    """Return what is not as dvc.lock or prep's notes have it, and the stages out of date."""
    faults: list[Fault] = []
    stale: set[str] = set()
    if lock:
        stale = find_stale(lock, files, read_yaml(project.params_file))
        # A training that goes on has new runs already; what they are is told by their own digests.
        trained = {name for name in stale if name.split("@")[0] == "train"}
        recorded_then = [record for record in lock.outputs if record.stage not in trained]
        faults += find_changed(project.root, recorded_then, files)
    told = {fault.file for fault in faults}
    damaged = map(project.relative, project.find_damaged())
    faults += [
        Fault(file, "its bytes changed since it was made") for file in damaged if file not in told
    ]
    return faults, stale


def _read_lock(project: Project, params: Params) -> tuple[Lock | None, list[Record]]:
    """Return dvc.lock, and what it still has of stages that params.yaml dropped."""
    lock = read_lock(project.root)
    return forget_dropped(lock, params) if lock else (None, [])


def _look_after_leftovers(project: Project, leftovers: list[Leftover], tidy: bool) -> None:
    """Name what nothing uses any more, or remove it."""
    if tidy:
        removed = list(remove_leftovers(project, leftovers))
        tidy_notes(project.output())
        for sentence in removed or ["nothing to tidy up"]:
            say(sentence)
        if removed and (project.root / "dvc.lock").exists():
            say("dvc.lock still lists it: dvc repro writes that anew, and trains nothing again")
        leftovers = [replace(left, own=[]) for left in leftovers]
    for sentence in tell_leftovers(leftovers):
        warn(sentence)


def _examine(project: Project, params: Params, verbs: set[str]) -> Iterator[Fault]:
    """Yield what is wrong with what the files say, but for those of stages that are out of date.

    These may well disagree with what is not.
    """
    trusting = replace(project, verifies=False)  # every fault is wanted, not the first
    for fault in examine(trusting, params):
        if stage_of(fault.file) not in verbs:
            yield fault


def _refuse(project: Project, faults: list[Fault]) -> None:
    """Raise DataError with a line for each faulty file, if there are any."""
    if faults:
        lines = tell_faults(project.root, dict.fromkeys(faults))
        raise DataError(
            "\n".join(["not everything under processed/ is as it should be:", *lines, _LAST_STEP])
        )


def _name_stage(recorded: str) -> str:
    """Return the stage as this prep calls it: an older one trained each experiment in its own."""
    verb = recorded.split("@")[0]
    return "train" if verb in ("train", "evaluate") else recorded


def _digest_all(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the MD5 of each file at and under the given paths."""
    names = list_files(root, paths)
    return {name: digest_md5(root / name) for name in track(names, "reading files")}


def _check_sources(root: Path, params: Params, lock: Lock | None) -> str:
    """Warn of what in raw/ and models/ is not as DVC recorded it; return what is known of each."""
    recorded = dict.fromkeys(record.path for record in lock.sources) if lock else {}
    found = {path: _digest_all(root, [path]) for path in recorded}
    changed = find_new_sources(lock, found) if lock else {}
    for path, stages in changed.items():
        warn(
            f"{path} is not as dvc.lock recorded it for {', '.join(stages)}: changed, added to or "
            "not all here (what .dvcignore leaves out counts too). Bring what is made of it up to "
            "date with: dvc repro"
        )
    unseen = _find_unseen(root, params)
    known = {
        "as recorded": [
            path
            for path in recorded
            if path not in changed and not any(is_at(folder, path) for folder in unseen)
        ],
        "changed since": list(changed),
        "not looked at": [*unseen, *(name for name in SOURCES if name not in recorded)],
    }
    return "; ".join(f"{' and '.join(paths)} {what}" for what, paths in known.items() if paths)


def _find_unseen(root: Path, params: Params) -> list[str]:
    """Return the folders of sources into which DVC does not look, and warn of them."""
    inputs = read_inputs(root)
    try:
        folders = [locate(root, source.path) for source in params.sources]
        folders = [folder for folder in folders if (root / folder).exists()]
        unseen = find_unseen(root, folders, inputs)
    except DataError as error:  # of a link that leads nowhere
        warn(str(error))
        return []
    if unseen:
        warn(tell_unseen(root, unseen, inputs))
    return unseen


def _list_outputs(params: Params) -> Iterator[str]:
    """Yield what the road makes under processed/, in its order."""
    for name, stage in MADE_BY.items():
        if name == "augmented":
            yield from (f"processed/{name}/{op}" for op in params.augment)
        elif stage == "train":
            yield from (f"processed/{name}/{experiment}" for experiment in params.experiments)
        else:
            yield f"processed/{name}"


def _tell_missing(project: Project, params: Params, lock: Lock | None) -> None:
    """Say which outputs are not there, unless they were and are gone, which is a fault."""
    recorded = {record.path for record in lock.outputs} if lock else set()
    missing = [
        path
        for path in _list_outputs(params)
        if path not in recorded and not (project.root / path).exists()
    ]
    if missing:
        warn(f"not made yet: {', '.join(missing)}. Make them with: dvc repro")
