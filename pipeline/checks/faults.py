"""What is wrong with a file under processed/, and how it is made again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.project import EDITED, MADE_BY, say_kept

_MOST_FILES = 20  # that are told one by one
_MOST_OF_A_FILE = 3
_FOREACH = {"augment"}  # DVC has one of these stages for each op


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong; `file` is its path from the project's root, with '/'.

    `remedy` is there where deleting the file and making it again is none.
    """

    file: str
    what: str
    remedy: str = ""


def stage_of(file: str) -> str:
    """Return the DVC stage that makes a file or folder under processed/, '' if none does."""
    parts = PurePosixPath(file).parts[1:]
    stage = MADE_BY.get(parts[0], "") if parts else ""
    return f"{stage}@{parts[1]}" if stage in _FOREACH and len(parts) > 1 else stage


def _tell_remedy(root: Path, file: str) -> str:
    """Return how a faulty file is made again.

    DVC may not see the damage itself: it takes a file for unchanged whose size and time are the
    same. Hence what is wrong has to go first.
    """
    stage, parts = stage_of(file), PurePosixPath(file).parts
    if not stage:
        return "Make it again with: dvc repro"
    if parts[1] == "runs" and len(parts) > 5:  # a run is made as a whole
        folder = "/".join(parts[:5])
        return f"Delete the folder {folder}, then: dvc repro {stage}"
    if not (root / file).exists():
        return f"Make it again with: dvc repro {stage}"
    if parts[1] in EDITED:
        by_hand = f"Make it again with: prep {stage} (it keeps {say_kept(parts[1])})"
        return f"{by_hand}, or delete it, then: dvc repro {stage}"
    it = f"the folder {file}" if (root / file).is_dir() else "it"
    return f"Delete {it}, then: dvc repro {stage}"


def tell_faults(root: Path, faults: Iterable[Fault]) -> Iterator[str]:
    """Yield a line for each faulty file, up to _MOST_FILES, and one for how many more there are."""
    by_file: dict[str, list[str]] = defaultdict(list)
    remedies: dict[str, str] = {}
    for fault in faults:
        by_file[fault.file].append(fault.what)
        remedies[fault.file] = fault.remedy or remedies.get(fault.file, "")
    for file, found in [*by_file.items()][:_MOST_FILES]:
        more = f"; and {len(found) - _MOST_OF_A_FILE} more" if len(found) > _MOST_OF_A_FILE else ""
        said = "; ".join(found[:_MOST_OF_A_FILE])
        yield f"{file}: {said}{more}. {remedies[file] or _tell_remedy(root, file)}"
    if len(by_file) > _MOST_FILES:
        yield f"and {len(by_file) - _MOST_FILES:,} more files"
