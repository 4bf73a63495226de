"""Contact sheets: many tiles in one picture, to look at.

Tiles are uint8 (N, S, S, C), C = 1 or 3; a sheet is uint8 (H, W) or (H, W, 3).
"""

import math

import numpy as np
import numpy.typing as npt

Tiles = npt.NDArray[np.uint8]


def lay_out(tiles: Tiles, columns: int, gap: int = 2) -> npt.NDArray[np.uint8]:
    """Return the tiles in rows of `columns`, row after row, with grey gaps of `gap` pixels."""
    count, height, width, channels = tiles.shape
    rows = max(1, -(-count // columns))
    down, across = height + gap, width + gap  # from one tile to the next
    sheet = np.full((rows * down + gap, columns * across + gap, channels), 128, np.uint8)
    for number, tile in enumerate(tiles):
        top = gap + number // columns * down
        left = gap + number % columns * across
        sheet[top : top + height, left : left + width] = tile
    return sheet[..., 0] if channels == 1 else sheet


def pick_evenly(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Return at most `most` of the rows, evenly from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows)), dtype=int)]


def square_columns(count: int) -> int:
    """Return the number of columns that makes a sheet of `count` tiles about square."""
    return max(1, math.ceil(math.sqrt(count)))
