"""Pictures of the report: arrays become data: URIs, so that the page needs no other file."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.intake import images

Pixels = npt.NDArray[np.uint8]

SMALLEST_SHOWN = 80  # pixels: smaller tiles are enlarged by whole numbers


@dataclass(frozen=True)
class Figure:
    """A picture, `source` a data: URI; width and height in pixels of the page."""

    source: str
    alt: str
    width: int
    height: int
    caption: str = ""
    sharp: bool = False  # enlarged: its pixels are to be seen
    origin: str = ""  # the file, and the id of the box on it, as raw/labels.csv names them
    line: str = ""  # of raw/labels.csv, that would leave it out


def describe(figure: Figure) -> dict[str, object]:
    """Return what a script needs to draw a figure."""
    return {
        "source": figure.source,
        "width": figure.width,
        "sharp": figure.sharp,
        "origin": figure.origin,
        "line": figure.line,
    }


def embed(
    pixels: Pixels, alt: str, caption: str = "", *, scale: int = 1, origin: str = "", line: str = ""
) -> Figure:
    """Return uint8 (H, W), (H, W, 1) or (H, W, 3) as a figure, shown `scale` times as large."""
    height, width = pixels.shape[:2]
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    data = images.encode_png(pixels) if grey else images.encode_jpeg(pixels, quality=80)
    return Figure(
        _encode(data, "png" if grey else "jpeg"),
        alt,
        scale * width,
        scale * height,
        caption,
        sharp=scale > 1,
        origin=origin,
        line=line,
    )


def _encode(data: bytes, kind: str) -> str:
    """Return a picture file as a data: URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def scale_of(side: int) -> int:
    """Return how many times a tile of that side is enlarged to be seen well."""
    return max(1, SMALLEST_SHOWN // side)


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """Return a picture whose longer side is at most `longest` pixels, area-averaged."""
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    result: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return result
