"""One run after the other: trained where it is not yet, and asked for its test set.

This is the work of one process. It keeps its model, and the data of the fold that it is at, from
run to run. It prints nothing: what there is to say is in the outcome of each run.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from pipeline.atomic import whole_folder
from pipeline.dataset.documents import Plan, Run, write_document
from pipeline.dataset.predictions import Tested
from pipeline.dataset.reading import Fold
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.errors import DataError, UnusableFileError
from pipeline.network import asking, backend, building, fitting, saving
from pipeline.network.backend import list_exhaustions
from pipeline.network.checkpoints import read_checkpoint, write_checkpoint
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.sections import Train
from pipeline.training.models import build_model
from pipeline.training.plans import (
    PLAN_AGAIN,
    describe_budget,
    digest_inputs,
    load_plan,
    read_planned_folds,
)
from pipeline.training.pool import Pool, Tiles, open_pool, open_set
from pipeline.training.runs import Task, digest_files, read_run
from pipeline.training.schedule import Schedule

Content = TypeVar("Content")
A_RUN = 1000  # that a run counts for in what is told of the progress
OUT_OF_MEMORY = "there was not enough memory: try with --jobs 1, or a smaller train.batch_size"
FOR_TRAINING = 0.75  # of a process's memory for tiles; the rest is for the test set


@dataclass(frozen=True)
class Outcome:
    """What became of a task: what the run says of its test set, or why there is no such run.

    `note`: what to tell of a run that is finished.
    """

    task: Task
    tested: Tested | None
    note: str = ""
    failure: str = ""


class _Open(Generic[Content]):
    """Something that is open until it is closed, and which it is."""

    def __init__(self, key: tuple[str, int], opened: AbstractContextManager[Content]) -> None:
        self.key, self._stack = key, ExitStack()
        self.content = self._stack.enter_context(opened)

    def close(self) -> None:
        self._stack.close()


class Worker:
    """Brings runs up to date, one a call. Until its first call it can be pickled.

    `memory_mb`: 10^6 bytes of tiles that it may hold in memory. `on_progress` is told how much more
    is done of what has to be trained, in thousandths of a run. `trains`: whether it trains what is
    not finished, or refuses it.
    """

    def __init__(
        self,
        project: Project,
        params: Params,
        memory_mb: int,
        on_progress: Callable[[int], None] = lambda _: None,
        trains: bool = True,
    ) -> None:
        self.project, self.params, self.memory_mb = project, params, memory_mb
        self.on_progress, self.trains = on_progress, trains
        self._plan: tuple[str, Plan, list[Fold]] | None = None
        self._model: tuple[tuple[int, ...], Any, list[backend.Weights]] | None = None
        self._pool: _Open[Pool] | None = None
        self._test: _Open[Tiles] | None = None

    def __call__(self, task: Task) -> Outcome:
        """Bring a run up to date. That this one can't be is no reason not to try the others."""
        try:
            return self._bring(task)
        except DataError as error:
            return Outcome(task, None, failure=str(error))
        except list_exhaustions():
            return Outcome(task, None, failure=OUT_OF_MEMORY)

    def close(self) -> None:
        """Let go of the files that are open."""
        for opened in (self._pool, self._test):
            if opened:
                opened.close()
        self._pool = self._test = None

    def _bring(self, task: Task) -> Outcome:
        plan, fold = self._find_plan(task)
        inputs = digest_inputs(plan, self.params.train, task.fold, task.seed)
        folder = self.project.run_folder(task.experiment, task.fold, task.seed)
        run, note = self._read_run(folder), ""
        if run is not None and run["inputs"] == inputs:
            model = saving.load(folder / "model.keras")
        elif self.trains:
            model, run, note = self._train(task, plan, fold, inputs)
        else:
            self.project.require(folder / "run.json")
            raise DataError(
                f"{self.project.relative(folder)} was trained on other data or with other "
                f"settings. Train again with: prep train --experiment {task.experiment}"
            )
        return Outcome(task, self._ask(task, fold, model, run), note)

    def _read_run(self, folder: Path) -> Run | None:
        try:
            return read_run(self.project, folder)
        except UnusableFileError:
            if self.trains:  # it is told where the tasks are gathered
                return None
            raise

    def _find_plan(self, task: Task) -> tuple[Plan, Fold]:
        if self._plan is None or self._plan[0] != task.experiment:
            plan = load_plan(self.project, self.params, task.experiment)
            self._plan = (task.experiment, plan, read_planned_folds(self.project, plan))
        _, plan, folds = self._plan
        fold = next((fold for fold in folds if fold.number == task.fold), None)
        if fold is None:
            raise DataError(f"processed/split.csv has no fold {task.fold}. {PLAN_AGAIN}")
        return plan, fold

    def _train(self, task: Task, plan: Plan, fold: Fold, inputs: str) -> tuple[Any, Run, str]:
        """Train a run and write its folder; return its model, its run.json, and what to tell."""
        place = (task.experiment, task.fold)
        settings = self.params.train
        if self._pool is None or self._pool.key != place:
            self.close()
            memory = self.memory_mb * FOR_TRAINING
            self._pool = _Open(place, open_pool(self.project, self.params, plan, fold, memory))
        pool = self._pool.content
        shape = (*pool.tiles.images.shape[1:], len(pool.classes))
        if self._model is None or self._model[0] != shape:
            # Built once: TensorFlow never gives a model back.
            built = build_model(self.project.root, settings, shape[:3], shape[3])
            self._model = (shape, *built)
        _, model, start = self._model
        building.restart(model, task.seed, start)
        folder = self.project.run_folder(task.experiment, task.fold, task.seed)
        history = self._fit(task, find_checkpoint(folder), model, pool, inputs)
        with whole_folder(folder) as part:
            saving.save(model, part / "model.keras")
            rows = (dict(zip(COLUMNS["history"], row, strict=True)) for row in history.rows)
            write_table(part / "history.csv", COLUMNS["history"], rows)
            run = _describe_run(task, settings, model, pool, history, inputs, digest_files(part))
            write_document(part / "run.json", run)
        find_checkpoint(folder).unlink(missing_ok=True)
        return model, run, _tell_failure(task, history)

    def _fit(self, task: Task, place: Path, model: Any, pool: Pool, inputs: str) -> fitting.History:
        """Train a model that was restarted with the seed, from the run's checkpoint if there is."""
        settings = self.params.train
        steps = count_steps(settings, len(pool))
        added = len(pool) - pool.originals
        order = Schedule(task.seed, pool.originals, added, steps, settings.batch_size)
        resume = read_checkpoint(place, inputs)
        chosen = pool.validation
        told = 0

        def tell(step: int) -> None:
            nonlocal told
            self.on_progress(A_RUN * step // steps - told)
            told = A_RUN * step // steps

        tell(resume.step if resume else 0)
        history = fitting.fit(
            model,
            lambda step: pool.take(order[step], order.passes(step), task.seed),
            steps=order.steps,
            validate_every=settings.validate_every,
            validation=(chosen.images, chosen.labels) if chosen else None,
            on_step=tell,
            resume=resume,
            on_checkpoint=lambda state: write_checkpoint(place, state, inputs),
            keep=settings.keep,
        )
        tell(steps)  # of one that failed nothing more is to come
        return history

    def _ask(self, task: Task, fold: Fold, model: Any, run: Run) -> Tested:
        """Let a run's model predict its fold's test tiles."""
        place = ("", task.fold)  # experiments share the test set
        if self._test is None or self._test.key != place:
            if self._test:
                self._test.close()
            memory = self.memory_mb * (1 - FOR_TRAINING)
            self._test = _Open(place, open_set(self.project, fold.ids["test"], memory))
        test = self._test.content
        probabilities = asking.predict(model, test.images)
        # A model that diverged may have no number for some picture: it tells no class from another.
        unknown = ~np.isfinite(probabilities).all(axis=1)
        probabilities[unknown] = 1 / probabilities.shape[1]
        return Tested(test.ids, test.labels, probabilities, run)


def find_checkpoint(folder: Path) -> Path:
    """Return where the state of an unfinished run lies: beside the run's folder."""
    return folder.with_name(f".{folder.name}.npz")


def count_steps(settings: Train, items: int) -> int:
    """Return how many steps a run takes: the same for all, or as many epochs (then rounded up)."""
    if settings.epochs is None:
        return settings.steps
    return math.ceil(settings.epochs * items / settings.batch_size)


def _describe_run(
    task: Task,
    settings: Train,
    model: Any,
    pool: Pool,
    history: fitting.History,
    inputs: str,
    files: dict[str, str],
) -> Run:
    """Return run.json: what was trained, for how long, by which versions."""
    return {
        "inputs": inputs,
        "classes": pool.classes,
        "fold": pool.fold,
        "seed": task.seed,
        "steps": count_steps(settings, len(pool)),
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


def _tell_failure(task: Task, history: fitting.History) -> str:
    """Return what there is to tell of a run whose loss stopped being a number, else nothing."""
    if history.failed_step is None:
        return ""
    return (
        f"{task} failed: the loss stopped being a number at step {history.failed_step}. What it "
        f"had learned by step {history.best_step} is kept and counts like the other runs."
    )
