"""Make the pictures of docs/pages.md: real digits on simulated paper, read by prep itself.

Run it with `python docs/make_pictures.py`. A small project is written to a temporary folder, its
stages run as ever, and what they draw is shrunk into docs/pictures/.
Lengths on a page are millimetres; the same seed gives the same pictures.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from photography import MM, PENS, Shot, cross_out, photograph, print_form, write_glyph  # noqa: E402

from pipeline.forms.layout import Form, form_boxes  # noqa: E402
from pipeline.forms.planning import plan_forms  # noqa: E402
from pipeline.intake import images  # noqa: E402
from pipeline.pages import rendering  # noqa: E402
from pipeline.project import Project  # noqa: E402
from pipeline.settings.loading import load_params  # noqa: E402
from pipeline.stages.ingest import ingest  # noqa: E402
from pipeline.stages.normalise import normalise  # noqa: E402
from pipeline.stages.segment import segment  # noqa: E402

Picture = npt.NDArray[np.uint8]

PICTURES = ROOT / "docs" / "pictures"
WIDTH = 700  # pixels, of a page's picture
WRITERS = ("Ada", "Grace", "Alan")
SPOILT, EMPTY = {(2, 5), (7, 1)}, {(4, 7), (9, 6), (9, 7)}
DOUBTFUL = (5, 6)  # smaller than all the others

# Each is photographed sideways and turned upright, as a phone does.
ASKEW = Shot(degrees=101, perspective=0.12, shadow=0.45, quality=85)
CUT_OFF = Shot(degrees=94, perspective=0.05, shadow=0.2, quality=85)
ON_A_DESK = Shot(degrees=87, perspective=0.08, shadow=0.35, quality=85)


def main() -> None:
    """Write every picture of the page."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        photos = write_project(project)
        params = load_params(project.params_file)
        for stage in (ingest, segment, normalise):
            print(stage(project, params))
        print(project.input("quarantine.csv").read_text())
        save("form", shrink(print_form(plan_form("Ada"))))
        for name, shown in (("form-photo", "Ada"), ("rows-photo", "rows")):
            save(name, shrink(photos[shown]))
        for name, shown in (("form-overlay", "Ada"), ("refused", "cut"), ("rows-overlay", "rows")):
            [overlay] = project.input("overlays").glob(f"{shown}-*.jpg")
            save(name, shrink(images.decode_page(overlay.read_bytes())))
        sheet = images.decode_page(project.input("contact", "4.jpg").read_bytes())
        save("contact", sheet)


def write_project(project: Project) -> dict[str, Picture]:
    """Write a project's params.yaml and photos; return the photos by name."""
    rng = np.random.default_rng(4)
    digits = Digits()
    photos = {}
    for writer in WRITERS:
        photos[writer] = take(fill_in(plan_form(writer), digits, rng), ASKEW, rng)
    whole = take(fill_in(plan_form("Edsger"), digits, rng), CUT_OFF, rng)
    photos["cut"] = whole[: round(0.76 * len(whole))]
    photos["rows"] = take(write_rows(digits, rng), ON_A_DESK, rng)
    for name, photo in photos.items():
        target = project.root / "raw" / ("pages" if name == "rows" else "forms") / f"{name}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(images.encode_jpeg(photo))
    preset = (ROOT / "pipeline/presets/digits/params.yaml").read_text(encoding="utf-8")
    line = "  - {path: raw/forms, layout: form}\n"
    project.params_file.write_text(preset.replace("sources:\n", f"sources:\n{line}"), "utf-8")
    return photos


def take(page: Picture, shot: Shot, rng: np.random.Generator) -> Picture:
    """Return an upright photo of the page."""
    photo, _ = photograph(page, shot, rng)
    return np.rot90(photo, -1).copy()


class Digits:
    """Handwritten digits to write with, each used once."""

    def __init__(self) -> None:
        self.data, self.classes = load_digits(return_X_y=True)
        self.used = dict.fromkeys(range(10), 0)

    def next(self, label: str) -> Picture:
        """Return the next digit of a class, (40, 40), ink bright on 0."""
        number = np.flatnonzero(self.classes == int(label))[self.used[int(label)]]
        self.used[int(label)] += 1
        [surface] = rendering.trace_strokes(self.data[number].reshape(1, 8, 8))
        return np.round(255 * rendering.cut_surface(surface, 6)).astype(np.uint8)


def plan_form(writer: str) -> Form:
    """Return the form as `prep sheet --writer` prints it; there its number is drawn."""
    [form] = plan_forms("0123456789", identity="a1b2c3", writer=writer)
    return form


def fill_in(form: Form, digits: Digits, rng: np.random.Generator) -> Picture:
    """Return the form written on, with two boxes spoilt and three left empty."""
    page = print_form(form).copy()
    for box in form_boxes(form):
        place = (box.row, box.column)
        if place not in EMPTY:
            write_glyph(page, box.square, digits.next(box.label), PENS["blue"], rng)
        if place in SPOILT:
            cross_out(page, box.square, PENS["blue"], rng)
    return page


def write_rows(digits: Digits, rng: np.random.Generator) -> Picture:
    """Return a ruled A5 sheet with a row of each digit: uneven, and one too small."""
    page = np.full((round(210 * MM), round(148 * MM), 3), (246, 243, 234), np.uint8)
    for y in np.arange(14, 206, 9.0):
        page[round(y * MM) : round(y * MM) + 3] = (150, 175, 205)
    page[:, round(18 * MM) : round(18 * MM) + 3] = (215, 120, 125)
    for row in range(10):
        for column in range(int(rng.integers(7, 10))):
            x = 23 + 12.5 * column + rng.uniform(-1, 1)
            y = 13.5 + 18 * row + rng.uniform(-0.8, 0.8)
            square = (x, y, x + 11, y + 11)
            size = 0.36 if (row, column) == DOUBTFUL else 0.85
            write_glyph(page, square, digits.next(str(row)), PENS["black"], rng, size=size)
    return page


def shrink(picture: Picture) -> Picture:
    """Return the picture WIDTH pixels wide."""
    factor = WIDTH / picture.shape[1]
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def save(name: str, picture: Picture) -> None:
    """Write the picture as JPEG, well under 150 KB."""
    data = images.encode_jpeg(picture, quality=80)
    (PICTURES / f"{name}.jpg").write_bytes(data)
    print(f"{name}.jpg: {picture.shape[1]} x {picture.shape[0]}, {len(data) // 1000} KB")


if __name__ == "__main__":
    main()
