"""Right and wrong, picture by picture: what was mistaken for what, what an op repaired or broke.

`labels` int (N,), the true class of each test picture; `predicted` int (S, N), for each seed the
class it was given; `confidence` float (S, N), the probability (0..1) of that class.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Mistake:
    """A test picture that most seeds got wrong; `picture` is its place among the labels."""

    picture: int
    label: int
    predicted: int  # the wrong class that most seeds gave
    confidence: float  # mean probability of that class in those seeds
    seeds: int  # that gave it


def rank_mistakes(
    labels: Integers, predicted: Integers, confidence: npt.NDArray[np.floating]
) -> list[Mistake]:
    """Return the pictures that more than half of the seeds got wrong, the surest mistakes first."""
    wrong = (predicted != labels).mean(axis=0) > 0.5
    mistakes = [
        _describe(int(number), int(labels[number]), predicted[:, number], confidence[:, number])
        for number in np.flatnonzero(wrong)
    ]
    return sorted(mistakes, key=lambda mistake: -mistake.confidence)


def count_wrong(labels: Integers, predicted: Integers, class_count: int) -> npt.NDArray[np.float64]:
    """Return how many pictures of each class are wrong, in the mean over the seeds, (K,)."""
    wrong = (predicted != labels).mean(axis=0)
    return np.bincount(labels, weights=wrong, minlength=class_count).astype(np.float64)


def find_usual_mistake(predicted: Integers, label: int) -> int:
    """Return the wrong class that a picture was given most often; the first one on a tie.

    predicted: (S,), of which at least one differs from `label`.
    """
    classes, counts = np.unique(predicted[predicted != label], return_counts=True)
    return int(classes[counts.argmax()])


def _describe(
    picture: int, label: int, predicted: Integers, confidence: npt.NDArray[np.floating]
) -> Mistake:
    chosen = find_usual_mistake(predicted, label)
    given = predicted == chosen
    return Mistake(picture, label, chosen, float(confidence[given].mean()), int(given.sum()))


@dataclass(frozen=True)
class Changes:
    """Places of the test pictures that an experiment turned, those turned in most seeds first."""

    repaired: list[int]
    broken: list[int]


def find_changes(labels: Integers, control: Integers, arm: Integers) -> Changes:
    """Return the pictures turned from wrong to right, and back, in more than half of the seeds.

    control, arm: (S, N), row s of both trained with the same seed; each seed is compared with
    its own partner.
    """
    if control.shape != arm.shape:
        raise ValueError(f"control {control.shape} and arm {arm.shape} must be one (S, N)")
    before, after = control == labels, arm == labels
    return Changes(repaired=_most(~before & after), broken=_most(before & ~after))


def _most(turned: npt.NDArray[np.bool_]) -> list[int]:
    share = turned.mean(axis=0)
    places = np.flatnonzero(share > 0.5)
    return [int(place) for place in places[np.argsort(-share[places], kind="stable")]]
