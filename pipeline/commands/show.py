"""prep show: a quick contact sheet of any HDF5 file of the project."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.dataset.store import open_dataset, read_glyphs
from pipeline.errors import DataError, UnusableFileError
from pipeline.intake import images
from pipeline.project import Project, is_made_here, require_made
from pipeline.tiles import contact, normalising

MOST = 400  # pictures on a sheet
GLYPH_SIDE = 64  # pixels; glyphs have all sizes
MOST_NAMES = 10  # of files that a folder is said to hold

SHOWN = "prep show shows tiles.h5, glyphs.h5 and the variants below augmented/"


def show_file(file: Path, target: Path) -> str:
    """Write a contact sheet of a dataset, variants or glyph file as a JPEG."""
    _refuse_raw(target)
    _refuse_folder(file)
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    if file.suffix != ".h5":
        raise DataError(f"{file} is no .h5 file: {SHOWN}")
    try:
        shown, count = _read_pictures(require_made(file))
    except UnusableFileError as error:
        if is_made_here(file):
            raise
        raise DataError(f"{file} {error.reason}: {SHOWN}") from error  # never: delete it
    if not count:
        raise DataError(f"{file} holds no picture")
    sheet = contact.lay_out(shown, columns=contact.square_columns(len(shown)))
    with whole_file(target) as part:
        part.write_bytes(images.encode_jpeg(sheet, quality=85))
    return f"{len(shown):,} of {count:,} pictures in {target}"


def _refuse_raw(target: Path) -> None:
    """Raise DataError where a picture would be taken for one of the user's."""
    folder = target.resolve().parent
    for project in map(Project, folder.parents):
        if project.params_file.is_file() and project.is_raw(folder):
            raise DataError(
                f"{target} would be written under raw/ and taken for your picture: go to another "
                "folder, such as your project's"
            )


def _refuse_folder(folder: Path) -> None:
    """Raise DataError for a folder, with the files in it that could be shown."""
    if not folder.is_dir():
        return
    found = sorted(path.relative_to(folder).as_posix() for path in _find_shown(folder))
    if not found:
        raise DataError(f"{folder} is a folder with no HDF5 file in it: {SHOWN}")
    more = f" and {len(found) - MOST_NAMES:,} more" if len(found) > MOST_NAMES else ""
    raise DataError(
        f"{folder} is a folder; name one of its files: {', '.join(found[:MOST_NAMES])}{more}"
    )


def _find_shown(folder: Path) -> list[Path]:
    """Return the HDF5 files of a folder, or else of its folders."""
    return list(folder.glob("*.h5")) or list(folder.glob("*/*.h5"))


def _read_pictures(file: Path) -> tuple[npt.NDArray[np.uint8], int]:
    """Return up to MOST pictures of a file (N, S, S, C), evenly picked, and how many it holds."""
    if file.name == "glyphs.h5":
        glyphs = [pixels for _, pixels in read_glyphs(file)]
        shown = [glyphs[row] for row in _pick_rows(len(glyphs))]
        small = [normalising.normalise_photo(glyph, GLYPH_SIDE, 1, "pad") for glyph in shown]
        return np.array(small, np.uint8), len(glyphs)
    with open_dataset(file) as dataset:
        return dataset.read(_pick_rows(len(dataset))).images, len(dataset)


def _pick_rows(count: int) -> npt.NDArray[np.intp]:
    """Return up to MOST of `count` rows."""
    rows = np.arange(count)
    return contact.pick_evenly(rows, MOST) if count else rows
