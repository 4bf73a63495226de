"""prep advise: what an op is worth in training pictures, and what would settle a "cannot tell"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.console import say, show
from pipeline.dataset.reading import read_groups
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Experiment, Params, write_plain
from pipeline.training.plans import choose_experiments
from pipeline.verdicts.ablation import Arm, Result, find_arm, share_seeds
from pipeline.verdicts.estimates import CANNOT_TELL, NO_VERDICT, find_level
from pipeline.verdicts.results import Ablation, list_scored, load_ablation
from pipeline.verdicts.wording import (
    say_numbers,
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
    estimate_worth,
    find_need,
    measure_fall,
)

SHARES = (1.0, 0.5, 0.25)  # of the training tiles: the sizes of a curve


@dataclass(frozen=True)
class _Point:
    """One experiment of the training-size curve."""

    arm: Arm
    share: float
    pictures: float  # training tiles, the mean over folds


def advise(project: Project, params: Params, experiment: str | None = None) -> str:
    """Print the training-size curve, what each op is worth, and what would settle what is open."""
    scored = list_scored(project, params)
    wanted = choose_experiments(params, experiment)
    names = [name for name in wanted if name in scored]
    if not names:
        raise DataError(
            f"no scores yet of {', '.join(wanted)}. Make them with: prep evaluate "
            "(or everything with: dvc repro)"
        )
    ablation = load_ablation(project, params, names=scored)
    group_of = read_groups(project.input("split.csv"))
    groups = np.unique([group_of[name] for name in ablation.ids], return_inverse=True)[1]
    if unscored := [name for name in params.experiments if name not in scored]:
        say(f"No scores yet, so left out: {', '.join(unscored)}. Make them with: dvc repro\n")
    points = _find_points(params, ablation.arms)
    _show_curve(points)
    if len(points) > 1 and points[-1].share == 1:
        say("\n".join(_tell_worths(params, ablation, points, names, groups)) + "\n")
    else:
        say(_tell_missing_curve(params))
    if _show_needs(params, ablation, names):
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
    groups: npt.NDArray[np.intp],
) -> Iterator[str]:
    """Yield a sentence on the curve, one on each experiment, and how it was measured."""
    verdicts = {
        r.experiment: r.verdict.verdict if r.verdict else NO_VERDICT
        for r in ablation.results
        if r.metric == "accuracy"
    }
    curve_arms = [point.arm for point in points]
    sizes = np.array([point.pictures for point in points])
    seeds = share_seeds(*curve_arms)
    if not seeds:
        yield "The sizes of the curve have no seed in common: train them with the same seeds."
        return
    curve = Curve(sizes, _mark_wrong(curve_arms, seeds, ablation.labels))
    fall = measure_fall(curve, groups)
    yield _tell_fall(fall, curve)
    if fall.reason:
        return
    for name in names:
        control = params.control_of(name)
        if control is None or params.experiments[name].share < 1 or params.is_baseline(name):
            continue
        compared, own = (find_arm(ablation.arms, one) for one in (control, name))
        if compared is None or own is None:
            yield f"{name}: cannot tell what it is worth: its control {control} has no scores yet."
            continue
        pair = [compared, own]
        seeds = share_seeds(*curve_arms, *pair)
        if not seeds:
            yield f"{name}: cannot tell what it is worth: it has no seed in common with the curve."
            continue
        wrong = _mark_wrong([*curve_arms, *pair], seeds, ablation.labels)
        worth = estimate_worth(Curve(sizes, wrong[:-2]), wrong[-2], wrong[-1], groups)
        beyond = "" if control == points[-1].arm.name else f" (beyond {control})"
        yield say_worth(f"{name}{beyond}", worth, points[-1].pictures, verdicts[name])
    yield _tell_method(params, curve, fall)


def _mark_wrong(
    arms: Sequence[Arm], seeds: Sequence[int], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """Return which test pictures each arm got wrong with each seed: (arms, S, N), 1 or 0."""
    answers = np.array([arm.answers(seeds) for arm in arms])
    wrong: npt.NDArray[np.float64] = np.not_equal(answers, labels).astype(np.float64)
    return wrong


def _tell_fall(fall: Fall, curve: Curve) -> str:
    """Say what more pictures would bring."""
    if fall.low is None or fall.high is None:
        return f"What more pictures would bring can't be told: {fall.reason}."
    share = f"{100 * fall.share:.0f} % of the errors"
    if not fall.reason:
        errors = float(curve.wrong[-1].mean())
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
    points, seeds, pictures = curve.wrong.shape
    sizes = f"{'the last' if fall.points < points else 'these'} {fall.points} sizes"
    bent = ", before which the curve bends" if fall.bent else ""
    epochs = params.train.budget == "epochs"
    budget = " The runs had equal epochs: fewer pictures also meant fewer steps." if epochs else ""
    return (
        f"Measured with {seeds} seeds on {pictures:,} test pictures, 95 % intervals. Errors are "
        f"taken to fall by the same factor with each doubling, as they do through {sizes}{bent}; "
        f"nothing is read off beyond {2**REACH:.0f} times the pictures or a quarter of "
        f"them.{budget}"
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
        "What an op is worth in training pictures needs a training-size curve: what training "
        "without it scores on less. Add these lines to experiments in params.yaml\n\n"
        f"{lines}\n\nand run: dvc repro, then again: prep advise\n"
    )


# --- what would settle it -------------------------------------------------------------------


def _show_needs(params: Params, ablation: Ablation, names: Sequence[str]) -> bool:
    """Print what would settle each "cannot tell" of the chosen experiments; was there any?"""
    level = find_level([r.verdict.adjusted_p for r in ablation.results if r.verdict])
    unclear = [r for r in ablation.results if r.experiment in names and _is_unclear(r)]
    if not unclear:
        say('There is no "cannot tell" to settle.\n')
        return False
    margin = params.compare.margin / 100
    columns = [
        "experiment",
        "on",
        "difference",
        "seeds",
        "or test pictures",
        "or seeds and pictures",
    ]
    rows = [_tell_need(result, level, margin) for result in unclear]
    show('What would settle each "cannot tell"', columns, rows)
    points = "1 point" if params.compare.margin == 1 else f"{params.compare.margin:g} points"
    say(
        f"So many in all would settle a line (helps, hurts, or no effect beyond {points}) 4 times "
        "in 5, if the true difference is the measured one. That is not known, so take the numbers "
        "as rough. For a recall only pictures of its class count. never: however many, the noise "
        "of the others stays.\n"
    )
    return True


def _is_unclear(result: Result) -> bool:
    """Return whether nothing can be told of a line that has a verdict."""
    return result.verdict is not None and result.verdict.verdict == CANNOT_TELL


def _tell_need(result: Result, level: float, margin: float) -> list[str]:
    """Return a row: which line, its difference, and what would settle it."""
    estimate = result.estimate
    assert estimate is not None
    on = "accuracy" if result.metric == "accuracy" else f"{result.metric} of {result.label}"
    need = find_need(estimate, level, margin)
    difference = write_difference(estimate.difference)
    numbers = say_numbers(need, estimate.seeds, estimate.pictures)
    return [result.experiment, on, difference, *numbers]


def _tell_folds(params: Params, tested: int, tiles: int) -> str:
    """Say how the pictures that there are could all be test pictures, if they are not yet."""
    if params.split.folds > 1 or any(source.split == "test" for source in params.sources):
        return ""
    folds = max(round(tiles / tested), 2)
    return (
        f"Where test pictures help, there are more: with split.folds: {folds} in params.yaml all "
        f"{tiles:,} tiles are tested instead of {tested:,}, in {folds} times as many trainings.\n"
    )
