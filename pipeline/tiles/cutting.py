"""A subject becomes its tile: one home for what `normalise` and `predict` both do.

Writing is made of its own ink, uint8 (h, w) coverage; a photo's subject of what its box shows on
the picture, which may have been decoded at a fraction of its size. Tiles are uint8 (S, S, C).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.subjects.boxes import Box
from pipeline.tiles import normalising

Pixels = npt.NDArray[np.uint8]


class TileRule(Protocol):
    """What tiles a project wants, as the section `tile` of its settings says."""

    @property
    def size(self) -> int:
        """Pixels a side."""

    @property
    def channels(self) -> Literal[1, 3]:
        """1 grey, 3 RGB."""

    @property
    def method(self) -> Literal["mnist", "emnist", "photo"]:
        """The rule of normalisation."""

    @property
    def fit(self) -> Literal["crop", "pad", "stretch"]:
        """How a photo becomes a square."""


@dataclass(frozen=True)
class ReducedPicture:
    """A picture at a fraction of its size.

    The place (x, y) of the full picture lies at (left + x / factor, top + y / factor): sides that
    the factor does not divide end inside of a pixel, which once upright may be the first.
    """

    pixels: Pixels
    factor: int
    left: float = 0.0
    top: float = 0.0


def side_needed(width: int, height: int, boxes: Iterable[Box], rule: TileRule) -> int:
    """Return how many pixels a photo's short side must keep for the tiles of its boxes."""
    share = max(normalising.share_needed(box, rule.size, rule.fit) for box in boxes)
    return math.ceil(share * min(width, height))


def cut_photo(photo: ReducedPicture, box: Box, rule: TileRule) -> Pixels:
    """Return the tile of what a box shows; the box stands in pixels of the full photo."""
    return normalising.cut_photo(
        photo.pixels,
        box,
        rule.size,
        rule.channels,
        rule.fit,
        factor=photo.factor,
        corner=(photo.left, photo.top),
    )


def cut_writing(ink: Pixels, rule: TileRule) -> Pixels:
    """Return the tile of a piece of writing, given its ink (h, w)."""
    return normalising.normalise(ink, rule.method, rule.size, rule.channels, rule.fit)
