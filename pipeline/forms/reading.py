"""Read a filled-in form: from a picture to its boxes, each with its label and its ink.

A picture is uint8, `(H, W)` or `(H, W, 3)` RGB, upright. A box's `pixels` are ink coverage,
uint8 `(h, w)`, 0 paper to 255 full ink, at `finding.PIXELS_A_MM`, padded so that no grey edge
is cut. Darkness means how much less light than the bare paper around it: 0 to 255.
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
    box_gap,
    form_boxes,
    has_label_column,
    square_corners,
)
from pipeline.forms.lines import (
    Place,
    enlarge_mean,
    locate_boxes,
    measure_darkness,
    remove_lines,
)
from pipeline.pages.pieces import Boxes, assign_pixels, cut_region, enclose_pixels, find_pieces

Grey = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]
State = Literal["written", "empty", "crossed", "unclear"]

_FAINTEST_INK = 38.0  # darkness; a hard pencil in a blurred photo reaches about 60
_NOISE_FACTOR = 5.0  # standard deviations of the paper's grain that ink stands out of
_BURNT_INK = 0.5  # of that where bright light hides a box's line and makes ink pale
# Darkness; ink no darker in such light has lost its thinner parts, if not all that is pencil.
_BURNT_FULL = 50.0
_FAINT = 1.2  # of that: ink no darker has probably lost its thinner parts
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
_MOST_COVERED, _MOST_JOINED = 0.2, 0.5  # of the page's boxes
# mm inside a box's line: a stroke that only touches the line ends here, a stroke's width beyond it
_RUNS_IN = 0.5
_COVERED = "it is covered, or its line is not seen"
_MAYBE_LOST = "or its writing is lost in bright light"
_PALE = "its writing is too pale in this light"
_RUNS_OUT = "a stroke runs out of the box"
_ENTERED = "a stroke runs in from the next box"
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
    reason: str = ""  # why it is unclear, or may not be empty


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
class _Ink:
    """The ink of a page: its darkness, connected pieces, and how they lie in the boxes.

    `sure` is the darkness from which it is ink rather than grain.
    `pieces` numbers each pixel's piece (from 1; 0 stands for none), `boxes` holds the box around
    each; `shares[piece, box]` counts its pixels inside each box (from 1; 0 stands for none).
    `entered` are the boxes that a stroke runs into from another one, and `left` those that one
    runs out of, as far as into the next box or past where it would begin.
    """

    dark: Reals
    sure: Reals
    pieces: npt.NDArray[np.int32]
    boxes: Boxes
    shares: npt.NDArray[np.int64]
    entered: frozenset[int]
    left: frozenset[int]

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
    places, line = locate_boxes(found.flat, dark, form_boxes(found.form), found.mapping.misfit)
    remove_lines(dark, places, line)
    boxes = _read_boxes(found, dark, places)
    _check_clear(boxes)
    return ReadForm(found.form, boxes, found.flat, dark, found.mapping)


def _check_clear(boxes: tuple[FilledBox, ...]) -> None:
    """Raise FormError when so much of the page is unclear that the rest can't be trusted."""
    covered = sum(box.reason in (_COVERED, _PALE) for box in boxes)
    if covered > _MOST_COVERED * len(boxes):
        raise FormError(
            f"The form's boxes are not to be seen: {covered} of {len(boxes)} are covered, blurred, "
            "too dark or too bright. Photograph it again, flat, in even light."
        )
    joined = sum(box.state == "unclear" for box in boxes) - covered
    if joined > _MOST_JOINED * len(boxes):
        raise FormError(
            f"The form's boxes run into one another: strokes of {joined} of {len(boxes)} go on "
            "into the next box or far into the margin. Is it crossed out, stained or creased?"
        )


# --- ink and boxes ------------------------------------------------------------------------------


def _read_boxes(found: FoundForm, dark: Reals, places: list[Place]) -> tuple[FilledBox, ...]:
    """Return every box's state and, where it is written in, its ink."""
    zones = _find_zones(found.form, places)
    ink = _find_ink(found.form, dark, places, zones)
    corners = square_corners([place.square / PIXELS_A_MM for place in places])
    quads = found.mapping.to_picture(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    return tuple(
        _read_box(found.mapping, ink, number, place, zone, quad)
        for number, (place, zone, quad) in enumerate(zip(places, zones, quads, strict=True), 1)
    )


def _find_zones(form: Form, places: list[Place]) -> npt.NDArray[np.int64]:
    """Return for each box the rectangle that its writing may reach into, (N, 4) pixels.

    It takes half the gap to the next box, but upwards only as far as no printed label stands.
    """
    across, down = (gap / 2 * PIXELS_A_MM for gap in box_gap(form))
    above = down if has_label_column(form) else 0.9 * PIXELS_A_MM  # a label stands 1 mm above
    squares = np.array([place.square for place in places])
    return np.asarray(np.round(squares + np.array([-across, -above, across, down])), np.int64)


def _find_ink(form: Form, dark: Reals, places: list[Place], zones: npt.NDArray[np.int64]) -> _Ink:
    """Return the ink within the zones in connected pieces, each given to one box.

    Pieces are connected wherever ink goes, also between the zones and beside them.
    """
    grain = _NOISE_FACTOR * _measure_noise(dark)
    sure = np.maximum(_FAINTEST_INK, grain)
    for place, (x0, y0, x1, y1) in zip(places, zones, strict=True):
        if place.burnt:
            sure[y0:y1, x0:x1] = np.maximum(_BURNT_INK * _FAINTEST_INK, grain[y0:y1, x0:x1])
    every = dark > _FADED * sure
    mask = every & (_paint(dark.shape, zones) > 0)
    squares = np.array([place.square for place in places])
    inside = _paint(dark.shape, np.round(_grow(squares, -_INSET)).astype(np.int64))
    count, pieces, extents = _connect(every, zones)
    pieces *= mask
    ys, xs = np.nonzero(mask)
    piece = pieces[ys, xs]
    pairs = piece.astype(np.int64) * (len(zones) + 1) + inside[ys, xs]
    shares = np.bincount(pairs, minlength=count * (len(zones) + 1)).reshape(count, -1)
    shares[:, 0] = 0
    areas = np.bincount(piece, minlength=count)
    core = np.bincount(piece[dark[ys, xs] > sure[ys, xs]], minlength=count)
    # Grain and specks, and marks that lie between the boxes rather than in them.
    shares[(core < _SMALLEST_SPOT * PIXELS_A_MM**2) | (2 * shares.sum(axis=1) < areas)] = 0
    entered, left = _find_runs(form, pieces, extents, shares, squares)
    return _Ink(dark, sure, pieces, enclose_pixels(piece, xs, ys, count), shares, entered, left)


def _connect(
    ink: npt.NDArray[np.bool_], zones: npt.NDArray[np.int64]
) -> tuple[int, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return how many pieces the ink has, each pixel's piece, and the box around each piece.

    Only where the boxes lie, and around them as far as a stroke that runs out of one matters.
    """
    around = round(6.0 * PIXELS_A_MM)  # more than a gap
    left, top = np.maximum(zones[:, :2].min(axis=0) - around, 0).tolist()
    right, lower = (zones[:, 2:].max(axis=0) + around).tolist()
    part = ink[top:lower, left:right].astype(np.uint8)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(part)
    pieces = np.zeros(ink.shape, np.int32)
    pieces[top:lower, left:right] = numbers
    start = stats[:, :2] + np.array([left, top], np.int32)
    return count, pieces, np.concatenate([start, start + stats[:, 2:4]], axis=1)


def _find_runs(
    form: Form,
    pieces: npt.NDArray[np.int32],
    extents: npt.NDArray[np.int32],
    shares: npt.NDArray[np.int64],
    squares: npt.NDArray[np.float64],
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the boxes (from 1) that strokes run into from another one, and those they run out of.

    A stroke may leave its box and cross the gap; it runs out when it reaches further into the
    next box, or past where one would begin, than _RUNS_IN.
    """
    limit = _RUNS_IN * PIXELS_A_MM
    owner = shares.argmax(axis=1)
    across, down = box_gap(form)
    reach = np.array([across, down, across, down]) * PIXELS_A_MM + limit
    beyond = (extents - squares[owner - 1]) * np.array([-1, -1, 1, 1])
    left = set(owner[(owner > 0) & (beyond > reach).any(axis=1)].tolist())
    entered = set()
    shared = np.flatnonzero(np.count_nonzero(shares, axis=1) > 1)
    for number in shared.tolist():
        for box in np.flatnonzero(shares[number]).tolist():
            if box != owner[number] and _depth(pieces, number, squares[box - 1]) > limit:
                entered.add(box)
                left.add(int(owner[number]))
    return frozenset(entered), frozenset(left)


def _depth(pieces: npt.NDArray[np.int32], number: int, square: npt.NDArray[np.float64]) -> float:
    """Return how far within a box's line a piece reaches, in pixels."""
    x0, y0, x1, y1 = np.round(square).astype(int)
    ys, xs = np.nonzero(pieces[y0:y1, x0:x1] == number)
    to_sides = np.stack([xs, ys, x1 - x0 - 1 - xs, y1 - y0 - 1 - ys])
    return float(to_sides.min(axis=0).max(initial=0)) + 0.5


def _measure_noise(dark: Reals) -> Reals:
    """Return the standard deviation of the darkness of bare paper nearby, (h, w).

    Half of bare paper is cut off at 0, hence the factor 2.
    """
    few = np.ascontiguousarray(dark[::4, ::4])
    return enlarge_mean(2 * few**2, few < _FAINTEST_INK, dark.shape) ** 0.5


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
    place: Place,
    zone: npt.NDArray[np.int64],
    quad: npt.NDArray[np.float64],
) -> FilledBox:
    """Return what was found in the box with a number (from 1)."""
    state, score, reason = _judge(ink, number, place, zone)
    pixels, box = np.zeros((0, 0), np.uint8), _bounds(quad)
    if state == "written":
        pixels, corner, full = _cut_glyph(ink, number)
        middle = ink.sure[(zone[1] + zone[3]) // 2, (zone[0] + zone[2]) // 2]
        square = _grow(np.append(corner, corner + pixels.shape[::-1]), -_PADDING)
        box = _bounds(mapping.to_picture(square_corners([square / PIXELS_A_MM])[0]))
        if full < max(_FAINT * float(middle), _BURNT_FULL * place.burnt):
            state, reason, pixels = "unclear", _PALE, np.zeros((0, 0), np.uint8)
    printed = place.printed
    return FilledBox(
        printed.label,
        printed.row,
        printed.column,
        state,
        round(score, 3),
        quad,
        box,
        pixels,
        reason,
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
    ink: _Ink, number: int, place: Place, zone: npt.NDArray[np.int64]
) -> tuple[State, float, str]:
    """Return a box's state, how sure it is, and why it is unclear."""
    x0, y0, x1, y1 = zone
    shares, mine = ink.shares.sum(axis=1), ink.shares[:, number]
    # A cross through this box may lie largely in the next ones.
    mask = np.isin(ink.pieces[y0:y1, x0:x1], np.flatnonzero(mine > 0.2 * shares))
    square = place.square - (x0, y0, x0, y0)
    if _is_crossed_out(mask, square):
        return "crossed", place.seen, ""
    own = ink.owner == number
    written, strange = int(mine[own].sum()), int(mine[~own].sum())
    share = written / max(int(shares[own].sum()), 1)
    if place.seen < _LEAST_SEEN:
        return "unclear", place.seen, _COVERED
    if number in ink.entered or strange > _MOST_STRANGE * max(written, _FEW_PIXELS):
        return "unclear", place.seen, _ENTERED
    if number in ink.left:
        return "unclear", place.seen, _RUNS_OUT
    if written < _LEAST_WRITING * PIXELS_A_MM**2:
        if place.burnt and _has_traces(ink.dark, place):
            return "unclear", place.seen, _PALE
        return "empty", place.seen, _MAYBE_LOST if place.burnt else ""
    if share < 1 - _MOST_STRANGE:
        return "unclear", share, _RUNS_OUT
    return "written", place.seen * share * 0.9 ** _count_exits(mask, square), ""


def _has_traces(dark: Reals, place: Place) -> bool:
    """Tell whether a box in bright light shows what may be left of pale writing."""
    x0, y0, x1, y1 = np.round(_grow(place.square, -1.0 * PIXELS_A_MM)).astype(int)
    traces = int(np.count_nonzero(dark[y0:y1, x0:x1] > _PAPER_GRAIN))
    return traces > _LEAST_WRITING * PIXELS_A_MM**2


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


def _cut_glyph(ink: _Ink, number: int) -> tuple[Grey, npt.NDArray[np.int64], float]:
    """Return the ink coverage of a box's own pieces, padded, its top left corner (x, y), and the
    darkness that counts as full.
    """
    mine = np.flatnonzero(ink.owner == number)
    boxes = ink.boxes[mine]
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0) - _PADDING, boxes[:, 2:].max(axis=0) + _PADDING
    dark = ink.dark[y0:y1, x0:x1]
    own = np.isin(ink.pieces[y0:y1, x0:x1], mine)
    full = float(np.percentile(dark[own], _FULL_INK))
    # The soft edge of a stroke lies below the threshold that found it.
    near = cv2.dilate(own.astype(np.uint8), _disc(2 * _PADDING - 1)) > 0
    coverage = np.clip((dark - _PAPER_GRAIN) / (full - _PAPER_GRAIN), 0, 1) * near
    return np.round(255 * coverage).astype(np.uint8), np.array([x0, y0]), full


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
