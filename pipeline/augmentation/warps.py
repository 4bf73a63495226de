"""Geometric warps of whole batches: flip, rotate, shift, zoom.

Arrays: `images` is uint8 (N, H, W, C), any height, width and number of channels; the result is a
new array of the same shape and dtype, in the same order. Warps are exact: they draw nothing.

Numbers are scalars, or (N,) arrays with one value for each image. Directions are as seen on the
screen: positive degrees turn counter-clockwise, positive x shifts right, positive y down; the
fixed point of rotation and zoom is the image's centre, ((W - 1) / 2, (H - 1) / 2).

What comes in from outside the image is, by `border`, a constant level ("constant", with `fill`),
the nearest edge pixel ("edge"), or the image mirrored without repeating its edge pixel ("reflect",
OpenCV's BORDER_REFLECT_101).
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Numbers = float | npt.NDArray[np.floating]
Border = Literal["constant", "edge", "reflect"]
Fill = int | Sequence[int]
Interpolation = Literal["bilinear", "cubic"]

BORDERS: dict[str, int] = {
    "constant": cv2.BORDER_CONSTANT,
    "edge": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}
INTERPOLATIONS: dict[str, int] = {"bilinear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}

# For these OpenCV samples in floating point; for others only at steps of 1/32 pixel.
_EXACT_CHANNELS = (1, 3, 4)

# flipND copies, then swaps rows in place: in blocks that stay in the cache the swap is free. (It
# has 0.66 to 0.80 of the speed of a plain copy: benchmarks/README.md.)
FLIP_BLOCK_BYTES = 256 * 1024


def flip_left_right(images: Images) -> Images:
    """Mirror each image so that its left side becomes its right side."""
    _check_images(images)
    count, height, width, channels = images.shape
    # Columns do not know where an image ends: the rows of the whole batch are one tall image.
    rows = images.reshape(count * height, width, channels)
    flipped = np.empty(rows.shape, np.uint8)
    if images.size:
        cv2.flip(rows, 1, flipped)
    return flipped.reshape(images.shape)


def flip_up_down(images: Images) -> Images:
    """Mirror each image so that its top becomes its bottom."""
    _check_images(images)
    count, height, width, channels = images.shape
    rows = images.reshape(count, height, width * channels)
    flipped = np.empty(rows.shape, np.uint8)
    block = max(1, FLIP_BLOCK_BYTES // max(1, height * width * channels))
    for start in range(0, count, block):
        cv2.flipND(rows[start : start + block], 1, flipped[start : start + block])
    return flipped.reshape(images.shape)


def rotate(
    images: Images,
    degrees: Numbers,
    *,
    border: Border = "constant",
    fill: Fill = 0,
    interpolation: Interpolation = "bilinear",
) -> Images:
    """Turn each image about its centre.

    Args:
        images: uint8 (N, H, W, C).
        degrees: degrees, positive counter-clockwise; scalar or (N,).
        border: what comes in from outside.
        fill: grey level 0..255 of a constant border, or one for each channel.
        interpolation: "bilinear" or "cubic" (the kernel with a = -0.75).

    Raises:
        ValueError: an argument is not as described.
    """
    _check_images(images)
    radians = np.deg2rad(_one_per_image(degrees, len(images), "degrees"))
    cosine, sine = np.cos(radians), np.sin(radians)
    turns = np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(-1, 2, 2)
    return _warp(images, _about_centre(turns, images), border, fill, interpolation)


def shift(
    images: Images,
    x: Numbers = 0.0,
    y: Numbers = 0.0,
    *,
    border: Border = "constant",
    fill: Fill = 0,
    interpolation: Interpolation = "bilinear",
) -> Images:
    """Move each image's content.

    Args:
        images: uint8 (N, H, W, C).
        x: fraction of the width, positive to the right; scalar or (N,).
        y: fraction of the height, positive downwards; scalar or (N,).
        border: what comes in from outside.
        fill: grey level 0..255 of a constant border, or one for each channel.
        interpolation: "bilinear" or "cubic" (the kernel with a = -0.75).

    Raises:
        ValueError: an argument is not as described.
    """
    _check_images(images)
    count, height, width = images.shape[:3]
    matrices = np.zeros((count, 2, 3))
    matrices[:, :, :2] = np.eye(2)
    matrices[:, 0, 2] = -width * _one_per_image(x, count, "x")
    matrices[:, 1, 2] = -height * _one_per_image(y, count, "y")
    return _warp(images, matrices, border, fill, interpolation)


def zoom(
    images: Images,
    factor: Numbers,
    *,
    border: Border = "constant",
    fill: Fill = 0,
    interpolation: Interpolation = "bilinear",
) -> Images:
    """Enlarge or shrink each image's content about its centre; the image keeps its size.

    Args:
        images: uint8 (N, H, W, C).
        factor: above 1 enlarges, 2 doubles every length; above 0; scalar or (N,).
        border: what comes in from outside.
        fill: grey level 0..255 of a constant border, or one for each channel.
        interpolation: "bilinear" or "cubic" (the kernel with a = -0.75).

    Raises:
        ValueError: an argument is not as described.
    """
    _check_images(images)
    factors = _one_per_image(factor, len(images), "factor")
    if not (factors > 0).all():
        raise ValueError(f"factor must be above 0, got {factors.min()}")
    scales = np.eye(2) / factors[:, None, None]
    return _warp(images, _about_centre(scales, images), border, fill, interpolation)


def _check_images(images: Images) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            f"images must be uint8 (N, H, W, C), got {images.dtype} of shape {images.shape}"
        )


def _one_per_image(value: Numbers, count: int, name: str) -> npt.NDArray[np.float64]:
    """Return the (count,) numbers that a scalar or an array stands for."""
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in ((), (count,)):
        raise ValueError(f"{name} must be one number or ({count},), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite")
    return np.broadcast_to(values, (count,))


def _about_centre(linear: npt.NDArray[np.float64], images: Images) -> npt.NDArray[np.float64]:
    """Return the (N, 2, 3) matrices that apply the (N, 2, 2) ones about the images' centre."""
    height, width = images.shape[1:3]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _warp(
    images: Images,
    matrices: npt.NDArray[np.float64],
    border: Border,
    fill: Fill,
    interpolation: Interpolation,
) -> Images:
    """Return images whose pixel (x, y) is sampled from `images` at matrix @ (x, y, 1)."""
    channels = images.shape[3]
    levels = _one_per_channel(fill, channels)
    if border == "reflect" and min(images.shape[1:3]) < 2:
        # OpenCV 5 never returns from such an image: there is nothing beside the edge pixel.
        raise ValueError(f"border reflect needs 2 pixels a side, got {images.shape[1:3]}")
    border_mode = _look_up(BORDERS, border, "border")
    # The matrices lead from the result back to the image already: OpenCV need not invert them.
    flags = _look_up(INTERPOLATIONS, interpolation, "interpolation") | cv2.WARP_INVERSE_MAP
    if channels in _EXACT_CHANNELS:
        return _warp_each(images, matrices, flags, border_mode, levels)
    planes = [
        _warp_each(images[..., channel, None], matrices, flags, border_mode, [level])
        for channel, level in enumerate(levels)
    ]
    return np.concatenate(planes, axis=3)


def _warp_each(
    images: Images,
    matrices: npt.NDArray[np.float64],
    flags: int,
    border_mode: int,
    levels: list[float],
) -> Images:
    """Warp one image after the other, each straight into its place in the result."""
    # As tight as a loop can be, which at 28x28 counts: benchmarks/warps.py has one beside it.
    size = images.shape[2], images.shape[1]
    warped = np.empty(images.shape, np.uint8)
    warp_affine = cv2.warpAffine
    for image, result, matrix in zip(images, warped, matrices, strict=True):
        warp_affine(image, matrix, size, result, flags, border_mode, levels)
    return warped


def _one_per_channel(fill: Fill, channels: int) -> list[float]:
    """Return the grey levels of a constant border, one for each channel."""
    levels = np.atleast_1d(np.asarray(fill, dtype=np.float64))
    if levels.shape not in ((1,), (channels,)):
        raise ValueError(
            f"fill has {levels.size} grey levels, but the images have {channels} channels"
        )
    if not ((levels >= 0) & (levels <= 255)).all():
        raise ValueError(f"fill must be within 0..255, got {fill}")
    one_each: list[float] = np.broadcast_to(levels, (channels,)).tolist()
    return one_each


def _look_up(known: dict[str, int], name: str, argument: str) -> int:
    if name not in known:
        raise ValueError(f"{argument} must be one of {', '.join(known)}, got {name!r}")
    return known[name]
