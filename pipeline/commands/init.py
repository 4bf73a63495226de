"""prep init: a new project folder from a preset."""

import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from pipeline.checks.road import tell_road
from pipeline.errors import DataError, nearest
from pipeline.intake.class_folders import make_class_folders
from pipeline.intake.files import locate
from pipeline.settings.loading import load_params, tell_defaults
from pipeline.subjects.layouts import LAYOUTS

PRESETS = ("digits", "letters", "pets", "blank")


def init_project(folder: Path, preset: str) -> str:
    """Write the preset's files into the folder, set up git and DVC; return what to do next.

    Files that are there already stay as they are.
    """
    if preset not in PRESETS:
        raise DataError(
            f"there is no preset '{preset}'.{nearest(preset, PRESETS)} Known: {', '.join(PRESETS)}"
        )
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; give the name of a new folder")
    has_params = (folder / "params.yaml").exists()
    kept = " (its own params.yaml was kept, not this preset's)" if has_params else ""
    others = _tell_upgrade(folder) if has_params else []
    with as_file(files("pipeline") / "presets") as presets:
        _copy_new(presets / "road.yaml", folder / "dvc.yaml")
        _copy_new(presets / "raw-README.md", folder / "raw" / "README.md")
        _copy_new(presets / "raw-gitignore", folder / "raw" / ".gitignore")
        _copy_new(presets / "models-README.md", folder / "models" / "README.md")
        _copy_new(presets / "gitignore", folder / "processed" / ".gitignore")
        _copy_new(presets / preset / "params.yaml", folder / "params.yaml")
    _make_source_folders(folder)
    _set_up_dvc(folder)
    ready = (
        f"{folder} is ready{kept}. Put your pictures under {folder / 'raw'} (see the README "
        "there), look over params.yaml, then run: dvc repro"
    )
    return "\n".join([ready, *others])


def _tell_upgrade(folder: Path) -> list[str]:
    """Return how a project that is there already differs from one that this prep makes.

    Raises DataError, with all of that, when params.yaml has what this prep does not know.
    """
    differences = list(tell_road(folder))
    try:
        load_params(folder / "params.yaml")
    except DataError as error:
        gone = "A key that this prep does not know is misspelt, or of another version of prep"
        advice = [f"{gone} (docs/params.md has all)"] if "no such key" in str(error) else []
        raise DataError("\n".join([str(error), *advice, *differences])) from error
    if defaults := list(tell_defaults(folder / "params.yaml")):
        heading = "params.yaml does not have these settings; what stands here holds for them:"
        differences.append("\n  ".join([heading, *defaults]))
    return differences


def _copy_new(template: Path, target: Path) -> None:
    """Copy a template unless the target exists."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, target)


def _make_source_folders(folder: Path) -> None:
    """Make the folders that params.yaml names, with one for each class of a `whole` source."""
    params = load_params(folder / "params.yaml")
    for source in params.sources:
        place = folder / locate(folder, source.path)
        place.mkdir(parents=True, exist_ok=True)
        if LAYOUTS[source.layout].wants_class_folders:
            make_class_folders(place, params.classes)


def _set_up_dvc(folder: Path) -> None:
    """Set up git where there is none, and DVC with its analytics off."""
    inside = _run(folder, "git", "rev-parse", "--is-inside-work-tree", check=False)
    if inside.returncode != 0:
        _run(folder, "git", "init", "--quiet")
    if not (folder / ".dvc").exists():
        root = _run(folder, "git", "rev-parse", "--show-toplevel").stdout.strip()
        below = [] if Path(root).resolve() == folder.resolve() else ["--subdir"]
        # -P: a dvc.py that lies in the folder is not DVC
        _run(folder, sys.executable, "-P", "-m", "dvc", "init", "--quiet", *below)
        _run(folder, sys.executable, "-P", "-m", "dvc", "config", "core.analytics", "false")
        _run(folder, "git", "add", ".dvc/config")


def _run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; raises DataError with what it said when it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DataError(f"{command[0]} is not installed; prep init needs it") from None
    if check and done.returncode != 0:
        raise DataError(f"{' '.join(command)} failed in {folder}: {done.stderr.strip()}")
    return done
