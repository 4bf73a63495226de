"""Pictures of 10, 12 and 14 bits in files of 16, as cameras write them."""

import struct

import numpy as np
import pytest
from picture_files import png_chunk, save, write_tiff

from pipeline.intake.images import decode_page, measure_pages

RAMP = np.linspace(0, 1, 35).reshape(5, 7)
JUDGE = np.rint(255 * RAMP)


def ramp_of(highest):
    return np.rint(highest * RAMP).astype(np.uint16)


def read(data):
    """Return the picture and what is told of it."""
    notes = set()
    assert list(measure_pages(data, notes=notes)) == [(7, 5)]
    return decode_page(data), "".join(notes)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_values_are_scaled_by_the_bits_that_are_used_and_that_is_told(bits, kind):
    highest = 2**bits - 1
    pixels, told = read(save(ramp_of(highest), kind))
    assert np.abs(pixels - JUDGE).max() <= 1
    assert told == f"grey of 16 bits was read as 0 to {highest:,}"


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("values", [ramp_of(65535), ramp_of(17000), 257 * ramp_of(9), ramp_of(0)])
def test_what_uses_16_bits_or_comes_of_8_stays(values, kind):
    pixels, told = read(save(values, kind))
    assert np.array_equal(pixels, np.rint(values * 255.0 / 65535))
    assert told == ""


@pytest.mark.parametrize(("said", "highest"), [(16, 65535), (14, 16383), (12, 4095), (10, 4095)])
def test_a_png_says_by_sbit_which_bits_it_uses(said, highest):
    """What cannot be true is not believed: 10 bits do not hold these values."""
    data = save(ramp_of(4000), "PNG")
    at = data.index(b"IDAT") - 4
    pixels, told = read(data[:at] + png_chunk(b"sBIT", bytes([said])) + data[at:])
    assert np.array_equal(pixels, np.rint(ramp_of(4000) * 255.0 / highest))
    assert (told == "") == (highest == 65535)


def test_a_tiff_says_it_by_its_highest_sample_value():
    data = write_tiff(
        struct.pack("<35H", *ramp_of(900).ravel()), height=5, width=7, bits=16, highest=8191
    )
    pixels, told = read(data)
    assert np.array_equal(pixels, np.rint(ramp_of(900) * 255.0 / 8191))
    assert told.endswith("0 to 8,191")
