"""Section 4: which pictures - what every experiment answered, for the page to compare any two."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, zip_longest

import numpy as np
import numpy.typing as npt

from pipeline.project import Project
from pipeline.report.mistakes import Mistake, find_changes, rank_mistakes
from pipeline.report.pictures import Pictures
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import Arm, find_arm, share_seeds
from pipeline.verdicts.results import Ablation, read_confidence

Places = npt.NDArray[np.intp]

_FIRST = 48  # a number is written as the character of this one and it: "0" and what follows it
_GALLERIES = 2  # of every experiment: so many galleries' pictures are in the page


@dataclass(frozen=True)
class _Answered:
    """What an experiment answered to the W pictures that any experiment got wrong."""

    control: str | None
    seeds: list[int]
    predicted: list[str]  # for each seed a character for each picture
    sure: str  # likewise, per cent, of its usual mistake; 0 where most of its runs are right
    confusion: list[list[int]]  # of all test pictures and runs, by true class and given class


def show_answers(
    project: Project, params: Params, ablation: Ablation, pictures: Pictures
) -> dict[str, object]:
    """Return what galleries and matrices are drawn from, and every class's scores."""
    mistakes = {arm.name: _find_mistakes(project, ablation, arm) for arm in ablation.arms}
    wrong = find_ever_wrong(ablation)
    return {
        "untested": [
            name
            for number, name in enumerate(params.classes)
            if not (ablation.labels == number).any()
        ],
        "names": [arm.name for arm in ablation.arms],
        "scores": {arm.name: _list_scores(params, ablation, arm) for arm in ablation.arms},
        "data": {
            "classes": list(params.classes),
            "gallery": params.report.gallery,
            "first": choose_first(ablation.arms),
            "labels": _write(ablation.labels[wrong]),
            "arms": {
                arm.name: asdict(_gather(arm, mistakes[arm.name], wrong)) for arm in ablation.arms
            },
            "shown": _list_shown(pictures, wrong, _choose_shown(params, ablation, mistakes)),
        },
    }


def choose_first(arms: Sequence[Arm]) -> str:
    """Return the experiment that is shown first: one that is judged, if there is one."""
    judged = (arm for arm in arms if arm.judged and find_arm(arms, arm.control))
    return next(judged, arms[0]).name


def find_ever_wrong(ablation: Ablation) -> Places:
    """Return the places of the test pictures that any run of any experiment got wrong, (W,)."""
    wrong = np.zeros(len(ablation.labels), bool)
    for arm in ablation.arms:
        wrong |= (arm.predicted != ablation.labels).any(axis=0)
    return np.flatnonzero(wrong)


def _find_mistakes(project: Project, ablation: Ablation, arm: Arm) -> list[Mistake]:
    confidence = read_confidence(project, arm, ablation.ids)
    return rank_mistakes(ablation.labels, arm.predicted, confidence)


def _gather(arm: Arm, mistakes: list[Mistake], wrong: Places) -> _Answered:
    """Return an experiment's answers to the pictures at the places `wrong`."""
    sure = np.zeros(arm.predicted.shape[1], int)
    for mistake in mistakes:
        sure[mistake.picture] = max(1, round(100 * mistake.confidence))
    return _Answered(
        arm.control,
        [int(seed) for seed in arm.seeds],
        [_write(row[wrong]) for row in arm.predicted],
        _write(sure[wrong]),
        np.sum([run["confusion"] for run in arm.runs], axis=0).tolist(),
    )


def _write(answers: npt.NDArray[np.integer]) -> str:
    """Write small numbers, a character each."""
    return "".join(chr(_FIRST + number) for number in answers)


def _choose_shown(
    params: Params, ablation: Ablation, mistakes: dict[str, list[Mistake]]
) -> list[int]:
    """Return the places of the test pictures that are in the page: the first of every gallery."""
    galleries = [
        gallery
        for arm in ablation.arms
        for gallery in _list_galleries(ablation, arm, mistakes[arm.name])
    ]
    first = (place for rank in zip_longest(*galleries) for place in rank if place is not None)
    most = _GALLERIES * params.report.gallery * len(ablation.arms)
    return list(islice(dict.fromkeys(first), most))


def _list_galleries(ablation: Ablation, arm: Arm, mistakes: list[Mistake]) -> Iterator[list[int]]:
    """Yield of each class an experiment's mistakes, and what it turned against those before it."""
    galleries = [[mistake.picture for mistake in mistakes]]
    for name in dict.fromkeys((arm.control, "none")):
        control = find_arm(ablation.arms, name)
        if control and control is not arm and (shared := share_seeds(arm, control)):
            before, after = control.answers(shared), arm.answers(shared)
            changes = find_changes(ablation.labels, before, after)
            galleries += [changes.repaired, changes.broken]
    for gallery in galleries:
        for number in range(int(ablation.labels.max()) + 1):
            yield [place for place in gallery if ablation.labels[place] == number]


def _list_shown(pictures: Pictures, wrong: Places, shown: list[int]) -> list[dict[str, object]]:
    """Return the pictures that are in the page; `n`: a picture's number among the W wrong ones."""
    number = {int(place): n for n, place in enumerate(wrong)}
    return [
        {
            "n": number[place],
            "source": figure.source,
            "width": figure.width,
            "sharp": figure.sharp,
            "origin": figure.origin,
            "line": figure.line,
            "file": pictures.file(place),
        }
        for place, figure in zip(shown, pictures.draw(shown), strict=True)
    ]


def _list_scores(params: Params, ablation: Ablation, arm: Arm) -> list[dict[str, object]]:
    """Return precision, recall and F1 by class, and how many test pictures it has.

    A score is its mean and spread, and of how many of the runs they are.
    """
    found = {(r.metric, r.label): r for r in ablation.results if r.experiment == arm.name}
    return [
        {
            "label": name,
            "support": int((ablation.labels == number).sum()),
            **{
                metric: (one.mean, one.sd, one.known, one.runs)
                for metric in ("precision", "recall", "f1")
                for one in [found[metric, name]]
            },
        }
        for number, name in enumerate(params.classes)
    ]
