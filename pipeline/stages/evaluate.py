"""prep evaluate: runs/<name>/ -> scores/<name>/: predictions.csv, metrics.json."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from pipeline import network
from pipeline.atomic import whole_file
from pipeline.console import track
from pipeline.experiments import Fold, Tiles, choose_experiments, load_plan, read_folds, read_tiles
from pipeline.params import Params
from pipeline.project import Project
from pipeline.scores import choose_classes, score_run
from pipeline.tables import COLUMNS, write_table


@dataclass(frozen=True)
class Tested:
    """What one run said of its fold's test set."""

    fold: int
    seed: int
    test: Tiles
    probabilities: npt.NDArray[np.float32]  # (N, K)
    run: dict[str, object]  # run.json


def evaluate(project: Project, params: Params, experiment: str | None = None) -> str:
    """Test every run of each experiment (or of one) on the test set of its fold."""
    names = choose_experiments(params, experiment)
    runs = 0
    for name in names:
        plan = load_plan(project, name)
        tested = [
            predict_run(project, name, fold, seed, test)
            for fold in track(read_folds(project, plan), f"evaluating {name}")
            for test in [read_tiles(project, plan, fold.ids["test"])]
            for seed in params.train.seeds
        ]
        write_predictions(project, name, params.classes, tested)
        write_metrics(project, name, params.classes, plan["split"]["sha256"], tested)
        runs += len(tested)
    return f"{runs} run{'s' * (runs != 1)} scored in processed/scores"


def predict_run(project: Project, name: str, fold: Fold, seed: int, test: Tiles) -> Tested:
    """Let one run's model predict the test tiles."""
    folder = project.require(project.run_folder(name, fold.number, seed))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    model = network.load(folder / "model.keras")
    return Tested(fold.number, seed, test, network.predict(model, test.images), run)


def write_predictions(
    project: Project, name: str, classes: tuple[str, ...], tested: list[Tested]
) -> None:
    """Write a row for each run and test tile, with a probability for each class."""
    columns = [*COLUMNS["predictions"], *(f"p{number}" for number in range(len(classes)))]
    rows = (row for run in tested for row in prediction_rows(run, classes))
    write_table(project.output("scores", name, "predictions.csv"), columns, rows)


def prediction_rows(run: Tested, classes: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Yield the rows of predictions.csv of one run."""
    predicted = choose_classes(run.probabilities)
    for row, tile_id in enumerate(run.test.ids):
        yield {
            "id": tile_id,
            "fold": run.fold,
            "seed": run.seed,
            "label": classes[run.test.labels[row]],
            "predicted": classes[predicted[row]],
            **{f"p{number}": f"{p:.6f}" for number, p in enumerate(run.probabilities[row])},
        }


def write_metrics(
    project: Project,
    name: str,
    classes: tuple[str, ...],
    split_digest: str,
    tested: list[Tested],
) -> None:
    """Write the scores of every run, with what its training said of itself."""
    content = {
        "experiment": name,
        "classes": classes,
        "split": split_digest,
        "budget": tested[0].run["budget"],
        "runs": [
            run.run
            | asdict(score_run(run.test.labels, choose_classes(run.probabilities), len(classes)))
            for run in tested
        ],
    }
    with whole_file(project.output("scores", name, "metrics.json")) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
