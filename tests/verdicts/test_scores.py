"""Scores of one run, judged by scikit-learn."""

import json
from dataclasses import asdict

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from pipeline.dataset.predictions import choose_classes
from pipeline.verdicts.scores import (
    count_confusion,
    score_run,
    spread_metric,
)

# Four classes of uneven size; 3 is never predicted, 0 is confused with 2.
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
PREDICTED = np.array([0, 0, 0, 2, 2, 1, 1, 0, 2, 1, 0])

classes_of = st.integers(2, 6)


@st.composite
def runs(draw):
    """Draw labels and predictions of one run, and the number of classes."""
    classes = draw(classes_of)
    pictures = draw(st.integers(1, 40))
    integers = hnp.arrays(np.int64, pictures, elements=st.integers(0, classes - 1))
    return draw(integers), draw(integers), classes


def test_scores_by_hand():
    score = score_run(LABELS, PREDICTED, 4)
    assert score.accuracy == 6 / 11
    assert score.confusion == ((3, 0, 2, 0), (1, 2, 0, 0), (0, 1, 1, 0), (1, 0, 0, 0))
    assert score.classes[0].precision == 3 / 5
    assert score.classes[0].recall == 3 / 5
    assert score.classes[2].f1 == 2 * 1 / (2 * 1 + 2 + 1)
    assert [one.support for one in score.classes] == [5, 3, 2, 1]
    assert not score.collapsed


@settings(max_examples=60)
@given(runs())
def test_scores_agree_with_scikit_learn(run):
    labels, predicted, classes = run
    score = score_run(labels, predicted, classes)
    names = list(range(classes))
    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=names, zero_division=np.nan
    )
    for measured, column in zip(score.classes, np.transpose(expected), strict=True):
        ours = [measured.precision, measured.recall, measured.f1, measured.support]
        np.testing.assert_allclose(np.array(ours, dtype=float), column)
    assert np.array_equal(
        score.confusion, metrics.confusion_matrix(labels, predicted, labels=names)
    )
    assert score.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))


@pytest.mark.parametrize("average", ["macro", "weighted"])
@settings(max_examples=60)
@given(run=runs())
def test_means_agree_with_scikit_learn(average, run):
    labels, predicted, classes = run
    # Only classes with test pictures: scikit-learn would give the others a recall of 0.
    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=np.unique(labels), average=average, zero_division=0
    )
    mean = getattr(score_run(labels, predicted, classes), average)
    np.testing.assert_allclose([mean.precision, mean.recall, mean.f1], expected[:3])


def test_what_is_undefined_is_none_and_not_zero():
    score = score_run(np.array([0, 0, 1]), np.array([0, 0, 0]), 3)
    assert score.classes[1].precision is None  # never predicted
    assert score.classes[1].recall == 0.0
    assert score.classes[1].f1 == 0.0
    assert score.classes[2].recall is None  # no test pictures
    assert score.classes[2].f1 is None


def test_a_collapsed_run_is_seen_and_does_not_look_good():
    score = score_run(LABELS, np.full(11, 2), 4)
    assert score.collapsed
    assert score.macro.recall == 0.25
    assert score.macro.precision == pytest.approx(2 / 11 / 4)


def test_a_score_can_be_written_as_json():
    back = json.loads(json.dumps(asdict(score_run(LABELS, PREDICTED, 4))))
    assert back["classes"][3] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert back["confusion"][0] == [3, 0, 2, 0]


def test_the_likeliest_class_is_chosen():
    probabilities = np.array([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4]])
    assert choose_classes(probabilities).tolist() == [1, 0]


def test_probabilities_of_a_diverged_training_are_refused():
    with pytest.raises(ValueError, match="diverged"):
        choose_classes(np.array([[0.5, np.nan]]))


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        (np.array([0, 1]), np.array([0]), r"\(2,\)"),
        (np.array([], dtype=int), np.array([], dtype=int), "N > 0"),
        (np.array([0, 4]), np.array([0, 0]), "0 to 4, expected 0 to 3"),
        (np.array([0, 1]), np.array([-1, 1]), "-1 to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        count_confusion(labels, predicted, 4)


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
@settings(max_examples=60)
@given(run=runs(), label=st.integers(0, 1))
def test_the_parts_of_a_metric_have_the_metric_as_their_mean(metric, run, label):
    labels, predicted, classes = run
    parts = spread_metric(labels, predicted, metric, label)
    expected = getattr(score_run(labels, predicted, classes).classes[label], metric)
    if expected is None:
        assert np.isnan(parts).all()
    else:
        assert parts.mean() == pytest.approx(expected, abs=1e-12)


def test_the_spread_of_precision_is_that_of_a_resampled_test_set():
    """The delta method's standard error against brute force: draw the pictures again."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 600)
    predicted = np.where(rng.random(600) < 0.7, labels, rng.integers(0, 3, 600))
    for metric in ("precision", "f1"):
        parts = spread_metric(labels, predicted, metric, 1)
        again = [rng.integers(0, 600, 600) for _ in range(1000)]
        resampled = [spread_metric(labels[i], predicted[i], metric, 1).mean() for i in again]
        assert parts.std() / np.sqrt(600) == pytest.approx(np.std(resampled), rel=0.08)


def test_a_metric_of_a_class_needs_the_class():
    with pytest.raises(ValueError, match="give its label"):
        spread_metric(LABELS, PREDICTED, "f1")
