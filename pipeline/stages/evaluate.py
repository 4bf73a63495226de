"""prep evaluate: runs/<name>/ -> scores/<name>/: predictions.csv, metrics.json."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import console
from pipeline.console import track
from pipeline.dataset.documents import Metrics, Plan, Run, write_document
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake.outside import Outside, read_outside, rename_classes
from pipeline.network import asking, backend, saving
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.plans import (
    choose_experiments,
    digest_inputs,
    load_plan,
    read_lineage,
    read_planned_folds,
)
from pipeline.training.pool import Tiles, open_set
from pipeline.training.runs import read_run
from pipeline.verdicts.scores import Score, choose_classes, score_run


@dataclass(frozen=True)
class _Tested:
    """What one run said of its fold's test set."""

    ids: npt.NDArray[np.object_]  # (N,)
    labels: npt.NDArray[np.int16]  # (N,)
    probabilities: npt.NDArray[np.float32]  # (N, K)
    run: Run


def evaluate(
    project: Project,
    params: Params,
    experiment: str | None = None,
    on: Path | None = None,
    model: Path | None = None,
) -> str:
    """Test every run of each experiment (or of one) on the test set of its fold.

    With `on` the runs, or the model of one file, are tested on tiles from elsewhere; then the
    scores are printed and nothing is written.
    """
    if model and not on:
        raise DataError("--model needs --on: the tiles that it is tested on")
    if model and experiment:
        raise DataError("--model tests that file, --experiment its runs: leave one of them out")
    if on:
        return _evaluate_elsewhere(project, params, experiment, on, model)
    names = choose_experiments(params, experiment)
    split = read_lineage(project)["split"]
    runs = 0
    for name in names:
        plan = load_plan(project, params, name)
        tested = list(_predict_runs(project, params, name, plan))
        _write_predictions(project, name, params.classes, tested)
        _write_metrics(project, name, params.classes, split, tested)
        runs += len(tested)
    return f"{count_things(runs, 'run')} scored in processed/scores"


def _predict_runs(project: Project, params: Params, name: str, plan: Plan) -> Iterator[_Tested]:
    """Yield what each run of an experiment says of its fold's test set."""
    for fold in track(read_planned_folds(project, plan), f"evaluating {name}"):
        with open_set(project, fold.ids["test"], params.train.memory_mb) as test:
            for seed in params.seeds_of(name):
                folder = project.require(project.run_folder(name, fold.number, seed))
                inputs = digest_inputs(plan, params.train, fold.number, seed)
                yield _predict_run(project, name, folder, test, inputs)


def _predict_run(project: Project, name: str, folder: Path, test: Tiles, inputs: str) -> _Tested:
    """Let one run's model predict the test tiles; DataError when it had other inputs than these.

    A run of another split may have been trained on what is now the test set.
    """
    run = read_run(folder)
    if run is None or run["inputs"] != inputs:
        what = "was trained on other data or with other settings" if run else "is damaged"
        raise DataError(
            f"{project.relative(folder)} {what}. Train again with: prep train --experiment {name}"
        )
    model = saving.load(folder / "model.keras")
    probabilities = asking.predict(model, test.images)
    # A model that diverged may have no number for some picture: it tells no class from another.
    unknown = ~np.isfinite(probabilities).all(axis=1)
    probabilities[unknown] = 1 / probabilities.shape[1]
    return _Tested(test.ids, test.labels, probabilities, run)


def _evaluate_elsewhere(
    project: Project, params: Params, experiment: str | None, on: Path, model: Path | None
) -> str:
    """Print accuracy and each class's recall on other tiles, mean and spread over the runs."""
    tiles = rename_classes(read_outside(on, "test"), params.classes, on)
    if not len(tiles.labels):
        raise DataError(f"{on} has no labelled test tiles")
    found = (
        {str(model): [model]}
        if model
        else {name: _find_models(project, name) for name in choose_experiments(params, experiment)}
    )
    rows = []
    for name, files in found.items():
        scores = [_score_elsewhere(file, tiles) for file in track(files, f"evaluating {name}")]
        recalls = [[s.classes[k].recall for s in scores] for k in range(len(params.classes))]
        accuracies = [score.accuracy for score in scores]
        shares: list[Sequence[float | None]] = [accuracies, *recalls]
        rows.append([name, str(len(scores)), *map(_tell_mean, shares)])
    columns = ["experiment", "runs", "accuracy", *params.classes]
    console.show(f"Accuracy and recall by class (%) on {on}", columns, rows)
    return f"{len(tiles.labels):,} test tiles of {on}, nothing written"


def _find_models(project: Project, name: str) -> list[Path]:
    """Return the models of an experiment's runs."""
    project.input("runs", name)
    return sorted(project.output("runs", name).glob("fold-*/seed-*/model.keras"))


def _score_elsewhere(file: Path, tiles: Outside) -> Score:
    """Return the score of one model file on other tiles."""
    backend.make_deterministic(0)  # forgets the model before
    model = saving.load(file)
    shape = tiles.images.shape[1:]
    saving.check_fit(model, (shape[0], shape[1], shape[2]), len(tiles.classes), str(file))
    predicted = choose_classes(asking.predict(model, tiles.images))
    return score_run(tiles.labels, predicted, len(tiles.classes))


def _tell_mean(shares: Sequence[float | None]) -> str:
    """Return mean and standard deviation in per cent; a dash where no tile is of the class."""
    known = [100 * share for share in shares if share is not None]
    if not known:
        return "–"
    spread = f" ± {np.std(known, ddof=1):.2f}" if len(known) > 1 else ""
    return f"{np.mean(known):.2f}{spread}"


def _write_predictions(
    project: Project, name: str, classes: tuple[str, ...], tested: list[_Tested]
) -> None:
    """Write a row for each run and test tile, with a probability for each class."""
    columns = [*COLUMNS["predictions"], *(f"p{number}" for number in range(len(classes)))]
    rows = (row for run in tested for row in _prediction_rows(run, classes))
    write_table(project.output("scores", name, "predictions.csv"), columns, rows)


def _prediction_rows(run: _Tested, classes: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Yield the rows of predictions.csv of one run."""
    predicted = choose_classes(run.probabilities)
    for row, tile_id in enumerate(run.ids):
        yield {
            "id": tile_id,
            "fold": run.run["fold"],
            "seed": run.run["seed"],
            "label": classes[run.labels[row]],
            "predicted": classes[predicted[row]],
            **{f"p{number}": f"{p:.6f}" for number, p in enumerate(run.probabilities[row])},
        }


def _write_metrics(
    project: Project,
    name: str,
    classes: tuple[str, ...],
    split_digest: str,
    tested: list[_Tested],
) -> None:
    """Write the scores of every run, with what its training said of itself."""
    content: Metrics = {
        "experiment": name,
        "classes": list(classes),
        "split": split_digest,
        "budget": tested[0].run["budget"],
        "runs": [
            {**run.run, **asdict(score_run(run.labels, _choose(run), len(classes)))}
            for run in tested
        ],
    }
    write_document(project.output("scores", name, "metrics.json"), content)


def _choose(run: _Tested) -> npt.NDArray[np.integer]:
    return choose_classes(run.probabilities)
