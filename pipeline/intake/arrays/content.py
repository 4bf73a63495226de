"""What an array's file holds, before anything is made of it, and how its pictures are read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError, shorten
from pipeline.intake.names import printable_name

Values = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]
MAX_BYTES = 2 * 2**30  # of one unpacked array; EMNIST's largest has half a gigabyte


@dataclass(frozen=True)
class Reading:
    """How a source wants its pictures read; None: as the file's kind and name say."""

    transpose: bool | None = None  # they lie transposed, and are turned upright
    invert: bool | None = None  # they are dark on bright, and become bright on dark


@dataclass
class ArrayPart:
    """One array of pictures and what goes with it.

    `images` are numbers of any shape, or pictures of their own sizes with the reason in place of
    each that can't be read. `names` are what a label's number may be called, the best first.
    """

    images: Values | Iterator[Picture | DataError]
    labels: Values | None = None
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    groups: Values | None = None
    split: str = ""  # train, val, test, or "": it does not say
    transposed: str = ""  # who is known to lay pictures so: they are turned upright
    where: Callable[[int], str] = lambda number: f"picture {number + 1:,}"  # what names a picture
    is_exact: bool = False  # bytes that say themselves that they are grey levels
    count: int = -1  # of pictures that come one by one

    def __len__(self) -> int:
        return len(self.images) if isinstance(self.images, np.ndarray) else self.count


def quote(text: str, most: int = 100) -> str:
    """Return a stranger's text as a message may quote it: one line, all of which prints."""
    return printable_name(shorten(text, most))
