"""prep init: a new project folder from a preset."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from pipeline.checks.road import tell_road
from pipeline.errors import DataError, nearest
from pipeline.intake.class_folders import make_class_folders
from pipeline.intake.files import locate
from pipeline.project import class_file_name
from pipeline.settings.loading import load_params, tell_defaults
from pipeline.settings.params import Params
from pipeline.settings.sections import Source
from pipeline.subjects.layouts import LAYOUTS, find_origin

_PARAMS = "params.yaml"
_TEMPLATES = {
    "dvc.yaml": "road.yaml",
    "raw/README.md": "raw-README.md",
    "raw/.gitignore": "raw-gitignore",
    "models/README.md": "models-README.md",
    "processed/.gitignore": "gitignore",
}
_FIRST_COMMIT = "For dvc exp run commit once: git add -A; git commit -m 'a new project'"
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
    has_params = (folder / _PARAMS).exists()
    kept = " (its own params.yaml was kept, not this preset's)" if has_params else ""
    others = _tell_upgrade(folder) if has_params else []
    with as_file(files("pipeline") / "presets") as presets:
        templates = {folder / name: presets / file for name, file in _TEMPLATES.items()}
        templates[folder / _PARAMS] = presets / preset / _PARAMS
        params = load_params(folder / _PARAMS if has_params else presets / preset / _PARAMS)
        sources = _list_source_folders(folder, params)
        _check_place(folder, [*templates, *sources])
        with _all_or_nothing(folder, [*templates, *sources]):
            for target, template in templates.items():
                _copy_new(template, target)
            _make_source_folders(folder, params)
            _set_up_dvc(folder)
    ready = (
        f"{folder} is ready{kept}. Put your pictures under {folder / 'raw'} (see the README "
        "there, also how to keep and move them), look over params.yaml, then run: dvc repro"
    )
    return "\n".join([ready, *others, _FIRST_COMMIT])


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


def _list_source_folders(folder: Path, params: Params) -> list[Path]:
    """Return the folders that may be made: sources, and one for each class of a `whole` one."""
    found = []
    for source in params.sources:
        place = folder / locate(folder, source.path)
        found.append(place)
        if _has_class_folders(source):
            names = {
                *params.classes,
                *(class_file_name(one, params.classes) for one in params.classes),
            }
            found += [place / name for name in sorted(names)]
    return found


def _has_class_folders(source: Source) -> bool:
    by_folder = find_origin(source.layout, source.labels) == "folder"
    return by_folder and LAYOUTS[source.layout].wants_class_folders


def _make_source_folders(folder: Path, params: Params) -> None:
    for source in params.sources:
        place = folder / locate(folder, source.path)
        place.mkdir(parents=True, exist_ok=True)
        if _has_class_folders(source):
            make_class_folders(place, params.classes)


def _check_place(folder: Path, paths: Sequence[Path]) -> None:
    """Raise DataError, before anything is written, where the paths can't be made or kept in git."""
    for path in paths:
        for lost in (one for one in (path, *path.parents) if one.is_symlink() and not one.exists()):
            raise DataError(
                f"{lost} is a link that leads nowhere, to {lost.readlink()}: mount or put back "
                "what it leads to, or delete the link"
            )
        nearest_there = next(one for one in (path.parent, *path.parents) if one.exists())
        if not nearest_there.is_dir():
            raise DataError(f"{nearest_there} is a file, where {path} has to go: move it away")
        if not path.exists() and not os.access(nearest_there, os.W_OK | os.X_OK):
            raise DataError(f"you may not write in {nearest_there}: start the project elsewhere")
    if importlib.util.find_spec("dvc") is None:
        raise DataError("DVC is not installed; prep init needs it: pip install dvc")
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    inside = _run(there, "git", "rev-parse", "--is-inside-work-tree", check=False)
    if "dubious ownership" in inside.stderr:
        raise DataError(f"git does not trust the folder: {inside.stderr.strip()}")
    if inside.returncode == 0:
        _refuse_ignored(folder, there)


def _refuse_ignored(folder: Path, there: Path) -> None:
    """Raise DataError, with the line that says so, where git ignores what DVC keeps in it."""
    for name in ("dvc.yaml", "dvc.lock", _PARAMS, ".dvc/config"):
        path = folder.absolute() / name
        found = _run(there, "git", "check-ignore", "-v", "--", str(path), check=False)
        if found.returncode == 0:
            rule = found.stdout.split("\t")[0]
            file, _, pattern = rule.rsplit(":", 2)
            if pattern.startswith("!"):  # the rule that takes it in again
                continue
            raise DataError(
                f"git ignores {folder / name} ({file}: {pattern}), and DVC needs its files there "
                "in git: take the line out, or start the project elsewhere"
            )


@contextmanager
def _all_or_nothing(folder: Path, paths: Sequence[Path]) -> Iterator[None]:
    """Remove what the block has made of these paths, git's and DVC's, when it fails."""
    own = [folder / name for name in (".dvc", ".dvcignore", ".git")]
    parents = {parent for path in paths for parent in path.parents}
    absent = [path for path in {*own, *paths, *parents} if not os.path.lexists(path)]
    try:
        yield
    except BaseException:
        for path in sorted(absent, key=lambda one: len(one.parts), reverse=True):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


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
        # DVC stages its own files instead of telling after each command which to add.
        _run(folder, sys.executable, "-P", "-m", "dvc", "config", "core.autostage", "true")
        _run(folder, "git", "add", ".dvc/config")


def _run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; raises DataError with what it said when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise DataError(f"{command[0]} is not installed; prep init needs it") from None
    if check and done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise DataError(f"{' '.join(command)} failed in {folder}: {said}")
    return done
