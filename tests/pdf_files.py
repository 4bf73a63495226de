"""PDFs written by hand, as scanners and phones make them."""

import io
import zlib

import numpy as np
from PIL import Image

A4 = (595.2, 841.8)  # points


def jpeg(pixels, **options):
    """Return the bytes of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def dct(data, more=""):
    """Return a picture of a PDF that is a JPEG file."""
    image = Image.open(io.BytesIO(data))
    space = {"L": "Gray", "RGB": "RGB", "CMYK": "CMYK"}[image.mode]
    width, height = image.size
    return (
        f"/Width {width} /Height {height} /ColorSpace /Device{space} /BitsPerComponent 8 "
        f"/Filter /DCTDecode {more}",
        data,
    )


def flate(pixels, more=""):
    """Return a picture of a PDF whose pixels are packed without loss."""
    if pixels.dtype == bool:
        bits, space, data = 1, "Gray", np.packbits(pixels, axis=1).tobytes()
    else:
        bits, space, data = 8, "Gray" if pixels.ndim == 2 else "RGB", pixels.tobytes()
    height, width = pixels.shape[:2]
    colours = "" if "/ImageMask" in more or "/ColorSpace" in more else f"/ColorSpace /Device{space}"
    return (
        f"/Width {width} /Height {height} {colours} /BitsPerComponent {bits} "
        f"/Filter /FlateDecode {more}",
        zlib.compress(data),
    )


def page(*pictures, size=A4, content=None, more=""):
    """Return a page for `write`; its one picture fills it unless `content` says otherwise."""
    if content is None:
        content = f"q {size[0]} 0 0 {size[1]} 0 0 cm /P0 Do Q"
    return f"/MediaBox [0 0 {size[0]} {size[1]}] {more}", content, pictures


def write(*pages):
    """Return a PDF of such pages."""
    objects, kids = [b"<< /Type /Catalog /Pages 2 0 R >>", b""], []
    for more, content, pictures in pages:
        names = ""
        for number, (about, data) in enumerate(pictures):
            objects.append(_stream(f"/Type /XObject /Subtype /Image {about}", data))
            names += f"/P{number} {len(objects)} 0 R "
        objects.append(_stream("", content.encode()))
        font = "/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /Contents {len(objects)} 0 R {more} "
            f"/Resources << /XObject << {names} >> {font} >> >>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    file, places = b"%PDF-1.5\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    return (
        file
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer << /Root 1 0 R /Size {len(objects) + 1} >>\nstartxref\n{len(file)}\n%%EOF\n"
        ).encode()
    )


def _stream(about, data):
    return f"<< {about} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"
