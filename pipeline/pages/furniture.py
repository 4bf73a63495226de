"""Furniture: what is printed on the paper before anybody writes (rules, squares, boxes).

Density is float32 (h, w), 0 on paper, as `pipeline.pages.ink` measures it, on a picture that lies
straight: rules run along the rows or the columns within about a degree.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages.pieces import Box

Density = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """Where a page's printed lines were, each mask bool (h, w)."""

    level: Mask
    upright: Mask
    dark: Mask  # those of either kind that are as dark as ink


def _find_rules(density: Density, length: int, thickness: int, faintest: float) -> Mask:
    """Mark the pixels of lines that run along the rows for at least `length` pixels.

    A pixel votes for a line when it belongs to something dark and at most `thickness` high. It
    may lie on one when most pixels near it along the row vote, one row of slope allowed for; a
    stroke of writing may pass for that, too, but does not go on for `length`.
    """
    upright = np.ones((thickness, 1), np.uint8)
    flat = cv2.morphologyEx(density, cv2.MORPH_TOPHAT, upright)
    votes = (flat > faintest).astype(np.uint8)
    wide = cv2.dilate(votes, np.ones((3, 1), np.uint8)).astype(np.float32)
    # A third of the length, so that most of the way a line has its neighbourhood to itself.
    share = cv2.blur(wide, (length // 3, 1), borderType=cv2.BORDER_REPLICATE)
    likely = ((share > 0.6) & (wide > 0)).astype(np.uint8)
    if not likely.any():
        return np.asarray(likely > 0)
    joined = cv2.morphologyEx(likely, cv2.MORPH_CLOSE, np.ones((1, length // 6), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    width = stats[:, cv2.CC_STAT_WIDTH]
    # The row of slope that is allowed for makes a line two rows thicker.
    long = (width >= length) & (stats[:, cv2.CC_STAT_AREA] < (thickness + 2) * width)
    long[0] = False
    ends = np.ones((3, length // 6), np.uint8)  # where a line ends its share of votes sinks
    line = cv2.dilate(long.take(labels).astype(np.uint8), ends) & votes
    across = np.ones((1, length // 3), np.uint8)  # beside ink a line wins no votes
    return np.asarray(cv2.morphologyEx(line, cv2.MORPH_CLOSE, across) > 0)


def bridge_rules(density: Density, rules: Mask) -> Density:
    """Replace the pixels of rules that run along the rows by what is above and below them."""
    xs, ys = np.nonzero(_turn(rules))  # column by column: a rule's height there is a run
    starts = (np.diff(ys, prepend=-2) != 1) | (np.diff(xs, prepend=-1) != 0)
    ends = (np.diff(ys, append=-2) != 1) | (np.diff(xs, append=-1) != 0)
    run = np.cumsum(starts) - 1
    above = np.maximum(ys[starts] - 1, 0)[run]
    below = np.minimum(ys[ends] + 1, len(rules) - 1)[run]
    share = (ys - above) / np.maximum(below - above, 1)
    bridged = density.copy()
    bridged[ys, xs] = density[above, xs] * (1 - share) + density[below, xs] * share
    return bridged


def remove_rules(
    density: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Density, Rules]:
    """Remove lines along the rows and along the columns and heal the strokes that cross them."""
    limits = (full, length, thickness, faintest)
    density, level, dark = _remove_level_rules(density, *limits)
    turned, upright, dark_upright = _remove_level_rules(_turn(density), *limits)
    return _turn(turned), Rules(level, _turn(upright), dark | _turn(dark_upright))


def _turn(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Swap the rows and the columns of a picture or a mask."""
    if picture.dtype == bool:
        return np.asarray(cv2.transpose(picture.view(np.uint8)).view(bool))
    return np.asarray(cv2.transpose(picture))


def _remove_level_rules(
    density: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Density, Mask, Mask]:
    """Remove lines along the rows only; return the rest, all lines, and those as dark as ink.

    A pale rule is treated as paper of its own shade, so ink on it keeps its full coverage; under
    one as dark as ink nothing can be read, and the strokes that cross it are bridged.
    """
    smooth = cv2.blur(density, (9, 1))  # along a rule its grain goes, across it nothing changes
    rules = _find_rules(smooth, length, thickness, faintest)
    if full == 0 or not rules.any():
        return density, rules, rules
    rules = cv2.dilate(rules.astype(np.uint8), np.ones((3, 1), np.uint8)) > 0
    rows = rules.any(axis=1)  # the others stay as they are
    # Two rows either way: a line may slope within the length that tells it from a stroke.
    reach = cv2.dilate(smooth, np.ones((5, 1), np.uint8))[rows]
    shade = cv2.morphologyEx(reach, cv2.MORPH_OPEN, np.ones((1, length // 3), np.uint8))
    # What ink adds to a rule's shade is stretched to full ink, twofold at most, as its grain is.
    lifted = np.maximum(density[rows] - shade, 0) * full / np.maximum(full - shade, full / 2)
    rest, dark = density.copy(), rules.copy()
    rest[rows] = np.where(rules[rows], lifted, density[rows])
    dark[rows] &= shade > full / 2
    return bridge_rules(rest, dark), rules, dark


def find_table(rules: Rules) -> Box | None:
    """Return the box (4,) around the lines that cross each other, or None for ruled paper.

    Folds and the paper's own edges cross lines, too: a line counts when it crosses at least
    half as many lines as the best one of its kind.
    """
    _, level = cv2.connectedComponents(rules.level.astype(np.uint8))
    _, upright = cv2.connectedComponents(rules.upright.astype(np.uint8))
    both = (level > 0) & (upright > 0)
    pairs = np.unique(level[both].astype(np.int64) << 32 | upright[both])
    if pairs.size == 0:
        return None
    across, down = np.bincount(pairs >> 32), np.bincount(pairs & 0xFFFFFFFF)
    if min(across.max(), down.max()) < 2:
        return None
    xs = np.flatnonzero(np.isin(upright, np.flatnonzero(2 * down >= down.max())).any(axis=0))
    ys = np.flatnonzero(np.isin(level, np.flatnonzero(2 * across >= across.max())).any(axis=1))
    return np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1])
