"""Find a printed form in a picture, read its code, and lay the page flat.

A picture is uint8, `(H, W)` or `(H, W, 3)` RGB, upright; its points are `(x, y)` in pixels with
the first pixel's centre at 0. The flat page is uint8 `(h, w)` grey, `PIXELS_A_MM` to the
millimetre, the paper's top left corner at its own; dark stays dark.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.forms.code import LARGEST_CODE, MARKER_DICTIONARY, parse_form
from pipeline.forms.layout import (
    CODE_SIDES,
    MARKERS,
    PAPERS,
    Form,
    Square,
    box_squares,
    code_squares,
    marker_squares,
    place_of_marker,
    square_corners,
)

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

# 200 dpi: a pen's stroke is four pixels wide.
PIXELS_A_MM = 8
# A page cut off at one side loses three markers, two thumbs hide two.
_FEWEST_MARKERS = 6
_GLANCE = 2000  # pixels: the longest side at which a form is told by its markers
_SMALL = 1600  # pixels: five to the millimetre where A4 fills them
_PALE = 0.7  # of the light of bare paper: rules are seldom darker, markers always
# Root mean squares in mm: up to the one a page passes for flat, beyond the other for folded. (The
# boxes are looked for within 1.5 mm of their place.)
_FLAT_FIT, _WORST_FIT = 0.12, 0.8

_BEND_TERMS = 10  # of a polynomial of third degree in two variables
_BACK_STEPS = 4  # from the picture to the page
_BLOCK = 32  # the flat page's map is computed once a block and interpolated between
_CODE_SEARCH = 2.0  # mm to either side of where the code is expected
_SHARPEN = 0.55  # of what the four neighbours of a module show
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
_PLACES = ("top left", "top", "top right", "right", "bottom right", "bottom", "bottom left", "left")


class FormError(DataError):
    """A picture that was expected to show a form, and what it shows instead."""


@dataclass(frozen=True)
class PageMapping:
    """Where the points of the page lie in the picture: a homography and the paper's bend.

    `homography` is (3, 3), mm to pixels. `bend` is (10, 2): the pixels to add, for each term of
    `_bend_terms`; zero for flat paper. `misfit` is how far the markers lie from where it has
    them, in mm (root mean square).
    """

    paper: str
    homography: npt.NDArray[np.float64]
    bend: npt.NDArray[np.float64]
    misfit: float = 0.0

    def to_picture(self, points: Points) -> Points:
        """Return the pixels (N, 2) of page points (N, 2) in mm."""
        flat = _project(self.homography, points)
        return np.asarray(flat + _bend_terms(self.paper, points) @ self.bend)

    def to_page(self, points: Points) -> Points:
        """Return the page points (N, 2) in mm of pixels (N, 2)."""
        back = np.asarray(np.linalg.inv(self.homography), np.float64)
        page = _project(back, points)
        for _ in range(_BACK_STEPS):  # the bend is gentle: each step leaves a small part of it
            page = _project(back, points - _bend_terms(self.paper, page) @ self.bend)
        return page

    def scale(self) -> float:
        """Return how many pixels a millimetre has in the middle of the page."""
        middle = np.array(PAPERS[self.paper]) / 2
        around = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
        step = self.to_picture(middle + around)
        across, down = step[1] - step[0], step[3] - step[2]
        return float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])) / 2)


@dataclass(frozen=True)
class FoundForm:
    """A form found in a picture: what it is, the flat page, and where it came from."""

    form: Form
    flat: Grey
    mapping: PageMapping


def find_form(picture: Grey) -> FoundForm:
    """Return the form that the picture shows, of any rotation and moderate perspective.

    Raises FormError with what was found and what was expected: no form, several forms, a form
    of another version, too few markers, a cut off form, or a code that cannot be read.
    """
    grey = to_grey(picture)
    version, paper, corners = _identify_markers(find_markers(grey))
    mapping = _fit_page(paper, _refine_corners(grey, corners))
    flat = _flatten_page(grey, mapping)
    form = _read_code(flat, paper, version)
    _check_inside(form, mapping, grey.shape)
    return FoundForm(form, flat, mapping)


def to_grey(picture: Grey) -> Grey:
    """Return the picture as grey, (H, W)."""
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise ValueError(f"a picture is uint8 (H, W) or (H, W, 3), found {picture.dtype} "
                         f"{picture.shape}")  # fmt: skip
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


# --- markers ----------------------------------------------------------------------------------


def find_markers(grey: Grey) -> list[tuple[int, Points]]:
    """Return each marker's number and corners (4, 2), clockwise from its own top left.

    Looks at a small copy first, which is quick and suppresses noise, and at a larger and a
    sharpened one when more than the one under a thumb are missing there.
    """
    found: list[tuple[int, Points]] = []
    for longest in (_SMALL, 2 * _SMALL):
        shrink = max(1.0, max(grey.shape) / longest)
        seen = _detect(_shrink(grey, shrink), shrink)
        found = max(found, seen, key=len)
        if len(found) >= MARKERS - 1:
            return found
        if shrink == 1.0:
            break
    shrink = max(1.0, max(grey.shape) / _SMALL)
    return max(found, _detect(_sharpen(_shrink(grey, shrink)), shrink), key=len)


def _sharpen(grey: Grey) -> Grey:
    """Return the picture with what a blur of two pixels took from it put back in excess."""
    blurred = cv2.GaussianBlur(grey, (0, 0), 2.0)
    return np.asarray(cv2.addWeighted(grey, 5.0, blurred, -4.0, 0.0), np.uint8)


def shows_form(picture: Grey) -> bool:
    """Tell at a glance whether a picture shows markers of our forms, at least two.

    Rules are whitened first: each of the thousand squares on squared paper might be a marker, and
    to try them all takes long.
    """
    # One marker alone may be chance. At _GLANCE a form that fills half of the picture is told.
    step = math.ceil(max(picture.shape[:2]) / _GLANCE)
    glance = to_grey(picture)[::step, ::step].copy()
    paper = cv2.dilate(glance, np.ones((15, 15), np.uint8))
    bleached = np.minimum(glance, cv2.convertScaleAbs(paper, alpha=_PALE))
    return len(_detect(bleached, 1.0)) >= 2


def _detect(grey: Grey, shrink: float) -> list[tuple[int, Points]]:
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    parameters = cv2.aruco.DetectorParameters()
    # One wrong bit of 36 is forgiven. With the usual three, one page in a hundred shows a
    # marker that is none: in the code, in the boxes, in the writing.
    parameters.errorCorrectionRate = 0.2
    # Of each module only the middle is looked at, which blur reaches last.
    parameters.perspectiveRemovePixelPerCell = 8
    parameters.perspectiveRemoveIgnoredMarginPerCell = 0.3
    detector = cv2.aruco.ArucoDetector(dictionary, parameters)
    corners, numbers, _ = detector.detectMarkers(grey)
    if numbers is None:
        return []
    return [
        (int(number), (square.reshape(4, 2).astype(np.float64) + 0.5) * shrink - 0.5)
        for number, square in zip(numbers.ravel(), corners, strict=True)
    ]


def _identify_markers(found: list[tuple[int, Points]]) -> tuple[int, str, dict[int, Points]]:
    """Return the version, the paper and each marker's corners by its position (0..7) on one form.

    Raises FormError unless the markers are those of one form of this version, and enough.
    """
    if not found:
        raise FormError(
            f"No form found: expected a page with {MARKERS} black square markers along its "
            "edge, found none. Is this a page printed by `prep sheet`, sharp and whole?"
        )
    places = [(place_of_marker(number), points) for number, points in found]
    ours = [(version, paper, place, points) for (version, paper, place), points in places
            if version in CODE_SIDES]  # fmt: skip
    if len(ours) < len(found) - len(ours):
        raise FormError(
            "The form is of another version: expected markers of layout "
            f"{' or '.join(map(str, CODE_SIDES))}, found the "
            f"numbers {sorted(number for number, _ in found)}. Read it with the release of prep "
            "that printed it."
        )
    corners = {place: points for _, _, place, points in ours}
    kinds = {(version, paper) for version, paper, _, _ in ours}
    if len(kinds) > 1 or len(corners) < len(ours):
        raise FormError(
            f"Several forms in one picture: found {len(ours)} markers of which some stand for "
            "the same place of a page. Photograph each form on its own."
        )
    _check_enough(list(corners))
    return (*kinds.pop(), corners)


def _check_enough(positions: list[int]) -> None:
    if len(positions) >= _FEWEST_MARKERS:
        return
    missing = [_PLACES[position] for position in range(MARKERS) if position not in positions]
    raise FormError(
        f"The form is not wholly in view: expected at least {_FEWEST_MARKERS} of its {MARKERS} "
        f"markers, found {len(positions)}; missing: {', '.join(missing)}. "
        "Is the page cut off, covered or blurred?"
    )


def _refine_corners(grey: Grey, corners: dict[int, Points]) -> dict[int, Points]:
    """Return the markers' corners to a fraction of a pixel, searched in the full picture."""
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    refined = {}
    for position, points in corners.items():
        module = float(np.linalg.norm(points[1] - points[0])) / 8
        # Within a module of the corner there is no other edge.
        window = int(np.clip(round(0.6 * module), 2, 20))
        start = points.astype(np.float32).reshape(-1, 1, 2)
        moved = cv2.cornerSubPix(grey, start, (window, window), (-1, -1), stop)
        refined[position] = moved.reshape(4, 2).astype(np.float64)
    return refined


# --- the page's geometry ------------------------------------------------------------------------


def _fit_page(paper: str, corners: dict[int, Points]) -> PageMapping:
    """Return the mapping that takes the markers' corners in mm to those found in pixels.

    Raises FormError when no gently bent page fits them.
    """
    positions = sorted(corners)
    squares = square_corners(marker_squares(paper))
    page = squares[positions].reshape(-1, 2)
    picture = np.concatenate([corners[position] for position in positions])
    homography, _ = cv2.findHomography(page, picture, 0)
    if homography is None:
        raise FormError("The markers do not form a page: they lie on one line or point.")
    flat = PageMapping(paper, np.asarray(homography, np.float64), np.zeros((_BEND_TERMS, 2)))
    error = _misfit(flat, page, picture)
    if error < _FLAT_FIT:
        return replace(flat, misfit=error)
    bent = replace(flat, bend=_fit_bend(paper, page, picture - flat.to_picture(page)))
    error = _misfit(bent, page, picture)
    if error > _WORST_FIT:
        raise FormError(
            f"The page is too curled or folded: its markers lie {error:.1f} mm off a gently "
            f"bent page, expected at most {_WORST_FIT} mm. Flatten it and try again."
        )
    return replace(bent, misfit=error)


def _misfit(mapping: PageMapping, page: Points, picture: Points) -> float:
    """Return how far mapped points lie from those seen, in mm (root mean square)."""
    away = mapping.to_picture(page) - picture
    return float(np.sqrt(np.mean(np.sum(away**2, axis=1)))) / mapping.scale()


def _fit_bend(paper: str, page: Points, residual: Points) -> npt.NDArray[np.float64]:
    """Return the bend's coefficients, the curved ones held small where markers are missing."""
    terms = _bend_terms(paper, page)
    hold = 1e-3 * np.diag([0.0] * 3 + [1.0] * (_BEND_TERMS - 3))
    return np.asarray(np.linalg.solve(terms.T @ terms + hold, terms.T @ residual))


def _bend_terms(paper: str, points: Points) -> npt.NDArray[np.float64]:
    """Return the terms of a smoothly bent sheet, the polynomial of third degree, (N, 10).

    A marker tells its place and, by its size and slant, the slope there: eight of them fix it.
    """
    s, t = (2 * points / PAPERS[paper] - 1).T
    one = np.ones_like(s)
    return np.stack([one, s, t, s * t, s**2, t**2, s**2 * t, s * t**2, s**3, t**3], axis=1)


def _project(homography: npt.NDArray[np.float64], points: Points) -> Points:
    lifted = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(lifted[:, :2] / lifted[:, 2:])


def _flatten_page(grey: Grey, mapping: PageMapping) -> Grey:
    """Return the whole page laid flat, `PIXELS_A_MM` to the millimetre."""
    shrink = max(1, int(mapping.scale() / PIXELS_A_MM))
    blocks = np.ceil(np.array(PAPERS[mapping.paper]) * PIXELS_A_MM / _BLOCK).astype(int)
    x, y = np.meshgrid(np.arange(blocks[0]), np.arange(blocks[1]))
    middles = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * _BLOCK / PIXELS_A_MM
    source = (mapping.to_picture(middles) + 0.5) / shrink - 0.5
    coarse = source.reshape(blocks[1], blocks[0], 2).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_BLOCK, fy=_BLOCK, interpolation=cv2.INTER_LINEAR)
    small = _shrink(grey, shrink)
    flat = cv2.remap(small, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8)


def _check_inside(form: Form, mapping: PageMapping, shape: tuple[int, ...]) -> None:
    """Raise FormError when a box of the form reaches out of the picture."""
    squares = box_squares(form).reshape(-1, 4)
    corners = mapping.to_picture(square_corners(squares).reshape(-1, 2)).reshape(-1, 8)
    height, width = shape[:2]
    outside = (corners < 0).any(axis=1)
    outside |= (corners[:, 0::2] > width - 1).any(axis=1) | (corners[:, 1::2] > height - 1).any(
        axis=1
    )
    if outside.any():
        raise FormError(
            f"The form is cut off: {int(outside.sum())} of its {len(squares)} boxes lie outside "
            "the picture. Photograph the whole page."
        )


def _shrink(grey: Grey, factor: float) -> Grey:
    if factor == 1:
        return grey
    size = (round(grey.shape[1] / factor), round(grey.shape[0] / factor))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


# --- the code ---------------------------------------------------------------------------------


def _read_code(flat: Grey, paper: str, version: int) -> Form:
    """Return the form that the page's two codes describe.

    The code's place is known, so its modules are sampled there instead of searched for. Where
    neither copy can be read alone, the mean of both is tried. Raises FormError when the
    checksum never holds, or the code contradicts the markers.
    """
    first, second = (_sample_code(flat, square) for square in code_squares(paper, version))
    forms = {form for form in map(_decode_modules, (first, second)) if form is not None}
    if not forms and first.shape == second.shape:
        forms = {form for form in [_decode_modules(first + second)] if form is not None}
    if len(forms) > 1 or any((form.version, form.paper) != (version, paper) for form in forms):
        raise FormError(
            "The page's codes and markers contradict one another: expected one form, found "
            f"parts of several ({_list_forms(forms)}). Photograph each form on its own."
        )
    if forms:
        return forms.pop()
    raise FormError(
        "The form's code cannot be read: expected a square code of "
        f"{CODE_SIDES[version]:.0f} mm beside the top right or the bottom left marker, "
        "found nothing that its checksum confirms. "
        "Photograph the page sharper, larger and with the codes uncovered."
    )


def _list_forms(forms: set[Form]) -> str:
    return ", ".join(f"{form.identity} page {form.page} on {form.paper}" for form in forms)


def _sample_code(flat: Grey, square: Square) -> npt.NDArray[np.float64]:
    """Return how dark each module of the code is, (N, N), above 0 for black.

    Its size and exact place are those where the patterns that all QR codes share fit best.
    """
    reach = round(_CODE_SEARCH * PIXELS_A_MM)
    left, top, right, bottom = (round(edge * PIXELS_A_MM) for edge in square)
    window = flat[top - reach : bottom + reach, left - reach : right + reach]
    dark = 255.0 - _even_light(window)
    # Half as fine is enough to tell the size: a module has two pixels or more.
    half = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    sizes = range(21, LARGEST_CODE + 1, 4)  # versions of QR codes, from the smallest
    size = max(sizes, key=lambda size: _match_patterns(half, size, (right - left) // 2)[0])
    _, (x, y) = _match_patterns(dark, size, right - left)
    code = dark[y : y + bottom - top, x : x + right - left]
    return _sample_modules(code, size)


def _match_patterns(
    dark: npt.NDArray[np.float64], size: int, side: int
) -> tuple[float, tuple[int, int]]:
    """Return how well a code of so many modules, `side` pixels wide, fits where it fits best."""
    pattern = _enlarge(_shared_patterns(size), side)
    scores = cv2.matchTemplate(dark.astype(np.float32), pattern, cv2.TM_CCORR)
    _, score, _, (x, y) = cv2.minMaxLoc(scores / np.abs(pattern).sum())
    return score, (x, y)


def _sample_modules(code: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return the darkness in the middle of each module, 0 between black and white."""
    fine = cv2.resize(code, (size * 4, size * 4), interpolation=cv2.INTER_LINEAR)
    middles = fine.reshape(size, 4, size, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    shared = _shared_patterns(size)
    # Blur mixes a module with its neighbours; as much is taken off again.
    middles -= _SHARPEN * cv2.filter2D(middles, -1, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
    black, white = middles[shared > 0].mean(), middles[shared < 0].mean()
    return np.asarray((middles - (black + white) / 2) / max(black - white, 1.0))


def _even_light(window: Grey) -> npt.NDArray[np.float64]:
    """Return the window with its paper at 255, whatever shade falls on it."""
    # 5 mm: more than the core of a finder pattern, the largest black, which is 4 mm at most.
    paper = cv2.morphologyEx(window, cv2.MORPH_CLOSE, np.ones((41, 41), np.uint8))
    paper = cv2.blur(paper, (21, 21))
    return np.asarray(np.minimum(255.0, window * (255.0 / np.maximum(paper, 1))))


def _shared_patterns(size: int) -> npt.NDArray[np.float64]:
    """Return the finder and timing patterns, (size, size): 1 black, -1 white, 0 elsewhere."""
    patterns = np.zeros((size, size))
    line = 1.0 - 2.0 * (np.arange(size) % 2)
    patterns[6], patterns[:, 6] = line, line
    finder = -np.ones((8, 8))  # 7 x 7 modules and the white that parts it from the rest
    finder[:7, :7] = 1
    finder[1:6, 1:6] = -1
    finder[2:5, 2:5] = 1
    patterns[:8, :8] = finder
    patterns[:8, -8:] = finder[:, ::-1]
    patterns[-8:, :8] = finder[::-1]
    return patterns


def _enlarge(pattern: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float32]:
    return np.asarray(
        cv2.resize(pattern.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    )


def _decode_modules(modules: npt.NDArray[np.float64]) -> Form | None:
    """Return the form that the modules describe, or None when the checksum does not hold.

    They are drawn again as a perfect QR code, so that OpenCV has only errors to correct.
    """
    shared = _shared_patterns(len(modules))
    black = np.where(shared != 0, shared, modules) > 0
    zoom, quiet = 4, 4
    picture = np.pad(np.where(black, 0, 255).astype(np.uint8), quiet, constant_values=255)
    picture = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    low, high = quiet * zoom, (quiet + len(modules)) * zoom - 1
    corners = np.array([[[low, low], [high, low], [high, high], [low, high]]], np.float32)
    try:
        text, _ = cv2.QRCodeDetector().decode(picture, corners)
        return parse_form(text)
    except (cv2.error, UnicodeDecodeError, ValueError):
        return None
