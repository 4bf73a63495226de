"""A project's dvc.yaml beside the road of this prep, of which it was a copy when it was made."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import DataError


def tell_differences(root: Path) -> Iterator[str]:
    """Yield a sentence for each way in which dvc.yaml and params.yaml are not up to this prep."""
    path = root / "dvc.yaml"
    if not path.exists():
        yield "there is no dvc.yaml: dvc repro can't run. Make it with: prep init ."
        return
    wanted = read_stages((files("pipeline") / "presets" / "road.yaml").read_text("utf-8"))
    try:
        found = read_stages(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise DataError(f"dvc.yaml can't be read: {error}") from error
    other = [name for name, stage in wanted.items() if found.get(name) != stage]
    if other:
        yield (
            f"dvc.yaml is not the road of this prep (stages {', '.join(other)} differ): an older "
            "one made it, or you changed it. To take the new road delete dvc.yaml and run prep "
            "init . (which keeps everything else); dvc repro then runs the changed stages again"
        )
    settings = read_stages((root / "params.yaml").read_text(encoding="utf-8"), "")
    missing = sorted(list_sections(wanted) - settings.keys())
    if missing:
        lines = ", ".join(f"`{name}: {{}}`" for name in missing)
        yield f"params.yaml lacks what the road of this prep watches: add {lines}"


def read_stages(text: str, section: str = "stages") -> dict[str, Any]:
    """Return the stages of a dvc.yaml, or the whole of a YAML file; empty where there are none."""
    content = yaml.safe_load(text)
    if section and isinstance(content, dict):
        content = content.get(section)
    return content if isinstance(content, dict) else {}


def list_sections(stages: dict[str, Any]) -> set[str]:
    """Return the sections of params.yaml that the stages watch or run over."""
    return {key.split(".")[0] for stage in stages.values() for key in stage.get("params", ())}
