"""Rows: the reading order of boxes on a straight page.

Boxes are (n, 4): x0, y0, x1, y1 in pixels, x1 and y1 exclusive. Rows and columns count from 0;
NOWHERE stands for a box that has no place in its row.
"""

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.float64]

NOWHERE = -1
DOUBTFUL = 0.75  # a score below this may be dirt


def find_rows(boxes: Boxes, height: float | Lengths) -> Numbers:
    """Number the row of each box from the top; `height` is that of a usual glyph in pixels.

    Where a page is written in several sizes it is (n,), for each box that of its own.

    Boxes are taken from left to right; each joins the row whose last boxes lie at its height,
    so a row may climb or sag along its way.
    """
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    heights = np.broadcast_to(height, len(boxes))
    rows: list[list[int]] = []
    levels: list[float] = []
    for index in np.argsort(boxes[:, 0]):
        away = np.abs(np.array(levels) - middles[index])
        # Half a glyph's height is free between the rows (docs/pages.md): the next one is 1.5 away.
        nearest = int(np.argmin(away)) if rows else -1
        # Beside a glyph of another size, such as a title above a line, the smaller one counts.
        if rows and away[nearest] < 0.6 * min(heights[index], heights[rows[nearest][-1]]):
            rows[nearest].append(int(index))
            # Of three, so that one that hangs below its line (a g, a p) does not bend the row much.
            levels[nearest] = float(middles[rows[nearest][-3:]].mean())
        else:
            rows.append([int(index)])
            levels.append(float(middles[index]))
    rows.sort(key=lambda row: float(middles[row].mean()))
    numbers = np.zeros(len(boxes), np.int64)
    for number, row in enumerate(rows):
        numbers[row] = number
    return numbers


def centres_of(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Return x of the middle of each box, (n,)."""
    return np.asarray((boxes[:, 0] + boxes[:, 2]) / 2)


def number_columns(boxes: Boxes, rows: Numbers) -> Numbers:
    """Number the boxes of each row from the left."""
    columns = np.zeros(len(boxes), np.int64)
    centres = centres_of(boxes)
    for row in np.unique(rows):
        members = np.flatnonzero(rows == row)
        columns[members[np.argsort(centres[members])]] = np.arange(len(members))
    return columns


def count_mates(rows: Numbers) -> Numbers:
    """Count for each box how many boxes its row has; 0 for those without a row."""
    return np.where(rows == NOWHERE, 0, np.bincount(rows + 1)[rows + 1])


def drop_strays(
    rows: Numbers, columns: Numbers, scores: npt.NDArray[np.float64]
) -> tuple[Numbers, Numbers]:
    """Take rows of a few doubtful boxes for dirt: they get NOWHERE, later rows move up."""
    mates = count_mates(rows)
    best = np.zeros(len(rows))
    np.maximum.at(best, rows, scores)
    stray = (mates < np.median(mates) / 3) & (best[rows] < DOUBTFUL)
    moved = np.unique(rows[~stray], return_inverse=True)[1]
    kept_rows, kept_columns = np.full_like(rows, NOWHERE), np.where(stray, NOWHERE, columns)
    kept_rows[~stray] = moved
    return kept_rows, kept_columns


def align_columns(boxes: Boxes, rows: Numbers, row_length: int) -> Numbers:
    """Number the boxes of each row by the columns that the complete rows of the page show.

    A row where a glyph is missing keeps the numbers of the others right; in a row with too many
    the boxes that fit no column are NOWHERE. Without any complete row, boxes are counted.
    """
    columns = np.where(rows == NOWHERE, NOWHERE, number_columns(boxes, rows))
    mates = count_mates(rows)
    complete = mates == row_length
    if not complete.any():
        return columns
    centres = centres_of(boxes)
    places = np.array(
        [np.median(centres[complete & (columns == column)]) for column in range(row_length)]
    )
    for row in np.unique(rows[(mates > 0) & ~complete]):
        members = np.flatnonzero(rows == row)
        columns[members] = _match_places(centres[members], places)
    return columns


def _match_places(centres: npt.NDArray[np.float64], places: npt.NDArray[np.float64]) -> Numbers:
    """Match each centre to one place so that the total way between them is shortest."""
    from scipy.optimize import linear_sum_assignment

    ways = np.abs(centres[:, None] - places[None, :])
    which, place = linear_sum_assignment(ways)
    matched = np.full(len(centres), NOWHERE, np.int64)
    matched[which] = place
    return matched
