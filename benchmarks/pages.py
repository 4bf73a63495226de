"""Pages on one core, from file to tiles: `python benchmarks/pages.py`.

Pages of the sample, drawn anew: photographed in simulation onto 12 megapixels
(tests/photography.py), from file to boxes; and scanned as A4 at 300 dpi, on plain, ruled and
squared paper, from file to tiles: what `prep segment` does with a file (decode it, find the
glyphs, draw the overlay) and `prep normalise` with its glyphs.

Prints the median and the worst of the processor's seconds.
"""

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from photography import DPI, MM, Picture, Shot, photograph, scan

from pipeline.intake import images
from pipeline.pages import reading, rendering
from pipeline.searching.files import search_file
from pipeline.settings.params import Params
from pipeline.tiles.cutting import cut_writing

PAGES = 8
SHOT = Shot(megapixels=12, perspective=0.05, degrees=3, blur=1.0)
LINES = {"plain": (), "ruled": (0,), "squared": (0, 1)}  # the axes that are ruled
RULES = {"ruled": 8.0, "squared": 5.0}  # mm
RULE = (165, 190, 215)  # pale blue
PARAMS = Params.model_validate(
    {
        "sources": [{"path": "raw", "layout": "free"}],
        "classes": [str(digit) for digit in range(10)],
        "augment": {"flip": {}},
        "experiments": {"none": {}},
    }
)


def draw_page(number: int, dpi: int = 200) -> Picture:
    digits = load_digits()
    rows = rendering.deal_pages(digits.target, seed=number)[number]
    return rendering.render_page([list(digits.images[row]) for row in rows], number, dpi).pixels


def take_photo(number: int) -> bytes:
    large = cv2.resize(draw_page(number), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    photo, _ = photograph(large, SHOT, np.random.default_rng(number))
    return images.encode_jpeg(photo)


def scan_page(number: int, kind: str) -> bytes:
    """Return a scan of an A4 sheet with four of the sample's pages, A6, written on it."""
    sheets = [draw_page(4 * number + quarter, DPI) for quarter in range(4)]
    page = np.vstack([np.hstack(sheets[:2]), np.hstack(sheets[2:])])
    for axis in LINES[kind]:
        for line in np.arange(10, page.shape[axis] / MM - 5, RULES[kind]):
            first = round(line * MM)
            lines = page[first : first + 3] if axis == 0 else page[:, first : first + 3]
            np.minimum(lines, np.array(RULE, np.uint8), out=lines)
    return images.encode_jpeg(scan(page, DPI, 0.7, np.random.default_rng(number)), quality=90)


def measure_photos() -> None:
    decoding, finding, found = [], [], 0
    for data in [take_photo(number) for number in range(PAGES)]:
        start = time.process_time()
        photo = images.decode_page(data)
        decoded = time.process_time()
        found += len(reading.read_page(photo, "rows").glyphs)
        decoding.append(decoded - start)
        finding.append(time.process_time() - decoded)
    total = [sum(pair) for pair in zip(decoding, finding, strict=True)]
    size = f"{photo.shape[1]} x {photo.shape[0]}"
    print(f"{PAGES} photos of {size} pixels, {found} glyphs; seconds of one core, median (worst)")
    for name, seconds in (("decode", decoding), ("find", finding), ("file to boxes", total)):
        print(f"{name:14} {median(seconds):.2f} ({max(seconds):.2f})")


def measure_scans() -> None:
    print(f"\n{PAGES} scans of each paper, A4 at 300 dpi; seconds of one core, median (worst)\n")
    print("| paper | glyphs | segment | normalise | file to tiles |\n|---|---:|---:|---:|---:|")
    for kind in LINES:
        seconds: dict[str, list[float]] = defaultdict(list)
        glyphs = 0
        for number in range(PAGES):
            with tempfile.TemporaryDirectory() as folder:
                glyphs += measure_scan(Path(folder), scan_page(number, kind), seconds)
        cells = [f"{median(times):.2f} ({max(times):.2f})" for times in seconds.values()]
        print(f"| {kind} | {glyphs} | {' | '.join(cells)} |", flush=True)


def measure_scan(folder: Path, data: bytes, seconds: dict[str, list[float]]) -> int:
    """Note the seconds that a scan takes, and return how many glyphs were found on it."""
    (folder / "raw").mkdir()
    (folder / "raw" / "page.jpg").write_bytes(data)
    row = {
        "source": "raw/page.jpg", "member": "", "page": "0", "layout": "free",
        "label": "0", "group": "", "width": "0", "height": "0",
    }  # fmt: skip
    start = time.process_time()
    [(_, searched, _)] = search_file(folder, PARAMS, [row])
    segmented = time.process_time()
    for subject in searched.subjects:
        if subject.pixels is not None:
            cut_writing(subject.pixels, PARAMS.tile)
    end = time.process_time()
    if searched.reason:
        raise SystemExit(f"a page is refused: {searched.reason}")
    for name, spent in (
        ("segment", segmented - start),
        ("normalise", end - segmented),
        ("file to tiles", end - start),
    ):
        seconds[name].append(spent)
    return len(searched.subjects)


def main() -> None:
    cv2.setNumThreads(1)
    measure_photos()
    measure_scans()


if __name__ == "__main__":
    main()
