"""Ink: how much of each pixel is covered by writing.

A picture is uint8 (h, w, 3) RGB, already dark writing on lighter paper (`darken_writing` sees to
that). Density is float32 (h, w): the share of the paper's light that is missing, 0 on paper,
measured along the colour of the page's ink. Coverage is uint8 (h, w): density relative to the
full ink nearby, 0 paper, 255 full ink, so a stroke's soft edge keeps its grey.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Density = npt.NDArray[np.float32]

_COARSE = 4  # paper is smooth: its level is estimated on a picture this many times smaller
_EVEN = 200  # paper in evened light, in bytes: leaves room for what is brighter
_BARE, _SOLID = 0.18, 0.82  # shares of full ink within which the grain of paper and pen vary
_BLANK = 0.1  # a picture whose ink is no denser than this has none
_FAINTEST = 0.05  # a density below this is paper, whatever the noise


def _shrink(picture: npt.NDArray[Any], scale: float = 1 / _COARSE) -> npt.NDArray[Any]:
    """Return a picture at a smaller scale, by area averaging."""
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def darken_writing(picture: Picture, paper: npt.NDArray[np.bool_] | None = None) -> Picture:
    """Return the picture with dark writing: chalk and white pens are inverted.

    Only what is `paper` (h, w) is asked, since a desk around it may be lighter or darker.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = _shrink(gray, min(1.0, 500 / max(gray.shape)))
    # An eighth of the page's side: in so wide a window most is ground, whatever is written on it.
    window = 2 * (max(small.shape) // 16) + 1
    away = small.astype(np.float32) - cv2.medianBlur(small, window)
    if paper is not None:
        away *= cv2.resize(paper.astype(np.uint8), small.shape[::-1])
    bright = np.square(np.maximum(away, 0)).sum()
    dark = np.square(np.minimum(away, 0)).sum()
    return 255 - picture if bright > dark else picture


def estimate_paper(picture: Picture) -> Picture:
    """Estimate the light of the bare paper at each pixel, writing and rules bridged.

    A closing wider than any stroke bridges the writing and keeps the edges of shadows; what it
    shows to be paper is then averaged, so that the grain of the paper does not bias the level.
    """
    small = cv2.medianBlur(_shrink(picture), 3)
    reach = 2 * (max(small.shape) // 24) + 1  # 25 mm of A4
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    light, full_light = (level.astype(np.float32) for level in (small, closed))
    total, full_total = (cv2.transform(level, np.ones((1, 3))) for level in (light, full_light))
    missing = 1 - (total + 1) / (full_total + 1)
    # Bare is what lacks little of the light; at its edge a pixel is half stroke.
    bare = cv2.erode((missing < 0.08).astype(np.float32), np.ones((3, 3), np.uint8))
    level = _blur_masked(light, bare, full_light, sigma=2)
    return np.asarray(cv2.resize(np.clip(level, 1, 255).astype(np.uint8), picture.shape[1::-1]))


def _blur_masked(values: Density, mask: Density, otherwise: Density, sigma: float) -> Density:
    """Average values (h, w, 3) by a Gaussian over the mask only; `otherwise` where it is far."""
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
    total = cv2.GaussianBlur(values * mask[..., None], (0, 0), sigma)
    # `otherwise` weighs as little as 2 % of what lies within the mask.
    return np.asarray((total + 0.02 * otherwise) / (weight + 0.02))


def measure_density(picture: Picture, paper: Picture) -> Density:
    """Measure the missing light along the colour of the ink, 0 on paper, 1 black."""
    even = cv2.divide(picture, paper, scale=_EVEN)
    # One pixel of nine tells the colour of the ink as well as all do.
    weights = estimate_ink_color(1 - even[::3, ::3].reshape(-1, 3) / _EVEN)
    light = cv2.transform(even, weights[None, :])
    return np.asarray(1 - light.astype(np.float32) / _EVEN)


def estimate_ink_color(missing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the channel weights (3,), of sum 1, that show the ink of these pixels best."""
    total = missing @ np.ones(3)
    # The middle of strokes: at their soft edges paper's own colour is mixed in.
    strong = missing[total > max(float(np.percentile(total, 99)) * 0.6, 0.15)]
    if len(strong) == 0:
        return np.full(3, 1 / 3)
    color = np.maximum(strong.mean(axis=0), 0.01)
    return np.asarray(color / color.sum(), np.float64)


def estimate_noise(density: Density) -> float:
    """Estimate the standard deviation of bare paper (from the median absolute deviation)."""
    sample = density[::5, ::5]
    # Of normal noise the median absolute deviation is 1 / 1.4826 standard deviations.
    return 1.4826 * float(np.median(np.abs(sample - np.median(sample))))


def estimate_full_ink(density: Density) -> float:
    """Estimate the density of full ink on the page; 0 when nothing stands out of the noise."""
    floor = max(_FAINTEST, 6 * estimate_noise(density))
    sample = density[::2, ::2]
    dark = sample[sample > floor]
    if len(dark) < 20:
        return 0.0
    # Pixels are weighed by their darkness, since many of them are pale: grain, soft edges, rules.
    order = np.sort(dark)
    mass = np.cumsum(order.astype(np.float64) ** 2)
    return float(order[np.searchsorted(mass, 0.6 * mass[-1])])


def measure_coverage(density: Density, full: float, stroke: float) -> npt.NDArray[np.uint8]:
    """Relate density to the full ink nearby; `stroke` is the width of a stroke in pixels."""
    if full == 0:
        return np.zeros(density.shape, np.uint8)
    # The darkest within a stroke's width is that of its middle, also for pixels of its edge.
    reach = 2 * int(stroke / 2 + 1) + 1
    darkest = cv2.dilate(cv2.blur(density, (3, 3)), np.ones((reach, reach), np.uint8))
    weight = np.maximum(density - 0.3 * full, 0)  # what shows through from the back is paler
    near = _shrink(np.dstack([weight, weight * darkest]))
    near = cv2.GaussianBlur(near, (0, 0), 4 * stroke / _COARSE)
    local = (near[..., 1] + 1e-3 * full) / (near[..., 0] + 1e-3)
    # Where all that is near is pale, such as a speck, it is no full ink.
    local = cv2.resize(np.maximum(local, full / 2), density.shape[::-1])
    share = (density / local - _BARE) / (_SOLID - _BARE)
    return np.asarray(np.clip(255 * share, 0, 255), np.uint8)


def to_gray(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a picture (h, w) or (h, w, 3) in grey (h, w)."""
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def shows_light(gray: npt.NDArray[np.uint8]) -> bool:
    """Return whether the writing of a picture (h, w) that it fills is lighter than its ground.

    The ground is what the rim shows.
    """
    rim = np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]))
    low, high = np.percentile(gray, (0.5, 99.5))  # no single pixel decides, dead or shining
    return bool(high - rim > rim - low)


def cover_dark(gray: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Measure the coverage of a grey picture (h, w) that one dark subject fills.

    Paper is bridged over half the picture, so the light may change slowly. A picture without
    contrast is blank.
    """
    small = _shrink(gray, min(1.0, 64 / max(gray.shape)))
    reach = max(small.shape) // 2
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    paper = cv2.resize(closed.astype(np.float32), gray.shape[::-1]) + 1
    density = 1 - gray / paper
    full = float(np.percentile(density, 99.5))
    if full < _BLANK:
        return np.zeros(gray.shape, np.uint8)
    return np.asarray(np.clip(255 * density / full, 0, 255), np.uint8)
