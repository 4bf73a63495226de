"""Collections of odd sizes: `python benchmarks/odd_sizes.py [--only NAME] [--stages ingest,...]`.

Makes each collection in a temporary folder and runs the stages on it. Prints the seconds of each
and the highest memory of one process and of all together (resident, sampled 20 times a second).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.pages import rendering

DIGITS = [str(digit) for digit in range(10)]
STAGES = "ingest,segment,normalise,balance,split"
PREP = [sys.executable, "-m", "pipeline"]


def write_tiny(folder: Path, classes: list[str], count: int) -> None:
    """Write pictures of 10 x 12 pixels, all different, so many of each class."""
    dice = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = dice.integers(225, 245, (12, 10)).astype(np.uint8)
            picture[3:9, 4:7] = dice.integers(0, 60, (6, 3))
            cv2.imwrite(str(folder / name / f"{number}.png"), picture)


def draw_page(height: int, width: int, number: int) -> np.ndarray:
    """Return a page of the sample's handwriting, row r holding r, enlarged to a size in pixels."""
    digits = load_digits()
    rows = rendering.deal_pages(digits.target, seed=1)[number]
    page = rendering.render_page([list(digits.images[row]) for row in rows], seed=number)
    return cv2.resize(page.pixels, (width, height), interpolation=cv2.INTER_CUBIC)


def write_a0(folder: Path, classes: list[str]) -> None:
    folder.mkdir(parents=True)
    page = Image.fromarray(draw_page(14_000, 10_000, 0)).convert("RGB")
    page.save(folder / "a0.png", compress_level=1)


def write_hundred_pages(folder: Path, classes: list[str]) -> None:
    folder.mkdir(parents=True)
    drawn = [Image.fromarray(draw_page(3508, 2480, number)) for number in range(10)]
    pages = [drawn[number % 10].rotate(number / 100, fillcolor=235) for number in range(100)]
    pages[0].save(
        folder / "all.tiff", save_all=True, append_images=pages[1:], compression="tiff_lzw"
    )


COLLECTIONS: dict[str, tuple[str, list[str], Callable[[Path, list[str]], None]]] = {
    "100,000 tiny files": ("whole", ["a", "b"], lambda f, names: write_tiny(f, names, 50_000)),
    "500 classes": ("whole", [f"c{n}" for n in range(500)], lambda f, n: write_tiny(f, n, 20)),
    "A0 scan": ("rows", DIGITS, write_a0),
    "TIFF of 100 pages": ("rows", DIGITS, write_hundred_pages),
}


def write_project(project: Path, name: str) -> None:
    layout, classes, write = COLLECTIONS[name]
    settings = {
        "sources": [{"path": "raw/pictures", "layout": layout}],
        "classes": classes,
        "augment": {"flip": {}},
        "experiments": {"none": {}},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    write(project / "raw" / "pictures", classes)


def measure(project: Path, stage: str) -> tuple[str, float, int, int]:
    """Run a stage; return what it said, seconds, and bytes of the largest process and of all."""
    start, largest, together = time.perf_counter(), 0, 0
    with (project / "said").open("w+") as said:
        process = psutil.Popen([*PREP, stage], cwd=project, stdout=said, stderr=said)
        while process.poll() is None:
            sizes = [0]
            for one in [process, *process.children(recursive=True)]:
                try:
                    sizes.append(one.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            largest, together = max(largest, *sizes), max(together, sum(sizes))
            time.sleep(0.05)
        said.seek(0)
        return said.read().strip(), time.perf_counter() - start, largest, together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=COLLECTIONS)
    parser.add_argument("--stages", default=STAGES)
    options = parser.parse_args()
    for name in [options.only] if options.only else COLLECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            write_project(Path(folder), name)
            print(name, flush=True)
            for stage in options.stages.split(","):
                said, seconds, largest, together = measure(Path(folder), stage)
                print(
                    f"  {seconds:6.1f} s {largest / 1e6:6.0f} MB {together / 1e6:6.0f} MB  {said}"
                )


if __name__ == "__main__":
    main()
