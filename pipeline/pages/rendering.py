"""Real handwritten digits, put back on paper: the pages of the embedded sample.

A digit is (8, 8), 0 = paper, 16 = ink: each number counts the inked pixels in a 4x4 block of a
32x32 bitmap, as in the UCI set of handwritten digits (Alpaydin and Kaynak, CC BY 4.0) that
scikit-learn ships. A page is uint8 (H, W, 3) RGB, dark ink on toned paper, and looks like a scan
of a small sheet; row r holds digits of class r. Lengths are millimetres until they reach a pixel.

The same seed gives the same page on every machine: chance comes from PCG64, in whole and uniform
numbers, and sums are in float64, whose last digits (processors differ in them) are rounded away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SHEET = (148.0, 105.0)  # height and width: A6, a postcard
_FIRST_ROW, _ROW_PITCH = 12.0, 13.7  # mm to a row's middle: ten rows and 12.7 mm below the last
_BLOCKS = 8  # along a digit's side
_MARGIN = 1  # blocks of paper around a digit, so that a stroke may end at its edge
_FINE = 4  # bitmap pixels along a block's side
_STEEPNESS = 20.0  # how fast paper turns into ink where a stroke's surface crosses one half
_VISIBLE = 0.1  # coverage from which ink counts as seen


@dataclass(frozen=True)
class RenderedPage:
    """A rendered page and the truth about it.

    pixels: uint8 (H, W, 3) RGB. boxes: (n, 4) x0, y0, x1, y1 in pixels, x1 and y1 exclusive,
    tight around each digit's visible ink. labels: (n,) classes. Digits are in reading order.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Placement:
    """Where and how large one digit is written: its centre and height, in mm, and its tilt."""

    x: float
    y: float
    height: float
    degrees: float


def deal_pages(labels: npt.ArrayLike, seed: int) -> list[list[list[int]]]:
    """Deal digits to pages of ten rows, one or two of each class a row, in the file's order.

    labels: (n,) classes 0 to 9. Returns the pages; page[r] are the indices of class r.
    All classes advance through the file's writers together, so that a page is nearly one
    writer's. A row's second digit is left out by chance, in some classes more often than in
    others, which leaves the classes uneven. The rarest class decides how many pages there are.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    classes = np.asarray(labels)
    queues = [np.flatnonzero(classes == digit).tolist() for digit in range(10)]
    chances = rng.uniform(0.6, 1.0, 10)
    pages = min(len(queue) for queue in queues) // 2
    counts = 1 + (rng.uniform(size=(pages, 10)) < chances)
    return [
        [
            queue[page * len(queue) // pages :][:count]
            for queue, count in zip(queues, counts[page], strict=True)
        ]
        for page in range(pages)
    ]


def render_page(rows: Sequence[Sequence[npt.ArrayLike]], seed: int, dpi: int = 200) -> RenderedPage:
    """Write rows of digits on a sheet, by one hand with one pen, and scan it a little askew.

    rows: for each row its digits, (8, 8) of 0 to 16 each; up to ten rows of up to two. dpi:
    pixels an inch of the scan. Raises ValueError for more digits than the sheet holds.
    """
    if len(rows) > 10 or any(len(row) > 2 for row in rows):
        raise ValueError("a page holds up to ten rows of up to two digits")
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = np.array([number for number, row in enumerate(rows) for _ in row], np.int64)
    surfaces = trace_strokes(np.array([digit for row in rows for digit in row], np.float64))
    placements = _place_digits([len(row) for row in rows], rng)
    skew = rng.uniform(-1.5, 1.5)
    height, width = (round(side * dpi / 25.4) for side in _SHEET)
    coverage = np.zeros((height, width))
    boxes = [
        _draw_digit(coverage, surface, placement, skew, dpi)
        for surface, placement in zip(surfaces, placements, strict=True)
    ]
    return RenderedPage(
        _colour_sheet(coverage, rng), np.array(boxes, np.int64).reshape(-1, 4), labels
    )


def trace_strokes(digits: Floats) -> Floats:
    """Find for each digit a surface that, cut at one half, gives back its counts of ink.

    digits: (n, 8, 8) of 0 to 16. Returns (n, 40, 40): the bitmap's 32x32 with a block of paper
    around. Where ink is missing or too much, only the surface near the cut moves, so a stroke's
    contour shifts and stays smooth; the cut steepens as it settles. (Enlarging the counts would
    draw grey blocks instead of a pen's strokes.)
    """
    wanted = np.pad(digits / _FINE**2, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    blocks = wanted.shape[-1]
    enlarge = _spline_weights(blocks * _FINE, blocks)
    blur = np.linalg.matrix_power(_spline_weights(blocks * _FINE, blocks * _FINE), 4)
    surfaces = enlarge @ wanted @ enlarge.T
    # Soft at first, or a surface that lies wholly on one side of the cut would hardly move.
    for steepness in np.linspace(2, _STEEPNESS, 40):
        ink = cut_surface(surfaces, steepness)
        counted = ink.reshape(-1, blocks, _FINE, blocks, _FINE).mean(axis=(2, 4))
        missing = (wanted - counted).repeat(_FINE, axis=1).repeat(_FINE, axis=2)
        nearness = 1 / (1 + (steepness * (surfaces - 0.5)) ** 2)
        surfaces += 2 / steepness * (blur @ (missing * nearness) @ blur.T)
    return np.round(surfaces, 6)


def cut_surface(surface: Floats, steepness: float) -> Floats:
    """Return the ink coverage, 0 to 1, of a stroke surface: ink where it is above one half."""
    return np.clip(0.5 + steepness * (surface - 0.5), 0, 1)


def _spline_weights(points: int, knots: int) -> Floats:
    """Return (points, knots) weights of a uniform cubic B-spline over evenly spaced points."""
    position = (np.arange(points) + 0.5) * knots / points - 0.5
    distance = np.abs(position[:, None] - np.arange(knots))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _place_digits(lengths: Sequence[int], rng: np.random.Generator) -> list[_Placement]:
    """Draw where a hand writes rows of these lengths: ragged, a little uneven, never touching."""
    usual_height = rng.uniform(8.2, 9.2)
    usual_tilt = rng.uniform(-3, 3)
    placements = []
    for row, length in enumerate(lengths):
        x = 0.0
        for _ in range(length):
            x += rng.uniform(17, 44)  # at most two a row: within 88 of the sheet's 105 mm
            placements.append(
                _Placement(
                    x=x,
                    y=_FIRST_ROW + row * _ROW_PITCH + rng.uniform(-0.6, 0.6),
                    height=usual_height * rng.uniform(0.95, 1.05),
                    degrees=usual_tilt + rng.uniform(-2, 2),
                )
            )
    return placements


def _draw_digit(
    coverage: Floats, surface: Floats, placement: _Placement, skew: float, dpi: int
) -> tuple[int, int, int, int]:
    """Draw one digit into the sheet's (H, W) coverage and return its box.

    surface: (40, 40) of `trace_strokes`. skew: degrees by which the sheet lay turned.
    """
    from scipy.ndimage import affine_transform

    pixels_per_mm = dpi / 25.4
    off_middle = np.array([placement.y - _SHEET[0] / 2, placement.x - _SHEET[1] / 2])
    centre = _turn(skew) @ off_middle * pixels_per_mm + np.array(coverage.shape) / 2
    scale = placement.height * pixels_per_mm / (_BLOCKS * _FINE)
    reach = int(scale * surface.shape[0] / 2)
    top, left = (int(middle) - reach for middle in centre)
    # From a pixel of the window back to the surface: about the digit's centre, which lies
    # between the surface's samples.
    back = _turn(-skew - placement.degrees) / scale
    offset = back @ ([top + 0.5, left + 0.5] - centre) + (surface.shape[0] - 1) / 2
    strokes = affine_transform(surface, back, offset, (2 * reach, 2 * reach), mode="nearest")
    ink = np.round(cut_surface(strokes, _STEEPNESS * dpi / 200), 6)
    window = coverage[top : top + 2 * reach, left : left + 2 * reach]
    np.maximum(window, ink, out=window)
    rows, columns = np.nonzero(ink >= _VISIBLE)
    return (
        left + int(columns.min()),
        top + int(rows.min()),
        left + int(columns.max()) + 1,
        top + int(rows.max()) + 1,
    )


def _turn(degrees: float) -> Floats:
    """Return the matrix that turns (down, right) counter-clockwise, as seen on the screen."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])


def _colour_sheet(coverage: Floats, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Lay (H, W) ink coverage on toned paper under uneven light, with a scanner's grain."""
    height, width = coverage.shape
    paper = np.array([238, 230, 212]) + rng.integers(-10, 9) + rng.integers(-3, 4, 3)
    ink = np.array([[38, 42, 74], [34, 33, 36], [30, 48, 110]])[rng.integers(3)]
    fibres = _draw_surface(height, width, 60, rng)
    shade = _draw_surface(height, width, 2, rng)
    grain = rng.integers(-2, 3, (height, width), np.int16)
    unevenness = np.rint(4 * fibres - 20 * shade).astype(np.int16) + grain
    tones = [np.clip(tone + unevenness, 0, 255).astype(np.uint8) for tone in paper.astype(np.int16)]
    sheet = np.stack(tones, axis=2)
    inked = np.nonzero(coverage)
    opacity = (coverage[inked] * (0.95 - 0.25 * fibres[inked]))[:, None]
    sheet[inked] = np.rint(sheet[inked] * (1 - opacity) + ink * opacity)
    return sheet


def _draw_surface(height: int, width: int, knots: int, rng: np.random.Generator) -> Floats:
    """Draw a smooth random (height, width) surface between 0 and 1, with `knots` hills a side."""
    hills = rng.uniform(size=(knots, knots))
    return _spline_weights(height, knots) @ hills @ _spline_weights(width, knots).T
