"""A project's dvc.yaml beside the road of this prep, of which it was a copy when it was made."""

import os
import posixpath
import reprlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pipeline.checks.records import read_yaml
from pipeline.errors import DataError

_MOST_SHOWN = 20  # stages
_MOST_NODES = 100_000  # of a YAML file; dvc.lock of a thousand ops has fewer

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 200
_BRIEF.maxdict, _BRIEF.maxlevel = 10, 3


def tell_differences(root: Path) -> Iterator[str]:
    """Yield a sentence for each way in which dvc.yaml and params.yaml are not up to this prep."""
    if not (root / "dvc.yaml").exists():
        yield "there is no dvc.yaml: dvc repro can't run. Make it with: prep init ."
    else:
        yield from tell_road(root)
    yield from _tell_strangers(root)


def tell_road(root: Path) -> Iterator[str]:
    """Yield how dvc.yaml differs from the road of this prep, and what that changes."""
    if not (root / "dvc.yaml").exists():
        return
    yield from _compare_road(root, _read_stages(root), _read_road())


def read_inputs(root: Path) -> list[str]:
    """Return the inputs of ingest by dvc.yaml, or by the road where there is none: paths, with "/".

    Below these DVC sees what changes. Raises DataError when dvc.yaml can't be read.
    """
    stages = _read_stages(root) if (root / "dvc.yaml").exists() else _read_road()
    # A road of one's own may call it otherwise: then what the usual one sees is asked for.
    inputs = (_take_map(stages, "ingest") or _take_map(_read_road(), "ingest")).get("deps")
    return [posixpath.normpath(path) for path in _list_texts(inputs)]


def _list_texts(content: Any) -> list[str]:
    return [text for text in content if isinstance(text, str)] if isinstance(content, list) else []


def _read_stages(root: Path) -> dict[str, Any]:
    """Return the stages of dvc.yaml; raises DataError when it can't be read."""
    try:
        return _take_map(read_yaml(root / "dvc.yaml"), "stages")
    except ValueError as error:
        raise DataError(f"dvc.yaml can't be read: {error}") from error


def _read_road() -> dict[str, Any]:
    """Return the stages of this prep's road."""
    road = (files("pipeline") / "presets" / "road.yaml").read_text("utf-8")
    return _take_map(yaml.safe_load(road), "stages")


def _compare_road(root: Path, found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Yield how dvc.yaml's stages differ from the road's, and what params.yaml lacks for these."""
    other = [
        name for name, stage in wanted.items() if _forget_sources(name, found.get(name)) != stage
    ]
    if other:
        yield (
            f"dvc.yaml is not the road of this prep (stages {', '.join(other)} differ): an older "
            "one made it, or you changed it. To take the new road rename dvc.yaml (your changes "
            "are in it) and run prep init . (which keeps everything else); dvc repro then runs the "
            "changed stages again"
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


def _forget_sources(name: str, stage: Any) -> Any:
    """Return ingest without the inputs after raw: links to folders, into which DVC then looks."""
    deps = _list_texts(_take_map(stage).get("deps"))
    return stage | {"deps": deps[:1]} if name == "ingest" and deps[:1] == ["raw"] else stage


def _take_map(content: Any, section: str = "") -> dict[str, Any]:
    """Return what a YAML file says, or a section of it; empty where that is no map."""
    if section and isinstance(content, dict):
        content = content.get(section)
    return content if isinstance(content, dict) else {}


def _list_sections(stages: dict[str, Any]) -> set[str]:
    """Return the sections of params.yaml that the stages watch or run over."""
    return {key.split(".")[0] for stage in stages.values() for key in stage.get("params", ())}


# --- What else dvc repro runs ----------------------------------------------------------------


def _tell_strangers(root: Path) -> Iterator[str]:
    """Yield a sentence with all that dvc repro may run and that is not of the road, if any."""
    lines = [
        f"{Path(os.path.relpath(path, root)).as_posix()}: {what}"
        for path, stages in _find_stages(root)
        for what in _list_strangers(root, stages)
    ]
    if lines:
        more = len(lines) - _MOST_SHOWN
        shown = [*lines[:_MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        heading = "dvc repro may run what is not of prep's road. If it isn't yours, read it first:"
        yield "\n  ".join([heading, *shown])


def _find_stages(root: Path) -> Iterator[tuple[Path, Any]]:
    """Yield each file that DVC takes stages from with these, or with why it can't be read.

    DVC is asked: what it looks into follows from .dvcignore, git's ignored files, other projects
    inside this one and more. Its stages are as they would be run, every variable in its place.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.index import Index

    try:
        with _open_repo(root) as repo:
            for path in list(_find_stage_files(repo)):
                try:
                    _refuse_swelling(read_yaml(path))
                    stages = Index.from_file(repo, str(path)).stages
                except (DvcException, ValueError) as error:
                    stages = str(error)
                yield path, stages
    except DvcException as error:
        yield root / "dvc.yaml", f"DVC can't be asked: {error}"


def _open_repo(root: Path) -> Any:
    """Return the project as DVC sees it, or would after `prep init`."""
    from dvc.repo import Repo
    from dvc.scm import SCMError

    new = not (root / ".dvc").exists()
    try:
        return Repo(str(root), uninitialized=new)
    except SCMError:  # there is no git
        return Repo(str(root), uninitialized=new, config={"core": {"no_scm": True}})


def _find_stage_files(repo: Any) -> Iterator[Path]:
    """Yield the files that DVC may take stages from: dvc repro follows inputs into all of them."""
    from dvc.dvcfile import is_valid_filename

    for folder, below, names in repo.dvcignore.walk(repo.fs, repo.root_dir, followlinks=False):
        below[:] = sorted(one for one in below if not repo.scm.is_ignored(f"{folder}/{one}/"))
        for name in sorted(filter(is_valid_filename, names)):
            if not repo.scm.is_ignored(f"{folder}/{name}"):
                yield Path(folder, name)


def _refuse_swelling(content: Any) -> None:
    """Raise ValueError for YAML in which names for parts of it make more than DVC could look at."""
    left, seen = [content], 0
    while left:
        part, seen = left.pop(), seen + 1
        if isinstance(part, dict | list):
            left += part.values() if isinstance(part, dict) else part
        if seen + len(left) > _MOST_NODES:
            raise ValueError("it swells to more than DVC could ever read")


def _list_strangers(root: Path, stages: Any) -> Iterator[str]:
    """Yield what DVC would run or fetch for the stages of a file, other than the road does."""
    if isinstance(stages, str):
        yield f"it can't be read ({_BRIEF.repr(stages)})"
        return
    road = dict(_list_road(root))
    for stage in stages:
        name, inside = getattr(stage, "name", None), Path(stage.wdir)
        of_road = Path(stage.path) == root / "dvc.yaml" and inside == root
        if stage.cmd and not (of_road and stage.cmd in road.get(str(name), ())):
            told = f"stage {_BRIEF.repr(name)}: " if name else ""
            where = "" if inside == Path(stage.path).parent else f", in {stage.wdir}"
            yield f"{told}cmd: {_BRIEF.repr(stage.cmd)}{where}"
        elif not stage.cmd and stage.deps and not stage.frozen:
            yield f"fetches {_BRIEF.repr([str(dep) for dep in stage.deps])}"


def _list_road(root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of each stage of this prep's road, or an older one's, and what it may run."""
    settings = _take_map(read_yaml(root / "params.yaml"))
    for name, stage in _read_road().items():
        if "foreach" in stage:
            each = _take_map(settings, stage["foreach"].strip("${}"))
            yield from (
                (f"{name}@{key}", (stage["do"]["cmd"].replace("${key}", key),)) for key in each
            )
        else:
            yield name, (stage["cmd"],)
    for key in _take_map(settings, "experiments"):
        for name in ("train", "evaluate"):
            yield f"{name}@{key}", (f"prep {name} --experiment {key}",)
