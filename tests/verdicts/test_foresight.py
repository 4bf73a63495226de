"""What a study will see, before it is trained: judged by simulated studies and by what it lacks."""

import numpy as np
import pytest

from pipeline.verdicts.foresight import PHOTOS, WRITING, Noise, Study, foresee, measure_noise
from pipeline.verdicts.wording import say_foresight

ALONE = [str(number) for number in range(1400)]


def test_more_of_everything_but_lines_lets_see_more():
    plain = foresee(PHOTOS, 500, 500, 5, 8)
    assert foresee(PHOTOS, 1000, 1000, 5, 8) < plain
    assert foresee(PHOTOS, 500, 500, 10, 8) < plain
    assert foresee(PHOTOS, 500, 500, 5, 2) < plain
    assert foresee(PHOTOS, 500, 60, 5, 8) > plain
    assert foresee(WRITING, 500, 500, 5, 8) < plain


def test_cifars_cats_and_dogs_are_foreseen_as_simulated_studies_find_them():
    """Of true differences of 4 points 95 % are found, of 2.5 half: 3 to 4 points 4 times in 5."""
    assert 0.03 < foresee(PHOTOS, 2000, 2000, 5, 8) < 0.04


@pytest.mark.parametrize(("groups", "seeds", "lines"), [(19, 5, 8), (500, 2, 8), (500, 5, 0)])
def test_where_there_will_be_no_verdict_nothing_is_promised(groups, seeds, lines):
    assert foresee(PHOTOS, 500, groups, seeds, lines) is None


def test_noise_is_measured_from_the_runs_that_are_scored():
    """Drawn by a known skill and disagreement, it comes back."""
    dice = np.random.default_rng(0)
    pictures, skill, errors = 1000, 0.02, 0.2
    disagreement = 0.85 * errors
    spread = np.sqrt(skill**2 + disagreement / 2 / pictures)
    runs = 1 - errors + spread * dice.normal(size=(40, 10))
    noise = measure_noise(runs.tolist(), pictures)
    assert noise.disagreement == pytest.approx(disagreement, rel=0.02)
    assert noise.skill == pytest.approx(skill, rel=0.1)


def say(study, tested, every=ALONE):
    return " ".join(say_foresight(study, tested, every))


def test_a_study_that_will_see_something_is_told_what():
    text = say(Study(WRITING, False, 8, 5, 1), ALONE[:900])
    assert text.startswith("Differences in accuracy of about 1.")
    assert "4 times in 5 (by rule of thumb: none is scored yet)." in text
    assert "Before you train" not in text
    assert "(by the runs that are scored)" in say(Study(WRITING, True, 8, 5, 1), ALONE[:900])


def test_a_hopeless_study_is_told_what_to_change_first():
    """3 seeds on 150 test pictures."""
    text = say(Study(PHOTOS, False, 3, 9, 1), ALONE[:150])
    changes = text.split("change what helps most: ")[1]
    assert changes.startswith("split.folds: 5: about ")
    for change in ("train.seeds: 10", "3 experiments"):
        assert change in changes
    seen = [float(part.split("about ")[1].split()[0]) for part in changes.split(";")]
    assert seen == sorted(seen)


def test_too_few_seeds_or_groups_are_told_with_the_cure():
    assert "With 2 seeds there will be no verdict" in say(
        Study(PHOTOS, False, 2, 9, 1), ALONE[:150]
    )
    pages = [f"page {number % 12}" for number in range(150)]
    every = [f"page {number % 60}" for number in range(900)]
    text = say(Study(WRITING, False, 8, 5, 1), pages, every)
    assert "With too few test groups there will be no verdict" in text
    assert "split.folds: 5" in text


def test_where_nothing_is_compared_nothing_is_said():
    assert say(Study(PHOTOS, False, 5, 0, 1), ALONE[:150]) == ""
    assert Study(Noise(0.0, 0.0), True, 5, 3, 1).see(ALONE) > 0  # the floor
