"""What people find among their pictures, by the bytes that each kind begins with."""

import pytest
from picture_files import GREY, save, write_tiff

from pipeline.intake.images import PictureError, decode_page
from pipeline.intake.kinds import explain_table

KINDS = {
    "run git lfs pull$": [b"version https://git-lfs.github.com/spec/v1\noid sha256:4d"],
    "^a web page, not a picture": [
        b"<!DOCTYPE html>\n<html><title>404</title>", b"<html lang=en>", b"\n <HTML><BODY>",
        b"<?xml version='1.0'?>\n<html xmlns='http://www.w3.org/1999/xhtml'>",
    ],
    "^XML, not a picture; perhaps what a server said": [
        b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>",
    ],
    "^JSON, not a picture; perhaps what a server said": [b'{"error": "not found"}', b" [{}]"],
    "^JPEG XL, which is not read": [b"\xff\n\xf9\x1f", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0"],
    "^AVIF, which": [b"\0\0\0\x20ftypavif\0\0\0\0", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"],
    "^a film, which is not read": [
        b"\0\0\0\x14ftypqt  \0\0", b"\0\0\0\x18ftypmp42", b"\0\0\0\x1cftypM4V ",
        b"\0\0\0\x08wide\0\0", b"RIFF\x10\0\0\0AVI LIST", b"\x1a\x45\xdf\xa3\x01webm",
    ],
    "a camera's raw file, which is not read: export it as JPEG$": [
        b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx ", b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0", b"FOVb\0\0",
    ],
    "it is a camera's raw file: export it as JPEG$": [
        write_tiff(bytes(48), height=6, width=8, bits=8, photometric=32803),
    ],
    "^(Photoshop|GIMP)'s own format": [b"8BPS\0\1", b"gimp xcf v011"],
    "^an archive that is not opened": [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7", b"PK\3\4\x14"],
    "^what a Mac notes about a file": [b"\0\x05\x16\x07\0\2\0\0Mac OS X"],
    "^what a Mac notes about a folder": [b"\0\0\0\1Bud1\0\0"],
    "^what Windows notes about a folder": [b"[.ShellClassInfo]\r\nIconFile="],
    "^a shortcut": [b"L\0\0\0\x01\x14\x02\0", b"[InternetShortcut]\nURL=file:///x.jpg"],
    "^an Office document or a Thumbs.db": [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
    "^empty file: copy or download it again": [b""],
    "zeros only": [bytes(1), bytes(5000)],
    r"^not a picture \(starts with 'Gr\\xc3\\xbc\\xc3\\x9fe'\) but text$": ["Grüße".encode()],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "data"), [(reason, data) for reason, kinds in KINDS.items() for data in kinds]
)
def test_what_is_no_picture_is_named(reason, data):
    with pytest.raises(PictureError, match=reason):
        decode_page(data)


def test_a_tiff_that_is_all_there_is_not_called_truncated():
    """One whose directory lies, and not its length, is damaged or of an unknown kind."""
    size = {"height": 6, "width": 8, "bits": 8, "strip_bytes": 20}
    end = len(write_tiff(b"", **size))  # where its 20 bytes lie, of 48
    with pytest.raises(PictureError, match="^unreadable TIFF: "):
        decode_page(write_tiff(b"", strip_offset=end, **size) + bytes(20))
    with pytest.raises(PictureError, match="^truncated: the TIFF ends too early$"):
        decode_page(save(GREY, "TIFF")[:-400])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_no_reason_is_a_sentence_of_python(kind):
    sample = save(GREY, kind)
    for place in range(10, len(sample), 7):
        broken = sample[:place] + bytes([sample[place] ^ 0x5A]) + sample[place + 1 :]
        try:
            decode_page(broken)
        except PictureError as error:
            assert str(error).startswith(("truncated: the", "unreadable", "too large: ", "not a "))
            for word in ("index", "range", "BytesIO", "unpack", "NoneType", "<", "error -"):
                assert word not in str(error)


@pytest.mark.parametrize(
    "name", ["raw/a/mnist.csv", "kmnist.npz", "e.MAT", "x.csv.gz", "t.parquet"]
)
def test_a_table_is_named_with_what_to_do(name):
    assert explain_table(name).startswith(f"{name} is a")
    assert explain_table("raw/train-images-idx3-ubyte.gz") == ""


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("raw/mnist.txt", "rename it as mnist.csv"),
        ("raw/m.xlsx", "save it as m.csv"),
        ("raw/m.h5", "save its arrays as .npz"),
        ("raw/sample_submission.csv", "put the set itself there"),
    ],
)
def test_where_the_layout_is_array_another_mend_is_told(name, mend):
    said = explain_table(name, is_array=True)
    assert mend in said and "layout" not in said.replace("for layout array", "")
