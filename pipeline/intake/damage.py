"""Why a decoder gave up a picture, in words of ours."""

import io
import struct
import warnings
import zlib

from PIL import ImageCms, TiffTags
from PIL.TiffImagePlugin import TiffImageFile

# TIFF 6.0, sections 3 and 8
_PIXELS_AT = ((273, 324), (279, 325))  # where strips or tiles begin, and how long they are
_RAW_COLOURS = (32803, 34892)  # of cameras: a filter's mosaic, and linear raw

# What PIL and the libraries under it are known to raise on broken bytes.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError,
    RuntimeError, AttributeError, AssertionError, BufferError, SystemError, MemoryError,
    struct.error, zlib.error, ImageCms.PyCMSError,
)  # fmt: skip


def explain(kind: str, data: bytes, error: Exception, warned: list[warnings.WarningMessage]) -> str:
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
    except DECODER_ERRORS:
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
