"""`prep ingest` on photos against bare decoding: `python benchmarks/ingest.py PHOTOS`.

PHOTOS is a folder of JPEGs; each is taken several times, with a byte appended so that no two files
are the same. In turn, in every round, with as many processes: Pillow decoding each file in a pool
of processes, in full, at an eighth of its size, and so with the file's SHA-256; and the whole
command `prep ingest` (start, digests and the catalogue included). All files are in the system's
cache.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import yaml
from joblib import cpu_count
from PIL import Image

LABEL = "photo"


def decode_full(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def decode_eighth(file: Path | BytesIO) -> None:
    with Image.open(file) as image:
        image.draft(None, (1, 1))
        image.load()


def decode_and_digest(path: Path) -> str:
    data = path.read_bytes()
    decode_eighth(BytesIO(data))
    return hashlib.sha256(data).hexdigest()


def for_each(work: Callable[[Path], object], paths: list[Path], jobs: int) -> None:
    with get_context("forkserver").Pool(jobs) as pool:
        for _ in pool.imap(work, paths, chunksize=16):
            pass


def ingest(project: Path, jobs: int) -> None:
    command = [sys.executable, "-m", "pipeline", "ingest", "--quiet"]
    subprocess.run([*command, "--jobs", str(jobs)], cwd=project, check=True)


def write_project(project: Path, photos: Path, copies: int) -> list[Path]:
    """Write a project with each photo so many times, and return their paths."""
    folder = project / "raw" / LABEL
    folder.mkdir(parents=True)
    settings = {
        "sources": [{"path": "raw", "layout": "whole"}],
        "classes": [LABEL, "none"],
        "augment": {"flip": {}},
        "experiments": {"none": {}},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    paths = []
    for number, photo in enumerate(found * copies):
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(photo.read_bytes() + bytes([number // len(found)]))
    return paths


def clock(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=cpu_count())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_project(Path(folder), options.photos, options.copies)
        work = {
            "Pillow, in full": partial(for_each, decode_full, paths, options.jobs),
            "Pillow, at an eighth": partial(for_each, decode_eighth, paths, options.jobs),
            "the same and SHA-256": partial(for_each, decode_and_digest, paths, options.jobs),
            "prep ingest": partial(ingest, Path(folder), options.jobs),
        }
        rounds = [{name: clock(run) for name, run in work.items()} for _ in range(options.rounds)]
    print(f"{len(paths):,} photos, {options.jobs} processes, medians of {options.rounds} rounds")
    for name in work:
        seconds = median(each[name] for each in rounds)
        ratio = median(each[name] / each["prep ingest"] for each in rounds)
        print(f"{name:22} {len(paths) / seconds:7,.0f} photos/s; prep ingest to it: {ratio:.2f}")


if __name__ == "__main__":
    main()
