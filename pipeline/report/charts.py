"""Charts as numbers: where lines, ticks and bars lie on a drawing; the templates draw them.

A drawing's x runs right and y down from its top left corner, in the units of an SVG's viewBox.
Values are float arrays; a value that is no finite number is left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curve = tuple[Floats, Floats]  # steps (N,) and values (N,)

WIDTH, HEIGHT = 360, 200  # of a line chart
LEFT, RIGHT, TOP, BOTTOM = 40, 340, 8, 172  # of its plotting area


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    place: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a chart as the points of an SVG polyline; `strong`: the mean of the others."""

    points: str
    kind: str
    strong: bool


@dataclass(frozen=True)
class LineChart:
    """A chart of curves over the steps of a training."""

    title: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


@dataclass(frozen=True)
class IntervalBar:
    """An interval around a difference, in per cent of its axis; the band counts as no effect."""

    low: float
    high: float
    middle: float
    zero: float
    band: tuple[float, float]  # where it begins and ends


def choose_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round numbers from `low` to `high`, about so many: steps of 1, 2 or 5 times 10^k."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def draw_curves(
    title: str,
    curves: dict[str, Sequence[Curve]],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> LineChart:
    """Draw the runs' curves of each kind, and the mean of each kind above them."""
    lines = [
        Line(_trace(curve, x_limits, y_limits), kind, strong=False)
        for kind, runs in curves.items()
        for curve in runs
    ] + [
        Line(_trace(average(runs), x_limits, y_limits), kind, strong=True)
        for kind, runs in curves.items()
        if runs
    ]
    return LineChart(
        title,
        [line for line in lines if line.points],
        [Tick(_place(v, x_limits, LEFT, RIGHT), f"{v:,.0f}") for v in choose_ticks(*x_limits)],
        [Tick(_place(v, y_limits, BOTTOM, TOP), f"{v:g}") for v in choose_ticks(*y_limits)],
    )


def average(curves: Sequence[Curve]) -> Curve:
    """Return the mean curve: at each step the mean of the runs that have a value there."""
    steps = np.concatenate([steps for steps, _ in curves])
    values = np.concatenate([values for _, values in curves])
    known = np.isfinite(values)
    unique, place = np.unique(steps[known], return_inverse=True)
    counts = np.bincount(place, minlength=len(unique))
    sums = np.bincount(place, weights=values[known], minlength=len(unique))
    return unique, sums / np.maximum(counts, 1)


def find_limits(values: Floats) -> tuple[float, float]:
    """Return the lowest and highest finite value, with some room where they are the same."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def place_interval(
    difference: float, low: float, high: float, margin: float, limits: tuple[float, float]
) -> IntervalBar:
    """Place an interval on an axis that runs between the limits; what lies beyond is cut off."""
    band = place_on_axis(-margin, limits), place_on_axis(margin, limits)
    return IntervalBar(
        low=place_on_axis(low, limits),
        high=place_on_axis(high, limits),
        middle=place_on_axis(difference, limits),
        zero=place_on_axis(0.0, limits),
        band=band,
    )


def place_on_axis(value: float, limits: tuple[float, float]) -> float:
    """Return where a value lies on an axis between two limits, in per cent of its length."""
    share = (value - limits[0]) / (limits[1] - limits[0])
    return round(100 * min(max(share, 0.0), 1.0), 2)


def place_points(points: Floats, width: float, height: float, edge: float) -> Floats:
    """Return points (N, 2) moved and scaled into a drawing, y up; one scale for both axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.maximum(high - low, 1e-12)
    scale = float(np.min((np.array([width, height]) - 2 * edge) / span))
    centred = (points - (low + high) / 2) * scale
    result: Floats = np.round(np.array([width / 2, height / 2]) + centred * [1, -1], 1)
    return result


def _trace(curve: Curve, x_limits: tuple[float, float], y_limits: tuple[float, float]) -> str:
    return " ".join(
        f"{_place(x, x_limits, LEFT, RIGHT):.1f},{_place(y, y_limits, BOTTOM, TOP):.1f}"
        for x, y in zip(*curve, strict=True)
        if math.isfinite(y)
    )


def _place(value: float, limits: tuple[float, float], start: float, end: float) -> float:
    low, high = limits
    share = (float(value) - low) / (high - low) if high > low else 0.5
    return round(start + share * (end - start), 1)
