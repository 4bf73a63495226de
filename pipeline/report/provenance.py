"""Section 8: where the numbers come from - versions, seeds, digests, commit, machine, durations."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

from pipeline import __version__
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import Arm

_PACKAGES = (
    "numpy", "scipy", "scikit-learn", "pandas", "pillow", "opencv-python-headless",
    "albumentations", "h5py", "statsmodels",
)  # fmt: skip
_DIGESTED = ("catalogue.csv", "boxes.csv", "tiles.h5", "balanced.csv", "split.csv")


def show_provenance(project: Project, params: Params, arms: list[Arm]) -> dict[str, object]:
    """Return what somebody needs who wants to make the same report."""
    return {
        "facts": {
            "code and settings": _read_commit(project.root),
            "machine": _describe_machine(),
            "seeds": _describe_seeds(params),
        },
        "versions": _list_versions(arms),
        "digests": {
            name: project.digest(project.output(name))
            for name in _DIGESTED
            if project.output(name).exists()
        },
        "durations": [
            (arm.name, len(arm.runs), sum(run["seconds"] for run in arm.runs)) for arm in arms
        ],
        "params": project.params_file.read_text(encoding="utf-8"),
    }


def _read_commit(root: Path) -> str:
    """Return git's last commit and its date, and whether files differ from it."""
    commit = _ask_git(root, "log", "-1", "--format=%H of %cI")
    if not commit:
        return "not under git"
    changed = _ask_git(root, "status", "--porcelain", "--untracked-files=no")
    return f"git {commit}{', with changes since' if changed else ''}"


def _ask_git(root: Path, *words: str) -> str:
    """Return what git prints, '' when it fails or is not installed."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _describe_machine() -> str:
    """Return system and processors, without the machine's name."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"


def _describe_seeds(params: Params) -> str:
    """Return every seed of the project in a line."""
    ops = ", ".join(f"{name} {op.seed}" for name, op in params.augment.items())
    every = {seed for name in params.experiments for seed in params.seeds_of(name)}
    trainings = ", ".join(map(str, sorted(every)))
    return f"balance {params.balance.seed}; split {params.split.seed}; {ops}; trainings {trainings}"


def _list_versions(arms: list[Arm]) -> dict[str, str]:
    """Return the versions of prep, Python and the libraries whose work is seen here."""
    trained = {
        json.dumps(run.get("versions", {}), sort_keys=True) for arm in arms for run in arm.runs
    }
    network = {
        name: version
        for versions in map(json.loads, sorted(trained))
        for name, version in versions.items()
        if name != "backend"
    }
    here = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"prep": __version__, "Python": platform.python_version()} | network | here
