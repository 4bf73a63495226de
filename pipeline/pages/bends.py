"""Bends: how the printed lines of a sheet lean and curve, and pictures straightened along them.

Density is float32 (h, w), 0 on paper. Lines here run along the rows, more or less; a slope is how
many rows a line sinks for each column. A rule may climb by 17 degrees, which is how the end of an
arc lies whose middle is 6 % of its width above its ends.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Density = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_STEP = 0.01  # of slope: over a strip, which is 6 % of a page's side, a line moves by a row
_STEEPEST = 30  # steps
_SAMPLES = 12  # columns of a strip that are looked at
_AGREEING = 8  # of them: from so many on a row of votes may be a piece of a line
_RULE = 3 * (_SAMPLES - _AGREEING)  # what one line in a strip counts: votes are three rows high
_BLOCKS = 8  # parts of a page's height, each with slopes of its own
_NEIGHBOURS = (1, 4, 16, 64, 16, 4, 1)  # what the lines of a block and of those near it weigh
_STRAIGHT = 1  # step: so little is a straight line to who removes it
_LEAST = _RULE / 2  # gain in each strip, or it may be strokes of writing
_STEEP = 14  # steps, 8 degrees: what leans more may be the paper's edges, unless it is six lines


@dataclass(frozen=True)
class Bend:
    """The ways from a sheet (h, w) to its straightened picture (h + 2 m, w) and back, by row.

    down: the sheet's row for each pixel of the straightened picture; up: the straightened
    picture's row for each pixel of the sheet.
    """

    down: Density
    up: Density

    def straighten(self, picture: Density) -> Density:
        """Return a picture (h, w) of the sheet with level lines."""
        return _move_rows(picture, self.down, cv2.INTER_LINEAR)

    def restore(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what was measured on a straightened picture (float32 or uint8) for the sheet."""
        return _move_rows(picture, self.up, cv2.INTER_NEAREST)


def _move_rows(picture: npt.NDArray[Any], rows: Density, interpolation: int) -> npt.NDArray[Any]:
    """Take each pixel of a picture from the given row of its own column."""
    columns = np.arange(rows.shape[1], dtype=np.float32)
    there = np.ascontiguousarray(np.broadcast_to(columns, rows.shape))
    return np.asarray(cv2.remap(picture, there, rows, interpolation))


def find_bend(density: Density, length: int, thickness: int, faintest: float) -> Bend | None:
    """Find how lines of at least `length` and at most `thickness` pixels bend; None if they don't.

    The page's width is cut into strips of a third of that length. In each the slope is looked for
    along which most votes for lines line up, and from strip to strip it changes little: a page's
    rules are one family, and a stroke of writing has no say against them.
    """
    step = max(1, length // (3 * _SAMPLES))
    strips = density.shape[1] // (step * _SAMPLES)
    if strips < 3 or len(density) < 2 * _BLOCKS * _STEEPEST:
        return None
    lines = _count_lines(density[:, step // 2 :: step], strips, step, thickness, faintest)
    padded = np.pad(lines, ((0, 0), (0, 0), (3, 3)))
    near = np.zeros_like(lines)
    for shift, weight in enumerate(_NEIGHBOURS):
        near += weight * padded[..., shift : shift + _BLOCKS]
    path = np.stack([_follow(near[..., block]) for block in range(_BLOCKS)], axis=1)
    still = lines[:, _STEEPEST - _STRAIGHT : _STEEPEST + _STRAIGHT + 1].max(axis=1)
    along = np.take_along_axis(lines, path[:, None], axis=1)[:, 0]
    least = _LEAST if np.abs(path - _STEEPEST).max() <= _STEEP else 6 * _RULE
    if (along - still).sum() < strips * least:
        return None
    return _integrate(_refine(near, path), density.shape, step)


def _count_lines(
    columns: Density, strips: int, step: int, thickness: int, faintest: float
) -> Counts:
    """Count the lines of each slope in each strip and block, (strips, slopes, blocks)."""
    upright = np.ones((thickness, 1), np.uint8)
    columns = np.ascontiguousarray(columns[:, : strips * _SAMPLES])
    flat = cv2.morphologyEx(columns, cv2.MORPH_TOPHAT, upright)
    votes = cv2.dilate((flat > faintest).astype(np.uint8), np.ones((3, 1), np.uint8))
    height = len(votes) // _BLOCKS * _BLOCKS
    reach = int(np.ceil(_STEEPEST * _STEP * step * _SAMPLES / 2))
    votes = np.pad(votes[:height], ((reach, reach), (0, 0)))
    votes = np.ascontiguousarray(votes.T.reshape(strips, _SAMPLES, -1).transpose(1, 0, 2))
    lines = np.zeros((strips, 2 * _STEEPEST + 1, _BLOCKS), np.int64)
    for index, slope in enumerate(_STEP * np.arange(-_STEEPEST, _STEEPEST + 1)):
        count = np.zeros((strips, height), np.uint8)
        for sample in range(_SAMPLES):
            row = reach + round(slope * step * (sample + 0.5 - _SAMPLES / 2))
            count += votes[sample, :, row : row + height]
        excess = np.maximum(count, _AGREEING) - _AGREEING
        lines[:, index] = excess.reshape(strips, _BLOCKS, -1).sum(axis=2, dtype=np.int64)
    return lines


def _follow(lines: Counts) -> Counts:
    """Return the step of slope in each strip that has most lines and changes least (Viterbi).

    lines (strips, slopes). A step's change costs a tenth of a rule, and a step off the level
    next to nothing, so that where there are no lines nothing bends.
    """
    steps = np.arange(lines.shape[1])
    cost = sum(_NEIGHBOURS) * _RULE // 10 * np.abs(steps[:, None] - steps)
    gain = lines - np.abs(steps - _STEEPEST)
    best, came = gain[0], []
    for own in gain[1:]:
        ways = best - cost  # [to, from]
        came.append(ways.argmax(axis=1))
        best = own + ways.max(axis=1)
    path = [int(best.argmax())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def _refine(lines: Counts, path: Counts) -> Floats:
    """Return the slopes (strips, blocks) of a path, finer than its steps, and smooth."""
    padded = np.pad(lines, ((0, 0), (2, 2), (0, 0)))
    weights = np.stack(
        [np.take_along_axis(padded, (path + k)[:, None], axis=1)[:, 0] for k in range(5)]
    )
    lean = np.tensordot(np.arange(-2, 3), weights, axes=1) / np.maximum(weights.sum(axis=0), 1)
    slopes = _STEP * (path - _STEEPEST + lean)
    slopes = np.pad(slopes, ((1, 1), (0, 0)), mode="reflect", reflect_type="odd")
    return np.asarray((slopes[:-2] + 2 * slopes[1:-1] + slopes[2:]) / 4)


def _integrate(slopes: Floats, shape: tuple[int, ...], step: int) -> Bend:
    """Follow the slopes (strips, blocks) from the middle of a sheet of this shape to its sides."""
    height, width = shape
    count = -(-width // step)
    middle = count // 2
    # No line strays farther than the steepest would.
    room = int(np.ceil(np.abs(slopes).max() * width / 2)) + 1
    start = np.arange(-room, height + room, dtype=np.float64)
    rows = np.empty((count, len(start)))
    rows[middle] = start
    for column in range(middle + 1, count):
        last = rows[column - 1]
        rows[column] = last + step * _slope_at(slopes, column - 0.5, last, height)
    for column in range(middle - 1, -1, -1):
        last = rows[column + 1]
        rows[column] = last - step * _slope_at(slopes, column + 0.5, last, height)
    here = np.arange(height)
    up = np.stack([np.interp(here, line, start) + room for line in rows])
    return Bend(_widen(rows, step, width), _widen(up, step, width))


def _slope_at(slopes: Floats, column: float, rows: Floats, height: int) -> Floats:
    """Return the slope at each of these rows in a column of samples."""
    place = (column + 0.5) / _SAMPLES - 0.5
    strip = min(max(int(place), 0), len(slopes) - 2)
    share = place - strip  # beyond the middles of the outer strips they go on as they came
    here = (1 - share) * slopes[strip] + share * slopes[strip + 1]
    centres = (np.arange(_BLOCKS) + 0.5) * height / _BLOCKS
    return np.asarray(np.interp(rows, centres, here))


def _widen(columns: Floats, step: int, width: int) -> Density:
    """Stretch values (n, h) of every `step`-th column to all columns, (h, width)."""
    narrow = np.ascontiguousarray(columns.T, np.float32)
    size = (len(columns) * step, narrow.shape[0])
    return np.ascontiguousarray(cv2.resize(narrow, size, interpolation=cv2.INTER_LINEAR)[:, :width])
