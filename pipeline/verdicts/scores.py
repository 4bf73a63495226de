"""Scores of one run: how well the predicted classes agree with the labels.

Contract of the arrays: `labels` int (N,), the true class of each test picture, 0..K-1;
`predicted` int, (N,) for one run or (S, N) for S runs (one a seed) over the same pictures;
`probabilities` float (N, K). All scores are shares between 0 and 1.

Division by zero is never hidden. The recall of a class without test pictures and the precision
of a class that was never predicted are undefined: None, not 0. Means are taken over the classes
that have test pictures; an undefined precision counts as 0 there (scikit-learn's default), so
that a run that collapsed to one class does not look good.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Metric = Literal["accuracy", "recall", "precision", "f1"]


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class; None where the score is undefined. `support`: its test pictures."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class MeanScore:
    """Means over the classes that have test pictures."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Score:
    """Everything measured on one run; `dataclasses.asdict` gives what JSON can hold.

    `confusion[i][j]` counts the pictures of class i that were predicted as j. `macro` weighs
    each class alike, `weighted` by its support. `collapsed`: one class predicted for everything.
    """

    accuracy: float
    macro: MeanScore
    weighted: MeanScore
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    collapsed: bool


def score_run(labels: Integers, predicted: Integers, classes: int) -> Score:
    """Measure one run.

    labels, predicted: (N,), 0..classes-1. Raises ValueError when N is 0, the shapes differ or
    a class lies outside.
    """
    confusion = count_confusion(labels, predicted, classes)
    scores = tuple(_score_class(confusion, label) for label in range(classes))
    support = confusion.sum(axis=1)
    return Score(
        accuracy=float(np.trace(confusion) / support.sum()),
        macro=_mean_scores(scores, (support > 0).astype(np.float64)),
        weighted=_mean_scores(scores, support.astype(np.float64)),
        classes=scores,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        collapsed=bool(np.all(predicted == predicted[0])),
    )


def count_confusion(labels: Integers, predicted: Integers, classes: int) -> npt.NDArray[np.int64]:
    """Count the pictures by true class (rows) and predicted class (columns), (K, K)."""
    if labels.shape != predicted.shape or labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"labels {labels.shape} and predicted {predicted.shape}: one (N,), N > 0")
    both = np.concatenate([labels, predicted])
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(f"classes from {both.min()} to {both.max()}, expected 0 to {classes - 1}")
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _score_class(confusion: npt.NDArray[np.int64], label: int) -> ClassScore:
    hits = int(confusion[label, label])
    support = int(confusion[label].sum())
    claimed = int(confusion[:, label].sum())
    return ClassScore(
        precision=_divide(hits, claimed),
        recall=_divide(hits, support),
        f1=_divide(2 * hits, support + claimed),
        support=support,
    )


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean_scores(scores: tuple[ClassScore, ...], weights: npt.NDArray[np.float64]) -> MeanScore:
    def mean(values: list[float | None]) -> float:
        return float(np.average([value or 0.0 for value in values], weights=weights))

    return MeanScore(
        precision=mean([score.precision for score in scores]),
        recall=mean([score.recall for score in scores]),
        f1=mean([score.f1 for score in scores]),
    )


def spread_metric(
    labels: Integers, predicted: Integers, metric: Metric, label: int | None = None
) -> npt.NDArray[np.float64]:
    """Give each picture its part in a run's metric, so that the parts' mean is the metric.

    predicted: (..., N). For accuracy and for recall among the class's own pictures a part is
    1 or 0, right or wrong. Every metric here is a ratio of two sums, R = sum(a) / sum(b);
    precision and F1, whose b depends on the predictions, are linearised (the delta method):
    part = R + (a - R b) / mean(b). NaN where sum(b) is 0. Returns float (..., N).
    """
    part, whole = _split_ratio(labels, predicted, metric, label)
    mean_whole = whole.mean(axis=-1, keepdims=True)
    mean_whole = np.where(mean_whole > 0, mean_whole, np.nan)
    ratio = part.mean(axis=-1, keepdims=True) / mean_whole
    result: npt.NDArray[np.float64] = ratio + (part - ratio * whole) / mean_whole
    return result


def _split_ratio(
    labels: Integers, predicted: Integers, metric: Metric, label: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if metric == "accuracy":
        part = (predicted == labels).astype(np.float64)
        return part, np.ones_like(part)
    if label is None:
        raise ValueError(f"{metric} is measured on one class: give its label")
    claimed = (predicted == label).astype(np.float64)
    true = np.broadcast_to(labels == label, claimed.shape).astype(np.float64)
    whole = {"recall": true, "precision": claimed, "f1": (true + claimed) / 2}[metric]
    return true * claimed, whole
