"""Read a filled-in form: from a picture to its boxes, each with its label and its ink.

A picture is uint8, `(H, W)` or `(H, W, 3)` RGB, upright. A box's `pixels` are ink coverage,
uint8 `(h, w)`, 0 paper to 255 full ink, at `finding.PIXELS_A_MM`, padded so that no grey edge
is cut. Darkness means how much less light than the bare paper around it: 0 to 255.

The printed boxes are pale lines whose place is known to a millimetre. They are searched there,
which tells how each box lies exactly and whether something covers it; then each line's own
darkness, as the median along it, is taken off, so that a stroke that crosses it stays whole.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.forms.finding import PIXELS_A_MM, FormError, FoundForm, PageMapping, find_form
from pipeline.forms.layout import (
    Form,
    FormBox,
    box_gap,
    form_boxes,
    has_label_column,
    square_corners,
)
from pipeline.pages.pieces import Boxes, assign_pixels, cut_region, enclose_pixels, find_pieces

Grey = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]
State = Literal["written", "empty", "crossed", "unclear"]

# A brush wider than this is taken for a shadow's edge rather than a stroke.
_WIDEST_STROKE = 8.0  # mm
_GRAIN = 0.8  # pixels: the blur that takes the camera's grain off, less than a stroke's half width
_SEARCH = 1.5  # mm to either side of a line's expected place: less than half the gap
_LINE_PART = 36  # pixels (4.5 mm): along so much a line that bends is still straight
_LINE_REACH = 6  # pixels to either side of a line that its own darkness reaches
_FAINTEST_LINE = 7.0  # darkness; below it the boxes were lost, as in a black-and-white scan
_FAINTEST_INK = 38.0  # darkness; a hard pencil in a blurred photo reaches about 60
_NOISE_FACTOR = 5.0  # standard deviations of the paper's grain that ink stands out of
_FADED = 0.65  # of that is enough where a stroke goes on
_LEAST_WRITING, _SMALLEST_SPOT = 0.25, 0.1  # mm2; a box is empty below the one, and the other
# is the smallest dot that belongs to the writing beside it
_CORNER = 1.2  # mm inside the box that still count as its corner
_EXIT = 5  # pixels outside (and inside) a box's line where the strokes across it are counted
_CLOSE_STROKES = 0.7  # mm between the strokes of a scribble
_BLOT = 0.5  # of the box's side: no stroke is so wide, and no loop that a felt pen closes
_LEAST_SEEN = 0.7  # of a box's line; below it something covers the box
_MOST_STRANGE = 0.25  # of the ink in a box that may belong to its neighbours, or theirs to it
_FEW_PIXELS = 150  # a short thin stroke has more
_INSET = 1  # pixel from a box's line to what counts as inside
_MOST_UNCLEAR = 0.2  # of the page's boxes
_FULL_INK = 80.0  # percentile of a glyph's darkness: well above its strokes' soft edges
_PAPER_GRAIN = 10.0  # darkness: what is left of bare paper once its mean is taken off
_PADDING = 4  # pixels: a stroke's soft edge and the blur beside it


@dataclass(frozen=True)
class FilledBox:
    """One box of a form as it was found.

    `state` is `written`, `empty`, `crossed` (crossed out by the writer) or `unclear` (covered,
    or its ink runs into a neighbour's). `quad` is the printed box's corners (4, 2) and `box`
    the writing's `x0, y0, x1, y1` (the printed box's where there is none), both in pixels of
    the picture, x1 and y1 exclusive. `score` is 0 to 1, 1 for sure.
    """

    label: str
    row: int
    column: int
    state: State
    score: float
    quad: npt.NDArray[np.float64]
    box: tuple[int, int, int, int]
    pixels: Grey


@dataclass(frozen=True)
class ReadForm:
    """A form that was read: what was printed, each of its boxes, and the page laid flat."""

    form: Form
    boxes: tuple[FilledBox, ...]
    flat: Grey
    dark: Reals  # of the flat page, without the printed boxes' lines
    mapping: PageMapping

    @property
    def group(self) -> str:
        """The writer's name, or the set's own mark where the name was left to fill in."""
        return self.form.writer or f"form-{self.form.identity}"


@dataclass(frozen=True)
class _Place:
    """A box on the flat page: its exact square in pixels, and how much of its line is seen."""

    printed: FormBox
    square: npt.NDArray[np.float64]
    seen: float


@dataclass(frozen=True)
class _Ink:
    """The ink of a page: its darkness, connected pieces, and how they lie in the boxes.

    `pieces` numbers each pixel's piece (from 1; 0 stands for none), `boxes` holds the box around
    each; `shares[piece, box]` counts its pixels inside each box (from 1; 0 stands for none).
    """

    dark: Reals
    pieces: npt.NDArray[np.int32]
    boxes: Boxes
    shares: npt.NDArray[np.int64]

    @cached_property
    def owner(self) -> npt.NDArray[np.intp]:
        """The box that holds most of each piece."""
        return np.asarray(self.shares.argmax(axis=1))


def read_form(picture: Grey) -> ReadForm:
    """Return the form that the picture shows, box by box.

    Raises FormError (a DataError) with what was found and what was expected when the picture
    does not show one whole, readable form; nothing is ever guessed.
    """
    found = find_form(picture)
    dark = measure_darkness(found.flat)
    places, line = _locate_boxes(dark, form_boxes(found.form))
    _remove_lines(dark, places, line)
    boxes = _read_boxes(found, dark, places)
    _check_clear(boxes)
    return ReadForm(found.form, boxes, found.flat, dark, found.mapping)


def _check_clear(boxes: tuple[FilledBox, ...]) -> None:
    """Raise FormError when so much of the page is unclear that the rest can't be trusted."""
    unclear = sum(box.state == "unclear" for box in boxes)
    if unclear > _MOST_UNCLEAR * len(boxes):
        raise FormError(
            f"The form's boxes are not to be seen: {unclear} of {len(boxes)} are covered, blurred "
            "or too dark. Photograph it again, flat, in even light."
        )


# --- light and lines ----------------------------------------------------------------------------


def measure_darkness(flat: Grey) -> Reals:
    """Return how much darker than the paper around it each pixel is, 0 to 255, (h, w).

    The paper's brightness is what remains when all that is narrower than a stroke is closed;
    it follows even a hard shadow's edge.
    """
    width = round(_WIDEST_STROKE * PIXELS_A_MM) | 1
    calm = cv2.GaussianBlur(flat, (0, 0), _GRAIN)
    paper = cv2.morphologyEx(calm, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    ratio: Reals = np.asarray(cv2.divide(calm, np.maximum(paper, 1), dtype=cv2.CV_32F))
    # Closing keeps the brightest grains: on average bare paper lies a little below. Every fourth
    # pixel is enough for a mean over many.
    few = np.ascontiguousarray(ratio[::4, ::4])
    bare = _enlarge_mean(few, few > 0.85, ratio.shape)
    return np.asarray(np.clip(255 - 255 * ratio / bare, 0, 255), np.float32)


def _locate_boxes(dark: Reals, boxes: list[FormBox]) -> tuple[list[_Place], float]:
    """Return each box where its line is really seen, and how dark the lines are."""
    profiles = np.stack([_line_profiles(dark, box) for box in boxes])  # (N, 4, parts, across)
    whole = np.median(profiles, axis=2)
    line = float(np.median(whole.max(axis=-1) - np.median(whole, axis=-1)))
    seen: Reals = np.ones(len(boxes), np.float32)
    shifts = np.zeros((len(boxes), 2))
    if line < _FAINTEST_LINE:
        line = 0.0
    else:
        # A stroke near one side must not be taken for it: opposite sides move as one, and neither
        # counts for much more than a line.
        pairs = np.minimum(whole, 1.2 * line).reshape(-1, 2, 2, whole.shape[-1]).sum(axis=1)
        shifts = _find_peaks(pairs)
        seen = _part_seen(profiles, np.tile(shifts, 2), line)
    return [
        _Place(box, np.array(box.square) * PIXELS_A_MM + np.tile(shift, 2), float(part))
        for box, shift, part in zip(boxes, shifts, seen, strict=True)
    ], line


def _line_profiles(dark: Reals, box: FormBox) -> Reals:
    """Return the darkness across each side of a box, (4, parts, across).

    The sides come as left, top, right, bottom; each part is the median along a quarter of it.
    """
    reach = round(_SEARCH * PIXELS_A_MM)
    x0, y0, x1, y1 = (round(edge * PIXELS_A_MM) for edge in box.square)
    inset = max(3, (x1 - x0) // 10)  # near the corners the other sides would be seen
    length = (x1 - x0 - 2 * inset) // 4 * 4
    along_x = slice(x0 + inset, x0 + inset + length)
    along_y = slice(y0 + inset, y0 + inset + length)
    strips = [
        dark[along_y, x0 - reach : x0 + reach + 1],
        dark[y0 - reach : y0 + reach + 1, along_x].T,
        dark[along_y, x1 - reach : x1 + reach + 1],
        dark[y1 - reach : y1 + reach + 1, along_x].T,
    ]
    stacked = np.stack(strips).reshape(4, 4, length // 4, 2 * reach + 1)
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


def _part_seen(profiles: Reals, offsets: npt.NDArray[np.float64], line: float) -> Reals:
    """Return which part of each box's line is seen where it should be, 0 to 1, (N,).

    A part is seen from a third of the darkness that the page's lines have.
    """
    middle = profiles.shape[-1] // 2
    place = np.abs(np.arange(profiles.shape[-1]) - middle - offsets[..., None]) <= 3
    there = np.where(place[:, :, None], profiles, 0).max(axis=-1)
    contrast = there - np.median(profiles, axis=-1)
    return np.asarray((contrast > 0.35 * line).mean(axis=(1, 2)))


def _remove_lines(dark: Reals, places: list[_Place], line: float) -> None:
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


# --- ink and boxes ------------------------------------------------------------------------------


def _read_boxes(found: FoundForm, dark: Reals, places: list[_Place]) -> tuple[FilledBox, ...]:
    """Return every box's state and, where it is written in, its ink."""
    zones = _find_zones(found.form, places)
    ink = _find_ink(dark, places, zones)
    corners = square_corners([place.square / PIXELS_A_MM for place in places])
    quads = found.mapping.to_picture(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    return tuple(
        _read_box(found.mapping, ink, number, place, zone, quad)
        for number, (place, zone, quad) in enumerate(zip(places, zones, quads, strict=True), 1)
    )


def _find_zones(form: Form, places: list[_Place]) -> npt.NDArray[np.int64]:
    """Return for each box the rectangle that its writing may reach into, (N, 4) pixels.

    It takes half the gap to the next box, but upwards only as far as no printed label stands.
    """
    across, down = (gap / 2 * PIXELS_A_MM for gap in box_gap(form))
    above = down if has_label_column(form) else 0.9 * PIXELS_A_MM  # a label stands 1 mm above
    squares = np.array([place.square for place in places])
    return np.asarray(np.round(squares + np.array([-across, -above, across, down])), np.int64)


def _find_ink(dark: Reals, places: list[_Place], zones: npt.NDArray[np.int64]) -> _Ink:
    """Return the ink within the zones in connected pieces, each given to one box."""
    sure = np.maximum(_FAINTEST_INK, _NOISE_FACTOR * _measure_noise(dark))
    mask = (dark > _FADED * sure) & (_paint(dark.shape, zones) > 0)
    squares = np.array([place.square for place in places])
    inside = _paint(dark.shape, np.round(_grow(squares, -_INSET)).astype(np.int64))
    count, pieces = cv2.connectedComponents(mask.astype(np.uint8))
    ys, xs = np.nonzero(mask)
    piece = pieces[ys, xs]
    pairs = piece.astype(np.int64) * (len(zones) + 1) + inside[ys, xs]
    shares = np.bincount(pairs, minlength=count * (len(zones) + 1)).reshape(count, -1)
    shares[:, 0] = 0
    areas = np.bincount(piece, minlength=count)
    core = np.bincount(pieces[mask & (dark > sure)], minlength=count)
    # Grain and specks, and marks that lie between the boxes rather than in them.
    shares[(core < _SMALLEST_SPOT * PIXELS_A_MM**2) | (2 * shares.sum(axis=1) < areas)] = 0
    return _Ink(dark, pieces, enclose_pixels(piece, xs, ys, count), shares)


def _measure_noise(dark: Reals) -> Reals:
    """Return the standard deviation of the darkness of bare paper nearby, (h, w).

    Half of bare paper is cut off at 0, hence the factor 2.
    """
    few = np.ascontiguousarray(dark[::4, ::4])
    return _enlarge_mean(2 * few**2, few < _FAINTEST_INK, dark.shape) ** 0.5


def _enlarge_mean(few: Reals, where: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> Reals:
    """Return the mean of the values nearby where they count, blown up to a shape."""
    weight = where.astype(np.float32)
    reach = (41, 41)
    mean = (cv2.blur(few * weight, reach) + 1e-3) / (cv2.blur(weight, reach) + 1e-3)
    return np.asarray(cv2.resize(mean, shape[::-1], interpolation=cv2.INTER_LINEAR))


def _paint(shape: tuple[int, ...], squares: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return which square (from 1) each pixel lies in, 0 for none."""
    painted = np.zeros(shape, np.int32)
    for number, (x0, y0, x1, y1) in enumerate(squares, 1):
        painted[y0:y1, x0:x1] = number
    return painted


def _read_box(
    mapping: PageMapping,
    ink: _Ink,
    number: int,
    place: _Place,
    zone: npt.NDArray[np.int64],
    quad: npt.NDArray[np.float64],
) -> FilledBox:
    """Return what was found in the box with a number (from 1)."""
    state, score = _judge(ink, number, place, zone)
    pixels, box = np.zeros((0, 0), np.uint8), _bounds(quad)
    if state == "written":
        pixels, corner = _cut_glyph(ink, number)
        square = _grow(np.append(corner, corner + pixels.shape[::-1]), -_PADDING)
        box = _bounds(mapping.to_picture(square_corners([square / PIXELS_A_MM])[0]))
    printed = place.printed
    return FilledBox(
        printed.label, printed.row, printed.column, state, round(score, 3), quad, box, pixels
    )


def _grow(square: npt.NDArray[np.float64], margin: float) -> npt.NDArray[np.float64]:
    """Return the square (or squares), a margin wider on every side."""
    return square + margin * np.array([-1, -1, 1, 1])


def _bounds(points: npt.NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the rectangle of whole pixels that holds points; a pixel's centre is at 0."""
    x0, y0 = np.floor(points.min(axis=0) + 0.5).astype(int)
    x1, y1 = np.ceil(points.max(axis=0) + 0.5).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _judge(
    ink: _Ink, number: int, place: _Place, zone: npt.NDArray[np.int64]
) -> tuple[State, float]:
    """Return a box's state and how sure it is."""
    x0, y0, x1, y1 = zone
    shares, mine = ink.shares.sum(axis=1), ink.shares[:, number]
    # A cross through this box may lie largely in the next ones.
    mask = np.isin(ink.pieces[y0:y1, x0:x1], np.flatnonzero(mine > 0.2 * shares))
    square = place.square - (x0, y0, x0, y0)
    if _is_crossed_out(mask, square):
        return "crossed", place.seen
    own = ink.owner == number
    written, strange = int(mine[own].sum()), int(mine[~own].sum())
    if place.seen < _LEAST_SEEN or strange > _MOST_STRANGE * max(written, _FEW_PIXELS):
        return "unclear", place.seen
    if written < _LEAST_WRITING * PIXELS_A_MM**2:
        return "empty", place.seen
    share = written / int(shares[own].sum())
    if share < 1 - _MOST_STRANGE:
        return "unclear", share
    return "written", place.seen * share * 0.9 ** _count_exits(mask, square)


def _is_crossed_out(mask: npt.NDArray[np.bool_], square: npt.NDArray[np.float64]) -> bool:
    """Tell a cross past the corners, or a scribble over the box, from writing.

    A letter x stays off the corners, as the form asks; whoever fills the box to its corners
    loses a sample, not a label.
    """
    exits = _count_exits(mask, square)
    top_left, top_right, bottom_right, bottom_left = corners = _corner_hits(mask, square)
    struck = (top_left and bottom_right) or (top_right and bottom_left)
    if sum(corners) >= 3 or (struck and exits >= 2):
        return True
    if exits >= 3 or _count_crossings(mask, _grow(square, -_EXIT)) >= 5:
        return True
    return _has_blot(mask, _BLOT * float(square[2] - square[0]))


def _corner_hits(mask: npt.NDArray[np.bool_], square: npt.NDArray[np.float64]) -> list[bool]:
    """Tell for each corner whether ink lies at it, from a little inside it outwards."""
    x0, y0, x1, y1 = np.round(_grow(square, -_CORNER * PIXELS_A_MM)).astype(int)
    parts = (mask[:y0, :x0], mask[:y0, x1:], mask[y1:, x1:], mask[y1:, :x0])
    return [int(np.count_nonzero(part)) > 12 for part in parts]


def _count_exits(mask: npt.NDArray[np.bool_], square: npt.NDArray[np.float64]) -> int:
    """Return how many times strokes pass the box's line to the outside."""
    return _count_crossings(mask, _grow(square, _EXIT))


def _count_crossings(mask: npt.NDArray[np.bool_], square: npt.NDArray[np.float64]) -> int:
    """Return how many separate strokes meet the outline of a square."""
    height, width = mask.shape
    x0, y0, x1, y1 = np.round(square).astype(int).clip(0, [width - 1, height - 1] * 2)
    ring = np.concatenate(
        [mask[y0, x0:x1], mask[y0:y1, x1], mask[y1, x0:x1][::-1], mask[y0:y1, x0][::-1]]
    )
    return int(np.count_nonzero(ring & ~np.roll(ring, 1)))


def _has_blot(mask: npt.NDArray[np.bool_], width: float) -> bool:
    """Tell whether strokes lie so close that they make an area `width` pixels wide."""
    between = _disc(round(_CLOSE_STROKES * PIXELS_A_MM))
    filled = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, between)
    return bool(cv2.distanceTransform(filled, cv2.DIST_L2, 3).max() > width / 2)


def _disc(width: int) -> Grey:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


def _cut_glyph(ink: _Ink, number: int) -> tuple[Grey, npt.NDArray[np.int64]]:
    """Return the ink coverage of a box's own pieces, padded, and its top left corner (x, y)."""
    mine = np.flatnonzero(ink.owner == number)
    boxes = ink.boxes[mine]
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0) - _PADDING, boxes[:, 2:].max(axis=0) + _PADDING
    dark = ink.dark[y0:y1, x0:x1]
    own = np.isin(ink.pieces[y0:y1, x0:x1], mine)
    full = float(np.percentile(dark[own], _FULL_INK))
    # The soft edge of a stroke lies below the threshold that found it.
    near = cv2.dilate(own.astype(np.uint8), _disc(2 * _PADDING - 1)) > 0
    coverage = np.clip((dark - _PAPER_GRAIN) / (full - _PAPER_GRAIN), 0, 1) * near
    return np.round(255 * coverage).astype(np.uint8), np.array([x0, y0])


def cut_box(page: ReadForm, box: tuple[int, int, int, int]) -> Grey | None:
    """Return the ink coverage in any box on the picture of a form; None where there is none."""
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    there = page.mapping.to_page(corners) * PIXELS_A_MM
    square = np.concatenate([np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))])
    # Around it, so that it shows which strokes reach out of the box.
    left, top, right, lower = np.maximum(_grow(square, max(square[2:] - square[:2])), 0).astype(int)
    dark = page.dark[top:lower, left:right]
    if not dark.size:
        return None
    inner = (square - (left, top, left, top)).astype(np.int64)
    noise = _measure_noise(page.dark)[top:lower, left:right]
    mask = dark > _FADED * np.maximum(_FAINTEST_INK, _NOISE_FACTOR * noise)
    own = np.zeros_like(mask)
    own[max(inner[1], 0) : inner[3], max(inner[0], 0) : inner[2]] = True
    if np.count_nonzero(mask & own) < _SMALLEST_SPOT * PIXELS_A_MM**2:
        return None
    full = float(np.percentile(dark[mask & own], _FULL_INK))
    near = cv2.dilate(mask.astype(np.uint8), _disc(2 * _PADDING - 1)) > 0
    coverage = np.clip((dark - _PAPER_GRAIN) / (full - _PAPER_GRAIN), 0, 1) * near
    whole = np.round(255 * coverage).astype(np.uint8)
    pieces = find_pieces(whole)
    return cut_region(whole, pieces, assign_pixels(pieces, _PADDING), inner, _PADDING)
