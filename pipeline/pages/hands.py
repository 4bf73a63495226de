"""Hands: the pens and sizes that a page is written in, each judged by its own measure.

A marker beside a ball pen, or a title three times as large as the lines below it, are two hands: a
stroke that is usual for one is dirt, or a blot, for the other. Most pages are of one.

Pieces are those of `pipeline.pages.pieces`; flags are (n,), one for each piece. Lengths are in
pixels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.pages.captions import are_print
from pipeline.pages.pieces import Boxes, Flags, Pieces, find_writing, size_of, usual_size
from pipeline.pages.plausibility import LEGIBLE

_DARK = 0.85  # mean coverage of a stroke: a pale line's, or a rule's remains, is 0.5 to 0.8
_COVERED = 0.8  # of a piece: so much of a glyph is seldom on the lines of squared paper
_LONG, _BROAD = 3, 2  # strokes along the longer and the shorter side from which a piece has a shape
_FULL = 0.75  # of its box: a blot fills more
# Of the pen's width and of the size, from one glyph to the next larger one of a page: those of one
# hand are closer to each other.
_PEN_STEP, _SIZE_STEP = 1.5, 1.8
_SIZE_RATIO, _MIXED = 2.5, 0.2  # of the usual sizes of two; and the share that may stand mixed
_SHOWN = 0.6  # of all ink that is written
_FEW = 3  # so many glyphs show a hand; fewer do where they are not much smaller than the others
_ALIKE = 0.5  # of the largest hand's height


@dataclass(frozen=True)
class Hand:
    """What is written with one pen in one size."""

    members: Flags
    height: float  # of a usual glyph
    stroke: float  # the usual width of a stroke


def find_hands(
    pieces: Pieces, inside: Flags, usual: tuple[float, float], lined: npt.NDArray[np.float64]
) -> list[Hand]:
    """Find what is written inside the paper, by hands, the one with most ink first.

    usual: height and stroke of what is inside; lined: (n,) the share of each piece that lies where
    a printed line was.
    """
    whole = Hand(inside & find_writing(pieces, *usual), *usual)
    dark = pieces.darkness > _DARK
    shaped = np.flatnonzero(inside & dark & (lined < _COVERED) & _show_shape(pieces))
    surely = dark & (lined < _COVERED)
    groups = [
        size
        for pen in _split(shaped, pieces.strokes, _PEN_STEP)
        for size in _split_sizes(pen, pieces)
    ]
    groups = _leave_out_small(groups, pieces)
    if len(groups) < 2:
        return [whole]
    groups.sort(key=lambda group: -int(pieces.areas[group].sum()))
    found = _share_out(pieces, inside, surely, groups, whole.members)
    # Most ink of a pen has a shape and is dark; of a photo little is, and by chance.
    ink = sum(int(pieces.areas[hand.members].sum()) for hand in found)
    shown = sum(int(pieces.areas[group].sum()) for group in groups)
    return found if shown > _SHOWN * ink else [whole]


def _show_shape(pieces: Pieces) -> Flags:
    """Tell which pieces are more than a dot, a blot or a straight line."""
    longer, shorter = pieces.sizes.max(axis=1), pieces.sizes.min(axis=1)
    spread = (longer > _LONG * pieces.strokes) & (shorter > _BROAD * pieces.strokes)
    # A glyph of a page is smaller than a third of it (see usual_size).
    fits = longer < max(pieces.labels.shape) / 3
    return np.asarray(spread & fits & (pieces.areas < _FULL * pieces.sizes.prod(axis=1)))


def _split(
    chosen: npt.NDArray[np.intp], measure: npt.NDArray[np.generic], step: float
) -> list[npt.NDArray[np.intp]]:
    """Divide pieces where, in the order of a measure, one is `step` times the one before."""
    if len(chosen) == 0:
        return []
    order = chosen[np.argsort(measure[chosen], kind="stable")]
    values = np.asarray(measure[order], np.float64)
    return np.split(order, np.flatnonzero(values[1:] > step * values[:-1]) + 1)


def _split_sizes(chosen: npt.NDArray[np.intp], pieces: Pieces) -> list[npt.NDArray[np.intp]]:
    """Divide what one pen wrote into sizes, as of a title and of the lines below it.

    Parts of a glyph are as much smaller than it, but stand beside it.
    """
    groups = _split(chosen, pieces.sizes.max(axis=1), _SIZE_STEP)
    parted = groups[:1]
    for group in groups[1:]:
        low, high = pieces.boxes[parted[-1]], pieces.boxes[group]
        ratio = np.median(size_of(high).max(axis=1)) / np.median(size_of(low).max(axis=1))
        if ratio > _SIZE_RATIO and np.mean(_stand_beside(low, high)) < _MIXED:
            parted.append(group)
        else:
            parted[-1] = np.concatenate([parted[-1], group])
    return parted


def _stand_beside(boxes: Boxes, others: Boxes) -> Flags:
    """Tell which boxes have one of the others beside them, no further away than it is wide."""
    wide = size_of(others)[:, 0]
    over = np.minimum(boxes[:, None, 3], others[None, :, 3]) > np.maximum(
        boxes[:, None, 1], others[None, :, 1]
    )
    gap = np.maximum(boxes[:, None, 0], others[None, :, 0]) - np.minimum(
        boxes[:, None, 2], others[None, :, 2]
    )
    return np.asarray((over & (gap < wide)).any(axis=1))


def _leave_out_small(
    groups: list[npt.NDArray[np.intp]], pieces: Pieces
) -> list[npt.NDArray[np.intp]]:
    """Leave out small groups that are a few pieces, which may be dirt, or print."""
    heights = [float(np.median(pieces.sizes[group].max(axis=1))) for group in groups]
    least = _ALIKE * max(heights, default=0.0)
    return [
        group
        for group, height in zip(groups, heights, strict=True)
        if height > least
        or (height > LEGIBLE and len(group) >= _FEW and not are_print(pieces.boxes, group))
    ]


def _share_out(
    pieces: Pieces,
    inside: Flags,
    surely: Flags,
    groups: list[npt.NDArray[np.intp]],
    usual: Flags,
) -> list[Hand]:
    """Give each piece of writing to the hand whose pen is nearest to its own.

    usual: what would be writing were all by one hand.
    """
    owned = np.zeros(len(inside), bool)
    owned[np.concatenate(groups)] = True
    sizes, fits, away = [], [], []
    for group in groups:
        own = np.zeros(len(inside), bool)
        own[group] = True
        height, stroke = usual_size(pieces, own)
        # Beside a broad pen nothing told a thin one's strokes from dirt: they have to be dark.
        fit = inside & ~owned & find_writing(pieces, height, stroke) & (surely | usual)
        sizes.append((height, stroke))
        fits.append(fit | own)
        away.append(np.abs(np.log(np.maximum(pieces.strokes, 1) / stroke)))
    fitting = np.array(fits)
    fitting |= usual & ~owned & ~fitting.any(axis=0)
    nearest = np.argmin(np.where(fitting, away, np.inf), axis=0)
    return [
        Hand(fit & (nearest == number), *size)
        for number, (fit, size) in enumerate(zip(fitting, sizes, strict=True))
    ]
