"""Remains: what is left of printed lines when rules and frames are taken off a page.

Where lines cross or end, where a blur breaks them, and where they are short, as the ticks of a
scale and the dashes of a dotted line, bits of them stay that no rule claimed.

Pieces are those of `pipeline.pages.pieces`; flags are (n,), one for each piece. Lengths are in
pixels; `height` is that of a usual glyph, `stroke` the width of its strokes.
"""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.frames import Frames
from pipeline.pages.furniture import Rules
from pipeline.pages.pieces import Boxes, Flags, Pieces, size_of

Mask = npt.NDArray[np.bool_]

_INSIDE = 0.8  # of a piece: so much of it lies where a line ran on
_THIN, _SMALL = 0.3, 0.6  # heights of a glyph: across a line, and where lines cross
_FILLED = 0.7  # of its box: a straight bar
_SLENDER = 2  # widths of a bar, along it
_FEW = 3  # ticks along one line
_MANY = 6  # dashes in one row
_EXACT = 0.1  # of its length: so alike are the dashes of a print, and their gaps


def find_remains(
    pieces: Pieces, rules: Rules, frames: Frames | None, height: float, stroke: float
) -> Flags:
    """Tell which pieces are bits of printed lines: ends, crossings, ticks and dashes."""
    found = np.zeros(len(pieces.areas), bool)
    if height == 0:
        return found
    level = _keep_dark(rules.level, rules.dark)
    upright = _keep_dark(rules.upright, rules.dark)
    reach = max(2, round(height / 7))
    if level.any() or upright.any() or frames is not None:
        found |= _lie_along(pieces, level, upright, frames, height)
        turned = pieces.boxes[:, [1, 0, 3, 2]]
        limits = (pieces.areas, 2 * stroke, reach)
        found |= _find_ticks(pieces.boxes, level & rules.dark, *limits)
        found |= _find_ticks(turned, (upright & rules.dark).T, *limits)
    return np.asarray(found | _find_dashes(pieces, height))


def _keep_dark(lines: Mask, dark: Mask) -> Mask:
    """Return those lines that are as dark as ink along a third of their way: no ruled paper's."""
    if not (lines & dark).any():
        return np.zeros_like(lines)
    count, labels = cv2.connectedComponents(lines.astype(np.uint8))
    share = np.bincount(labels[dark & lines], minlength=count) / np.bincount(labels.ravel())
    kept = share > 1 / 3
    kept[0] = False
    return np.asarray(kept.take(labels))


def _lie_along(
    pieces: Pieces, level: Mask, upright: Mask, frames: Frames | None, height: float
) -> Flags:
    """Tell which pieces lie along dark lines, or where such a line would run on."""
    # A line's soft edge, and as far on as it may be broken.
    beside, onward = 2 * max(2, round(height / 12)) + 1, 2 * round(height / 2) + 1
    zone = _widen(level, onward, beside) | _widen(upright, beside, onward)
    crossing = _widen(level, onward, beside) & _widen(upright, beside, onward)
    if frames is not None:
        edges = _widen(frames.mask, beside, beside)
        zone, crossing = zone | edges, crossing | edges
    thin = pieces.sizes.min(axis=1) < _THIN * height
    # Where lines cross, or meet at a corner, what is left is as broad as it is long.
    small = (pieces.sizes.max(axis=1) < _SMALL * height) & (_count(pieces, crossing) > 0)
    return np.asarray((_count(pieces, zone) > _INSIDE * pieces.areas) & (thin | small))


def _count(pieces: Pieces, area: Mask) -> npt.NDArray[np.int64]:
    """Count the pixels of each piece that lie in an area."""
    return np.bincount(pieces.labels[area], minlength=len(pieces.areas) + 1)[1:]


def _widen(lines: Mask, width: int, height: int) -> Mask:
    """Grow a mask to a window of this width and height about each of its pixels."""
    if not lines.any():
        return lines
    grown = cv2.dilate(lines.view(np.uint8), np.ones((1, width), np.uint8))
    return np.asarray(cv2.dilate(grown, np.ones((height, 1), np.uint8)) > 0)


def _find_ticks(
    boxes: Boxes, lines: Mask, areas: npt.NDArray[np.int64], narrow: float, reach: int
) -> Flags:
    """Tell which boxes are bars that stand on a line along the rows, or lead to the next line.

    A written 1 may be as straight, but does not end at both lines; nor do three of one length
    stand on the same line. An end may lie up to `reach` pixels from its line.
    """
    ticks = np.zeros(len(boxes), bool)
    if not lines.any():
        return ticks
    width, height = size_of(boxes).T
    bars = (width <= narrow) & (height > _SLENDER * np.minimum(narrow, 2 * width))
    # A tick is filled: the box of a line that leans is not.
    bars &= areas > 0.6 * width * height
    standing: list[tuple[int, bool]] = []
    for index in np.flatnonzero(bars).tolist():
        x0, y0, x1, y1 = boxes[index]
        window = np.asarray(lines[max(y0 - reach, 0) : y1 + reach, x0:x1].any(axis=1))
        top, bottom = window[: 2 * reach].any(), window[-2 * reach :].any()
        ticks[index] = top and bottom and not window[2 * reach : -2 * reach].any()
        if top != bottom:
            standing.append((index, bool(top)))
    for index, at_top in standing:
        same = [other for other, side in standing if side == at_top]
        ticks[index] |= _count_alike(boxes, index, same, reach) >= _FEW
    return ticks


def _count_alike(boxes: Boxes, index: int, others: list[int], reach: int) -> int:
    """Count the bars that begin and end at the same height as one does; it is among them."""
    away = np.abs(boxes[others][:, [1, 3]] - boxes[index, [1, 3]])
    return int(np.count_nonzero((away <= max(2, reach // 2)).all(axis=1)))


def _find_dashes(pieces: Pieces, height: float) -> Flags:
    """Tell which pieces are the dashes of broken lines: alike, in one row, at even steps."""
    found = np.zeros(len(pieces.areas), bool)
    for boxes in (pieces.boxes, pieces.boxes[:, [1, 0, 3, 2]]):
        width, thick = size_of(boxes).T
        bars = (thick < 0.3 * height) & (width >= _SLENDER * thick) & (thick > 1)
        bars &= pieces.areas > _FILLED * width * thick
        found |= _find_even(boxes, np.flatnonzero(bars))
    return found


def _find_even(boxes: Boxes, bars: npt.NDArray[np.intp]) -> Flags:
    """Tell which bars along the rows follow each other at even steps, in rows of many."""
    found = np.zeros(len(boxes), bool)
    left = set(bars.tolist())
    for first in bars[np.argsort(boxes[bars, 0], kind="stable")].tolist():
        if first not in left:
            continue
        run = _follow(boxes, first, left)
        left -= set(run)
        found[run] = len(run) >= _MANY
    return found


def _follow(boxes: Boxes, first: int, left: set[int]) -> list[int]:
    """Follow a broken line from one dash to the next of its length, and as far on."""
    run, step = [first], 0.0
    others = np.array(sorted(left, key=lambda one: int(boxes[one, 0])))
    length = float(boxes[first, 2] - boxes[first, 0])
    for other in others[boxes[others, 0] > boxes[first, 2]].tolist():
        way = float(boxes[other, 0] - boxes[run[-1], 0])
        slack = max(2.0, _EXACT * (step or length))
        if way > max(3 * length, step + slack):
            break
        even = step == 0 or abs(way - step) <= slack
        alike = abs(boxes[other, 2] - boxes[other, 0] - length) <= slack
        if even and alike and abs(boxes[other, 1] - boxes[run[-1], 1]) <= 2:
            step = step or way
            run.append(other)
    return run
