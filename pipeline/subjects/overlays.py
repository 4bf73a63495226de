"""Overlays: a page with its glyphs marked, to look at.

Pages are uint8 (H, W) or (H, W, 3) RGB; boxes are (x0, y0, x1, y1) in pixels, x1/y1 exclusive;
scores run from 0 (doubtful, red) to 1 (sure, green).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.subjects.boxes import Box

WEIGHT = 500  # of the labels' font; 400 is regular, 700 bold
LEFT_OUT = (130, 60, 200)  # violet: none of the colours of a score
NOTE_SIZE = 0.7  # of the labels' size


def draw_overlay(
    page: npt.NDArray[np.uint8],
    boxes: Sequence[Box],
    labels: Sequence[str],
    scores: Sequence[float],
    notes: Sequence[str] | None = None,
) -> npt.NDArray[np.uint8]:
    """Return the page in RGB with each box in the colour of its score, its label above it.

    notes: a few letters a box, drawn smaller below it.
    """
    picture = page.copy() if page.ndim == 3 else cv2.cvtColor(page, cv2.COLOR_GRAY2RGB)
    thickness = max(1, round(max(page.shape) / 1000))
    size = choose_text_size(page.shape, boxes)
    note_size = round(NOTE_SIZE * size)
    # The font comes with OpenCV and knows the scripts of Europe, the Near East and East Asia.
    font = cv2.FontFace()
    below = notes or [""] * len(boxes)
    for box, label, score, note in zip(boxes, labels, scores, below, strict=True):
        x0, y0, x1, y1 = box
        color = color_of_score(score)
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), color, thickness)
        origin = (x0, max(y0 - 2 * thickness, size))
        cv2.putText(picture, label, origin, color, font, size, WEIGHT)
        if note:
            origin = (x0, min(y1 + note_size, len(picture) - 2 * thickness))
            cv2.putText(picture, note, origin, color, font, note_size, WEIGHT)
    return picture


def outline_left_out(
    overlay: npt.NDArray[np.uint8], boxes: Sequence[Box], told: str
) -> npt.NDArray[np.uint8]:
    """Return an overlay (H, W, 3) with what was left out in violet, and a line that says so."""
    picture = overlay.copy()
    thickness = max(1, round(max(picture.shape) / 1000))
    for x0, y0, x1, y1 in boxes:
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), LEFT_OUT, thickness)
    size = max(12, round(max(picture.shape) / 80))
    origin = (size // 2, len(picture) - size // 2)
    cv2.putText(picture, told, origin, LEFT_OUT, cv2.FontFace(), size, WEIGHT)
    return picture


def choose_text_size(shape: tuple[int, ...], boxes: Sequence[Box]) -> int:
    """Return the labels' size in pixels: legible on a screen, but smaller than the glyphs."""
    usual = float(np.median([y1 - y0 for _, y0, _, y1 in boxes])) if boxes else 0.0
    legible = max(max(shape) / 60, usual / 12)  # the latter for a subject that fills the picture
    return round(max(12, min(legible, 0.6 * usual)))


def color_of_score(score: float) -> tuple[int, int, int]:
    """Return the RGB colour of a score: red at 0, amber at a half, green at 1."""
    share = min(max(score, 0.0), 1.0)
    return (round(220 * min(1.0, 2 - 2 * share)), round(160 * min(1.0, 2 * share)), 0)
