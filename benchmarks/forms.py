"""Round trip of the printed form: print, write in, photograph or scan in simulation, read.

    python benchmarks/forms.py --mnist FOLDER [--pages 200] [--workers 2]

FOLDER holds MNIST's four files; its test digits are the writing. Each page is another form,
pen, hand and camera. A written cell is right when it bears the class that was written there and
shows the digit that was written there, which is checked by finding it again among all the
digits of the page.
"""

import argparse
import gzip
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import DataError
from pipeline.forms.layout import Form, form_boxes, marker_squares
from pipeline.forms.planning import plan_forms
from pipeline.forms.reading import ReadForm, read_form

# The tests photograph pages too.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import photography

SIDE_MARKERS = (0, 2, 3, 4, 6, 7)


@dataclass
class Tally:
    """What came of one page or of all."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take another tally in."""
        self.counts += other.counts
        self.seconds += other.seconds
        self.notes += other.notes


@cache
def kinds() -> tuple[tuple[Form, ...], ...]:
    return (
        plan_forms("0123456789", "k3f9d2", writer="Ada Lovelace"),
        plan_forms("0123456789", "p0q8zz", columns=10, paper="letter", order="box"),
        plan_forms("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "w7x1aa", writer="Łukasz Żółć"),
        plan_forms(
            ["apple", "banana", "cherry", "жук", "Ωμέγα"], "m2m2m2", columns=7, writer="R. D."
        ),
        plan_forms("абвгдежзийклмнопрстуфхцчшщъыьэюя", "c4c4c4", order="box", columns=9, rows=11),
    )


@cache
def digits(folder: str) -> photography.Picture:
    data = gzip.decompress((Path(folder) / "t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)


def fill_in(form: Form, paper: photography.Picture, folder: str, rng: np.random.Generator):
    """Return the filled-in page, and for each box its state and ink (or None)."""
    page, truth = paper.copy(), []
    pen = tuple(photography.PENS.values())[rng.integers(len(photography.PENS))]
    for box in form_boxes(form):
        draw = rng.random()
        if draw < 0.12:
            truth.append(("empty", None))
            continue
        size, jitter = rng.uniform(0.4, 0.75), rng.choice([0.04, 0.1])
        glyph = digits(folder)[int(rng.integers(10000))]
        ink = photography.write_glyph(page, box.square, glyph, pen, rng, size, jitter)[2]
        truth.append(("crossed" if draw < 0.18 else "written", ink))
        if draw < 0.18:
            style = "cross" if rng.random() < 0.7 else "scribble"
            photography.cross_out(page, box.square, pen, rng, style, rng.uniform(0.4, 0.9))
    return page, truth


def take_picture(form: Form, page: photography.Picture, rng: np.random.Generator):
    if rng.random() < 0.2:
        degrees = float(rng.choice([0, 90, 180, 270]) + rng.normal(0, 1.5))
        picture = photography.scan(page, int(rng.choice([150, 200, 300])), degrees, rng)
        return picture[..., 1].copy() if rng.random() < 0.5 else picture
    corner = marker_squares(form.paper)[rng.choice(SIDE_MARKERS)][:2] + 5
    shot = photography.Shot(
        megapixels=float(rng.choice([8, 12, 16])),
        perspective=rng.uniform(0, 0.12),
        degrees=rng.uniform(0, 360),
        blur=rng.uniform(0.5, 1.8),
        noise=rng.uniform(1, 4),
        shadow=rng.uniform(0, 0.5),
        hard_shadow=bool(rng.random() < 0.5),
        curl=float(rng.choice([0, 0, 0.01, 0.03])),
        thumbs=(tuple(corner),) if rng.random() < 0.4 else (),
    )
    return photography.photograph(page, shot, rng)[0]


def run_page(job: tuple[int, str]) -> Tally:
    seed, folder = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(len(kinds())))
    number = int(rng.integers(len(kinds()[kind])))
    form = kinds()[kind][number]
    page, truth = fill_in(form, photography.print_form(form), folder, rng)
    picture = take_picture(form, page, rng)
    tally = Tally(Counter({"pages": 1}))
    tally.counts.update(f"{state} boxes" for state, _ in truth)
    start = time.process_time()
    try:
        result = read_form(picture)
    except DataError as error:
        tally.counts["pages refused"] += 1
        tally.counts.update(f"{state} refused" for state, _ in truth)
        tally.notes.append(f"seed {seed}: {error}")
        return tally
    tally.seconds.append(time.process_time() - start)
    judge_page(tally, seed, form, result, truth)
    return tally


def judge_page(tally: Tally, seed: int, form: Form, result: ReadForm, truth) -> None:
    if result.form != form:
        tally.counts["pages mistaken for another"] += 1
        tally.notes.append(f"seed {seed}: printed {form}, read {result.form}")
        return
    written = [index for index, (state, _) in enumerate(truth) if state == "written"]
    shapes = np.stack([normalise(np.round(255 * truth[index][1])) for index in written])
    for index, (cell, box, (state, _)) in enumerate(
        zip(result.boxes, form_boxes(form), truth, strict=True)
    ):
        tally.counts[f"{state} read as {cell.state}"] += 1
        if cell.state != state:
            tally.notes.append(
                f"seed {seed}: row {cell.row} column {cell.column} {state} read as {cell.state}"
            )
        if cell.state == state == "written":
            alike = shapes @ normalise(cell.pixels)
            own = alike[written.index(index)]
            other = own < 0.75 or own < alike.max() - 0.1
            tally.counts["another digit's ink"] += other
            tally.counts["wrong labels"] += cell.label != box.label
            if other:
                tally.notes.append(
                    f"seed {seed}: row {cell.row} column {cell.column} is like its own digit by "
                    f"{own:.2f}, like another by {alike.max():.2f}"
                )


def normalise(glyph: photography.Picture) -> np.ndarray:
    """Return the glyph as a centred vector of unit length, whatever its size and place."""
    rows, columns = np.nonzero(glyph > 63)
    tight = glyph[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    zoom = 20 / max(tight.shape)
    size = tuple(max(1, round(side * zoom)) for side in tight.shape[::-1])
    small = cv2.resize(tight, size, interpolation=cv2.INTER_AREA)
    frame = np.zeros((20, 20))
    top, left = (20 - small.shape[0]) // 2, (20 - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    frame = cv2.GaussianBlur(frame, (0, 0), 1.5)
    return (frame / np.linalg.norm(frame)).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if not (Path(options.mnist) / "t10k-images-idx3-ubyte.gz").exists():
        sys.exit(f"No t10k-images-idx3-ubyte.gz in {options.mnist}: skipped.")
    jobs = [(seed, options.mnist) for seed in range(options.first, options.first + options.pages)]
    total = Tally()
    with get_context("spawn").Pool(options.workers) as pool:
        for tally in pool.imap_unordered(run_page, jobs):
            total.add(tally)
    report(total)


def report(total: Tally) -> None:
    for note in sorted(total.notes):
        print(note)
    for name, count in sorted(total.counts.items()):
        print(f"{count:7d} {name}")
    counts = total.counts
    read = counts["written boxes"] - counts["written refused"]
    good = (
        counts["written read as written"] - counts["wrong labels"] - counts["another digit's ink"]
    )
    bare = counts["empty boxes"] - counts["empty refused"]
    print(
        f"written boxes with the right label and ink: {good / max(read, 1):.4%} of {read} "
        "(goal 99.9 %)"
    )
    print(
        f"empty boxes found: {counts['empty read as empty'] / max(bare, 1):.4%} of {bare} "
        "(goal 99.5 %)"
    )
    print(f"forms mistaken for another: {counts['pages mistaken for another']} (goal 0)")
    print(
        f"processor seconds a page, one core: median {np.median(total.seconds):.3f}, "
        f"most {max(total.seconds):.3f}"
    )


if __name__ == "__main__":
    main()
