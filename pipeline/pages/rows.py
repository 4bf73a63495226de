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
_FEWEST = 8  # boxes: what a few do may be chance


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


def number_rows(boxes: Boxes, height: float | Lengths) -> Numbers:
    """Number the row of each box as find_rows does; small marks are in that of the nearest letter.

    A dot, an accent or a full stop lies too far from the middle of its row to be found by it.
    """
    heights = np.broadcast_to(height, len(boxes))
    small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) <= 0.5 * heights
    letters = np.flatnonzero(~small)
    if len(letters) == 0 or not small.any():
        return find_rows(boxes, height)
    marks, others = boxes[small, None], boxes[None, letters]
    gaps = np.maximum(marks[..., :2] - others[..., 2:], others[..., :2] - marks[..., 2:])
    away = (np.maximum(gaps, 0) ** 2).sum(axis=2)
    nearest = np.arange(len(boxes))
    # Half a glyph's height is free between the rows: what is farther has a row of its own.
    near = np.where(
        away.min(axis=1) < (0.5 * heights[small]) ** 2, letters[away.argmin(axis=1)], -1
    )
    nearest[small] = np.where(near < 0, nearest[small], near)
    own = nearest == np.arange(len(boxes))
    numbers = np.zeros(len(boxes), np.int64)
    numbers[own] = find_rows(boxes[own], heights[own])
    return numbers[nearest]


def run_down(boxes: Boxes) -> bool:
    """Tell whether boxes of writing stand in rows from top to bottom: the page lies on its side.

    Letters and digits are higher than they are wide, and nearer to those in their own row than to
    those in the next. Where either is in doubt the page is taken to be upright.
    """
    if len(boxes) < _FEWEST:
        return False
    width, height = np.median(boxes[:, 2:] - boxes[:, :2], axis=0)
    # A tenth: kana and kanji are about as wide as high, and say nothing.
    if width < 1.1 * height:
        return False
    beside = _find_gaps(boxes)
    below = _find_gaps(boxes[:, [1, 0, 3, 2]])
    if len(below) < len(boxes) / 2:
        return False
    # The wider they are the less the gaps need to say. Digits that lie are 1.3 times as wide as
    # high: gaps may be equal then. At a tenth, rows have to be plain.
    plain = 0.65 * (width / height) ** 2
    return len(beside) == 0 or bool(np.median(below) < plain * np.median(beside))


def _find_gaps(boxes: Boxes) -> Numbers:
    """Return the gap from each box to the next one on its right at its height, where one is."""
    overlap = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(
        boxes[:, None, 1], boxes[None, :, 1]
    )
    height = boxes[:, 3] - boxes[:, 1]
    beside = 2 * overlap > np.minimum(height[:, None], height[None, :])
    follows = centres_of(boxes)[None, :] > centres_of(boxes)[:, None]
    far = np.iinfo(np.int64).max
    gaps = np.where(beside & follows, boxes[None, :, 0] - boxes[:, None, 2], far).min(axis=1)
    return np.asarray(gaps[gaps < far])


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
