"""Overlays: a page with its glyphs marked, to look at.

Pages are uint8 (H, W) or (H, W, 3) RGB; boxes are (x0, y0, x1, y1) in pixels, x1/y1 exclusive;
scores run from 0 (doubtful, red) to 1 (sure, green).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]

WEIGHT = 500  # of the labels' font; 400 is regular, 700 bold


def draw_overlay(
    page: npt.NDArray[np.uint8],
    boxes: Sequence[Box],
    labels: Sequence[str],
    scores: Sequence[float],
) -> npt.NDArray[np.uint8]:
    """Return the page in RGB with each box drawn in the colour of its score, its label above."""
    picture = page.copy() if page.ndim == 3 else cv2.cvtColor(page, cv2.COLOR_GRAY2RGB)
    thickness = max(1, round(max(page.shape) / 1000))
    size = choose_text_size(page.shape, boxes)
    # The font comes with OpenCV and knows the scripts of Europe, the Near East and East Asia.
    font = cv2.FontFace()
    for box, label, score in zip(boxes, labels, scores, strict=True):
        x0, y0, x1, y1 = box
        color = color_of_score(score)
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), color, thickness)
        origin = (x0, max(y0 - 2 * thickness, size))
        cv2.putText(picture, label, origin, color, font, size, WEIGHT)
    return picture


def choose_text_size(shape: tuple[int, ...], boxes: Sequence[Box]) -> int:
    """Return the labels' size in pixels: legible on a screen, but smaller than the glyphs."""
    usual = float(np.median([y1 - y0 for _, y0, _, y1 in boxes])) if boxes else np.inf
    return round(max(12, min(max(shape) / 60, 0.6 * usual)))


def color_of_score(score: float) -> tuple[int, int, int]:
    """Return the RGB colour of a score: red at 0, amber at a half, green at 1."""
    share = min(max(score, 0.0), 1.0)
    return (round(220 * min(1.0, 2 - 2 * share)), round(160 * min(1.0, 2 * share)), 0)
