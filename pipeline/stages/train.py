"""prep train: experiments/<name>.json -> runs/<name>/fold-<f>/seed-<n>/."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline import __version__, network
from pipeline.atomic import whole_folder
from pipeline.audit import find_leaks
from pipeline.console import progress, warn
from pipeline.errors import DataError
from pipeline.experiments import (
    Plan,
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
    """Train every fold and seed of each experiment (or of one); finished runs are kept."""
    names = choose_experiments(params, experiment)
    refuse_leaks(project, params)
    done = Counter(kept for name in names for kept in train_experiment(project, params, name))
    kept = f" ({done[True]} were finished already)" if done[True] else ""
    runs = done.total()
    steps = f"{params.train.steps:,} steps"
    return f"{runs} run{'s' * (runs != 1)} of {steps} in processed/runs{kept}"


def train_experiment(project: Project, params: Params, name: str) -> Iterator[bool]:
    """Bring each run of an experiment up to date; yield for each whether it was finished before."""
    plan = load_plan(project, name)
    folds, seeds, steps = read_folds(project, plan), params.train.seeds, params.train.steps
    remove_other_runs(project, name, [fold.number for fold in folds], seeds)
    with progress(f"training {name}", len(folds) * len(seeds) * steps) as advance:
        for fold in folds:
            pool: Pool | None = None
            for seed in seeds:
                folder = project.run_folder(name, fold.number, seed)
                inputs = digest_inputs(plan, params.train, fold.number, seed)
                kept = is_finished(folder, inputs)
                if not kept:
                    pool = pool or read_pool(project, plan, fold)
                    train_run(folder, params.train, pool, seed, inputs, advance)
                yield kept


def digest_inputs(plan: Plan, settings: Train, fold: int, seed: int) -> str:
    """Return a digest of everything that decides how a run ends, other than the machine."""
    budget = settings.model_dump(exclude={"seeds"})
    return hashlib.sha256(
        json.dumps([__version__, plan, budget, fold, seed], sort_keys=True).encode()
    ).hexdigest()


def is_finished(folder: Path, inputs: str) -> bool:
    """Return whether a run folder holds what these inputs make; it appears whole or not at all."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))["inputs"] == inputs
    except (OSError, ValueError, KeyError):
        return False


def remove_other_runs(project: Project, name: str, folds: list[int], seeds: Sequence[int]) -> None:
    """Throw away the runs of seeds and folds that are no longer asked for."""
    wanted = {project.run_folder(name, fold, seed) for fold in folds for seed in seeds}
    for folder in project.output("runs", name).glob("fold-*/seed-*"):
        if folder not in wanted:
            shutil.rmtree(folder)


def refuse_leaks(project: Project, params: Params) -> None:
    """Raise DataError when anything crosses the split."""
    leaks = find_leaks(project, params)
    if leaks:
        raise DataError("\n".join(["nothing is trained, because the split leaks:", *leaks]))


def train_run(
    folder: Path, settings: Train, pool: Pool, seed: int, inputs: str, advance: Callable[[], None]
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
        "inputs": inputs,
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
