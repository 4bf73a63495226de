"""`prep normalise` on photos against bare decoding: `python benchmarks/photos.py --photos FOLDER`.

FOLDER holds a folder of JPEGs for each class; each is taken several times, with a byte appended so
that no two files are the same. In turn, in every round, with as many processes and all files in
the system's cache: Pillow decoding each file in a pool of processes, in full, reduced just as for
the tiles, and so reduced and brought to the tile by OpenCV's area means; and the whole command
`prep normalise` (start, tiles.h5 and contact sheets included).

Then the price of reducing: how far each photo's tile is from the one made of the photo in full, as
the mean absolute difference in grey levels, for each way to fit a photo into its tile.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt
import yaml
from joblib import cpu_count
from PIL import Image

from pipeline.intake import images
from pipeline.settings.sections import Tile
from pipeline.tiles import normalising
from pipeline.tiles.cutting import cut_photo

TILE = Tile(size=80, channels=3, method="photo", fit="crop")


def find_photos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in {".jpg", ".jpeg"})


def side_needed(size: tuple[int, int], tile: Tile) -> int:
    share = normalising.share_needed((0, 0, *size), tile.size, tile.fit)
    return int(np.ceil(share * min(size)))


def decode_full(path: Path) -> None:
    with Image.open(path) as image:
        np.array(image)


def decode_reduced(path: Path) -> None:
    read_reduced(path)


def make_tile(path: Path) -> npt.NDArray[np.uint8]:
    photo = read_reduced(path)
    side = min(photo.shape[:2])
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    centre = photo[top : top + side, left : left + side]
    tile = cv2.resize(centre, (TILE.size, TILE.size), interpolation=cv2.INTER_AREA)
    return np.asarray(tile, np.uint8)


def read_reduced(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        side = side_needed(image.size, TILE)
        image.draft(None, (side, side))
        return np.array(image)


def for_each(work: Callable[[Path], object], paths: list[Path], jobs: int) -> None:
    with get_context("forkserver").Pool(jobs, cv2.setNumThreads, (1,)) as pool:
        for _ in pool.imap(work, paths, chunksize=16):
            pass


def run_prep(project: Path, jobs: int, stage: str) -> None:
    command = [sys.executable, "-m", "pipeline", stage, "--quiet"]
    subprocess.run([*command, "--jobs", str(jobs)], cwd=project, check=True)


def write_project(project: Path, photos: list[Path], copies: int) -> list[Path]:
    """Write a project with each photo so many times, ready to normalise, and return their paths."""
    classes = sorted({photo.parent.name for photo in photos})
    settings = {
        "sources": [{"path": "raw", "layout": "whole"}],
        "classes": classes,
        "tile": TILE.model_dump(),
        "augment": {"flip": {}},
        "experiments": {"none": {}},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    paths = []
    for copy in range(copies):
        for number, photo in enumerate(photos):
            path = project / "raw" / photo.parent.name / f"{copy}-{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo.read_bytes() + bytes([copy]))
            paths.append(path)
    return paths


def clock(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_speed(photos: list[Path], copies: int, rounds: int, jobs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        paths = write_project(project, photos, copies)
        for stage in ("ingest", "segment"):
            run_prep(project, jobs, stage)
        work = {
            "Pillow, in full": partial(for_each, decode_full, paths, jobs),
            "Pillow, reduced": partial(for_each, decode_reduced, paths, jobs),
            "Pillow, reduced, and OpenCV": partial(for_each, make_tile, paths, jobs),
            "prep normalise": partial(run_prep, project, jobs, "normalise"),
        }
        times = [{name: clock(run) for name, run in work.items()} for _ in range(rounds)]
    print(f"{len(paths):,} photos, {jobs} processes, medians of {rounds} rounds\n")
    print("| | photos/s | prep normalise to it |\n|---|---:|---:|")
    for name in work:
        rate = len(paths) / median(each[name] for each in times)
        ratio = median(each[name] / each["prep normalise"] for each in times)
        print(f"| {name} | {rate:,.0f} | {ratio:.2f} |")


def compare_tiles(data: bytes, tile: Tile) -> tuple[bool, float]:
    """Return whether a photo is reduced for its tile, and how far that takes it from the full."""
    full = images.decode_page(data)
    box = (0, 0, full.shape[1], full.shape[0])
    [photo] = images.decode_reduced(data, side_needed(box[2:], tile))
    exact = normalising.normalise_photo(full, tile.size, tile.channels, tile.fit)
    return photo.factor > 1, float(np.abs(cut_photo(photo, box, tile).astype(int) - exact).mean())


def measure_difference(photos: list[Path]) -> None:
    print("\n| fit | reduced | mean difference | 99 of 100 | worst | above 2 |")
    print("|---|---:|---:|---:|---:|---:|")
    for fit in ("crop", "pad", "stretch"):
        tile = TILE.model_copy(update={"fit": fit})
        found = [compare_tiles(path.read_bytes(), tile) for path in photos]
        levels = np.array([difference for _, difference in found])
        print(
            f"| {fit} | {sum(reduced for reduced, _ in found):,} | {levels.mean():.2f} | "
            f"{np.percentile(levels, 99):.2f} | {levels.max():.2f} | {(levels > 2).sum()} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=cpu_count())
    options = parser.parse_args()
    photos = find_photos(options.photos)
    if not photos:
        parser.error(f"no folders of JPEGs in {options.photos}")
    measure_speed(photos, options.copies, options.rounds, options.jobs)
    measure_difference(photos)


if __name__ == "__main__":
    main()
