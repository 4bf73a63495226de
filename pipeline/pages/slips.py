"""Slips: sheets of paper that lie on a desk, one or several, turned by any angle.

A picture is uint8 (h, w, 3) RGB. Candidates are regions that stand out at some level of light or
that edges enclose; a slip is one that has straight sides at right angles, another colour beyond
them, and an even inside. Points are float (n, 2) as x, y; corners (4, 2) go round from top left.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]  # 0 or 1
Points = npt.NDArray[np.float64]
Steps = npt.NDArray[np.float32]
Across = tuple[Points, npt.NDArray[np.float32], npt.NDArray[np.float32]]
Outline = npt.NDArray[np.int32]  # (n, 1, 2) as OpenCV has them

_GLANCE = 400  # longest side at which slips are looked for; a tenth of it still shows four sides
_BRIDGE = 9  # pixels of the glance: wider than a pen's stroke
_SMALLEST = 0.008  # of the picture: a slip with a few characters
_ALIKE = 0.85  # of a picture's light: a page without a desk is no more uneven, prints and all
_TINGE = 0.05  # by which the colours of paper in one light differ at most
_MOST = (4, 96)  # per cent of the pixels: what is left out may be ink or glare
_LEVELS, _TINTS = 14, 7  # of light and of colour, at which regions are cut out
_STEEP = (0.05, 0.1, 0.18)  # relative steps of light at which an edge closes off a region
_FULL = 0.8  # of the quadrilateral: torn corners and a hand may cover the rest
_STEP = 0.05  # relative difference of colour that counts a half
_SIDE = 0.25  # of a side: so much of it has to be in the picture to give a line
_PROOF = 0.5  # mean contrast along the sides, of at most 1
_LIKELY = 0.38  # where other slips show that there is a desk, of one whose four sides are seen
_EDGE = 0.7  # of one whose only side is seen; no shadow's edge, for the desk beyond has a grain
_TEXTURE = 0.93  # of a desk: it is even nowhere more
# Of a proof, times fullness, evenness and straightness: of a slip in view, and of one that is not
# all in the picture, since walls, floors and furniture in photos have straight edges too.
_LEAST, _LEAST_PARTIAL = 0.4, 0.58
_FIRST = 0.47  # of the best of a picture: pebbles reach 0.45, newsprint leaves a slip 0.5
_STRAIGHT = 0.5  # of the sides: what is torn or covered of them, and round corners, are the rest
# Of the lightest in the picture, in shade; the weakest of the three colours against the strongest,
# of a yellow note by lamplight.
_DARKEST, _PALEST = 0.4, 0.3
_FULLER = 0.9  # of the quadrilateral of such a likely slip
# Of the picture: so large is a sheet of which no, one, ... sides are seen.
_CORNER = (1.0, 0.08, 0.08, 0.02, 0.0)
_WORST = 0.3  # that of the side that shows least
_STRONG, _FAINT = 0.65, 0.18  # the same of a slip with a good proof: another may lie at that side
_ALIGNED = 0.9  # cosine between the outline and its side: 25 degrees, of perspective and turn
_EVEN = 0.03  # a step of colour that is smaller is no texture
_DARKER, _MIXED = 0.85, 0.75  # of the proof of paper darker than the desk, or than some of it
_RIVAL = 0.6  # of the best proof: what has less is a patch of the desk
_PARTIAL = 0.75  # where it is partly out of the picture
_LAYERS = 2  # of slips that lie one upon another
_SHARED = 0.15  # of a slip: so much of it may lie on another one


@dataclass(frozen=True)
class Slip:
    """Where a slip lies on a picture: its corners, its paper (h, w) at a glance, its proof."""

    corners: Points  # pixels of the picture; of sides out of it where they would be
    whole: bool  # all four sides are in the picture
    paper: Mask  # at the scale of the glance
    proof: float
    area: int  # pixels of the paper


def find_slips(color: Picture) -> list[Slip]:
    """Find the slips on a desk; none where the picture shows one page without a desk."""
    scale = min(1.0, _GLANCE / max(color.shape))
    size = [max(1, round(side * scale)) for side in color.shape[1::-1]]
    glance = np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA))
    bare = bridge_ink(glance)
    if not shows_desk(bare):
        return []
    steps = measure_steps(bare)
    outlines = propose_outlines(bare, steps)
    hidden = np.zeros(bare.shape[:2], np.uint8)
    chosen: list[Slip] = []
    best = 0.0
    for _ in range(_LAYERS):
        judged = (judge_outline(outline, bare, steps, hidden) for outline in outlines)
        upper = choose_slips([slip for slip in judged if slip is not None], best, hidden)
        if not upper:
            break
        chosen += upper
        best = max(slip.proof for slip in chosen)
        for slip in upper:
            cv2.fillConvexPoly(hidden, _round(slip.corners), 1)
    grow = np.array(color.shape[1::-1]) / bare.shape[1::-1]
    return [replace(slip, corners=slip.corners * grow) for slip in chosen]


def bridge_ink(glance: Picture) -> Picture:
    """Bridge writing on paper and level the grain of a desk."""
    smooth = cv2.medianBlur(glance, 5)
    closed = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((_BRIDGE, _BRIDGE), np.uint8))
    return np.asarray(closed)


def shows_desk(bare: Picture) -> bool:
    """Tell whether a picture is too uneven, in light or colour, to be paper alone."""
    sample = bare[::3, ::3].astype(np.float32)
    low, high = np.percentile(sample.min(axis=2), _MOST)
    tints = (np.percentile(tint, _MOST) for tint in measure_tints(sample))
    return bool(low < _ALIKE * high or any(tint[1] - tint[0] > _TINGE for tint in tints))


def measure_tints(bare: npt.NDArray[Any]) -> tuple[Steps, Steps]:
    """Measure by how much a picture is red rather than blue, and green (h, w)."""
    red, green, blue = (bare[..., channel].astype(np.float32) for channel in range(3))
    total = red + green + blue + 60  # in the dark colours are noise
    return (red - blue) / total, (2 * green - red - blue) / total


def propose_outlines(bare: Picture, steps: Steps) -> list[Outline]:
    """Return the outlines of regions that may be paper."""
    outlines: list[Outline] = []
    seen: list[npt.NDArray[np.float64]] = []
    for mask, grow in (*((m, 0) for m in _cut_levels(bare)), *_cut_steps(steps)):
        for outline in _trace_parts(mask):
            x, y, width, height = cv2.boundingRect(outline)
            mean = cv2.contourArea(outline) ** 0.5 + 2 * grow
            measures = np.array([x - grow, y - grow, x + width + grow, y + height + grow, mean])
            # At the next level of light most regions are the same.
            if seen and (np.abs(np.array(seen) - measures).max(axis=1) <= 1).any():
                continue
            seen.append(measures)
            outlines.append(outline if grow == 0 else _grow_outline(outline, mask.shape))
    return outlines


def _cut_levels(bare: Picture) -> Iterator[Mask]:
    """Yield what is above and below each of some levels of light and of colour."""
    for channel, count in ((bare.min(axis=2), _LEVELS), (bare.max(axis=2), _LEVELS)):
        low, high = np.percentile(channel, (2, 99))
        for level in np.linspace(low, high, count + 2)[1:-1]:
            yield from _cut_at(channel, level)
    for tint in measure_tints(bare):
        low, high = np.percentile(tint, (2, 98))
        if high - low > _TINGE:
            for level in np.linspace(low, high, _TINTS + 2)[1:-1]:
                yield from _cut_at(tint, level)


def _cut_at(channel: npt.NDArray[Any], level: float) -> Iterator[Mask]:
    """Yield what is above a level, and what is not."""
    above = (channel > level).astype(np.uint8)
    yield above
    yield 1 - above


def _cut_steps(steps: Steps) -> Iterator[tuple[Mask, int]]:
    """Yield what steps of each steepness enclose, which is smaller by a pixel all round."""
    for steep in _STEEP:
        yield (steps < steep).astype(np.uint8), 1


def measure_steps(bare: Picture) -> Steps:
    """Measure the relative step of colour at each pixel (h, w)."""
    kernel = np.ones((3, 3), np.uint8)
    high, low = (act(bare, kernel).astype(np.float32) for act in (cv2.dilate, cv2.erode))
    return np.asarray(((high - low) / (high + low + 20)).max(axis=2))


def _trace_parts(mask: Mask) -> Iterator[Outline]:
    """Yield the outline of each large connected part of a mask, without tails and holes."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        area = cv2.contourArea(outline)
        if not _SMALLEST * mask.size < area < 0.97 * mask.size:
            continue
        if area > 0.6 * cv2.contourArea(cv2.convexHull(outline)):
            yield outline


def _grow_outline(outline: Outline, shape: tuple[int, ...]) -> Outline:
    """Return an outline a pixel further out."""
    region = np.zeros(shape, np.uint8)
    cv2.drawContours(region, [outline], -1, 1, cv2.FILLED)
    region = cv2.dilate(region, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(outlines[0], np.int32)


def judge_outline(outline: Outline, bare: Picture, steps: Steps, hidden: Mask) -> Slip | None:
    """Return the slip that an outline shows, or None where its shape or rim is another.

    `hidden` (h, w) is what lies upon it.
    """
    uncovered = _uncover(outline, hidden)
    found = None if uncovered is None else fit_sides(uncovered, hidden)
    if uncovered is None or found is None:
        return None
    corners, real = found
    region, quad = np.zeros((2, *hidden.shape), np.uint8)
    cv2.drawContours(region, [uncovered], -1, 1, cv2.FILLED)
    cv2.fillConvexPoly(quad, _round(corners), 1)
    paper = region & quad
    area = int(np.count_nonzero(paper))
    full = area / max(int(np.count_nonzero(region | (quad & ~hidden))), 1)
    needed = _demand_proof(sum(real), full, area / paper.size, bool(hidden.any()))
    if needed is None or not _is_paper(bare, paper):
        return None
    straight = _measure_straightness(uncovered, corners, real, hidden)
    across = [_look_across(bare, corners, side, hidden) for side in range(4) if real[side]]
    even = measure_evenness(steps, paper)
    if sum(real) == 1 and not measure_evenness(steps, 1 - (quad | region)) < _TEXTURE < even:
        return None
    proof = _weigh_sides(across, needed) * full * even * straight
    if straight < _STRAIGHT or proof < (_LEAST if all(real) else _LEAST_PARTIAL):
        return None
    paper = _fill_shade(paper, quad & (1 - hidden), across)
    return Slip(corners, all(real), paper, proof, area)


def _weigh_sides(across: list[Across], needed: float) -> float:
    """Return how well the sides that are seen prove a slip, at most 1; 0 where they don't."""
    if min(len(places) for places, _, _ in across) < 4:
        return 0.0
    contrast, lighter = np.array([[c.mean(), more.mean()] for _, c, more in across]).T
    worst = _FAINT if contrast.mean() > _STRONG else _WORST
    if contrast.min() < worst or contrast.mean() < needed:
        return 0.0
    kind = 1.0 if lighter.min() > 0 else _DARKER if lighter.max() < 0 else _MIXED
    return float(contrast.mean()) * kind


def _is_paper(bare: Picture, region: Mask) -> bool:
    """Tell whether a region has a colour of paper, even in shade: pale, and not the darkest."""
    color = np.median(bare[region > 0][::7], axis=0) if region.any() else np.zeros(3)
    light = np.percentile(bare[::5, ::5].max(axis=2), 95)
    return bool(color.max() > _DARKEST * light and color.min() > _PALEST * color.max())


def _measure_straightness(
    outline: Outline, corners: Points, real: list[bool], hidden: Mask
) -> float:
    """Return which share of its sides an outline keeps to."""
    drawn, sides = np.zeros((2, *hidden.shape), np.uint8)
    cv2.drawContours(drawn, [outline], -1, 1, 5)
    for side in np.flatnonzero(real):
        ends = _round(np.array([corners[side - 1], corners[side]]))
        cv2.line(sides, ends[0].tolist(), ends[1].tolist(), 1)
    sides[hidden > 0] = 0
    sides[:3] = sides[-3:] = sides[:, :3] = sides[:, -3:] = 0
    return int(np.count_nonzero(sides & drawn)) / max(int(np.count_nonzero(sides)), 1)


def _uncover(outline: Outline, hidden: Mask) -> Outline | None:
    """Return the outline of what is not hidden (h, w) of a region, of the largest part of it."""
    if not hidden.any():
        return outline
    region = np.zeros_like(hidden)
    cv2.drawContours(region, [outline], -1, 1, cv2.FILLED)
    parts = list(_trace_parts(region & (1 - hidden)))
    return parts[int(np.argmax([cv2.contourArea(part) for part in parts]))] if parts else None


def _demand_proof(sides: int, full: float, share: float, seen: bool) -> float | None:
    """Return what proof a slip needs of which so many sides are seen; None for what is no slip.

    `full` is its share of its quadrilateral, `share` that of the picture; `seen` tells whether
    other slips are.
    """
    if full < _FULL or (sides < 4 and full < _FULLER) or share < _CORNER[sides]:
        return None
    if sides == 1:
        return _EDGE
    return _LIKELY if sides == 4 and full > _FULLER and seen else _PROOF


def fit_sides(outline: Outline, hidden: Mask) -> tuple[Points, list[bool]] | None:
    """Fit four sides to an outline: its corners, and which of left, top, right, bottom are real.

    What runs along the frame of the picture or what is `hidden` (h, w) is no side; there the
    corners are those of the box about the region, in the turn of the others.
    """
    hull = cv2.convexHull(outline)[:, 0].astype(np.float64)
    way = np.roll(hull, -1, axis=0) - hull
    length = np.linalg.norm(way, axis=1)
    middle = hull + way / 2
    free = cv2.dilate(hidden, np.ones((7, 7), np.uint8)) == 0
    free[:3] = free[-3:] = free[:, :3] = free[:, -3:] = False
    places = np.round(middle).astype(int)
    weight = np.where(free[places[:, 1], places[:, 0]], length, 0.0)
    if weight.sum() < 0.3 * length.sum():
        return None
    turn = _find_turn(way, weight)
    right, down = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    normal = np.stack([way[:, 1], -way[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
    if cv2.contourArea(hull.astype(np.float32), oriented=True) < 0:
        normal = -normal
    lines, real = [], []
    for side in (-right, -down, right, down):
        along = np.array([-side[1], side[0]])
        own = (normal @ side > _ALIGNED) & (weight > 0)
        real.append(bool(weight[own].sum() > _SIDE * np.ptp(hull @ along)))
        far = hull[np.argmax(hull @ side)]
        lines.append(_fit_line(hull[own], way[own]) if real[-1] else (far, along))
    return _intersect(lines), real


def _find_turn(way: Points, weight: npt.NDArray[np.float64]) -> float:
    """Return the angle, within 45 degrees, that most of the outline has, or is square to."""
    angles = np.degrees(np.arctan2(way[:, 1], way[:, 0]))
    turns = np.arange(-45, 45, 1.0)
    off = np.abs((angles[None, :] - turns[:, None] + 45) % 90 - 45)
    votes = (np.maximum(1 - off / 8, 0) * weight).sum(axis=1)
    best = turns[int(np.argmax(votes))]
    near = (angles - best + 45) % 90 - 45
    close = np.maximum(1 - np.abs(near) / 8, 0) * weight
    return float(np.radians(best + (near * close).sum() / max(close.sum(), 1e-9)))


def _fit_line(start: Points, way: Points) -> tuple[Points, Points]:
    """Fit a line to stretches: a point of it and its direction."""
    counts = np.linalg.norm(way, axis=1).astype(int) + 2
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    part = (number / np.repeat(counts - 1, counts))[:, None]
    points = np.repeat(start, counts, axis=0) + part * np.repeat(way, counts, axis=0)
    dx, dy, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    return np.array([x, y], np.float64), np.array([dx, dy], np.float64)


def _intersect(lines: list[tuple[Points, Points]]) -> Points:
    """Return the corners between left, top, right and bottom lines, each a point and a way."""
    corners = []
    for number in range(4):
        (point, way), (other, across) = lines[number], lines[(number + 1) % 4]
        between = other - point
        wide = way[0] * across[1] - way[1] * across[0]  # 0 of parallels: they never meet
        far = (between[0] * across[1] - between[1] * across[0]) / (wide or 1e-9)
        corners.append(point + far * way)
    return np.array(corners)


def _look_across(bare: Picture, corners: Points, side: int, hidden: Mask) -> Across:
    """Compare the paper with what is beyond one of its sides, at places along it that are seen.

    Returns the places just within it (n, 2), the contrast there, at most 1 (n,), and by how much
    the paper is lighter (n,).
    """
    a, b = corners[(side - 1) % 4], corners[side]
    way = b - a
    length = float(np.hypot(*way))
    inward = np.array([-way[1], way[0]]) / max(length, 1e-9)
    places = a + np.linspace(0.06, 0.94, max(8, int(length / 2)))[:, None] * way
    height, width = bare.shape[:2]
    margin = np.minimum(places, np.array([width - 1, height - 1]) - places).min(axis=1)
    places = places[(margin > 4) & (_sample(hidden, places - 3 * inward) == 0)]
    inside, outside = (
        (_sample(bare, places + 3 * sign * inward) + _sample(bare, places + 5 * sign * inward)) / 2
        for sign in (1, -1)
    )
    contrast = (np.abs(inside - outside) / (inside + outside + 20)).max(axis=1)
    return places + 3 * inward, contrast / (contrast + _STEP), (inside - outside).mean(axis=1)


def _fill_shade(paper: Mask, quad: Mask, across: list[Across]) -> Mask:
    """Add to paper (h, w) what is missing of its quadrilateral and still differs from the desk.

    That is paper in the shade, or with much ink; a torn corner or a hand looks the same within
    the side and beyond it.
    """
    missing = quad & (1 - paper)
    count, labels = cv2.connectedComponents(missing)
    sums, places = np.zeros(count), np.zeros(count)
    for within, contrast, _ in across:
        own = _sample(labels, within).astype(int)
        sums += np.bincount(own, contrast, count)
        places += np.bincount(own, minlength=count)
    kept = sums >= _WORST * places  # with no place at a side it is a rim, or a dent
    kept[0] = False
    return np.asarray(paper | kept[labels], np.uint8)


def _round(corners: Points) -> npt.NDArray[np.int32]:
    """Return corners as OpenCV draws them; far out of the picture nothing is seen of them."""
    return np.round(np.clip(corners, -9999, 9999)).astype(np.int32)


def _sample(bare: npt.NDArray[Any], places: Points) -> npt.NDArray[np.float32]:
    """Return the values (n, ...) at places, those of the frame beyond it."""
    xs = np.clip(np.round(places[:, 0]).astype(int), 0, bare.shape[1] - 1)
    ys = np.clip(np.round(places[:, 1]).astype(int), 0, bare.shape[0] - 1)
    return np.asarray(bare[ys, xs], np.float32)


def measure_evenness(steps: Steps, paper: Mask) -> float:
    """Return which share of a region has the colour of what is next to it."""
    inner = cv2.erode(paper, np.ones((7, 7), np.uint8)) > 0
    return float(np.mean(steps[inner] < _EVEN)) if inner.any() else 0.0


def choose_slips(found: list[Slip], best: float, hidden: Mask) -> list[Slip]:
    """Choose the best proved slips where some share a place; what is `hidden` (h, w) is taken."""
    chosen: list[Slip] = []
    if not found:
        return chosen
    taken = hidden > 0
    best = max([best, *(slip.proof for slip in found)])
    if best < _FIRST:
        return chosen
    # What is larger is the whole of which the other is a part.
    for slip in sorted(found, key=lambda slip: -slip.proof * slip.area**0.2):
        if slip.proof < (_RIVAL if slip.whole else _PARTIAL) * best:
            continue
        if np.count_nonzero(slip.paper[taken]) > _SHARED * slip.area:
            continue
        chosen.append(slip)
        taken = taken | (slip.paper > 0)
    return chosen
