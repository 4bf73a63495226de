"""Numbers that tell two sets of tiles apart: mean tile, spread, stroke thickness.

Tiles are uint8 (N, S, S, C), N > 0; writing has C = 1, ink bright on 0.
"""

import cv2
import numpy as np
import numpy.typing as npt

Tiles = npt.NDArray[np.uint8]

_FINER = 4  # times, so that a stroke's width is no matter of whole pixels
_INK = 128  # grey level from which a pixel is ink


def average_tiles(tiles: Tiles) -> npt.NDArray[np.uint8]:
    """Return the mean tile, (S, S, C)."""
    return np.asarray(np.round(tiles.mean(axis=0)), np.uint8)


def measure_spread(tiles: Tiles) -> float:
    """Return how far the tiles lie from their mean: root mean square, in grey levels."""
    return float(np.sqrt(tiles.astype(np.float32).var(axis=0).mean()))


def measure_strokes(tiles: Tiles) -> float | None:
    """Return the mean thickness of the strokes in pixels; None where no tile has ink.

    Across a stroke of width w the distance to its edge is w / 4 on average.
    """
    widths = [width for width in map(_measure_stroke, tiles[..., 0]) if width]
    return float(np.mean(widths)) if widths else None


def _measure_stroke(tile: npt.NDArray[np.uint8]) -> float:
    large = cv2.resize(tile, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)
    # Beyond the tile's border there is paper.
    ink = np.pad((large >= _INK).astype(np.uint8), 1)
    distances = cv2.distanceTransform(ink, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[ink > 0] - 0.5
    return float(4 * distances.mean() / _FINER) if distances.size else 0.0
