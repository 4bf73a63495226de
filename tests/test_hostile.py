"""Hostile and broken pictures through the real `prep ingest`: each has its verdict."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_subject, run_to, write_params
from picture_files import COLOUR, GREY, HEIGHT, WIDTH, bombs, oriented, save
from PIL import Image, ImageCms

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images

pytestmark = pytest.mark.slow

SIZE = f"{WIDTH}x{HEIGHT}"
TURNED = f"{HEIGHT}x{WIDTH}"
PHOTO = Image.fromarray(COLOUR)
TOO_LARGE = r"too large: .*more than 200,000,000"
FOLDER = "raw/pictures/bar"
ODD_NAMES = [
    "two words.png", "it's.png", 'a "quoted" one.png', "line\nbreak.png", "back\\slash.png",
    "\x1b[31mred.png", "<script>.png", "名前.png", "🐈.png", b"\xff\xfe.png", "-rf.png",
]  # fmt: skip


def plain(value, shape=(HEIGHT, WIDTH)):
    return np.full(shape, value, np.uint8)


def write_sound_pictures():
    """Yield a name, a picture file and the size that it is to be taken in with."""
    yield "grey.jpg", save(GREY, "JPEG"), SIZE
    yield "progressive.jpg", save(COLOUR, "JPEG", progressive=True), SIZE
    yield "cmyk.jpg", save(PHOTO.convert("CMYK"), "JPEG"), SIZE
    yield "cmyk.tiff", save(PHOTO.convert("CMYK"), "TIFF"), SIZE
    yield "lab.tiff", save(PHOTO.convert("LAB"), "TIFF"), SIZE
    yield "16bit.png", save(GREY.astype(np.uint16) * 257, "PNG"), SIZE
    yield "16bit.tiff", save(GREY.astype(np.uint16) * 257, "TIFF"), SIZE
    yield "1bit.png", save(Image.fromarray(GREY).convert("1"), "PNG"), SIZE
    yield "1bit.tiff", save(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"), SIZE
    yield "palette.png", save(PHOTO.quantize(16), "PNG", transparency=3), SIZE
    yield "alpha.png", save(np.dstack([COLOUR, GREY]), "PNG"), SIZE
    yield "float.tiff", save(GREY / np.float32(255), "TIFF"), SIZE
    yield "nothing-but-nan.tiff", save(np.full_like(GREY, np.nan, np.float32), "TIFF"), SIZE
    for kind, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("TIFF", "tiff"), ("WEBP", "webp")):
        for orientation in range(1, 9):
            size = TURNED if orientation >= 5 else SIZE
            picture = save(COLOUR, kind, exif=oriented(orientation))
            yield f"orientation-{orientation}.{suffix}", picture, size
    yield "orientation-9.jpg", save(COLOUR, "JPEG", exif=oriented(9)), SIZE
    yield "broken-exif.jpg", save(COLOUR, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), SIZE
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "icc.jpg", save(COLOUR, "JPEG", icc_profile=profile), SIZE
    yield "broken-icc.png", save(COLOUR, "PNG", icc_profile=b"no profile"), SIZE
    frames = {"save_all": True, "append_images": [PHOTO.rotate(180)]}
    for kind, suffix in (("GIF", "gif"), ("WEBP", "webp"), ("PNG", "png")):
        yield f"animated.{suffix}", save(PHOTO, kind, **frames), SIZE
    yield "dot.png", save(plain(9, (1, 1)), "PNG"), "1x1"
    yield "line.png", save(plain(9, (1, 20_000)), "PNG"), "20000x1"
    yield "line.jpg", save(plain(9, (20_000, 1)), "JPEG"), "1x20000"
    yield "black.png", save(plain(0), "PNG"), SIZE
    yield "white.png", save(plain(255), "PNG"), SIZE
    yield "png-called.jpg", save(GREY[::-1], "PNG"), SIZE
    yield "no-suffix", save(GREY[:, ::-1], "PNG"), SIZE
    yield "folder.jpg/inside.png", save(GREY[::-1, ::-1], "PNG"), SIZE


def write_broken_files():
    """Yield a name, a file and the reason to be given for its quarantine."""
    yield "nothing.jpg", b"", "empty file"
    yield "zeros.jpg", bytes(5000), "not a picture"
    yield "text.jpg", b"I am a picture.", r"not a picture \(starts with 'I am a p'\)"
    yield "page.png", b"<html><script>alert(1)</script>", "a web page, not a picture"
    yield "script.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"
    yield "signature.png", b"\x89PNG\r\n\x1a\n", "truncated|unreadable PNG"
    for kind, bomb in bombs():
        yield f"bomb.{kind.lower()}", bomb, TOO_LARGE
    for kind, picture in list_formats():
        yield f"half.{kind.lower()}", picture[: len(picture) // 2], "truncated|unreadable"


def list_formats():
    """Yield one picture of each format, of more than a thousand bytes."""
    noise = np.random.default_rng(1).integers(0, 256, (31, 46, 3), np.uint8)
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WebP"):
        yield kind, save(noise, kind)
    yield "progressive", save(noise, "JPEG", progressive=True)
    yield "lzw", save(noise, "TIFF", compression="tiff_lzw")


def write_file(name, content):
    path = Path(os.fsdecode(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_odd_places(folder):
    """Make what is no file of pixels, and return the reasons to be given."""
    outside = folder.parents[2] / "outside.png"
    outside.write_bytes(save(GREY, "PNG"))
    reasons = {"out.png": "a link that leads out of the source's folder", "in.png": "same as"}
    (folder / "out.png").symlink_to(outside)
    (folder / "in.png").symlink_to("black.png")
    (folder / "empty-folder.jpg").mkdir()
    return reasons


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A project with every kind of hostile file, the current folder."""
    write_params(tmp_path)
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name, content, _ in [*write_sound_pictures(), *write_broken_files()]:
        write_file(name, content)
    for number, name in enumerate(ODD_NAMES):
        with contextlib.suppress(OSError):  # a system may refuse some of them
            write_file(name, save(plain(100 + number), "PNG"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_catalogue():
    """Return the catalogue's rows by their names below bar/."""
    rows = read_table(Path("processed/catalogue.csv"), COLUMNS["catalogue"])
    return {row["source"].removeprefix(f"{FOLDER}/"): row for row in rows}


def test_every_hostile_file_has_its_verdict_in_the_catalogue(zoo, prep):
    reasons = write_odd_places(zoo / FOLDER)
    reasons |= {name: reason for name, _, reason in write_broken_files()}
    sizes = {name: size for name, _, size in write_sound_pictures()}
    code, _, errors = prep("ingest", "--jobs", "2")
    assert (code, errors) == (0, "")
    rows = read_catalogue()
    for name, size in sizes.items():
        row = rows.pop(name)
        assert (name, row["status"], row["reason"]) == (name, "ok", "")
        assert (name, f"{row['width']}x{row['height']}") == (name, size)
        assert row["label"] == "bar" and row["page"] == "0"
    for name, reason in reasons.items():
        row = rows.pop(name)
        assert row["status"] == ("duplicate" if name == "in.png" else "quarantined"), name
        assert re.match(reason, row["reason"]), (name, row["reason"])
    assert len(rows) >= len(ODD_NAMES) - 1, "those with odd names are left"
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert all(name.isprintable() for name in rows)
    assert "outside" not in Path("processed/catalogue.csv").read_text(encoding="utf-8")


def test_what_was_taken_in_goes_down_the_road(zoo, prep):
    for number in range(30):
        subject = images.encode_png(draw_subject("square", number))
        write_file(f"raw/pictures/square/{number}.png", subject)
    for line in (zoo / FOLDER).glob("line.*"):
        line.unlink()  # MNIST's rule puts a glyph into a square, here one of 20,000 x 20,000
    run_to(prep, "split")


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_verdicts_are_the_same_for_every_number_of_processes(zoo, prep, jobs):
    prep("ingest", "--jobs", "2")
    before = Path("processed/catalogue.csv").read_bytes()
    assert prep("ingest", "--jobs", jobs)[0] == 0
    assert Path("processed/catalogue.csv").read_bytes() == before


def test_files_truncated_at_every_64th_byte(tmp_path, prep, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    whole = dict(list_formats())
    for kind, picture in whole.items():
        for end in range(0, len(picture), 64):
            write_file(f"{FOLDER}/{kind}/{end}", picture[:end])
    assert prep("ingest")[0] == 0
    rows = read_catalogue()
    assert len(rows) > 200
    for name, row in rows.items():
        kind, end = name.split("/")
        if row["status"] == "quarantined" and end == "0":
            assert row["reason"] == "empty file: copy or download it again"
        elif row["status"] == "quarantined":
            assert re.match("truncated|unreadable", row["reason"]), (name, row["reason"])
        else:  # no pixel was lost with what was cut off
            (pixels,) = images.decode_pages(whole[kind][: int(end)])
            assert np.array_equal(pixels, images.decode_page(whole[kind])), name
    assert sum(row["status"] == "quarantined" for row in rows.values()) >= len(rows) - len(whole)


def test_flipped_bits_are_taken_in_or_quarantined_with_a_reason(tmp_path, prep, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    dice = np.random.default_rng(3)
    for kind, picture in list_formats():
        for number in range(30):
            broken = np.unpackbits(np.frombuffer(picture, np.uint8))
            broken[dice.integers(0, 8 * min(len(picture), 30 * (number + 1)), 1 + number % 4)] ^= 1
            write_file(f"{FOLDER}/{kind}/{number}", np.packbits(broken).tobytes())
    code, _, errors = prep("ingest")
    assert (code, errors) == (0, "")
    for name, row in read_catalogue().items():
        data = (tmp_path / FOLDER / name).read_bytes()
        try:
            shapes = [page.shape[1::-1] for page in images.decode_pages(data)]
            found = ("ok", "", tuple(map(str, shapes[0])))
        except images.PictureError as error:
            found = ("quarantined", str(error), ("", ""))
        assert (row["status"], row["reason"], (row["width"], row["height"])) == found, name


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"pixels": 700}, "too large: 34 x 21 pixels, more than 700"),
        pytest.param(
            {"memory_mb": 60},
            "too large for the memory that it may take",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="this system does not count"),
        ),
    ],
)
def test_the_limits_in_params_are_kept(project, prep, limits, reason):
    large = plain(200, (5000, 6000, 3)) if "memory_mb" in limits else COLOUR
    write_file("raw/pictures/square/large.png", save(large, "PNG", compress_level=1))
    write_params(project, limits=limits)
    assert prep("ingest")[0] == 0
    rows = read_table(Path("processed/catalogue.csv"), COLUMNS["catalogue"])
    refused = {row["source"]: row["reason"] for row in rows if row["status"] == "quarantined"}
    if "pixels" in limits:  # of the project's own the limit is just above
        assert set(refused) == {row["source"] for row in rows if row["width"] == ""}
    assert refused["raw/pictures/square/large.png"].startswith(reason)


# --- Decoders that crash, hang or eat memory: PIL is changed in all of their processes --------

HOSTILE_DECODER = """
import ctypes, os, time
from PIL import JpegImagePlugin

load = JpegImagePlugin.JpegImageFile.load

def hostile(self):
    comment = self.info.get("comment", b"").decode()
    if comment:
        open(f"{comment}-{os.getpid()}", "w").close()
    if comment == "crash":
        ctypes.string_at(0)
    elif comment == "leave":
        os._exit(3)
    elif comment == "eat":
        self.eaten = bytearray(10**9)
    elif comment == "hang":
        while True: pass
    return load(self)

JpegImagePlugin.JpegImageFile.load = hostile
"""


@pytest.fixture
def hostile_project(project):
    """A project whose pictures of class bar include some that the decoder cannot stand."""
    write_file("decoder/sitecustomize.py", HOSTILE_DECODER.encode())
    write_params(project, limits={"seconds": 1.5, "memory_mb": 500})
    for name in ("crash", "leave", "eat", "hang"):
        write_file(f"raw/pictures/bar/{name}.jpg", save(COLOUR, "JPEG", comment=name))
    return project


def start_ingest(project):
    search = os.pathsep.join([str(project / "decoder"), str(Path(__file__).parents[1])])
    command = [sys.executable, "-m", "pipeline", "ingest", "-j", "2"]
    return subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | {"PYTHONPATH": search},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_decoder_that_crashes_hangs_or_eats_costs_one_file(hostile_project):
    printed, errors = start_ingest(hostile_project).communicate()
    assert errors == "" and printed.startswith("ingest: 42 scans in processed/catalogue.csv")
    rows = {name: row for name, row in read_catalogue().items() if name.endswith(".jpg")}
    reasons = {name.removesuffix(".jpg"): row["reason"] for name, row in rows.items()}
    assert reasons.pop("eat").startswith(
        "too large for the memory" if sys.platform == "linux" else ""
    )
    assert reasons == {
        "crash": "its decoder crashed (SIGSEGV)",
        "leave": "its decoder crashed (exit code 3)",
        "hang": "takes longer to read and decode than limits.seconds in params.yaml, 1.5",
    }


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.02)


def is_alive(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def wait_for_hang(project):
    """Return the process that hangs."""
    wait_for(lambda: list(project.glob("hang-*")))
    return int(next(project.glob("hang-*")).name.removeprefix("hang-"))


def test_ctrl_c_stops_it_and_leaves_no_process(hostile_project):
    write_params(hostile_project, limits={"seconds": 60})
    command = start_ingest(hostile_project)
    hanging = wait_for_hang(hostile_project)
    start = time.monotonic()
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    _, errors = command.communicate()
    assert time.monotonic() - start < 2
    assert (command.returncode, errors.count("\n")) == (130, 1)
    wait_for(lambda: not is_alive(hanging), 2)
    assert not (hostile_project / "processed/catalogue.csv").exists()


def test_nothing_outlives_a_killed_command_for_long(hostile_project):
    command = start_ingest(hostile_project)
    hanging = wait_for_hang(hostile_project)
    command.kill()
    command.communicate()
    wait_for(lambda: not is_alive(hanging), 5)
