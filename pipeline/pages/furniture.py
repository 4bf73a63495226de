"""Furniture: what is printed on the paper before anybody writes (rules, squares, boxes).

Density is float32 (h, w), 0 on paper, as `pipeline.pages.ink` measures it, on a picture that lies
straight: rules run along the rows or the columns, but may lean and bend (see pages/bends.py).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import bends
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
    thin, thick = _pick_long(joined, length, thickness)
    if thick is not None:  # bars of letters may lie along it; none is as long as a line's piece
        bare = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length // 3), np.uint8))
        thin |= _pick_long(bare, length, thickness)[0]
    ends = np.ones((3, length // 6), np.uint8)  # where a line ends its share of votes sinks
    line = cv2.dilate(thin, ends) & votes
    across = np.ones((1, length // 3), np.uint8)  # beside ink a line wins no votes
    return np.asarray(cv2.morphologyEx(line, cv2.MORPH_CLOSE, across) > 0)


def _pick_long(
    joined: npt.NDArray[np.uint8], length: int, thickness: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    """Return the parts of a mask that are long enough for a line: the thin, and any thick ones."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    width = stats[:, cv2.CC_STAT_WIDTH]
    long = width >= length
    long[0] = False
    # The row of slope that is allowed for makes a line two rows thicker.
    thin = long & (stats[:, cv2.CC_STAT_AREA] < (thickness + 2) * width)
    thick = long & ~thin
    lines = thin.astype(np.uint8).take(labels)
    return lines, thick.astype(np.uint8).take(labels) if thick.any() else None


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
    # Both kinds are measured before either goes: what it takes along would part the other's lines.
    level = _measure_rules(density, *limits)
    upright = _measure_rules(_turn(density), *limits)
    rest = _lift_rules(density, full, *level)
    rest = _turn(_lift_rules(_turn(rest), full, *upright))
    dark = (level[0] & (level[1] > full / 2), upright[0] & (upright[1] > full / 2))
    return rest, Rules(level[0], _turn(upright[0]), dark[0] | _turn(dark[1]))


def _turn(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Swap the rows and the columns of a picture or a mask."""
    if picture.dtype == bool:
        return np.asarray(cv2.transpose(picture.view(np.uint8)).view(bool))
    return np.asarray(cv2.transpose(picture))


def _measure_rules(
    density: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Mask, Density]:
    """Find the rules along the rows only, and their shade, 0 in rows without any."""
    smooth = cv2.blur(density, (9, 1))  # along a rule its grain goes, across it nothing changes
    if full == 0:
        return np.zeros(density.shape, bool), np.zeros_like(density)
    bend = bends.find_bend(smooth, length, thickness, faintest)
    if bend is None:
        return _shade_rules(smooth, full, length, thickness, faintest)
    rules, shade = _shade_rules(bend.straighten(smooth), full, length, thickness, faintest)
    return bend.restore(rules.astype(np.uint8)) > 0, bend.restore(shade)


def _lift_rules(density: Density, full: float, rules: Mask, shade: Density) -> Density:
    """Remove rules along the rows, of a known shade, from under the writing.

    A pale rule is treated as paper of its own shade, so ink on it keeps its full coverage. Under
    one as dark as ink nothing can be read but what is plainly darker yet, and the strokes that
    cross it are bridged.
    """
    rows = rules.any(axis=1)  # the others stay as they are
    if not rows.any():
        return density
    under = shade[rows]
    # What ink adds to a rule's shade is stretched to full ink, twofold at most, as its grain is.
    lifted = np.maximum(density[rows] - under, 0) * full / np.maximum(full - under, full / 2)
    rest = density.copy()
    rest[rows] = np.where(rules[rows], lifted, density[rows])
    dark = rules & (shade > full / 2)
    if not dark.any():
        return rest
    bridged = bridge_rules(rest, dark)
    # The grain of print does not come to half of full ink, even twofold.
    plain = dark & (rest > full / 2)
    bridged[plain] = np.maximum(rest[plain], bridged[plain])
    return bridged


def _shade_rules(
    smooth: Density, full: float, length: int, thickness: int, faintest: float
) -> tuple[Mask, Density]:
    """Find the level rules of a picture and their shade, which is 0 in rows without any."""
    rules = _find_rules(smooth, length, thickness, faintest)
    upright = np.ones((3, 1), np.uint8)
    wide = cv2.dilate(rules.astype(np.uint8), upright) > 0
    rows = wide.any(axis=1)
    shade = np.zeros_like(smooth)
    if not rows.any():
        return rules, shade
    # Two rows either way: a line may slope within the length that tells it from a stroke.
    reach = cv2.dilate(smooth, np.ones((5, 1), np.uint8))[rows]
    under = cv2.morphologyEx(reach, cv2.MORPH_OPEN, np.ones((1, length // 3), np.uint8))
    shade[rows] = under
    if (under[wide[rows]] > full / 2).any():
        shade = _spare_strokes(wide, shade, full)
        rules = _thin_rules(rules, shade > full / 2, length)
        wide = cv2.dilate(rules.astype(np.uint8), upright) > 0
    return wide, shade


def _spare_strokes(rules: Mask, shade: Density, full: float) -> Density:
    """Take the dark of strokes that are written along a pale rule out of the rule's shade."""
    count, labels = cv2.connectedComponents(rules.view(np.uint8))
    places = np.flatnonzero(rules)
    rule, here = labels.ravel()[places], shade.ravel()[places].astype(np.float64)
    pale = here <= full / 2
    pixels = np.maximum(np.bincount(rule[pale], minlength=count), 1)
    usual = np.bincount(rule[pale], here[pale], count) / pixels
    # Writing does not hide most of a rule; where most is dark, the pale is a gap.
    stroke = ~pale & (pixels > 0.7 * np.bincount(rule, minlength=count))[rule]
    spared = shade.copy()
    spared.ravel()[places[stroke]] = usual[rule[stroke]]
    return spared


def _thin_rules(rules: Mask, dark: Mask, length: int) -> Mask:
    """Make dark rules as thin where strokes are written along them as they are elsewhere.

    A row of a rule goes on for longer than a stroke does, give or take a row of slope.
    """
    upright = np.ones((3, 1), np.uint8)
    core = cv2.dilate(rules.astype(np.uint8), upright)
    core = cv2.morphologyEx(core, cv2.MORPH_OPEN, np.ones((1, length // 3), np.uint8))
    return np.asarray(rules & ((cv2.erode(core, upright) > 0) | ~dark))


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
