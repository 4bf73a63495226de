"""Rows: the reading order of boxes on a straight page.

Boxes are float (n, 4): x0, y0, x1, y1, x1 and y1 exclusive. Rows and columns count from 0.
"""

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]


def find_rows(boxes: Boxes, height: float) -> npt.NDArray[np.int64]:
    """Number the row of each box from the top; `height` is that of a usual glyph in pixels.

    Boxes are taken from left to right; each joins the row whose last boxes lie at its height,
    so a row may climb or sag along its way.
    """
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    rows: list[list[int]] = []
    for index in np.argsort(boxes[:, 0]):
        level = [abs(np.mean(middles[row[-3:]]) - middles[index]) for row in rows]
        if level and min(level) < 0.6 * height:
            rows[int(np.argmin(level))].append(int(index))
        else:
            rows.append([int(index)])
    rows.sort(key=lambda row: float(np.mean(middles[row])))
    numbers = np.zeros(len(boxes), np.int64)
    for number, row in enumerate(rows):
        numbers[row] = number
    return numbers


def number_columns(boxes: Boxes, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the boxes of each row from the left."""
    columns = np.zeros(len(boxes), np.int64)
    centres = (boxes[:, 0] + boxes[:, 2]) / 2
    for row in np.unique(rows):
        members = np.flatnonzero(rows == row)
        columns[members[np.argsort(centres[members])]] = np.arange(len(members))
    return columns
