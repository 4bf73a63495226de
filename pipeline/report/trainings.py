"""Section 5: the trainings - the model, the curves of every run, time and speed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.documents import Budget, check_document, read_document
from pipeline.dataset.documents import Run as RunDocument
from pipeline.dataset.tables import COLUMNS, read_numbers
from pipeline.project import Project
from pipeline.report.charts import Curve, LineChart, draw_curves, find_limits
from pipeline.settings.params import Params
from pipeline.verdicts.wording import write_percent

# Title of a chart: the columns of history.csv in it, and what its lines are called.
CHARTS = {
    "loss": {"loss": "training", "val_loss": "validation"},
    "accuracy": {"accuracy": "training", "val_accuracy": "validation"},
}

_OVERFIT = 0.05  # by how much training accuracy lies above validation accuracy to be called so


@dataclass(frozen=True)
class Run:
    """One training: run.json and the columns of history.csv."""

    about: RunDocument
    history: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Trained:
    """The trainings of one experiment."""

    experiment: str
    runs: int
    tiles: int  # that each run was trained on
    steps: int
    seconds: float  # mean of a run
    speed: float  # pictures a second
    lowest_loss: str  # the steps at which the runs' validation loss was lowest
    at_end: tuple[float, float]  # mean accuracy of training and validation at the last step
    failed: int
    charts: list[LineChart]


def show_training(project: Project, params: Params) -> dict[str, object]:
    """Return the model's summary, the trainings of each experiment, and who has none."""
    runs = {name: read_runs(project, name) for name in params.experiments}
    there = {name: some for name, some in runs.items() if some}
    everything = [run for some in there.values() for run in some]
    limits = {chart: limit(everything, columns) for chart, columns in CHARTS.items()}
    steps = max((run.about["steps"] for run in everything), default=1)
    return {
        "gist": _say_briefly(everything),
        "hint": _hint_at_steps(everything),
        "missing": [name for name in runs if name not in there],
        "summary": everything[0].about["summary"] if everything else "",
        "model": everything[0].about["budget"]["model"] if everything else "",
        "parameters": everything[0].about["parameters"] if everything else 0,
        "experiments": [_summarise(name, some, limits, steps) for name, some in there.items()],
    }


def _say_briefly(runs: list[Run]) -> str:
    """Return the model, its size, and how many runs there are."""
    if not runs:
        return "no run yet"
    about = runs[0].about
    return f"{about['budget']['model']}, {about['parameters']:,} parameters, {len(runs):,} runs"


def _hint_at_steps(runs: list[Run]) -> str:
    """Return whether more steps would help, or the runs overfit; '' where nothing can be said."""
    validated = [run for run in runs if np.isfinite(run.history["val_loss"]).sum() > 1]
    last = [run for run in validated if _is_best_at_end(run.history["val_loss"])]
    early, steps = len(validated) - len(last), f"{runs[0].about['steps']:,}" if runs else ""
    if len(last) > early:
        return (
            f"{len(last)} of {len(runs)} runs had their lowest validation loss at the end: more "
            f"steps may help all of them (train.steps in params.yaml, now {steps})."
        )
    ends = _average_end(runs, "accuracy"), _average_end(runs, "val_accuracy")
    if early <= len(last) or not ends[0] - ends[1] > _OVERFIT:
        return ""
    return (
        f"The networks overfit: in {early} of {len(runs)} runs the validation loss rose again "
        f"before the end, and of the training pictures {write_percent(ends[0])} % are right, of "
        f"those for validation {write_percent(ends[1])} %. More steps are not likely to help."
    )


def _is_best_at_end(losses: npt.NDArray[np.float64]) -> bool:
    known = losses[np.isfinite(losses)]
    return bool(known.argmin() == len(known) - 1)


def find_lowest(run: Run) -> int | None:
    """Return the step at which a run's validation loss was lowest; None where it has none."""
    losses = run.history["val_loss"]
    return int(run.history["step"][np.nanargmin(losses)]) if np.isfinite(losses).any() else None


def _write_range(steps: list[int]) -> str:
    if not steps:
        return "–"
    low, high = min(steps), max(steps)
    return f"{low:,} to {high:,}" if low < high else f"{low:,}"


def _average_end(runs: list[Run], column: str) -> float:
    """Return the mean over the runs of the last value that is known, NaN where none is."""
    known = [values[np.isfinite(values)] for values in (run.history[column] for run in runs)]
    last = [float(values[-1]) for values in known if len(values)]
    return float(np.mean(last)) if last else float("nan")


def read_runs(project: Project, name: str) -> list[Run]:
    """Return the finished trainings of an experiment, by fold and seed."""
    folders = [path.parent for path in project.output("runs", name).glob("fold-*/seed-*/run.json")]
    runs = [_read_run(project, folder) for folder in folders]
    return sorted(runs, key=lambda run: (run.about["fold"], run.about["seed"]))


def _read_run(project: Project, folder: Path) -> Run:
    """Return one training."""
    file = project.require(folder / "run.json")
    again = "Train again with: prep train"
    about = read_document(file, RunDocument, again)
    check_document(file, about["budget"], Budget, again)
    return Run(about, read_numbers(project.require(folder / "history.csv"), COLUMNS["history"]))


def limit(runs: list[Run], columns: dict[str, str]) -> tuple[float, float]:
    """Return the limits of a chart's axis, the same for every experiment."""
    values = [run.history[column] for run in runs for column in columns]
    return find_limits(np.concatenate(values)) if values else (0.0, 1.0)


def _summarise(
    name: str, runs: list[Run], limits: dict[str, tuple[float, float]], steps: int
) -> _Trained:
    """Return what is to be seen of one experiment's trainings; charts run to `steps`."""
    first = runs[0].about
    seconds = float(np.mean([run.about["seconds"] for run in runs]))
    lowest = [step for run in runs if (step := find_lowest(run)) is not None]
    charts = [
        draw_curves(
            title,
            {kind: curves(runs, column) for column, kind in columns.items()},
            (0, steps),
            limits[title],
        )
        for title, columns in CHARTS.items()
    ]
    return _Trained(
        experiment=name,
        runs=len(runs),
        tiles=first["originals"] + first["variants"],
        steps=first["steps"],
        seconds=seconds,
        speed=first["steps"] * first["budget"]["batch_size"] / max(seconds, 1e-9),
        lowest_loss=_write_range(lowest),
        at_end=(_average_end(runs, "accuracy"), _average_end(runs, "val_accuracy")),
        failed=sum(run.about["failed_step"] is not None for run in runs),
        charts=charts,
    )


def curves(runs: list[Run], column: str) -> list[Curve]:
    """Return a column of history.csv over the steps, a curve each run."""
    found = [(run.history["step"], run.history[column]) for run in runs]
    return [(steps, values) for steps, values in found if np.isfinite(values).any()]
