"""prep train: experiments/ -> runs/<name>/fold-<f>/seed-<n>/ and scores/<name>/."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from pipeline.atomic import remove_at_once, remove_left_over
from pipeline.console import warn, watch
from pipeline.dataset.documents import Lineage, Plan, Run
from pipeline.dataset.looks import FILE, START_ANEW, Looks, read_looks, write_looks
from pipeline.dataset.predictions import Tested
from pipeline.errors import DataError, count_things, write_duration
from pipeline.isolation import Count, Death, map_isolated
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.forecast import time_run
from pipeline.training.lanes import count_lanes
from pipeline.training.looks import list_seeds
from pipeline.training.plans import choose_experiments, digest_inputs, load_plan, read_lineage
from pipeline.training.runs import Task, find_finished, list_tasks
from pipeline.training.worker import A_RUN, Outcome, Worker, find_checkpoint
from pipeline.verdicts.ablation import Judged, list_judged
from pipeline.verdicts.families import Line
from pipeline.verdicts.results import (
    are_scores_current,
    is_asked_alike,
    load_ablation,
    write_scores,
)
from pipeline.verdicts.rounds import choose_active


def train(
    project: Project,
    params: Params,
    experiment: str | None = None,
    jobs: int | None = None,
    minutes: float | None = None,
) -> str:
    """Train every fold and seed of each experiment (or of one), and test each on its test set.

    Finished runs are kept, and so are the scores of runs of which none is new. A study in rounds
    ends when nothing is open that more runs are likely to settle, or after so many minutes.
    """
    names = choose_experiments(params, experiment)
    lineage = read_lineage(project)
    plans = {name: load_plan(project, params, name) for name in names}
    for plan in plans.values():
        _remove_other_runs(project, params, plan)
    study = Study(project, params, lineage, plans, jobs)
    if params.train.rounds and experiment is None:
        runs, finished = train_in_rounds(study, params.train.rounds, minutes)
    elif minutes is not None:
        raise DataError(
            "--minutes limits a study in rounds: set seeds: {rounds: [4, 7, 10, 15]} under train "
            "in params.yaml, and leave --experiment out"
        )
    else:
        _forget_other_looks(study)
        runs, finished = study.bring({name: list_seeds(project, params, name) for name in names})
    return _say_done(params, runs, finished)


# By the system, by TensorFlow without memory, by a library that did not ask whether it got any.
_AS_OF_MEMORY = ("SIGKILL", "SIGABRT", "SIGSEGV", "SIGBUS")


@dataclass(frozen=True)
class Study:
    """What is trained: the plans by experiment, and with how many processes."""

    project: Project
    params: Params
    lineage: Lineage
    plans: Mapping[str, Plan]
    jobs: int | None

    def bring(self, seeds: Mapping[str, Sequence[int]]) -> tuple[int, int]:
        """Bring the runs with these seeds, and the scores, up to date.

        Returns how many runs there are, and how many were finished before. Raises DataError, with
        the reasons, when some could not be trained; the others are.
        """
        tasks = {name: list_tasks(self.plans[name], own) for name, own in seeds.items()}
        finished = self.find_finished(tasks)
        for task in finished:
            folder = self.project.run_folder(task.experiment, task.fold, task.seed)
            find_checkpoint(folder).unlink(missing_ok=True)
        inputs = {task: run["inputs"] for task, run in finished.items()}
        stale = [
            name
            for name, own in tasks.items()
            if not are_scores_current(
                self.project, name, self.lineage, [inputs.get(one, "") for one in own]
            )
        ]
        todo = [task for name in stale for task in tasks[name]]
        tested: dict[str, list[Tested]] = {name: [] for name in stale}
        failed = []
        before = len(finished.keys() & set(todo))
        self._verify_variants([name for name in stale if {*tasks[name]} - finished.keys()])
        for outcome in _bring_up_to_date(self.project, self.params, todo, before, self.jobs):
            name = outcome.task.experiment
            if outcome.note:
                warn(outcome.note)
            if outcome.tested is None:
                failed.append(outcome)
                continue
            tested[name].append(outcome.tested)
            if len(tested[name]) == len(tasks[name]):
                classes = self.params.classes
                write_scores(self.project, name, classes, self.lineage, tested.pop(name))
        for name in tested:  # some of its runs failed
            remove_at_once(self.project.output("scores", name))
        runs = sum(map(len, tasks.values()))
        _refuse_failed(failed, runs)
        return runs, len(finished)

    def _verify_variants(self, names: Sequence[str]) -> None:
        """Compare the digests of what is trained on here, so that not every process does."""
        for name in names:
            with suppress(DataError):  # told by the runs that it fails; the others are trained
                for file in self.plans[name]["variants"]:
                    self.project.require(self.project.root / file["file"])

    def find_finished(self, tasks: Mapping[str, Sequence[Task]]) -> dict[Task, Run]:
        """Return those of the runs of each experiment that are finished."""
        return {
            task: run
            for name, own in tasks.items()
            for task, run in find_finished(self.project, self.params, self.plans[name], own)
        }


def train_in_rounds(study: Study, rounds: Sequence[int], minutes: float | None) -> tuple[int, int]:
    """Train until nothing is open that more runs are likely to settle; returns as Study.bring.

    minutes: that it may take (None: as train.minutes says). After each round the table is looked at
    and what was said is written down, so that the verdicts can allow for it. The same runs give the
    same looks again.
    """
    project, params, began = study.project, study.params, time.monotonic()
    limit = params.train.minutes if minutes is None else minutes
    looks = _begin_looks(study, rounds)
    active, done = set(study.plans), (0, 0)
    for number, count in enumerate(rounds):
        before = dict(looks["seeds"])
        looks["seeds"] |= dict.fromkeys(active, count)
        seeds = {
            name: params.experiments[name].seeds or tuple(range(looks["seeds"][name]))
            for name in study.plans
        }
        looks["seeds"] = {name: len(own) for name, own in seeds.items()}
        if limit is not None and not _is_time_left(study, seeds, limit, began, first=not number):
            looks["seeds"], looks["ended"] = before, "minutes"
            break
        done = study.bring(seeds)
        looks["looks"].append({"seeds": count, "said": []})
        looks["ended"] = "rounds" if count == rounds[-1] else ""
        write_looks(project, looks)
        judged = list_judged(load_ablation(project, params).results)
        looks["looks"][-1]["said"] = [
            {"experiment": one.experiment, "label": one.label, "words": sorted(one.verdict.said)}
            for one in judged
            if one.verdict.said
        ]
        active = _choose_active(params, judged, rounds, number)
        if not active and count < rounds[-1]:
            looks["ended"] = "settled"
            break
    write_looks(project, looks)
    return done


def _begin_looks(study: Study, rounds: Sequence[int]) -> Looks:
    """Return a record without looks; DataError where the same study was begun with other rounds."""
    params, inputs = study.params, _digest_study(study)
    before = read_looks(study.project)
    if before and before["inputs"] == inputs and before["rounds"] != list(rounds):
        raise DataError(
            f"params.yaml: train.seeds.rounds: this study was looked at with the rounds "
            f"{before['rounds']}; go on with these. {START_ANEW}"
        )
    if before and before["inputs"] == inputs and not is_asked_alike(params, before):
        raise DataError(
            "params.yaml: compare: this study was looked at with another margin or other "
            f"questions; its rounds go on with these alone. {START_ANEW}"
        )
    earlier = before.get("earlier", 0) if before else 0
    if before and before["looks"] and before["inputs"] != inputs:
        earlier += len(before["looks"])
        warn(
            "experiments, pictures or settings are not those that the study was looked at with: "
            "its looks count anew, and the table will say so"
        )
    return {
        "inputs": inputs,
        "rounds": list(rounds),
        "margin": params.compare.margin,
        "questions": params.compare.asked,
        "looks": [],
        "seeds": {},
        "ended": "",
        "earlier": earlier,
    }


def _digest_study(study: Study) -> str:
    """Return a digest of what the first runs of all experiments are trained on."""
    first = [task for plan in study.plans.values() for task in list_tasks(plan, (0,))]
    said = [
        digest_inputs(study.plans[one.experiment], study.params.train, one.fold, one.seed)
        for one in first
    ]
    return hashlib.sha256("".join(said).encode()).hexdigest()


def _forget_other_looks(study: Study) -> None:
    """Remove the record of looks at another study than this one."""
    looks = read_looks(study.project)
    whole = len(study.plans) == len(study.params.experiments)
    if looks and whole and looks["inputs"] != _digest_study(study):
        remove_at_once(study.project.output("scores", FILE))


def _choose_active(
    params: Params, judged: Sequence[Judged], rounds: Sequence[int], look: int
) -> set[str]:
    """Return the experiments that need more runs, without those that have seeds of their own."""
    lines = [Line(one.experiment, one.verdict.primary, one.estimate) for one in judged]
    controls = {one.experiment: one.control for one in judged}
    verdicts = [one.verdict for one in judged]
    margin = params.compare.margin / 100
    active = choose_active(controls, lines, verdicts, rounds, look, margin)
    return {name for name in active if params.experiments[name].seeds is None}


def _is_time_left(
    study: Study, seeds: Mapping[str, Sequence[int]], minutes: float, began: float, *, first: bool
) -> bool:
    """Return whether a round will end in time; DataError where not even the first one will."""
    tasks = {name: list_tasks(study.plans[name], own) for name, own in seeds.items()}
    finished = study.find_finished(tasks)
    missing = sum(map(len, tasks.values())) - len(finished)
    if not missing:
        return True
    known, plan = list(finished.values()), next(iter(study.plans.values()))
    lanes = count_lanes(study.jobs, missing, study.params.train.memory_mb)
    needs = missing * time_run(study.project, study.params, plan, known) / lanes
    if first and needs > 60 * minutes:
        raise DataError(
            f"{minutes:g} minutes are too short for the first round: its {missing} trainings take "
            f"about {write_duration(needs)}. Give more, fewer experiments or fewer steps"
        )
    return time.monotonic() - began + needs <= 60 * minutes


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
    if str(death) in _AS_OF_MEMORY:
        reason += (
            ", as it does when there is not enough memory: try with --jobs 1, or a smaller "
            "train.batch_size"
        )
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
    tasks = list_tasks(plan, params.seeds_of(plan["experiment"]))
    wanted = [project.run_folder(task.experiment, task.fold, task.seed) for task in tasks]
    kept = {*wanted, *map(find_checkpoint, wanted)}
    for fold in project.output("runs", plan["experiment"]).glob("fold-*"):
        remove_left_over(fold)
        for path in fold.iterdir():
            if path not in kept and not path.name.startswith(".part-"):  # another training's
                remove_at_once(path)
