"""Picture files <-> arrays: the only module that decodes and encodes pictures.

A decoded page is upright (its EXIF orientation applied) uint8, (H, W) when the file is grey,
(H, W, 3) RGB otherwise; 0 is black. The format is read from the content, never from a name:
JPEG (of a phone's multi-picture file the first), PNG, TIFF (every page), BMP, GIF and WebP (of
an animation the first frame), HEIC where pi-heif is installed.

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
import logging
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, TiffTags
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pipeline.errors import pass_on_machine
from pipeline.intake import levels
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
# TIFF 6.0, sections 3 and 8
_NEW_SUBFILE_TYPE, _THUMBNAIL_OR_MASK = 254, 1 | 4
_BITS_PER_SAMPLE = 258
_MAX_SAMPLE_VALUE = 281
_SIGNIFICANT = "highest"  # in an image's info: by a PNG's sBIT
_PIXELS_AT = ((273, 324), (279, 325))  # where strips or tiles begin, and how long they are
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_RAW_COLOURS = (32803, 34892)  # of cameras: a filter's mosaic, and linear raw

# What PIL and the libraries under it are known to raise on broken bytes.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError,
    RuntimeError, AttributeError, AssertionError, BufferError, SystemError, MemoryError,
    struct.error, zlib.error, ImageCms.PyCMSError,
)  # fmt: skip

_ONE_AT_A_TIME = threading.Lock()
_SILENT = logging.NullHandler()


def decode_pages(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Iterator[Pixels]:
    """Yield each page of a picture file, upright, uint8 (H, W) or (H, W, 3) RGB.

    A TIFF may have several pages (thumbnails and masks among them are passed over), any other
    file has one. Raises PictureError when the file cannot be read, in a TIFF after the pages
    before the broken one; a page of more than max_pixels is refused before it is decoded.
    """
    return _each_page(data, max_pixels, partial(_decode, max_pixels=max_pixels))


def measure_pages(
    data: bytes, *, max_pixels: int = MAX_PIXELS, notes: set[str] | None = None
) -> Iterator[tuple[int, int]]:
    """Yield the width and height of each page, upright, of a picture file that can be decoded.

    To `notes` goes what should be told of how its pages are read.

    Raises PictureError where decode_pages does; a JPEG is decoded at an eighth of its size, for
    which libjpeg reads every byte as for the whole.
    """
    return _each_page(data, max_pixels, partial(_measure, max_pixels=max_pixels, notes=notes))


def decode_page(
    data: bytes, page: int = 0, *, at_least: int | None = None, max_pixels: int = MAX_PIXELS
) -> Pixels:
    """Return one page of a picture file, counted from 0, as decode_pages gives it.

    With `at_least` (pixels) a JPEG may come at a half, quarter or eighth of its size, as long as
    its short side keeps that many pixels: several times faster when only a small picture is
    wanted. Raises PictureError as decode_pages does, and when there is no such page.
    """
    kind = recognise(data)
    with _careful(kind, data, max_pixels):
        image = _open(kind, data, max_pixels)
        for number, _ in enumerate(_seek_pages(image)):
            if number == page:
                return _decode(image, max_pixels, at_least)
        raise PictureError(f"there is no page {page}: the {kind} has {number + 1}")


def decode_reduced(
    data: bytes, at_least: int, *, max_pixels: int = MAX_PIXELS
) -> Iterator[ReducedPicture]:
    """Yield each page as decode_pages does, a JPEG's at a half, quarter or eighth where it may be.

    Its short side keeps `at_least` pixels. Raises PictureError as decode_pages does.
    """
    decode = partial(_decode_reduced, max_pixels=max_pixels, at_least=at_least)
    return _each_page(data, max_pixels, decode)


def _each_page(
    data: bytes, max_pixels: int, work: Callable[[Image.Image], Result]
) -> Iterator[Result]:
    """Yield what `work` makes of each page of a picture file."""
    kind = recognise(data)
    with _careful(kind, data, max_pixels):
        image = _open(kind, data, max_pixels)
        pages = _seek_pages(image)
    while True:
        with _careful(kind, data, max_pixels):
            if next(pages, None) is None:
                return
            made = work(image)
        yield made


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
        except _DECODER_ERRORS as error:
            pass_on_machine(error, "")
            raise PictureError(_explain(kind, data, error, warned)) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit_before


def _explain(
    kind: str, data: bytes, error: Exception, warned: list[warnings.WarningMessage]
) -> str:
    """Return in words of ours why a decoder gave up; what it says itself is for programmers."""
    causes = (error, error.__cause__)
    complaints = [str(error), *(str(warning.message) for warning in warned)]
    for cause in causes:
        if isinstance(cause, KeyError):
            return f"unreadable {kind}: {_explain_lookup(kind, cause.args[0])}"
    if (
        any(isinstance(cause, EOFError | IndexError | struct.error) for cause in causes)
        or any("truncated" in text.lower() or "but only got" in text for text in complaints)
    ) and not (kind == "TIFF" and _is_whole_tiff(data)):
        return f"truncated: the {kind} ends too early"
    if isinstance(error, AssertionError) and kind == "PNG":
        return f"unreadable {kind}: its colours are in a palette, and it has none"
    if kind == "HEIC" and any(
        word in text.lower() for text in complaints for word in ("unsupported", "plugin", "codec")
    ):
        return "a HEIC photo of a kind that is not decoded here: convert it to JPEG"
    if any("decod" in text or "broken data" in text for text in complaints):
        return f"unreadable {kind}: its pixels are damaged, or packed in a way that is not known"
    return f"unreadable {kind}: it is damaged, or of a kind that is not known"


def _is_whole_tiff(data: bytes) -> bool:
    """Return whether all strips or tiles of a TIFF's first page lie within the file."""
    try:
        tags = TiffImageFile(io.BytesIO(data)).tag_v2
    except _DECODER_ERRORS:
        return False
    starts, sizes = (tags.get(strips) or tags.get(tiles) for strips, tiles in _PIXELS_AT)
    if not starts or not sizes or len(starts) != len(sizes):
        return False
    return all(start + size <= len(data) for start, size in zip(starts, sizes, strict=True))


def _explain_lookup(kind: str, key: object) -> str:
    """Return what PIL did not find in a file's header, or what there it does not know."""
    if kind == "TIFF" and isinstance(key, tuple):
        if set(_RAW_COLOURS) & set(key):
            return "it is a camera's raw file: export it as JPEG"
        return "its combination of bits, channels and colours is not known"
    if kind == "TIFF" and isinstance(key, int):
        tag = TiffTags.lookup(key).name
        missing, unknown = f"its header has no {tag}", f"its compression, {key}, is not known"
        return unknown if tag == "unknown" else missing
    return f"its header has no (or an unknown) {key!r}"


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
        image.info[_SIGNIFICANT] = 2 ** levels.read_significant_bits(data) - 1
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
    turn = _MAKE_UPRIGHT.get(_read_orientation(image))
    return _to_pixels(image if turn is None else image.transpose(turn))


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
    full = image.size
    _load(image, max_pixels, at_least=1)
    if image.mode not in {"L", "RGB"} or image.has_transparency_data:
        _to_pixels(image)  # may refuse it yet
    if notes is not None and (note := _note_depth(image)):
        notes.add(note)
    width, height = full if isinstance(image, JpegImageFile) else image.size
    lies = _read_orientation(image) in range(5, 9)
    return (height, width) if lies else (width, height)


def _read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) when there is none or EXIF is broken.

    A TIFF's is 1 by now: PIL has already applied it.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_pixels(image: Image.Image) -> Pixels:
    """Return a decoded picture of any mode as uint8 (H, W) or (H, W, 3) RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _scale_to_uint8(image)
    grey = _is_grey(image)
    if image.has_transparency_data:
        image = _lay_on_white(image)
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    mode = "L" if grey else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode))


def _is_grey(image: Image.Image) -> bool:
    if image.mode in {"P", "PA"}:
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in {"1", "L", "LA", "La"}


def _lay_on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # grey multiplied with its alpha, which PIL converts to this only
        image = image.convert("LA")
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
    return paper


def _scale_to_uint8(image: Image.Image) -> Pixels:
    """Return a grey picture of more than 8 bits as uint8 (H, W), by the module's rule."""
    values = np.array(image)
    tags = getattr(image, "tag_v2", {})
    if values.dtype.itemsize == 2:
        pixels = levels.scale_whole(values, levels.find_highest(values, _read_highest(image)))
    else:
        pixels = levels.scale_by_values(values)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # PIL inverts 8-bit TIFFs only
        pixels = 255 - pixels
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        pixels[values == transparent] = 255
    result: Pixels = pixels
    return result


def _read_highest(image: Image.Image) -> int:
    """Return the highest value that a file of 16 bits says it may hold, 0 where it says nothing."""
    if not isinstance(image, TiffImageFile):
        return int(image.info.get(_SIGNIFICANT, 0))
    if image.tag_v2.get(_BITS_PER_SAMPLE) == (12,):
        return 4095
    highest = image.tag_v2.get(_MAX_SAMPLE_VALUE, 0)
    highest = highest[0] if isinstance(highest, tuple) and highest else highest
    return highest if isinstance(highest, int) else 0


def _note_depth(image: Image.Image) -> str:
    """Return what is to be told of a decoded picture's scale, "" for nothing."""
    values = np.array(image) if image.mode.startswith("I;16") else np.zeros(1, np.uint32)
    if values.dtype.itemsize != 2:
        return ""
    highest = levels.find_highest(values, _read_highest(image))
    return "" if highest == 65535 else f"grey of 16 bits was read as 0 to {highest:,}"


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
