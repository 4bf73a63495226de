"""What a form's page says of itself: its description as text, as a QR code, and its markers.

The text is four lines, and the last proves the others (CRC-32 in base64):

    prep1 a4 10x8 row 1/1 k3f9d2        layout's version, paper, grid, order, page, set of pages
    Ada Lovelace                        the writer, '' where the name is left to fill in
    0<US>9                              the page's classes, runs of characters shortened
    5sCN7w

From version 2 on the code may hold the text deflated, as letters and digits, where that makes it
smaller.

Modules of a code or marker are bool (N, N), True where black, without the white around them.
"""

import base64
import zlib

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.forms.layout import CODE_SIDES, Form

MARKER_DICTIONARY = cv2.aruco.DICT_ARUCO_MIP_36H12

# A blurred photo's code is read while the blur is under half a module (standard deviation), as JPEG
# keeps no finer traces: on paper a module measures 0.7 mm or more, for which a page may have this
# many a side, by its version. Other codes are printed only if a page has a single, very long name.
USUAL_CODES = {1: 37, 2: 49}
LARGEST_CODE = 57

# "0<US>9" in the code means the ten digits; no name can hold a control character.
_RUN = "\x1f"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def describe_form(form: Form) -> str:
    """Return the text of the page's code: a header, the writer, the classes and a checksum."""
    header = (
        f"prep{form.version} {form.paper} {form.rows}x{form.columns} {form.order} "
        f"{form.page}/{form.pages} {form.identity}"
    )
    text = f"{header}\n{form.writer}\n{pack_names(form.classes)}\n"
    return text + _checksum(text)


def parse_form(text: str) -> Form:
    """Return the form that a code's text describes.

    Raises ValueError when the checksum or the version is not ours: such a text is never used.
    """
    if not text.startswith("prep"):
        text = _inflate(text)
    body, found = text[:-6], text[-6:]
    if _checksum(body) != found:
        raise ValueError(f"the code's checksum does not match: {text!r}")
    header, writer, packed, _ = body.split("\n")
    version, paper, grid, order, page, identity = header.split(" ")
    if version not in (f"prep{known}" for known in CODE_SIDES):
        raise ValueError(f"the code is of layout '{version}', expected 'prep{max(CODE_SIDES)}'")
    rows, columns = grid.split("x")
    number, pages = page.split("/")
    return Form(
        paper, int(rows), int(columns), "row" if order == "row" else "box",
        unpack_names(packed), writer, identity, int(number), int(pages), int(version[4:]),
    )  # fmt: skip


def _checksum(text: str) -> str:
    """Return the CRC-32 of the text as six letters."""
    return base64.b64encode(zlib.crc32(text.encode()).to_bytes(4, "big")).decode()[:6]


def pack_names(names: tuple[str, ...]) -> str:
    """Return the names as one line, tab between them, with runs such as 0 to 9 shortened."""
    packed: list[str] = []
    start = 0
    while start < len(names):
        end = _end_of_run(names, start)
        packed += [names[start]] if end == start else [f"{names[start]}{_RUN}{names[end]}"]
        start = end + 1
    # Single characters need no mark between them.
    tight = all(len(name) == 1 for name in names)
    return "".join(packed) if tight else "\t".join([*packed, ""])


def unpack_names(packed: str) -> tuple[str, ...]:
    """Return the names of a line that `pack_names` wrote."""
    spaced = packed.endswith("\t")
    parts = packed[:-1].split("\t") if spaced else _split_tight(packed)
    return tuple(name for part in parts for name in _expand_run(part))


def _split_tight(packed: str) -> list[str]:
    parts: list[str] = []
    while packed:
        length = 3 if packed[1:2] == _RUN else 1
        parts.append(packed[:length])
        packed = packed[length:]
    return parts


def _end_of_run(names: tuple[str, ...], start: int) -> int:
    """Return the index where consecutive characters end, or `start` if there are under four."""
    end = start
    while (
        end + 1 < len(names)
        and len(names[end]) == len(names[end + 1]) == 1
        and ord(names[end + 1]) == ord(names[end]) + 1
    ):
        end += 1
    return end if end - start >= 3 else start


def _expand_run(part: str) -> list[str]:
    if len(part) == 3 and part[1] == _RUN:
        return [chr(point) for point in range(ord(part[0]), ord(part[2]) + 1)]
    return [part]


def draw_code(form: Form) -> npt.NDArray[np.bool_]:
    """Return the page's QR code, (N, N), True where black.

    Error correction is level M, an eighth of the code: more would make the modules so small that
    blur costs more than correction gains. Raises DataError when the description is too long.
    """
    text = describe_form(form)
    codes = [_encode(text, cv2.QRCODE_ENCODER_MODE_BYTE)]
    if form.version > 1:
        codes.append(_encode(_deflate(text), cv2.QRCODE_ENCODER_MODE_ALPHANUMERIC))
    fitting = [code for code in codes if code is not None and len(code) <= LARGEST_CODE]
    if not fitting:
        raise DataError(f"The page's names are too long for its code: {text!r}.")
    return min(fitting, key=len)


def _encode(text: str, mode: int) -> npt.NDArray[np.bool_] | None:
    parameters = cv2.QRCodeEncoder.Params()
    parameters.mode = mode
    parameters.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_M
    try:
        picture = cv2.QRCodeEncoder.create(parameters).encode(text)
    except cv2.error:  # longer than any QR code holds
        return None
    # OpenCV adds a border of two modules.
    return np.asarray(np.asarray(picture)[2:-2, 2:-2] == 0, np.bool_)


def _deflate(text: str) -> str:
    """Return the text compressed, in the 45 letters that QR codes store most tightly."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # The leading 1 keeps zero bytes at the start.
    number = int.from_bytes(b"\1" + packer.compress(text.encode()) + packer.flush(), "big")
    letters = ""
    while number:
        number, letter = divmod(number, len(_LETTERS))
        letters += _LETTERS[letter]
    return letters


def _inflate(letters: str) -> str:
    """Return the text that `_deflate` compressed; ValueError for anything else."""
    number = 0
    if not set(letters) <= set(_LETTERS):
        raise ValueError(f"neither a form's text nor one with a checksum, deflated: {letters!r}")
    for letter in reversed(letters):
        number = number * len(_LETTERS) + _LETTERS.index(letter)
    packed = number.to_bytes((number.bit_length() + 7) // 8, "big")
    try:
        return zlib.decompress(packed[1:], -zlib.MAX_WBITS).decode()
    except zlib.error as error:
        raise ValueError("the code holds no deflated text") from error


def draw_marker(number: int) -> npt.NDArray[np.bool_]:
    """Return a marker's modules, (8, 8), True where black."""
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    return np.asarray(cv2.aruco.generateImageMarker(dictionary, number, 8) == 0)
