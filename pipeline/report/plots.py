"""The tables behind `dvc plots show`, in processed/report/plots/."""

from pathlib import Path

from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.project import Project
from pipeline.report.charts import average
from pipeline.report.trainings import curves, read_runs
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import ALL
from pipeline.verdicts.results import Ablation


def write_plots(folder: Path, project: Project, params: Params, ablation: Ablation | None) -> None:
    """Write each experiment's accuracy, its mean curves, and what it took for what."""
    for name in params.experiments:
        _write_curves(folder / "curves" / f"{name}.csv", project, name)
    if ablation:
        _write_accuracy(folder / "accuracy.csv", ablation)
        for arm in ablation.arms:
            pairs = (
                {"label": params.classes[label], "predicted": params.classes[predicted]}
                for row in arm.predicted
                for label, predicted in zip(ablation.labels, row, strict=True)
            )
            write_table(folder / "confusion" / f"{arm.name}.csv", ("label", "predicted"), pairs)


def _write_accuracy(path: Path, ablation: Ablation) -> None:
    """Write the mean accuracy of each experiment."""
    rows = (
        {"experiment": result.experiment, "accuracy": result.mean}
        for result in ablation.results
        if result.label == ALL
    )
    write_table(path, ("experiment", "accuracy"), rows)


def _write_curves(path: Path, project: Project, name: str) -> None:
    """Write the columns of history.csv as means over an experiment's runs; nothing without runs."""
    runs = read_runs(project, name)
    rows: dict[float, dict[str, object]] = {}
    for column in COLUMNS["history"][1:]:
        found = curves(runs, column)
        for step, value in zip(*average(found), strict=True) if found else ():
            rows.setdefault(step, {"step": int(step)})[column] = value
    if rows:
        write_table(path, COLUMNS["history"], (rows[step] for step in sorted(rows)))
