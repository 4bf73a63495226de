"""Seams are judged by trying every way; parted glyphs by what was drawn before they touched."""

import itertools

import cv2
import numpy as np
import pytest
from scipy import ndimage

from pipeline.pages import parting
from pipeline.pages.pieces import find_pieces


def draw_rings(centres: list[int], height: int = 140, width: int = 700) -> np.ndarray:
    """Return a coverage with rings of 60 pixels about these x."""
    coverage = np.zeros((height, width), np.uint8)
    for x in centres:
        cv2.circle(coverage, (x, height // 2), 27, 255, 6)
    return coverage


def part(coverage: np.ndarray) -> np.ndarray:
    pieces = find_pieces(coverage)
    height, stroke = 60.0, 6.0
    writing = np.ones(len(pieces.boxes), bool)
    crowded = parting.find_crowded(pieces, writing, height)
    return parting.part_touching(coverage, pieces, crowded, height, stroke)


@pytest.mark.parametrize("touching", [[300, 357], [300, 356, 412]])
def test_touching_glyphs_are_parted_between_them(touching: list[int]) -> None:
    others = [60, 140, 220, 490, 570]
    coverage = draw_rings(others + touching)
    _, before = ndimage.label(coverage >= 128, np.ones((3, 3)))
    parted = part(coverage)
    labels, after = ndimage.label(parted >= 128, np.ones((3, 3)))
    assert (before, after) == (len(others) + 1, len(others) + len(touching))
    widths = [s[1].stop - s[1].start for s in ndimage.find_objects(labels)]
    assert min(widths) >= 54
    assert max(widths) <= 64
    assert (coverage != parted).sum() < 40 * len(touching)


def test_glyphs_that_do_not_touch_are_left_as_they_are() -> None:
    coverage = draw_rings([60, 140, 220, 300, 380])
    np.testing.assert_array_equal(part(coverage), coverage)


def test_a_wide_glyph_that_stands_alone_is_left_whole() -> None:
    coverage = draw_rings([300, 357])
    np.testing.assert_array_equal(part(coverage), coverage)


def test_the_seam_is_the_easiest_of_all_ways() -> None:
    random = np.random.default_rng(6)
    starts, steps = range(1, 6), list(itertools.product((-1, 0, 1), repeat=5))
    ways = np.array([[start, *(start + np.cumsum(step))] for start in starts for step in steps])
    ways = ways[(ways.min(axis=1) >= 1) & (ways.max(axis=1) <= 5)]
    for _ in range(5):
        window = random.random((6, 7)).astype(np.float32)
        ink = window[np.arange(6), ways]
        entered = np.maximum(np.diff(ink, axis=1, prepend=0), 0).sum(axis=1)
        efforts = ink.sum(axis=1) + parting.STROKE_COST * 2.0 * (entered - 1)
        seam, effort = parting.find_seam(window, stroke=2.0)
        np.testing.assert_array_equal(seam, ways[np.argmin(efforts)])
        assert effort == pytest.approx(efforts.min(), rel=1e-5)


def test_one_thick_contact_is_easier_than_two_thin_strokes() -> None:
    window = np.zeros((40, 30), np.float32)
    window[10:16] = 1  # a contact six pixels high all the way across
    window[5:7, :14] = window[33:35, :14] = 1  # two strokes of two pixels on its left
    seam, effort = parting.find_seam(window, stroke=2.0)
    assert (seam[[5, 6, 33, 34]] >= 14).all()
    assert effort == pytest.approx(6)
