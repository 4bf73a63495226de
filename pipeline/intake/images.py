"""Picture files <-> arrays: the only module that decodes and encodes pictures.

A decoded page is upright (its EXIF orientation applied) uint8, (H, W) when the file is grey,
(H, W, 3) RGB otherwise; 0 is black. The format is read from the content, never from a name:
JPEG (of a phone's multi-picture file the first), PNG, TIFF (every page), BMP, GIF and WebP (of
an animation the first frame), HEIC where pi-heif is installed, PDF (every page; intake/pdf.py).

How what is not 8-bit grey or RGB becomes so:
- grey of more than 8 bits is scaled by the bits that it uses (intake/levels.py);
- transparency is laid on white; a palette of greys only is grey;
- CMYK, YCbCr and LAB become RGB. Other colour profiles are ignored: the numbers stay those of
  the file on every machine, and no parser of profiles is exposed to strangers' files.

Whatever is wrong with a file ends as a PictureError whose message is the reason to quarantine
it. PIL's limit and Python's warnings are global, so a lock lets one picture through at a time:
to decode several at once, use processes.
"""

import io
import itertools
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pipeline.errors import pass_on_machine
from pipeline.intake import colours, levels, pdf
from pipeline.intake.damage import DECODER_ERRORS, explain
from pipeline.intake.kinds import PictureError, recognise
from pipeline.tiles.cutting import ReducedPicture

Pixels = npt.NDArray[np.uint8]
Result = TypeVar("Result")

MAX_PIXELS = 200_000_000  # an A0 sheet at 300 dpi has 140 million
MAX_PAGES = 10_000

# PIL's classes are called directly: Image.open would try its other readers too, of which one
# starts Ghostscript.
_READERS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "WebP": WebPImageFile,
}
# Threads, 16 bits to 8, BGR, packed rows, 10 bits to 16, the decoder's name, no security limits
_HEIC_OPTIONS = (1, True, False, True, False, "", False)

# EXIF 2.32, 4.6.4 A: where the first row and column of the stored picture lie.
_MAKE_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_TURN, _FULL = "turn", "full"  # in an image's info: its orientation and size, as a PDF has them
_BOX = Image.Resampling.BOX
# A picture and what a page shows of it are compared in at most so many cells a side, each of so
# many pixels at least; it is drawn at half its size from so many pixels on; grey levels
_GRID, _CELL, _LARGE, _MOST_OFF = 64, 16, 800, 32
# TIFF 6.0, sections 3 and 8
_NEW_SUBFILE_TYPE, _THUMBNAIL_OR_MASK = 254, 1 | 4

_ONE_AT_A_TIME = threading.Lock()
_SILENT = logging.NullHandler()


def decode_pages(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Iterator[Pixels | PictureError]:
    """Yield each page of a picture file, upright, uint8 (H, W) or (H, W, 3) RGB.

    A TIFF may have several pages (thumbnails and masks among them are passed over), and a PDF,
    whose broken pages come as the error that says why; any other file has one. Raises PictureError
    when the file cannot be read, in a TIFF after the pages before the broken one; a page of more
    than max_pixels is refused before it is decoded.
    """
    return _each_page(data, max_pixels, partial(_decode, max_pixels=max_pixels))


def measure_pages(
    data: bytes, *, max_pixels: int = MAX_PIXELS, notes: set[str] | None = None
) -> Iterator[tuple[int, int] | PictureError]:
    """Yield the width and height of each page, upright, of a picture file that can be decoded.

    To `notes` goes what should be told of how its pages are read.

    Raises PictureError where decode_pages does; a JPEG is decoded at an eighth of its size, for
    which libjpeg reads every byte as for the whole.
    """
    measure = partial(_measure, max_pixels=max_pixels, notes=notes)
    return _each_page(data, max_pixels, measure, measured=True)


def decode_page(
    data: bytes, page: int = 0, *, at_least: int | None = None, max_pixels: int = MAX_PIXELS
) -> Pixels:
    """Return one page of a picture file, counted from 0, as decode_pages gives it.

    With `at_least` (pixels) a JPEG may come at a half, quarter or eighth of its size, as long as
    its short side keeps that many pixels: several times faster when only a small picture is
    wanted. Raises PictureError as decode_pages does, and when there is no such page.
    """
    kind = recognise(data)
    if kind == "PDF":
        work = partial(_decode, max_pixels=max_pixels, at_least=at_least)
        return _take_one(_each_pdf_page(data, max_pixels, work, first=page))
    with _careful(kind, data, max_pixels):
        image = _open(kind, data, max_pixels)
        for number, _ in enumerate(_seek_pages(image)):
            if number == page:
                return _decode(image, max_pixels, at_least)
        raise PictureError(f"there is no page {page}: the {kind} has {number + 1}")


def decode_reduced(
    data: bytes, at_least: int, *, max_pixels: int = MAX_PIXELS
) -> Iterator[ReducedPicture | PictureError]:
    """Yield each page as decode_pages does, a JPEG's at a half, quarter or eighth where it may be.

    Its short side keeps `at_least` pixels. Raises PictureError as decode_pages does.
    """
    decode = partial(_decode_reduced, max_pixels=max_pixels, at_least=at_least)
    return _each_page(data, max_pixels, decode)


def decode_one_reduced(
    data: bytes, at_least: int, page: int = 0, *, max_pixels: int = MAX_PIXELS
) -> ReducedPicture:
    """Return one page of a picture file as decode_reduced gives it; raises what decode_page does.

    The pages before it are not decoded, but those of a TIFF.
    """
    decode = partial(_decode_reduced, max_pixels=max_pixels, at_least=at_least)
    if recognise(data) == "PDF":
        return _take_one(_each_pdf_page(data, max_pixels, decode, first=page))
    return _take_one(itertools.islice(_each_page(data, max_pixels, decode), page, None))


def _take_one(pages: Iterator[Result | PictureError]) -> Result:
    made = next(pages, None)
    if made is None:
        raise PictureError("there is no such page")
    if isinstance(made, PictureError):
        raise made
    return made


def _each_page(
    data: bytes,
    max_pixels: int,
    work: Callable[[Image.Image], Result],
    *,
    measured: bool = False,
) -> Iterator[Result | PictureError]:
    """Yield what `work` makes of each page of a picture file.

    A page of a PDF that is only measured may come smaller, with its size in the image's info.
    """
    kind = recognise(data)
    if kind == "PDF":
        yield from _each_pdf_page(data, max_pixels, work, measured=measured)
        return
    with _careful(kind, data, max_pixels):
        image = _open(kind, data, max_pixels)
        pages = _seek_pages(image)
    while True:
        with _careful(kind, data, max_pixels):
            if next(pages, None) is None:
                return
            made = work(image)
        yield made


def _each_pdf_page(
    data: bytes,
    max_pixels: int,
    work: Callable[[Image.Image], Result],
    *,
    first: int = 0,
    measured: bool = False,
) -> Iterator[Result | PictureError]:
    pages = pdf.read_pages(data, max_pixels=max_pixels, max_pages=MAX_PAGES, first=first)
    while True:
        with _careful("PDF", data, max_pixels):
            page = next(pages, None)
        if page is None:
            return
        made: Result | PictureError
        try:
            if isinstance(page, PictureError):
                raise page
            with _careful("JPEG" if page.jpeg else "PDF", page.jpeg or data, max_pixels):
                made = work(_open_pdf_page(page, measured))
        except PictureError as error:
            made = error
        yield made


def _open_pdf_page(page: pdf.Page, measured: bool) -> Image.Image:
    """Return a page's own picture, to be turned upright yet, or the page as it is seen."""
    width, height = page.size
    small = max(1, width // 8), max(1, height // 8)
    if page.jpeg:
        image: Image.Image = _open("JPEG", page.jpeg, width * height)
        image.info[_TURN] = page.orientation
        upright = image.size if page.orientation < 5 else image.size[::-1]
        if upright == page.size and (measured or _is_seen(_decode_small(page), page)):
            return image
    if measured:
        pixels = page.read_picture() if page.picture else page.draw(*small)
        image = Image.fromarray(pixels[::8, ::8] if page.picture else pixels)
        image.info[_FULL] = page.size
        return image
    if page.picture:
        stored = page.read_picture()
        for pixels in (stored, 255 - stored):  # stencils are stored as what is inked
            image = _turn(Image.fromarray(pixels), page.orientation)
            if image.size == page.size and _is_seen(np.asarray(image), page):
                return image
    return Image.fromarray(page.draw(width, height))


def _decode_small(page: pdf.Page) -> Pixels:
    image = _open("JPEG", page.jpeg, page.size[0] * page.size[1])
    image.info[_TURN] = page.orientation
    return _decode(image, page.size[0] * page.size[1], at_least=_LARGE // 2)


def _is_seen(own: Pixels, page: pdf.Page) -> bool:
    """Return whether a picture is what a page shows, without a mask or other colours upon it."""
    width, height = page.size
    # Not smaller, for PDFium passes over dots.
    part = 2 if min(page.size) >= _LARGE else 1
    seen = page.draw(max(1, width // part), max(1, height // part))
    grid = (min(_GRID, max(1, width // _CELL)), min(_GRID, max(1, height // _CELL)))
    both = [Image.fromarray(pixels).convert("RGB").resize(grid, _BOX) for pixels in (own, seen)]
    off = np.abs(np.subtract(*(np.asarray(image, np.int16) for image in both)))
    return bool(off.max() <= _MOST_OFF)


def encode_png(pixels: Pixels) -> bytes:
    """Return uint8 (H, W), (H, W, 1) or (H, W, 3) RGB as a PNG file, the same bytes each time."""
    return _encode(pixels, "PNG")


def encode_jpeg(pixels: Pixels, quality: int = 85) -> bytes:
    """Return uint8 (H, W), (H, W, 1) or (H, W, 3) RGB as a JPEG file, the same bytes each time.

    `quality` is libjpeg's, 1 to 95.
    """
    return _encode(pixels, "JPEG", quality=quality)


def perceptual_hash(pixels: Pixels) -> np.uint64:
    """Return the 64-bit perceptual hash of uint8 (H, W), (H, W, 1) or (H, W, 3) RGB.

    Pictures that look alike differ in few bits (imagehash's phash: the signs of the lowest
    8 x 8 cosine frequencies against their median).
    """
    import imagehash  # it imports PyWavelets and SciPy, which only a split of photos needs

    bits = imagehash.phash(_to_image(pixels)).hash
    result: np.uint64 = np.packbits(bits.ravel()).view(">u8")[0].astype(np.uint64)
    return result


@contextmanager
def _careful(kind: str, data: bytes, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises into PictureError; let no warning or log line out."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        logging.getLogger("PIL").addHandler(_SILENT)
        # Catches what _decode comes too late for (a canvas allocated on opening, tiles larger
        # than their page). PIL refuses above twice this number.
        limit_before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels // 2
        try:
            yield
        except Image.DecompressionBombError as error:
            raise PictureError(f"too large: more than {max_pixels:,} pixels") from error
        except MemoryError:  # of the machine, or of what the caller allows
            raise
        except DECODER_ERRORS as error:
            pass_on_machine(error, "")
            raise PictureError(explain(kind, data, error, warned)) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit_before


@contextmanager
def _quiet_libtiff() -> Iterator[None]:
    """Close the process's standard error meanwhile: libtiff writes its complaints there."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without one
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _open(kind: str, data: bytes, max_pixels: int) -> Image.Image:
    """Read a file's header; pixels are decoded later, but those of a HEIC."""
    if kind == "HEIC":
        return _open_heic(data, max_pixels)
    image = _READERS[kind](io.BytesIO(data))
    if kind == "PNG" and image.mode.startswith("I"):
        image.info[colours.SIGNIFICANT] = 2 ** levels.read_significant_bits(data) - 1
    return image


def _open_heic(data: bytes, max_pixels: int) -> Image.Image:
    """Decode the main picture of a HEIC file; libheif turns it upright."""
    try:
        # pi_heif's plugin for PIL calls this too, but then reads the metadata as well, and where
        # they are damaged it takes the process down with it (pi_heif 1.4).
        import _pi_heif
    except ImportError:
        raise PictureError(
            "a HEIC photo: to read it, install pi-heif (pip install 'prep[heic]')"
        ) from None
    pictures = _pi_heif.load_file(data, *_HEIC_OPTIONS)
    picture = next((picture for picture in pictures if picture and picture.primary), None)
    if picture is None:
        raise PictureError("the HEIC has no main picture")
    _check_size(picture.size_mode[0], max_pixels)
    pixels = picture.data
    size, mode = picture.size_mode
    return Image.frombytes(mode, size, pixels, "raw", mode, picture.stride)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(f"too large: {width} x {height} pixels, more than {max_pixels:,}")


def _seek_pages(image: Image.Image) -> Iterator[int]:
    """Turn to each page in turn and yield its frame number."""
    if not isinstance(image, TiffImageFile):
        yield 0
        return
    pages = 0
    for frame in range(MAX_PAGES + 1):
        try:
            image.seek(frame)
        except EOFError:
            break
        if not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _THUMBNAIL_OR_MASK:
            pages += 1
            yield frame
    else:
        raise PictureError(f"more than {MAX_PAGES:,} pages")
    if not pages:
        raise PictureError("the TIFF holds only a thumbnail (is it a camera's raw file?)")


def _decode(image: Image.Image, max_pixels: int, at_least: int | None = None) -> Pixels:
    _load(image, max_pixels, at_least)
    return colours.to_pixels(_turn(image, _read_orientation(image)))


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = _MAKE_UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _load(image: Image.Image, max_pixels: int, at_least: int | None) -> None:
    """Decode a picture as it lies, a JPEG perhaps smaller; TIFFs are turned upright by it."""
    _check_size(image.size, max_pixels)
    if at_least is not None:
        image.draft(None, (max(at_least, 1), max(at_least, 1)))
    with _quiet_libtiff() if isinstance(image, TiffImageFile) else nullcontext():
        image.load()


def _decode_reduced(image: Image.Image, max_pixels: int, at_least: int) -> ReducedPicture:
    width, height = image.size
    _check_size(image.size, max_pixels)
    draft = image.draft(None, (max(at_least, 1), max(at_least, 1)))
    factor = round(width / draft[1][2]) if draft else 1
    pixels = _decode(image, max_pixels)
    # What is left over of the last column and row, in reduced pixels, goes where they are turned.
    right, bottom = (-side % factor / factor for side in (width, height))
    orientation = _read_orientation(image)
    left = {2: right, 3: right, 6: bottom, 7: bottom}.get(orientation, 0.0)
    top = {3: bottom, 4: bottom, 7: right, 8: right}.get(orientation, 0.0)
    return ReducedPicture(pixels, factor, left, top)


def _measure(image: Image.Image, max_pixels: int, notes: set[str] | None) -> tuple[int, int]:
    """Return the width and height of a picture, upright, once it has been decoded."""
    full = image.info.get(_FULL, image.size)
    _load(image, max_pixels, at_least=1)
    if image.mode not in {"L", "RGB"} or image.has_transparency_data:
        colours.to_pixels(image)  # may refuse it yet
    if notes is not None and (note := colours.note_depth(image)):
        notes.add(note)
    width, height = full if isinstance(image, JpegImageFile) or _FULL in image.info else image.size
    lies = _read_orientation(image) in range(5, 9)
    return (height, width) if lies else (width, height)


def _read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) when there is none or EXIF is broken.

    A TIFF's is 1 by now: PIL has already applied it. A PDF's pages go before EXIF.
    """
    if _TURN in image.info:
        return int(image.info[_TURN])
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _encode(pixels: Pixels, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    _to_image(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _to_image(pixels: Pixels) -> Image.Image:
    plane = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    is_picture = plane.ndim == 2 or (plane.ndim == 3 and plane.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_picture or not pixels.size:
        raise ValueError(
            f"a picture must be uint8 (H, W), (H, W, 1) or (H, W, 3), "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(plane))
