"""Overlays: a page with its glyphs marked, to look at.

Pages are uint8 (H, W) or (H, W, 3) RGB; boxes are (x0, y0, x1, y1) in pixels, x1/y1 exclusive;
scores run from 0 (doubtful, red) to 1 (sure, green).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]


def draw_overlay(
    page: npt.NDArray[np.uint8],
    boxes: Sequence[Box],
    labels: Sequence[str],
    scores: Sequence[float],
) -> npt.NDArray[np.uint8]:
    """Return the page in RGB with each box drawn in the colour of its score, its label above."""
    picture = page.copy() if page.ndim == 3 else cv2.cvtColor(page, cv2.COLOR_GRAY2RGB)
    thickness = max(1, round(max(page.shape) / 1000))
    for box, label, score in zip(boxes, labels, scores, strict=True):
        x0, y0, x1, y1 = box
        color = color_of_score(score)
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), color, thickness)
        origin = (x0, max(y0 - 2 * thickness, 12 * thickness))
        cv2.putText(
            picture, label, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thickness, color, thickness
        )
    return picture


def color_of_score(score: float) -> tuple[int, int, int]:
    """Return the RGB colour of a score: red at 0, amber at a half, green at 1."""
    share = min(max(score, 0.0), 1.0)
    return (round(220 * min(1.0, 2 - 2 * share)), round(160 * min(1.0, 2 * share)), 0)
