"""What was read of files, read anew when one of them changes."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Watched(Generic[Value]):
    """A value that follows from some files; `version` names their state, '' where none is there."""

    def __init__(self, files: Sequence[Path], read: Callable[[], Value]) -> None:
        """Watch the files; `read` may raise what it likes, and is asked again then."""
        self.files, self._read = files, read
        self._kept: tuple[str, Value] | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def version(self) -> str:
        """A few characters that are others when a file was replaced or changed."""
        return name_state(self.files)

    def read(self) -> tuple[str, Value]:
        """Return the version and the value that belongs to it."""
        with self._one_at_a_time:
            version = self.version
            if self._kept is None or self._kept[0] != version:
                self._kept = version, self._read()
            return self._kept


def name_state(files: Sequence[Path]) -> str:
    """Return a few characters for the state of some files, '' where none is there."""
    states = [_state(path) for path in files]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16] if any(states) else ""


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
