"""The pages of a PDF: what each one shows, found by PDFium; it decodes no file of its own.

A page on which a single picture is seen gives that picture as the file has it: a JPEG as its own
bytes, anything else as its own pixels. Nobody sees what lies beneath it or is invisible, such as a
scanner's text layer. Every other page is drawn: as finely as its pictures are where these fill it
(strips, layers), else at 300 dots an inch or more. All pixels are uint8, (H, W) or (H, W, 3) RGB.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.intake.kinds import PictureError

Pixels = npt.NDArray[np.uint8]

DPI = 300  # dots an inch of a page that is drawn
_POINTS = 72  # to an inch
_FILLED = 0.8  # of a page that its pictures cover: it is a scan in strips or layers
_FINE = 0.1  # of a page: what less of it has in finer dots is a logo
_SPARE = 0.01  # of a page's side that a picture may stand out
_DEEPEST = 8  # forms within forms
_UNSEEN_TEXT = {3, 7}  # modes of text: invisible, and only to clip by
# EXIF's orientation, by whether columns and rows of the stored picture run on to the right or down
_ORIENTATIONS = {
    (False, True, True): 1, (False, False, True): 2, (False, False, False): 3,
    (False, True, False): 4, (True, True, True): 5, (True, True, False): 6,
    (True, False, False): 7, (True, False, True): 8,
}  # fmt: skip
_BAD_PICTURE = "one of its pictures is damaged, or packed in a way that is not known"


@dataclass(frozen=True)
class _Placed:
    """An object of a page, in points from the page's upper left corner, upright."""

    handle: Any
    box: tuple[float, float, float, float]
    columns: tuple[float, float] = (0, 0)  # where the columns of a picture run, all of them
    rows: tuple[float, float] = (0, 0)

    @property
    def resolution(self) -> float:
        """Return the pixels of a picture to a point, the finer of its two sides."""
        width, height = self.handle.get_px_size()
        across, down = math.hypot(*self.columns), math.hypot(*self.rows)
        return max(width / across, height / down) if across and down else 0.0


@dataclass(frozen=True)
class Page:
    """A page of an open PDF; `region` is what of it is drawn, in points."""

    handle: Any
    size: tuple[int, int]  # width and height in pixels, upright
    region: tuple[float, float, float, float]
    orientation: int = 1  # as EXIF numbers it, of what the picture has stored
    jpeg: bytes = b""  # the picture's own file, if it is one
    picture: Any = None

    def draw(self, width: int, height: int) -> Pixels:
        """Return what is seen of the page, upright, in so many pixels."""
        from pypdfium2 import PdfBitmap, raw

        bitmap = PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGRx)
        raw.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        x0, y0, x1, y1 = self.region
        across, down = width / (x1 - x0), height / (y1 - y0)
        matrix = raw.FS_MATRIX(across, 0, 0, down, -x0 * across, -y0 * down)
        clip = raw.FS_RECTF(0, 0, width, height)
        flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        raw.FPDF_RenderPageBitmapWithMatrix(bitmap, self.handle, matrix, clip, flags)
        return _drop_colourless(bitmap.to_numpy()[..., :3])

    def read_picture(self) -> Pixels:
        """Return the stored pixels of the page's one picture; PictureError when damaged."""
        return _drop_colourless(_read_bitmap(self.picture))


def read_pages(
    data: bytes, *, max_pixels: int, max_pages: int, first: int = 0
) -> Iterator[Page | PictureError]:
    """Yield each page of a PDF from the first on, to be used before the next; or what ails it.

    Raises PictureError when the file can't be read.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(data)
    except PdfiumError as error:
        raise PictureError(_explain(error.err_code, data)) from error
    with contextlib.closing(document):
        if len(document) > max_pages:
            raise PictureError(f"more than {max_pages:,} pages")
        if not len(document):
            raise PictureError("the PDF has no pages")
        for number in range(first, len(document)):
            yield _read_page(document, number, max_pixels)


def _explain(code: int | None, data: bytes) -> str:
    """Return why PDFium opened no document."""
    from pypdfium2 import raw

    if code == raw.FPDF_ERR_PASSWORD:
        return "a PDF that needs a password: save it without one, or print it into a new PDF"
    if code == raw.FPDF_ERR_SECURITY:
        return "a PDF encrypted in a way that is not known: print it into a new PDF"
    if b"%%EOF" not in data[-2048:]:
        return "truncated: the PDF ends too early"
    return "unreadable PDF: it is damaged, or has no pages"


def _read_page(document: Any, number: int, max_pixels: int) -> Page | PictureError:
    from pypdfium2 import PdfiumError

    try:
        page = document[number]
    except PdfiumError:
        return PictureError("a damaged page of a PDF")
    try:
        return _judge(page, max_pixels)
    except PdfiumError:
        return PictureError(_BAD_PICTURE)
    except PictureError as error:
        return error


def _judge(page: Any, max_pixels: int) -> Page:
    """Return what is to be shown of a page: its one picture, or all of it."""
    from pypdfium2 import raw

    width, height = page.get_size()
    if not (math.isfinite(width * height) and width > 0 and height > 0):
        raise PictureError("a page of a PDF without a size")
    seen = list(_find_seen(page))
    pictures = [one for one in seen if one.handle.type == raw.FPDF_PAGEOBJ_IMAGE]
    for picture in pictures:
        _check_size(picture.handle.get_px_size(), max_pixels, "one of its pictures has")
    if len(seen) == 1 and pictures and not _has_notes(page):
        orientation = _find_orientation(pictures[0])
        x0, y0, x1, y1 = pictures[0].box
        inside = _holds((0, 0, width, height), pictures[0].box, _SPARE * max(width, height))
        if orientation and inside and x1 > x0 and y1 > y0:
            return _show_picture(page, pictures[0], orientation)
    dots = _choose_resolution(pictures, width, height)
    size = (max(1, round(width * dots)), max(1, round(height * dots)))
    paper = f"a page of {width / _POINTS * 25.4:,.0f} x {height / _POINTS * 25.4:,.0f} mm makes"
    _check_size(size, max_pixels, paper)
    for picture in pictures:
        _read_bitmap(picture.handle)
    return Page(page, size, (0, 0, width, height))


def _show_picture(page: Any, picture: _Placed, orientation: int) -> Page:
    """Return a page that shows nothing but a picture."""
    size = picture.handle.get_px_size()
    jpeg = b""
    if list(picture.handle.get_filters()) == ["DCTDecode"]:
        jpeg = bytes(picture.handle.get_data(decode_simple=False))
    upright = size if orientation < 5 else size[::-1]
    return Page(page, upright, picture.box, orientation, jpeg, picture.handle)


def _check_size(size: tuple[int, int], max_pixels: int, what: str) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"too large: {what} {width:,} x {height:,} pixels, more than {max_pixels:,}"
        )


def _choose_resolution(pictures: list[_Placed], width: float, height: float) -> float:
    """Return the pixels to a point at which a page of several things is drawn."""
    covered, fine = 0.0, 0.0
    for picture in sorted(pictures, key=lambda one: -one.resolution):
        x0, y0, x1, y1 = picture.box
        inside = max(0.0, min(x1, width) - max(x0, 0)) * max(0.0, min(y1, height) - max(y0, 0))
        covered += inside / (width * height)
        fine = fine or (picture.resolution if covered >= _FINE else 0.0)
    return fine if covered >= _FILLED else max(fine, DPI / _POINTS)


def _find_seen(page: Any) -> Iterator[_Placed]:
    """Yield what is seen on a page; what a picture hides that comes after it is not."""
    placed = list(_place_all(page))
    width, height = page.get_size()
    shown = [one for one in placed if _is_visible(one, (0, 0, width, height))]
    largest = max(
        (number for number, one in enumerate(shown) if _find_orientation(one)),
        key=lambda number: _area(shown[number].box),
        default=0,
    )
    for number, one in enumerate(shown):
        if number >= largest or not (
            _holds(shown[largest].box, one.box, 1) or _is_white(one.handle)
        ):
            yield one


def _place_all(page: Any) -> Iterator[_Placed]:
    """Yield the objects of a page, and those in its forms."""
    from pypdfium2 import PdfMatrix, raw

    left, bottom, right, top = page.get_bbox()
    upright = {
        0: PdfMatrix(1, 0, 0, -1, -left, top),
        90: PdfMatrix(0, 1, 1, 0, -bottom, -left),
        180: PdfMatrix(-1, 0, 0, 1, right, -bottom),
        270: PdfMatrix(0, -1, -1, 0, top, right),
    }[page.get_rotation()]
    for one in page.get_objects(max_depth=_DEEPEST):
        if one.type == raw.FPDF_PAGEOBJ_FORM:
            continue
        outer, form = PdfMatrix(), one.container
        while form is not None:
            outer, form = outer.multiply(form.get_matrix()), form.container
        outer = outer.multiply(upright)
        if one.type != raw.FPDF_PAGEOBJ_IMAGE:
            yield _Placed(one, outer.on_rect(*one.get_bounds()))
            continue
        a, b, c, d, *_ = (matrix := one.get_matrix().multiply(outer)).get()
        yield _Placed(one, matrix.on_rect(0, 0, 1, 1), (a, b), (-c, -d))


def _is_visible(one: _Placed, paper: tuple[float, float, float, float]) -> bool:
    from ctypes import c_int

    from pypdfium2 import raw

    x0, y0, x1, y1 = one.box
    if x0 >= paper[2] or y0 >= paper[3] or x1 <= 0 or y1 <= 0:
        return False
    if one.handle.type == raw.FPDF_PAGEOBJ_TEXT:
        unseen = raw.FPDFTextObj_GetTextRenderMode(one.handle) in _UNSEEN_TEXT
        return not unseen and x1 > x0 and y1 > y0
    if one.handle.type == raw.FPDF_PAGEOBJ_PATH:
        fill, stroke = c_int(), c_int()
        raw.FPDFPath_GetDrawMode(one.handle, fill, stroke)
        return bool(fill.value or stroke.value)
    return True


def _is_white(handle: Any) -> bool:
    """Return whether an object is an area of white: the paper."""
    from ctypes import c_int, c_uint

    from pypdfium2 import raw

    if handle.type != raw.FPDF_PAGEOBJ_PATH:
        return False
    fill, stroke = c_int(), c_int()
    raw.FPDFPath_GetDrawMode(handle, fill, stroke)
    colours = [c_uint() for _ in range(4)]
    told = raw.FPDFPageObj_GetFillColor(handle, *colours)
    return bool(told) and not stroke.value and all(one.value == 255 for one in colours[:3])


def _has_notes(page: Any) -> bool:
    """Return whether something was drawn or written on a page by a reader's program."""
    from pypdfium2 import raw

    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        look = raw.FPDFAnnot_GetAP(note, raw.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0)
        raw.FPDFPage_CloseAnnot(note)
        if look > 2:  # the end of a text alone
            return True
    return False


def _find_orientation(one: _Placed) -> int:
    """Return how a picture lies, as EXIF numbers it; 0 if it is none or lies askew."""
    (across, aside), (slant, down) = one.columns, one.rows
    if not (any(one.columns) and any(one.rows)):
        return 0
    dot = 1 / one.resolution
    if max(abs(aside), abs(slant)) <= dot:
        return _ORIENTATIONS[False, across > 0, down > 0]
    if max(abs(across), abs(down)) <= dot:
        return _ORIENTATIONS[True, aside > 0, slant > 0]
    return 0


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _holds(
    outer: tuple[float, float, float, float], inner: tuple[float, float, float, float], spare: float
) -> bool:
    """Return whether a box lies in another, up to `spare` points."""
    low = all(inner[side] >= outer[side] - spare for side in (0, 1))
    return low and all(inner[side] <= outer[side] + spare for side in (2, 3))


def _read_bitmap(picture: Any) -> Pixels:
    """Return the pixels of a picture as they are stored; PictureError when damaged.

    PDFium says the same where it gets no memory, which is a MemoryError then.
    """
    from pypdfium2 import PdfiumError

    try:
        pixels = picture.get_bitmap().to_numpy()
    except PdfiumError as error:
        bytearray(4 * math.prod(picture.get_px_size()))
        raise PictureError(_BAD_PICTURE) from error
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    return np.array(pixels.reshape(pixels.shape[:2]) if grey else pixels[..., 2::-1])


def _drop_colourless(pixels: Pixels) -> Pixels:
    """Return a picture in grey where it has no colour."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red)
    return np.ascontiguousarray(pixels)
