"""The results of all experiments read back, ready to be compared and shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.dataset.documents import Metrics, read_document
from pipeline.dataset.reading import read_groups
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import Arm, Result, compare_arms, find_arm, list_judged
from pipeline.verdicts.tables import WideTable, widen
from pipeline.verdicts.wording import explain


@dataclass(frozen=True)
class Ablation:
    """All experiments compared: the arms, the long table, the wide ones, the paragraph.

    `ids` and `labels` (N,) are the test pictures, in the order of the arms' `predicted`.
    """

    arms: list[Arm]
    results: list[Result]
    tables: list[WideTable]
    reading: str
    ids: list[str]
    labels: npt.NDArray[np.int64]


def list_scored(project: Project, params: Params) -> list[str]:
    """Return the experiments that have scores."""
    return [
        name
        for name in params.experiments
        if project.output("scores", name, "metrics.json").exists()
    ]


def load_ablation(
    project: Project,
    params: Params,
    against: str | None = None,
    names: Sequence[str] | None = None,
) -> Ablation:
    """Read every experiment's scores and compare each with its control, or all with `against`.

    With `names` only these experiments are read; whose control is not among them has none.
    Raises DataError when scores are missing or belong to different splits.
    """
    metrics = {name: _read_metrics(project, name) for name in names or params.experiments}
    _check_comparable(metrics)
    arms, ids, labels = _read_arms(project, params, metrics)
    if against is not None:
        arms = [replace(arm, control=None if arm.name == against else against) for arm in arms]
    groups = read_groups(project.input("split.csv"))
    if not groups.keys() >= set(ids):
        raise DataError(
            "The scores are of test pictures that processed/split.csv no longer has. Bring "
            "everything up to date with: dvc repro"
        )
    results = compare_arms(
        arms,
        labels,
        np.array([groups[tile_id] for tile_id in ids], object),
        params.classes,
        params.compare.margin / 100,
    )
    tables = widen(arms, results, params.classes)
    reading = _read_aloud(params, arms, results)
    return Ablation(arms, results, tables, reading, ids, labels)


def _read_metrics(project: Project, name: str) -> Metrics:
    """Return metrics.json of one experiment."""
    remedy = f"Make it again with: prep evaluate --experiment {name}"
    return read_document(project.input("scores", name, "metrics.json"), Metrics, remedy)


def _check_comparable(metrics: dict[str, Metrics]) -> None:
    """Raise DataError when experiments had different splits, classes or budgets."""
    (first, reference), *others = metrics.items()
    for name, other in others:
        for key in ("split", "classes", "budget"):
            if other[key] != reference[key]:
                raise DataError(
                    f"{name} and {first} differ in {key}, so they can't be compared "
                    f"({other[key]} and {reference[key]}). Bring all experiments up to date with: "
                    "dvc repro"
                )


def _read_arms(
    project: Project, params: Params, metrics: dict[str, Metrics]
) -> tuple[list[Arm], list[str], npt.NDArray[np.int64]]:
    """Return the arms, and the ids and labels of the test pictures, in one order for all."""
    import pandas as pd

    arms: list[Arm] = []
    labels = pd.Series(dtype=int)
    code = {name: number for number, name in enumerate(params.classes)}
    for name, content in metrics.items():
        path = project.input("scores", name, "predictions.csv")
        types = {"id": str, "seed": int, "label": str, "predicted": str}
        rows = pd.read_csv(path, usecols=list(types), dtype=types, na_filter=False)
        table = rows.assign(predicted=rows["predicted"].map(code)).pivot(
            index="seed", columns="id", values="predicted"
        )
        labels = rows.drop_duplicates("id").set_index("id")["label"].map(code)[table.columns]
        arms.append(
            Arm(
                name=name,
                control=params.control_of(name),
                seeds=tuple(table.index),
                predicted=table.to_numpy(),
                runs=content["runs"],
            )
        )
    return arms, list(labels.index), labels.to_numpy()


def read_confidence(project: Project, arm: Arm, ids: list[str]) -> npt.NDArray[np.float64]:
    """Return the probability (0..1) of the class that each picture was given, (S, N)."""
    import pandas as pd

    path = project.input("scores", arm.name, "predictions.csv")
    rows = pd.read_csv(path, dtype={"id": str}, na_filter=False)
    shares = rows[[f"p{number}" for number in range(len(arm.runs[0]["classes"]))]].max(axis=1)
    table = rows.assign(share=shares).pivot(index="seed", columns="id", values="share")
    result: npt.NDArray[np.float64] = table.loc[list(arm.seeds), ids].to_numpy()
    return result


def _read_aloud(params: Params, arms: list[Arm], results: list[Result]) -> str:
    """Return the paragraph under the table."""
    accuracy = {r.experiment: r.mean or 0.0 for r in results if r.metric == "accuracy"}
    paragraph = explain(
        list_judged(results),
        margin=params.compare.margin / 100,
        stored=[
            arm.name
            for arm in arms
            if any(run["variants"] and not run.get("online") for run in arm.runs)
        ],
        equal_epochs=params.train.budget == "epochs",
        collapsed={arm.name: sum(run["collapsed"] for run in arm.runs) for arm in arms},
        best=max(accuracy, key=lambda name: accuracy[name]),
    )
    controls = filter(None, map(params.explain_missing_control, accuracy))
    return "\n".join([paragraph, *_tell_failures(arms), *_tell_unpaired(arms), *controls])


def _tell_unpaired(arms: list[Arm]) -> Iterator[str]:
    """Yield a sentence for each experiment whose seeds are not all those of its control."""
    for arm in arms:
        control = find_arm(arms, arm.control)
        if control and (alone := sorted(set(arm.seeds) ^ set(control.seeds))):
            yield (
                f"{arm.name} is compared with {control.name} on the seeds that both have; only one "
                f"of them has {', '.join(map(str, alone))}."
            )


def _tell_failures(arms: list[Arm]) -> Iterator[str]:
    """Yield a sentence for each run whose loss stopped being a number."""
    for arm in arms:
        for run in arm.runs:
            if run["failed_step"] is not None:
                yield (
                    f"{arm.name}, fold {run['fold']}, seed {run['seed']} failed at step "
                    f"{run['failed_step']} (its loss was no number); it is scored with what it had "
                    f"learned by step {run['best_step']} and counted like the others."
                )
