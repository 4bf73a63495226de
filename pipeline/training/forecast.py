"""How long a study will take: by the runs that are there, or by a few steps that are timed."""

import functools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.dataset.documents import Plan, Run
from pipeline.network import building
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.sections import Train
from pipeline.training.models import build_model
from pipeline.training.plans import read_planned_folds
from pipeline.training.runs import find_finished, list_tasks
from pipeline.training.worker import count_steps

WARM, TIMED = 3, 8  # steps: the first ones build what the others use


def find_missing(project: Project, params: Params, plans: Sequence[Plan]) -> tuple[int, list[Run]]:
    """Return how many runs are to be trained, and those that are finished."""
    missing, finished = 0, []
    for plan in plans:
        tasks = list_tasks(plan, params.seeds_of(plan["experiment"]))
        known = [run for _, run in find_finished(project, params, plan, tasks)]
        missing += len(tasks) - len(known)
        finished += known
    return missing, finished


def time_run(project: Project, params: Params, plan: Plan, finished: Sequence[Run]) -> float:
    """Return how many seconds a run takes: as the finished ones took, or by a few steps of one."""
    if finished:
        return float(np.mean([run["seconds"] for run in finished]))
    train = read_planned_folds(project, plan)[0].ids["train"]
    more = np.mean(list(params.count_variants(plan["experiment"]).values()))
    steps = count_steps(params.train, round(len(train) * (1 + more)))
    size, channels = params.tile.size, params.tile.channels
    return steps * _time_step(
        project.root, params.train, (size, size, channels), len(params.classes)
    )


@functools.cache  # a model takes a second to build
def _time_step(root: Path, settings: Train, shape: tuple[int, int, int], class_count: int) -> float:
    """Return how many seconds a step on a batch of such tiles takes, without reading them."""
    model, start = build_model(root, settings, shape, class_count)
    building.restart(model, 0, start)
    images = np.zeros((settings.batch_size, *shape), np.uint8)
    labels = np.arange(settings.batch_size) % class_count
    for step in range(WARM + TIMED):
        if step == WARM:
            began = time.perf_counter()
        model.train_on_batch(images, labels)
    return (time.perf_counter() - began) / TIMED
