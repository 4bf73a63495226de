"""Plans: what each experiment trains on, by digests of content; and what names a run.

A plan says nothing of the test set, so that a change there trains nothing again. It is drawn by
`prep plan`, which reads every picture once; `prep train` finds the same digests in what it loads,
or trains nothing.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pipeline.augmentation.recipes import Op
from pipeline.dataset import reading
from pipeline.dataset.content import Digests, digest_pictures, digest_set
from pipeline.dataset.documents import FileDigest, Lineage, Plan, PlannedFold, read_document
from pipeline.dataset.reading import Fold
from pipeline.dataset.splits import choose_share
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.dataset.streams import read_windows
from pipeline.errors import DataError, UnusableFileError
from pipeline.notes import digest_file
from pipeline.project import Project
from pipeline.settings.params import Params, choose
from pipeline.settings.sections import Train
from pipeline.training.found import add_left_out

# Raised only when a training with the same inputs ends with other numbers than before: every run
# of every project is trained again then.
TRAINING_VERSION = 2

PLAN_AGAIN = "Plan again with: prep plan"


@dataclass(frozen=True)
class Originals:
    """Tiles without their pixels: ids, labels, and the digests of their pictures; (N, ...).

    Of variants the ids are their parents'.
    """

    ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int16]
    pictures: Digests
    found: npt.NDArray[np.int16]  # the first labels, before anybody corrected them


def choose_experiments(params: Params, wanted: str | None) -> list[str]:
    """Return the one experiment that is wanted, or all; an unknown name is a DataError."""
    names = {name: name for name in params.experiments}
    return choose(wanted, names, "experiment", "experiments")


def digest_originals(tiles: DatasetFile) -> Originals:
    """Return what tiles.h5 holds; every picture is read."""
    windows = read_windows(tiles, np.arange(len(tiles)))
    return Originals(tiles.ids, tiles.labels, digest_pictures(windows), tiles.first_labels)


def draw_plans(
    project: Project, params: Params, originals: Originals, model: Path | None
) -> list[Plan]:
    """Return the plan of each experiment; every variant's picture is read once.

    Raises DataError when a file is missing, or a share leaves a class without training tiles.
    """
    digest: FileDigest | None = None
    if model:
        digest = {"file": project.relative(model), "sha256": digest_file(model)}
    plans = [_begin_plan(project, params, name, digest) for name in params.experiments]
    folds_of = {plan.get("share"): read_planned_folds(project, plan) for plan in plans}
    sets = {share: _digest_folds(folds, originals) for share, folds in folds_of.items()}
    if any("labels" in plan for plan in plans):
        as_found = _digest_found(project, params, originals)
    files = {file["file"] for plan in plans if not is_online(plan) for file in plan["variants"]}
    made = {file: _digest_variants(project.root / file, folds_of) for file in sorted(files)}
    for plan in plans:
        share = plan.get("share")
        stored = [] if is_online(plan) else [made[file["file"]][share] for file in plan["variants"]]
        plan["folds"] = [
            {**fold, "variants": [contents[number] for contents in stored]}
            for number, fold in enumerate(as_found if "labels" in plan else sets[share])
        ]
    return plans


def is_online(plan: Plan) -> bool:
    """Return whether an experiment's variants are drawn anew in each pass."""
    return plan["variants_are"] == "online"


def _begin_plan(project: Project, params: Params, name: str, model: FileDigest | None) -> Plan:
    """Return a plan that lacks its folds still."""
    experiment = params.experiments[name]
    plan: Plan = {
        "experiment": name,
        "classes": list(params.classes),
        "variants_are": experiment.variants,
        "balance": experiment.balance,
        "model": model,
        "variants": [
            {"op": op, "class": class_name, "file": project.relative(project.require(file))}
            for op, class_name in _choose_variants(params, name)
            for file in [project.variants_file(op, class_name, params.classes)]
        ],
        "folds": [],
    }
    if is_online(plan):
        plan["recipes"] = {op: describe_op(params.augment[op]) for op in experiment.ops}
    if experiment.share < 1:
        plan["share"], plan["split_seed"] = experiment.share, params.split.seed
    if experiment.labels != "corrected":
        plan["labels"] = experiment.labels
    return plan


def describe_op(op: Op) -> dict[str, Any]:
    """Return all that decides what an op draws and makes."""
    return {"parameters": json.loads(json.dumps(op.describe())), "seed": op.seed}


def _choose_variants(params: Params, name: str) -> Iterator[tuple[str, str]]:
    """Yield the (op, class) pairs whose variants an experiment adds.

    Classes come in the order of params.classes: how the experiment lists them changes nothing.
    """
    for op in params.experiments[name].ops:
        for class_name in params.classes:
            if class_name in params.classes_of(name, op):
                yield op, class_name


def _digest_folds(folds: Sequence[Fold], originals: Originals) -> list[PlannedFold]:
    """Return what each fold trains and validates on, without variants."""
    return [
        {
            "fold": fold.number,
            "train": digest_part(originals, fold.ids["train"]),
            "val": digest_part(originals, fold.ids["val"]),
            "variants": [],
        }
        for fold in folds
    ]


def _digest_found(project: Project, params: Params, originals: Originals) -> list[PlannedFold]:
    """Return what each fold would train and validate on had nobody corrected anything."""
    folds = reading.read_folds(project.input("split.csv"))
    added = add_left_out(project, params, folds)
    for fold, names in zip(folds, added, strict=True):
        fold.ids["train"].update(names)
    planned = _digest_folds(folds, replace(originals, labels=originals.found))
    return [
        {**content, "added": names} if names else content
        for content, names in zip(planned, added, strict=True)
    ]


def digest_part(originals: Originals, ids: Collection[str]) -> str:
    """Return the digest of some of the tiles, in the order of tiles.h5."""
    rows = np.array([name in ids for name in originals.ids], bool)
    return digest_set(originals.pictures[rows], originals.labels[rows], originals.ids[rows])


def _digest_variants(
    path: Path, folds_of: Mapping[float | None, Sequence[Fold]]
) -> dict[float | None, list[str]]:
    """Return the digests of those variants of a file whose parents each fold trains on."""
    with open_dataset(path) as variants:
        pictures = digest_pictures(read_windows(variants, np.arange(len(variants))))
        made = Originals(variants.parents, variants.labels, pictures, variants.labels)
    return {
        share: [digest_part(made, fold.ids["train"]) for fold in folds]
        for share, folds in folds_of.items()
    }


def load_plan(project: Project, params: Params, name: str) -> Plan:
    """Return the plan of an experiment, as `prep plan` wrote it.

    Raises DataError when the plan is damaged, or was made for other classes or another model.
    """
    path = project.input("experiments", f"{name}.json")
    plan = read_document(path, Plan, PLAN_AGAIN)
    numbers = [fold["fold"] for fold in plan["folds"]]
    if plan["experiment"] != name or numbers != list(range(len(numbers))):
        raise UnusableFileError(path, "is damaged: it is of another experiment or fold", PLAN_AGAIN)
    if plan["classes"] != list(params.classes):
        raise DataError(f"{path} was made for other classes. {PLAN_AGAIN}")
    model = plan["model"]
    if model and not is_as_planned(project, model):
        raise DataError(f"{model['file']} has changed since {name} was planned. {PLAN_AGAIN}")
    return plan


def is_as_planned(project: Project, file: FileDigest) -> bool:
    """Return whether a file that a plan names has the digest that it had then."""
    path = project.root / file["file"]
    return path.is_file() and digest_file(path) == file["sha256"]


def read_planned_folds(project: Project, plan: Plan) -> list[Fold]:
    """Return the folds of the split, thinned to the plan's share, or with what it adds to them."""
    split = project.input("split.csv")
    folds = reading.read_folds(split)
    if "share" in plan:
        with open_dataset(project.input("tiles.h5")) as tiles:
            label_of = dict(zip(tiles.ids, tiles.labels.tolist(), strict=True))
        _thin_training(folds, plan, label_of, reading.read_groups(split))
    for fold, content in zip(folds, plan["folds"], strict=False):
        fold.ids["train"].update(content.get("added", ()))
    return folds


def _thin_training(
    folds: Sequence[Fold], plan: Plan, label_of: Mapping[str, int], groups: Mapping[str, str]
) -> None:
    """Leave only the plan's share of each fold's training ids; the other parts stay as they are.

    Raises DataError when a class would lose its last training tile.
    """
    for fold in folds:
        ids = sorted(fold.ids["train"])
        labels = np.array([plan["classes"][label_of[name]] for name in ids], object)
        group = np.array([groups[name] for name in ids], object)
        chosen = choose_share(labels, group, plan["share"], plan["split_seed"])
        lost = sorted(set(labels) - set(labels[chosen]))
        if lost:
            count = int((labels == lost[0]).sum())
            raise DataError(
                f"experiments.{plan['experiment']}.share: {plan['share']:g} leaves no training "
                f"tile of class '{lost[0]}', which has {count:,}; give a larger share"
            )
        fold.ids["train"] = {name for name, stays in zip(ids, chosen, strict=True) if stays}


def find_model(project: Project, params: Params) -> Path | None:
    """Return the file that every experiment's model is made of; DataError if it is missing."""
    file = params.train.model_file
    if file is None:
        return None
    if not (project.root / file).is_file():
        raise DataError(f"train: there is no file {file} in {project.root}")
    return project.root / file


def describe_lineage(project: Project) -> Lineage:
    """Return which split and tiles the plans were drawn from."""
    return {
        "split": project.digest(project.input("split.csv")),
        "tiles": project.digest(project.input("tiles.h5")),
    }


def refuse_other_split(project: Project) -> None:
    """Raise DataError unless split.csv is still the one of which it was proved that nothing leaks.

    Of the tiles that are trained on their own digests tell (training/pool.py).
    """
    if _read_lineage(project)["split"] != project.digest(project.input("split.csv")):
        _tell_other("split.csv")


def read_lineage(project: Project) -> Lineage:
    """Return the lineage; raises DataError unless split and tiles are still those of the plans.

    Then nothing that a run trained on is in the test set: that was proved when they were drawn.
    """
    refuse_other_split(project)
    proved = _read_lineage(project)
    if proved["tiles"] != project.digest(project.input("tiles.h5")):
        _tell_other("tiles.h5")
    return proved


def _read_lineage(project: Project) -> Lineage:
    return read_document(project.input("lineage.json"), Lineage, PLAN_AGAIN)


def _tell_other(file: str) -> NoReturn:
    raise DataError(
        f"processed/{file} has changed since the experiments were planned. {PLAN_AGAIN}"
    )


def digest_inputs(plan: Plan, settings: Train, fold: int, seed: int) -> str:
    """Return a digest of everything that decides how a run ends, other than the machine.

    What only says where things lie, or what they are called, is not in it.
    """
    content = next((one for one in plan["folds"] if one["fold"] == fold), None)
    if content is None:
        raise DataError(
            f"processed/split.csv has changed since {plan['experiment']} was planned: the plan has "
            f"no fold {fold}. {PLAN_AGAIN}"
        )
    model = plan["model"]["sha256"] if plan["model"] else None
    online = [[file["op"], file["class"]] for file in plan["variants"]] if "recipes" in plan else []
    # Which tiles were added shows in the digest of what is trained on.
    trained = {key: value for key, value in content.items() if key != "added"}
    said = [
        TRAINING_VERSION,
        *(plan["classes"], plan["variants_are"], plan["balance"], model),
        *(plan.get("recipes"), online, trained, describe_budget(settings), seed),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def describe_budget(settings: Train) -> dict[str, object]:
    """Return the settings that change a run's numbers.

    A precision of float32 goes unsaid, as it did before there was another one.
    """
    unsaid = {"precision"} if settings.precision == "float32" else set()
    return settings.model_dump(exclude={"seeds", "minutes", "memory_mb"} | unsaid)
