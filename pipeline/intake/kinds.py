"""What a file is, by its first bytes: a picture of some format, or what else, with what to do."""

import re
from pathlib import PurePosixPath

from pipeline.errors import DataError
from pipeline.intake.names import is_example

_HEAD = 4096  # bytes that tell what a file is
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_PDF_START = 1024  # bytes in which readers look for it; some programs begin with a blank line
_BEFORE_PDF = b"\0\t\n\f\r \xef\xbb\xbf"
_HEIC_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
_CONVERT = "which is not read: convert it to PNG or JPEG"
_FILM = "a film, which is not read: save the frames that you want as PNG or JPEG"
_RAW = "a camera's raw file, which is not read: export it as JPEG"
_ARCHIVE = "an archive that is not opened (only .zip, .tar and .tar.gz are): unpack it"
_WASTE = "no picture: delete it"

# Patterns of the first bytes, the first that fits; what the file is, and what to do.
_KINDS: dict[bytes, str] = {
    rb"version https://git-lfs": "a Git LFS pointer, not the picture itself: run git lfs pull",
    rb"....ftyp(avif|avis)": f"AVIF, {_CONVERT}",
    rb"\xff\x0a|\0\0\0\x0cJXL ": f"JPEG XL, {_CONVERT}",
    rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51": f"JPEG 2000, {_CONVERT}",
    rb"....ftypcrx |II\*\0....CR|HEAPCCDR|.{6}HEAPCCDR": _RAW,
    rb"FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM": _RAW,
    rb"....ftyp|....(moov|mdat|wide|free|skip|pnot)": _FILM,
    rb"RIFF....AVI |\x1a\x45\xdf\xa3|\0\0\x01[\xb3\xba]|FLV\x01|\x30\x26\xb2\x75": _FILM,
    rb"RIFF....WAVE|ID3|fLaC|OggS": "a sound recording, not a picture",
    rb"%FDF-": "the entries of a PDF form (FDF), without the form itself",
    rb"%!PS|\xc5\xd0\xd3\xc6": f"PostScript, {_CONVERT}",
    rb"8BP[SB]": f"Photoshop's own format, {_CONVERT}",
    rb"gimp xcf": f"GIMP's own format, {_CONVERT}",
    rb"\0\0[\x01\x02]\0[^\0]\0": f"an icon, {_CONVERT}",
    rb"II\xbc\x01": f"JPEG XR, {_CONVERT}",
    rb"\x76\x2f\x31\x01|#\?RADIANCE|#\?RGBE": f"a picture of high dynamic range, {_CONVERT}",
    rb"SIMPLE  =": f"FITS, {_CONVERT}",
    rb".{128}DICM": f"DICOM, {_CONVERT}",
    rb"DDS ": f"a texture (DDS), {_CONVERT}",
    rb"P[1-6]\s+[#\d]|P7\s": f"PPM (or PBM, PGM, PAM), {_CONVERT}",
    rb"(\xef\xbb\xbf)?\s*<(svg|(\?xml|!--|!DOCTYPE svg).*<svg)\s": f"SVG, {_CONVERT}",
    rb"(?i)(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(!doctype html|html|head|body|script)\b": (
        "a web page, not a picture: download the picture again"
    ),
    rb"(\xef\xbb\xbf)?\s*<\?xml": (
        "XML, not a picture; perhaps what a server said instead: download the picture again"
    ),
    rb"(\xef\xbb\xbf)?\s*[\[{]\s*[\"\[{}\]]": (
        "JSON, not a picture; perhaps what a server said instead: download the picture again"
    ),
    rb"PK\x03\x04|PK\x05\x06|7z\xbc\xaf|Rar!|\x1f\x8b|BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd": _ARCHIVE,
    rb"\x89HDF\r\n|\x93NUMPY|MATLAB \d|PAR1": (
        "a table or an array of numbers, not a picture: sets of these go with layout array"
    ),
    rb"\0\x05\x16[\0\x07]": f"what a Mac notes about a file (AppleDouble), {_WASTE}",
    rb"\0\0\0\x01Bud1": f"what a Mac notes about a folder (.DS_Store), {_WASTE}",
    rb"\s*\[\.ShellClassInfo\]": f"what Windows notes about a folder (desktop.ini), {_WASTE}",
    rb"L\0\0\0\x01\x14\x02\0|\s*\[InternetShortcut\]": (
        "a shortcut, not the picture itself: copy what it points to"
    ),
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"an Office document or a Thumbs.db, {_WASTE}",
    rb"SQLite format 3": f"a database (SQLite), {_WASTE}",
}  # fmt: skip
_TABLES = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "a table"),
    **dict.fromkeys((".xlsx", ".ods"), "a spreadsheet"),
    **dict.fromkeys((".npz", ".npy"), "an array of NumPy's"),
    ".mat": "an array of Matlab's",
    **dict.fromkeys((".h5", ".hdf5"), "an HDF5 file"),
    **dict.fromkeys((".parquet", ".arrow", ".feather"), "a table"),
    **dict.fromkeys((".pkl", ".pickle"), "a pickle, which may run code"),
}
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+")


class PictureError(DataError):
    """A file is no picture that can be read; the message is the reason to quarantine it."""


def recognise(data: bytes) -> str:
    """Return the format of a picture file by its first bytes: 'JPEG', 'PNG', ..., 'HEIC'.

    Raises PictureError when they are no picture's.
    """
    if data[8:10] == b"CR" and data.startswith(b"II*"):  # a TIFF, in which a camera's raw data lie
        raise PictureError(_explain_foreign(data))
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:_PDF_START].lstrip(_BEFORE_PDF).startswith(b"%PDF-"):
        return "PDF"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        if _holds_avif(data):
            raise PictureError(f"AVIF, {_CONVERT}")
        return "HEIC"
    raise PictureError(_explain_foreign(data))


def _explain_foreign(data: bytes) -> str:
    """Return why a file that is none of the pictures that are read is quarantined."""
    if not data:
        return "empty file: copy or download it again"
    for pattern, reason in _KINDS.items():
        if re.match(pattern, data[:_HEAD], re.DOTALL):
            return reason
    if not data.strip(b"\0"):
        return (
            "not a picture but zeros only, as a download or copy that broke off leaves: repeat it"
        )
    start = f"not a picture (starts with '{ascii(data[:8])[2:-1]}')"
    return f"{start} but text" if _is_text(data[:_HEAD]) else start


def explain_table(name: str, *, is_array: bool = False) -> str:
    """Return what to do about pictures in a file that is named like a table; "" for another.

    `is_array`: its source has layout array already, where it is none of those that are read.
    """
    kind = _TABLES.get(PurePosixPath(name.removesuffix(".gz")).suffix.lower())
    if kind is None:
        return ""
    if kind == "an HDF5 file" or kind.startswith("a pickle"):
        return f"{name} is {kind}, which is not read: save its arrays as .npz, for layout array"
    if is_array and is_example(name):
        return f"{name} is an example of an answer, no set: put the set itself there"
    if is_array:
        named = PurePosixPath(name.removesuffix(".gz")).with_suffix(".csv").name
        mend = "save" if kind == "a spreadsheet" else "rename"
        return (
            f"{name} is {kind}, and by its name no set of arrays: if it holds pictures as numbers, "
            f"{mend} it as {named}"
        )
    saved = " saved as CSV" if kind == "a spreadsheet" else ""
    return (
        f"{name} is {kind}, and no picture: if it holds pictures as numbers, it goes{saved} with "
        "layout array (docs/params.md)"
    )


def _holds_avif(data: bytes) -> bool:
    """Return whether a file of HEIC's family says that it holds AVIF, and no HEIC."""
    brands = data[8 : min(int.from_bytes(data[:4], "big"), _HEAD)]
    named = {brands[place : place + 4] for place in range(0, len(brands), 4)}
    return bool(named & {b"avif", b"avis"}) and not named & {b"heic", b"heix", b"hevc", b"hevx"}


def _is_text(head: bytes) -> bool:
    if not _TEXT.fullmatch(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a letter that the head cuts through
    return True
