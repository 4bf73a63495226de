"""Pieces are judged by scipy.ndimage, sizes by bars of known width."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.pages.pieces import (
    Pieces,
    assign_pixels,
    cut_glyph,
    cut_region,
    find_pieces,
    find_touching,
    find_writing,
    score_groups,
    usual_size,
    weighted_median,
)


def usual_size_of(pieces: Pieces) -> tuple[float, float]:
    return usual_size(pieces, np.ones(len(pieces.boxes), bool))


def scatter_ink(seed: int = 4) -> npt.NDArray[np.uint8]:
    """Return a coverage (97, 153) of smooth random blots."""
    noise = np.random.default_rng(seed).normal(size=(97, 153))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 2000 * smooth, 0, 255).astype(np.uint8)


def draw_bars() -> npt.NDArray[np.uint8]:
    """Return a coverage with bars 8 pixels wide and a thin one 2 wide."""
    coverage = np.zeros((120, 300), np.uint8)
    for x in range(20, 200, 40):
        coverage[20:100, x : x + 8] = 255
    coverage[20:100, 250:252] = 255
    return coverage


def test_pieces_are_the_connected_components() -> None:
    coverage = scatter_ink()
    pieces = find_pieces(coverage)
    labels, count = ndimage.label(coverage >= 128, np.ones((3, 3)))
    assert len(pieces.boxes) == count
    slices = ndimage.find_objects(labels)
    expected = sorted((s[1].start, s[0].start, s[1].stop, s[0].stop) for s in slices)
    assert sorted(map(tuple, pieces.boxes.tolist())) == expected
    label = pieces.labels[labels == 3][0]
    assert pieces.areas[label - 1] == (labels == 3).sum()
    assert pieces.darkness[label - 1] == pytest.approx(coverage[labels == 3].mean() / 255)


def test_strokes_have_the_width_of_the_pen_and_glyphs_their_height() -> None:
    height, stroke = usual_size_of(find_pieces(draw_bars()))
    assert height == 80
    assert stroke == pytest.approx(8, rel=0.15)
    assert usual_size_of(find_pieces(np.zeros((9, 7), np.uint8))) == (0, 0)


def test_specks_and_the_remains_of_lines_are_no_writing() -> None:
    coverage = draw_bars()
    coverage[5:9, 5:9] = 255
    pieces = find_pieces(coverage)
    writing = find_writing(pieces, *usual_size_of(pieces))
    left = pieces.boxes[writing][:, 0]
    np.testing.assert_array_equal(sorted(left), range(20, 200, 40))


def test_what_touches_the_table_is_found() -> None:
    table = np.zeros((120, 300), bool)
    table[:, :30] = True
    pieces = find_pieces(draw_bars())
    touching = find_touching(pieces, table)
    np.testing.assert_array_equal(pieces.boxes[touching], [[20, 20, 28, 100]])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=12))
def test_weighted_median_is_the_lower_median_of_repeated_values(
    pairs: list[tuple[int, int]],
) -> None:
    values, weights = np.array(pairs).T
    repeated = np.sort(np.repeat(values, weights))
    expected = repeated[(len(repeated) - 1) // 2]
    assert weighted_median(values, weights) == expected


def test_each_pixel_goes_to_the_nearest_piece_within_reach() -> None:
    pieces = find_pieces(scatter_ink(5))
    owner = assign_pixels(pieces, reach=6)
    distance, nearest = ndimage.distance_transform_edt(pieces.labels == 0, return_indices=True)
    assert (owner[distance > 6.5] == 0).all()
    expected = pieces.labels[tuple(nearest)]
    assert np.mean(owner[distance < 5.5] == expected[distance < 5.5]) > 0.97


def test_a_cut_glyph_has_its_soft_edges_and_nothing_of_its_neighbour() -> None:
    coverage = cv2.GaussianBlur(draw_bars(), (0, 0), 1.5)
    coverage[50:60, 30:52] = 200  # a neighbour that reaches into the box's room
    pieces = find_pieces(coverage)
    first = int(np.argmin(pieces.boxes[:, 0]))
    owner = assign_pixels(pieces, reach=4)
    pixels = cut_glyph(coverage, owner, pieces.boxes[first], [first], pad=4)
    assert pixels[0].max() == pixels[-1].max() == pixels[:, 0].max() == pixels[:, -1].max() == 0
    inner = pixels[4:-4, 4:-4]
    assert set(np.unique(inner[0:4])) - {0}  # grey above the bar's end
    own = np.where(owner == first + 1, coverage, 0)
    assert pixels.sum() == own.sum()


def test_scores_fall_for_what_is_thin_or_small() -> None:
    pieces = find_pieces(draw_bars())
    height, stroke = usual_size_of(pieces)
    scores = score_groups(pieces, [[k] for k in range(len(pieces.boxes))], height, stroke)
    thin = int(np.argmax(pieces.boxes[:, 0]))
    assert scores[thin] < 0.7
    assert np.delete(scores, thin).min() == 1


def draw_strokes() -> np.ndarray:
    """Return coverage with an upright stroke, a dot beside it, and a level stroke that leaves."""
    coverage = np.zeros((40, 70), np.uint8)
    coverage[5:30, 10:14] = 255
    coverage[6:9, 18:21] = 255
    coverage[20:23, 24:64] = 255
    return coverage


@pytest.mark.parametrize(
    "box, inked",
    [
        ((8, 3, 23, 32), 25 * 4 + 9),  # the stroke and its dot
        ((8, 3, 30, 32), 25 * 4 + 9),  # a tail of 6 in 40 is a neighbour's
        ((8, 3, 44, 32), 25 * 4 + 9 + 20 * 3),  # of half of it there is what lies in the box
        ((24, 18, 44, 25), 20 * 3),  # a stroke that two boxes share
        ((44, 18, 66, 25), 20 * 3),
        ((58, 18, 66, 25), 6 * 3),  # a small part is all that there is
        ((30, 30, 60, 39), None),
        ((60, 30, 90, 60), None),  # beyond the page
    ],
)
def test_the_ink_in_a_box_is_of_the_strokes_that_lie_in_it(box, inked) -> None:
    coverage = draw_strokes()
    pieces = find_pieces(coverage)
    ink = cut_region(coverage, pieces, assign_pixels(pieces, 3), np.array(box), 4)
    assert (None if ink is None else np.count_nonzero(ink)) == inked
    assert ink is None or not ink[[0, -1]].any()
