"""Peak memory against the number of photos: `python benchmarks/memory.py [--photos 2000 24000]`.

A project of synthetic tiles (80x80x3, noise) is written with prep's own writers: N training tiles
and N / 20 for each of validation and test set. Then the commands run on it as a person runs them,
each as a process of its own:

augment    five ops, stored: 5 N variants
train      deepconv on originals and variants, 50 steps of 32, validated once at the end
evaluate   the run on its test set

"Largest" is the peak resident set of the largest process, as the system counted it (ru_maxrss).
"All" is the most that a command's processes held together, each shared page counted once (Pss),
sampled ten times a second. 240,000 photos take 29 GB of disk.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from pipeline.dataset.schema import Rows
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset

SHAPE = (80, 80, 3)
CLASSES = ["cat", "dog"]
OPS = {
    "flip": {},
    "rotate": {"degrees": [-15, 15]},
    "shift": {"x": [-0.1, 0.1], "y": [-0.1, 0.1]},
    "zoom": {"factor": [0.9, 1.1]},
    "duplicate": {},
}
STEPS = 50
WINDOW = 512  # tiles that are made at once
COMMANDS = ("augment", "plan", "train --experiment together", "evaluate --experiment together")


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    largest: float  # MB (10^6 bytes)
    together: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.largest:,.0f} / {self.together:,.0f} ({self.seconds:.0f} s)"


def write_project(root: Path, photos: int, memory_mb: int) -> None:
    """Write params.yaml, tiles.h5 and split.csv of a project with so many training photos."""
    params = {
        "sources": [{"path": "raw", "layout": "whole"}],
        "classes": CLASSES,
        "tile": {"size": SHAPE[0], "channels": SHAPE[2], "method": "photo"},
        "augment": OPS,
        "experiments": {"none": {}, "together": {"ops": list(OPS)}},
        "train": {
            "model": "deepconv", "steps": STEPS, "batch_size": 32, "validate_every": STEPS,
            "seeds": 1, "memory_mb": memory_mb,
        },
    }  # fmt: skip
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    held = photos // 20
    parts = np.repeat(["train", "val", "test"], [photos, held, held])
    processed = root / "processed"
    with create_dataset(
        processed / "tiles.h5", tile_shape=SHAPE, classes=CLASSES, made_by={"stage": "normalise"}
    ) as out:
        for start in range(0, len(parts), WINDOW):
            out.append(make_rows(start, min(WINDOW, len(parts) - start)))
    rows = (
        {"id": name_tile(number), "split": part, "fold": 0, "group": name_tile(number)}
        for number, part in enumerate(parts)
    )
    write_table(processed / "split.csv", COLUMNS["split"], rows)


def name_tile(number: int) -> str:
    return f"{number * 2654435761 % 2**40:010x}-0"  # as long as a real id, and as little in order


def make_rows(start: int, count: int) -> Rows:
    numbers = np.arange(start, start + count)
    names = np.array([name_tile(number) for number in numbers.tolist()], object)
    images = np.random.default_rng(start).integers(0, 256, (count, *SHAPE), np.uint8)
    return Rows(images, (numbers % len(CLASSES)).astype(np.int16), names, names)


def measure(words: list[str], root: Path) -> Cost:
    """Run a command of prep and return what it took; exits when it fails."""
    started = time.perf_counter()
    prep = [sys.executable, "-m", "pipeline"]
    process = subprocess.Popen([*prep, *words, "-q"], cwd=root)
    together = 0
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        together = max(together, sum(map(read_share, find_family(process.pid))))
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"prep {' '.join(words)} failed")
    return Cost(usage.ru_maxrss * 1024 / 1e6, together / 1e6, time.perf_counter() - started)


def find_family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from find_family(int(child))


def read_share(pid: int) -> int:
    """Return the bytes that a process holds, a page shared by n counted as an nth."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[2_000, 24_000])
    parser.add_argument("--memory-mb", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where the projects lie for a while")
    chosen = parser.parse_args()
    print("| photos | tiles and variants | augment | train | evaluate |", flush=True)
    print("|---|---|---|---|---|")
    for photos in chosen.photos:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
            root = Path(name)
            write_project(root, photos, chosen.memory_mb)
            costs = {words: measure(words.split(), root) for words in COMMANDS}
            size = sum(file.stat().st_size for file in root.rglob("*.h5")) / 1e9
            shown = [str(costs[words]) for words in COMMANDS if words != "plan"]
            print(f"| {photos:,} | {size:.1f} GB | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
