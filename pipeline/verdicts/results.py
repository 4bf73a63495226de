"""The results of all experiments read back, ready to be compared and shown."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.console import warn
from pipeline.dataset.documents import (
    Lineage,
    Metrics,
    ScoredRun,
    check_document,
    read_document,
    write_document,
)
from pipeline.dataset.looks import Looks, gather_said, read_looks
from pipeline.dataset.predictions import Tested, write_predictions
from pipeline.dataset.reading import read_groups
from pipeline.errors import DataError, UnusableFileError, count_things
from pipeline.project import Project
from pipeline.settings.controls import explain_missing_control
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import Arm, Result, compare_arms, count_primary, list_judged
from pipeline.verdicts.families import SETTLED
from pipeline.verdicts.foresight import Noise, measure_noise
from pipeline.verdicts.next_step import find_next_step
from pipeline.verdicts.rounds import forget_margin, spend
from pipeline.verdicts.scores import score_run
from pipeline.verdicts.tables import WideTable, summarise, widen
from pipeline.verdicts.wording import explain, say_broken, say_end, say_finding, say_next


@dataclass(frozen=True)
class Ablation:
    """All experiments compared: the arms, the long table, the ones to read, and the words.

    `finding` comes before the `summary`; `notes` (what has to be known before it is believed),
    `next_step` and `reading` (the small print) after it; `tables` are what lies behind. `ids` and
    `labels` (N,) are the test pictures, in the order of the arms' `predicted`.
    """

    arms: list[Arm]
    results: list[Result]
    finding: str
    summary: WideTable
    next_step: str
    notes: list[str]
    reading: str
    tables: list[WideTable]
    ids: list[str]
    labels: npt.NDArray[np.int64]


def write_scores(
    project: Project, name: str, classes: Sequence[str], lineage: Lineage, tested: Sequence[Tested]
) -> None:
    """Write predictions.csv and metrics.json of an experiment, from what its runs said."""
    predictions = project.output("scores", name, "predictions.csv")
    write_predictions(predictions, classes, tested)
    content: Metrics = {
        "experiment": name,
        "classes": list(classes),
        "split": lineage["split"],
        "tiles": lineage["tiles"],
        "predictions": project.digest(predictions),
        "budget": tested[0].run["budget"],
        "runs": [
            {**run.run, **asdict(score_run(run.labels, run.predicted, len(classes)))}
            for run in tested
        ],
    }
    write_document(project.output("scores", name, "metrics.json"), content)


def are_scores_current(
    project: Project, name: str, lineage: Lineage, inputs: Sequence[str]
) -> bool:
    """Return whether scores are there, whole, of these runs (by their inputs) and this test set."""
    predictions = project.output("scores", name, "predictions.csv")
    try:
        metrics = _read_metrics(project, name)
        project.require(predictions)
    except UnusableFileError as error:
        warn(f"{error.path} {error.reason}; prep train scores {name} again")
        return False
    except DataError:  # they are not there
        return False
    return (
        [run.get("inputs") for run in metrics["runs"]] == list(inputs)
        and (metrics["split"], metrics["tiles"]) == (lineage["split"], lineage["tiles"])
        and metrics["predictions"] == project.digest(predictions)
    )


def read_noise(project: Project, params: Params, budget: object) -> Noise | None:
    """Return how runs of one experiment differ, by the scores that are there; None: there are none.

    What was trained with another budget does not count.
    """
    runs, pictures = [], 0
    for name in list_scored(project, params):
        try:
            metrics = _read_metrics(project, name)
        except DataError as error:
            warn(f"the scores of {name} are left out of what is foreseen: {error}")
            continue
        # A seed's runs, one a fold, are tested on different pictures: together they are one score.
        of_seed: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for run in metrics["runs"]:
            of_seed[run["seed"]].append(run)
        if metrics["budget"] == budget and len(of_seed) > 1:
            runs.append([_score_over_folds(own) for own in of_seed.values()])
            pictures = sum(_count_tested(run) for run in next(iter(of_seed.values())))
    return measure_noise(runs, pictures) if runs else None


def _score_over_folds(runs: Sequence[dict[str, Any]]) -> float:
    """Return the accuracy of a seed's runs on all pictures that they were tested on."""
    tested = [_count_tested(run) for run in runs]
    return float(np.average([run["accuracy"] for run in runs], weights=tested))


def _count_tested(run: dict[str, Any]) -> int:
    return int(np.sum(run["confusion"]))


def list_scored(project: Project, params: Params) -> list[str]:
    """Return the experiments that have scores."""
    return [
        name
        for name in params.experiments
        if project.output("scores", name, "metrics.json").exists()
    ]


def load_ablation(
    project: Project,
    params: Params,
    against: str | None = None,
    names: Sequence[str] | None = None,
) -> Ablation:
    """Read every experiment's scores and compare each with its control, or all with `against`.

    Against another one than their controls nothing is judged. With `names` only these experiments
    are read; whose control is not among them has none.
    Raises DataError when scores are missing or belong to different splits.
    """
    metrics = {name: _read_metrics(project, name) for name in names or params.experiments}
    _check_comparable(params, metrics)
    arms, ids, labels = _read_arms(project, params, metrics)
    if against is not None:
        arms = [
            replace(arm, control=against if arm.name != against else None, judged=False, twin=None)
            for arm in arms
        ]
    groups = read_groups(project.input("split.csv"))
    if not groups.keys() >= set(ids):
        raise DataError(
            "The scores are of test pictures that processed/split.csv no longer has. Bring "
            "everything up to date with: dvc repro"
        )
    looks = None if against else read_looks(project)
    later = _find_later(looks, arms)
    spent, before = _allow_for_looks(params, looks, bool(later))
    ended = looks is not None and bool(looks["ended"]) and not later
    results = compare_arms(
        arms,
        labels,
        np.array([groups[tile_id] for tile_id in ids], object),
        params.classes,
        params.compare.margin / 100,
        {(experiment, label) for experiment, label in params.compare.asked},
        spent,
        before,
    )
    return Ablation(
        arms=arms,
        results=results,
        finding=_say_finding(params, results),
        summary=summarise(arms, results),
        next_step=_say_next(params, arms, results, len(ids), len(groups), ended),
        notes=[*_list_notes(params, arms), *_tell_looks(params, looks, later, spent)],
        reading=_read_aloud(arms, results, params.split.folds),
        tables=widen(arms, results, params.classes),
        ids=ids,
        labels=labels,
    )


def is_asked_alike(params: Params, looks: Looks) -> bool:
    """Return whether margin and questions are those that the study was looked at with."""
    asked = (params.compare.margin, params.compare.asked)
    return (looks["margin"], looks["questions"]) == asked


def _find_later(looks: Looks | None, arms: list[Arm]) -> list[str]:
    """Return the experiments that have more seeds than the looks at the study knew of."""
    if looks is None:
        return []
    return [arm.name for arm in arms if len(arm.seeds) > looks["seeds"].get(arm.name, 0)]


def _allow_for_looks(
    params: Params, looks: Looks | None, added: bool
) -> tuple[float, dict[tuple[str, str], frozenset[str]]]:
    """Return which part of the level the table may spend, and what was said before."""
    if looks is None or not looks["looks"]:
        return 1.0, {}
    rounds, made = looks["rounds"], len(looks["looks"])
    if added:  # seeds came afterwards: what is left may be spent
        rest = 1 - sum(spend(rounds, look) for look in range(made))
        spent, last = (rest if rest > 1e-9 else 0.0), made
    else:
        spent, last = spend(rounds, made - 1), made - 1
    before = gather_said(looks["looks"][last - 1]) if last else {}
    if not is_asked_alike(params, looks):
        before = {line: forget_margin(said) for line, said in before.items()}
    return spent, before


def _tell_looks(
    params: Params, looks: Looks | None, later: list[str], spent: float
) -> Iterator[str]:
    """Yield what a reader has to know of the looks that were made at a study."""
    if looks is None or not looks["looks"]:
        return
    *first, last = (str(look["seeds"]) for look in looks["looks"])
    seeds = f"{', '.join(first)} and {last}" if first else last
    if later:
        left = "only what they left of the 5 % could be spent"
        if spent <= 0:
            left = "nothing of the 5 % was left, so nothing new can be said"
        yield (
            f"Seeds of {', '.join(later)} were added after looks at {seeds} seeds; the words allow "
            f"for these looks, and {left}."
        )
    else:
        ends = {
            "settled": "more seeds are not likely to settle what is open",
            "rounds": "all rounds are done",
            "minutes": "the time for more rounds is up",
            "": "it is not at its end",
        }
        end = ends.get(looks["ended"], ends[""])
        yield f"Judged with {seeds} seeds; the verdicts allow for every look; {end}."
    if earlier := looks.get("earlier"):
        yield (
            "Before, with other experiments, pictures or settings, it was looked at "
            f"{count_things(earlier, 'time')}; the words do not allow for that."
        )
    if not is_asked_alike(params, looks):
        yield (
            "The margin or the questions are not those that the study was looked at with: what is "
            "said with them was asked afterwards."
        )


def _read_metrics(project: Project, name: str) -> Metrics:
    """Return metrics.json of one experiment."""
    remedy = f"Make it again with: prep train --experiment {name}"
    path = project.input("scores", name, "metrics.json")
    metrics = read_document(path, Metrics, remedy)
    count = len(metrics["classes"])
    for run in metrics["runs"]:
        check_document(path, run, ScoredRun, remedy)
        if {count} != {len(part) for part in (run["classes"], run["confusion"], *run["confusion"])}:
            what = f"is damaged: the scores of seed {run['seed']} are not of {count} classes"
            raise UnusableFileError(path, what, remedy)
    if not metrics["runs"]:
        raise UnusableFileError(path, "is damaged: it has no runs", remedy)
    return metrics


def _check_comparable(params: Params, metrics: dict[str, Metrics]) -> None:
    """Raise DataError when experiments had different splits, classes or budgets."""
    (first, reference), *others = metrics.items()
    if reference["classes"] != list(params.classes):
        raise DataError(
            f"{first} was scored with the classes {', '.join(reference['classes'])}; params.yaml "
            f"has {', '.join(params.classes)}. Bring all experiments up to date with: dvc repro"
        )
    for name, other in others:
        for key in ("split", "classes", "budget"):
            if other[key] != reference[key]:
                raise DataError(
                    f"{name} and {first} differ in {key}, so they can't be compared "
                    f"({other[key]} and {reference[key]}). Bring all experiments up to date with: "
                    "dvc repro"
                )


def _read_arms(
    project: Project, params: Params, metrics: dict[str, Metrics]
) -> tuple[list[Arm], list[str], npt.NDArray[np.int64]]:
    """Return the arms, and the ids and labels of the test pictures, in one order for all."""
    import pandas as pd

    arms: list[Arm] = []
    labels = pd.Series(dtype=int)
    code = {name: number for number, name in enumerate(params.classes)}
    for name, content in metrics.items():
        twin = params.find_twin(name)
        path = project.input("scores", name, "predictions.csv")
        types = {"id": str, "fold": int, "seed": int, "label": str, "predicted": str}
        if project.digest(path) != content["predictions"]:
            raise DataError(
                f"{project.relative(path)} is not the file that metrics.json beside it was written "
                f"with. Make it again with: prep train --experiment {name}"
            )
        rows = pd.read_csv(path, usecols=list(types), dtype=types, na_filter=False)
        right = (rows["label"] == rows["predicted"]).groupby([rows["fold"], rows["seed"]]).mean()
        told = {(run["fold"], run["seed"]): run["accuracy"] for run in content["runs"]}
        if told.keys() != set(right.index) or any(abs(right[k] - told[k]) > 1e-6 for k in told):
            raise DataError(
                f"{project.relative(path.with_name('metrics.json'))} does not say what the "
                f"predictions beside it come to. Test again with: prep evaluate --experiment {name}"
            )
        table = rows.assign(predicted=rows["predicted"].map(code)).pivot(
            index="seed", columns="id", values="predicted"
        )
        labels = rows.drop_duplicates("id").set_index("id")["label"].map(code)[table.columns]
        arms.append(
            Arm(
                name=name,
                control=params.control_of(name),
                seeds=tuple(table.index),
                predicted=table.to_numpy(),
                runs=content["runs"],
                share=params.experiments[name].share,
                judged=params.is_judged(name),
                twin=twin if twin in metrics else None,
            )
        )
    return arms, list(labels.index), labels.to_numpy()


def read_confidence(project: Project, arm: Arm, ids: list[str]) -> npt.NDArray[np.float64]:
    """Return the probability (0..1) of the class that each picture was given, (S, N)."""
    import pandas as pd

    path = project.input("scores", arm.name, "predictions.csv")
    rows = pd.read_csv(path, dtype={"id": str}, na_filter=False)
    shares = rows[[f"p{number}" for number in range(len(arm.runs[0]["classes"]))]].max(axis=1)
    table = rows.assign(share=shares).pivot(index="seed", columns="id", values="share")
    result: npt.NDArray[np.float64] = table.loc[list(arm.seeds), ids].to_numpy()
    return result


def _say_finding(params: Params, results: list[Result]) -> str:
    """Return the sentences above the table."""
    plain = next((r for r in results if (r.experiment, r.metric) == ("none", "accuracy")), None)
    margin = params.compare.margin / 100
    return say_finding(list_judged(results), plain.mean if plain else None, margin)


def _say_next(
    params: Params,
    arms: list[Arm],
    results: list[Result],
    pictures: int,
    tiles: int,
    ended: bool,
) -> str:
    """Return what to do next; nothing where there is no verdict at all.

    ended: whether a study in rounds is at its end, and no seeds came afterwards.
    """
    lines = list_judged(results)
    if not count_primary(lines):
        return ""
    unsettled = [one for one in lines if one.verdict.primary and one.verdict.verdict not in SETTLED]
    if params.train.rounds and not ended:
        return ""  # there are more rounds to come
    if unsettled and not any(one.verdict.level for one in unsettled):
        return ""  # what the looks have left is told among the notes
    step = find_next_step(arms, lines, params.compare.margin / 100)
    if params.train.rounds:
        runs = [run for arm in arms for run in arm.runs]
        names = list(dict.fromkeys(one.experiment for one in unsettled))
        return say_end(names, step, pictures, len(runs), sum(run["seconds"] for run in runs))
    return say_next(step, pictures, tiles, params.split.folds)


def _list_notes(params: Params, arms: list[Arm]) -> list[str]:
    """Return what has to be known before the table is believed."""
    notes = [note for arm in arms for note in say_broken(arm)]
    if params.train.budget == "epochs":
        notes.append(
            "The arms ran equal epochs, so an arm with more pictures also took more training steps."
        )
    notes += [
        f"{arm.name} trains on labels as they were found and is tested on the corrected ones, like "
        "the others: where it hurts, the corrections helped by as much, and where it helps they "
        "harmed."
        for arm in arms
        if params.experiments[arm.name].labels == "found"
    ]
    controls = (explain_missing_control(params, arm.name) for arm in arms)
    return [*notes, *filter(None, controls)]


def _read_aloud(arms: list[Arm], results: list[Result], folds: int) -> str:
    """Return the small print under the table."""
    accuracy = {r.experiment: r.mean or 0.0 for r in results if r.metric == "accuracy"}
    paragraph = explain(
        list_judged(results),
        stored=[
            arm.name
            for arm in arms
            if any(run["variants"] and not run.get("online") for run in arm.runs)
        ],
        folds=folds,
        best=max(accuracy, key=lambda name: accuracy[name]),
    )
    return "\n".join([paragraph, *_tell_twins(arms)])


def _tell_twins(arms: list[Arm]) -> Iterator[str]:
    """Yield a sentence for each experiment that is another in another order."""
    for arm in arms:
        if arm.twin:
            yield (
                f"{arm.twin} is {arm.name} in another order: a check of the study that is not "
                f"tested, and its runs count as runs of {arm.name} where that is the control."
            )
