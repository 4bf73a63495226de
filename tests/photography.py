"""Simulated writing, scanning and photographing of printed forms, for tests and benchmarks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.forms.drawing import draw_forms
from pipeline.forms.layout import Form

Picture = npt.NDArray[np.uint8]

PENS = {
    "black": (35, 35, 40),
    "blue": (45, 60, 150),
    "red": (190, 40, 45),
    "green": (30, 110, 60),
    "pencil": (125, 125, 128),
}
DPI = 300
MM = DPI / 25.4


def render_pdf(pdf: bytes, dpi: int = DPI) -> list[Picture]:
    """Return the PDF's pages as RGB pictures."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    return [
        page.render(scale=dpi / 72, rev_byteorder=True).to_numpy()[..., :3].copy()
        for page in document
    ]


@cache
def print_form(form: Form) -> Picture:
    """Return the form as printed, before anybody writes on it; copy it before you do."""
    return render_pdf(draw_forms([form]))[0]


def write_glyph(
    page: Picture,
    square: tuple[float, float, float, float],
    glyph: Picture,
    pen: tuple[int, int, int],
    rng: np.random.Generator,
    size: float = 0.62,
    jitter: float = 0.08,
) -> tuple[int, int, npt.NDArray[np.float64]]:
    """Write a small glyph (ink bright) into a box in mm; return where and its coverage 0..1."""
    x0, y0, x1, y1 = np.array(square) * MM
    rows, columns = np.nonzero(glyph > 0)
    tight = glyph[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    zoom = size * (x1 - x0) / max(tight.shape)
    padded = np.pad(tight, 2).astype(np.float32) / 255
    large = cv2.resize(padded, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    ink = np.clip((cv2.GaussianBlur(large, (0, 0), zoom * 0.35) - 0.5) * 3 + 0.5, 0, 1)
    height, width = ink.shape
    shift = rng.uniform(-jitter, jitter, 2) * (x1 - x0)
    left = round((x0 + x1 - width) / 2 + shift[0])
    top = round((y0 + y1 - height) / 2 + shift[1])
    _blend(page[top : top + height, left : left + width], ink, pen)
    return left, top, ink


def cross_out(
    page: Picture, square: tuple[float, float, float, float], pen: tuple[int, int, int],
    rng: np.random.Generator, style: str = "cross", width: float = 0.6,
) -> None:  # fmt: skip
    """Draw a cross past the corners of a box in mm, or a scribble over it."""
    x0, y0, x1, y1 = square
    past = lambda: rng.uniform(0.2, 1.4)  # noqa: E731
    wobble = lambda: rng.uniform(-0.6, 0.6)  # noqa: E731
    if style == "cross":
        strokes = [
            [(x0 - past(), y0 - past()), (x1 + past(), y1 + past())],
            [(x1 + past(), y0 - past()), (x0 - past(), y1 + past())],
        ]
    else:
        turns = int(rng.integers(5, 9))
        across = np.linspace(x0, x1, turns)
        strokes = [
            [(x, (y0 - past()) if turn % 2 else (y1 + past())) for turn, x in enumerate(across)]
        ]
    for stroke in strokes:
        points = np.array([(x + wobble(), y + wobble()) for x, y in stroke]) * MM
        draw_stroke(page, points, width * MM, pen)


def draw_stroke(
    page: Picture, points: npt.NDArray[np.float64], width: float, pen: tuple[int, int, int]
) -> None:
    """Draw a line through points in pixels, `width` pixels thick."""
    low = np.floor(points.min(axis=0) - width - 2).astype(int).clip(0)
    high = np.ceil(points.max(axis=0) + width + 2).astype(int)
    ink = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    fixed = np.round((points - low) * 16).astype(np.int32)
    cv2.polylines(ink, [fixed], False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    part = page[low[1] : high[1], low[0] : high[0]]
    _blend(part, ink[: part.shape[0], : part.shape[1]] / 255.0, pen)


def _blend(part: Picture, ink: npt.NDArray[np.float64], pen: tuple[int, int, int]) -> None:
    part[:] = np.round(part * (1 - ink[..., None] * (1 - np.array(pen) / 255)))


@dataclass(frozen=True)
class Shot:
    """How a page is photographed; lengths in mm, angles in degrees."""

    megapixels: float = 12.0
    perspective: float = 0.06  # how far each corner moves in, as a fraction of the side
    degrees: float = 0.0
    blur: float = 1.0  # pixels
    noise: float = 3.0  # grey levels
    shadow: float = 0.35  # the part of the light that the shadow takes
    hard_shadow: bool = True
    curl: float = 0.0  # how much larger the raised part appears, as a fraction
    thumbs: tuple[tuple[float, float], ...] = ()  # where, on the page
    quality: int = 60
    uneven: float = 0.08  # how much brighter than its mean one side of the picture is
    exposure: float = 1.0  # times the light that makes white paper white; the rest burns out
    glare: float = 0.0  # light that a lamp's reflection adds, of white
    soft: bool = False  # bright light fades towards white, as phones have it, and is not cut off


def photograph(
    page: Picture, shot: Shot, rng: np.random.Generator
) -> tuple[Picture, Callable[[npt.ArrayLike], npt.NDArray[np.float64]]]:
    """Return the photo of a page on a table, and the function from page mm to photo pixels."""
    for x, y in shot.thumbs:
        page = hold_with_thumb(page, x, y, rng)
    long_side = round(np.sqrt(shot.megapixels * 1e6 * 4 / 3))
    frame = (long_side, round(long_side * 3 / 4))
    homography = _aim(page.shape, frame, shot, rng)
    bent = lambda points: _bend(points, page.shape, shot.curl)  # noqa: E731
    photo = _expose(page, homography, frame, shot, rng)
    photo = _light(photo, shot, rng)
    photo = compress(photo, shot.quality)

    def to_photo(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        pixels = bent(np.asarray(points, np.float64).reshape(-1, 2) * MM - 0.5)
        return cv2.perspectiveTransform(pixels.reshape(-1, 1, 2), homography).reshape(-1, 2)

    return photo, to_photo


def _aim(shape, frame, shot, rng):
    """Return the homography from page to photo pixels: tilt, turn, and fill the frame."""
    height, width = shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    inward = np.sign(corners.mean(axis=0) - corners)
    moved = corners + inward * rng.uniform(0, shot.perspective, (4, 2)) * (width, height)
    angle = np.deg2rad(shot.degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (moved - moved.mean(axis=0)) @ turn.T
    size = np.ptp(turned, axis=0)
    room = np.array(frame, np.float64) * rng.uniform(0.9, 0.97)
    scaled = turned * min(room / size)
    centre = np.array(frame) / 2 - (scaled.max(axis=0) + scaled.min(axis=0)) / 2
    target = (scaled + centre).astype(np.float32)
    return cv2.getPerspectiveTransform(corners.astype(np.float32), target)


def _bump(x: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    return np.sin(np.pi * np.clip(x / width, 0, 1))


def _bend(points, shape, curl):
    """Return flat page pixels as they appear when the page bulges towards the camera."""
    if curl == 0:
        return points
    centre = np.array(shape[1::-1]) / 2
    seen = points.copy()
    for _ in range(20):
        seen = centre + (points - centre) * (1 + curl * _bump(seen[:, 0], shape[1]))[:, None]
    return seen


def _expose(page, homography, frame, shot, rng):
    table = np.array([rng.integers(60, 190), rng.integers(50, 150), rng.integers(40, 130)])
    x, y = np.meshgrid(np.arange(0, frame[0], 8.0), np.arange(0, frame[1], 8.0))
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2) + 3.5
    flat = cv2.perspectiveTransform(points, np.linalg.inv(homography)).reshape(-1, 2)
    centre = np.array(page.shape[1::-1]) / 2
    flat = centre + (flat - centre) / (1 + shot.curl * _bump(flat[:, 0], page.shape[1]))[:, None]
    coarse = flat.reshape(*x.shape, 2).astype(np.float32)
    size = (coarse.shape[1] * 8, coarse.shape[0] * 8)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[: frame[1], : frame[0]]
    zoom = np.sqrt(abs(np.linalg.det(homography[:2, :2])))
    soft = cv2.GaussianBlur(page, (0, 0), 0.4 / zoom) if zoom < 0.9 else page
    border = tuple(int(value) for value in table)
    return cv2.remap(
        soft, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )


def _light(photo, shot, rng):
    height, width = photo.shape[:2]
    small = (width // 16, height // 16)
    x, y = np.meshgrid(np.linspace(-1, 1, small[0]), np.linspace(-1, 1, small[1]))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x + np.sin(angle) * y
    light = (1 - shot.uneven) + shot.uneven * slope
    light = cv2.resize(light.astype(np.float32), (width, height))
    if shot.shadow:
        edge = (
            slope
            + 0.15 * np.sin(3 * x * np.sin(angle) - 3 * y * np.cos(angle))
            - rng.uniform(-0.4, 0.4)
        )
        edge = cv2.resize(edge.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        sharp = 250.0 if shot.hard_shadow else 6.0
        light = light * (1 - shot.shadow / (1 + np.exp(-np.clip(edge * sharp, -50, 50))))
    tint = np.array([1.0, rng.uniform(0.95, 1.0), rng.uniform(0.82, 1.0)], np.float32)
    picture = cv2.GaussianBlur(photo, (0, 0), max(shot.blur, 0.1)).astype(np.float32)
    picture = picture * light[..., None] * tint * np.float32(shot.exposure)
    if shot.glare:
        spot = np.hypot(*(axis - rng.uniform(-0.6, 0.6) for axis in (x, y)))
        spot = np.exp(-((spot / 0.3) ** 4)).astype(np.float32)  # with an edge, as of a lamp
        picture += 255 * shot.glare * cv2.resize(spot, (width, height))[..., None]
    if shot.soft:
        bright = picture > 190
        picture[bright] = 190 + 65 * (1 - np.exp((190 - picture[bright]) / 65))
    grain = rng.standard_normal((height // 2, width // 2), np.float32)
    picture += (
        shot.noise
        * cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
        * 1.5
    )
    return np.clip(picture, 0, 255).astype(np.uint8)


def hold_with_thumb(page: Picture, x: float, y: float, rng: np.random.Generator) -> Picture:
    """Return the page with a thumb, its tip at a point in mm, reaching in from the nearest side."""
    height, width = page.shape[:2]
    inward = -1 if x * MM < width / 2 else 1
    coarse = 8  # a thumb has no fine detail
    scale = MM / coarse
    centre = (round((x + inward * 11) * scale), round(y * scale))
    axes = (round(19 * scale), round(9.5 * scale))
    thumb = np.zeros((height // coarse, width // coarse), np.float32)
    cv2.ellipse(thumb, centre, axes, rng.uniform(-20, 20), 0, 360, 1.0, -1, cv2.LINE_AA)
    inside, near, far = (
        cv2.resize(cv2.GaussianBlur(thumb, (0, 0), sigma), (width, height))[..., None]
        for sigma in (0.5, 2 * scale, 3 * scale)
    )
    skin = np.array([205, 150, 125], np.float32) * np.float32(rng.uniform(0.75, 1.05))
    held = page * (1 - 0.35 * near) * (1 - inside) + skin * (0.75 + 0.25 * far) * inside
    return np.clip(held, 0, 255).astype(np.uint8)


def scan(page: Picture, dpi: int, degrees: float, rng: np.random.Generator) -> Picture:
    """Return the page as a flatbed scanner sees it: turned a little, with grain, as JPEG."""
    zoom = dpi / DPI
    height, width = (round(side * zoom) for side in page.shape[:2])
    turn = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), degrees, zoom)
    turned_over = round(degrees / 90) % 2 == 1
    size = (height, width) if turned_over else (width, height)
    turn[:, 2] += np.array(size) / 2 - np.array(page.shape[1::-1]) / 2
    soft = cv2.GaussianBlur(page, (0, 0), max(0.5 / zoom, 0.3))
    flat = cv2.warpAffine(
        soft, turn, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(235, 235, 232)
    )
    grain = rng.standard_normal(flat.shape[:2], np.float32)[..., None] * 2
    return compress(np.clip(flat + grain - 3, 0, 255).astype(np.uint8), 75)


def compress(picture: Picture, quality: int) -> Picture:
    """Return the picture after JPEG."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].copy()
