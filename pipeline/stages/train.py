"""prep train: experiments/ -> runs/<name>/fold-<f>/seed-<n>/ and scores/<name>/."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from pipeline.atomic import remove_at_once, remove_left_over
from pipeline.console import warn, watch
from pipeline.dataset.documents import Plan
from pipeline.dataset.predictions import Tested
from pipeline.errors import DataError, count_things
from pipeline.isolation import Count, Death, map_isolated
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.lanes import count_lanes
from pipeline.training.plans import choose_experiments, digest_inputs, load_plan, read_lineage
from pipeline.training.runs import read_run
from pipeline.training.worker import A_RUN, Outcome, Task, Worker, find_checkpoint
from pipeline.verdicts.results import are_scores_current, write_scores


def train(
    project: Project, params: Params, experiment: str | None = None, jobs: int | None = None
) -> str:
    """Train every fold and seed of each experiment (or of one), and test each on its test set.

    Finished runs are kept, and so are the scores of runs of which none is new.
    """
    names = choose_experiments(params, experiment)
    lineage = read_lineage(project)
    plans = [load_plan(project, params, name) for name in names]
    for plan in plans:
        _remove_other_runs(project, params, plan)
    tasks = {plan["experiment"]: _list_tasks(params, plan) for plan in plans}
    finished = {
        task: run
        for plan in plans
        for task, run in _find_finished(project, params, plan, tasks[plan["experiment"]])
    }
    stale = [
        name
        for name, own in tasks.items()
        if not are_scores_current(project, name, lineage, [finished.get(one, "") for one in own])
    ]
    todo = [task for name in stale for task in tasks[name]]
    tested: dict[str, list[Tested]] = {name: [] for name in stale}
    failed = []
    for outcome in _bring_up_to_date(project, params, todo, len(finished.keys() & set(todo)), jobs):
        name = outcome.task.experiment
        if outcome.note:
            warn(outcome.note)
        if outcome.tested is None:
            failed.append(outcome)
            continue
        tested[name].append(outcome.tested)
        if len(tested[name]) == len(tasks[name]):
            write_scores(project, name, params.classes, lineage, tested.pop(name))
    for name in tested:  # some of its runs failed
        remove_at_once(project.output("scores", name))
    _refuse_failed(failed, sum(map(len, tasks.values())))
    return _say_done(params, sum(map(len, tasks.values())), len(finished))


def _list_tasks(params: Params, plan: Plan) -> list[Task]:
    """Return the runs of an experiment, fold by fold."""
    name = plan["experiment"]
    return [
        Task(name, fold["fold"], seed) for fold in plan["folds"] for seed in params.seeds_of(name)
    ]


def _find_finished(
    project: Project, params: Params, plan: Plan, tasks: Sequence[Task]
) -> Iterator[tuple[Task, str]]:
    """Yield the runs that are finished, with the digest of their inputs."""
    for task in tasks:
        folder = project.run_folder(task.experiment, task.fold, task.seed)
        run, inputs = read_run(folder), digest_inputs(plan, params.train, task.fold, task.seed)
        if run is not None and run["inputs"] == inputs:
            find_checkpoint(folder).unlink(missing_ok=True)
            yield task, inputs


def _bring_up_to_date(
    project: Project, params: Params, tasks: Sequence[Task], finished: int, jobs: int | None
) -> Iterator[Outcome]:
    """Yield what became of each run; as many are trained at once as there is room for.

    finished: how many of them are trained already.
    """
    missing = len(tasks) - finished
    lanes = count_lanes(jobs, missing, params.train.memory_mb)
    progress = Count()
    worker = Worker(project, params, params.train.memory_mb // lanes, progress.add)

    def tell() -> tuple[float, str]:
        done = progress.read()
        return done, f"run {min(finished + done // A_RUN + 1, len(tasks))} of {len(tasks)}"

    with watch(tell, missing * A_RUN):
        if lanes == 1:
            with closing(worker):
                yield from map(worker, tasks)
            return
        for task, outcome in zip(tasks, map_isolated(worker, tasks, lanes, 1), strict=True):
            yield _explain_death(task, outcome) if isinstance(outcome, Death) else outcome


def _explain_death(task: Task, death: Death) -> Outcome:
    """Return what is told of a run whose process died, each time that it was tried."""
    reason = f"its process ended by itself ({death})"
    if str(death) == "SIGKILL":
        reason += ", as it does when there is not enough memory: try with --jobs 1"
    return Outcome(task, None, failure=reason)


def _refuse_failed(failed: Sequence[Outcome], runs: int) -> None:
    """Raise DataError, with the reasons, where runs could not be trained."""
    if not failed:
        return
    reasons: dict[str, list[str]] = {}
    for outcome in failed:
        reasons.setdefault(outcome.failure, []).append(str(outcome.task))
    if len(failed) == runs and len(reasons) == 1:
        raise DataError(next(iter(reasons)))
    told = [
        f"{which[0]}{f' and {len(which) - 1} more' if len(which) > 1 else ''}: {reason}"
        for reason, which in reasons.items()
    ]
    raise DataError(
        "\n".join(
            [
                f"{len(failed)} of {count_things(runs, 'run')} could not be trained; the others "
                "are finished and kept.",
                *told,
            ]
        )
    )


def _say_done(params: Params, runs: int, finished: int) -> str:
    kept = f" ({finished} finished before)" if finished else ""
    by_epochs = params.train.budget == "epochs"
    length = f"{params.train.epochs:g} epochs" if by_epochs else f"{params.train.steps:,} steps"
    return f"{count_things(runs, 'run')} of {length} in processed/runs{kept}, scored in scores"


def _remove_other_runs(project: Project, params: Params, plan: Plan) -> None:
    """Throw away the runs that are no longer asked for, and what a killed training left behind."""
    tasks = _list_tasks(params, plan)
    wanted = [project.run_folder(task.experiment, task.fold, task.seed) for task in tasks]
    kept = {*wanted, *map(find_checkpoint, wanted)}
    for fold in project.output("runs", plan["experiment"]).glob("fold-*"):
        remove_left_over(fold)
        for path in fold.iterdir():
            if path not in kept and not path.name.startswith(".part-"):  # another training's
                remove_at_once(path)
