"""Digits as somebody draws them with a mouse: fixed strokes, any brush, on a canvas of any size."""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

# Strokes in per cent of the digit's own box, from point to point; | begins another stroke.
STROKES = {
    0: "60,3 36,6 16,26 8,52 16,80 38,97 62,95 84,76 92,46 84,18 66,4 52,5",
    1: "30,24 44,10 54,0 54,34 53,66 54,100",
    2: "12,26 22,8 44,0 68,6 80,24 72,46 50,66 28,84 10,99 42,97 92,98",
    3: "16,10 38,1 64,3 80,20 70,38 44,47 70,54 86,74 72,93 44,100 14,90",
    4: "60,2 40,26 22,48 8,68 44,67 92,66|66,38 65,70 66,100",
    5: "78,3 48,4 26,3 22,24 20,46 44,39 70,46 84,66 76,88 50,99 24,97 10,88",
    6: "70,4 46,16 26,40 14,68 24,92 50,99 76,90 84,70 70,54 44,53 20,68",
    7: "10,6 40,4 88,5 70,34 52,66 40,99",
    8: "72,14 50,1 28,10 26,28 46,44 72,60 82,80 60,98 34,96 20,78 34,58 60,42 76,26 72,12",
    9: "78,20 58,2 32,6 18,26 30,48 56,50 76,34 79,16 77,48 70,76 60,100",
}


def draw(
    digit: int,
    brush: int,
    *,
    side: int = 280,
    height: float = 0.65,
    place: tuple[float, float] = (0.5, 0.5),
    soft: bool = False,
    light: bool = False,
) -> Picture:
    """Return a grey canvas (side, side) with a digit drawn by a round brush of `brush` pixels.

    height: of the digit, a share of the side. place: where in the free room its box lies, across
    and down. soft: with grey edges. light: white on black.
    """
    tall = height * side
    wide = 0.62 * tall
    left, top = (np.array(place) * (side - np.array([wide, tall]) - 2 * brush)) + brush
    fine = 4 if soft else 1
    ink = np.zeros((side * fine, side * fine), np.uint8)
    for stroke in STROKES[digit].split("|"):
        points = np.array([pair.split(",") for pair in stroke.split()], float) / 100
        pixels = np.rint(fine * (points * (wide, tall) + (left, top))).astype(int)
        for first, second in pairwise(pixels):
            cv2.line(ink, first.tolist(), second.tolist(), 255, brush * fine)
    ink = cv2.resize(ink, (side, side), interpolation=cv2.INTER_AREA)
    return ink if light else 255 - ink
