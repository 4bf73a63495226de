"""Section 2: how many test pictures each experiment gets wrong, of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.report.mistakes import count_wrong
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import ALL, Arm, list_runs_against, list_runs_of
from pipeline.verdicts.results import Ablation


@dataclass(frozen=True)
class Wrong:
    """How many of a class's test pictures a run gets wrong, in the mean over the seeds."""

    label: str
    wrong: float
    pictures: int
    more: float | None = None  # than the control's runs do; None without a control


def count_by_class(
    classes: Sequence[str], ablation: Ablation, arm: Arm, against: bool = False
) -> list[Wrong]:
    """Return the wrong test pictures of each class that has any, in the runs that scores are of."""

    def count(arms: Sequence[Arm]) -> npt.NDArray[np.float64]:
        predicted = np.concatenate([one.predicted for one in arms])
        return count_wrong(ablation.labels, predicted, len(classes))

    pictures = np.bincount(ablation.labels, minlength=len(classes))
    wrong = count(list_runs_of(ablation.arms, arm))
    base = list_runs_against(ablation.arms, arm) if against else []
    before = count(base) if base else None
    return [
        Wrong(
            name,
            float(wrong[number]),
            int(pictures[number]),
            None if before is None else float(wrong[number] - before[number]),
        )
        for number, name in enumerate(classes)
        if pictures[number]
    ]


def show_wrong(params: Params, ablation: Ablation) -> list[tuple[str, str, list[Wrong]]]:
    """Return each experiment, its control, and its wrong pictures: all, then of each class."""
    return [_show_arm(params.classes, ablation, arm) for arm in ablation.arms]


def _show_arm(classes: Sequence[str], ablation: Ablation, arm: Arm) -> tuple[str, str, list[Wrong]]:
    control = next(iter(list_runs_against(ablation.arms, arm)), None)
    counted = count_by_class(classes, ablation, arm, against=True)
    every = Wrong(
        ALL,
        sum(one.wrong for one in counted),
        len(ablation.ids),
        sum(one.more or 0.0 for one in counted) if control else None,
    )
    return arm.name, control.name if control else "", [every, *counted]
