"""TODO pipeline/training/runs.py."""

import json
from pathlib import Path
from typing import Any

from pipeline.training.plans import digest_file


def digest_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that a run is made of, by their names."""
    return {name: digest_file(folder / name) for name in ("model.keras", "history.csv")}


def read_run(folder: Path) -> dict[str, Any]:
    """Return run.json of a finished run; nothing when it, or a file that it names, is damaged."""
    try:
        run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return run if run["files"] == digest_files(folder) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
