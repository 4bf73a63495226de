"""The road's JSON documents, typed: what a plan, a run, the metrics and the lineage say."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from pipeline.atomic import whole_file
from pipeline.errors import UnusableFileError, pass_on_machine


class FileDigest(TypedDict):
    """A file, by its path from the project's root, and its SHA-256."""

    file: str
    sha256: str


# "class" is a word of Python's own.
PlannedVariants = TypedDict("PlannedVariants", {"op": str, "class": str, "file": str})


class PlannedFold(TypedDict):
    """What a fold trains and validates on: digests of content, as dataset/content.py takes them.

    `variants` are those of each file of the plan, in its order; none where they are drawn online.
    """

    fold: int
    train: str
    val: str
    variants: list[str]
    added: NotRequired[list[str]]  # ids of tiles that it trains on though they were left out


class Plan(TypedDict):
    """experiments/NAME.json: all that an experiment trains on, and nothing else."""

    experiment: str
    classes: list[str]
    variants_are: str
    balance: str
    model: FileDigest | None
    variants: list[PlannedVariants]
    folds: list[PlannedFold]
    share: NotRequired[float]
    split_seed: NotRequired[int]  # that the share is drawn by
    labels: NotRequired[str]  # `found`: as before they were corrected
    recipes: NotRequired[dict[str, Any]]  # of its ops, where variants are drawn online


class Run(TypedDict):
    """run.json: what was trained, for how long, by which versions."""

    inputs: str  # the digest that names the run
    fold: int
    seed: int
    steps: int
    budget: dict[str, Any]
    originals: int
    variants: int
    repeats: int
    best_step: int
    failed_step: int | None
    seconds: float
    parameters: int
    summary: str
    versions: dict[str, str]
    files: dict[str, str]  # SHA-256 by name
    classes: NotRequired[list[str]]
    online: NotRequired[bool]


class Budget(TypedDict):
    """What is asked of a run's budget; beside it stand all settings that change its numbers."""

    model: str
    batch_size: int


class ScoredClass(TypedDict):
    """The scores of one class (scores.ClassScore)."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class ScoredRun(TypedDict):
    """What is always asked of a run's scores; beside it stands all that its run.json says."""

    inputs: NotRequired[str]
    fold: int
    seed: int
    steps: int
    originals: int
    variants: int
    seconds: float
    failed_step: int | None
    versions: NotRequired[dict[str, str]]
    accuracy: float
    collapsed: bool
    confusion: list[list[int]]
    classes: list[ScoredClass]


class Metrics(TypedDict):
    """metrics.json: the scores of every run (scores.Score), with what its training said."""

    experiment: str
    classes: list[str]
    split: str  # SHA-256 of split.csv
    budget: dict[str, Any]
    runs: list[dict[str, Any]]
    tiles: str  # SHA-256 of tiles.h5
    predictions: str  # SHA-256 of the predictions.csv beside it


class Lineage(TypedDict):
    """lineage.json: the files between which nothing was found to leak, by their SHA-256."""

    split: str
    tiles: str


Document = TypeVar("Document", bound=TypedDict)  # type: ignore[valid-type]


def write_document(path: Path, content: Any) -> None:
    """Write a document, whole or not at all."""
    with whole_file(path) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_document(path: Path, kind: type[Document], remedy: str) -> Document:
    """Return what a document says; raises UnusableFileError unless it is one of its kind.

    Keys that the kind does not know are kept.
    """
    content = read_object(path, remedy)
    check_document(path, content, kind, remedy)
    return cast(Document, content)


def check_document(path: Path, content: dict[str, Any], kind: Any, remedy: str) -> None:
    """Raise UnusableFileError unless what a file, or a part of it, says is one of its kind."""
    missing = [key for key in list_keys(kind) if key not in content]
    if missing:
        lacking = f"lacks {', '.join(missing)}: it is damaged, or an older prep wrote it"
        raise UnusableFileError(path, lacking, remedy)
    try:
        _find_adapter(kind).validate_python(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UnusableFileError(path, f"is damaged: {place}: {first['msg']}", remedy) from error


@cache  # it takes longer to build than to use, and there is one for each run of a study
def _find_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def list_keys(kind: Any) -> list[str]:
    """Return the keys that a document of this kind has to have, in their order."""
    return [key for key in kind.__annotations__ if key in kind.__required_keys__]


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """Return a JSON object; UnusableFileError where a file holds none, OSError for the machine."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        pass_on_machine(error, path)
        raise UnusableFileError(path, f"is damaged: no JSON ({error})", remedy) from error
    if not isinstance(content, dict):
        raise UnusableFileError(path, "is damaged: no JSON object", remedy)
    return content
