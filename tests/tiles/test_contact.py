"""Contact sheets: every tile at its place, whole, with gaps between."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tiles.contact import lay_out, pick_evenly


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
