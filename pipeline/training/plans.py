"""TODO pipeline/training/plans.py."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Params, Train, choose

Plan = dict[str, Any]


def choose_experiments(params: Params, wanted: str | None) -> list[str]:
    """Return the one experiment that is wanted, or all; an unknown name is a DataError."""
    names = {name: name for name in params.experiments}
    return choose(wanted, names, "experiment", "experiments")


def describe_file(project: Project, path: Path) -> dict[str, str]:
    """Return the path and the SHA-256 of a file."""
    return {"file": project.relative(path), "sha256": digest_file(path)}


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_plan(project: Project, params: Params, name: str) -> Plan:
    """Return the plan of an experiment, as `prep plan` wrote it.

    Raises DataError when the plan, or a file that it names, is not what it was.
    """
    path = project.input("experiments", f"{name}.json")
    try:
        plan: Plan = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}). Make it again with: prep plan") from error
    if plan.get("classes") != list(params.classes):
        raise DataError(f"{path} was made for other classes. Make it again with: prep plan")
    for file in (plan["tiles"], plan["split"], *plan["variants"], *filter(None, [plan["model"]])):
        if not _is_as_planned(project, file):
            raise DataError(
                f"{file['file']} has changed since {name} was planned. Plan again with: prep plan"
            )
    return plan


def _is_as_planned(project: Project, file: Plan) -> bool:
    """Return whether a file that a plan names has the digest that it had then."""
    path = project.root / file["file"]
    return path.is_file() and digest_file(path) == file["sha256"]


def digest_inputs(plan: Plan, settings: Train, fold: int, seed: int) -> str:
    """Return a digest of everything that decides how a run ends, other than the machine."""
    budget = describe_budget(settings)
    return hashlib.sha256(
        json.dumps([__version__, plan, budget, fold, seed], sort_keys=True).encode()
    ).hexdigest()


def describe_budget(settings: Train) -> dict[str, object]:
    """Return the settings that change a run's numbers.

    A precision of float32 goes unsaid, as it did before there was another one.
    """
    unsaid = {"precision"} if settings.precision == "float32" else set()
    return settings.model_dump(exclude={"seeds", "memory_mb"} | unsaid)
