"""A project's dvc.yaml beside the road of this prep, of which it was a copy when it was made."""

import os
import reprlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pipeline.checks.records import read_yaml
from pipeline.errors import DataError

_RUNNING = ("cmd", "foreach", "matrix", "vars", "wdir")  # the keys that say what a stage runs
_MOST_SHOWN = 20  # stages
# What an older prep's road ran, and this one's commands still do.
_OLDER = {
    "train": {"foreach": "${experiments}", "cmd": "prep train --experiment ${key}"},
    "evaluate": {"foreach": "${experiments}", "cmd": "prep evaluate --experiment ${key}"},
}
_LEFT_TO_DVC = {".dvc", ".git", ".hg"}  # where DVC looks for no stages

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 200
_BRIEF.maxdict, _BRIEF.maxlevel = 10, 3


def tell_differences(root: Path) -> Iterator[str]:
    """Yield a sentence for each way in which dvc.yaml and params.yaml are not up to this prep."""
    if not (root / "dvc.yaml").exists():
        yield "there is no dvc.yaml: dvc repro can't run. Make it with: prep init ."
    else:
        yield from tell_road(root)
    yield from _tell_strangers(root, _read_road())


def tell_road(root: Path) -> Iterator[str]:
    """Yield how dvc.yaml differs from the road of this prep, and what that changes."""
    if not (root / "dvc.yaml").exists():
        return
    try:
        content = read_yaml(root / "dvc.yaml")
    except ValueError as error:
        raise DataError(f"dvc.yaml can't be read: {error}") from error
    yield from _compare_road(root, _take_map(content, "stages"), _read_road())


def _read_road() -> dict[str, Any]:
    """Return the stages of this prep's road."""
    road = (files("pipeline") / "presets" / "road.yaml").read_text("utf-8")
    return _take_map(yaml.safe_load(road), "stages")


def _compare_road(root: Path, found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Yield how dvc.yaml's stages differ from the road's, and what params.yaml lacks for these."""
    other = [name for name, stage in wanted.items() if found.get(name) != stage]
    if other:
        yield (
            f"dvc.yaml is not the road of this prep (stages {', '.join(other)} differ): an older "
            "one made it, or you changed it. To take the new road delete dvc.yaml and run prep "
            "init . (which keeps everything else); dvc repro then runs the changed stages again"
        )
        if found.get("train", {}).get("foreach") and "evaluate" in found:
            yield (
                "on the new road one stage, train, trains and tests all experiments, several runs "
                "at once; finished runs are kept. The old one goes on working: each experiment "
                "alone"
            )
    settings = _take_map(read_yaml(root / "params.yaml"))
    missing = sorted(_list_sections(wanted) - settings.keys())
    if missing:
        lines = ", ".join(f"`{name}: {{}}`" for name in missing)
        yield f"params.yaml lacks what the road of this prep watches: add {lines}"


def _take_map(content: Any, section: str = "") -> dict[str, Any]:
    """Return what a YAML file says, or a section of it; empty where that is no map."""
    if section and isinstance(content, dict):
        content = content.get(section)
    return content if isinstance(content, dict) else {}


def _list_sections(stages: dict[str, Any]) -> set[str]:
    """Return the sections of params.yaml that the stages watch or run over."""
    return {key.split(".")[0] for stage in stages.values() for key in stage.get("params", ())}


# --- What else dvc repro runs ----------------------------------------------------------------


def _tell_strangers(root: Path, road: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence with all that dvc repro may run and that is not of the road, if any."""
    lines = [
        f"{path.relative_to(root).as_posix()}: {what}"
        for path in _find_stage_files(root)
        for what in _list_strangers(path, road if path == root / "dvc.yaml" else {})
    ]
    if lines:
        more = len(lines) - _MOST_SHOWN
        shown = [*lines[:_MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        heading = "dvc repro may run what is not of prep's road. If it isn't yours, read it first:"
        yield "\n  ".join([heading, *shown])


def _find_stage_files(root: Path) -> Iterator[Path]:
    """Yield the files that DVC may take stages from: dvc repro follows inputs into all of them."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(set(below) - _LEFT_TO_DVC)
        for name in sorted(names):
            if name == "dvc.yaml" or name.endswith(".dvc"):
                yield Path(folder, name)


def _list_strangers(path: Path, road: dict[str, Any]) -> Iterator[str]:
    """Yield what a file has DVC run or fetch, other than the road does."""
    try:
        content = _take_map(read_yaml(path))
    except ValueError as error:
        yield f"it can't be read ({_BRIEF.repr(str(error))})"
        return
    if path.name != "dvc.yaml":
        if content.get("deps") and content.get("frozen") is not True:
            yield f"fetches {_BRIEF.repr(content['deps'])}"
        return
    if "vars" in content:  # what they add to `augment` becomes a part of commands
        yield f"vars, which may go into any command: {_BRIEF.repr(content['vars'])}"
    for name, stage in _take_map(content, "stages").items():
        runs = _list_runs(stage)
        if runs not in (_list_runs(road.get(name)), _OLDER.get(name)):
            told = ", ".join(f"{key}: {_BRIEF.repr(value)}" for key, value in runs.items())
            yield f"stage {_BRIEF.repr(name)}: {told}"


def _list_runs(stage: Any) -> dict[str, Any]:
    """Return the part of a stage that says what is run, where and how often."""
    parts = [stage, stage.get("do")] if isinstance(stage, dict) else []
    return {
        key: part[key]
        for key in _RUNNING
        for part in parts
        if isinstance(part, dict) and key in part
    }
