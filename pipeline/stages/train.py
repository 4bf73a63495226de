"""prep train: experiments/<name>.json -> runs/<name>/fold-<f>/seed-<n>/."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pipeline.atomic import remove_at_once, remove_left_over, whole_folder
from pipeline.console import progress, warn
from pipeline.dataset.documents import Plan, Run, write_document
from pipeline.dataset.reading import Fold
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.errors import count_things
from pipeline.network import asking, backend, building, fitting, saving
from pipeline.network.checkpoints import read_checkpoint, write_checkpoint
from pipeline.project import Project
from pipeline.settings.params import Params, Train
from pipeline.training.models import build_model
from pipeline.training.plans import (
    choose_experiments,
    describe_budget,
    digest_inputs,
    load_plan,
    read_planned_folds,
    refuse_other_split,
)
from pipeline.training.pool import Pool, open_pool
from pipeline.training.runs import digest_files, read_run
from pipeline.training.schedule import Schedule


def train(project: Project, params: Params, experiment: str | None = None) -> str:
    """Train every fold and seed of each experiment (or of one); finished runs are kept."""
    names = choose_experiments(params, experiment)
    refuse_other_split(project)
    build = cache(
        partial(build_model, project.root, params.train)
    )  # TensorFlow never gives a model back
    done = Counter(
        kept for name in names for kept in _train_experiment(project, params, name, build)
    )
    kept = f" ({done[True]} finished before)" if done[True] else ""
    runs = done.total()
    by_epochs = params.train.budget == "epochs"
    length = f"{params.train.epochs:g} epochs" if by_epochs else f"{params.train.steps:,} steps"
    return f"{count_things(runs, 'run')} of {length} in processed/runs{kept}"


def _train_experiment(
    project: Project, params: Params, name: str, build: Callable[..., Any]
) -> Iterator[bool]:
    """Bring each run of an experiment up to date; yield for each whether it was finished before."""
    plan = load_plan(project, params, name)
    folds, seeds = read_planned_folds(project, plan), params.seeds_of(name)
    _remove_other_runs(project, name, [fold.number for fold in folds], seeds)
    for fold in folds:
        yield from _train_fold(project, params, plan, fold, build)


def _train_fold(
    project: Project, params: Params, plan: Plan, fold: Fold, build: Callable[..., Any]
) -> Iterator[bool]:
    """Bring each run of a fold up to date; yield for each whether it was finished before."""
    with ExitStack() as stack:
        pool: Pool | None = None
        for seed in params.seeds_of(plan["experiment"]):
            folder = project.run_folder(plan["experiment"], fold.number, seed)
            inputs = digest_inputs(plan, params.train, fold.number, seed)
            run = read_run(folder)
            kept = run is not None and run["inputs"] == inputs
            if not kept:
                pool = pool or stack.enter_context(open_pool(project, params, plan, fold))
                model, start = build(pool.tiles.images.shape[1:], len(pool.classes))
                building.restart(model, seed, start)
                name = f"{plan['experiment']}, fold {fold.number}, seed {seed}"
                _train_run(_Job(folder, name, seed, inputs), model, params.train, pool)
            _checkpoint_file(folder).unlink(missing_ok=True)
            yield kept


def _checkpoint_file(folder: Path) -> Path:
    """Return where the state of an unfinished run lies: beside the run's folder."""
    return folder.with_name(f".{folder.name}.npz")


def _remove_other_runs(project: Project, name: str, folds: list[int], seeds: Sequence[int]) -> None:
    """Throw away the runs that are no longer asked for, and what a killed training left behind."""
    wanted = [project.run_folder(name, fold, seed) for fold in folds for seed in seeds]
    kept = {*wanted, *map(_checkpoint_file, wanted)}
    for fold in project.output("runs", name).glob("fold-*"):
        remove_left_over(fold)
        for path in fold.iterdir():
            if path not in kept and not path.name.startswith(".part-"):  # another training's
                remove_at_once(path)


@dataclass(frozen=True)
class _Job:
    """One run that is to be trained."""

    folder: Path
    name: str  # as a person reads it
    seed: int
    inputs: str  # the digest that names it


def _train_run(job: _Job, model: Any, settings: Train, pool: Pool) -> None:
    """Train a restarted model on one fold's pool; write model.keras, history.csv, run.json."""
    history = _fit_run(job, model, settings, pool)
    if history.failed_step is not None:
        warn(
            f"{job.name} failed: the loss stopped being a number at step {history.failed_step}. "
            f"What it had learned by step {history.best_step} is kept and counts like the other "
            "runs."
        )
    with whole_folder(job.folder) as part:
        saving.save(model, part / "model.keras")
        write_table(part / "history.csv", COLUMNS["history"], map(_vars_of, history.rows))
        run = _describe_run(job, model, settings, pool, history, digest_files(part))
        write_document(part / "run.json", run)


def _describe_run(
    job: _Job,
    model: Any,
    settings: Train,
    pool: Pool,
    history: fitting.History,
    files: dict[str, str],
) -> Run:
    """Return run.json: what was trained, for how long, by which versions."""
    return {
        "inputs": job.inputs,
        "classes": pool.classes,
        "fold": pool.fold,
        "seed": job.seed,
        "steps": _count_steps(settings, pool),
        "budget": describe_budget(settings),
        "originals": pool.originals,
        "variants": pool.variants,
        "repeats": pool.repeats,
        "online": pool.fresh is not None,
        "best_step": history.best_step,
        "failed_step": history.failed_step,
        "seconds": round(history.seconds, 3),
        "parameters": asking.count_parameters(model),
        "summary": asking.summarise(model),
        "versions": backend.versions(),
        "files": files,
    }


def _fit_run(job: _Job, model: Any, settings: Train, pool: Pool) -> fitting.History:
    """Train a model that was restarted with the seed, from the run's checkpoint if it has one."""
    added = len(pool) - pool.originals
    steps = _count_steps(settings, pool)
    order = Schedule(job.seed, pool.originals, added, steps, settings.batch_size)
    place = _checkpoint_file(job.folder)
    resume = read_checkpoint(place, job.inputs)
    chosen = pool.validation
    with progress(f"training {job.name}", order.steps - (resume.step if resume else 0)) as advance:
        return fitting.fit(
            model,
            lambda step: pool.take(order[step], order.passes(step), job.seed),
            steps=order.steps,
            validate_every=settings.validate_every,
            validation=(chosen.images, chosen.labels) if chosen else None,
            on_step=lambda _: advance(),
            resume=resume,
            on_checkpoint=lambda state: write_checkpoint(place, state, job.inputs),
        )


def _count_steps(settings: Train, pool: Pool) -> int:
    """Return how many steps a run takes: the same for all, or as many epochs (then rounded up)."""
    if settings.epochs is None:
        return settings.steps
    return math.ceil(settings.epochs * len(pool) / settings.batch_size)


def _vars_of(row: fitting.Row) -> dict[str, object]:
    """Return a row of history.csv."""
    return dict(zip(COLUMNS["history"], row, strict=True))
