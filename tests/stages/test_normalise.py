"""Photos become tiles from JPEGs that are decoded at a fraction of their size."""

import io
import math
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import draw_subject, write_params, write_pictures
from PIL import Image

from pipeline.intake import images, scans
from pipeline.settings.sections import Tile
from pipeline.stages import normalise
from pipeline.stages.normalise import cut_file
from pipeline.tiles import normalising

HEIGHT, WIDTH = 333, 501  # odd, so that every fraction leaves something over
SIZE = 20


def draw_photo():
    """An asymmetric photo with soft detail everywhere, up to its edges."""
    dice = np.random.default_rng(5)
    coarse = dice.integers(0, 256, (11, 17, 3)).astype(np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def write_photo(path, orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(draw_photo()).save(path, "JPEG", quality=95, exif=exif, subsampling=0)


def row_of(path, layout="whole"):
    """The catalogue's row of a photo; its size is that of the upright one."""
    with Image.open(path) as photo:
        turned = photo.getexif().get(0x0112, 1) >= 5
        width, height = photo.size[::-1] if turned else photo.size
    return {
        "source": path.name, "member": "", "page": "0", "sha256": "c0ffee" * 8, "layout": layout,
        "width": str(width), "height": str(height),
    }  # fmt: skip


def box_row(x0, y0, x1, y1):
    return {"x0": str(x0), "y0": str(y0), "x1": str(x1), "y1": str(y1), "label": "", "group": ""}


def tile_of(fit):
    return Tile(size=SIZE, channels=3, method="photo", fit=fit)


def factor_of(folder, row, at_least):
    [(_, photo)] = scans.read_photos(folder, [row], at_least)
    return photo.factor


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_photo_gives_the_tile_of_the_full_one(tmp_path, orientation, fit):
    write_photo(tmp_path / "a.jpg", orientation)
    row = row_of(tmp_path / "a.jpg")
    width, height = int(row["width"]), int(row["height"])
    assert factor_of(tmp_path, row, 2 * SIZE) == 8

    whole = box_row(0, 0, width, height)
    [(named, tile)] = cut_file(tmp_path, tile_of(fit), ([row], [[whole]]))

    full = images.decode_page((tmp_path / "a.jpg").read_bytes())
    assert full.shape == (height, width, 3)
    exact = normalising.normalise_photo(full, SIZE, 3, fit).astype(int)
    assert named is whole
    assert np.abs(tile - exact).mean() < 2
    assert np.abs(tile - exact).max() <= 10  # half a pixel astray makes it 20 to 50


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_boxes_stand_in_pixels_of_the_full_photo(tmp_path, orientation):
    write_photo(tmp_path / "a.jpg", orientation)
    row = row_of(tmp_path / "a.jpg")
    boxes = [box_row(37, 11, 298, 306), box_row(101, 55, 322, 300)]
    made = cut_file(tmp_path, tile_of("crop"), ([row], [boxes]))

    full = images.decode_page((tmp_path / "a.jpg").read_bytes())
    for (_, tile), (x0, y0, x1, y1) in zip(
        made, [(37, 11, 298, 306), (101, 55, 322, 300)], strict=True
    ):
        exact = normalising.normalise_photo(full[y0:y1, x0:x1], SIZE, 3, "crop")
        assert np.abs(tile.astype(int) - exact).mean() < 2


def test_a_small_box_on_a_large_photo_is_cut_from_the_full_one(tmp_path):
    write_photo(tmp_path / "a.jpg")
    row = row_of(tmp_path / "a.jpg")
    boxes = [box_row(0, 0, WIDTH, HEIGHT), box_row(480, 300, 501, 333)]
    made = cut_file(tmp_path, tile_of("stretch"), ([row], [boxes]))

    full = images.decode_page((tmp_path / "a.jpg").read_bytes())
    for (_, tile), part in zip(made, (full, full[300:333, 480:501]), strict=True):
        assert np.array_equal(tile, normalising.normalise_photo(part, SIZE, 3, "stretch"))


@pytest.mark.parametrize(
    ("orientation", "corner"),
    # 501 x 333 at a quarter: 0.75 of the last column and of the last row hold nothing.
    list(zip(range(1, 9), [(0, 0), (0.75, 0), (0.75, 0.75), (0, 0.75)] * 2, strict=True)),
)
def test_what_is_left_over_turns_with_the_photo(orientation, corner):
    with io.BytesIO() as buffer:
        write_photo(buffer, orientation)
        [photo] = images.decode_reduced(buffer.getvalue(), 80)
    assert photo.factor == 4
    assert photo.pixels.shape[:2] == ((84, 126) if orientation < 5 else (126, 84))
    assert (photo.left, photo.top) == corner


def test_only_jpegs_are_reduced(tmp_path):
    (tmp_path / "a.png").write_bytes(images.encode_png(draw_photo()))
    assert factor_of(tmp_path, row_of(tmp_path / "a.png"), 1) == 1

    digits = np.random.default_rng(1).integers(0, 256, (2, 90, 70)).astype(np.uint8)
    (tmp_path / "idx").write_bytes(struct.pack(">4i", 0x803, 2, 90, 70) + digits.tobytes())
    about = {"source": "idx", "member": "", "layout": "idx", "width": "70", "height": "90"}
    rows = [about | {"page": page} for page in ("0", "1")]
    for (_, photo), pixels in zip(scans.read_photos(tmp_path, rows, 1), digits, strict=True):
        assert photo.factor == 1
        assert np.array_equal(photo.pixels, pixels)


def test_a_photo_is_reduced_no_further_than_twice_the_tile():
    box = (0, 0, WIDTH, HEIGHT)
    for size, fit, factor in [(20, "crop", 8), (21, "crop", 4), (41, "stretch", 4)]:
        share = normalising.share_needed(box, size, fit)
        assert math.isclose(share, 2 * size / HEIGHT)
        assert 1 / factor >= share > 1 / (2 * factor)
    assert math.isclose(normalising.share_needed(box, 40, "pad"), 2 * 40 / WIDTH, rel_tol=0.02)
    assert (
        normalising.share_needed((0, 0, 500, 1), 10, "pad") >= 1
    )  # a line one pixel high stays that


# --- Tiles that stay -----------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path, monkeypatch, prep):
    """A project of photos with tiles, and the names of files that are cut from then on."""
    write_params(tmp_path, tile={"size": 16, "channels": 3, "method": "photo"})
    write_pictures(tmp_path, count=3)
    monkeypatch.chdir(tmp_path)
    cut, names = normalise.cut_file, []

    def note(root, tile, file, reading):
        names.append(Path(file[0][0]["source"]).relative_to("raw/pictures").as_posix())
        return cut(root, tile, file, reading)

    monkeypatch.setattr(normalise, "cut_file", note)
    make_tiles(prep)
    assert len(names) == 8
    names.clear()
    return names


def make_tiles(prep):
    for words in (["ingest"], ["segment"], ["normalise", "--jobs", "1"]):
        code, _, errors = prep(*words)
        assert code == 0, errors


def relabel():
    Path("raw/labels.csv").write_text("source,label\nraw/pictures/bar/001.png,square\n")


def leave_out():
    Path("raw/labels.csv").write_text("source,label\nraw/pictures/bar/001.png,-\n")


def draw_box():
    Path("raw/boxes.csv").write_text("source,x0,y0,x1,y1\nraw/pictures/square/002.png,3,4,28,40\n")


def change_photo():
    picture = images.encode_png(draw_subject("bar", 77))
    Path("raw/pictures/bar/000.png").write_bytes(picture)


def change_size():
    write_params(Path(), tile={"size": 18, "channels": 3, "method": "photo"})


def lose_tiles():
    Path("processed/tiles.h5").unlink()


def spoil_notes():
    Path("processed/.cut").write_text('{"tiles": 3')


@pytest.mark.parametrize(
    "change, cut",
    [
        (relabel, []),
        (leave_out, []),
        (draw_box, ["square/002.png"]),
        (change_photo, ["bar/000.png"]),
        (change_size, None),
        (lose_tiles, None),
        (spoil_notes, None),
    ],
)
def test_only_photos_that_a_change_touches_are_opened_and_the_tiles_are_the_same(
    photos, prep, change, cut
):
    change()
    make_tiles(prep)
    assert photos == cut if cut is not None else len(photos) == 8
    kept = Path("processed/tiles.h5").read_bytes()
    Path("processed/.cut").unlink()
    make_tiles(prep)
    assert Path("processed/tiles.h5").read_bytes() == kept
