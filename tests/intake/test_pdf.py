"""A PDF's pages are pictures: its scans their own pixels, all else as it is seen."""

import io

import numpy as np
import pdf_files
import pytest
from PIL import Image

from pipeline.intake import images

OCR = " BT /F 40 Tf 3 Tr 100 400 Td (seven) Tj ET"
STAMP = " BT /F 40 Tf 100 400 Td (PAID) Tj ET"


def scan(height=301, width=212, channels=3):
    """A smooth picture with no symmetry, and something dark in a corner."""
    y, x = np.mgrid[:height, :width]
    shades = [200 - y / 3, 255 - x / 3, 120 + x * y / 1200][:channels]
    pixels = np.stack(shades, axis=2).clip(0, 255).astype(np.uint8)
    pixels[20:60, 15:90] = 10
    return pixels if channels == 3 else pixels[..., 0]


def decode(pdf, **options):
    pages = list(images.decode_pages(pdf, **options))
    sizes = [one if isinstance(one, Exception) else one.shape[1::-1] for one in pages]
    measured = list(images.measure_pages(pdf, **options))
    assert [str(one) for one in measured] == [str(one) for one in sizes]
    return pages


def close(one, other, most=6):
    grey = [np.asarray(Image.fromarray(p).convert("L"), float) for p in (one, other)]
    return np.abs(grey[0] - grey[1]).mean() < most


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}])
def test_a_jpeg_in_a_pdf_is_the_same_pixels_as_the_jpeg(channels, options):
    files = [pdf_files.jpeg(scan(300 + n, 211, channels), **options) for n in range(10)]
    pdf = pdf_files.write(*(pdf_files.page(pdf_files.dct(file)) for file in files))
    for page, file in zip(decode(pdf), files, strict=True):
        assert np.array_equal(page, images.decode_page(file))


def test_pillows_own_pdf_gives_its_pictures():
    pictures = [Image.fromarray(scan(300 + n, 211)) for n in range(3)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "PDF", save_all=True, append_images=pictures[1:], quality=75)
    for page, picture in zip(decode(buffer.getvalue()), pictures, strict=True):
        assert page.shape == np.asarray(picture).shape and close(page, np.asarray(picture), 2)


@pytest.mark.parametrize("make", [pdf_files.flate, lambda p: pdf_files.dct(pdf_files.jpeg(p))])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pages_are_upright(make, turn, mirrored):
    stored = scan()
    width, height = pdf_files.A4
    content = f"q {-width if mirrored else width} 0 0 {height} {width * mirrored} 0 cm /P0 Do Q"
    made = make(stored)
    [page] = decode(pdf_files.write(pdf_files.page(made, content=content, more=f"/Rotate {turn}")))
    plain = stored if b"JFIF" not in made[1] else images.decode_page(made[1])
    wanted = np.rot90(np.fliplr(plain) if mirrored else plain, -turn // 90)
    assert np.array_equal(page, wanted)


@pytest.mark.parametrize("matrix", ["0 841.8 -595.2 0 595.2 0", "0 -841.8 595.2 0 0 841.8"])
def test_a_picture_may_be_turned_by_its_matrix(matrix):
    stored = scan(212, 301)
    pdf = pdf_files.write(pdf_files.page(pdf_files.flate(stored), content=f"{matrix} cm /P0 Do"))
    wanted = np.rot90(stored, 1 if matrix.startswith("0 8") else -1)
    assert np.array_equal(decode(pdf)[0], wanted)


def test_exif_within_a_pdf_turns_nothing():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = pdf_files.jpeg(scan(), exif=exif)
    [page] = decode(pdf_files.write(pdf_files.page(pdf_files.dct(file))))
    assert page.shape[:2] == (301, 212)


GREY, BITS = scan(channels=1), scan(channels=1) > 150
PALETTE = "/ColorSpace [/Indexed /DeviceRGB 1 <c00000ffffff>]"


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (pdf_files.flate(GREY), GREY),
        (pdf_files.flate(scan()), scan()),
        (pdf_files.flate(BITS), BITS * np.uint8(255)),
        (pdf_files.flate(~BITS, "/Decode [1 0]"), BITS * np.uint8(255)),
        (pdf_files.flate(BITS, "/ImageMask true"), BITS * np.uint8(255)),
        (pdf_files.flate(~BITS, "/ImageMask true /Decode [1 0]"), BITS * np.uint8(255)),
        (pdf_files.flate(BITS, PALETTE), np.where(BITS[..., None], 255, (192, 0, 0))),
    ],
    ids=["grey", "colour", "bits", "bits inverted", "stencil", "stencil inverted", "palette"],
)  # fmt: skip
@pytest.mark.parametrize("around", ["{}", "{}" + OCR, "q 1 1 1 rg 0 0 700 900 re f Q {}"])
def test_a_page_with_one_picture_is_its_own_pixels(picture, wanted, around):
    content = around.format("q 595.2 0 0 841.8 0 0 cm /P0 Do Q")
    [page] = decode(pdf_files.write(pdf_files.page(picture, content=content)))
    assert page.dtype == np.uint8 and np.array_equal(page, wanted)


def test_text_beneath_a_scan_is_not_seen():
    content = f"{STAMP} q 595.2 0 0 841.8 0 0 cm /P0 Do Q"
    [page] = decode(pdf_files.write(pdf_files.page(pdf_files.flate(GREY), content=content)))
    assert np.array_equal(page, GREY)
    stencil = pdf_files.flate(np.ones_like(BITS), "/ImageMask true")
    [page] = decode(pdf_files.write(pdf_files.page(stencil, content=content)))
    assert page.min() < 100


def test_a_picture_within_margins_is_its_own_pixels():
    content = "q 400 0 0 568 77.3 101.9 cm /P0 Do Q"
    for picture in (pdf_files.flate(scan()), pdf_files.flate(BITS, "/ImageMask true")):
        [page] = decode(pdf_files.write(pdf_files.page(picture, content=content)))
        assert page.shape[:2] == (301, 212)


def test_what_is_seen_upon_a_picture_is_drawn_at_the_pictures_resolution():
    picture = pdf_files.flate(np.full((1403, 992), 250, np.uint8))
    whole = "q 595.2 0 0 841.8 0 0 cm /P0 Do Q"
    [page] = decode(pdf_files.write(pdf_files.page(picture, content=whole + STAMP)))
    assert page.shape == (1403, 992)
    assert page.min() < 20


def test_strips_and_layers_are_drawn_as_finely_as_the_finest():
    whole = scan(1402, 992, 1)
    upper, lower = pdf_files.flate(whole[:701]), pdf_files.flate(whole[701:])
    content = "q 595.2 0 0 420.9 0 420.9 cm /P0 Do Q q 595.2 0 0 420.9 0 0 cm /P1 Do Q"
    [page] = decode(pdf_files.write(pdf_files.page(upper, lower, content=content)))
    assert page.shape == (1403, 992)
    assert close(page[:1402], whole, 3)
    paper = pdf_files.dct(pdf_files.jpeg(np.full((100, 71, 3), 240, np.uint8)))
    ink = pdf_files.flate(whole > 100, "/ImageMask true")
    layers = "q 595.2 0 0 841.8 0 0 cm /P0 Do 0 0 .6 rg /P1 Do Q"
    [page] = decode(pdf_files.write(pdf_files.page(paper, ink, content=layers)))
    assert page.shape == (1403, 992, 3)
    assert (page[40, 50, 2] > page[40, 50, 0] + 100) and page[5, 5].min() > 230


@pytest.mark.parametrize("more", ["/Decode [1 0 1 0 1 0]", "/ColorSpace /DeviceGray"])
def test_a_jpeg_is_shown_as_its_pdf_has_it(more):
    """Where the PDF gives it other colours its own bytes are not what anybody sees."""
    file = pdf_files.jpeg(scan())
    inverted = pdf_files.dct(file, "/Decode [1 0 1 0 1 0]")
    [page] = decode(pdf_files.write(pdf_files.page(inverted)))
    assert close(page, 255 - images.decode_page(file), 2)


def test_a_page_without_a_picture_is_drawn_at_300_dots_an_inch():
    drawn = pdf_files.page(content="0 0 36 72 re f", size=(144, 216), more="/Rotate 90")
    [page] = decode(pdf_files.write(drawn))
    assert page.shape == (600, 900)
    assert page[:140, :290].max() == 0 and page[160:].min() == 255 and page[:, 310:].min() == 255


def test_a_photo_is_reduced_as_the_jpeg_is():
    file = pdf_files.jpeg(scan(1202, 845))
    pdf = pdf_files.write(pdf_files.page(pdf_files.dct(file)))
    for at_least in (60, 300, 5000):
        [own], [page] = (images.decode_reduced(data, at_least) for data in (file, pdf))
        assert own.factor == page.factor and np.array_equal(own.pixels, page.pixels)


GOOD = pdf_files.page(pdf_files.flate(scan()))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (pdf_files.page(content="0 0 9 9 re f", size=(28346, 28346)),
         "^too large: a page of 10,000 x 10,000 mm makes 118,108 x 118,108 pixels, more than 200"),
        (pdf_files.page(pdf_files.flate(BITS, "/Width 90000 /Height 90000")), "too large|damaged"),
        (pdf_files.page(pdf_files.dct(pdf_files.jpeg(scan())[:3000])), "^truncated: the JPEG"),
        (pdf_files.page(("/Width 9 /Height 9 /ColorSpace /DeviceGray /BitsPerComponent 8 "
                         "/Filter /JPXDecode", b"nonsense")), "one of its pictures is damaged"),
    ],
    ids=["10 m", "huge picture", "truncated", "damaged"],
)  # fmt: skip
def test_a_bad_page_takes_only_itself(bad, reason):
    first, second, third = decode(pdf_files.write(GOOD, bad, GOOD))
    assert first.shape == third.shape == (301, 212, 3)
    with pytest.raises(images.PictureError, match=reason):
        raise second


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        (pdf_files.write(), "no pages"),
        (b"%PDF-1.4\n", "^truncated: the PDF ends too early$"),
        (pdf_files.write(GOOD)[:2000], "^truncated: the PDF ends too early$"),
        (b"%PDF-1.4\n" + b"junk " * 99 + b"\n%%EOF\n", "^unreadable PDF: it is damaged"),
        (b"see %PDF-1.4 for more", "^not a picture .*but text$"),
    ],
)
def test_what_is_no_whole_pdf_is_told(pdf, reason):
    with pytest.raises(images.PictureError, match=reason):
        list(images.decode_pages(pdf))


def test_blank_lines_may_stand_before_a_pdf():
    assert decode(b"\r\n\n" + pdf_files.write(GOOD))[0].shape == (301, 212, 3)


def test_a_page_can_be_read_by_itself():
    files = [pdf_files.jpeg(scan(300 + n, 211)) for n in range(3)]
    pdf = pdf_files.write(*(pdf_files.page(pdf_files.dct(file)) for file in files))
    assert np.array_equal(images.decode_page(pdf, 2), images.decode_page(files[2]))
    assert images.decode_one_reduced(pdf, 9999, 1).pixels.shape == (301, 211, 3)
    with pytest.raises(images.PictureError, match="no such page"):
        images.decode_page(pdf, 3)
