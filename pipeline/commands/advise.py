"""prep advise: what an op is worth in training pictures, and what would settle what is open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.console import say, show
from pipeline.dataset.reading import read_groups
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Params, write_plain
from pipeline.settings.sections import Experiment
from pipeline.training.plans import choose_experiments
from pipeline.verdicts.ablation import ALL, Arm, Judged, list_judged, list_measures
from pipeline.verdicts.estimates import Sums
from pipeline.verdicts.families import NO_VERDICT, SETTLED
from pipeline.verdicts.results import Ablation, list_scored, load_ablation
from pipeline.verdicts.wording import (
    say_numbers,
    say_points,
    say_worth,
    write_difference,
    write_mean,
    write_percent,
)
from pipeline.verdicts.worth import (
    MOST_SEEDS,
    REACH,
    Curve,
    Fall,
    Need,
    estimate_worth,
    find_need,
    measure_fall,
)

MOST_LINES = 5  # that are shown unless all are asked for
SHARES = (1.0, 0.5, 0.25)  # of the training tiles: the sizes of a curve


@dataclass(frozen=True)
class _Point:
    """One experiment of the training-size curve."""

    arm: Arm
    share: float
    pictures: float  # training tiles, the mean over folds


def advise(
    project: Project, params: Params, experiment: str | None = None, everything: bool = False
) -> str:
    """Print the training-size curve, what each op is worth, and what would settle what is open.

    Of open lines the five that are settled most cheaply, unless everything is asked for.
    """
    scored = list_scored(project, params)
    wanted = choose_experiments(params, experiment)
    names = [name for name in wanted if name in scored]
    if not names:
        raise DataError(
            f"no scores yet of {', '.join(wanted)}. Make them with: prep train "
            "(or everything with: dvc repro)"
        )
    ablation = load_ablation(project, params, names=scored)
    group_of = read_groups(project.input("split.csv"))
    groups = np.array([group_of[name] for name in ablation.ids], object)
    accuracy = next(list_measures(ablation.labels, groups, len(params.classes)))
    wrong = {arm.name: _flip_sums(accuracy.sum_parts(arm)) for arm in ablation.arms}
    if unscored := [name for name in params.experiments if name not in scored]:
        say(f"No scores yet, so left out: {', '.join(unscored)}. Make them with: dvc repro\n")
    points = _find_points(params, ablation.arms)
    _show_curve(points)
    if len(points) > 1 and points[-1].share == 1:
        say("\n".join(_tell_worths(params, ablation, points, names, wrong)) + "\n")
    else:
        say(_tell_missing_curve(params))
    if _show_needs(params, ablation, names, everything):
        say(_tell_folds(params, len(ablation.ids), len(group_of)))
    return "nothing written"


# --- the curve and the worth ----------------------------------------------------------------


def _find_points(params: Params, arms: Sequence[Arm]) -> list[_Point]:
    """Return the experiments that differ from `none` in nothing but their share, by size.

    Of two with as many pictures (groups stay whole) it is the one with the larger share.
    """
    points: dict[float, _Point] = {}
    for arm in sorted(arms, key=lambda arm: -params.experiments[arm.name].share):
        experiment = params.experiments[arm.name]
        if _is_size(experiment):
            pictures = float(np.mean([run["originals"] for run in arm.runs]))
            points.setdefault(pictures, _Point(arm, experiment.share, pictures))
    return [points[pictures] for pictures in sorted(points)]


def _is_size(experiment: Experiment) -> bool:
    """Return whether an experiment differs from `none` in nothing but its share."""
    return not experiment.ops and experiment.balance == "none"


def _show_curve(points: Sequence[_Point]) -> None:
    """Print the accuracy at each size, mean and standard deviation over the runs."""
    rows = []
    for point in points:
        scores = np.array([run["accuracy"] for run in point.arm.runs])
        spread = float(scores.std(ddof=1)) if len(scores) > 1 else None
        score = write_mean(float(scores.mean()), spread)
        numbers = f"{100 * point.share:g}", f"{point.pictures:,.0f}", score
        rows.append([point.arm.name, *numbers])
    if rows:
        columns = ["experiment", "share (%)", "training pictures", "accuracy (%)"]
        show("Training-size curve", columns, rows)


def _tell_worths(
    params: Params,
    ablation: Ablation,
    points: Sequence[_Point],
    names: Sequence[str],
    wrong: Mapping[str, Sums],
) -> Iterator[str]:
    """Yield a sentence on the curve, one on each experiment, and how it was measured."""
    verdicts = {
        r.experiment: r.verdict.verdict if r.verdict else NO_VERDICT
        for r in ablation.results
        if r.metric == "accuracy"
    }
    sizes = np.array([point.pictures for point in points])
    curve = Curve(sizes, [wrong[point.arm.name] for point in points])
    fall = measure_fall(curve)
    yield _tell_fall(fall, curve)
    if fall.reason:
        return
    for name in names:
        control = params.control_of(name)
        if control is None or params.experiments[name].share < 1 or params.is_baseline(name):
            continue
        if control not in wrong:
            yield f"{name}: what it is worth is open: its control {control} has no scores yet."
            continue
        worth = estimate_worth(curve, wrong[control], wrong[name])
        beyond = "" if control == points[-1].arm.name else f" (beyond {control})"
        yield say_worth(f"{name}{beyond}", worth, points[-1].pictures, verdicts[name])
    yield _tell_method(params, curve, fall)


def _flip_sums(right: Sums | None) -> Sums:
    """Return what an arm's runs got wrong, from what they got right."""
    assert right is not None  # every picture counts for the accuracy
    return Sums(right.sizes - right.totals, right.sizes)


def _tell_fall(fall: Fall, curve: Curve) -> str:
    """Say what more pictures would bring."""
    if fall.low is None or fall.high is None:
        return f"What more pictures would bring can't be told: {fall.reason}."
    share = f"{100 * fall.share:.0f} % of the errors"
    if not fall.reason:
        errors = float(curve.wrong[-1].scores.mean())
        before, after = map(write_percent, (1 - errors, 1 - errors * (1 - fall.share)))
        return (
            f"Twice the training pictures take off {share} (between {100 * fall.low:.0f} and "
            f"{100 * fall.high:.0f} %): from {before} % accuracy to about {after} %."
        )
    if fall.share <= 0:
        return "More training pictures made no fewer errors, so no op can be held against them."
    enough = f"; roughly {fall.seeds:.0f} seeds could tell" if fall.seeds <= MOST_SEEDS else ""
    return (
        f"Twice the training pictures took off {share}, which can't be told from none{enough}. "
        "So no op can be held against more pictures yet."
    )


def _tell_method(params: Params, curve: Curve, fall: Fall) -> str:
    """Say what the worths rest on."""
    points, pictures = len(curve.wrong), int(curve.wrong[-1].sizes.sum())
    seeds = min(len(one.totals) for one in curve.wrong)
    sizes = f"{'the last' if fall.points < points else 'these'} {fall.points} sizes"
    bent = ", before which the curve bends" if fall.bent else ""
    epochs = params.train.budget == "epochs"
    budget = " The runs had equal epochs: fewer pictures also meant fewer steps." if epochs else ""
    return (
        f"Measured with {seeds} seeds or more on {pictures:,} test pictures, 95 % intervals. "
        "Errors are taken to fall by the same factor with each doubling, as they do through "
        f"{sizes}{bent}; nothing is read off beyond {2**REACH:.0f} times the pictures or a quarter "
        f"of them.{budget}"
    )


def _tell_missing_curve(params: Params) -> str:
    """Say which lines to add for a training-size curve, and what to run."""
    there = {plain.share for plain in params.experiments.values() if _is_size(plain)}
    shares = [share for share in SHARES if share not in there]
    if not shares:
        return (
            "What an op is worth in training pictures needs the scores of more sizes of the "
            "training-size curve.\n"
        )
    lines = "\n".join(f"  {write_plain(share)}" for share in shares)
    return (
        "What an op is worth in training pictures needs a training-size curve: how well training "
        "without ops does on fewer. Add these lines to experiments in params.yaml\n\n"
        f"{lines}\n\nand run: dvc repro, then again: prep advise\n"
    )


# --- what would settle it -------------------------------------------------------------------


def _show_needs(params: Params, ablation: Ablation, names: Sequence[str], everything: bool) -> bool:
    """Print what would settle each open line of the chosen experiments; was there any?"""
    judged = [line for line in list_judged(ablation.results) if line.experiment in names]
    unclear = [line for line in judged if _is_unclear(line, everything)]
    say(_tell_silent(judged))
    if not unclear:
        unspent = all(line.verdict.verdict in SETTLED for line in judged if line.verdict.primary)
        say(
            "All is settled that has a verdict.\n"
            if unspent
            else "Nothing more can be said of this test set: the looks at it have spent the 5 %.\n"
        )
        return False
    margin = params.compare.margin / 100
    columns = ["experiment", "on", "difference", "seeds", "or test pictures", "or both"]
    needs = [find_need(line.estimate, line.verdict.level or 1.0, margin) for line in unclear]
    order = sorted(range(len(needs)), key=lambda place: (needs[place].seeds, needs[place].pictures))
    shown = order if everything else order[:MOST_LINES]
    rows = [_tell_need(unclear[place], needs[place]) for place in shown]
    show("What would settle what is not settled", columns, rows)
    more = len(order) - len(shown)
    points = say_points(margin)
    say(
        (f"{more} more: prep advise --all. " if more else "")
        + f"So many in all would settle a line (helps, hurts, or no effect beyond {points}) 4 "
        "times in 5, if the true difference is the measured one. That is not known, so take the "
        "numbers as rough. For a recall only pictures of its class count. never: however many, the "
        "noise of the others stays.\n"
    )
    return True


def _is_unclear(line: Judged, everything: bool) -> bool:
    """Return whether a line could have a verdict and has none; recalls only if all is asked for."""
    if not line.verdict.level:
        return False
    return line.verdict.verdict not in SETTLED and (everything or line.verdict.primary)


def _tell_silent(judged: Sequence[Judged]) -> str:
    """Say why there is no verdict where there is none, and what would give one."""
    reasons = {
        line.verdict.reason: None
        for line in judged
        if line.verdict.verdict == NO_VERDICT and line.label == ALL
    }
    told = []
    for reason in reasons:
        cure = "set seeds: 5 under train in params.yaml"
        if "test group" in reason:
            cure = (
                "more pages, writers or photos, or split.folds: 5 in params.yaml, with which every "
                "group is tested"
            )
        told.append(f"No verdict: {reason}. What would give one: {cure}.")
    return "\n".join([*told, ""]) if told else ""


def _tell_need(line: Judged, need: Need) -> list[str]:
    """Return a row: which line, its difference, and what would settle it."""
    on = "accuracy" if line.metric == "accuracy" else f"{line.metric} of {line.label}"
    difference = write_difference(line.estimate.difference)
    numbers = say_numbers(need, line.estimate.seeds, line.estimate.pictures)
    return [line.experiment, on, difference, *numbers]


def _tell_folds(params: Params, tested: int, tiles: int) -> str:
    """Say how the pictures that there are could all be test pictures, if they are not yet."""
    if params.split.folds > 1 or any(source.split == "test" for source in params.sources):
        return ""
    folds = max(round(tiles / tested), 2)
    return (
        f"Where test pictures help, there are more: with split.folds: {folds} in params.yaml all "
        f"{tiles:,} tiles are tested instead of {tested:,}, in {folds} times as many trainings.\n"
    )
