"""The one thing to do next: what settles a line that is not, with the least training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.verdicts.ablation import Arm, Judged, find_arm
from pipeline.verdicts.families import SETTLED
from pipeline.verdicts.worth import MOST_SEEDS, MOST_TIMES, find_need


@dataclass(frozen=True)
class NextStep:
    """More seeds of an experiment and its control, or (`seeds` None) more test pictures.

    `seeds`: how many each of `arms` has in the end; `trainings` more, which take `seconds`.
    `pictures`: how many test pictures in all, with the seeds that there are.
    """

    experiment: str
    label: str
    arms: tuple[str, ...] = ()
    seeds: int | None = None
    trainings: int = 0
    seconds: float = 0.0
    pictures: float = math.inf


def find_next_step(arms: Sequence[Arm], lines: Sequence[Judged], margin: float) -> NextStep | None:
    """Return what settles a line 4 times in 5, if its difference is as measured.

    margin: share. None where all are settled.
    """
    steps = [
        _find_step(arms, line, margin)
        for line in lines
        if line.verdict.primary and line.verdict.level and line.verdict.verdict not in SETTLED
    ]
    if not steps:
        return None
    by_seeds = [step for step in steps if step.seeds is not None]
    if by_seeds:
        return min(by_seeds, key=lambda step: step.seconds)
    return min(steps, key=lambda step: step.pictures)


def _find_step(arms: Sequence[Arm], line: Judged, margin: float) -> NextStep:
    """Return what settles one line."""
    level = line.verdict.level
    assert level is not None
    need = find_need(line.estimate, level, margin)
    if need.seeds > MOST_SEEDS:
        pictures = need.pictures / line.estimate.pictures
        return NextStep(
            line.experiment,
            line.label,
            pictures=need.pictures if pictures <= MOST_TIMES else math.inf,
        )
    seeds, trainings, seconds = int(need.seeds), 0, 0.0
    pair = [arm for arm in (find_arm(arms, line.experiment), find_arm(arms, line.control)) if arm]
    for arm in pair:
        folds = len(arm.runs) / len(arm.seeds)
        more = round(max(seeds - len(arm.seeds), 0) * folds)
        trainings += more
        seconds += more * float(np.mean([run["seconds"] for run in arm.runs]))
    names = tuple(arm.name for arm in pair)
    return NextStep(line.experiment, line.label, names, seeds, trainings, seconds)
