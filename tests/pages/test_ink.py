"""Ink is judged by pictures mixed from known shares of paper and pen under known light."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.pages import ink

PENS = {"black": (28, 26, 26), "blue": (38, 52, 150), "red": (178, 34, 40), "pencil": (88, 88, 92)}


def draw_strokes(height: int = 323, width: int = 451) -> npt.NDArray[np.float64]:
    """Return true coverage (h, w): a slanted bar and a ring, with edges two pixels soft."""
    drawn = np.zeros((height, width), np.uint8)
    cv2.line(drawn, (60, 250), (140, 60), 255, 9)
    cv2.circle(drawn, (300, 150), 60, 255, 9)
    return cv2.GaussianBlur(drawn, (0, 0), 1.0) / 255.0


def light_of(shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return a light (h, w, 1) that falls off to the right and has a shadow across it."""
    x = np.arange(shape[1]) + 0.4 * np.arange(shape[0])[:, None]
    shadow = 1 - 0.4 / (1 + np.exp(-(x - 260) / 12))
    return (shadow * np.linspace(1, 0.8, shape[1]))[..., None]


def photograph(
    coverage: npt.NDArray[np.float64], pen: tuple[int, int, int]
) -> npt.NDArray[np.uint8]:
    """Mix paper and pen by coverage, in uneven light, with a little grain."""
    share = coverage[..., None]
    picture = ((246, 243, 232) * (1 - share) + np.array(pen) * share) * light_of(coverage.shape)
    grain = np.random.default_rng(3).normal(0, 1.5, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def read(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the coverage that the module reads from a picture."""
    density = ink.measure_density(picture, ink.estimate_paper(picture))
    return ink.measure_coverage(density, ink.estimate_full_ink(density), stroke=3)


@pytest.mark.parametrize("pen", PENS.values(), ids=PENS)
def test_coverage_is_the_same_for_every_pen_in_any_light(pen: tuple[int, int, int]) -> None:
    truth = draw_strokes()
    coverage = read(photograph(truth, pen)) / 255
    assert np.mean(coverage[truth < 0.01] > 0.2) < 0.001
    assert np.mean(coverage[truth > 0.99]) > 0.97
    halves = (coverage >= 0.5) ^ (truth >= 0.5)
    assert halves.sum() < 0.05 * (truth >= 0.5).sum()


def test_a_soft_edge_keeps_its_grey() -> None:
    truth = draw_strokes()
    coverage = read(photograph(truth, PENS["black"])) / 255
    edge = (truth > 0.3) & (truth < 0.7)
    assert np.mean((coverage[edge] > 0.05) & (coverage[edge] < 0.95)) > 0.95
    assert np.corrcoef(coverage[edge], truth[edge])[0, 1] > 0.9


def test_paper_is_estimated_under_strokes_and_across_a_shadow() -> None:
    truth = draw_strokes()
    bare = photograph(np.zeros_like(truth), PENS["black"]).astype(float)
    paper = ink.estimate_paper(photograph(truth, PENS["black"])).astype(float)
    error = np.abs(paper - cv2.GaussianBlur(bare, (0, 0), 3))
    assert np.percentile(error, 99) < 8


def test_chalk_is_turned_dark_and_ink_is_left() -> None:
    picture = photograph(draw_strokes(), PENS["blue"])
    np.testing.assert_array_equal(ink.darken_writing(picture), picture)
    np.testing.assert_array_equal(ink.darken_writing(255 - picture), picture)


def test_bare_paper_has_no_full_ink() -> None:
    picture = photograph(np.zeros((200, 301)), PENS["black"])
    assert ink.estimate_full_ink(ink.measure_density(picture, ink.estimate_paper(picture))) == 0


def test_noise_is_the_standard_deviation_in_spite_of_ink() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, (400, 500)).astype(np.float32)
    noise[50:90, 40:400] += 0.7
    assert ink.estimate_noise(noise) == pytest.approx(0.02, rel=0.15)


def test_ink_color_is_the_mean_of_the_missing_light() -> None:
    missing = np.zeros((500, 3))
    missing[:100] = (0.8, 0.6, 0.2)
    np.testing.assert_allclose(ink.estimate_ink_color(missing), (0.5, 0.375, 0.125))


@pytest.mark.parametrize("inverted", [False, True])
def test_a_close_up_reads_the_same_in_either_polarity(inverted: bool) -> None:
    truth = draw_strokes()
    gray = np.round(230 - 190 * truth).astype(np.uint8)
    picture = 255 - gray if inverted else gray
    assert ink.shows_light(picture) == inverted
    coverage = ink.cover_dark(255 - picture if inverted else picture) / 255
    assert np.abs(coverage - truth).max() < 0.05


def test_a_close_up_without_contrast_is_blank() -> None:
    assert not ink.cover_dark(np.full((31, 28), 77, np.uint8)).any()
