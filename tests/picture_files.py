"""Picture files as PIL writes them, and some that nobody should open, for several tests."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 21, 34
GREY = np.rint(np.linspace(0, 255, HEIGHT * WIDTH)).astype(np.uint8).reshape(HEIGHT, WIDTH)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def save(picture, kind, **options):
    """The bytes of a picture file that PIL writes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


TAGS = {
    "subfile_type": 254, "width": 256, "height": 257, "bits": 258, "compression": 259,
    "photometric": 262, "strip_offset": 273, "samples": 277, "rows_per_strip": 278,
    "strip_bytes": 279, "highest": 281, "extra_samples": 338,
}  # fmt: skip


def write_tiff(pixels, *, height, width, bits, **more):
    """An uncompressed grey TIFF of one strip, for what PIL does not write."""
    tags = {
        "subfile_type": 0, "width": width, "height": height, "bits": bits, "compression": 1,
        "photometric": 1, "strip_offset": 8, "samples": 1, "rows_per_strip": height,
        "strip_bytes": len(pixels), **more,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", TAGS[tag], 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<4sI", b"II*\0", 8 + len(pixels)) + pixels + directory


def png_chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def bombs():
    """Headers that promise 50,000 x 50,000 pixels (what the format allows, if that is less)."""
    side = 50_000
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    yield "PNG", b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + rows + png_chunk(b"IEND", b"")
    jpeg = save(COLOUR, "JPEG")
    size = struct.pack(">HH", HEIGHT, WIDTH)
    yield "JPEG", jpeg.replace(size, struct.pack(">HH", side, side), 1)
    yield "TIFF", write_tiff(bytes(99), bits=8, height=side, width=side)
    bmp = bytearray(save(COLOUR, "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    yield "BMP", bytes(bmp)
    gif = bytearray(save(GREY, "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    yield "GIF", bytes(gif)
    webp = bytearray(save(COLOUR, "WEBP", exif=oriented(1)))
    webp[24:30] = (side - 1).to_bytes(3, "little") * 2
    yield "WebP", bytes(webp)
