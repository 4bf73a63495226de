"""prep show: a quick contact sheet of any HDF5 file of the project."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import contact, images, tiles
from pipeline.atomic import whole_file
from pipeline.errors import DataError
from pipeline.store import open_dataset, read_glyphs

MOST = 400  # pictures on a sheet
GLYPH_SIDE = 64  # pixels; glyphs have all sizes


def show_file(file: Path, target: Path) -> str:
    """Write a contact sheet of a dataset, variants or glyph file as a JPEG."""
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    shown, count = read_pictures(file)
    if not count:
        raise DataError(f"{file} holds no picture")
    sheet = contact.lay_out(shown, columns=contact.square_columns(len(shown)))
    with whole_file(target) as part:
        part.write_bytes(images.encode_jpeg(sheet, quality=85))
    return f"{len(shown):,} of {count:,} pictures in {target}"


def read_pictures(file: Path) -> tuple[npt.NDArray[np.uint8], int]:
    """Return up to MOST pictures of a file (N, S, S, C), evenly picked, and how many it holds."""
    if file.name == "glyphs.h5":
        glyphs = [pixels for _, pixels in read_glyphs(file)]
        shown = [glyphs[row] for row in pick_rows(len(glyphs))]
        small = [tiles.normalise_photo(glyph, GLYPH_SIDE, 1, "pad") for glyph in shown]
        return np.array(small, np.uint8), len(glyphs)
    with open_dataset(file) as dataset:
        return dataset.read(pick_rows(len(dataset))).images, len(dataset)


def pick_rows(count: int) -> npt.NDArray[np.intp]:
    """Return up to MOST of `count` rows."""
    rows = np.arange(count)
    return contact.pick_evenly(rows, MOST) if count else rows
