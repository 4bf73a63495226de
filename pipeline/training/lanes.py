"""How many trainings run beside each other: as the processors and the memory allow."""

import re
from pathlib import Path

CARD = Path("/dev/nvidia0")
PROCESS_MB = 800  # of TensorFlow, a model and its batches; measured in benchmarks/memory.py


def count_lanes(jobs: int | None, runs: int, memory_mb: int) -> int:
    """Return how many processes train at once, 1 or more.

    jobs: how many were asked for (None: one a processor; a graphics card is not shared). runs: how
    many are to be trained. memory_mb: 10^6 bytes of tiles for all of them together.
    """
    from joblib import cpu_count

    if jobs is None and CARD.exists():
        return 1
    lanes = min(jobs or cpu_count(), max(runs, 1))
    free = find_free_memory()
    if jobs is None and free is not None:
        lanes = min(lanes, max(int((free - memory_mb) // PROCESS_MB), 1))
    return lanes


def find_free_memory() -> float | None:
    """Return how many 10^6 bytes of memory this process's group may still take; None: not known."""
    known = [read_machine(Path("/proc/meminfo")), read_group(Path("/sys/fs/cgroup"))]
    return min((mb for mb in known if mb is not None), default=None)


def read_machine(file: Path) -> float | None:
    """Return what Linux says is available."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", file.read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 / 1e6 if found else None


def read_group(folder: Path) -> float | None:
    """Return what a container's limit leaves (version 2 of control groups)."""
    try:
        most = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(), re.M)
    except (OSError, ValueError):
        return None
    return (int(most) - used + int(cached[1] if cached else 0)) / 1e6 if most.isdigit() else None
