"""Round trip of the printed form: print, write in, photograph or scan in simulation, read.

    python benchmarks/forms.py --mnist FOLDER [--study pages] [--pages 200] [--workers 2]

FOLDER holds MNIST's four files; its test digits are the writing. A written cell is right when it
bears the class that was written there and shows the digit that was written there, which is checked
by finding it again among all the digits of the page. Studies:

    pages    each page is another form, pen, hand and camera
    lights   90 kinds of photo: light, tilt and resolution; a table by each of them
    strokes  strokes that run out of their boxes, by how far they go into the next one
    blur     how many pages' codes are read, by the form's classes, resolution and blur
"""

import argparse
import gzip
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import DataError
from pipeline.forms.finding import find_form
from pipeline.forms.layout import Form, box_gap, form_boxes, marker_squares
from pipeline.forms.planning import plan_forms
from pipeline.forms.reading import ReadForm, read_form

# The tests photograph pages too.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import photography

SIDE_MARKERS = (0, 2, 3, 4, 6, 7)

LIGHTS = {
    "even": {},
    "bright": {"exposure": 1.25},
    "brighter on one side": {"exposure": 1.5, "uneven": 0.15},
    "fading into white": {"exposure": 1.6, "uneven": 0.15, "soft": True},
    "uneven": {"uneven": 0.3},
    "hard shadow": {"shadow": 0.5},
    "sun and shadow": {"exposure": 1.5, "shadow": 0.5},
    "glare of a lamp": {"glare": 0.35},
    "dim": {"exposure": 0.4, "noise": 5.0},
    "dark": {"exposure": 0.22, "noise": 4.0},
}
TILTS = {"flat": 0.02, "tilted": 0.12, "much tilted": 0.2}
RESOLUTIONS = (2.0, 5.0, 12.0)  # megapixels
BLURS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)  # pixels, standard deviation
ADJECTIVES = [
    "golden",
    "northern",
    "lesser",
    "spotted",
    "crested",
    "silver",
    "giant",
    "common",
    "black-necked",
    "wild",
    "mountain",
    "painted",
    "Siberian",
    "dwarf",
    "eastern",
]
NOUNS = [
    "retriever",
    "goshawk",
    "salamander",
    "orchid",
    "wagtail",
    "hedgehog",
    "mackerel",
    "birch",
    "grebe",
    "bumblebee",
]


@dataclass
class Tally:
    """What came of one page or of all."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    table: dict[tuple[str, ...], Counter[str]] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Take another tally in."""
        self.counts += other.counts
        self.seconds += other.seconds
        self.notes += other.notes
        for name, counts in other.table.items():
            self.table[name] = self.table.get(name, Counter()) + counts


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
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(len(kinds())))
    number = int(rng.integers(len(kinds()[kind])))
    form = kinds()[kind][number]
    page, truth = fill_in(form, photography.print_form(form), folder, rng)
    return read_picture(seed, form, take_picture(form, page, rng), truth)


def read_picture(seed: int, form: Form, picture: photography.Picture, truth) -> Tally:
    cv2.setNumThreads(1)
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
    """Return the glyph as a centred vector of unit length, whatever its size and place.

    Specks beside it do not count.
    """
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((glyph > 63).astype(np.uint8))
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] > 0.02 * np.count_nonzero(glyph > 63))
    rows, columns = np.nonzero(np.isin(pieces, large[large > 0]))
    tight = glyph[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    zoom = 20 / max(tight.shape)
    size = tuple(max(1, round(side * zoom)) for side in tight.shape[::-1])
    small = cv2.resize(tight, size, interpolation=cv2.INTER_AREA)
    frame = np.zeros((20, 20))
    top, left = (20 - small.shape[0]) // 2, (20 - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    frame = cv2.GaussianBlur(frame, (0, 0), 1.5)
    return (frame / np.linalg.norm(frame)).ravel()


# --- light, tilt and resolution -----------------------------------------------------------------


def run_light(job: tuple[int, str]) -> Tally:
    seed, folder = job
    rng = np.random.default_rng(seed)
    every = list(product(LIGHTS, TILTS, RESOLUTIONS))
    light, tilt, megapixels = every[seed % len(every)]
    form = kinds()[int(rng.integers(len(kinds())))][0]
    page, truth = fill_in(form, photography.print_form(form), folder, rng)
    quality = int(rng.choice([40, 60, 85]))
    settings = {
        "megapixels": megapixels, "perspective": TILTS[tilt], "degrees": rng.uniform(0, 360),
        "blur": rng.uniform(0.4, 0.7) * megapixels**0.3, "noise": 2.5, "shadow": 0.0,
        "quality": quality,
    }  # fmt: skip
    shot = photography.Shot(**(settings | LIGHTS[light]))
    picture = photography.photograph(page, shot, rng)[0]
    tally = read_picture(seed, form, picture, truth)
    for name in (light, tilt, f"{megapixels:.0f} megapixels", f"JPEG {quality}"):
        tally.table[(name,)] = tally.counts.copy()
    return tally


def report_lights(total: Tally) -> None:
    print(f"{'':22s}{'photos':>8s}{'refused':>9s}{'written':>9s}{'read':>9s}{'share':>9s}"
          f"{'wrong':>7s}{'ghosts':>8s}")  # fmt: skip
    resolutions = [f"{size:.0f} megapixels" for size in RESOLUTIONS]
    names = [*LIGHTS, *TILTS, *resolutions, *(f"JPEG {quality}" for quality in (40, 60, 85))]
    for name in (*names, "all"):
        counts = total.counts if name == "all" else total.table.get((name,), Counter())
        written = counts["written boxes"]
        wrong = counts["wrong labels"] + counts["another digit's ink"]
        read = counts["written read as written"] - wrong
        ghosts = counts["empty read as written"] + counts["crossed read as written"]
        print(f"{name:22s}{counts['pages']:8d}{counts['pages refused']:9d}{written:9d}{read:9d}"
              f"{read / max(written, 1):9.2%}{wrong:7d}{ghosts:8d}")  # fmt: skip


# --- strokes that run out of their boxes ----------------------------------------------------------

DEPTHS = (0.0, 0.5, 1.0, 2.0, 99.0)  # mm into the next box: the upper ends of the groups


def run_strokes(job: tuple[int, str]) -> Tally:
    """Judge a page on which every third box of every third row has a stroke that runs out."""
    seed, folder = job
    rng = np.random.default_rng(seed)
    form = kinds()[seed % len(kinds())][0]
    page = photography.print_form(form).copy()
    boxes = {(box.row, box.column): box for box in form_boxes(form)}
    pen = tuple(photography.PENS.values())[rng.integers(len(photography.PENS))]
    wide = photography.MM * rng.uniform(0.17, 1.0)  # 2 to 12 pixels
    places, strokes = {}, []
    for place, box in boxes.items():
        if rng.random() < 0.25:
            continue
        glyph = digits(folder)[int(rng.integers(10000))]
        size = rng.uniform(0.4, 0.7)
        places[place] = photography.write_glyph(page, box.square, glyph, pen, rng, size)
    for place in places:
        if place[0] % 3 == place[1] % 3 == 1:
            strokes.append((place, *run_out(page, form, boxes, places, place, pen, wide, rng)))
    shot = photography.Shot(
        megapixels=float(rng.choice([5, 8, 12])), perspective=rng.uniform(0, 0.1),
        degrees=rng.uniform(0, 360), blur=rng.uniform(0.4, 1.2), shadow=rng.uniform(0, 0.4),
    )  # fmt: skip
    picture = photography.photograph(page, shot, rng)[0]
    tally = Tally(Counter({"pages": 1}))
    try:
        result = read_form(picture)
    except DataError as error:
        tally.notes.append(f"seed {seed}: {error}")
        tally.counts["pages refused"] += 1
        return tally
    states = {(cell.row, cell.column): cell.state for cell in result.boxes}
    judge_strokes(tally, seed, states, places, strokes)
    return tally


def run_out(page, form, boxes, places, place, pen, wide, rng):
    """Draw a stroke from a digit out of its box; return where it goes, how far in, and touches.

    The box that it runs to is None in the margin; lengths are mm beyond the own box's line and
    into the next box.
    """
    step = [(0, 1), (0, -1), (1, 0), (-1, 0)][rng.integers(4)]
    target = (place[0] + step[0], place[1] + step[1])
    x0, y0, x1, y1 = np.array(boxes[place].square)
    side = x1 - x0
    over = rng.uniform(0, 0.7) * side
    left, top, ink = places[place]
    rows, columns = np.nonzero(ink > 0.9)
    pick = rng.integers(len(rows))
    start = np.array([left + columns[pick], top + rows[pick]]) / photography.MM
    middle, toward = (np.array([x0 + x1, y0 + y1]) / 2, np.array(step[::-1]))
    end = np.where(toward == 0, start + rng.uniform(-0.15, 0.15, 2) * side, middle)
    # The round end of the stroke reaches half its width further.
    end = end + toward * (side / 2 + over - wide / photography.MM / 2)
    points = np.array([start, end]) * photography.MM
    before = page.copy()
    photography.draw_stroke(page, points, wide, pen)
    touches = False
    if target in places:
        left, top, ink = places[target]
        part = (slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1]))
        touches = bool(((page[part] != before[part]).any(axis=2) & (ink > 0.3)).any())
    depth = over - box_gap(form)[0 if step[0] == 0 else 1]
    return (target if target in boxes else None), over, depth, touches


def judge_strokes(tally: Tally, seed: int, states, places, strokes) -> None:
    touched = set()
    for place, target, over, depth, touches in strokes:
        touched |= {place, target}
        kind = "margin" if target is None else "touching" if touches else "not touching"
        group = next(f"up to {end} mm" for end in DEPTHS if depth <= end or end == DEPTHS[-1])
        used = [states[place] == "written", target in places and states[target] == "written"]
        ghost = target is not None and target not in places and states[target] == "written"
        tally.table[(kind, group)] = tally.table.get((kind, group), Counter()) + Counter(
            strokes=1, own=used[0], next=used[1], ghost=ghost
        )
        if depth > 0.5 and (any(used) or ghost):
            tally.notes.append(
                f"seed {seed}: {place} to {target} {over:.1f} mm, {depth:.1f} mm in, {kind}: "
                f"{states[place]}, {states.get(target)}"
            )
    clean = [state for place, state in states.items() if place in places and place not in touched]
    tally.counts.update(f"clean read as {state}" for state in clean)


def report_strokes(total: Tally) -> None:
    print("strokes by how far they go into the next box, and which boxes are used all the same")
    for kind, end in product(("not touching", "touching", "margin"), DEPTHS):
        group = f"up to {end} mm"
        counts = total.table.get((kind, group), Counter())
        print(f"{kind:14s}{group:14s}{counts['strokes']:5d} strokes: own box{counts['own']:5d}, "
              f"next box{counts['next']:5d}, empty one{counts['ghost']:5d}")  # fmt: skip
    for name, count in sorted(total.counts.items()):
        print(f"{count:7d} {name}")


# --- codes in blur -------------------------------------------------------------------------------


@cache
def dense_forms() -> dict[str, Form]:
    """Return the first page of forms with more and more long names."""
    names = [f"{adjective} {noun}" for noun in NOUNS for adjective in ADJECTIVES]
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    forms = {"10 digits": plan_forms("0123456789", "k3f9d2", writer="Ada Lovelace")}
    forms["62 characters"] = plan_forms(letters, "k3f9d2", writer="Ada Lovelace", order="box")
    for count in (10, 36, 62, 150):
        forms[f"{count} names"] = plan_forms(
            names[:count], "k3f9d2", writer="Ada Lovelace", order="box"
        )
    return {f"{name}, page 1 of {len(pages)}": pages[0] for name, pages in forms.items()}


def run_blur(job: tuple[int, str]) -> Tally:
    seed, _ = job
    rng = np.random.default_rng(seed)
    every = list(product(dense_forms(), RESOLUTIONS, BLURS))
    name, megapixels, blur = every[seed % len(every)]
    form = dense_forms()[name]
    shot = photography.Shot(
        megapixels=megapixels, perspective=0.05, degrees=rng.uniform(0, 360), blur=blur, shadow=0.2
    )
    picture = photography.photograph(photography.print_form(form), shot, rng)[0]
    tally = Tally(Counter({"pages": 1}))
    try:
        found, reason = find_form(picture), ""
    except DataError as error:
        found, reason = None, str(error)
    tally.counts["pages mistaken for another"] += found is not None and found.form != form
    what = "read" if found else "code" if "code cannot" in reason else "other"
    tally.table[(name, f"{megapixels:.0f}", f"{blur}")] = Counter({what: 1, "all": 1})
    return tally


def report_blur(total: Tally) -> None:
    print("pages whose code is read / whose markers are found, of all, by blur in pixels")
    print(f"{'':34s}" + "".join(f"{blur:>9.1f}" for blur in BLURS))
    for name, megapixels in product(dense_forms(), RESOLUTIONS):
        line = f"{name:29s}{megapixels:3.0f} M"
        for blur in BLURS:
            counts = total.table.get((name, f"{megapixels:.0f}", f"{blur}"), Counter())
            line += f"{counts['read']:>5d}/{counts['all'] - counts['other']}/{counts['all']}"
        print(line)
    print(f"forms mistaken for another: {total.counts['pages mistaken for another']} (goal 0)")


# --- the whole -----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--study", choices=STUDIES, default="pages")
    parser.add_argument("--pages", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if not (Path(options.mnist) / "t10k-images-idx3-ubyte.gz").exists():
        sys.exit(f"No t10k-images-idx3-ubyte.gz in {options.mnist}: skipped.")
    run, tell, usual = STUDIES[options.study]
    pages = options.pages or usual
    jobs = [(seed, options.mnist) for seed in range(options.first, options.first + pages)]
    total = Tally()
    with get_context("spawn").Pool(options.workers) as pool:
        for tally in pool.imap_unordered(run, jobs):
            total.add(tally)
    for note in sorted(total.notes):
        print(note)
    tell(total)
    if total.seconds:
        print(
            f"processor seconds a page, one core: median {np.median(total.seconds):.3f}, "
            f"most {max(total.seconds):.3f}"
        )


def report(total: Tally) -> None:
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


Study = tuple[Callable[[tuple[int, str]], Tally], Callable[[Tally], None], int]
STUDIES: dict[str, Study] = {
    "pages": (run_page, report, 200),
    "lights": (run_light, report_lights, len(LIGHTS) * len(TILTS) * len(RESOLUTIONS)),
    "strokes": (run_strokes, report_strokes, 60),
    "blur": (run_blur, report_blur, 2 * 6 * len(RESOLUTIONS) * len(BLURS)),
}

if __name__ == "__main__":
    main()
