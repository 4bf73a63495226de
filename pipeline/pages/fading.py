"""Fading: strokes that go on paler, as of a pen that dries up or is lifted.

Coverage is uint8 (h, w), 0 paper, 255 full ink. What is less than half covered is no piece of
ink, so the pale part of a glyph, such as the loop of a 6, would be cut off.
"""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.pieces import HALF, WIDE, Box, Coverage, Flags, Pieces, enclose, usual_size

_PALE = 51  # coverage from which pale ink stands clear of paper's noise
_AWAY = np.ones((5, 5), np.uint8)  # a stroke's soft edge is no wider than two pixels
_CONTACT = 4  # pixels: from the pale part, over that edge, to the ink


def deepen_fading(coverage: Coverage, pieces: Pieces, inside: Flags) -> Coverage:
    """Raise pale ink that continues a piece's stroke to ink; return all else as it is.

    Such ink is as wide as a stroke, touches a piece, and makes no more than one glyph with it.
    What touches two glyphs is the remains of a rule.
    """
    height, stroke = usual_size(pieces, inside)
    inked = (coverage >= _PALE).view(np.uint8)
    pale = inked.copy()
    pale[cv2.dilate((pieces.labels > 0).view(np.uint8), _AWAY) > 0] = 0
    # What is thinner than a third of a stroke goes here already: of it there may be much.
    pale = cv2.morphologyEx(pale, cv2.MORPH_OPEN, np.ones((max(1, round(stroke / 3)),) * 2))
    if height == 0 or not pale.any():
        return coverage
    _, labels, stats, _ = cv2.connectedComponentsWithStats(pale)
    deeper = coverage
    likely = stats[:, cv2.CC_STAT_AREA] >= stroke**2 / 2
    likely &= stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) <= WIDE * height
    for part in np.flatnonzero(likely[1:]) + 1:
        x, y, width, high, _ = stats[part].tolist()
        top, left = max(y - _CONTACT, 0), max(x - _CONTACT, 0)
        window = np.s_[top : y + high + _CONTACT, left : x + width + _CONTACT]
        own = (labels[window] == part).astype(np.uint8)
        reach = cv2.dilate(own, np.ones((2 * _CONTACT + 1, 2 * _CONTACT + 1), np.uint8)) > 0
        touched = np.unique(pieces.labels[window][reach])
        box = np.array([x, y, x + width, y + high])
        # As find_pieces measures the width of strokes, but with the ink that they go on from.
        depth = cv2.distanceTransform(np.pad(inked[window], 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        wide = 4 * (float(depth[own > 0].mean()) - 0.5)
        if _continues(wide, box, touched[touched > 0] - 1, pieces, inside, height):
            deeper = coverage.copy() if deeper is coverage else deeper
            shown = deeper[window]
            # As much as makes the palest that counts half covered.
            deep = cv2.multiply(shown, np.ones_like(shown), scale=HALF / _PALE)
            deeper[window] = np.where(reach, deep, shown)
    return deeper


def _continues(
    width: float,
    box: Box,
    touched: npt.NDArray[np.integer],
    pieces: Pieces,
    inside: Flags,
    height: float,
) -> bool:
    """Tell whether a pale part in this box goes on with the stroke of the pieces it touches."""
    # A remnant of print goes on from nothing of a glyph's size.
    sized = pieces.sizes[touched].max(axis=1) > height / 2
    if not (inside[touched].all() and sized.any()):
        return False
    whole = enclose(np.vstack([box[None], pieces.boxes[touched]]))
    most = WIDE * max(height, pieces.sizes[touched].max() if len(touched) == 1 else 0)
    if (whole[2:] - whole[:2]).max() > most:
        return False
    return bool(0.4 < width / pieces.strokes[touched].max() < 1.5)
