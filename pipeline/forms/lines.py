"""The light on a form laid flat, and the printed lines of its boxes.

The flat page is uint8 `(h, w)` grey, `finding.PIXELS_A_MM` to the millimetre. Darkness means how
much less light than the bare paper around it: float32, 0 to 255.

The boxes are pale lines whose place is known to a millimetre. They are searched there, which
tells how each box lies exactly and whether something covers it; then each line's own darkness, as
the median along it, is taken off, so that a stroke that crosses it stays whole. Where bright light
burns the lines out, a box lies where the page's markers and the boxes around it say.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.forms.finding import PIXELS_A_MM
from pipeline.forms.layout import FormBox

Grey = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

# A brush wider than this is taken for a shadow's edge rather than a stroke.
_WIDEST_STROKE = 8.0  # mm
_GRAIN = 0.8  # pixels: the blur that takes the camera's grain off, less than a stroke's half width
_COARSE_GRAIN = (
    1.8  # pixels: half the width of a thin pen's stroke, which then stays above the rest
)
_MUCH_GRAIN = 8.0  # darkness, standard deviation: from here on it hides pencil (see reading)
_SEARCH = 1.5  # mm to either side of a line's expected place: less than half the gap
_PARTS = 4  # of each side of a box that are looked for by themselves
_LINE_PART = 36  # pixels (4.5 mm): along so much a line that bends is still straight
_LINE_REACH = 6  # pixels to either side of a line that its own darkness reaches
_FAINTEST_LINE = 7.0  # darkness; below it the boxes were lost, as in a black-and-white scan
_BURNT = 245  # grey: where paper is so bright a camera may have no light left for a pale line
_COVERED = 0.7  # of the light of the page's paper: skin and most things on it have less
_WORST_MISFIT = 0.4  # mm: a quarter of the way to where the next box's writing begins
_FEWEST_SIDES = 8  # two boxes' sides tell how dark lines are where they are not burnt out
_MOST_BURNT = 0.3  # of a box's line; beyond it its own place is not believed


@dataclass(frozen=True)
class Place:
    """A box on the flat page: its exact square in pixels, and how much of its line is seen.

    `burnt` tells that bright light hides the line: of the writing, too, it leaves less.
    """

    printed: FormBox
    square: npt.NDArray[np.float64]
    seen: float
    burnt: bool


def measure_darkness(flat: Grey) -> Reals:
    """Return how much darker than the paper around it each pixel is, 0 to 255, (h, w).

    The paper's brightness is what remains when all that is narrower than a stroke is closed;
    it follows even a hard shadow's edge. Where little light leaves much grain, more is taken off.
    """
    dark = _compare_with_paper(flat, _GRAIN)
    few = dark[::4, ::4]
    grain = few[few < _MUCH_GRAIN * 3]
    if grain.size and (2 * float(np.mean(grain**2))) ** 0.5 > _MUCH_GRAIN:
        return _compare_with_paper(flat, _COARSE_GRAIN)
    return dark


def _compare_with_paper(flat: Grey, grain: float) -> Reals:
    """Return the darkness (h, w) once a blur of so many pixels has taken the grain off."""
    width = round(_WIDEST_STROKE * PIXELS_A_MM) | 1
    calm = cv2.GaussianBlur(flat, (0, 0), grain)
    paper = cv2.morphologyEx(calm, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    ratio: Reals = np.asarray(cv2.divide(calm, np.maximum(paper, 1), dtype=cv2.CV_32F))
    # Closing keeps the brightest grains: on average bare paper lies a little below. Every fourth
    # pixel is enough for a mean over many.
    few = np.ascontiguousarray(ratio[::4, ::4])
    bare = enlarge_mean(few, few > 0.85, ratio.shape)
    return np.asarray(np.clip(255 - 255 * ratio / bare, 0, 255), np.float32)


def locate_boxes(
    flat: Grey, dark: Reals, boxes: list[FormBox], misfit: float
) -> tuple[list[Place], float]:
    """Return each box where its line is really seen, and how dark the lines are.

    Where they are burnt out, a box is where it should be, unless the markers' misfit is large (mm).
    """
    profiles = np.stack([_line_profiles(dark, box) for box in boxes])  # (N, 4, parts, across)
    light = _measure_light(flat, boxes)
    burnt = (light >= _BURNT) & (misfit <= _WORST_MISFIT)
    whole = np.median(profiles, axis=2)
    contrast = whole.max(axis=-1) - np.median(whole, axis=-1)
    # Where it is neither burnt out nor covered, which most lines are.
    clear = contrast[~burnt.any(axis=-1)]
    line = float(np.median(clear if clear.size >= _FEWEST_SIDES else contrast))
    shifts = np.zeros((len(boxes), 2))
    lost = np.asarray(burnt.all(axis=(1, 2)))
    if line < _FAINTEST_LINE:
        line = 0.0
        # Where bright light is why none is seen, what lies on the paper is less bright.
        usual = float(np.median(light))
        seen = ((light > _COVERED * usual) | (usual < _BURNT)).mean(axis=(1, 2))
    else:
        # A stroke near one side must not be taken for it: opposite sides move as one, and neither
        # counts for much more than a line.
        pairs = np.minimum(whole, 1.2 * line).reshape(-1, 2, 2, whole.shape[-1]).sum(axis=1)
        shifts = _find_peaks(pairs)
        there = _are_seen(profiles, np.tile(shifts, 2), line)
        lost = (there | burnt).mean(axis=(1, 2)) - there.mean(axis=(1, 2)) > _MOST_BURNT
        shifts[lost] = _shift_with_others(boxes, shifts, lost)
        seen = (there | burnt).mean(axis=(1, 2))
    squares = np.array([box.square for box in boxes]) * PIXELS_A_MM + np.tile(shifts, 2)
    return [
        Place(box, square, float(part), bool(pale))
        for box, square, part, pale in zip(boxes, squares, seen, lost, strict=True)
    ], line


def _measure_light(flat: Grey, boxes: list[FormBox]) -> Grey:
    """Return for each part of each side of a box how bright the paper is there.

    (N, 4, parts): sides and parts as _line_profiles has them.
    """
    size = (flat.shape[1] // PIXELS_A_MM, flat.shape[0] // PIXELS_A_MM)
    small = cv2.resize(flat, size, interpolation=cv2.INTER_AREA)
    # A pixel is a millimetre now. Of nine some show bare paper, whatever is written or printed.
    bright = cv2.dilate(small, np.ones((3, 3), np.uint8))
    x0, y0, x1, y1 = np.array([box.square for box in boxes]).T[..., None]
    along = (np.arange(_PARTS) + 0.5) / _PARTS
    x, y, still = x0 + (x1 - x0) * along, y0 + (y1 - y0) * along, np.zeros(_PARTS)
    points = np.stack([(x0 + still, y), (x, y0 + still), (x1 + still, y), (x, y1 + still)])
    column, row = points.transpose(1, 2, 0, 3).astype(int)
    return np.asarray(bright[row.clip(0, size[1] - 1), column.clip(0, size[0] - 1)])


def _shift_with_others(
    boxes: list[FormBox], shifts: npt.NDArray[np.float64], lost: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the shifts of lost boxes: the mean of the others', of which the near ones count."""
    if lost.all():
        return np.zeros_like(shifts)
    middles = np.array([box.square[:2] for box in boxes])
    away = np.linalg.norm(middles[lost][:, None] - middles[~lost], axis=-1)
    weight = 1 / away**2
    return np.asarray(weight @ shifts[~lost] / weight.sum(axis=1, keepdims=True))


def _line_profiles(dark: Reals, box: FormBox) -> Reals:
    """Return the darkness across each side of a box, (4, parts, across).

    The sides come as left, top, right, bottom; each part is the median along a quarter of it.
    """
    reach = round(_SEARCH * PIXELS_A_MM)
    x0, y0, x1, y1 = (round(edge * PIXELS_A_MM) for edge in box.square)
    inset = max(3, (x1 - x0) // 10)  # near the corners the other sides would be seen
    length = (x1 - x0 - 2 * inset) // _PARTS * _PARTS
    along_x = slice(x0 + inset, x0 + inset + length)
    along_y = slice(y0 + inset, y0 + inset + length)
    strips = [
        dark[along_y, x0 - reach : x0 + reach + 1],
        dark[y0 - reach : y0 + reach + 1, along_x].T,
        dark[along_y, x1 - reach : x1 + reach + 1],
        dark[y1 - reach : y1 + reach + 1, along_x].T,
    ]
    stacked = np.stack(strips).reshape(4, _PARTS, length // _PARTS, 2 * reach + 1)
    return np.asarray(np.median(stacked, axis=2))


def _find_peaks(profiles: Reals) -> npt.NDArray[np.float64]:
    """Return where the peak of each profile (..., across) lies, in pixels off its middle.

    A parabola through the peak and its neighbours gives the fraction of a pixel.
    """
    smooth = cv2.blur(profiles.reshape(-1, profiles.shape[-1]), (3, 1)).reshape(profiles.shape)
    peak = smooth[..., 1:-1].argmax(axis=-1) + 1
    before, top, after = (
        np.take_along_axis(smooth, (peak + step)[..., None], axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    bow = np.maximum(2 * top - before - after, 1e-3)
    shift = np.clip((after - before) / (2 * bow), -0.5, 0.5)
    return np.asarray(peak - profiles.shape[-1] // 2 + shift)


def _are_seen(
    profiles: Reals, offsets: npt.NDArray[np.float64], line: float
) -> npt.NDArray[np.bool_]:
    """Return which parts of each box's line are seen where they should be, (N, 4, parts).

    A part is seen from a third of the darkness that the page's lines have.
    """
    middle = profiles.shape[-1] // 2
    place = np.abs(np.arange(profiles.shape[-1]) - middle - offsets[..., None]) <= 3
    there = np.where(place[:, :, None], profiles, 0).max(axis=-1)
    return np.asarray(there - np.median(profiles, axis=-1) > 0.35 * line)


def remove_lines(dark: Reals, places: list[Place], line: float) -> None:
    """Take the printed lines' own darkness off, in place, and leave strokes that cross them."""
    if line == 0:
        return
    for place in places:
        x0, y0, x1, y1 = np.round(place.square).astype(int)
        reach = _LINE_REACH
        for x in (x0, x1):
            _remove_line(dark[y0 - reach : y1 + reach + 1, x - reach : x + reach + 1], line)
        for y in (y0, y1):
            _remove_line(dark[y - reach : y + reach + 1, x0 - reach : x1 + reach + 1].T, line)


def _remove_line(strip: Reals, line: float) -> None:
    """Take the line's darkness off a strip, (along, across), piece by piece, as it may bend.

    What is taken off is never much darker than the printed lines, so that a stroke that
    follows a line stays.
    """
    for part in np.array_split(strip, max(1, len(strip) // _LINE_PART)):
        # Above the median, by which more of the line's own grain would stay.
        rank = len(part) * 6 // 10
        own = np.minimum(np.partition(part, rank, axis=0)[rank], 1.6 * line)
        part[:] = np.maximum(part - own, 0) * (255 / (255 - own))


def enlarge_mean(few: Reals, where: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> Reals:
    """Return the mean of the values nearby where they count, blown up to a shape."""
    weight = where.astype(np.float32)
    reach = (41, 41)
    mean = (cv2.blur(few * weight, reach) + 1e-3) / (cv2.blur(weight, reach) + 1e-3)
    return np.asarray(cv2.resize(mean, shape[::-1], interpolation=cv2.INTER_LINEAR))
