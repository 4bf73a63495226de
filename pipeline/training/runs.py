"""The runs of a study, and which are finished: told from damaged ones by run.json's digests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import warn
from pipeline.dataset.documents import Plan, Run, read_document
from pipeline.errors import UnusableFileError
from pipeline.notes import digest_file
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.plans import digest_inputs

FILES = ("model.keras", "history.csv")


@dataclass(frozen=True)
class Task:
    """A run that is to be brought up to date."""

    experiment: str
    fold: int
    seed: int

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"{self.experiment}, fold {self.fold}, seed {self.seed}"


def list_tasks(plan: Plan, seeds: Sequence[int]) -> list[Task]:
    """Return the runs of an experiment with these seeds, fold by fold."""
    return [
        Task(plan["experiment"], fold["fold"], seed) for fold in plan["folds"] for seed in seeds
    ]


def find_finished(
    project: Project, params: Params, plan: Plan, tasks: Sequence[Task]
) -> Iterator[tuple[Task, Run]]:
    """Yield those of an experiment's runs that are finished, as run.json describes them.

    Those that are damaged are told; they are trained again.
    """
    for task in tasks:
        try:
            run = read_run(project, project.run_folder(task.experiment, task.fold, task.seed))
        except UnusableFileError as error:
            warn(f"{error.path} {error.reason}; prep train trains that run again")
            continue
        inputs = digest_inputs(plan, params.train, task.fold, task.seed)
        if run is not None and run["inputs"] == inputs:
            yield task, run


def digest_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that a run is made of, by their names."""
    return {name: digest_file(folder / name) for name in FILES}


def read_run(project: Project, folder: Path) -> Run | None:
    """Return run.json of a finished run, None where there is none.

    Raises UnusableFileError when it is damaged, or a file that it names.
    """
    file = folder / "run.json"
    if not file.exists():
        return None
    name = project.relative(folder)
    remedy = f"Train again with: prep train --experiment {folder.parts[-3]}"
    run = read_document(project.require(file, remedy), Run, remedy)
    gone = [other for other in FILES if not (folder / other).is_file()]
    if gone:
        raise UnusableFileError(Path(name), f"lacks {' and '.join(gone)}", remedy)
    other = [one for one, digest in digest_files(folder).items() if run["files"].get(one) != digest]
    if other:
        what = f"is damaged: {' and '.join(other)} is not the one that its training wrote"
        raise UnusableFileError(Path(name), what, remedy)
    return run
