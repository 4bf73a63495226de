"""Borders: the lines of a cell, or of a window, that a ready-cut picture of one glyph still shows.

A picture is uint8 (h, w) grey. Coverage is uint8 (h, w), 0 ground, 255 full ink, of the writing
that is darker than its ground. A side is looked at as if it were the upper one: `top` is the
picture turned by that many quarters.

A line runs straight along a side, from edge to edge of the picture or to the lines beside it. That
may be a part of the glyph too, where the picture was cut as tightly as it goes: the bar of a T, the
foot of an L. What tells them apart is the rest of the ink: in a tight cut it touches the sides that
have no line, within a border it keeps away from all of them.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.pages import ink
from pipeline.pages.pieces import Coverage, Pieces, find_pieces

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

# What is said of a picture
REMOVED = "a line along its edge was left out"
KEPT = "a line along its edge may be a border or a stroke"
FRAME = "nothing is on it but a frame along its edges"

_DEPTH = 0.2  # of the picture: so far from its side a line is looked for
_THICKEST = 0.15  # of the picture
_SLOPE = 0.1  # rows a column: what a cut leaves askew
_PALEST = 90  # coverage of a line; what is paler counts as paper anyway
_SOLID, _DOTTED = 0.8, 0.3  # shares of a line's columns that hold it
_SHORTEST = 0.35  # of the side: where a line leaves the picture half of it is left
_OWN = 0.6  # of its ink's columns; in the others writing joins it, as deep as is looked
_GAPS = 4  # of a dotted line; feet in a row, as those of an m, have fewer
_STRAIGHT = 0.75  # rows that it may stray
_GAP = 0.12  # of the side, between two dots
# Shares of a stroke's width: a line below the first is no stroke of the same pen, even where the
# writing touches it; one above the second may be, even where nothing does.
_THIN, _LIKE_STROKES = 0.5, 0.75
_SMALLEST = 16  # pixels: a side of what may show more than a glyph
# Of what lies within a border so much may be ink, for sure and at most. A bold letter with a narrow
# margin is the same thing inside out: its margin a frame, its hollows ink.
_FILLED, _FULL = 0.3, 0.45
_MARGIN = 0.95  # of the outermost pixels
_SPECK = 0.05  # of the picture: a smaller piece is no writing
_DOUBT = 0.5  # the score of what may be a part of the glyph, or a border
_FRAME = 0.04  # of the picture: a thinner frame with nothing in it is an empty cell's


@dataclass(frozen=True)
class Line:
    """A line along the upper side: for each column the first row inside of it, 0 for none."""

    inner: npt.NDArray[np.intp]  # (w,)
    thickness: float
    first: int  # column that shows it
    last: int
    gap: int  # widest, in columns
    leaves: tuple[bool, bool]  # through the upper edge: before its first, after its last column


@dataclass(frozen=True)
class Border:
    """What was found along the sides: which pixels are no glyph's, and how sure that is."""

    picture: Grey  # dark writing, the lines filled with what lies inside of them, if left out
    outside: Mask  # lines and what lies beyond them; nothing where they are left as they are
    score: float
    note: str


def find_border(gray: Grey) -> Border | None:
    """Return the border of a ready-cut picture, dark on light or light on dark; None for none."""
    if min(gray.shape) < _SMALLEST:
        return None
    found = [border for border in map(_judge, (gray, 255 - gray)) if border is not None]
    # Inside a margin of paper lies the cell's line: what leaves out more has understood more.
    return max(found, key=lambda border: border.outside.sum(), default=None)


def _judge(picture: Grey) -> Border | None:
    """Return the border of dark writing; None where there is none, or nothing speaks for one."""
    coverage = ink.cover_dark(picture)
    lines = _find_lines(coverage)
    if not lines:
        return None
    filled, outside = _lay_open(picture, lines)
    rest = np.where(outside, 0, ink.cover_dark(filled)).astype(np.uint8)
    pieces = find_pieces(rest)
    big = np.flatnonzero(pieces.sizes.max(axis=1) > _SPECK * max(picture.shape))
    if len(big) == 0:
        return _judge_frame(picture, lines)
    if ink.shows_light(filled):
        return None
    kept = Border(picture, np.zeros_like(outside), _DOUBT, KEPT)
    filling = pieces.areas[big].sum() / (~outside).sum()
    if filling > _FILLED:
        return kept if filling < _FULL and len(lines) > 2 else None
    own = np.isin(pieces.labels, big + 1)
    joined = [side for side, line in lines.items() if _joins(np.rot90(own, side), line)]
    share = max(line.thickness for line in lines.values()) / _stroke(pieces, big)
    removed = Border(filled, outside, 1.0, REMOVED)
    # By its rim it would be read inside out, though not all of that is line, as a margin would be.
    left = kept if ink.shows_light(picture) and _count_rim(coverage) < _MARGIN else None
    if any(np.rot90(own, side)[0].any() for side in range(4) if side not in lines):
        return left if joined or share >= _THIN else replace(removed, score=_DOUBT)
    opposite = len(lines) == 2 and max(lines) - min(lines) == 2
    if opposite and len(joined) == 2:  # as in H, I and Z
        return left
    if joined or opposite:
        return removed if share < (_THIN if joined else _LIKE_STROKES) else kept
    return removed if share < _LIKE_STROKES or len(lines) < 3 else replace(removed, score=_DOUBT)


def _count_rim(coverage: Coverage) -> float:
    """Return which share of a picture's outermost pixels is inked."""
    rim = np.concatenate([np.rot90(coverage, side)[0] for side in range(4)])
    return float((rim >= _PALEST).mean())


def _joins(own: Mask, line: Line) -> bool:
    """Return whether ink (h, w) begins right inside of a line along the upper side."""
    row = np.minimum(line.inner + 1, len(own) - 1)
    return bool((own[row, np.arange(own.shape[1])] & (line.inner > 0)).any())


def _judge_frame(picture: Grey, lines: dict[int, Line]) -> Border | None:
    """Return what to think of a frame with nothing in it; None for what may be a letter."""
    height, width = picture.shape
    thin = max(line.thickness for line in lines.values()) <= _FRAME * min(height, width)
    if len(lines) < 4 or not thin or max(height, width) > 2 * min(height, width):
        return None
    return Border(picture, np.zeros(picture.shape, bool), _DOUBT / 2, FRAME)


def _stroke(pieces: Pieces, big: npt.NDArray[np.intp]) -> float:
    return max(float(np.average(pieces.strokes[big], weights=pieces.areas[big])), 1.0)


def _lay_open(picture: Grey, lines: dict[int, Line]) -> tuple[Grey, Mask]:
    """Fill lines and what lies beyond them with what lies inside; return that and where it is."""
    filled, outside = picture.copy(), np.zeros(picture.shape, bool)
    for side, line in lines.items():
        top, beyond = np.rot90(filled, side), np.rot90(outside, side)  # views
        rows = np.arange(len(top))[:, None]
        # A row more: the line's edge may be soft.
        edge = np.where(line.inner > 0, line.inner + 1, 0)
        values = top[np.minimum(edge, len(top) - 1), np.arange(top.shape[1])]
        beyond |= rows < edge
        top[...] = np.where(rows < edge, values, top)
    return filled, outside


def _find_lines(coverage: Coverage) -> dict[int, Line]:
    """Return the lines along the sides, by the quarters that turn each side up."""
    seen = {side: _find_line(np.rot90(coverage, side)) for side in range(4)}
    lines = {side: line for side, line in seen.items() if line is not None}
    while True:  # without one line another may lead nowhere
        kept = {side: line for side, line in lines.items() if _leads_on(line, side, lines)}
        if len(kept) == len(lines):
            return kept
        lines = kept


def _leads_on(line: Line, side: int, lines: dict[int, Line]) -> bool:
    """Return whether both ends reach an edge of the picture, or a line beside it."""
    width = len(line.inner)
    # Turned by a quarter, the right side comes up: the one at the left is three quarters away.
    ends = ((line.first, side + 3), (width - 1 - line.last, side + 1))
    for (free, neighbour), leaves in zip(ends, line.leaves, strict=True):
        beside = lines.get(neighbour % 4)
        reach = line.gap
        if beside is not None:
            reach += int(beside.inner.max()) + max(1, round(0.03 * width))
        if free > reach and not leaves:
            return False
    return True


def _find_line(coverage: Coverage) -> Line | None:
    """Return the line along the upper side, if there is one."""
    height, width = coverage.shape
    depth = round(_DEPTH * height) + 1
    inked = coverage[:depth] >= _PALEST
    columns = np.flatnonzero(inked.any(axis=0))
    if len(columns) < _DOTTED * _SHORTEST * width:
        return None
    start = inked[:, columns].argmax(axis=0)
    bare = ~inked[:, columns] & (np.arange(depth)[:, None] > start)
    end = np.where(bare.any(axis=0), bare.argmax(axis=0), depth)
    ends_here = (end < depth) & (end - start <= max(1, _THICKEST * height))
    fitted = _fit_line(columns[ends_here], end[ends_here], width)
    if fitted is None:
        return None
    on, fit, rise = fitted
    columns, start, end = (each[ends_here][on] for each in (columns, start, end))
    first, last = int(columns[0]), int(columns[-1])
    bare = np.flatnonzero(~inked[:, first:last].any(axis=0))
    gap = _measure_gaps(bare, len(columns))
    span = last + 1 - first
    if span < _SHORTEST * width or len(columns) < max(_DOTTED * span, _OWN * (span - len(bare))):
        return None
    if gap is None or gap > _GAP * width:
        return None
    leaves = rise > 0.5 and fit[first] <= 1.5, rise < -0.5 and fit[last] <= 1.5
    inner = np.maximum(np.ceil(fit), 0).astype(np.intp)
    inner[columns] = np.maximum(inner[columns], end)
    return Line(inner, float(np.percentile(end - start, 75)), first, last, gap, leaves)


def _measure_gaps(bare: npt.NDArray[np.intp], inked: int) -> int | None:
    """Return the widest gap of a dotted line in columns, 0 for a solid one, None for no line."""
    if len(bare) <= (1 / _SOLID - 1) * inked:
        return 0
    gaps = np.split(bare, np.flatnonzero(np.diff(bare) > 1) + 1)
    return max(map(len, gaps)) if len(gaps) >= _GAPS else None


def _fit_line(
    columns: npt.NDArray[np.intp], end: npt.NDArray[np.intp], width: int
) -> tuple[Mask, npt.NDArray[np.float64], float] | None:
    """Return which of the columns' ends lie on one straight line, its rows (w,), and its rise."""
    if len(columns) < _DOTTED * _SHORTEST * width:
        return None
    across = np.arange(width) / max(width - 1, 1)
    rise, level = _vote(across[columns], end, round(_SLOPE * width))
    near = np.abs(end - level - rise * across[columns]) <= 2 * _STRAIGHT
    if np.ptp(columns[near]) == 0:
        return None
    slope, offset = np.polyfit(columns[near], end[near], 1)
    fit = offset + slope * np.arange(width)
    on = np.abs(end - fit[columns]) <= _STRAIGHT
    return (on, fit, slope * width) if on.any() else None


def _vote(
    across: npt.NDArray[np.float64], end: npt.NDArray[np.intp], steepest: int
) -> tuple[int, float]:
    """Return the rise (rows over the whole width) and the level of the line with the most votes."""
    best = (0.0, 0, 0.0)
    for rise in sorted(range(-steepest, steepest + 1), key=abs):
        rows = np.rint(end - rise * across).astype(np.intp)
        low = int(rows.min())
        votes = np.bincount(rows - low)
        pairs = votes + np.append(votes[1:], 0)  # a line between two rows votes for either
        row = int(pairs.argmax())
        if pairs[row] > best[0]:
            both = (rows == row + low) | (rows == row + low + 1)
            best = float(pairs[row]), rise, float((end - rise * across)[both].mean())
    return best[1], best[2]
