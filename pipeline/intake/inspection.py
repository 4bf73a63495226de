"""One picture file -> what the catalogue has to know of it, found out within limits.

`inspect_file` runs in a process of map_isolated, which is why this module imports little.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import OUT_OF_MEMORY, DataError, pass_on_machine
from pipeline.intake import images
from pipeline.intake.files import PictureFile
from pipeline.intake.kinds import PictureError
from pipeline.isolation import held_to


@dataclass(frozen=True)
class Inspection:
    """What was found in a file: its pages, and why the next one is not readable."""

    sha256: str = ""  # "" when not even its bytes could be read
    # Of each page its upright width and height in pixels, or why it alone can't be read
    sizes: tuple[tuple[int, int] | PictureError, ...] = ()
    trouble: str = ""
    notes: tuple[str, ...] = ()  # what should be told of how it is read


def inspect_file(
    root: Path, file: PictureFile, *, seconds: float, memory_mb: float, pixels: int
) -> Inspection:
    """Read a file and decode all of it, which may cost so many seconds and 10^6 bytes.

    These are counted from when its archive is open, for a whole one may have to be unpacked
    before; `pixels` is how many a page may have. Raises OSError for what the machine refused.
    """
    digest = ""
    sizes: list[tuple[int, int] | PictureError] = []
    notes: set[str] = set()
    try:
        file.open_archive(root)
        with held_to(seconds, memory_mb):
            data = file.read(root)
            digest = hashlib.sha256(data).hexdigest()
            sizes.extend(images.measure_pages(data, max_pixels=pixels, notes=notes))
    except DataError as error:
        return Inspection(digest, tuple(sizes), str(error), tuple(notes))
    except MemoryError:  # so little was left that it could not be told
        return Inspection(digest, tuple(sizes), OUT_OF_MEMORY)
    except OSError as error:
        pass_on_machine(error, root / file.source)
        raise
    return Inspection(digest, tuple(sizes), notes=tuple(notes))
