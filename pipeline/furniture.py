"""Furniture: what is printed on the paper before anybody writes (rules, squares, boxes).

Density is float32 (h, w), 0 on paper, as `pipeline.ink` measures it, on a picture that lies
straight: rules run along the rows or the columns within about a degree.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Density = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.bool_]  # (n,): one for each box
Box = npt.NDArray[np.int64]  # (4,): x0, y0, x1, y1 in pixels, x1 and y1 exclusive
Boxes = npt.NDArray[np.int64]  # (n, 4)


@dataclass(frozen=True)
class Rules:
    """Where a page's printed lines were, each mask bool (h, w)."""

    level: Mask
    upright: Mask
    dark: Mask  # those of either kind that are as dark as ink


def find_rules(density: Density, length: int, thickness: int, faintest: float) -> Mask:
    """Mark the pixels of lines that run along the rows for at least `length` pixels.

    A pixel votes for a line when it belongs to something dark and at most `thickness` high. It
    may lie on one when most pixels near it along the row vote, one row of slope allowed for; a
    stroke of writing may pass for that, too, but does not go on for `length`.
    """
    upright = np.ones((thickness, 1), np.uint8)
    flat = cv2.morphologyEx(density, cv2.MORPH_TOPHAT, upright)
    votes = (flat > faintest).astype(np.uint8)
    wide = cv2.dilate(votes, np.ones((3, 1), np.uint8)).astype(np.float32)
    share = cv2.blur(wide, (length // 3, 1), borderType=cv2.BORDER_REPLICATE)
    likely = ((share > 0.6) & (wide > 0)).astype(np.uint8)
    joined = cv2.morphologyEx(likely, cv2.MORPH_CLOSE, np.ones((1, length // 6), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    long = stats[:, cv2.CC_STAT_WIDTH] >= length
    long[0] = False
    ends = np.ones((3, length // 6), np.uint8)  # where a line ends its share of votes sinks
    line = cv2.dilate(long[labels].astype(np.uint8), ends) & votes
    across = np.ones((1, length // 3), np.uint8)  # beside ink a line wins no votes
    return cv2.morphologyEx(line, cv2.MORPH_CLOSE, across) > 0


def bridge_rules(density: Density, rules: Mask) -> Density:
    """Replace the pixels of rules that run along the rows by what is above and below them."""
    rows = np.arange(density.shape[0], dtype=np.int32)[:, None]
    last = len(rows) - 1
    above = np.maximum.accumulate(np.where(rules, 0, rows), axis=0)
    below = np.minimum.accumulate(np.where(rules, last, rows)[::-1], axis=0)[::-1]
    gap = np.maximum(below - above, 1)
    share = (rows - above) / gap
    bridged = np.take_along_axis(density, above, 0) * (1 - share)
    bridged += np.take_along_axis(density, below, 0) * share
    return np.where(rules, bridged, density).astype(np.float32)


def remove_rules(
    density: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Density, Rules]:
    """Remove lines along the rows and along the columns and heal the strokes that cross them."""
    limits = (full, length, thickness, faintest)
    density, level, dark = remove_level_rules(density, *limits)
    turned, upright, dark_upright = remove_level_rules(np.ascontiguousarray(density.T), *limits)
    rules = Rules(level, np.ascontiguousarray(upright.T), dark | dark_upright.T)
    return np.ascontiguousarray(turned.T), rules


def remove_level_rules(
    density: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Density, Mask, Mask]:
    """Remove lines along the rows only; return the rest, all lines, and those as dark as ink.

    A pale rule is treated as paper of its own shade, so ink on it keeps its full coverage; under
    one as dark as ink nothing can be read, and the strokes that cross it are bridged.
    """
    smooth = cv2.blur(density, (9, 1))
    rules = find_rules(smooth, length, thickness, faintest)
    if not rules.any():
        return density, rules, rules
    dark = find_dark_rules(density, rules, full)
    grow = np.ones((3, 1), np.uint8)
    rules, dark = (cv2.dilate(mask.astype(np.uint8), grow) > 0 for mask in (rules, dark))
    shade = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, np.ones((1, length // 3), np.uint8))
    lifted = (density - shade) * full / np.maximum(full - shade, full / 2)
    return bridge_rules(np.where(rules, lifted, density), dark), rules, dark


def find_dark_rules(density: Density, rules: Mask, full: float) -> Mask:
    """Mark those of the rules that have at least half the density of full ink in the mean."""
    _, labels = cv2.connectedComponents(rules.astype(np.uint8))
    within = labels[rules]
    means = np.bincount(within, density[rules]) / np.maximum(np.bincount(within), 1)
    return (means > full / 2)[labels] & rules


def find_print(boxes: Boxes, rules: Rules, height: float, stroke: float) -> Flags:
    """Tell which boxes (n, 4) of what is left on the page belong to a printed form.

    These are short lines between the lines of a frame, and small print around a table. `height`
    is that of a usual glyph, `stroke` the width of its strokes, in pixels.
    """
    turned = boxes[:, [1, 0, 3, 2]]
    ticks = find_ticks(boxes, rules.dark, stroke) | find_ticks(turned, rules.dark.T, stroke)
    return ticks | find_captions(boxes, rules, height)


def find_ticks(boxes: Boxes, frames: Mask, stroke: float) -> Flags:
    """Tell which boxes hold a thin upright line that leads from one line of a frame to the next."""
    ticks = np.zeros(len(boxes), bool)
    reach = max(2, round(stroke))
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        if x1 - x0 <= 2 * stroke and y1 - y0 > 4 * stroke:
            lines = frames[max(y0 - reach, 0) : y1 + reach, x0:x1].any(axis=1)
            ends = lines[: 2 * reach].any() and lines[-2 * reach :].any()
            ticks[index] = ends and not lines[2 * reach : -2 * reach].any()
    return ticks


def find_captions(boxes: Boxes, rules: Rules, height: float) -> Flags:
    """Tell which boxes are print around a table: outside its lines and lower than writing."""
    table = find_table(rules)
    if table is None or min(table[2:] - table[:2]) < 3 * height:
        return np.zeros(len(boxes), bool)
    x0, y0, x1, y1 = table
    outside = (boxes[:, 2] <= x0) | (boxes[:, 0] >= x1) | (boxes[:, 3] <= y0) | (boxes[:, 1] >= y1)
    return outside & (boxes[:, 3] - boxes[:, 1] < 0.7 * height)


def find_table(rules: Rules) -> Box | None:
    """Return the box (4,) around the lines that cross each other, or None for ruled paper.

    Folds and the paper's own edges cross lines, too: a line counts when it crosses at least
    half as many lines as the best one of its kind.
    """
    _, level = cv2.connectedComponents(rules.level.astype(np.uint8))
    _, upright = cv2.connectedComponents(rules.upright.astype(np.uint8))
    both = (level > 0) & (upright > 0)
    crossings = np.unique(np.stack([level[both], upright[both]]), axis=1)
    if crossings.size == 0:
        return None
    across, down = np.bincount(crossings[0]), np.bincount(crossings[1])
    if min(across.max(), down.max()) < 2:
        return None
    xs = np.flatnonzero(np.isin(upright, np.flatnonzero(2 * down >= down.max())).any(axis=0))
    ys = np.flatnonzero(np.isin(level, np.flatnonzero(2 * across >= across.max())).any(axis=1))
    return np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1])
