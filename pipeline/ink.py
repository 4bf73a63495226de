"""Ink: how much of each pixel is covered by writing.

A picture is uint8 (h, w, 3) RGB, already dark writing on lighter paper (`darken_writing` sees to
that). Density is float32 (h, w): the share of the paper's light that is missing, 0 on paper,
measured along the colour of the page's ink. Coverage is uint8 (h, w): density relative to the
full ink nearby, 0 paper, 255 full ink, so a stroke's soft edge keeps its grey.
"""

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Density = npt.NDArray[np.float32]

COARSE = 4  # paper is smooth: its level is estimated on a picture this many times smaller
FAINTEST = 0.05  # a density below this is paper, whatever the noise


def darken_writing(picture: Picture) -> Picture:
    """Return the picture with dark writing: chalk and white pens are inverted."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, 500 / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    window = 2 * (max(small.shape) // 16) + 1
    away = small.astype(np.float32) - cv2.medianBlur(small, min(window, 255))
    bright = np.square(np.maximum(away, 0)).sum()
    dark = np.square(np.minimum(away, 0)).sum()
    return 255 - picture if bright > dark else picture


def estimate_paper(picture: Picture) -> Picture:
    """Estimate the light of the bare paper at each pixel, writing and rules bridged.

    A closing wider than any stroke bridges the writing and keeps the edges of shadows; what it
    shows to be paper is then averaged, so that the grain of the paper does not bias the level.
    """
    small = cv2.resize(picture, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(small, 3)
    reach = 2 * (max(small.shape) // 40) + 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    missing = 1 - (small.astype(np.float32).sum(axis=2) + 1) / (
        closed.astype(np.float32).sum(axis=2) + 1
    )
    bare = cv2.erode((missing < 0.08).astype(np.float32), np.ones((3, 3), np.uint8))
    level = blur_masked(small.astype(np.float32), bare, closed.astype(np.float32), sigma=2)
    level = np.clip(level, 1, 255).astype(np.uint8)
    return cv2.resize(level, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def blur_masked(values: Density, mask: Density, otherwise: Density, sigma: float) -> Density:
    """Average values (h, w, 3) by a Gaussian over the mask only; `otherwise` where it is far."""
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
    total = cv2.GaussianBlur(values * mask[..., None], (0, 0), sigma)
    return (total + 0.02 * otherwise) / (weight + 0.02)


def measure_density(picture: Picture, paper: Picture) -> Density:
    """Measure the missing light along the colour of the ink, 0 on paper, 1 black."""
    missing = 1 - picture.astype(np.float32) / paper
    weights = estimate_ink_color(missing[::3, ::3].reshape(-1, 3))
    return cv2.transform(missing, weights[None, :].astype(np.float32))


def estimate_ink_color(missing: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the channel weights (3,), of sum 1, that show the ink of these pixels best."""
    total = missing.sum(axis=1)
    strong = missing[total > max(float(np.percentile(total, 99)) * 0.6, 0.15)]
    if len(strong) == 0:
        return np.full(3, 1 / 3)
    color = np.maximum(strong.mean(axis=0), 0.01)
    return np.asarray(color / color.sum(), np.float64)


def estimate_noise(density: Density) -> float:
    """Estimate the standard deviation of bare paper (from the median absolute deviation)."""
    sample = density[::5, ::5]
    return 1.4826 * float(np.median(np.abs(sample - np.median(sample))))


def estimate_full_ink(density: Density) -> float:
    """Estimate the density of full ink on the page; 0 when nothing stands out of the noise."""
    floor = max(FAINTEST, 6 * estimate_noise(density))
    sample = density[::2, ::2]
    dark = sample[sample > floor]
    if len(dark) < 20:
        return 0.0
    order = np.sort(dark)
    mass = np.cumsum(order.astype(np.float64) ** 2)
    return float(order[np.searchsorted(mass, 0.6 * mass[-1])])


def measure_coverage(density: Density, full: float, stroke: float) -> npt.NDArray[np.uint8]:
    """Relate density to the full ink nearby; `stroke` is the width of a stroke in pixels."""
    if full == 0:
        return np.zeros(density.shape, np.uint8)
    reach = 2 * int(stroke / 2 + 1) + 1
    darkest = cv2.dilate(cv2.blur(density, (3, 3)), np.ones((reach, reach), np.uint8))
    weight = np.maximum(density - 0.2 * full, 0)
    near = cv2.GaussianBlur(np.dstack([weight, weight * darkest]), (0, 0), 4 * stroke)
    local = (near[..., 1] + 1e-3 * full) / (near[..., 0] + 1e-3)
    return np.clip(255 * density / np.maximum(local, full / 2), 0, 255).astype(np.uint8)
