"""Tiles: MNIST's rule to the byte, EMNIST's and the photo's by independent judges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.tiles.normalising import (
    cut_photo,
    normalise,
    normalise_emnist,
    normalise_mnist,
    normalise_photo,
)

# --- MNIST: the golden vectors -------------------------------------------------------------


def solid(height, width, margin=0):
    """Solid ink, with as much paper around it as asked."""
    return np.pad(np.full((height, width), 255, np.uint8), margin)


def ink_extent(tile):
    """First and last inked row, first and last inked column."""
    rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("margin", [0, 3, 40])
def test_an_upright_bar_becomes_mnists_four_columns(margin):
    tile = normalise_mnist(solid(50, 6, margin))

    assert tile.shape == (28, 28) and tile.dtype == np.uint8
    assert ink_extent(tile) == (5, 24, 13, 16)
    assert np.array_equal(tile[5:25:2, 13:17], np.tile([51, 254, 255, 50], (10, 1)))
    assert np.array_equal(tile[6:25:2, 13:17], np.tile([51, 253, 254, 50], (10, 1)))


def test_a_lying_bar_is_the_upright_one_transposed():
    assert np.array_equal(normalise_mnist(solid(6, 50)), normalise_mnist(solid(50, 6)).T)


@pytest.mark.parametrize("side", [40, 60, 80])
def test_a_solid_square_fills_20_by_20(side):
    expected = np.zeros((28, 28), np.uint8)
    expected[5:25, 5:25] = 255
    assert np.array_equal(normalise_mnist(solid(side, side)), expected)


def test_a_square_of_50_shows_mnists_aliasing():
    tile = normalise_mnist(solid(50, 50))
    counts = {int(value): int((tile == value).sum()) for value in np.unique(tile)}
    assert counts == {0: 28 * 28 - 400, 253: 100, 254: 200, 255: 100}


def test_a_blob_smaller_than_ten_pixels_is_not_blown_up():
    assert ink_extent(normalise_mnist(solid(7, 4))) == (8, 21, 11, 18)


# --- MNIST: against the steps, taken one pixel at a time ------------------------------------


def naive_mnist(glyph):
    """The published steps with loops, on a picture padded far beyond what any of them needs."""
    ink = np.pad(glyph, 60).astype(float) / 255
    solid_rows = [y for y in range(ink.shape[0]) if max(ink[y]) >= 0.5]
    solid_columns = [x for x in range(ink.shape[1]) if max(ink[:, x]) >= 0.5]
    top, left = solid_rows[0], solid_columns[0]
    height = solid_rows[-1] + 1 - top
    width = solid_columns[-1] + 1 - left
    m = max(height, width, 10)
    if height < m:
        top = max(0, top - (m - height) // 2)
    if width < m:
        left = max(0, left - (m - width) // 2)
    square = ink[top : top + m, left : left + m]
    while square.shape[0] < 20:
        square = np.repeat(square, 2, axis=0)
    while square.shape[1] < 20:
        square = np.repeat(square, 2, axis=1)

    cells = np.zeros((20, 20))
    for (y, x), value in np.ndenumerate(square):
        for cell_y, weight_y in naive_shares(y, square.shape[0]):
            for cell_x, weight_x in naive_shares(x, square.shape[1]):
                cells[cell_y, cell_x] += value * weight_y * weight_x

    scaled = 255 * cells / min(1, cells.max())
    byte = np.clip(np.floor(scaled + 0.5 + 1e-9), 0, 255).astype(int)  # an exact half goes up
    ys, xs = np.mgrid[:20, :20] + 0.5
    down = int(15 - (byte * ys).sum() / byte.sum())
    right = int(15 - (byte * xs).sum() / byte.sum())
    tile = np.zeros((28, 28), np.uint8)
    for (y, x), value in np.ndenumerate(byte):
        if 0 <= y + down < 28 and 0 <= x + right < 28:
            tile[y + down, x + right] = value
    return tile


def naive_shares(i, length):
    """Which output cells input pixel i falls on, and with what weight."""
    scale = 20 / length
    x = 10 + scale * (i - length / 2)
    far = x + 0.99 * scale
    a = math.floor(x + 1e-11)
    b = math.ceil(far - 1e-11) - 1
    if a == b:
        return [(a, scale)]
    return [(a, min(max(a + 1 - x, 0), 1)), (b, min(max(far - b, 0), 1))] + [
        (cell, 1.0) for cell in range(a + 1, b)
    ]


@st.composite
def stroked_glyphs(draw, shortest=1, longest=70, thinnest=0.6):
    """A pen stroke through random points on a picture of random size, its edges grey."""
    height = draw(st.integers(shortest, longest))
    width = draw(st.integers(shortest, longest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.random((4, 2)) * (height - 1, width - 1)
    along = np.linspace(0, 3, 100)
    ys = np.interp(along, range(4), corners[:, 0])
    xs = np.interp(along, range(4), corners[:, 1])
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows[..., None] - ys, columns[..., None] - xs).min(axis=2)
    radius = rng.uniform(thinnest, 5)
    return np.rint(255 * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.uint8)


@settings(max_examples=40)
@given(stroked_glyphs())
def test_every_byte_follows_the_published_steps(glyph):
    assert np.array_equal(normalise_mnist(glyph), naive_mnist(glyph))


# --- MNIST: what the rule promises ----------------------------------------------------------


@settings(max_examples=200)
@given(stroked_glyphs(shortest=12, longest=120))
def test_the_longest_side_is_20_and_the_mass_is_centred(glyph):
    rows, columns = np.nonzero(glyph >= 128)
    is_small = max(np.ptp(rows), np.ptp(columns)) + 1 < 10  # stays small
    tile = normalise_mnist(glyph)
    top, bottom, left, right = ink_extent(tile)
    may_be_cut = min(top, left) == 0 or max(bottom, right) == 27  # its mass lies far off its middle

    assert tile.max() >= 254
    if not (is_small or may_be_cut):
        assert max(bottom - top, right - left) + 1 == 20
    if not may_be_cut:
        # Truncated towards zero: a mass beyond 15 of the 20 may stay up to a pixel further on.
        for centroid in np.add(ndimage.center_of_mass(tile), 0.5):
            assert 14 <= centroid < 16


def test_ordinary_strokes_are_centred_between_14_and_15():
    rows, columns = np.mgrid[:71, :53]
    ring = np.abs(np.hypot((rows - 35) / 30, (columns - 26) / 20) - 1) < 0.2
    tile = normalise_mnist((255 * ring).astype(np.uint8))
    centroid = np.add(ndimage.center_of_mass(tile), 0.5)
    assert np.all((centroid >= 14) & (centroid <= 15))


@settings(max_examples=50)
@given(stroked_glyphs(), *[st.integers(0, 9)] * 4)
def test_paper_around_the_glyph_changes_nothing(glyph, top, bottom, left, right):
    padded = np.pad(glyph, ((top, bottom), (left, right)))
    assert np.array_equal(normalise_mnist(padded), normalise_mnist(glyph))


def test_a_soft_edge_is_drawn_but_does_not_move_the_box():
    sharp = solid(60, 20, 10)
    soft = sharp.copy()
    soft[10:70, 9] = soft[10:70, 30] = 100  # beside the bar, where the square has room
    soft[9, 10:30] = soft[70, 10:30] = 100  # beyond its ends, where it has none

    assert ink_extent(normalise_mnist(soft))[:2] == ink_extent(normalise_mnist(sharp))[:2]
    assert normalise_mnist(soft).sum() > normalise_mnist(sharp).sum()


@pytest.mark.parametrize("faintness", [2, 3, 5, 85])
def test_a_faint_glyph_is_scaled_as_if_it_were_dark(faintness):
    dark = solid(50, 24, 5)
    dark[5:55, 5:11] = 0  # asymmetric, an inverted L
    dark[5:11, 5:11] = 255
    tile = normalise_mnist((dark // faintness).astype(np.uint8))
    assert np.abs(tile.astype(int) - normalise_mnist(dark)).max() <= 2


@pytest.mark.parametrize("size", [20, 32, 57])
def test_other_sizes_keep_the_proportions(size):
    tile = normalise_mnist(solid(90, 90), size)
    inner = round(size * 20 / 28)
    top, bottom, left, right = ink_extent(tile)
    assert tile.shape == (size, size)
    assert bottom - top + 1 == right - left + 1 == inner
    assert abs((top + bottom + 1) / 2 - size / 2) <= 1
    assert tile[top : bottom + 1, left : right + 1].min() >= 250


# --- EMNIST ---------------------------------------------------------------------------------


def naive_emnist(glyph):
    """The published steps for a binary character 48 pixels high, by scipy's filters."""
    rows, columns = np.nonzero(glyph)
    character = glyph[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    blurred = ndimage.gaussian_filter(np.pad(character / 255, 2), 1, truncate=2, mode="constant")
    square = np.zeros((56, 56))
    top, left = (56 - blurred.shape[0]) // 2, (56 - blurred.shape[1]) // 2
    square[top : top + blurred.shape[0], left : left + blurred.shape[1]] = blurred
    # Halving by the cubic that is stretched to twice its width, tap by tap.
    taps = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    for axis in (0, 1):
        square = ndimage.correlate1d(square, taps, axis=axis, mode="constant", origin=-1)
        square = square.take(range(0, 56, 2), axis=axis)
    square = np.maximum(square, 0)
    return np.rint(255 * square / square.max())


def test_emnist_follows_its_figure_at_nists_scale():
    glyph = np.zeros((70, 61), np.uint8)
    glyph[9:57, 20:27] = 255  # an L of 48 by 30 pixels
    glyph[50:57, 20:50] = 255
    tile = normalise_emnist(glyph)
    assert tile.shape == (28, 28) and tile.dtype == np.uint8
    assert np.abs(tile - naive_emnist(glyph)).max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_emnist_does_not_depend_on_the_scans_resolution(scale):
    glyph = solid(24, 16)
    glyph[6:, 5:] = 0
    coarse, fine = (np.kron(glyph, np.ones((n, n), np.uint8)) for n in (scale, 4))
    difference = normalise_emnist(coarse).astype(int) - normalise_emnist(fine)
    assert np.abs(difference).mean() < 1.5


@settings(max_examples=100)
@given(stroked_glyphs(shortest=40, longest=120, thinnest=2))
def test_emnist_centres_the_box_and_keeps_a_border_of_two(glyph):
    tile = normalise_emnist(glyph)
    top, bottom, left, right = ink_extent(tile >= 90)
    assert tile.max() == 255
    assert abs((top + bottom + 1) / 2 - 14) <= 1.5 and abs((left + right + 1) / 2 - 14) <= 1.5
    assert 21 <= max(bottom - top, right - left) + 1 <= 26
    assert tile[[0, -1]].max() < 80 and tile[:, [0, -1]].max() < 80


@pytest.mark.parametrize("normalise", [normalise_mnist, normalise_emnist])
@pytest.mark.parametrize(
    "glyph",
    [np.zeros((9, 5), np.uint8), np.zeros((0, 4), np.uint8), np.ones((9, 5)), np.ones((2, 3, 1))],
    ids=["blank", "empty", "float", "three axes"],
)
def test_what_is_no_glyph_is_refused(normalise, glyph):
    with pytest.raises(ValueError, match="glyph"):
        normalise(glyph)


# --- photos ---------------------------------------------------------------------------------


def exact_area_mean(photo, height, width):
    """Area means of any ratio: repeat every pixel until the cells divide evenly, then average."""
    fine = photo.repeat(height, axis=0).repeat(width, axis=1).astype(float)
    return fine.reshape(height, photo.shape[0], width, photo.shape[1], -1).mean(axis=(1, 3))


def noise(*shape):
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(24, 40, 3), (37, 23, 3), (20, 9, 3), (11, 64, 3)])
def test_stretch_takes_the_mean_of_the_area_under_each_pixel(shape):
    photo = noise(*shape)
    tile = normalise_photo(photo, 8, 3, "stretch")
    assert tile.shape == (8, 8, 3) and tile.dtype == np.uint8
    assert np.abs(tile - exact_area_mean(photo, 8, 8)).max() <= 1


@pytest.mark.parametrize(
    ("shape", "square"),
    [((31, 20, 3), np.s_[5:25, :]), ((20, 31, 3), np.s_[:, 5:25]), ((20, 20, 3), np.s_[:, :])],
)
def test_crop_keeps_the_centred_square_of_the_short_side(shape, square):
    photo = noise(*shape)
    tile = normalise_photo(photo, 5, 3, "crop")
    assert np.abs(tile - exact_area_mean(photo[square], 5, 5)).max() <= 1


def test_pad_keeps_the_whole_photo_between_black_bars():
    photo = np.maximum(noise(30, 60, 3), 1)
    wide = normalise_photo(photo, 12, 3, "pad")
    assert np.abs(wide[3:9] - exact_area_mean(photo, 6, 12)).max() <= 1
    assert not wide[:3].any() and not wide[9:].any()

    tall = normalise_photo(photo.transpose(1, 0, 2), 12, 3, "pad")
    assert np.array_equal(tall, wide.transpose(1, 0, 2))


def test_a_sliver_of_a_photo_still_leaves_a_line():
    assert normalise_photo(solid(1, 500), 10, 1, "pad").max() == 255


@settings(max_examples=60)
@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(1, 40),
    st.sampled_from([1, 3]),
    st.sampled_from(["crop", "stretch"]),
    st.booleans(),
)
def test_a_plain_photo_stays_plain(height, width, size, channels, fit, coloured):
    photo = np.full((height, width, 3) if coloured else (height, width), 77, np.uint8)
    assert np.array_equal(
        normalise_photo(photo, size, channels, fit), np.full((size, size, channels), 77)
    )


def test_a_photo_of_the_tiles_size_is_left_as_it_is():
    photo = noise(13, 13, 3)
    for fit in ("crop", "pad", "stretch"):
        assert np.array_equal(normalise_photo(photo, 13, 3, fit), photo)


def test_a_small_photo_grows_without_going_beyond_its_own_tones():
    photo = np.clip(noise(5, 7, 3), 60, 200)
    tile = normalise_photo(photo, 40, 3, "stretch")
    assert tile.min() >= 60 and tile.max() <= 200
    # A step from dark to light must stay a monotone ramp.
    step = np.repeat([[50, 50, 180, 180]], 4, axis=0).astype(np.uint8)
    ramp = normalise_photo(step, 40, 1, "stretch")[20, :, 0].astype(int)
    assert np.all(np.diff(ramp) >= 0) and ramp[0] == 50 and ramp[-1] == 180


def test_one_side_may_shrink_while_the_other_grows():
    photo = noise(96, 3)
    tile = normalise_photo(photo, 12, 1, "stretch")[..., 0]
    # Twelve columns over three: the middle of each third lies between columns 1 and 2 of its four.
    middles = (tile[:, 1::4].astype(float) + tile[:, 2::4]) / 2
    means = exact_area_mean(photo, 12, 3)[..., 0]
    assert np.abs(middles[:, 1] - means @ [0.0625, 0.875, 0.0625]).max() <= 16
    assert np.corrcoef(middles.ravel(), means.ravel())[0, 1] > 0.97


def test_colours_become_grey_by_luma_and_grey_becomes_colour_by_repetition():
    photo = noise(6, 6, 3)
    grey = normalise_photo(photo, 6, 1, "crop")
    assert grey.shape == (6, 6, 1)
    assert np.abs(grey[..., 0] - photo @ [0.299, 0.587, 0.114]).max() <= 1

    colour = normalise_photo(photo[..., 0], 6, 3, "crop")
    assert np.array_equal(colour, np.stack([photo[..., 0]] * 3, axis=-1))


def test_unknown_fits_channels_and_shapes_are_refused():
    with pytest.raises(ValueError, match=r"fit .* 'squash'"):
        normalise_photo(noise(6, 5, 3), 4, 3, "squash")
    with pytest.raises(ValueError, match=r"channels .* 2"):
        normalise_photo(noise(6, 5, 3), 4, 2, "crop")
    with pytest.raises(ValueError, match=r"\(6, 5, 4\)"):
        normalise_photo(noise(6, 5, 4), 4, 3, "crop")
    with pytest.raises(ValueError, match=r"\(0, 5\)"):
        normalise_photo(noise(0, 5), 4, 1, "pad")
    with pytest.raises(ValueError, match="float64"):
        normalise_photo(np.zeros((6, 5)), 4, 1, "crop")


@settings(max_examples=60)
@given(
    st.integers(60, 140),
    st.integers(60, 140),
    st.sampled_from([2, 4, 8]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["crop", "stretch"]),
    st.randoms(use_true_random=False),
)
def test_the_box_of_a_reduced_photo_may_end_inside_of_pixels(
    height, width, factor, from_right, from_bottom, fit, dice
):
    rows, columns = -(-height // factor), -(-width // factor)
    reduced = noise(rows, columns, 3)
    # Each of its pixels once more as the full ones that it stands for, less what is left over.
    left = (columns * factor - width) * from_right
    top = (rows * factor - height) * from_bottom
    full = reduced.repeat(factor, axis=0).repeat(factor, axis=1)
    full = full[top : top + height, left : left + width]
    x0, y0 = dice.randint(0, width - 40), dice.randint(0, height - 40)
    x1, y1 = dice.randint(x0 + 36, width), dice.randint(y0 + 36, height)
    size = min(x1 - x0, y1 - y0) // (2 * factor)

    corner = (left / factor, top / factor)
    tile = cut_photo(reduced, (x0, y0, x1, y1), size, 3, fit, factor=factor, corner=corner)
    part = full[y0:y1, x0:x1]
    if fit == "crop":
        side = min(part.shape[:2])
        first = [(length - side) // 2 for length in part.shape[:2]]
        part = part[first[0] : first[0] + side, first[1] : first[1] + side]
    assert tile.shape == (size, size, 3)
    assert np.abs(tile - exact_area_mean(part, size, size)).max() <= 1


# --- By name --------------------------------------------------------------------------------


def test_a_rule_is_chosen_by_its_name_and_gives_tiles_with_channels():
    glyph = np.random.default_rng(2).integers(0, 256, (31, 17)).astype(np.uint8)
    for name, rule in (("mnist", normalise_mnist), ("emnist", normalise_emnist)):
        tile = normalise(glyph, name, 29, 1, "crop")
        np.testing.assert_array_equal(tile, rule(glyph, 29)[..., None])
    photo = np.dstack([glyph, glyph[::-1], 255 - glyph])
    tiles = {fit: normalise(photo, "photo", 12, 3, fit) for fit in ("crop", "pad", "stretch")}
    for fit, tile in tiles.items():
        np.testing.assert_array_equal(tile, normalise_photo(photo, 12, 3, fit))
    with pytest.raises(ValueError, match="'mnist' makes tiles of 1 channel, not 3"):
        normalise(glyph, "mnist", 28, 3, "crop")
