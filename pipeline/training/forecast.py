"""How long a study will take: by the runs that are there, or by a few steps that are timed."""

import time
from collections.abc import Sequence

import numpy as np

from pipeline.dataset.documents import Plan, Run
from pipeline.network import building
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.models import build_model
from pipeline.training.plans import digest_inputs, read_planned_folds
from pipeline.training.pool import open_pool
from pipeline.training.runs import read_run
from pipeline.training.schedule import Schedule
from pipeline.training.worker import count_steps

WARM, TIMED = 3, 8  # steps: the first ones build what the others use


def find_missing(project: Project, params: Params, plans: Sequence[Plan]) -> tuple[int, list[Run]]:
    """Return how many runs are to be trained, and those that are finished."""
    missing, finished = 0, []
    for plan in plans:
        for fold in plan["folds"]:
            for seed in params.seeds_of(plan["experiment"]):
                run = read_run(project.run_folder(plan["experiment"], fold["fold"], seed))
                inputs = digest_inputs(plan, params.train, fold["fold"], seed)
                if run is not None and run["inputs"] == inputs:
                    finished.append(run)
                else:
                    missing += 1
    return missing, finished


def time_run(project: Project, params: Params, plan: Plan, finished: Sequence[Run]) -> float:
    """Return how many seconds a run takes: as the finished ones took, or by a few steps of one."""
    if finished:
        return float(np.mean([run["seconds"] for run in finished]))
    settings = params.train
    fold = read_planned_folds(project, plan)[0]
    with open_pool(project, params, plan, fold, settings.memory_mb) as pool:
        shape = pool.tiles.images.shape[1:]
        model, start = build_model(project.root, settings, shape, len(pool.classes))
        building.restart(model, 0, start)
        added = len(pool) - pool.originals
        order = Schedule(0, pool.originals, added, WARM + TIMED, settings.batch_size)
        for step in range(WARM + TIMED):
            if step == WARM:
                began = time.perf_counter()
            model.train_on_batch(*pool.take(order[step], order.passes(step), 0))
        steps = count_steps(settings, len(pool))
    return (time.perf_counter() - began) / TIMED * steps
