"""prep plan: augmented/ -> experiments/<name>.json, the inputs of each experiment by digest.

`train@<name>` depends on its plan alone, so that only the experiments whose inputs changed are
trained again.
"""

import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.console import warn
from pipeline.dataset.reading import open_tiles
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.plans import Plan, describe_file
from pipeline.training.pool import read_folds


def plan(project: Project, params: Params) -> str:
    """Write down what each experiment is made of."""
    describe = cache(partial(describe_file, project))  # experiments share files
    model = _find_model(project, params)
    with open_tiles(project, params.classes) as tiles:
        classes = tiles.classes
    with whole_folder(project.output("experiments")) as folder:
        for name in params.experiments:
            content: Plan = {
                "experiment": name,
                "classes": classes,
                "variants_are": params.experiments[name].variants,
                "balance": params.experiments[name].balance,
                "model": model and describe(model),
                "tiles": describe(project.input("tiles.h5")),
                "split": describe(project.input("split.csv")),
                "variants": [
                    {"op": op, "class": class_name}
                    | describe(project.require(project.variants_file(op, class_name)))
                    for op, class_name in _choose_variants(params, name)
                ],
            }
            share = params.experiments[name].share
            if share < 1:
                content |= {"share": share, "split_seed": params.split.seed}
                read_folds(project, content)  # is the share large enough?
            text = json.dumps(content, indent=2, ensure_ascii=False)
            (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    count = len(params.experiments)
    return f"{count} plan{'s' * (count != 1)} in processed/experiments"


def _choose_variants(params: Params, name: str) -> Iterator[tuple[str, str]]:
    """Yield the (op, class) pairs whose variants an experiment adds.

    They come in the order of params.classes: how the experiment lists them changes nothing.
    """
    for op in params.experiments[name].ops:
        for class_name in params.classes:
            if class_name in params.classes_of(name, op):
                yield op, class_name


def _find_model(project: Project, params: Params) -> Path | None:
    """Return the file that every experiment's model is made of; DataError if it is missing."""
    file = params.train.model_file
    if file is None:
        return None
    if not (project.root / file).is_file():
        raise DataError(f"train: there is no file {file} in {project.root}")
    if not file.startswith("models/"):
        warn(f"dvc repro sees changes of models in models/ only; {file} lies elsewhere")
    return project.root / file
