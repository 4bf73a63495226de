"""Pictures: every mode and format becomes proper uint8, and nothing hostile gets further."""

import base64
import io
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import COLOUR, GREY, HEIGHT, WIDTH, bombs, oriented, save, write_tiff
from PIL import Image, ImageCms, TiffImagePlugin

from pipeline.errors import DataError
from pipeline.intake.images import (
    PictureError,
    decode_page,
    decode_pages,
    encode_jpeg,
    encode_png,
    measure_pages,
    perceptual_hash,
)
from pipeline.intake.kinds import recognise

# A red, green, blue and white quarter, 32 high and 48 wide, to be turned clockwise when shown
# (irot, and orientation 6 in EXIF too, as phones write it).
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAK4AAgAAAAACmgABAAAAAAAAACQAAAA4aWluZgAAAAAA"
    "AgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADm"
    "aXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAq"
    "QgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQAN"
    "AAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBp"
    "eGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEA"
    "AQAAANptZGF0AAAAqigBrwng40icI//pUv/6pHQ+mUbe5QeYHsfT1/9cp/1wkNUa2MUk6JUqwFdcGEDBf9zsEeoDt/mx"
    "oK3uoEz71trnWnsZBj70sS+Y8+MiYbr3aTOb1vnZ8ACpAyyPS5oABq9ubn/pH9Y4Eib20nT5mydVuwXKJBHTe67R3itZ"
    "IhG8SAT6lJ8MfDtb4gro0+nEi23IDPwlD4pP66/lgOVE7wIUiukoxNwN0USwAAAABkV4aWYAAE1NACoAAAAIAAEBEgAD"
    "AAAAAQAGAAAAAAAA"
)


def without_palette(data):
    """A PNG without its chunk PLTE."""
    start = data.index(b"PLTE") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    return data[:start] + data[start + 12 + length :]


# --- Modes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_stays_grey_to_the_byte(kind):
    page = decode_page(save(GREY, kind))
    assert page.dtype == np.uint8 and page.flags.writeable
    assert np.array_equal(page, GREY)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}),
     ("WEBP", {"lossless": True})],
)  # fmt: skip
def test_colour_is_rgb_to_the_byte(kind, options):
    assert np.array_equal(decode_page(save(COLOUR, kind, **options)), COLOUR)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_is_what_opencv_decodes(picture, progressive):
    data = save(picture, "JPEG", quality=95, progressive=progressive)
    judge = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    page = decode_page(data)
    assert page.shape == picture.shape
    assert np.abs(page.astype(int) - (judge if judge.ndim == 2 else judge[..., ::-1])).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_clipped(kind):
    deep = np.arange(0, 65536, 97, dtype=np.uint16)[: 21 * 31].reshape(21, 31)
    page = decode_page(save(deep, kind))
    assert np.array_equal(page, np.rint(deep / 257).astype(np.uint8))


def test_16_bit_colour_keeps_its_high_bytes():
    deep = COLOUR.astype(np.uint16)[..., ::-1] * 257  # OpenCV writes BGR
    data = cv2.imencode(".png", deep)[1].tobytes()
    assert np.array_equal(decode_page(data), COLOUR)


def test_12_bit_tiff_has_white_at_4095():
    packed = bytes.fromhex("000800fff001")  # 0x000, 0x800, 0xfff, 0x001: two rows of two
    data = write_tiff(packed, bits=12, height=2, width=2)
    assert decode_page(data).tolist() == [[0, 128], [255, 0]]


@pytest.mark.parametrize(("photometric", "expected"), [(0, [255, 127, 0]), (1, [0, 128, 255])])
def test_16_bit_tiff_may_have_white_as_0(photometric, expected):
    pixels = np.array([0, 0x8000, 0xFFFF], "<u2").tobytes()
    data = write_tiff(pixels, bits=16, photometric=photometric, height=1, width=3)
    assert decode_page(data).tolist() == [expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.4, 200.0], [0, 100, 200]),
        ([0.0, 257.0, 65535.0], [0, 1, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([100_000.0, 150_000.0, 200_000.0], [0, 128, 255]),
        ([np.nan, 1.0, np.inf], [0, 255, 255]),
        ([-5.0, -5.0, -5.0], [0, 0, 0]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
    ],
)
def test_float_tiff_is_scaled_by_its_range(values, expected):
    assert decode_page(save(np.array([values], np.float32), "TIFF")).tolist() == [expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 7, 255], [0, 7, 255]), ([0, 257, 65535], [0, 1, 255]), ([-100, 0, 100], [0, 128, 255])],
)
def test_32_bit_tiff_is_scaled_by_its_range(values, expected):
    assert decode_page(save(np.array([values], np.int32), "TIFF")).tolist() == [expected]


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})],
)
def test_1_bit_is_black_and_white(kind, options):
    bits = Image.fromarray(np.where(GREY > 99, 255, 0).astype(np.uint8)).convert("1", dither=0)
    assert np.array_equal(decode_page(save(bits, kind, **options)), np.where(GREY > 99, 255, 0))


def test_palette_is_looked_up():
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 0, 5, 5, 5])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert decode_page(save(image, kind)).tolist() == [[[10, 20, 30], [200, 100, 0], [5] * 3]]


def test_palette_of_greys_is_grey():
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([9, 9, 9, 200, 200, 200, 5, 5, 5])
    for kind in ("PNG", "GIF", "BMP"):
        assert decode_page(save(image, kind)).tolist() == [[9, 200, 5]]


def on_white(values, alpha):
    return np.rint((values * (alpha / 255)) + (255 - alpha)).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"exact": True})]
)
def test_alpha_is_laid_on_white(kind, options):
    alpha = GREY.T.reshape(HEIGHT, WIDTH)
    data = save(np.dstack([COLOUR, alpha]), kind, **options | {"lossless": True})
    page = decode_page(data)
    assert np.abs(page.astype(int) - on_white(COLOUR, alpha[..., None])).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_with_alpha_stays_grey(kind):
    alpha = GREY.T.reshape(HEIGHT, WIDTH)
    data = save(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]), kind)
    page = decode_page(data)
    assert page.shape == GREY.shape
    assert np.abs(page.astype(int) - on_white(GREY, alpha)).max() <= 1


def test_premultiplied_alpha_is_laid_on_white():
    grey_and_alpha = bytes([50, 128, 0, 0, 77, 255])
    data = write_tiff(grey_and_alpha, height=1, width=3, bits=8, samples=2, extra_samples=1)
    assert decode_page(data).tolist() == [[50 + 127, 255, 77]]


@pytest.mark.parametrize("picture", [GREY, GREY.astype(np.uint16) * 257], ids=["8", "16"])
def test_transparent_grey_is_white(picture):
    value = int(picture[3, 4])
    page = decode_page(save(picture, "PNG", transparency=value))
    assert np.array_equal(page, np.where(picture == value, 255, GREY))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entry_is_white(kind):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 0, 5, 5, 5])
    page = decode_page(save(image, kind, transparency=1))
    assert page.tolist() == [[[10, 20, 30], [255, 255, 255], [5, 5, 5]]]


INKS = {  # cyan, magenta, yellow, black -> red, green, blue
    (0, 0, 0, 0): (255, 255, 255), (255, 0, 0, 0): (0, 255, 255), (0, 255, 0, 0): (255, 0, 255),
    (0, 0, 255, 0): (255, 255, 0), (0, 0, 0, 255): (0, 0, 0), (0, 0, 0, 100): (155, 155, 155),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind):
    for ink, light in INKS.items():
        page = decode_page(save(Image.new("CMYK", (16, 8), ink), kind))
        assert page.shape == (8, 16, 3)
        assert np.abs(page.astype(int) - light).max() <= 2


def test_adobes_inverted_cmyk_jpeg_is_not_a_negative():
    data = save(Image.new("CMYK", (16, 8), (0, 0, 0, 230)), "JPEG")
    assert b"Adobe" in data  # the mark of the inversion
    assert np.abs(decode_page(data).astype(int) - 25).max() <= 2


def test_ycbcr_becomes_rgb():
    page = decode_page(save(Image.fromarray(COLOUR).convert("YCbCr"), "TIFF"))
    assert np.abs(page.astype(int) - COLOUR).max() <= 3


def test_lab_becomes_rgb():
    levels = np.linspace(60, 200, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
    soft = np.stack([levels, np.full_like(levels, 120), levels[::-1]], axis=-1)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    data = save(
        ImageCms.profileToProfile(Image.fromarray(soft), srgb, lab, outputMode="LAB"), "TIFF"
    )
    assert np.abs(decode_page(data).astype(int) - soft).max() <= 5
    grey = Image.fromarray(np.array([[[0, 0, 0], [138, 0, 0], [255, 0, 0]]], np.uint8), "LAB")
    lightness = cv2.cvtColor(np.array([[[138, 128, 128]]], np.uint8), cv2.COLOR_LAB2RGB)[0, 0, 0]
    page = decode_page(save(grey, "TIFF")).astype(int)
    assert np.abs(page[0] - [[0] * 3, [lightness] * 3, [255] * 3]).max() <= 2


def test_colour_profiles_are_ignored():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_page(save(COLOUR, "PNG", icc_profile=profile)), COLOUR)
    assert np.array_equal(decode_page(save(COLOUR, "PNG", icc_profile=b"broken")), COLOUR)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1, 3)])
def test_odd_sizes_are_read(shape):
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(decode_page(save(picture, kind)), picture)


# --- Orientation -----------------------------------------------------------------------------

# How a picture is stored whose first row and first column are the ones that EXIF names
# (EXIF 2.32, tag 0112: 6 means that row 0 is the right side and column 0 the top).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
     ("WEBP", {"lossless": True})],
)  # fmt: skip
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_upright(orientation, kind, options, picture):
    stored = np.ascontiguousarray(STORED[orientation](picture))
    page = decode_page(save(stored, kind, exif=oriented(orientation), **options))
    expected = picture if picture.ndim == 3 or kind != "WEBP" else np.dstack([picture] * 3)
    assert np.array_equal(page, expected)


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_a_photo_is_turned_upright(orientation):
    upright = np.kron(np.array([[20, 90, 160], [230, 120, 60]], np.uint8), np.ones((16, 24), "u1"))
    stored = np.ascontiguousarray(STORED[orientation](upright))
    data = save(stored, "JPEG", quality=95, exif=oriented(orientation))
    assert np.abs(decode_page(data).astype(int) - upright).max() <= 8
    half = decode_page(data, at_least=16)
    assert half.shape == (16, 36)
    assert np.abs(half[4::8, 6::12].astype(int) - upright[8::16, 12::24]).max() <= 8


@pytest.mark.parametrize("orientation", STORED)
def test_16_bits_are_turned_too(orientation):
    stored = np.ascontiguousarray(STORED[orientation](GREY)).astype(np.uint16) * 257
    data = save(stored, "TIFF", tiffinfo={0x0112: orientation})
    assert np.array_equal(decode_page(data), GREY)


def test_each_page_of_a_tiff_has_its_own_orientation():
    with io.BytesIO() as buffer:
        with TiffImagePlugin.AppendingTiffWriter(buffer, True) as writer:
            for orientation, stored in STORED.items():
                turned = Image.fromarray(np.ascontiguousarray(stored(COLOUR)))
                turned.save(writer, "TIFF", exif=oriented(orientation))
                writer.newFrame()
        data = buffer.getvalue()
    pages = list(decode_pages(data))
    assert len(pages) == len(STORED)
    assert all(np.array_equal(page, COLOUR) for page in pages)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "exif",
    [b"", b"garbage", b"II*\0\xff\xff\xff\xff", oriented(0).tobytes(), oriented(9).tobytes()],
)
def test_broken_exif_leaves_a_picture_as_it_is(exif, kind):
    page = decode_page(save(GREY, kind, quality=100, exif=exif))
    assert np.abs(page.astype(int) - GREY).max() <= 3


# --- Pages and frames ------------------------------------------------------------------------


def write_pages(*pages, **options):
    first, *others = [Image.fromarray(page) for page in pages]
    return save(first, "TIFF", save_all=True, append_images=others, **options)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_every_page_of_a_tiff_is_a_scan(compression):
    pages = [GREY, COLOUR, GREY[:, :7], COLOUR[:5]]
    data = write_pages(*pages, compression=compression)
    decoded = list(decode_pages(data))
    assert len(decoded) == 4
    for number, page in enumerate(pages):
        assert np.array_equal(decoded[number], page)
        assert np.array_equal(decode_page(data, number), page)


@pytest.mark.parametrize("page", [-1, 2, 100])
def test_a_page_that_is_not_there(page):
    with pytest.raises(PictureError, match=f"there is no page {page}: the TIFF has 2"):
        decode_page(write_pages(GREY, GREY), page)


def test_pages_before_a_broken_one_are_read():
    data = bytearray(write_pages(GREY, COLOUR, compression="tiff_lzw"))
    second = data.index(encoded(COLOUR))
    data[second + 200 : second + 500] = bytes(300)
    pages = decode_pages(bytes(data))
    assert np.array_equal(next(pages), GREY)
    with pytest.raises(PictureError, match="unreadable TIFF"):
        next(pages)


def encoded(picture):
    """The first compressed bytes of a picture, as LZW TIFFs hold them."""
    with Image.open(io.BytesIO(save(picture, "TIFF", compression="tiff_lzw"))) as image:
        (start,), (size,) = image.tag_v2[273][:1], image.tag_v2[279][:1]
        return image.fp.getvalue()[start : start + min(size, 32)]


def test_thumbnails_in_a_tiff_are_no_scans():
    small = GREY[:3, :4].copy()
    with io.BytesIO() as buffer:
        with TiffImagePlugin.AppendingTiffWriter(buffer, True) as writer:
            for page, subfile_type in [(small, 1), (GREY, 0), (small, 1), (COLOUR, 2), (small, 4)]:
                Image.fromarray(page).save(writer, "TIFF", tiffinfo={254: subfile_type})
                writer.newFrame()
        data = buffer.getvalue()
    assert [page.shape for page in decode_pages(data)] == [GREY.shape, COLOUR.shape]
    assert np.array_equal(decode_page(data, 1), COLOUR)


def test_a_tiff_of_a_thumbnail_only_is_refused():
    data = write_tiff(bytes(12), bits=8, subfile_type=1, height=3, width=4)
    with pytest.raises(PictureError, match="only a thumbnail"):
        list(decode_pages(data))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "MPO"])
def test_of_an_animation_or_a_phones_pictures_the_first_is_read(kind):
    first, second = np.full((16, 24, 3), 200, np.uint8), np.full((16, 24, 3), 20, np.uint8)
    data = save(first, kind, save_all=True, append_images=[Image.fromarray(second)])
    (page,) = decode_pages(data)
    assert page.shape[:2] == (16, 24)
    assert np.abs(page.astype(int) - 200).max() <= 2


def test_a_jpeg_can_be_decoded_smaller():
    photo = cv2.resize(GREY, (640, 480), interpolation=cv2.INTER_LINEAR)
    data = save(photo, "JPEG", quality=95, exif=oriented(6))
    for at_least, shape in {1: (80, 60), 60: (80, 60), 61: (160, 120), 240: (320, 240)}.items():
        assert decode_page(data, at_least=at_least).shape == shape
    assert decode_page(data, at_least=241).shape == (640, 480)
    quarter = cv2.resize(np.rot90(photo, -1), (120, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(decode_page(data, at_least=100).astype(int) - quarter).max() <= 6


def test_other_formats_come_whole_whatever_is_asked():
    assert np.array_equal(decode_page(save(GREY, "PNG"), at_least=4), GREY)


# --- HEIC ------------------------------------------------------------------------------------


def test_heic_is_read_and_turned():
    pytest.importorskip("pi_heif")
    page = decode_page(HEIC)
    assert page.shape == (48, 32, 3) and page.dtype == np.uint8
    corners = page[[4, 4, -4, -4], [4, -4, 4, -4]].astype(int)
    blue, red, white, green = [31, 30, 220], [230, 30, 30], [240, 240, 240], [30, 200, 31]
    assert np.abs(corners - [blue, red, white, green]).max() <= 6


def test_heic_without_its_decoder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "_pi_heif", None)
    with pytest.raises(PictureError, match=r"pip install 'prep\[heic\]'"):
        decode_page(HEIC)


def test_a_heics_size_is_checked_before_it_is_decoded(monkeypatch):
    bomb = SimpleNamespace(primary=True, size_mode=((50_000, 50_000), "RGB"))  # with no pixels
    decoder = SimpleNamespace(load_file=lambda *_: [None, bomb])
    monkeypatch.setitem(sys.modules, "_pi_heif", decoder)
    with pytest.raises(PictureError, match="too large: 50000 x 50000 pixels"):
        decode_page(HEIC)


# --- What is no picture ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"Dear Sir, enclosed", r"not a picture \(starts with 'Dear Sir'\)"),
        (b"\0\0\0 ftypavif\0\0\0\0avifmif1", "^AVIF, which is not read"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "^JPEG 2000, which is not read"),
        (b"\xff\x4f\xff\x51\0\x2f", "^JPEG 2000, which is not read"),  # its bare codestream
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "^SVG, which is not read"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg width='9'/>", "^SVG, which is not read"),
        (b"<!--" * 1000 + b"-->" * 1000, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^PostScript, which is not"),
        (b"8BPS\0\1" + bytes(40), "^Photoshop's own format, which is not read"),
        (b"P5 2 2 255 abcd", "^PPM .*, which is not read"),  # PIL reads it; prep does not
        (b"BMW is no bitmap, nor is it a picture", "not a picture"),
        (b"\x1b[31m\n\xff", r"not a picture \(starts with '\\x1b\[31m\\n\\xff'\)"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (b"II*\0\x08\0\0\0", "truncated"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "unreadable WebP"),
        (b"GIF89a" + bytes(7), "truncated|unreadable GIF"),
        (
            write_tiff(bytes(9), height=3, width=3, bits=8, photometric=3),
            "its header has no ColorMap",
        ),  # colours
        (write_tiff(bytes(9), height=3, width=3, bits=8, photometric=9), "of bits, channels and"),
        (
            write_tiff(bytes(9), height=3, width=3, bits=8, photometric=1, compression=34712),
            "its compression, 34712, is not known",
        ),
        (
            without_palette(save(Image.fromarray(GREY).convert("P"), "PNG")),
            "its colours are in a palette, and it has none",
        ),
    ],
)
def test_what_is_no_picture_says_why(data, reason):
    with pytest.raises(PictureError, match=reason):
        decode_page(data)
    with pytest.raises(PictureError, match=reason):
        list(decode_pages(data))


def test_the_reason_is_a_data_error():
    assert issubclass(PictureError, DataError)


def test_the_content_tells_the_format():
    kinds = {"JPEG": "JPEG", "PNG": "PNG", "TIFF": "TIFF", "BMP": "BMP", "GIF": "GIF",
             "WEBP": "WebP", "MPO": "JPEG"}  # fmt: skip
    assert {kind: recognise(save(COLOUR, kind)) for kind in kinds} == kinds
    assert recognise(HEIC) == "HEIC"
    assert recognise(save(GREY, "TIFF", big_tiff=True)) == "TIFF"


@pytest.mark.parametrize("data", [pytest.param(data, id=kind) for kind, data in bombs()])
def test_a_decompression_bomb_is_refused_by_its_header(data):
    with pytest.raises(PictureError, match=r"too large: .*more than 200,000,000"):
        decode_page(data)


def test_the_refusal_names_the_size_and_the_limit():
    data = save(np.zeros((40, 50), np.uint8), "PNG")
    assert decode_page(data, max_pixels=2000).shape == (40, 50)
    with pytest.raises(PictureError) as refusal:
        decode_page(data, max_pixels=1999)
    assert str(refusal.value) == "too large: 50 x 40 pixels, more than 1,999"
    bomb = dict(bombs())["PNG"]
    with pytest.raises(
        PictureError, match="too large: 50000 x 50000 pixels, more than 200,000,000"
    ):
        decode_page(bomb)


def test_each_page_is_held_to_the_limit():
    pages = decode_pages(write_pages(GREY[:4], GREY), max_pixels=200)
    assert next(pages).shape == (4, WIDTH)
    with pytest.raises(PictureError, match="too large: 34 x 21"):
        next(pages)


def test_pils_own_limit_does_not_apply_and_is_left_as_it_was(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode_page(save(GREY, "PNG")).shape == GREY.shape
    with pytest.raises(PictureError):
        decode_page(b"\xff\xd8\xff")
    assert Image.MAX_IMAGE_PIXELS == 10


SAMPLES = [
    save(COLOUR, "JPEG", exif=oriented(6)),
    save(COLOUR, "JPEG", progressive=True),
    save(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"),
    save(COLOUR, "MPO", save_all=True, append_images=[Image.fromarray(COLOUR)]),
    save(np.dstack([COLOUR, GREY]), "PNG", exif=oriented(3)),
    save(GREY.astype(np.uint16) * 257, "PNG", transparency=300),
    save(Image.fromarray(COLOUR).quantize(16), "PNG", transparency=3),
    save(COLOUR, "TIFF", exif=oriented(8)),
    save(COLOUR, "TIFF", compression="tiff_lzw"),
    save(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"),
    save(GREY / np.float32(255), "TIFF"),
    write_pages(GREY, COLOUR, GREY),
    save(COLOUR, "BMP"),
    save(Image.fromarray(COLOUR).quantize(16), "GIF", transparency=2),
    save(COLOUR, "WEBP"),
    save(np.dstack([COLOUR, GREY]), "WEBP", lossless=True),
    HEIC,
]
WHOLE = {sample: list(decode_pages(sample)) for sample in SAMPLES[:-1]}


def decode_or_refuse(data):
    """What a hostile file must come to: pages, or one PictureError, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            pages = list(decode_pages(data, max_pixels=1_000_000))
        except PictureError as error:
            assert str(error).isprintable() and len(str(error)) < 200
            return None
    for page in pages:
        assert page.dtype == np.uint8 and page.size
        assert page.ndim == 2 or page.shape[2:] == (3,)
    return pages


@settings(max_examples=400)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_truncated_file_is_refused_unless_no_pixel_is_missing(sample, data):
    pages = decode_or_refuse(sample[: data.draw(st.integers(0, len(sample) - 1))])
    if pages is not None:
        assert len(pages) == len(WHOLE[sample])
        assert all(map(np.array_equal, pages, WHOLE[sample]))


@settings(max_examples=600)
@given(st.sampled_from(SAMPLES), st.data())
def test_flipped_bits_give_a_picture_or_a_reason(sample, data):
    flips = st.integers(0, 8 * len(sample) - 1)
    header = st.integers(0, 8 * 120 - 1)
    broken = bytearray(sample)
    for bit in data.draw(st.lists(flips | header, min_size=1, max_size=8)):
        broken[bit // 8] ^= 1 << bit % 8
    decode_or_refuse(bytes(broken))


@settings(max_examples=200)
@given(st.sampled_from([sample[:12] for sample in SAMPLES]), st.binary(max_size=200))
def test_noise_behind_a_signature_gives_a_reason(signature, noise):
    decode_or_refuse(signature + noise)


def verdict(pages):
    """What comes of a file's pages, and why no more do."""
    good = []
    try:
        good.extend(pages)
    except PictureError as error:
        return good, str(error)
    return good, ""


@settings(max_examples=600)
@given(st.sampled_from(SAMPLES), st.data())
def test_measuring_finds_what_decoding_finds(sample, data):
    end = data.draw(st.integers(0, len(sample)))
    broken = bytearray(sample[:end] if data.draw(st.booleans()) else sample)
    for bit in data.draw(st.lists(st.integers(0, max(8 * len(broken) - 1, 0)), max_size=8)):
        if broken:
            broken[bit // 8] ^= 1 << bit % 8
    limit = 1_000_000
    sizes = (page.shape[1::-1] for page in decode_pages(bytes(broken), max_pixels=limit))
    assert verdict(measure_pages(bytes(broken), max_pixels=limit)) == verdict(sizes)


@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_measured_in_full_and_upright(orientation):
    photo = save(np.zeros((480, 641, 3), np.uint8), "JPEG", exif=oriented(orientation))
    assert list(measure_pages(photo)) == [(480, 641) if orientation >= 5 else (641, 480)]


def test_libraries_under_pil_do_not_write_to_the_terminal():
    broken = bytearray(save(COLOUR, "TIFF", compression="tiff_lzw"))
    broken[40:300] = b"\xff" * 260  # libtiff complains of this,
    too_many = write_tiff(bytes(9), height=3, width=3, bits=8, samples=999)  # and PIL logs this
    script = (
        "from pipeline.intake import images\n"
        f"for data in ({bytes(broken)!r}, {too_many!r}):\n"
        "    try: images.decode_page(data)\n"
        "    except images.PictureError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines() == [
        "unreadable TIFF: its pixels are damaged, or packed in a way that is not known",
        "unreadable TIFF: it is damaged, or of a kind that is not known",
    ]
    assert run.stderr == ""


def test_threads_do_not_disturb_each_other():
    samples = [save(GREY, "PNG"), save(GREY, "TIFF"), b"\xff\xd8\xff", save(GREY, "BMP")] * 20
    filters, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS

    def read(data):
        try:
            return decode_page(data, max_pixels=10_000 + len(data))
        except PictureError:
            return None

    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(read, samples))
    assert all(
        page is None if data.startswith(b"\xff\xd8") else np.array_equal(page, GREY)
        for data, page in zip(samples, pages, strict=True)
    )
    assert (warnings.filters, Image.MAX_IMAGE_PIXELS) == (filters, limit)


# --- Encoding --------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", [GREY, COLOUR, GREY[..., None]], ids=["HW", "HW3", "HW1"])
def test_png_gives_back_what_it_was_given(picture):
    data = encode_png(picture)
    assert data == encode_png(picture.copy())
    assert np.array_equal(decode_page(data), picture.squeeze())
    assert np.array_equal(decode_page(encode_png(picture[:, ::-1])), picture[:, ::-1].squeeze())


def test_jpeg_gives_back_nearly_what_it_was_given():
    smooth = cv2.GaussianBlur(COLOUR, (0, 0), 5)
    data = encode_jpeg(smooth, quality=95)
    assert data == encode_jpeg(smooth, quality=95) != encode_jpeg(smooth)
    judge = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(judge.astype(int) - smooth).max() <= 12
    assert decode_page(encode_jpeg(GREY)).shape == GREY.shape


@pytest.mark.parametrize(
    "pixels",
    [GREY.astype(float), GREY[:0], GREY[0], np.dstack([COLOUR, GREY]), COLOUR[None]],
    ids=["float", "empty", "1-d", "alpha", "batch"],
)
def test_only_pictures_are_encoded(pixels):
    for encode in (encode_png, encode_jpeg):
        with pytest.raises(ValueError, match="a picture must be uint8"):
            encode(pixels)


# --- Perceptual hash -------------------------------------------------------------------------


def hash_distance(first, second):
    return int(np.bitwise_count(perceptual_hash(first) ^ perceptual_hash(second)))


def test_look_alikes_have_near_hashes():
    generator = np.random.default_rng(4)
    photo, other = (
        cv2.resize(generator.integers(0, 256, (6, 8, 3)).astype(np.uint8), (160, 120))
        for _ in range(2)
    )
    assert perceptual_hash(photo).dtype == np.uint64
    assert hash_distance(photo, photo.copy()) == 0
    assert hash_distance(photo, cv2.resize(photo, (80, 80))) <= 6
    assert hash_distance(photo, decode_page(encode_jpeg(photo, 40))) <= 6
    assert hash_distance(photo, other) >= 20
    assert hash_distance(photo, photo[:, ::-1]) >= 20
