import cv2
import numpy as np
import pytest

from pipeline.report.tile_statistics import average_tiles, measure_spread, measure_strokes


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_a_long_stroke_is_as_thick_as_it_was_drawn(width, angle):
    large = np.zeros((41 * 8, 41 * 8), np.uint8)
    box = cv2.boxPoints(((164.0, 164.0), (300.0, 8.0 * width), float(angle)))
    cv2.fillPoly(large, [np.round(box).astype(np.int32)], 255)
    tile = cv2.resize(large, (41, 41), interpolation=cv2.INTER_AREA)
    assert measure_strokes(tile[None, ..., None]) == pytest.approx(width, rel=0.12, abs=0.15)


def test_tiles_without_ink_have_no_strokes():
    empty = np.zeros((2, 9, 9, 1), np.uint8)
    assert measure_strokes(empty) is None
    empty[1, 3:6] = 255
    assert measure_strokes(empty) == measure_strokes(empty[1:])


def test_mean_and_spread_of_two_tiles():
    tiles = np.zeros((2, 3, 4, 3), np.uint8)
    tiles[1] = 20
    assert (average_tiles(tiles) == 10).all()
    assert measure_spread(tiles) == pytest.approx(10)
    assert measure_spread(tiles[:1]) == 0
