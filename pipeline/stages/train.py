"""prep train: experiments/<name>.json -> runs/<name>/fold-<f>/seed-<n>/."""

import json
from collections.abc import Callable
from pathlib import Path

from pipeline import network
from pipeline.atomic import whole_folder
from pipeline.audit import find_leaks
from pipeline.console import progress, warn
from pipeline.errors import DataError
from pipeline.experiments import (
    Pool,
    choose_experiments,
    load_plan,
    read_folds,
    read_pool,
)
from pipeline.params import Params, Train
from pipeline.project import Project
from pipeline.schedule import Schedule
from pipeline.tables import COLUMNS, write_table


def train(project: Project, params: Params, experiment: str | None = None) -> str:
    """Train every fold and seed of each experiment (or of one)."""
    names = choose_experiments(params, experiment)
    refuse_leaks(project, params)
    seeds, steps = params.train.seeds, params.train.steps
    runs = 0
    for name in names:
        plan = load_plan(project, name)
        folds = read_folds(project, plan)
        with progress(f"training {name}", len(folds) * len(seeds) * steps) as advance:
            for fold in folds:
                pool = read_pool(project, plan, fold)
                for seed in seeds:
                    folder = project.run_folder(name, fold.number, seed)
                    train_run(folder, params.train, pool, seed, advance)
                    runs += 1
    return f"{runs} run{'s' * (runs != 1)} of {steps:,} steps in processed/runs"


def refuse_leaks(project: Project, params: Params) -> None:
    """Raise DataError when anything crosses the split."""
    leaks = find_leaks(project, params)
    if leaks:
        raise DataError("\n".join(["nothing is trained, because the split leaks:", *leaks]))


def train_run(
    folder: Path, settings: Train, pool: Pool, seed: int, advance: Callable[[], None]
) -> None:
    """Train one seed on one fold's pool; write model.keras, history.csv and run.json."""
    model = network.build(
        settings.model,
        pool.tiles.images.shape[1:],
        len(pool.classes),
        seed=seed,
        learning_rate=settings.learning_rate,
    )
    order = Schedule(seed, pool.originals, pool.variants, settings.steps, settings.batch_size)
    history = network.fit(
        model,
        lambda step: (pool.tiles.images[order[step]], pool.tiles.labels[order[step]]),
        steps=settings.steps,
        validate_every=settings.validate_every,
        validation=(pool.validation.images, pool.validation.labels) if pool.validation else None,
        on_step=lambda _: advance(),
    )
    if history.failed_step is not None:
        warn(f"{folder}: the loss stopped being a number at step {history.failed_step}")
    run = {
        "fold": pool.fold,
        "seed": seed,
        "steps": settings.steps,
        "budget": settings.model_dump(exclude={"seeds"}),
        "originals": pool.originals,
        "variants": pool.variants,
        "best_step": history.best_step,
        "failed_step": history.failed_step,
        "seconds": round(history.seconds, 3),
        "parameters": network.count_parameters(model),
        "summary": network.summarise(model),
        "versions": network.versions(),
    }
    with whole_folder(folder) as part:
        network.save(model, part / "model.keras")
        write_table(part / "history.csv", COLUMNS["history"], map(vars_of, history.rows))
        text = json.dumps(run, indent=2, ensure_ascii=False)
        (part / "run.json").write_text(text + "\n", encoding="utf-8")


def vars_of(row: network.Row) -> dict[str, object]:
    """Return a row of history.csv."""
    return dict(zip(COLUMNS["history"], row, strict=True))
