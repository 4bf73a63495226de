"""Numbers of any shape and range -> pictures, uint8 (N, H, W) or (N, H, W, 3); what was done told.

Grey levels are never cut off in silence: numbers whose range is none of those that are known
(0..255, 0..1, -1..1, scikit-learn's 0..16) are refused.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import Picture, Values

_BLOCK = 4096  # pictures whose numbers are scaled at once
_SAMPLE = 200  # pictures that a guess looks at
_KNOWN = "0 to 255, 0 to 1, -1 to 1, or 0 to 16 as scikit-learn's digits"


def to_pictures(
    values: Values, *, is_exact: bool, where: Callable[[int], str]
) -> tuple[Picture, list[str]]:
    """Return pictures in grey levels, and sentences about how they were made.

    `is_exact`: bytes are grey levels as they are. `where` names a picture by its number. Raises
    DataError for a shape, a type or a number that is not one of pictures.
    """
    if values.dtype.kind not in "buif":
        raise DataError(f"its values are {_name_type(values)}, not numbers of pictures")
    notes: list[str] = []
    shaped = _shape(values, notes)
    if not len(shaped):
        raise DataError("it holds no picture")
    return _scale(shaped, is_exact, where, notes), notes


def swap_sides(pictures: Picture) -> Picture:
    """Return pictures (N, H, W) or (N, H, W, 3) transposed."""
    return np.swapaxes(pictures, 1, 2)


def is_dark_on_bright(pictures: Picture) -> bool:
    """Return whether grey pictures (N, H, W) look like ink on paper: bright, and along the edge."""
    step = max(1, len(pictures) // _SAMPLE)
    some = pictures[::step]
    if some.ndim != 3 or min(some.shape[1:]) < 3:
        return False
    edge = np.concatenate([some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1]], axis=1)
    return bool(np.median(edge) > 160 and np.median(edge) > some.mean() and np.median(some) > 160)


def _name_type(values: Values) -> str:
    return "text" if values.dtype.kind in "SU" else f"of type {values.dtype}"


def _shape(values: Values, notes: list[str]) -> Values:
    """Return numbers as (N, H, W) or (N, H, W, 3)."""
    shape = values.shape
    if 0 in shape[1:]:
        raise DataError("its pictures have no pixels")
    if values.ndim == 2:
        return _unfold(values, notes)
    if values.ndim == 3:
        return values
    if values.ndim == 4 and shape[3] == 1:
        return values[..., 0]
    if values.ndim == 4 and shape[3] == 3:
        return values
    if values.ndim == 4 and shape[1] == 1:
        return values[:, 0]
    if values.ndim == 4 and shape[1] == 3:
        notes.append(f"its shape {shape} is read as (N, colour, height, width)")
        return np.moveaxis(values, 1, -1)
    raise DataError(
        f"pictures in the shape {shape} are not read: (N, H, W), (N, H, W, 3), (N, 3, H, W) or "
        "(N, H * W) are"
    )


def _unfold(values: Values, notes: list[str]) -> Values:
    """Return rows of pixels as squares; of colours, as which they are smoother."""
    count, pixels = values.shape
    side = math.isqrt(pixels)
    if side * side == pixels and side > 1:
        return values.reshape(count, side, side)
    side = math.isqrt(pixels // 3)
    if 3 * side * side != pixels or side < 2:
        raise DataError(
            f"its pictures have {pixels:,} values each, which make no square, grey or in three "
            "colours. Save them as (N, H, W)"
        )
    mixed = values.reshape(count, side, side, 3)
    planes = np.moveaxis(values.reshape(count, 3, side, side), 1, -1)
    rough = [_measure_roughness(some) for some in (mixed, planes)]
    order = "colour after colour" if rough[1] < rough[0] else "pixel after pixel"
    notes.append(f"its {pixels:,} values a picture are read as {side} x {side} x 3, {order}")
    return planes if rough[1] < rough[0] else mixed


def _measure_roughness(pictures: Values) -> float:
    some = pictures[:_SAMPLE].astype(np.float64)
    return float(np.abs(np.diff(some, axis=1)).mean() + np.abs(np.diff(some, axis=2)).mean())


def _scale(
    values: Values, is_exact: bool, where: Callable[[int], str], notes: list[str]
) -> Picture:
    if values.dtype == np.bool_:
        notes.append("its values are true and false: they become 255 and 0")
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint8 and is_exact:
        return values
    low, high, is_whole = _measure(values, where)
    if is_whole and low >= 0 and 16 < high <= 255:
        return values.astype(np.uint8, copy=False)
    if not high and not low:
        return values.astype(np.uint8)
    factor, offset = _find_range(low, high, is_whole, values, where)
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK].astype(np.float64)
        scaled[start : start + _BLOCK] = np.rint((block + offset) * factor)
    if factor != 1:
        notes.append(f"its values, {low:.4g} to {high:.4g}, are scaled to grey levels 0 to 255")
    else:
        notes.append(f"its values, {low:.4g} to {high:.4g}, are rounded to whole grey levels")
    return scaled


def _measure(values: Values, where: Callable[[int], str]) -> tuple[float, float, bool]:
    """Return the least and the largest number, and whether all are whole."""
    low, high, is_whole = math.inf, -math.inf, True
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        if block.dtype.kind == "f":
            if not np.isfinite(block).all():
                number = start + _first(~np.isfinite(block))
                raise DataError(f"{where(number)}: a value is NaN or infinite, no grey level")
            is_whole = is_whole and bool((block == np.floor(block)).all())
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    return low, high, is_whole


def _first(bad: Values) -> int:
    """Return the number of the first picture in which something is bad."""
    return int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))


def _find_range(
    low: float, high: float, is_whole: bool, values: Values, where: Callable[[int], str]
) -> tuple[float, float]:
    """Return by what numbers are multiplied once an offset was added; DataError if unknown."""
    if low >= 0 and high <= 1:
        return 255.0, 0.0
    if low >= -1 and high <= 1:
        return 127.5, 1.0
    if low >= 0 and high <= 16 and is_whole:
        return 255 / 16, 0.0
    if low >= 0 and 16 < high <= 255:
        return 1.0, 0.0
    outside = (values > 255) | (values < 0)
    number = _first(outside) if outside.any() else 0
    picture = values[number]
    value = picture[(picture > 255) | (picture < 0)][0] if outside.any() else picture.max()
    raise DataError(
        f"{where(number)}: the value {value:.6g} fits no range that is known ({_KNOWN}); all run "
        f"from {low:.6g} to {high:.6g}. Scale them to 0 to 255 and save them again"
    )


def tell_sizes(shapes: Sequence[tuple[int, ...]]) -> str:
    """Return sizes of pictures as a message says them."""
    return " and ".join(sorted({f"{height} x {width}" for height, width, *_ in shapes}))
