"""prep plan: augmented/ -> experiments/<name>.json, the inputs of each experiment by digest.

`train@<name>` depends on its plan alone, so that only the experiments whose inputs changed are
trained again.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.params import Params
from pipeline.project import Project


def plan(project: Project, params: Params) -> str:
    """Write down what each experiment is made of."""
    describe = cache(partial(describe_file, project))  # experiments share files
    with whole_folder(project.output("experiments")) as folder:
        for name in params.experiments:
            content = {
                "experiment": name,
                "tiles": describe(project.input("tiles.h5")),
                "split": describe(project.input("split.csv")),
                "variants": [
                    {"op": op, "class": class_name}
                    | describe(project.require(project.variants_file(op, class_name)))
                    for op, class_name in choose_variants(params, name)
                ],
            }
            text = json.dumps(content, indent=2, ensure_ascii=False)
            (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    count = len(params.experiments)
    return f"{count} plan{'s' * (count != 1)} in processed/experiments"


def choose_variants(params: Params, name: str) -> Iterator[tuple[str, str]]:
    """Yield the (op, class) pairs whose variants an experiment adds.

    They come in the order of params.classes: how the experiment lists them changes nothing.
    """
    experiment = params.experiments[name]
    for op in experiment.ops:
        for class_name in params.classes:
            if experiment.classes is None or class_name in experiment.classes:
                yield op, class_name


def describe_file(project: Project, path: Path) -> dict[str, str]:
    """Return the path and the SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": project.relative(path), "sha256": digest}
