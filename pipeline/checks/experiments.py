"""Plans, runs and scores under processed/: each by itself, and of the data that is there."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipeline.checks import contents
from pipeline.checks.contents import judge_lines
from pipeline.checks.faults import Fault
from pipeline.checks.readers import Data, Folds, read_part
from pipeline.dataset.documents import Lineage, Metrics, Plan, Run, read_document
from pipeline.dataset.tables import COLUMNS
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.looks import list_seeds
from pipeline.training.plans import describe_lineage
from pipeline.training.runs import digest_files


def examine_plans(project: Project, params: Params, drawn: list[Plan], faults: list[Fault]) -> None:
    """Add where plans and lineage are not those of the files that are there.

    drawn: the plans as they would be drawn now; none where they can't be.
    """
    now = {plan["experiment"]: plan for plan in drawn}
    for name in params.experiments:
        judge = partial(_read_plan, project.root, now.get(name))
        read_part(project, faults, f"experiments/{name}.json", judge)
    if drawn:
        read_part(project, faults, "lineage.json", partial(_read_lineage, project))


def _read_plan(root: Path, now: Plan | None, path: Path, faults: list[str]) -> None:
    """Read a plan: it is of the content that is there."""
    plan = read_document(path, Plan, "")
    files = [file["file"] for file in (*plan["variants"], *filter(None, [plan["model"]]))]
    faults += [f"it names {file}, which is gone" for file in files if not (root / file).is_file()]
    if now is not None and plan != now:
        other = _find_others(plan, now)
        faults += [f"it was made for another {what}" for what in dict.fromkeys(other)]


def _find_others(plan: Plan, now: Plan) -> Iterator[str]:
    """Yield what a plan is not of any more."""
    if plan["model"] != now["model"]:
        yield plan["model"]["file"] if plan["model"] else "model"
    files = [file["file"] for file in now["variants"]]
    if len(plan["folds"]) != len(now["folds"]) or plan["variants"] != now["variants"]:
        yield "split.csv or other settings"
        return
    for found, wanted in zip(plan["folds"], now["folds"], strict=True):
        if (found["train"], found["val"]) != (wanted["train"], wanted["val"]):
            yield "processed/tiles.h5 or split.csv"
        for file, one, other in zip(files, found["variants"], wanted["variants"], strict=False):
            if one != other:
                yield file


def _read_lineage(project: Project, path: Path, faults: list[str]) -> None:
    """Read lineage.json, which is of the split and the tiles that are there."""
    said = read_document(path, Lineage, "")
    now = describe_lineage(project)
    if said["split"] != now["split"]:
        faults.append("it was made for another processed/split.csv")
    if said["tiles"] != now["tiles"]:
        faults.append("it was made for another processed/tiles.h5")


def examine_runs(
    project: Project, params: Params, name: str, folds: Folds | None, faults: list[Fault]
) -> None:
    """Add what is wrong with the trainings of an experiment, and which of them are missing."""
    there = sorted(project.output("runs", name).glob("fold-*/seed-*"))
    for folder in filter(Path.is_dir, there):
        part = folder.relative_to(project.output()).as_posix()
        for file in ("run.json", "history.csv", "model.keras"):
            if not (folder / file).is_file():
                faults.append(Fault(f"processed/{part}/{file}", "it is gone"))
        read_part(project, faults, f"{part}/run.json", _check_run)
        read_part(project, faults, f"{part}/history.csv", _read_history)
        read_part(
            project, faults, f"{part}/model.keras", lambda path, said: contents.check_model(path)
        )
    for fold in folds if there and folds else ():
        for seed in list_seeds(project, params, name):
            folder = project.run_folder(name, fold, seed)
            if not folder.exists():
                faults.append(Fault(project.relative(folder), "this run is missing"))


def _check_run(path: Path, faults: list[str]) -> None:
    """Read run.json, which says where it lies, and what lies beside it."""
    run = read_document(path, Run, "")
    place = f"fold-{run['fold']}/seed-{run['seed']}"
    if f"{path.parent.parent.name}/{path.parent.name}" != place:
        faults.append(f"it is of {place}")
    there = all((path.parent / name).is_file() for name in ("model.keras", "history.csv"))
    if there and run["files"] != digest_files(path.parent):
        faults.append("the files beside it are not those that it was written with")


def _read_history(path: Path, faults: list[str]) -> None:
    """Read history.csv, whose steps increase."""
    rows = judge_lines(path, COLUMNS["history"], contents.judge_interval, faults)
    steps = [float(row["step"]) for row in rows]
    if not steps or sorted(set(steps)) != steps:
        faults.append("its steps do not increase")


def examine_scores(
    project: Project,
    params: Params,
    name: str,
    data: Data,
    digest: Callable[[Path], str],
    faults: list[Fault],
) -> None:
    """Add what is wrong with the scores of an experiment: its predictions and its metrics."""
    read = partial(read_part, project, faults)
    split = project.output("split.csv")
    wanted = digest(split) if split.is_file() else None
    read(f"scores/{name}/metrics.json", partial(_read_metrics, params.classes, wanted))
    judge = partial(_read_predictions, params, list_seeds(project, params, name), data)
    read(f"scores/{name}/predictions.csv", judge)


def _read_metrics(
    classes: tuple[str, ...], split: str | None, path: Path, faults: list[str]
) -> None:
    """Read metrics.json, which is of this split and these classes."""
    metrics = read_document(path, Metrics, "")
    if metrics["classes"] != list(classes):
        faults.append("its classes are not those of params.yaml, in this order")
    if split and metrics["split"] != split:
        faults.append("it was made on another split.csv")
    if not isinstance(metrics["runs"], list) or not metrics["runs"]:
        faults.append("it has no runs")


def _read_predictions(
    params: Params, own: tuple[int, ...], data: Data, path: Path, faults: list[str]
) -> None:
    """Read predictions.csv: a row for each test tile of each fold and seed."""
    columns = [*COLUMNS["predictions"], *(f"p{number}" for number in range(len(params.classes)))]
    judge = partial(contents.judge_prediction, classes=params.classes)
    rows = [
        (int(row["fold"]), int(row["seed"]), row["id"], row["label"])
        for row in judge_lines(path, columns, judge, faults)
    ]
    found = Counter(row[:3] for row in rows)
    for fold, seed, name in (key for key, count in found.items() if count > 1):
        faults.append(f"{name} stands twice in fold {fold}, seed {seed}")
    if data.folds:
        expected = {
            (fold, seed, name)
            for fold, parts in data.folds.items()
            for name, part in parts.items()
            if part == "test"
            for seed in own
        }
        tests, seeds = len(expected) // len(own), len(own)
        if found.keys() != expected:
            lacking, strange = len(expected - found.keys()), len(found.keys() - expected)
            faults.append(
                f"{len(rows):,} rows, where {tests:,} test tiles and {seeds} seeds make "
                f"{len(expected):,} ({lacking:,} lacking, {strange:,} too many)"
            )
    if data.balanced:
        for _, _, name, label in rows:
            if name in data.balanced and data.balanced[name][0] != label:
                faults.append(f"{name}: label '{label}', in balanced.csv {data.balanced[name][0]}")
