"""Sheets: the paper found on a page and laid flat.

A page is uint8 (H, W) or (H, W, 3) RGB, upright, in any light. A sheet's picture is
uint8 (h, w, 3) RGB, straightened and scaled to a working size; `to_page` is the 3x3 homography
that takes its pixels (x, y) back to the page's, and `paper` is bool (h, w), False on what is
not paper (the table). Points are float (n, 2) as x, y.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.pages import rows, slips

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

WORKING_PIXELS = 2_500_000  # A4 at 160 dpi: fine for any pen, and a 12-megapixel photo stays quick
_GLANCE = 480  # longest side at which the outline of the paper is looked for
_STEEPEST = 0.2  # slope of a border against the frame: 11 degrees
# Mean contrast along a border, of at most 1, from which it is believed. Paper of grey level 220 has
# the first against a table of 190, the second against one of 204; a drawn frame has 0.
_SURE_BORDER = 0.58
_LIKELY_BORDER = 0.42  # where the table shows on two sides already
_BORDER_KEPT_OFF = 150  # part of a picture's longer side, 2 mm on A4: a border is no sharp line
_SAME = 0.04  # of the diagonal: corners of borders and of a slip that are nearer are the same
_SKEW_SIDE = 800  # pixels: the longest side at which the skew is measured; three to the mm of A4


class Border(NamedTuple):
    """A line along one side of the paper, through two points (2, 2); else the frame's own."""

    line: Points
    found: bool


@dataclass(frozen=True)
class Sheet:
    """A page laid flat: its picture, where it is paper, and the way back to the page."""

    picture: Picture
    paper: npt.NDArray[np.bool_]
    to_page: npt.NDArray[np.float64]
    on_desk: bool = False  # a slip: it may lie at any angle

    def box_on_page(self, box: npt.NDArray[np.int64]) -> tuple[int, int, int, int]:
        """Return the upright box on the page around a box x0, y0, x1, y1 on the sheet."""
        there = cv2.perspectiveTransform(_corners_of(box), self.to_page)[0]
        low, high = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def box_around(self, places: Points) -> tuple[int, int, int, int]:
        """Return the upright box on the page around pixels (n, 2) of the sheet, x and y each."""
        there = cv2.perspectiveTransform(places[None].astype(np.float64), self.to_page)[0]
        low, high = np.floor(there.min(axis=0)), np.floor(there.max(axis=0)) + 1
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def box_on_sheet(self, box: tuple[int, int, int, int]) -> npt.NDArray[np.int64]:
        """Return the upright box (4,) on the sheet around a box x0, y0, x1, y1 on the page."""
        there = cv2.perspectiveTransform(_corners_of(box), np.linalg.inv(self.to_page))[0]
        return np.concatenate([np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))]).astype(int)

    def area_on_sheet(self, box: tuple[int, int, int, int]) -> npt.NDArray[np.bool_] | None:
        """Return what a box on the page covers (h, w) of a slip; None of a sheet that lies level.

        That of a level one is box_on_sheet.
        """
        if not self.on_desk:
            return None
        there = cv2.perspectiveTransform(_corners_of(box) - 0.5, np.linalg.inv(self.to_page))
        area = np.zeros(self.paper.shape, np.uint8)
        cv2.fillConvexPoly(area, np.round(there[0]).astype(np.int32), 1)
        grown = cv2.dilate(area, np.ones((3, 3), np.uint8))  # rounding may have cost a pixel
        return np.asarray(grown > 0)


def _corners_of(box: npt.NDArray[np.int64] | tuple[int, int, int, int]) -> Points:
    """Return the corners of a box x0, y0, x1, y1 as OpenCV takes them, (1, 4, 2)."""
    x0, y0, x1, y1 = box
    return np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float64)


def lay_flat(page: Picture) -> Sheet:
    """Find the paper on a page and undo perspective, or at least skew, at a working size."""
    color, scale = _scale_page(page)
    return _lay_bordered(color, find_borders(color), scale)


def lay_sheets(page: Picture) -> list[Sheet]:
    """Lay flat each slip of paper on a desk, in reading order; else the page, as lay_flat does."""
    color, scale = _scale_page(page)
    found, borders = slips.find_slips(color), find_borders(color)
    if not found or _shows_one_sheet(found, borders):
        return [_lay_bordered(color, borders, scale)]
    return [_lay_slip(_to_color(page), slip, scale) for slip in _order_slips(found)]


def _to_color(page: Picture) -> Picture:
    """Return a page (H, W) or (H, W, 3) in RGB."""
    return page if page.ndim == 3 else np.asarray(cv2.cvtColor(page, cv2.COLOR_GRAY2RGB))


def _scale_page(page: Picture) -> tuple[Picture, float]:
    """Return a page in colour at its working size, and the scale of it."""
    scale = min(1.0, (WORKING_PIXELS / (page.shape[0] * page.shape[1])) ** 0.5)
    return _resize(_to_color(page), scale), scale


def _lay_bordered(color: Picture, borders: list[Border], scale: float) -> Sheet:
    """Lay flat the paper within borders."""
    if all(border.found for border in borders):
        flat_to_work, size = _map_from_outline(intersect_borders(borders))
    else:
        flat_to_work, size = _map_from_skew(estimate_skew(color), color.shape)
    return _warp_sheet(color, borders, flat_to_work, size, scale)


def _shows_one_sheet(found: list[slips.Slip], borders: list[Border]) -> bool:
    """Tell whether the paper within borders, which are more exact, is what slips show.

    What runs out of the picture within four borders is no slip but a shadow on the paper.
    """
    if not all(border.found for border in borders):
        return False
    if not any(slip.whole for slip in found):
        return True
    corners = intersect_borders(borders)
    away = np.linalg.norm(found[0].corners - corners, axis=1).max()
    return len(found) == 1 and bool(away < _SAME * np.linalg.norm(corners[2] - corners[0]))


def _order_slips(found: list[slips.Slip]) -> list[slips.Slip]:
    """Put slips in reading order: those that lie in a row from the left, then the next row."""
    corners = np.array([slip.corners for slip in found])
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.int64)
    row = rows.find_rows(boxes, float(np.median(boxes[:, 3] - boxes[:, 1])))
    return [found[index] for index in np.lexsort((boxes[:, 0], row))]


def _lay_slip(page: Picture, slip: slips.Slip, scale: float) -> Sheet:
    """Lay a slip flat, from the page's own pixels where it is a small part of it."""
    to_page, (width, height) = _map_from_outline(slip.corners / scale)
    shrunk = min(1.0, (WORKING_PIXELS / max(width * height, 1)) ** 0.5)
    width, height = max(1, round(width * shrunk)), max(1, round(height * shrunk))
    to_page = to_page @ np.diag([1 / shrunk, 1 / shrunk, 1.0])
    to_small = np.diag([shrunk, shrunk, 1.0]) @ to_page
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    small = _resize(page, shrunk)
    flat = cv2.warpPerspective(
        small, to_small, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    paper = slip.paper.copy()
    paper[[0, -1]] = paper[:, [0, -1]] = 0
    to_glance = np.diag([*(np.array(paper.shape[::-1]) / page.shape[1::-1]), 1.0]) @ to_page
    shown = cv2.warpPerspective(255 * paper, to_glance, (width, height), flags=flags) > 127
    reach = max(width, height) // _BORDER_KEPT_OFF + 1
    inside = np.zeros(shown.shape, bool)
    inside[reach:-reach, reach:-reach] = shown[reach:-reach, reach:-reach]
    return Sheet(_spread_paper(flat, inside), inside, to_page, on_desk=True)


def _spread_paper(flat: Picture, paper: npt.NDArray[np.bool_]) -> Picture:
    """Colour what is not paper as the paper near it, so that no desk is taken for ink."""
    size = [max(1, side // 8) for side in flat.shape[1::-1]]
    mask = paper.astype(np.float32)[..., None]
    light = cv2.resize(np.dstack([flat * mask, mask]), size, interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(light, (0, 0), 6)  # 48 pixels: wider than a stroke
    usual = np.median(flat[paper], axis=0) if paper.any() else np.full(3, 255.0)
    spread = (light[..., :3] + 1e-3 * usual) / (light[..., 3:] + 1e-3)
    spread = cv2.resize(np.clip(spread, 0, 255).astype(np.uint8), flat.shape[1::-1])
    return np.where(paper[..., None], flat, spread)


def shrink_page(page: Picture) -> Sheet:
    """Return a page as it is, all of it paper, at a working size."""
    color, scale = _scale_page(page)
    return Sheet(color, np.ones(color.shape[:2], bool), np.diag([1 / scale, 1 / scale, 1.0]))


def _warp_sheet(
    color: Picture,
    borders: list[Border],
    flat_to_work: npt.NDArray[np.float64],
    size: tuple[int, int],
    scale: float,
) -> Sheet:
    """Draw the flat picture of `size` (width, height) and its mask of paper."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(
        color, flat_to_work, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    inside = np.zeros(color.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(intersect_borders(borders)).astype(np.int32), 1)
    reach = max(color.shape) // _BORDER_KEPT_OFF
    inside[[0, -1]] = inside[:, [0, -1]] = 0  # what touches the frame of the photo is cut off
    if any(border.found for border in borders):
        inside = cv2.erode(inside, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    paper = cv2.warpPerspective(inside, flat_to_work, size, flags=flags) > 0
    grow = np.diag([1 / scale, 1 / scale, 1.0])
    return Sheet(flat, paper, grow @ flat_to_work)


def _resize(picture: Picture, scale: float) -> Picture:
    """Shrink a picture by area averaging; a scale of 1 returns it as it is."""
    if scale >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def find_borders(color: Picture) -> list[Border]:
    """Find the paper's left, top, right and bottom border, or the frame's where it has none.

    A table that shows on two sides is likely to show on the others: they need less proof.
    """
    scale = min(1.0, _GLANCE / max(color.shape))
    glance = cv2.cvtColor(_resize(color, scale), cv2.COLOR_RGB2GRAY)
    sides = ((False, False), (True, False), (False, True), (True, True))
    views = [_turn_to_left(glance, *side) for side in sides]
    lines, proofs = zip(*(_find_left_border(view) for view in views), strict=True)
    needed = _LIKELY_BORDER if sum(proof > _SURE_BORDER for proof in proofs) >= 2 else _SURE_BORDER
    borders = []
    for (turned, flipped), view, line, proof in zip(sides, views, lines, proofs, strict=True):
        found = proof > needed
        points = line if found else np.array([[0.0, 0.0], [0.0, view.shape[0]]])
        if flipped:
            points[:, 0] = view.shape[1] - points[:, 0]
        borders.append(Border((points[:, ::-1] if turned else points) / scale, found))
    return borders


def _turn_to_left(gray: Picture, turned: bool, flipped: bool) -> Picture:
    """Turn a picture so that one of its sides becomes the left one: transpose, then mirror."""
    view = gray.T if turned else gray
    return view[:, ::-1] if flipped else view


def _find_left_border(gray: Picture) -> tuple[Points, float]:
    """Find the line in the left part of a picture that has dark to its left all along.

    A shadow's edge is too soft to count at this reach, a drawn line is dark on neither side
    of itself. Returns the points where the line meets the first and the last row, and the mean
    contrast along it, at most 1.
    """
    height, width = gray.shape
    # Less than half, so that opposite sides can't take the same line for theirs.
    strip = _contrast_across(gray)[:, : max(1, int(0.4 * width))]
    # A step of 0.005 moves the ends of a line by about a pixel of the glance.
    slopes = np.linspace(-_STEEPEST, _STEEPEST, 81)
    profiles = np.stack([_average_along(strip, slope) for slope in slopes])
    best, x = np.unravel_index(np.argmax(profiles), profiles.shape)
    lean = slopes[best] * height / 2
    points = np.array([[x + 0.5 - lean, 0.0], [x + 0.5 + lean, height]])
    return points, float(profiles[best, x])


def _contrast_across(gray: Picture, reach: int = 5, half: float = 0.05) -> npt.NDArray[np.float32]:
    """Compare the light right of each pixel with the light left of it, relative, in (-1, 1).

    Left counts as light as its lightest place within a few `reach` pixels, so a drawn line, with
    paper on both sides, has no contrast. A difference of `half` counts a half, more can win
    little, so that no part of a line outvotes the rest.
    """
    light = cv2.blur(gray.astype(np.float32), (reach, 1), borderType=cv2.BORDER_REPLICATE)
    away = reach // 2 + 1
    right = np.roll(light, -away, axis=1)
    left = cv2.dilate(light, np.ones((1, 5 * reach)), anchor=(5 * reach - 1, 0))
    left = np.roll(left, away, axis=1)
    contrast = (right - left) / (right + left + 20)  # in the dark a few grey levels are noise
    contrast[:, :away] = 0
    return np.asarray(contrast / (np.abs(contrast) + half))


def _average_along(strip: npt.NDArray[np.float32], slope: float) -> npt.NDArray[np.float32]:
    """Average a strip along lines of one slope (x per y); one mean for each x at half height."""
    height, width = strip.shape
    shear = np.array([[1, slope, -slope * height / 2], [0, 1, 0]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(strip, shear, (width, height), flags=flags).mean(axis=0))


def intersect_borders(borders: list[Border]) -> Points:
    """Return the corners (4, 2): top left, top right, bottom right, bottom left."""
    left, top, right, bottom = (
        np.cross(*np.column_stack([border.line, [1, 1]])) for border in borders
    )
    pairs = ((left, top), (top, right), (right, bottom), (bottom, left))
    corners = [np.cross(a, b) for a, b in pairs]
    return np.array([corner[:2] / corner[2] for corner in corners])


def _map_from_outline(corners: Points) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Return the homography from a rectangle to the corners, and the rectangle's size."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = (round((sides[k] + sides[k + 2]) / 2) for k in (0, 1))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return cv2.getPerspectiveTransform(flat, corners.astype(np.float32)), (width, height)


def _map_from_skew(
    degrees: float, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Return the rotation about the centre that undoes a skew, and the unchanged size."""
    height, width = shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.vstack([turn, [0, 0, 1]]), (width, height)


def estimate_skew(color: Picture, most: float = 6.0) -> float:
    """Estimate by how many degrees the rows of writing or rules climb to the right.

    Postl's projection profile: at the right angle the profile of dark strokes over the rows
    changes most from row to row. Pages whose profile says little are left as they are.
    """
    small = _resize(color, min(1.0, _SKEW_SIDE / max(color.shape)))
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    # What is narrower than 15 pixels, 5 mm of A4: strokes and rules, and no shadow.
    dark = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, np.ones((15, 15), np.uint8))
    # No black line or blot outvotes the writing.
    strokes = np.minimum(dark.astype(np.float32), max(4 * float(dark.mean()), 1.0))
    angles = np.arange(-most, most + 0.01, 0.125)  # a step moves a row's end by two pixels
    columns = cv2.transpose(strokes)
    energy = np.array([_profile_energy(columns, angle) for angle in angles])
    best = int(np.argmax(energy))
    still = energy[len(angles) // 2]
    return float(angles[best]) if energy[best] > 1.15 * still else 0.0


def _profile_energy(columns: npt.NDArray[np.float32], degrees: float) -> float:
    """Sum the squared changes of the row profile seen along lines that climb by `degrees`.

    The strokes come with rows and columns swapped.
    """
    profile = _average_along(columns, -np.tan(np.radians(degrees)))
    return float(np.square(np.diff(profile)).sum())
