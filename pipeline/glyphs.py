"""Glyphs: the strokes on a straight page, gathered into one piece of writing each.

Coverage is uint8 (h, w), 0 paper, 255 full ink. Pieces are the connected components of its
darker half: labels int32 (h, w), 0 for none, and their boxes int (n, 4) as x0, y0, x1, y1,
x1 and y1 exclusive; piece k has label k + 1. A group is a list of pieces that make one glyph.
Lengths are in pixels; `height` is that of a usual glyph of the page, `stroke` the usual width
of a stroke.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Coverage = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Box = npt.NDArray[np.int64]
Boxes = npt.NDArray[np.int64]

HALF = 128  # coverage from which a pixel belongs to a stroke


@dataclass(frozen=True)
class Pieces:
    """The connected components of a page."""

    labels: Labels
    boxes: Boxes
    areas: npt.NDArray[np.int64]
    strokes: npt.NDArray[np.float64]  # mean width of each piece's strokes
    darkness: npt.NDArray[np.float64]  # mean coverage of each piece, 0..1

    @property
    def sizes(self) -> Boxes:
        """Width and height of each piece, (n, 2)."""
        return self.boxes[:, 2:] - self.boxes[:, :2]


def find_pieces(coverage: Coverage) -> Pieces:
    """Find the connected components of at least half coverage and measure them."""
    mask = (coverage >= HALF).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return measure_pieces(coverage, labels, stats)


def measure_pieces(coverage: Coverage, labels: Labels, stats: Labels) -> Pieces:
    """Measure components, given their labels and OpenCV's table of boxes and areas."""
    inked = labels > 0
    depth = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 3)[inked]
    areas = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    # Across a stroke of width w the distance to its edge is w / 4 in the mean.
    strokes = 4 * np.bincount(labels[inked], depth, len(stats)) / areas
    darkness = np.bincount(labels[inked], coverage[inked], len(stats)) / areas / 255
    boxes = stats[1:, :4].astype(np.int64)
    boxes[:, 2:] += boxes[:, :2]
    return Pieces(labels, boxes, areas[1:].astype(np.int64), strokes[1:], darkness[1:])


def usual_size(pieces: Pieces) -> tuple[float, float]:
    """Return the height of a usual glyph and the usual width of a stroke; zeros for no pieces.

    Half of all ink belongs to larger pieces than this, half to smaller ones. Pieces over a third
    of the page are no glyphs (frames, the edge of a shadow) unless there is nothing else.
    """
    extent = pieces.sizes.max(axis=1)
    likely = extent < max(pieces.labels.shape) / 3
    chosen = likely if likely.any() else ~likely
    if not chosen.any():
        return 0.0, 0.0
    height = weighted_median(extent[chosen], pieces.areas[chosen])
    return height, weighted_median(pieces.strokes[chosen], pieces.areas[chosen])


def weighted_median(values: npt.NDArray[np.generic], weights: npt.NDArray[np.int64]) -> float:
    """Return the value that half of the weight lies below."""
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(mass, mass[-1] / 2)])


def find_writing(pieces: Pieces, height: float, stroke: float) -> npt.NDArray[np.bool_]:
    """Tell pieces of writing (True) from specks, remains of rules, frames and pale noise."""
    extent = pieces.sizes.max(axis=1)
    sized = (extent > 0.1 * height) & (extent < 4 * height)
    substance = pieces.strokes / stroke * pieces.darkness
    return sized & (substance > 0.42) & (substance < 3)


def find_touching(pieces: Pieces, area: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which pieces touch an area (h, w), such as the table around the paper."""
    near = cv2.dilate(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    touching = np.zeros(len(pieces.areas) + 1, bool)
    touching[pieces.labels[near]] = True
    return touching[1:]


def join_pieces(
    pieces: Pieces, writing: npt.NDArray[np.bool_], height: float
) -> list[list[int]]:
    """Join the pieces of writing that make one glyph, the nearest first."""
    groups = {int(piece): [int(piece)] for piece in np.flatnonzero(writing)}
    boxes = {piece: pieces.boxes[piece] for piece in groups}
    width = float(np.percentile(pieces.sizes[writing, 0], 90)) if groups else 0.0
    home = {piece: piece for piece in groups}
    for _, part, other in sorted(find_neighbours(pieces, groups, height)):
        first, second = home[part], home[other]
        if first == second or not belong_together(boxes[first], boxes[second], height, width):
            continue
        boxes[second] = enclose(boxes[second][None], boxes.pop(first))
        groups[second] += groups[first]
        for piece in groups.pop(first):
            home[piece] = second
    return [group for piece, group in groups.items() if max(size_of(boxes[piece])) > 0.3 * height]


def find_neighbours(
    pieces: Pieces, candidates: dict[int, list[int]], height: float
) -> list[tuple[float, int, int]]:
    """List (distance in pixels, part, other) for parts of glyphs and the pieces near them."""
    reach = int(0.5 * height)
    found = []
    for part in candidates:
        if pieces.sizes[part, 1] > 0.6 * height:
            continue
        x0, y0, x1, y1 = pieces.boxes[part]
        window = pieces.labels[max(y0 - reach, 0) : y1 + reach, max(x0 - reach, 0) : x1 + reach]
        away = cv2.distanceTransform((window != part + 1).astype(np.uint8), cv2.DIST_L2, 3)
        for label in np.unique(window[window > 0]):
            if label - 1 in candidates and label - 1 != part:
                found.append((float(away[window == label].min()), part, int(label - 1)))
    return found


def belong_together(first: Box, second: Box, height: float, width: float) -> bool:
    """Tell whether two boxes can make one glyph: one stands above the other, or hugs it."""
    whole = enclose(first[None], second)
    sizes = np.array([size_of(first), size_of(second)])
    if sizes[:, 1].min() > 0.6 * height or size_of(whole)[1] > 1.4 * height:
        return False
    gap_x, gap_y = np.maximum(first[:2], second[:2]) - np.minimum(first[2:], second[2:])
    stacked = -gap_x >= 0.5 * sizes[:, 0].min() and gap_y < 0.45 * height
    small = bool((sizes.prod(axis=1) < 0.25 * height**2).any())
    hugs = small and max(gap_x, gap_y) < 0.15 * height and size_of(whole)[0] <= 1.2 * width
    return bool(stacked or hugs)


def size_of(box: Box) -> Box:
    """Return the width and height of a box."""
    return box[2:] - box[:2]


def enclose(boxes: Boxes, box: Box) -> Box:
    """Return the box around boxes (n, 4) and one more."""
    every = np.vstack([boxes, box])
    return np.concatenate([every[:, :2].min(axis=0), every[:, 2:].max(axis=0)])


def cut_glyph(
    coverage: Coverage, owner: Labels, box: Box, members: list[int], pad: int
) -> Coverage:
    """Cut the pixels that belong to the members, with `pad` pixels of room and soft edges kept.

    `owner` (h, w) holds for each pixel the label of the piece it belongs to, 0 for none.
    """
    x0, y0, x1, y1 = box
    window = np.s_[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad]
    own = np.isin(owner[window], np.array(members) + 1)
    return np.pad(np.where(own, coverage[window], 0).astype(np.uint8), pad)


def assign_pixels(pieces: Pieces, reach: float) -> Labels:
    """Give each pixel within `reach` of a piece to the nearest one: its label, else 0."""
    empty = (pieces.labels == 0).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(int(nearest.max()) + 1, np.int32)
    inked = empty == 0
    label_of[nearest[inked]] = pieces.labels[inked]
    return np.where(distance <= reach, label_of[nearest], 0).astype(np.int32)


def score_groups(
    pieces: Pieces, groups: list[list[int]], height: float, stroke: float
) -> npt.NDArray[np.float64]:
    """Score each group from 0 to 1: does it look like one whole glyph of this page?"""
    scores = []
    for group in groups:
        mass = pieces.areas[group]
        substance = np.average(pieces.strokes[group] * pieces.darkness[group], weights=mass)
        extent = max(size_of(enclose(pieces.boxes[group], pieces.boxes[group[0]])))
        solid = min(1.0, float(substance) / (0.6 * stroke))
        sized = min(1.0, extent / (0.6 * height), (1.8 * height / extent) ** 2)
        scores.append(solid * sized)
    return np.array(scores)
