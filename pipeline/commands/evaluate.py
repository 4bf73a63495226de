"""prep evaluate: the finished runs, tested again, or on tiles from elsewhere."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline import console
from pipeline.console import track
from pipeline.dataset.predictions import choose_classes
from pipeline.errors import DataError, count_things
from pipeline.intake.outside import Outside, read_outside, rename_classes
from pipeline.network import asking, backend, probing, saving
from pipeline.project import Project
from pipeline.report.evaluation import Answers, write_evaluation
from pipeline.settings.params import Params
from pipeline.training.looks import list_seeds
from pipeline.training.plans import choose_experiments, load_plan, read_lineage
from pipeline.training.runs import list_tasks
from pipeline.training.worker import Worker
from pipeline.verdicts.results import write_scores
from pipeline.verdicts.scores import score_run


def evaluate(
    project: Project,
    params: Params,
    experiment: str | None = None,
    on: Path | None = None,
    model: Path | None = None,
    page: Path | None = None,
) -> str:
    """Test every run of each experiment (or of one) on the test set of its fold.

    With `on` the runs, or the model of one file, are tested on tiles from elsewhere; then the
    scores are printed, and with `page` which tiles are wrong is written to that file.
    """
    if page and not on:
        raise DataError("--page needs --on: the tiles that it shows (prep report shows your own)")
    if model and not on:
        raise DataError("--model needs --on: the tiles that it is tested on")
    if model and experiment:
        raise DataError("--model tests that file, --experiment its runs: leave one of them out")
    if on:
        return _evaluate_elsewhere(project, params, experiment, on, model, page)
    lineage = read_lineage(project)
    runs = 0
    with closing(Worker(project, params, params.train.memory_mb, trains=False)) as worker:
        for name in choose_experiments(params, experiment):
            plan = load_plan(project, params, name)
            tasks = list_tasks(plan, list_seeds(project, params, name))
            outcomes = [worker(task) for task in track(tasks, f"evaluating {name}")]
            tested = [outcome.tested for outcome in outcomes if outcome.tested]
            if len(tested) < len(tasks):
                raise DataError(next(one.failure for one in outcomes if one.failure))
            write_scores(project, name, params.classes, lineage, tested)
            runs += len(tested)
    return f"{count_things(runs, 'run')} scored in processed/scores"


def _evaluate_elsewhere(
    project: Project,
    params: Params,
    experiment: str | None,
    on: Path,
    model: Path | None,
    page: Path | None,
) -> str:
    """Print accuracy and each class's recall on other tiles, mean and spread over the runs."""
    tiles = rename_classes(read_outside(on, "test"), params.classes, on)
    if not len(tiles.labels):
        raise DataError(f"{on} has no labelled test tiles")
    names = choose_experiments(params, experiment)
    found = (
        {str(model): [model]} if model else {name: _find_models(project, name) for name in names}
    )
    answers = {
        name: [_ask(file, tiles) for file in track(files, f"evaluating {name}")]
        for name, files in found.items()
    }
    rows = []
    for name, asked in answers.items():
        scores = [score_run(tiles.labels, said, len(params.classes)) for said, _ in asked]
        recalls = [[s.classes[k].recall for s in scores] for k in range(len(params.classes))]
        shares: list[Sequence[float | None]] = [[s.accuracy for s in scores], *recalls]
        rows.append([name, str(len(scores)), *map(_tell_mean, shares)])
    columns = ["experiment", "runs", "accuracy", *params.classes]
    console.show(f"Accuracy and recall by class (%) on {on}", columns, rows)
    if page is None:
        return f"{len(tiles.labels):,} test tiles of {on}, nothing written"
    controls = {name: None if model else params.control_of(name) for name in found}
    write_evaluation(page, on, tiles, answers, controls, params.report.gallery)
    return f"{len(tiles.labels):,} test tiles of {on}; {page}, to be opened in a browser"


def _find_models(project: Project, name: str) -> list[Path]:
    """Return the models of an experiment's runs."""
    folder = project.input("runs", name)
    return [project.require(path) for path in sorted(folder.glob("fold-*/seed-*/model.keras"))]


def _ask(file: Path, tiles: Outside) -> Answers:
    """Return the classes that a model file gives other tiles, and how sure it is of them, (N,)."""
    backend.make_deterministic(0)  # forgets the model before
    model = saving.load(file)
    shape = tiles.images.shape[1:]
    saving.check_fit(model, (shape[0], shape[1], shape[2]), len(tiles.classes), str(file))
    probing.check_file(model, file)
    probabilities = asking.predict(model, tiles.images)
    return choose_classes(probabilities), probabilities.max(axis=1)


def _tell_mean(shares: Sequence[float | None]) -> str:
    """Return mean and standard deviation in per cent; a dash where no tile is of the class."""
    known = [100 * share for share in shares if share is not None]
    if not known:
        return "–"
    spread = f" ± {np.std(known, ddof=1):.2f}" if len(known) > 1 else ""
    return f"{np.mean(known):.2f}{spread}"
