"""Which weights of a training are kept: `python benchmarks/keeping.py PROJECT --arms none,shift`.

PROJECT is a project whose data are made up to `prep plan`. Each arm is trained with each seed
twice: at a constant learning rate, and at one that falls to 0 on a cosine. One training gives all
kinds of weights: the checkpoint with the lowest validation loss (best), those at the end (last),
the mean over the second half (mean), and exponential means over about 50 and 100 steps (0.98,
0.99).

The columns: accuracy on the test set, mean and standard deviation over the runs; on how many of the
test pictures two runs disagree; and the difference of the arms with its standard error.
"""

import argparse
import sys
import time
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.network import asking, building
from pipeline.network.backend import import_keras
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.training.models import build_model
from pipeline.training.plans import load_plan, read_planned_folds
from pipeline.training.pool import open_pool, open_set
from pipeline.training.schedule import Schedule

KINDS = ("best", "last", "mean", "0.98", "0.99")
Job = tuple[Path, str, int, bool]


def train(job: Job) -> dict[str, np.ndarray]:
    """Train once; return what each kind of weights says of the test pictures, right or wrong."""
    folder, arm, seed, decays = job
    project, params = Project(folder), load_params(folder / "params.yaml")
    settings = params.train
    plan = load_plan(project, params, arm)
    fold = read_planned_folds(project, plan)[0]
    with (
        open_pool(project, params, plan, fold, 4000) as pool,
        open_set(project, fold.ids["test"], 4000) as test,
    ):
        shape = pool.tiles.images.shape[1:]
        model, start = build_model(folder, settings, shape, len(pool.classes))
        building.restart(model, seed, start)
        order = Schedule(
            seed, pool.originals, len(pool) - pool.originals, settings.steps, settings.batch_size
        )
        kept = follow(model, pool, order, settings.validate_every, decays)
        right = {}
        for kind, weights in kept.items():
            model.set_weights(weights)
            said = asking.predict(model, test.images).argmax(axis=1)
            right[kind] = said == test.labels
            right[f"{kind} said"] = said
    return right


def follow(model, pool, order, validate_every, decays):
    """Train and return each kind of weights."""
    keras = import_keras()
    rate = float(model.optimizer.learning_rate)
    means = {kind: model.get_weights() for kind in ("0.98", "0.99")}
    total, counted, best, least = None, 0, model.get_weights(), np.inf
    steps = len(order)
    for step in range(steps):
        if decays:
            model.optimizer.learning_rate = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        batch = pool.take(order[step], order.passes(step), order.seed)
        model.train_on_batch(*batch)
        weights = model.get_weights()
        for kind, mean in means.items():
            share = float(kind) if step else 0.0
            means[kind] = [share * a + (1 - share) * w for a, w in zip(mean, weights, strict=True)]
        if step >= steps // 2:
            counted += 1
            total = (
                weights if total is None else [a + w for a, w in zip(total, weights, strict=True)]
            )
        if (step + 1) % validate_every == 0 or step + 1 == steps:
            loss, _ = asking.measure(model, pool.validation.images, pool.validation.labels)
            if loss < least:
                least, best = loss, weights
    model.optimizer.learning_rate = rate
    keras.backend.clear_session()
    mean = [one / counted for one in total]
    return {"best": best, "last": weights, "mean": mean, **means}


def describe(results: dict[Job, dict], arms: list[str], decays: bool, kind: str) -> str:
    """Return a line of the table."""
    right = {
        arm: np.array([r[kind] for job, r in results.items() if (job[1], job[3]) == (arm, decays)])
        for arm in arms
    }
    said = {
        arm: [r[f"{kind} said"] for job, r in results.items() if (job[1], job[3]) == (arm, decays)]
        for arm in arms
    }
    cells = [f"{'cosine' if decays else 'constant':9}{kind:6}"]
    for arm in arms:
        scores = 100 * right[arm].mean(axis=1)
        apart = 100 * np.mean([np.mean(a != b) for a, b in combinations(said[arm], 2)])
        cells.append(f"{arm} {scores.mean():6.2f} ± {scores.std(ddof=1):4.2f}, {apart:4.1f} %")
    none, *others = (right[arm].mean(axis=1) for arm in arms)
    for other in others:
        error = (none.var(ddof=1) / len(none) + other.var(ddof=1) / len(other)) ** 0.5
        cells.append(f"{100 * (other.mean() - none.mean()):+5.2f} ± {100 * error:4.2f}")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--arms", default="none,shift", help="the first is the control")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    began, arms = time.time(), arguments.arms.split(",")
    folder = arguments.project.resolve()
    jobs = [
        (folder, arm, seed, decays)
        for decays in (False, True)
        for seed in range(arguments.seeds)
        for arm in arms
    ]
    with get_context("spawn").Pool(arguments.workers) as pool:
        results = dict(zip(jobs, pool.imap(train, jobs, chunksize=2), strict=True))
    for decays in (False, True):
        for kind in KINDS:
            print(describe(results, arms, decays, kind), flush=True)
    print(f"{folder.name}: {arguments.seeds} seeds, {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
