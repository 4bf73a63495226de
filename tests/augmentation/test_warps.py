"""Warps, judged by scipy, albumentations and numpy on noise, which no symmetry can hide in.

The judges work with forward matrices (where does a point go?), the warps with inverse ones.
"""

import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.augmentation import warps

Images = npt.NDArray[np.uint8]

# (N, H, W, C): wide and tall, odd and even, grey, colour and other numbers of channels.
SHAPES = [(3, 29, 41, 1), (2, 30, 20, 3), (2, 21, 28, 3), (2, 40, 31, 1), (2, 17, 24, 4)]
SHAPES += [(2, 12, 19, 2), (2, 11, 8, 5)]
BORDERS = ["constant", "edge", "reflect"]
INTERPOLATIONS = ["bilinear", "cubic"]


def make_noise(shape: tuple[int, ...], seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_dot(height: int, width: int, row: int, column: int) -> Images:
    images = np.zeros((1, height, width, 1), np.uint8)
    images[0, row, column] = 255
    return images


def find_dot(images: Images) -> tuple[int, int]:
    """Return row and column of the brightest pixel."""
    row, column = np.unravel_index(images[0, :, :, 0].argmax(), images.shape[1:3])
    return int(row), int(column)


# --- the judges ---------------------------------------------------------------------------------


def translation(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def about_centre(linear: npt.NDArray[np.float64], image: Images) -> npt.NDArray[np.float64]:
    centre_x, centre_y = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    forward = np.eye(3)
    forward[:2, :2] = linear
    return translation(centre_x, centre_y) @ forward @ translation(-centre_x, -centre_y)


def turn(degrees: float, image: Images) -> npt.NDArray[np.float64]:
    """Where points go when the image turns counter-clockwise (y points down on a screen)."""
    angle = np.deg2rad(degrees)
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return about_centre(linear, image)


def find_sources(forward: npt.NDArray[np.float64], image: Images) -> npt.NDArray[np.float64]:
    """Return (2, H, W): row and column in the image that each pixel of the result shows."""
    rows, columns = np.indices(image.shape[:2])
    x, y, _ = np.tensordot(np.linalg.inv(forward), [columns, rows, np.ones_like(rows)], axes=1)
    return np.stack([y, x])


def sample_bilinear(
    image: Images, forward: npt.NDArray[np.float64], border: str, fill: float = 0
) -> npt.NDArray[np.float64]:
    """The judge of bilinear warps: scipy, in double precision, not rounded."""
    mode = {"constant": "grid-constant", "edge": "nearest", "reflect": "mirror"}[border]
    where = find_sources(forward, image)
    planes = np.moveaxis(image.astype(float), -1, 0)
    sampled = [ndimage.map_coordinates(p, where, order=1, mode=mode, cval=fill) for p in planes]
    return np.stack(sampled, axis=-1)


def sample_cubic(
    image: Images, forward: npt.NDArray[np.float64], border: warps.Border, fill: float = 0
) -> npt.NDArray[np.float64]:
    """The judge of cubic warps: Keys's kernel with a = -0.75, as OpenCV documents it, in numpy."""
    options: dict[str, Any] = {"constant_values": fill} if border == "constant" else {}
    # Ten pixels suffice for the shapes and warps of these tests, and "reflect" can go no further.
    margin = 10
    around = [(margin, margin), (margin, margin), (0, 0)]
    padded = np.pad(image.astype(float), around, mode=border, **options)
    rows, columns = find_sources(forward, image) + margin
    total = np.zeros(image.shape)
    for row in range(padded.shape[0]):
        for column in range(padded.shape[1]):
            weight = weigh_cubic(rows - row) * weigh_cubic(columns - column)
            total += weight[..., None] * padded[row, column]
    return total.clip(0, 255)


def weigh_cubic(distance: npt.NDArray[np.float64], a: float = -0.75) -> npt.NDArray[np.float64]:
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def assert_within_one_level(
    images: Images, expected: list[npt.NDArray[np.float64]] | list[Images]
) -> None:
    assert images.dtype == np.uint8
    difference = np.abs(images - np.stack(expected).astype(float))
    assert difference.max() <= 1.0


# --- against the judges -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("border", BORDERS)
def test_bilinear_warps_equal_scipys(shape: tuple[int, ...], border: warps.Border) -> None:
    images = make_noise(shape)
    degrees = np.linspace(-170, 100, len(images))
    x, y = np.linspace(-0.31, 0.22, len(images)), np.linspace(0.13, -0.4, len(images))
    factors = np.linspace(0.6, 1.7, len(images))

    assert_within_one_level(
        warps.rotate(images, degrees, border=border, fill=90),
        [sample_bilinear(i, turn(d, i), border, 90) for i, d in zip(images, degrees, strict=True)],
    )
    assert_within_one_level(
        warps.shift(images, x, y, border=border, fill=90),
        [
            sample_bilinear(i, translation(a * i.shape[1], b * i.shape[0]), border, 90)
            for i, a, b in zip(images, x, y, strict=True)
        ],
    )
    assert_within_one_level(
        warps.zoom(images, factors, border=border, fill=90),
        [
            sample_bilinear(i, about_centre(np.eye(2) * f, i), border, 90)
            for i, f in zip(images, factors, strict=True)
        ],
    )


@pytest.mark.parametrize("shape", [(1, 13, 18, 1), (1, 16, 11, 3), (1, 9, 14, 2)])
@pytest.mark.parametrize("border", BORDERS)
def test_cubic_warps_equal_the_documented_kernel(
    shape: tuple[int, ...], border: warps.Border
) -> None:
    images = make_noise(shape)
    image = images[0]
    cubic: dict[str, Any] = {"border": border, "fill": 30, "interpolation": "cubic"}

    moved = translation(0.17 * shape[2], -0.11 * shape[1])
    enlarged = about_centre(np.eye(2) * 1.3, image)
    judged = [
        (warps.rotate(images, 12.5, **cubic), turn(12.5, image)),
        (warps.shift(images, 0.17, -0.11, **cubic), moved),
        (warps.zoom(images, 1.3, **cubic), enlarged),
    ]
    for warped, forward in judged:
        assert_within_one_level(warped, [sample_cubic(image, forward, border, 30)])


@pytest.mark.parametrize("shape", [(1, 29, 41, 1), (1, 30, 20, 3), (1, 17, 24, 3)])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_warps_equal_albumentations(
    shape: tuple[int, ...], border: warps.Border, interpolation: warps.Interpolation
) -> None:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as A  # noqa: N812

    images = make_noise(shape)
    ours: dict[str, Any] = {"border": border, "interpolation": interpolation}
    flags = {"constant": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE}
    theirs: dict[str, Any] = {
        "border_mode": flags.get(border, cv2.BORDER_REFLECT_101),
        "interpolation": {"bilinear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}[interpolation],
        "p": 1,
    }
    pixels = {"x": (5, 5), "y": (-3, -3)}
    judged = [
        (warps.rotate(images, 17.3, **ours), A.Rotate((17.3, 17.3), **theirs)),
        (warps.rotate(images, -100.0, **ours), A.Affine(rotate=(-100, -100), **theirs)),
        (warps.zoom(images, 0.8, **ours), A.Affine(scale=(0.8, 0.8), **theirs)),
        (warps.zoom(images, 1.2, **ours), A.Affine(scale=(1.2, 1.2), **theirs)),
        (
            warps.shift(images, 5 / shape[2], -3 / shape[1], **ours),
            A.Affine(translate_px=pixels, **theirs),
        ),
    ]
    for warped, transform in judged:
        expected = transform(image=images[0])["image"].reshape(shape[1:])
        assert_within_one_level(warped, [expected])


@pytest.mark.parametrize("shape", SHAPES)
def test_flips_equal_numpys(shape: tuple[int, ...]) -> None:
    images = make_noise(shape)
    np.testing.assert_array_equal(warps.flip_left_right(images), images[:, :, ::-1])
    np.testing.assert_array_equal(warps.flip_up_down(images), images[:, ::-1])


def test_flips_cross_their_blocks() -> None:
    images = make_noise((2000, 13, 17, 1))  # more than one block of flip_up_down
    assert images.nbytes > warps.FLIP_BLOCK_BYTES
    np.testing.assert_array_equal(warps.flip_up_down(images), images[:, ::-1])
    np.testing.assert_array_equal(warps.flip_left_right(images), images[:, :, ::-1])


# --- directions and units -----------------------------------------------------------------------


def test_positive_degrees_turn_counter_clockwise() -> None:
    east = make_dot(21, 21, row=10, column=18)
    assert find_dot(warps.rotate(east, 90)) == (2, 10)  # to the north
    assert find_dot(warps.rotate(east, -90)) == (18, 10)
    assert find_dot(warps.rotate(east, 180)) == (10, 2)


def test_the_centre_of_an_oblong_image_stays() -> None:
    assert find_dot(warps.rotate(make_dot(21, 31, row=10, column=15), 57.0)) == (10, 15)
    assert find_dot(warps.rotate(make_dot(21, 31, row=10, column=20), 90)) == (5, 15)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_quarter_turns_of_a_square_are_exact(
    side: int, channels: int, border: warps.Border, interpolation: warps.Interpolation
) -> None:
    images = make_noise((2, side, side, channels))
    for quarters in (-1, 1, 2, 3):
        turned = warps.rotate(images, 90 * quarters, border=border, interpolation=interpolation)
        np.testing.assert_array_equal(turned, np.rot90(images, quarters, axes=(1, 2)))


def test_x_shifts_right_and_y_down_by_fractions_of_the_side() -> None:
    dot = make_dot(20, 40, row=10, column=10)
    assert find_dot(warps.shift(dot, 0.25)) == (10, 20)  # a quarter of the width
    assert find_dot(warps.shift(dot, y=0.25)) == (15, 10)  # a quarter of the height
    assert find_dot(warps.shift(dot, -0.1, -0.1)) == (8, 6)


def test_half_a_pixel_of_shift_splits_a_dot() -> None:
    images = warps.shift(make_dot(5, 10, row=2, column=4), 0.05)
    assert images[0, 2, :, 0].tolist() == [0, 0, 0, 0, 128, 128, 0, 0, 0, 0]


def test_zoom_above_one_enlarges() -> None:
    dot = make_dot(21, 31, row=10, column=19)  # 4 right of the centre
    assert find_dot(warps.zoom(dot, 2.0)) == (10, 23)
    assert find_dot(warps.zoom(dot, 0.5)) == (10, 17)
    square = np.zeros((1, 21, 31, 1), np.uint8)
    square[:, 8:13, 13:18] = 255
    enlarged = warps.zoom(square, 2.0)
    assert enlarged.sum(dtype=int) == pytest.approx(4 * square.sum(dtype=int), rel=0.1)


# --- borders ------------------------------------------------------------------------------------


def test_borders_continue_the_image_as_named() -> None:
    images = np.array([[10, 20, 30, 40]] * 2, np.uint8).reshape(1, 2, 4, 1)

    def shift_by_two(**options: Any) -> list[int]:
        return warps.shift(images, 0.5, **options)[0, 0, :, 0].tolist()

    assert shift_by_two() == [0, 0, 10, 20]
    assert shift_by_two(border="constant", fill=7) == [7, 7, 10, 20]
    assert shift_by_two(border="edge") == [10, 10, 10, 20]
    assert shift_by_two(border="reflect") == [30, 20, 10, 20]  # the edge itself comes once


@pytest.mark.parametrize("channels", [2, 3, 4, 6])
def test_fill_may_differ_by_channel(channels: int) -> None:
    levels = [(37 * k) % 256 for k in range(1, channels + 1)]
    shifted = warps.shift(make_noise((2, 6, 10, channels)), 0.5, fill=levels)
    assert (shifted[:, :, :5] == levels).all()


# --- properties ---------------------------------------------------------------------------------

WARPS: dict[str, Callable[..., Images]] = {
    "flip_left_right": lambda images, _: warps.flip_left_right(images),
    "flip_up_down": lambda images, _: warps.flip_up_down(images),
    "rotate": lambda images, u, **options: warps.rotate(images, 200 * u, **options),
    "shift": lambda images, u, **options: warps.shift(images, u, -0.3 * u, **options),
    "zoom": lambda images, u, **options: warps.zoom(images, 1.5 + u, **options),
}
shapes = st.tuples(st.integers(1, 4), st.integers(2, 24), st.integers(2, 24), st.integers(1, 5))


@given(shape=shapes, seed=st.integers(0, 99), name=st.sampled_from(sorted(WARPS)))
@settings(max_examples=150)
def test_a_batch_equals_its_images_one_by_one(
    shape: tuple[int, int, int, int], seed: int, name: str
) -> None:
    images = make_noise(shape, seed)
    before = images.copy()
    numbers = np.random.default_rng(seed).uniform(-1, 1, len(images))
    batch = WARPS[name](images, numbers)

    assert batch.shape == shape
    assert batch.dtype == np.uint8
    assert not np.shares_memory(batch, images)
    np.testing.assert_array_equal(images, before)
    for place, number in enumerate(numbers):
        alone = WARPS[name](images[place : place + 1], float(number))
        np.testing.assert_array_equal(alone[0], batch[place])


@given(shape=shapes, border=st.sampled_from(BORDERS), interpolation=st.sampled_from(INTERPOLATIONS))
@settings(max_examples=60)
def test_identity_numbers_change_nothing(
    shape: tuple[int, int, int, int], border: warps.Border, interpolation: warps.Interpolation
) -> None:
    images = make_noise(shape)
    options: dict[str, Any] = {"border": border, "interpolation": interpolation}
    np.testing.assert_array_equal(warps.rotate(images, 0, **options), images)
    np.testing.assert_array_equal(warps.rotate(images, 360, **options), images)
    np.testing.assert_array_equal(warps.shift(images, 0, 0, **options), images)
    np.testing.assert_array_equal(warps.zoom(images, 1, **options), images)


@pytest.mark.parametrize("name", sorted(WARPS))
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_are_warped_alike_and_do_not_mix(name: str, channels: int) -> None:
    images = make_noise((2, 15, 22, channels))
    together = WARPS[name](images, 0.3)
    for channel in range(channels):
        alone = WARPS[name](images[..., channel : channel + 1], 0.3)
        assert_within_one_level(together[..., channel], list(alone[..., 0]))


@pytest.mark.parametrize("name", sorted(WARPS))
def test_memory_layout_does_not_matter(name: str) -> None:
    images = make_noise((4, 18, 26, 6))
    views = [images[::2, ::-1, ::2, ::2], images[:, :, :, :1], np.asfortranarray(images)]
    for view in [*views, images.transpose(3, 2, 1, 0)]:
        expected = WARPS[name](np.ascontiguousarray(view), 0.2)
        np.testing.assert_array_equal(WARPS[name](view, 0.2), expected)


@pytest.mark.parametrize("name", sorted(WARPS))
def test_an_empty_batch_stays_empty(name: str) -> None:
    assert WARPS[name](np.zeros((0, 7, 9, 3), np.uint8), 0.2).shape == (0, 7, 9, 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_flipping_twice_gives_the_original(shape: tuple[int, ...]) -> None:
    images = make_noise(shape)
    for flip in (warps.flip_left_right, warps.flip_up_down):
        assert (flip(images) != images).any()
        np.testing.assert_array_equal(flip(flip(images)), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_warping_back_gives_the_original_inside(channels: int) -> None:
    # Smooth, so that sampling twice costs little; not symmetric.
    rows, columns = np.mgrid[:41, :60]
    wave = 128 + 60 * np.sin(columns / 9) + 50 * np.cos((rows + columns / 3) / 7)
    image = np.stack([np.roll(wave, 5 * c, axis=1) for c in range(channels)], axis=-1)
    images = image[None].round().astype(np.uint8)

    round_trips = [
        warps.rotate(warps.rotate(images, 20), -20),
        warps.shift(warps.shift(images, 0.11, -0.07), -0.11, 0.07),
        warps.zoom(warps.zoom(images, 0.8), 1 / 0.8),
    ]
    inside = np.s_[:, 16:25, 20:40]
    for returned in round_trips:
        difference = np.abs(returned[inside].astype(int) - images[inside])
        assert difference.max() <= 3


# --- wrong arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i: warps.rotate(i, np.array([1.0, 2.0])), r"degrees must be one number or \(3,\)"),
        (lambda i: warps.rotate(i, np.nan), "degrees must be finite"),
        (lambda i: warps.shift(i, 0.1, np.inf), "y must be finite"),
        (lambda i: warps.zoom(i, np.array([1.0, 0, 2])), "factor must be above 0, got 0"),
        (lambda i: warps.rotate(i, 5, border="wrap"), "border must be one of constant, edge"),  # type: ignore[arg-type]
        (lambda i: warps.rotate(i, 5, interpolation="area"), "one of bilinear, cubic, got 'area'"),  # type: ignore[arg-type]
        (lambda i: warps.rotate(i[:, :1], 5, border="reflect"), r"2 pixels a side, got \(1, 6\)"),
        (lambda i: warps.rotate(i, 5, fill=256), "fill must be within 0..255, got 256"),
        (lambda i: warps.rotate(i, 5, fill=(1, 2)), "fill has 2 grey levels, but .* 3 channels"),
        (lambda i: warps.rotate(i[0], 5), r"uint8 \(N, H, W, C\), got uint8 of shape \(5, 6, 3\)"),
        (lambda i: warps.flip_left_right(i / 255), "got float64"),
        (lambda i: warps.flip_up_down(i[0]), r"shape \(5, 6, 3\)"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[Any], Images], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(make_noise((3, 5, 6, 3)))
