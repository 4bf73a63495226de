"""Contact sheets: every tile at its place, whole, with gaps between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tiles.contact import lay_out, lay_out_named, pick_evenly


@given(
    count=st.integers(0, 9), columns=st.integers(1, 5), gap=st.integers(0, 3),
    channels=st.sampled_from([1, 3]),
)  # fmt: skip
def test_every_tile_lies_at_its_place(count, columns, gap, channels):
    tiles = np.random.default_rng(count).integers(0, 256, (count, 5, 3, channels), np.uint8)
    sheet = lay_out(tiles, columns, gap)
    sheet = sheet[..., None] if channels == 1 else sheet
    rows = max(1, -(-count // columns))
    assert sheet.shape == (rows * (5 + gap) + gap, columns * (3 + gap) + gap, channels)
    for number, tile in enumerate(tiles):
        top, left = gap + number // columns * (5 + gap), gap + number % columns * (3 + gap)
        np.testing.assert_array_equal(sheet[top : top + 5, left : left + 3], tile)


@given(total=st.integers(1, 50), most=st.integers(1, 20))
def test_tiles_are_picked_from_the_first_to_the_last(total, most):
    picked = pick_evenly(np.arange(100, 100 + total), most)
    assert len(set(picked)) == len(picked) == min(total, most)
    assert picked[0] == 100
    assert most == 1 or picked[-1] == 99 + total


@pytest.mark.parametrize("side, times", [(28, 3), (32, 3), (48, 2), (80, 1), (200, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_named_tiles_are_large_enough_to_see_and_stand_in_order(side, times, channels):
    tiles = np.random.default_rng(side).integers(0, 256, (5, side, side, channels), np.uint8)
    sheet = lay_out_named(tiles, [(f"0.{n}", "a.png") for n in range(5)], 3, "4: 5 tiles")
    large = side * times
    for number, tile in enumerate(tiles):
        top = 26 + number // 3 * (large + 30)
        left = 6 + number % 3 * (large + 6)
        shown = sheet[top : top + large, left : left + large].reshape(large, large, channels)
        np.testing.assert_array_equal(shown[::times, ::times], tile)
        np.testing.assert_array_equal(shown[times - 1 :: times, times - 1 :: times], tile)
    assert (sheet[:26] < 128).any()  # the title


def write(*lines):
    """Return the strip below one dark tile of 28 pixels, with these lines."""
    return lay_out_named(np.zeros((1, 28, 28, 1), np.uint8), [lines], 1, "")[26 + 84 :]


def test_of_a_name_that_is_too_long_the_end_is_kept():
    page = "the-same-long-beginning"
    assert (write("1.2", f"{page}-a.png") != write("1.2", f"{page}-b.png")).any()
    np.testing.assert_array_equal(
        write("1.2", f"{page}-a.png"), write("1.2", f"other-{page}-a.png")
    )
    assert (write("", "") == 255).all()
    assert (write("0.1", "x") != write("1.0", "x")).any()
    assert (write("", "ひらがな") != 255).any()
    assert (write("", "m" * 99)[:, 6 + 84 :] == 255).all()  # none runs into the next tile
