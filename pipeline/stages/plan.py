"""prep plan: augmented/ -> experiments/<name>.json, what each trains on by digest; lineage.json.

`train` depends on the plans alone, so that only the experiments whose training or validation
content changed are trained again. Here, once, it is proved that nothing crosses the split.
"""

from collections.abc import Iterator, Sequence

from pipeline.atomic import whole_folder
from pipeline.checks.leaks import find_leaks
from pipeline.console import say, warn
from pipeline.dataset.documents import Plan, write_document
from pipeline.dataset.reading import open_tiles, read_groups
from pipeline.errors import DataError, count_things, write_duration
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.forecast import find_missing, time_run
from pipeline.training.lanes import count_lanes
from pipeline.training.plans import (
    describe_budget,
    describe_lineage,
    digest_originals,
    draw_plans,
    find_model,
    read_planned_folds,
)
from pipeline.verdicts.foresight import PHOTOS, WRITING, Study
from pipeline.verdicts.results import read_noise
from pipeline.verdicts.wording import say_foresight


def plan(project: Project, params: Params) -> str:
    """Write down what each experiment is made of, if nothing leaks into what it is tested on."""
    model = find_model(project, params)
    if model and not project.relative(model).startswith("models/"):
        elsewhere = project.relative(model)
        warn(f"dvc repro sees changes of models in models/ only; {elsewhere} lies elsewhere")
    with open_tiles(project, params.classes) as tiles:
        originals = digest_originals(tiles)
    pictures = map(bytes, originals.pictures)
    leaks = find_leaks(project, params, dict(zip(originals.ids, pictures, strict=True)))
    if leaks:
        raise DataError("\n".join(["nothing is planned, because the split leaks:", *leaks]))
    plans = draw_plans(project, params, originals, model)
    plain = next((one["folds"] for one in plans if one["experiment"] == "none"), None)
    with whole_folder(project.output("experiments")) as folder:
        for content in plans:
            write_document(folder / f"{content['experiment']}.json", content)
    write_document(project.output("lineage.json"), describe_lineage(project))
    if idle := [one["experiment"] for one in plans if "labels" in one and one["folds"] == plain]:
        warn(
            f"{idle[0]}: raw/labels.csv corrects nothing that is trained on, so its labels as they "
            "were found are those of none"
        )
    for sentence in _foresee(project, params, plans):
        say(sentence)
    return f"{count_things(len(plans), 'plan')} in processed/experiments"


def _foresee(project: Project, params: Params, plans: Sequence[Plan]) -> Iterator[str]:
    """Yield what the study will cost, what it will be able to see, and what to change first."""
    missing, finished = find_missing(project, params, plans)
    runs = count_things(missing + len(finished), "run")
    if params.train.rounds:
        rounds = ", ".join(map(str, params.train.rounds))
        runs = f"In rounds of {rounds} seeds at most {runs}"
    if missing:
        seconds = time_run(project, params, plans[0], finished)
        lanes = count_lanes(None, missing, params.train.memory_mb)
        yield (
            f"{runs}, {missing:,} of them to be trained: about "
            f"{write_duration(missing * seconds / lanes)}, {count_things(lanes, 'run')} at once."
        )
    else:
        yield f"{runs}, all of them trained."
    groups = read_groups(project.input("split.csv"))
    folds = read_planned_folds(project, plans[0])
    tested = [groups[name] or name for fold in folds for name in fold.ids["test"]]
    yield from say_foresight(_describe_study(project, params), tested, list(groups.values()))


def _describe_study(project: Project, params: Params) -> Study:
    """Return what the study compares, and how its runs differ: as scored before, or by a guess."""
    judged = [name for name in params.experiments if params.is_judged(name)]
    arms = {*judged, *filter(None, map(params.control_of, judged))}
    noise = read_noise(project, params, describe_budget(params.train))
    guess = PHOTOS if params.tile.method == "photo" else WRITING
    return Study(
        noise=noise or guess,
        measured=noise is not None,
        seeds=min((len(params.seeds_of(name)) for name in arms), default=0),
        lines=len(judged),
        folds=params.split.folds,
    )
