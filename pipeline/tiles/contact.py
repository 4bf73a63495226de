"""Contact sheets: many tiles in one picture, to look at.

Tiles are uint8 (N, S, S, C), C = 1 or 3; a sheet is uint8 (H, W) or (H, W, 3).
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Tiles = npt.NDArray[np.uint8]

GREY = 128  # between the tiles
READABLE = 84  # pixels: the side of a tile beside its name, three times MNIST's
_TEXT = 11  # pixels, of a name
_LINE = 13
_MARGIN = 6


def lay_out(tiles: Tiles, columns: int, gap: int = 2) -> npt.NDArray[np.uint8]:
    """Return the tiles in rows of `columns`, row after row, with grey gaps of `gap` pixels."""
    count, height, width, channels = tiles.shape
    rows = max(1, -(-count // columns))
    down, across = height + gap, width + gap  # from one tile to the next
    sheet = np.full((rows * down + gap, columns * across + gap, channels), GREY, np.uint8)
    for number, tile in enumerate(tiles):
        top = gap + number // columns * down
        left = gap + number % columns * across
        sheet[top : top + height, left : left + width] = tile
    return sheet[..., 0] if channels == 1 else sheet


def enlarge(tiles: Tiles) -> Tiles:
    """Return the tiles repeated pixel by pixel, to about READABLE."""
    times = max(1, round(READABLE / tiles.shape[1]))
    return tiles.repeat(times, axis=1).repeat(times, axis=2)


def lay_out_named(
    tiles: Tiles, names: Sequence[tuple[str, str]], columns: int, title: str
) -> npt.NDArray[np.uint8]:
    """Return the tiles, enlarged, in rows with two short lines of text below each.

    names (N,): the lines; of one that is too long the end is kept, where files differ. title: one
    line above all.
    """
    large = enlarge(tiles)
    count, height, width, channels = large.shape
    cells = np.full((count, height + 2 * _LINE + 4, width + _MARGIN, channels), 255, np.uint8)
    cells[:, :height, :width] = large
    fits = _Fitting(width)
    for cell, lines in zip(cells, names, strict=True):
        for number, line in enumerate(lines):
            _write(cell, fits.shorten(line), (0, height + (number + 1) * _LINE - 2), _TEXT)
    head = np.full((2 * _LINE, columns * cells.shape[2] + 2 * _MARGIN, channels), 255, np.uint8)
    _write(head, title, (_MARGIN, _LINE + 4), _TEXT + 2)
    sheet = _paste(cells, columns)
    framed = np.pad(sheet, ((0, 0), (_MARGIN, _MARGIN), (0, 0)), constant_values=255)
    whole = np.concatenate([head, framed])
    return whole[..., 0] if channels == 1 else whole


def _paste(cells: Tiles, columns: int) -> Tiles:
    """Return cells (N, h, w, C) in rows, as one picture (H, W, C)."""
    count, height, width, channels = cells.shape
    rows = -(-count // columns)
    empty = np.full((rows * columns - count, height, width, channels), 255, np.uint8)
    grid = np.concatenate([cells, empty]).reshape(rows, columns, height, width, channels)
    return grid.swapaxes(1, 2).reshape(rows * height, columns * width, channels)


class _Fitting:
    """Shortens texts to a width in pixels; measures each letter once."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._letters: dict[str, int] = {}

    def shorten(self, text: str) -> str:
        """Return the text, or as much of its end as fits, after an ellipsis."""
        if self._measure(text) <= self._width:
            return text
        left = self._width - self._measure("…")
        kept = len(text)
        while kept and left >= self._measure(text[kept - 1]):
            kept -= 1
            left -= self._measure(text[kept])
        return f"…{text[kept:]}"

    def _measure(self, text: str) -> int:
        return sum(self._letters.get(one) or self._measure_letter(one) for one in text)

    def _measure_letter(self, letter: str) -> int:
        # Twice a letter less once: the step to the next one, without the margins of a box.
        font, size = cv2.FontFace(), (10_000, 100)
        steps = [
            cv2.getTextSize(size, letter * times, (0, 50), font, _TEXT, 400)[2] for times in (1, 2)
        ]
        self._letters[letter] = max(1, steps[1] - steps[0])
        return self._letters[letter]


def _write(picture: Tiles, text: str, origin: tuple[int, int], size: int) -> None:
    """Write a text into a picture (h, w, C), dark, beginning at origin (x, y) on its base line."""
    colour = (40,) * picture.shape[2]
    canvas = np.ascontiguousarray(picture)
    cv2.putText(canvas, text, origin, colour, cv2.FontFace(), size, 400)
    picture[:] = canvas.reshape(picture.shape)


def pick_evenly(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Return at most `most` of the rows, evenly from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows)), dtype=int)]


def square_columns(count: int) -> int:
    """Return the number of columns that makes a sheet of `count` tiles about square."""
    return max(1, math.ceil(math.sqrt(count)))
