"""Section 4: which pictures - what every experiment answered, for the page to compare any two."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, zip_longest

import numpy as np
import numpy.typing as npt

from pipeline.report.figures import describe
from pipeline.report.mistakes import Mistake, find_changes, rank_mistakes
from pipeline.report.pictures import Drawn
from pipeline.verdicts.ablation import Arm, Result, find_arm, list_runs_of, share_seeds

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
    tested: int  # how often each picture counts there: as in its scores with its twin's runs


@dataclass(frozen=True)
class Tested:
    """What some experiments said of the same N test pictures."""

    classes: Sequence[str]
    labels: npt.NDArray[np.int64]  # (N,)
    arms: Sequence[Arm]
    results: Sequence[Result]  # their scores
    confidence: Mapping[str, npt.NDArray[np.float64]]  # by name, of what they said, (S, N)


def show_answers(tested: Tested, pictures: Drawn, gallery: int) -> dict[str, object]:
    """Return what galleries (of so many pictures) and matrices are drawn from, and the scores."""
    mistakes = {
        arm.name: rank_mistakes(tested.labels, arm.predicted, tested.confidence[arm.name])
        for arm in tested.arms
    }
    wrong = find_ever_wrong(tested.labels, tested.arms)
    shown = _choose_shown(tested, mistakes, gallery)
    return {
        "untested": [
            name
            for number, name in enumerate(tested.classes)
            if not (tested.labels == number).any()
        ],
        "names": [arm.name for arm in tested.arms],
        "scores": {arm.name: _list_scores(tested, arm) for arm in tested.arms},
        "data": {
            "classes": list(tested.classes),
            "gallery": gallery,
            "first": choose_first(tested.arms),
            "labels": _write(tested.labels[wrong]),
            "arms": {
                arm.name: asdict(_gather(tested, arm, mistakes[arm.name], wrong))
                for arm in tested.arms
            },
            "shown": _list_shown(pictures, wrong, shown),
        },
    }


def choose_first(arms: Sequence[Arm]) -> str:
    """Return the experiment that is shown first: one that is judged, if there is one."""
    judged = (arm for arm in arms if arm.judged and find_arm(arms, arm.control))
    return next(judged, arms[0]).name


def find_ever_wrong(labels: npt.NDArray[np.integer], arms: Sequence[Arm]) -> Places:
    """Return the places of the test pictures that any run of any experiment got wrong, (W,)."""
    wrong = np.zeros(len(labels), bool)
    for arm in arms:
        wrong |= (arm.predicted != labels).any(axis=0)
    return np.flatnonzero(wrong)


def _gather(tested: Tested, arm: Arm, mistakes: list[Mistake], wrong: Places) -> _Answered:
    """Return an experiment's answers to the pictures at the places `wrong`."""
    sure = np.zeros(arm.predicted.shape[1], int)
    for mistake in mistakes:
        sure[mistake.picture] = max(1, round(100 * mistake.confidence))
    counted = list_runs_of(tested.arms, arm)
    return _Answered(
        arm.control,
        [int(seed) for seed in arm.seeds],
        [_write(row[wrong]) for row in arm.predicted],
        _write(sure[wrong]),
        np.sum([run["confusion"] for one in counted for run in one.runs], axis=0).tolist(),
        sum(len(one.seeds) for one in counted),
    )


def _write(answers: npt.NDArray[np.integer]) -> str:
    """Write small numbers, a character each."""
    return "".join(chr(_FIRST + number) for number in answers)


def _choose_shown(tested: Tested, mistakes: Mapping[str, list[Mistake]], gallery: int) -> list[int]:
    """Return the places of the test pictures that are in the page: the first of every gallery."""
    galleries = [
        one for arm in tested.arms for one in _list_galleries(tested, arm, mistakes[arm.name])
    ]
    first = (place for rank in zip_longest(*galleries) for place in rank if place is not None)
    return list(islice(dict.fromkeys(first), _GALLERIES * gallery * len(tested.arms)))


def _list_galleries(tested: Tested, arm: Arm, mistakes: list[Mistake]) -> Iterator[list[int]]:
    """Yield of each class an experiment's mistakes, and what it turned against those before it."""
    galleries = [[mistake.picture for mistake in mistakes]]
    for name in dict.fromkeys((arm.control, "none")):
        control = find_arm(tested.arms, name)
        if control and control is not arm and (shared := share_seeds(arm, control)):
            before, after = control.answers(shared), arm.answers(shared)
            changes = find_changes(tested.labels, before, after)
            galleries += [changes.repaired, changes.broken]
    for places in galleries:
        for number in range(len(tested.classes)):
            yield [place for place in places if tested.labels[place] == number]


def _list_shown(pictures: Drawn, wrong: Places, shown: list[int]) -> list[dict[str, object]]:
    """Return the pictures that are in the page; `n`: a picture's number among the W wrong ones."""
    number = {int(place): n for n, place in enumerate(wrong)}
    return [
        {"n": number[place], **describe(figure), "file": pictures.file(place)}
        for place, figure in zip(shown, pictures.draw(shown), strict=True)
    ]


def _list_scores(tested: Tested, arm: Arm) -> list[dict[str, object]]:
    """Return precision, recall and F1 by class, and how many test pictures it has.

    A score is its mean and spread, and of how many of the runs they are.
    """
    found = {(r.metric, r.label): r for r in tested.results if r.experiment == arm.name}
    return [
        {
            "label": name,
            "support": int((tested.labels == number).sum()),
            **{
                metric: (one.mean, one.sd, one.known, one.runs)
                for metric in ("precision", "recall", "f1")
                for one in [found[metric, name]]
            },
        }
        for number, name in enumerate(tested.classes)
    ]
