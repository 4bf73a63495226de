"""What each tile is read as by a judge that has not seen it, nor any of its group.

`seen` are descriptions float32 (N, D) (see `appearance`); `labels` int (N,), indices into the
classes; `folds` int (N,): tiles of a fold are judged by what was learnt from all others. The judge
is kernel ridge regression on the labels, one-hot, with `_LANDMARKS` tiles as its centres (all,
where there are no more): what a fold adds to the equations is taken out again to judge it, so that
all folds cost little more than one.

The errors are ranked by self-confidence, and counted as likely where another class reaches what its
own tiles reach on average (Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty
in dataset labels, 2021).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

_LANDMARKS = 2000
_WIDTH = 0.25  # of the kernel: exp(-_WIDTH * squared distance)
_RIDGE = 0.2
_AT_ONCE = 2000  # tiles
_ERRORS = 0.02  # share of wrong labels that the probabilities allow for
_SHARPEST = 50.0  # how much scores may be stretched to become probabilities


@dataclass(frozen=True)
class Judged:
    """The probabilities (N, K) of each tile's classes, 0..1, and what follows from them."""

    labels: Integers  # (N,)
    probabilities: Floats  # (N, K)

    @property
    def read_as(self) -> Integers:
        """(N,) the likeliest class."""
        found: Integers = self.probabilities.argmax(axis=1)
        return found

    @property
    def self_confidence(self) -> Floats:
        """(N,) the probability of the tile's own label."""
        own: Floats = self.probabilities[np.arange(len(self.labels)), self.labels]
        return own

    def rank(self) -> Integers:
        """Return the tiles that are read as another class, the least self-confident first."""
        own = self.self_confidence
        other = np.flatnonzero(self.read_as != self.labels)
        ranked: Integers = other[np.argsort(own[other], kind="stable")]
        return ranked

    def find_likely(self) -> Mask:
        """Return which tiles are likely label errors.

        They are read as another class with at least the probability that this class's own tiles
        have on average.
        """
        count = self.probabilities.shape[1]
        own = self.self_confidence
        sums = np.bincount(self.labels, own, count)
        average = sums / np.maximum(np.bincount(self.labels, minlength=count), 1)
        read_as = self.read_as
        likely: Mask = (read_as != self.labels) & (
            self.probabilities.max(axis=1) >= average[read_as]
        )
        return likely


def judge_out_of_fold(
    seen: npt.NDArray[np.float32], labels: Integers, folds: Integers, class_count: int
) -> Judged:
    """Judge each tile by what was learnt from the tiles of all other folds.

    A tile whose own class is in no other fold can't be judged: its label is taken as right. Raises
    ValueError when the arrays do not fit each other.
    """
    if not len(seen) == len(labels) == len(folds) or not len(labels):
        raise ValueError("descriptions, labels and folds must be of the same tiles, (N, ...)")
    if not 0 <= labels.min() <= labels.max() < class_count:
        raise ValueError(f"labels must be within 0..{class_count - 1}")
    scores = _score(seen, labels, folds, class_count)
    present = _find_present(labels, folds, class_count)
    scores = np.where(present[folds], scores, -np.inf)
    judged = present[folds, labels]
    scores[~judged] = 0.0
    probabilities = _to_probabilities(scores, labels, judged)
    probabilities[~judged] = np.eye(class_count)[labels[~judged]]
    return Judged(labels, probabilities)


def _find_present(labels: Integers, folds: Integers, class_count: int) -> Mask:
    """Return which classes (F, K) each fold is judged with: those of tiles outside of it."""
    inside = np.zeros((folds.max() + 1, class_count), np.intp)
    np.add.at(inside, (folds, labels), 1)
    present: Mask = inside.sum(axis=0) > inside
    return present


def _score(
    seen: npt.NDArray[np.float32], labels: Integers, folds: Integers, class_count: int
) -> npt.NDArray[np.float64]:
    """Return the score (N, K) of each class: about 1 - 1/K for the right one, else -1/K."""
    from scipy.linalg import solve

    rows = np.linspace(0, len(seen) - 1, min(_LANDMARKS, len(seen))).astype(int)
    marks = seen[rows]
    wanted = np.eye(class_count)[labels] - 1 / class_count
    fold_count, size = int(folds.max()) + 1, len(marks)
    left = np.zeros((fold_count, size, size))
    right = np.zeros((fold_count, size, class_count))
    for fold in range(fold_count):
        for part in _in_parts(np.flatnonzero(folds == fold)):
            near = _measure_nearness(seen[part], marks)
            left[fold] += near.T @ near
            right[fold] += near.T @ wanted[part]
    ridge = _RIDGE * _measure_nearness(marks, marks)
    # Equal tiles make equal columns: a millionth keeps the equations solvable.
    ridge[np.diag_indices(size)] += 1e-6 * np.trace(left.sum(axis=0)) / size
    whole, answers = left.sum(axis=0) + ridge, right.sum(axis=0)
    scores = np.empty((len(seen), class_count))
    for fold in range(fold_count):
        weights = solve(whole - left[fold], answers - right[fold], assume_a="pos")
        for part in _in_parts(np.flatnonzero(folds == fold)):
            scores[part] = _measure_nearness(seen[part], marks) @ weights
    return scores


def _in_parts(rows: Integers) -> Iterator[Integers]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _measure_nearness(
    some: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return how near descriptions are to others, (n, M): 1 the same, 0 nothing in common."""
    one, other = some.astype(np.float64), others.astype(np.float64)
    squares = (one * one).sum(axis=1)[:, None] + (other * other).sum(axis=1)
    nearness: npt.NDArray[np.float64] = np.exp(_WIDTH * np.minimum(2 * one @ other.T - squares, 0))
    return nearness


def _to_probabilities(
    scores: npt.NDArray[np.float64], labels: Integers, judged: Mask
) -> npt.NDArray[np.float64]:
    """Return probabilities: scores stretched until they fit the labels best, some being wrong."""
    from scipy.optimize import minimize_scalar

    known, own = scores[judged], labels[judged]
    if not len(known):
        return _share_out(scores)

    def measure_misfit(stretch: float) -> float:
        given = _share_out(known * stretch)[np.arange(len(own)), own]
        return -float(np.log((1 - _ERRORS) * given + _ERRORS / scores.shape[1]).mean())

    found = minimize_scalar(measure_misfit, bounds=(1.0, _SHARPEST), method="bounded")
    return _share_out(scores * float(found.x))


def _share_out(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the softmax of scores (N, K)."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares
