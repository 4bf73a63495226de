"""A 12-megapixel photo of a page, from file to boxes, on one core: `python benchmarks/pages.py`.

Pages of the sample are drawn onto a table and photographed in simulation (tests/photography.py).
Prints the median and the worst of the processor's seconds: decoding, and finding the glyphs.
"""

import sys
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from photography import Shot, photograph

from pipeline import images, pages, paper

PAGES = 8
SHOT = Shot(megapixels=12, perspective=0.05, degrees=3, blur=1.0)


def take_photo(number: int) -> bytes:
    digits = load_digits()
    rows = paper.deal_pages(digits.target, seed=number)[number]
    page = paper.render_page([list(digits.images[row]) for row in rows], seed=number)
    large = cv2.resize(page.pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    photo, _ = photograph(large, SHOT, np.random.default_rng(number))
    return images.encode_jpeg(photo)


def main() -> None:
    cv2.setNumThreads(1)
    decoding, finding, found = [], [], 0
    for data in [take_photo(number) for number in range(PAGES)]:
        start = time.process_time()
        photo = images.decode_page(data)
        decoded = time.process_time()
        found += len(pages.find_glyphs(photo, "rows"))
        decoding.append(decoded - start)
        finding.append(time.process_time() - decoded)
    total = [sum(pair) for pair in zip(decoding, finding, strict=True)]
    size = f"{photo.shape[1]} x {photo.shape[0]}"
    print(f"{PAGES} photos of {size} pixels, {found} glyphs; seconds of one core, median (worst)")
    for name, seconds in (("decode", decoding), ("find", finding), ("file to boxes", total)):
        print(f"{name:14} {median(seconds):.2f} ({max(seconds):.2f})")


if __name__ == "__main__":
    main()
