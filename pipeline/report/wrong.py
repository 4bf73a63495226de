"""Section 2: how many test pictures each experiment gets wrong, of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.report.mistakes import count_wrong
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import ALL, Arm, find_arm
from pipeline.verdicts.results import Ablation


@dataclass(frozen=True)
class Wrong:
    """How many of a class's test pictures a run gets wrong, in the mean over the seeds."""

    label: str
    wrong: float
    pictures: int
    more: float | None = None  # than the control's runs do; None without a control


def count_by_class(
    classes: Sequence[str], ablation: Ablation, arm: Arm, control: Arm | None = None
) -> list[Wrong]:
    """Return the wrong test pictures of each class that has any."""
    pictures = np.bincount(ablation.labels, minlength=len(classes))
    wrong = count_wrong(ablation.labels, arm.predicted, len(classes))
    before = count_wrong(ablation.labels, control.predicted, len(classes)) if control else None
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
    control = find_arm(ablation.arms, arm.control)
    counted = count_by_class(classes, ablation, arm, control)
    every = Wrong(
        ALL,
        sum(one.wrong for one in counted),
        len(ablation.ids),
        sum(one.more or 0.0 for one in counted) if control else None,
    )
    return arm.name, control.name if control else "", [every, *counted]
