"""Glyphs and photos become tiles: pictures of one size, ready to learn from.

A glyph is ink coverage, uint8 (h, w), 0 = paper, 255 = solid ink, of any size; its ink may
touch the edge, since everything outside the picture counts as paper. Its tile is uint8
(size, size), ink bright on 0. A photo is uint8 (H, W) grey or (H, W, 3) RGB; its tile is uint8
(size, size, channels).
"""

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.subjects.boxes import Box

Picture = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float64]
Fit = Literal["crop", "pad", "stretch"]

_SMALLEST_SIDE = 10  # source pixels: a smaller glyph is scaled as if it were this, and stays small
_SPREAD = 0.99  # of a pixel's width; MNIST's own aliasing comes from its not being 1
# Pixels of a reduced photo to a tile's, each way. The tile differs from one of the full photo by
# 0.41 grey levels on average and 2.75 at worst; for none above 2 it would have to be 2.75, where
# reducing gains no time (benchmarks/README.md).
_OVERSAMPLING = 2
_LARGEST_SIDE = 2000  # source pixels: EMNIST's blur of a larger glyph would take for ever
_NIST_HEIGHT = 48  # pixels: about 4 mm at 300 dpi, a usual character in NIST's 128x128 frames


def normalise(
    subject: Picture,
    method: Literal["mnist", "emnist", "photo"],
    size: int,
    channels: Literal[1, 3],
    fit: Fit,
) -> Picture:
    """Bring a subject to its tile, uint8 (size, size, channels), by the rule of that name.

    subject: a glyph, or with `photo` a photo. fit: of a photo. Raises ValueError as the rules do,
    and when a glyph is to have colours.
    """
    if method == "photo":
        return normalise_photo(subject, size, channels, fit)
    if channels != 1:
        raise ValueError(f"method {method!r} makes tiles of 1 channel, not {channels}")
    rule = {"mnist": normalise_mnist, "emnist": normalise_emnist}[method]
    return rule(subject, size)[..., None]


def normalise_mnist(glyph: Picture, size: int = 28) -> Picture:
    """Scale a glyph's longest side to 20 of 28 pixels and centre its mass, as MNIST was made.

    glyph: uint8 (h, w) ink coverage. size: side of the tile in pixels; 28 is MNIST's, for
    others the 20 and the place of the centre grow in proportion. Returns uint8 (size, size).
    The box that is scaled lies where coverage is at least half of the glyph's peak, which for
    full ink is the usual 0.5 and for a faint glyph keeps its strokes whole; the softer edge
    about it is still drawn where the square has room. Raises ValueError for a glyph without ink.

    Rule: Yadav and Bottou, arXiv 1905.10498 (facebookresearch/qmnist, making_qmnist/xnist.lsh).
    """
    top, left, height, width = _find_ink(glyph)
    side = max(height, width, _SMALLEST_SIDE)
    weights = _spread_weights(side, round(size * 20 / 28))
    rows, row_weights = _lay_over(weights, top - (side - height) // 2, glyph.shape[0])
    columns, column_weights = _lay_over(weights, left - (side - width) // 2, glyph.shape[1])
    ink = row_weights @ glyph[rows, columns].astype(np.float64) @ column_weights.T / 255
    # What lies exactly between two levels goes up, whatever order the processor added in.
    levels = np.floor(255 * ink / min(1.0, ink.max()) + 0.5 + 1e-9)
    ink_bytes = np.clip(levels, 0, 255).astype(np.uint8)
    # Truncated, not rounded: this, too, is MNIST's. At size 28 it reads int(15 - centroid).
    down, right = (int(size / 2 + 1 - centre) for centre in _find_centroid(ink_bytes))
    return _cut_window(ink_bytes, -down, -right, size, size)


def normalise_emnist(glyph: Picture, size: int = 28) -> Picture:
    """Blur a glyph a little, centre its box in a square and scale it to the tile, as EMNIST was.

    glyph: uint8 (h, w) ink coverage. size: side of the tile in pixels. Returns uint8
    (size, size). EMNIST's lengths (blur of sigma 1, border of 2) are pixels of NIST's scans;
    here they grow with the glyph, as if its longest side were _NIST_HEIGHT pixels. With the
    blur's own 2 pixels, this leaves 2 pixels about the ink in a tile of 28. Raises ValueError
    for a glyph without ink.

    Rule: Cohen, Afshar, Tapson and van Schaik, arXiv 1702.05373, figure 1.
    """
    if max(glyph.shape) > _LARGEST_SIDE:
        share = _LARGEST_SIDE / max(glyph.shape)
        height, width = (max(1, round(side * share)) for side in glyph.shape)
        glyph = _resize_photo(glyph, height, width)
    top, left, height, width = _find_ink(glyph)
    unit = max(height, width) / _NIST_HEIGHT
    side = max(height, width) + 2 * (2 + 2) * unit
    # The square's edges fall between pixels; the window is the whole pixels that hold it and
    # whatever the cubic reaches outside of it.
    reach = int(np.ceil(2 * max(1.0, side / size))) + 1
    window_top = int(np.floor(top + (height - side) / 2)) - reach
    window_left = int(np.floor(left + (width - side) / 2)) - reach
    window_side = int(np.ceil(side)) + 1 + 2 * reach
    window = _cut_window(glyph, window_top, window_left, window_side, window_side)
    kernel = 2 * int(np.ceil(2 * unit)) + 1
    blurred = cv2.GaussianBlur(window.astype(np.float64), (kernel, kernel), unit)
    rows = _cubic_weights(window_side, top + (height - side) / 2 - window_top, side, size)
    columns = _cubic_weights(window_side, left + (width - side) / 2 - window_left, side, size)
    ink = np.maximum(rows @ blurred @ columns.T, 0)
    return np.asarray(np.rint(255 * ink / ink.max()), np.uint8)


def normalise_photo(
    photo: Picture,
    size: int,
    channels: Literal[1, 3],
    fit: Fit,
) -> Picture:
    """Bring a photo to a square tile, each of whose pixels is the mean of the area it covers.

    photo: uint8 (H, W) or (H, W, 3) RGB. size: side of the tile in pixels. channels: 3, where
    grey is repeated, or 1, where colours become Rec. 601 luma. fit: `crop` keeps the centred
    square of the short side; `pad` keeps everything, between black bars (an edge repeated would
    be detail that nobody photographed); `stretch` keeps everything and gives up the aspect.
    A side that must grow is interpolated bilinearly, which makes no halos. Returns uint8
    (size, size, channels). Raises ValueError for another shape, `channels` or `fit`.
    """
    height, width = photo.shape[:2]
    return cut_photo(photo, (0, 0, width, height), size, channels, fit)


def cut_photo(
    photo: Picture,
    box: Box,
    size: int,
    channels: Literal[1, 3],
    fit: Fit,
    *,
    factor: int = 1,
    corner: tuple[float, float] = (0.0, 0.0),
) -> Picture:
    """Bring the box of a photo to a tile as `normalise_photo` does, also of a reduced photo.

    box: x0, y0, x1, y1 in pixels of the full photo. factor: how many of those are one pixel of
    `photo`. corner: where in `photo` the full one begins, (x, y). A reduced photo must keep twice
    the pixels that the tile needs (see `share_needed`). Raises ValueError as `normalise_photo`.
    """
    is_photo = photo.ndim in (2, 3) and photo.shape[2:] in ((), (3,)) and photo.size > 0
    if photo.dtype != np.uint8 or not is_photo:
        raise ValueError(
            f"expected a photo uint8 (H, W) or (H, W, 3), got {photo.dtype} {photo.shape}"
        )
    (left, top, right, bottom), (height, width) = _fit_box(box, size, fit)
    if factor == 1:
        picture = _resize_photo(photo[top:bottom, left:right], height, width)
    else:
        start = corner[0] + left / factor, corner[1] + top / factor
        extent = (right - left) / factor, (bottom - top) / factor
        picture = _average_areas(photo, factor, start, extent, height, width)
    if picture.shape[:2] != (size, size):
        picture = _cut_window(picture, (height - size) // 2, (width - size) // 2, size, size)
    return _convert_channels(picture, channels)


def _fit_box(box: Box, size: int, fit: Fit) -> tuple[Box, tuple[int, int]]:
    """Return the part of a box that its tile shows, and how many pixels it fills: rows, columns."""
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    if fit == "stretch":
        return box, (size, size)
    if fit == "crop":
        side = min(height, width)
        top, left = top + (height - side) // 2, left + (width - side) // 2
        return (left, top, left + side, top + side), (size, size)
    if fit == "pad":
        scale = size / max(height, width)
        return box, (max(1, round(height * scale)), max(1, round(width * scale)))
    raise ValueError(f"fit must be 'crop', 'pad' or 'stretch', got {fit!r}")


def share_needed(box: Box, size: int, fit: Fit) -> float:
    """Return the share of a photo's resolution that suffices for the tile of a box.

    It leaves _OVERSAMPLING pixels each way to average; more than 1 means that there are fewer.
    """
    (left, top, right, bottom), (height, width) = _fit_box(box, size, fit)
    return _OVERSAMPLING * max(height / (bottom - top), width / (right - left))


def _find_ink(glyph: Picture) -> tuple[int, int, int, int]:
    """Return the tight box of a glyph's ink as (top, left, height, width), in pixels.

    Ink is where coverage reaches half of the glyph's peak. Raises ValueError if there is none.
    """
    if glyph.ndim != 2 or glyph.dtype != np.uint8:
        raise ValueError(f"expected a glyph uint8 (h, w), got {glyph.dtype} {glyph.shape}")
    peak = int(glyph.max(initial=0))
    if peak == 0:
        raise ValueError(f"a glyph of shape {glyph.shape} has no ink")
    inked = glyph >= (peak + 1) // 2
    rows = np.flatnonzero(inked.any(axis=1))
    columns = np.flatnonzero(inked.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left


def _find_centroid(ink: Picture) -> tuple[float, float]:
    """Return the centre of mass of (h, w) ink as (row, column), pixel centres at +0.5."""
    mass = ink.sum(dtype=np.int64)
    rows = ink.sum(axis=1, dtype=np.int64) @ (np.arange(ink.shape[0]) + 0.5)
    columns = ink.sum(axis=0, dtype=np.int64) @ (np.arange(ink.shape[1]) + 0.5)
    return float(rows / mass), float(columns / mass)


def _lay_over(weights: Weights, start: int, pixels: int) -> tuple[slice, Weights]:
    """Return which of an axis's pixels lie under weights that begin at `start`, and theirs.

    A square about a long and narrow glyph would be nearly all empty, and too large for memory.
    """
    inside = slice(max(start, 0), min(start + weights.shape[1], pixels))
    return inside, weights[:, inside.start - start : inside.stop - start]


def _cut_window(picture: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """Cut a window that may lie partly or wholly outside of an (H, W, ...) picture, where it is 0.

    top, left: the window's corner in pixels of the picture, also negative.
    """
    window = np.zeros((height, width, *picture.shape[2:]), picture.dtype)
    first_row, first_column = max(top, 0), max(left, 0)
    inside = picture[first_row : max(top + height, 0), first_column : max(left + width, 0)]
    row, column = first_row - top, first_column - left
    window[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return window


@lru_cache(maxsize=512)
def _spread_weights(pixels: int, cells: int) -> Weights:
    """Return the (cells, pixels) weights of MNIST's area accumulation along one axis.

    Each pixel is spread over the cells that it covers, its far edge drawn in by _SPREAD. Pixels
    fewer than cells are first doubled by repetition, as often as it takes, so that a pixel never
    covers more than one cell and falls on two at most.
    """
    repeats = 1
    while pixels * repeats < cells:
        repeats *= 2
    fine = pixels * repeats
    scale = cells / fine
    near = cells / 2 + scale * (np.arange(fine) - fine / 2)
    far = near + _SPREAD * scale
    # 1e-11: what lies on a border between cells but for rounding lies on it.
    first = np.floor(near + 1e-11)
    last = np.ceil(far - 1e-11) - 1
    cell = np.arange(cells)[:, None]
    whole = np.where((cell == first) & (first == last), scale, 0)
    split = np.where(cell == first, first + 1 - near, 0) + np.where(cell == last, far - last, 0)
    weights = np.where(first == last, whole, np.clip(split, 0, 1))
    weights = weights.reshape(cells, pixels, repeats).sum(axis=2)
    weights.setflags(write=False)  # the cache hands the same array to every caller
    return np.asarray(weights)


def _cubic_weights(pixels: int, start: float, length: float, cells: int) -> Weights:
    """Return the (cells, pixels) weights that resample one axis bicubically.

    The cells divide the stretch from `start` to `start + length` (pixels). When they are larger
    than pixels the cubic (Keys, a = -0.5) widens with them, so that no pixel is skipped.
    """
    step = length / cells
    centres = start + (np.arange(cells) + 0.5) * step
    distance = np.abs(np.arange(pixels) + 0.5 - centres[:, None]) / max(1.0, step)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _resize_photo(photo: Picture, height: int, width: int) -> Picture:
    """Resize an (H, W, ...) photo: area means along a side that shrinks, bilinear if it grows."""
    # One axis may shrink while the other grows, and OpenCV averages areas only if none grows.
    shrunk_height, shrunk_width = min(height, photo.shape[0]), min(width, photo.shape[1])
    shrunk = cv2.resize(photo, (shrunk_width, shrunk_height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR))


def _average_areas(
    photo: Picture,
    factor: int,
    start: tuple[float, float],
    extent: tuple[float, float],
    height: int,
    width: int,
) -> Picture:
    """Shrink a part of a reduced (H, W, ...) photo, whose edges may lie inside of pixels.

    start, extent: the part's corner and its sides, (x, y) in pixels, multiples of 1 / factor; the
    sides are at least twice `width` and `height`. Returns the mean of the area of each pixel.
    """
    (left, top), (skip_x, skip_y) = np.divmod(start, 1)
    right, bottom = np.ceil(np.add(start, extent)).astype(int)
    part = photo[int(top) : bottom, int(left) : right]
    # A part that begins between two pixels begins with one of those that they are divided into.
    finer_x, finer_y = factor if skip_x else 1, factor if skip_y else 1
    if skip_x or skip_y:
        part = cv2.resize(part, None, fx=finer_x, fy=finer_y, interpolation=cv2.INTER_NEAREST)
        part = part[round(skip_y * factor) :, round(skip_x * factor) :]
    # With scales instead of a size, OpenCV leaves out what lies beyond the part's far edges.
    scale_x, scale_y = width / (extent[0] * finer_x), height / (extent[1] * finer_y)
    shrunk = cv2.resize(part, None, fx=scale_x, fy=scale_y, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def _convert_channels(picture: Picture, channels: Literal[1, 3]) -> Picture:
    """Return a (H, W) or (H, W, 3) RGB picture as (H, W, channels); grey is Rec. 601 luma."""
    if channels == 1:
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return np.asarray(grey, np.uint8)[..., None]
    if channels == 3:
        return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    raise ValueError(f"channels must be 1 or 3, got {channels!r}")
