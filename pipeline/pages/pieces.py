"""Pieces: the connected ink of a straight page, and the cutting of glyphs made of it.

Coverage is uint8 (h, w), 0 paper, 255 full ink. Pieces are the connected components of what is
at least half covered: labels int32 (h, w), 0 for none, piece k has label k + 1; boxes int (n, 4)
as x0, y0, x1, y1, x1 and y1 exclusive. A group is a list of pieces that make one glyph. Lengths
are in pixels; `height` is that of a usual glyph of the page, `stroke` the usual stroke's width.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Coverage = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Box = npt.NDArray[np.int64]
Boxes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]  # (n,): one for each piece
Inked = npt.NDArray[np.bool_]  # (h, w)
Numbers = npt.NDArray[np.integer[Any]]  # (n,): one for each pixel
Groups = list[list[int]]

HALF = 128  # coverage from which a pixel belongs to a stroke
_INTRUDER = 0.25  # of a piece: what has less of it in a box is a neighbour
_TURNED = 0.5  # the same where lines are turned, and neighbours reach into the corners of boxes
# Heights of a usual glyph: as large is one, with what hands vary by; from here it may be two.
WIDE = 1.15


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
        return size_of(self.boxes)

    def turn(self) -> "Pieces":
        """Return them with rows and columns of the page swapped."""
        labels = np.ascontiguousarray(self.labels.T)
        return replace(self, labels=labels, boxes=self.boxes[:, [1, 0, 3, 2]])


@dataclass(frozen=True)
class Writing:
    """What is written on a sheet: its ink, the pieces of it, and those that make a glyph each."""

    coverage: Coverage
    pieces: Pieces
    groups: Groups
    height: float  # of a usual glyph, in pixels of the sheet
    stroke: float  # the usual width of a stroke
    measures: npt.NDArray[np.float64]  # (n, 2): both as they are for each group's own hand
    dropped: tuple[tuple[int, str], ...] = ()  # other pieces that a glyph could be, and why not
    lying: bool = False  # its rows run from top to bottom


def find_pieces(coverage: Coverage) -> Pieces:
    """Find the connected components of at least half coverage and measure them."""
    inked = coverage >= HALF
    count, labels = cv2.connectedComponents(inked.astype(np.uint8))
    return _measure_pieces(coverage, inked, labels, count - 1)


def _measure_pieces(coverage: Coverage, inked: Inked, labels: Labels, count: int) -> Pieces:
    """Measure components, given their pixels, labels and number."""
    places = np.flatnonzero(inked)  # most of a page is paper
    piece = labels.ravel()[places] - 1
    depth = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 3).ravel()[places]
    areas = np.bincount(piece, minlength=count)
    # Across a stroke of width w the distance to its edge is w / 4 in the mean; OpenCV measures
    # to the centre of the nearest pixel outside, half a pixel more.
    strokes = 4 * (np.bincount(piece, depth, count) / areas - 0.5)
    darkness = np.bincount(piece, coverage.ravel()[places], count) / areas / 255
    ys, xs = np.divmod(places, labels.shape[1])
    return Pieces(labels, enclose_pixels(piece, xs, ys, count), areas, strokes, darkness)


def enclose_pixels(piece: Numbers, xs: Numbers, ys: Numbers, count: int) -> Boxes:
    """Return the boxes (count, 4) of pieces, given the piece, x and y of each of their pixels."""
    x0, y0 = np.full((2, count), np.iinfo(np.int64).max)
    x1, y1 = np.zeros((2, count), np.int64)
    for edges, places in ((x0, xs), (y0, ys)):
        np.minimum.at(edges, piece, places)
    for edges, places in ((x1, xs), (y1, ys)):
        np.maximum.at(edges, piece, places + 1)
    return np.stack([x0, y0, x1, y1], axis=1)


def usual_size(pieces: Pieces, inside: Flags) -> tuple[float, float]:
    """Return the height of a usual glyph and the usual width of a stroke; zeros for no pieces.

    Of the pieces inside the paper, half of all ink belongs to larger ones than this, half to
    smaller ones. Pieces over a third of the page are no glyphs (frames, the edge of a shadow)
    unless there is nothing else.
    """
    extent = pieces.sizes.max(axis=1)
    likely = inside & (extent < max(pieces.labels.shape) / 3)
    chosen = likely if likely.any() else inside
    if not chosen.any():
        return 0.0, 0.0
    height = weighted_median(extent[chosen], pieces.areas[chosen])
    return height, weighted_median(pieces.strokes[chosen], pieces.areas[chosen])


def weighted_median(values: npt.NDArray[np.generic], weights: npt.NDArray[np.int64]) -> float:
    """Return the value that half of the weight lies below."""
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(mass, mass[-1] / 2)])


def find_writing(pieces: Pieces, height: float, stroke: float) -> Flags:
    """Tell pieces of writing (True) from specks, remains of rules, frames, noise and shadows.

    What a removed rule leaves is thin, noise is thin and pale, and the edge of a shadow is broad
    without being dark right through, as a blot of ink is.
    """
    # Both limits leave room for a dot and for two glyphs that touch.
    extent = pieces.sizes.max(axis=1)
    sized = (extent > 0.1 * height) & (extent < 4 * height)
    width = pieces.strokes / max(stroke, 1e-9)
    # Width times darkness: how wide a stroke would be, were all of its ink solid.
    solid = (width * pieces.darkness > 0.35) & (width * pieces.darkness < 2.6)
    return np.asarray(sized & solid & ((width < 2) | (pieces.darkness > 0.9)))


def find_touching(pieces: Pieces, area: npt.NDArray[np.bool_]) -> Flags:
    """Tell which pieces touch an area (h, w), such as the table around the paper."""
    # Two pixels: a stroke at the border may have lost its soft edge there.
    near = cv2.dilate(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    touching = np.zeros(len(pieces.areas) + 1, bool)
    touching[pieces.labels[near]] = True
    return touching[1:]


def size_of(box: Boxes) -> Boxes:
    """Return the width and height (2,) of a box, or those (n, 2) of boxes (n, 4)."""
    return box[..., 2:] - box[..., :2]


def enclose(boxes: Boxes) -> Box:
    """Return the box around boxes (n, 4)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def boxes_of(pieces: Pieces, groups: Groups) -> Boxes:
    """Return the box around each group."""
    return np.array([enclose(pieces.boxes[group]) for group in groups])


def cut_glyph(coverage: Coverage, owner: Labels, box: Box, group: list[int], pad: int) -> Coverage:
    """Cut the pixels that belong to a group, with `pad` pixels of room and soft edges kept.

    `owner` (h, w) holds for each pixel the label of the piece it belongs to, 0 for none.
    """
    x0, y0, x1, y1 = box
    window = np.s_[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad]
    own = np.isin(owner[window], np.array(group) + 1)
    return np.pad(np.where(own, coverage[window], 0).astype(np.uint8), pad)


def cut_region(
    coverage: Coverage,
    pieces: Pieces,
    owner: Labels,
    box: Box,
    pad: int,
    area: Inked | None = None,
) -> Coverage | None:
    """Cut the ink in a box as one glyph, as cut_glyph does; None where there is none.

    A piece that lies in the box is cut whole, with its soft edges; of one that reaches out of it
    what lies in the box, and nothing where that is a small share, as of a neighbour's tail.
    `area` (h, w) is the part of the box that counts, where it is a turned one's upright box.
    """
    low = np.clip(box[:2], 0, coverage.shape[1::-1])
    high = np.clip(box[2:], 0, coverage.shape[1::-1])
    x0, y0, x1, y1 = (int(edge) for edge in (*low, *high))
    within = np.ones((y1 - y0, x1 - x0), bool) if area is None else area[y0:y1, x0:x1]
    labels = pieces.labels[y0:y1, x0:x1][within]
    counts = np.bincount(labels, minlength=len(pieces.areas) + 1)[1:]
    there = np.flatnonzero(counts)
    if len(there) == 0:
        return None
    share = counts[there] / pieces.areas[there]
    least = _INTRUDER if area is None else _TURNED
    chosen = there[share >= least] if (share >= least).any() else there
    whole = chosen[counts[chosen] == pieces.areas[chosen]]
    top, left = max(y0 - pad, 0), max(x0 - pad, 0)
    window = np.s_[top : y1 + pad, left : x1 + pad]
    inside = np.zeros(coverage[window].shape, bool)
    inside[y0 - top : y1 - top, x0 - left : x1 - left] = within
    own = np.isin(owner[window], whole + 1) | (np.isin(owner[window], chosen + 1) & inside)
    ink = np.where(own, coverage[window], 0).astype(np.uint8)
    ys, xs = np.nonzero(ink >= HALF)
    top, left = max(ys.min() - pad, 0), max(xs.min() - pad, 0)
    return np.pad(ink[top : ys.max() + 1 + pad, left : xs.max() + 1 + pad], pad)


def assign_pixels(pieces: Pieces, reach: float) -> Labels:
    """Give each pixel within `reach` of a piece to the nearest one: its label, else 0."""
    inked = pieces.labels > 0
    distance, nearest = cv2.distanceTransformWithLabels(
        (~inked).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(int(nearest.max()) + 1, np.int32)
    label_of[nearest[inked]] = pieces.labels[inked]
    near = distance <= reach
    owner = np.zeros_like(pieces.labels)
    owner[near] = label_of[nearest[near]]
    return owner


def score_groups(
    pieces: Pieces,
    groups: Groups,
    heights: float | npt.NDArray[np.float64],
    strokes: float | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Score each group from 0 to 1: is it as solid and as large as the glyphs of this page?

    heights, strokes: the usual ones of the page, or (n,) those of each group's own hand.
    """
    scores = []
    usual = np.broadcast_to(heights, len(groups)), np.broadcast_to(strokes, len(groups))
    for group, height, stroke in zip(groups, *usual, strict=True):
        mass = pieces.areas[group]
        substance = np.average(pieces.strokes[group] * pieces.darkness[group], weights=mass)
        extent = max(size_of(enclose(pieces.boxes[group])))
        # 1 for all that is at least 0.6 of the usual, and no larger than 1.8 times.
        solid = min(1.0, float(substance) / (0.6 * stroke))
        sized = min(1.0, extent / (0.6 * height), (1.8 * height / extent) ** 2)
        scores.append(solid * sized)
    return np.array(scores)
