"""Files that are not as they were written: what is looked at before anything is believed.

Any file may be put where the road expects its own. It must neither crash nor stop a command, nor
fill its memory, nor show what lies in another file.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.dataset.schema import SCHEMA_VERSION, is_fixed_text
from pipeline.errors import UnusableFileError, pass_on_machine
from pipeline.project import is_made_here

MOST_EXPANSION = 1032  # gzip can't make more bytes out of one
REMEDY = "Delete it and run: dvc repro"
FOREIGN = "It is no file that this project makes: bring it once more from where it came"
# Not by deleting it: DVC would take the old file back from its cache.
REBUILD = "To make all files anew run: dvc repro --force"

# What h5py was seen to raise for files cut short, with wrong bytes or of another kind.
UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, ArithmeticError,
)  # fmt: skip


@contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Turn what reading a damaged column raises into UnusableFileError."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, UnicodeDecodeError) as error:
        raise damaged(path, error) from error


def check_version(path: Path, version: int) -> None:
    """Raise UnusableFileError, with the way out, unless a file has the schema of this prep."""
    if version > SCHEMA_VERSION:
        raise UnusableFileError(
            path,
            f"was written by a newer prep (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION})",
            "Update prep" if not is_made_here(path) else f"Update prep. {REBUILD}",
        )
    if 1 <= version < SCHEMA_VERSION:
        raise UnusableFileError(
            path,
            f"was written by an older prep (schema {version}; this one reads {SCHEMA_VERSION})",
            REBUILD if is_made_here(path) else "Make it anew in its project: dvc repro --force",
        )
    if version < 1:
        raise UnusableFileError(
            path,
            f"is no file of prep's, or one of an older prep (schema {version}; this one reads "
            f"{SCHEMA_VERSION})",
            REBUILD if is_made_here(path) else FOREIGN,
        )


def check_parts(file: h5py.File) -> None:
    """Raise ValueError when a part lies outside the file, or claims more bytes than it can hold.

    A file from elsewhere could name another file's contents as its own, or fill all memory.
    """
    for name in file:
        link = file.get(name, getlink=True)
        column = file[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(column, h5py.Dataset) or column.is_virtual or column.external:
            raise ValueError(f"'{name}' is no column that lies in the file")
        # HDF5 may never come back from reading these, once they are damaged.
        if column.dtype.hasobject and not is_fixed_text(column.dtype):
            raise ValueError(f"'{name}' holds values of any length")
        if column.nbytes > MOST_EXPANSION * column.id.get_storage_size():
            raise ValueError(f"'{name}' claims {column.nbytes:,} bytes and has no room for them")


def check_columns(file: h5py.File, columns: Mapping[str, tuple[str, int]]) -> None:
    """Raise ValueError unless the columns have these types and axes, and all as many rows."""
    for name, (wanted, axes) in columns.items():
        column = file[name]
        found = "text" if is_fixed_text(column.dtype) else str(column.dtype)
        if (found, column.ndim) != (wanted, axes):
            raise ValueError(f"'{name}' is {found} with {column.ndim} axes, not {wanted}")
        if name != "pixels" and len(column) != len(file["ids"]):
            raise ValueError(f"{len(column):,} {name} for {len(file['ids']):,} ids")


def read_shapes(file: h5py.File) -> npt.NDArray[np.int64]:
    """Return the (N, 2) heights and widths of a glyph file; ValueError unless its pixels fit."""
    shapes: npt.NDArray[np.int64] = file["shapes"][:].astype(np.int64)
    fitting = shapes.shape[1] == 2 and (shapes >= 1).all()
    if not fitting or shapes.prod(axis=1).sum() != len(file["pixels"]):
        raise ValueError("the shapes of its glyphs do not make up its pixels")
    return shapes


def damaged(path: Path, error: Exception) -> UnusableFileError:
    """Return the error that says that a file is damaged; raises OSError where the machine is.

    A damaged HDF5 file may ask for any number of bytes: no memory is no state of the machine here.
    """
    found = re.search(r"errno = (\d+)", str(error))  # HDF5 tells it in words
    number = getattr(error, "errno", None) or (int(found[1]) if found else None)
    if number and number != errno.ENOMEM:
        pass_on_machine(OSError(number, os.strerror(number)), path)
    return UnusableFileError(path, f"is damaged or no file of prep's ({error})", _find_remedy(path))


def _find_remedy(path: Path) -> str:
    return REMEDY if is_made_here(path) else FOREIGN


def read_text(file: h5py.File, attribute: str) -> str:
    """Return an attribute that is a text; ValueError for one of another kind."""
    if not is_fixed_text(file.attrs.get_id(attribute).dtype):
        raise ValueError(f"its attribute '{attribute}' is no text of a fixed length")
    return bytes(file.attrs[attribute]).decode()
