"""prep train: experiments/<name>.json -> runs/<name>/fold-<f>/seed-<n>/."""

import json
from dataclasses import asdict
from pathlib import Path

from pipeline import network, schedule
from pipeline.atomic import whole_folder
from pipeline.console import track
from pipeline.experiments import (
    Fold,
    Tiles,
    choose_experiments,
    load_plan,
    read_folds,
    read_tiles,
    read_training_tiles,
)
from pipeline.params import Params, Train
from pipeline.project import Project
from pipeline.tables import COLUMNS, write_table

NO_RUN_YET = "run.json"


def train(project: Project, params: Params, experiment: str | None = None) -> str:
    """Train every fold and seed of each experiment (or of one)."""
    names = choose_experiments(params, experiment)
    seeds, steps = params.train.seeds, params.train.steps
    runs = 0
    for name in names:
        plan = load_plan(project, name)
        folds = read_folds(project, plan)
        with progress(f"training {name}", len(folds) * len(seeds) * steps) as advance:
            for fold in folds:
                pool, originals = read_training_tiles(project, plan, fold)
                validation = read_tiles(project, plan, fold.ids["val"])
                for seed in seeds:
                    folder = project.run_folder(name, fold.number, seed)
                    train_run(folder, params, pool, originals, validation, seed, advance)
                    runs += 1
    return f"{runs} run{'s' * (runs != 1)} of {steps:,} steps in processed/runs"


def train_run(
    folder: Path,
    params: Params,
    pool: Tiles,
    originals: int,
    validation: Tiles,
    seed: int,
    advance: Callable[[], None],
) -> None:
    """Train one seed on one fold and write model.keras, history.csv and run.json."""
    settings = params.train
    variants = len(pool) - originals
    order = schedule.Schedule(seed, originals, variants, settings.batch_size)
    model = network.build(
        settings.model,
        pool.images.shape[1:],
        len(params.classes),
        learning_rate=settings.learning_rate,
        seed=seed,
    )
    history = network.fit(
        model,
        lambda step: (pool.images[order.batch(step)], pool.labels[order.batch(step)]),
        steps=settings.steps,
        validation=(validation.images, validation.labels) if len(validation) else None,
        validate_every=settings.validate_every,
        on_step=lambda _: advance(),
    )
