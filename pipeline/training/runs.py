"""Finished runs: their folders, told from damaged ones by the digests that run.json holds."""

from pathlib import Path

from pipeline.dataset.content import digest_file
from pipeline.dataset.documents import Run, read_document
from pipeline.errors import DataError

FILES = ("model.keras", "history.csv")


def digest_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that a run is made of, by their names."""
    return {name: digest_file(folder / name) for name in FILES}


def read_run(folder: Path) -> Run | None:
    """Return run.json of a finished run; None when it, or a file that it names, is damaged."""
    try:
        run = read_document(folder / "run.json", Run, "")
        return run if run["files"] == digest_files(folder) else None
    except (DataError, OSError):
        return None
