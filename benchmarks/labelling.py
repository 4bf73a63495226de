"""How many keys it takes to label pages from nothing on the review page, in a real browser.

    python benchmarks/labelling.py FOLDER

FOLDER holds images/ and truth/ with a JSON file a page: `image`, and `glyphs` with x0, y0, x1, y1
and label. What is no digit is to be left out. A person is taken to see what is wrong, and to go
there by the fewest keys. It needs Playwright and Chromium.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections import defaultdict
from itertools import groupby
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from overlaps import overlap

from pipeline.dataset.tables import COLUMNS, Row, read_table
from pipeline.intake.labels import read_overrides

CLASSES = tuple("0123456789")
LEFT_OUT = "-"
Box = tuple[float, float, float, float]


def make_project(folder: Path, images: Path) -> None:
    """Make a project of the pages, without labels, and read it up to its tiles."""
    prep(folder.parent, "init", folder.name, "--preset", "digits")
    settings = folder / "params.yaml"
    settings.write_text(settings.read_text().replace("layout: rows}", "layout: free}"))
    for image in images.iterdir():
        shutil.copy(image, folder / "raw/pages")
    for stage in ("ingest", "segment", "normalise"):
        prep(folder, stage)


def prep(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "pipeline", *words, "--quiet"], cwd=folder, check=True)


def read_truth(folder: Path) -> dict[str, list[tuple[Box, str]]]:
    """Return the boxes and labels of each image, LEFT_OUT for what is no digit."""
    truth = {}
    for file in sorted(folder.glob("*.json")):
        said = json.loads(file.read_text())
        truth[said["image"]] = [
            ((one["x0"], one["y0"], one["x1"], one["y1"]), as_digit(one["label"]))
            for one in said["glyphs"]
        ]
    return truth


def as_digit(label: str) -> str:
    digit = unicodedata.digit(label, -1) if len(label) == 1 else -1
    return LEFT_OUT if digit < 0 else str(digit)


def find_label(box: Box, truth: list[tuple[Box, str]]) -> str:
    """Return the label of the true box that a found one overlaps most, LEFT_OUT for none."""
    best, label = max(((overlap(box, own), name) for own, name in truth), default=(0, LEFT_OUT))
    return label if best > 0.3 else LEFT_OUT


def find_way(at: int, target: int, length: int, doubtful: set[int]) -> list[str]:
    """Return the fewest keys that lead from a box of a row to another."""

    def leap(place: int) -> int:
        return next(
            (n % length for n in range(place + 1, place + length + 1) if n % length in doubtful),
            place,
        )

    ways: dict[int, list[str]] = {at: []}
    queue = [at]
    for place in queue:
        if place == target:
            return ways[place]
        steps = {
            "ArrowRight": min(place + 1, length - 1),
            "ArrowLeft": max(place - 1, 0),
            "Home": 0,
            "End": length - 1,
            "Space": leap(place),
        }
        for key, to in steps.items():
            if to not in ways:
                ways[to] = [*ways[place], key]
                queue.append(to)
    raise AssertionError("every box of a row can be reached")


class Hand:
    """Presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page, self.keys = page, 0

    def press(self, key: str) -> None:
        """Press a key, named as Playwright does."""
        self.page.keyboard.press(key)
        self.keys += 1


def label_row(hand: Hand, wanted: list[str]) -> int:
    """Let the row in focus be what is wanted; return how many of its labels had to be mended."""
    line = hand.page.locator(".line[aria-current]")
    suggested = line.locator("input").input_value()
    kinds = line.locator("text").evaluate_all("all => all.map((one) => one.getAttribute('class'))")
    doubtful = {n for n, kind in enumerate(kinds) if kind in ("doubted", "none")}
    assert len(suggested) == len(wanted), (suggested, wanted)
    wrong = [
        n for n, (one, other) in enumerate(zip(suggested, wanted, strict=True)) if one != other
    ]
    at = 0
    for place in wrong:
        for key in find_way(at, place, len(wanted), doubtful):
            hand.press(key)
        hand.press(wanted[place])
        doubtful.discard(place)
        at = min(place + 1, len(wanted) - 1)
    hand.press("Enter")
    return len(wrong)


def label_pages(folder: Path, rows: list[list[str]]) -> tuple[int, int]:
    """Label all rows on the review page; return the keys that were pressed, and labels mended."""
    words = [sys.executable, "-m", "pipeline", "review", "--no-browser"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 1600, "height": 900})
                page.goto(found[0])
                page.click("nav >> text=Rows")
                page.wait_for_selector(".by:has-text('Suggested')")
                hand = Hand(page)
                mended = sum(label_row(hand, wanted) for wanted in rows)
                page.wait_for_selector("#waiting[aria-busy=false]")
                browser.close()
        finally:
            server.terminate()
    return hand.keys, mended


def count_characters(rows: dict[tuple[str, str], list[tuple[Row, str]]]) -> tuple[int, int]:
    """Return the characters of raw/labels.csv for the same: as texts of rows, and by ids."""
    texts = ["source,row,text"]
    lines = ["source,id,label"]
    for (source, row), boxes in rows.items():
        texts.append(f"{source},{row},{''.join(label for _, label in boxes)}")
        lines += [f"{source},{box['id']},{label}" for box, label in boxes]
    return tuple(sum(len(line) + 1 for line in some) for some in (texts, lines))  # type: ignore[return-value]


def main() -> None:
    folder = Path(sys.argv[1])
    truth = read_truth(folder / "truth")
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "project"
        make_project(project, folder / "images")
        rows: dict[tuple[str, str], list[tuple[Row, str]]] = defaultdict(list)
        boxes = read_table(project / "processed/boxes.csv", COLUMNS["boxes"])
        for (source, row), those in groupby(boxes, key=lambda box: (box["source"], box["row"])):
            for box in sorted(those, key=lambda box: int(box["col"])):
                sides = tuple(float(box[side]) for side in ("x0", "y0", "x1", "y1"))
                own = truth[Path(source).name]
                rows[source, row].append((box, find_label(sides, own)))  # type: ignore[arg-type]
        keys, mended = label_pages(project, [[label for _, label in row] for row in rows.values()])
        said = {one.id: one.label for one in read_overrides(project, CLASSES)}
        wanted = {box["id"]: label for row in rows.values() for box, label in row}
        assert said == wanted, "raw/labels.csv does not say what was meant"
    texts, lines = count_characters(rows)
    digits = sum(label != LEFT_OUT for label in wanted.values())
    print(f"{len(truth)} pages, {len(rows)} rows, {len(wanted)} boxes, {digits} of them digits")
    print(f"keys: {keys}; {mended} suggestions mended, {keys / len(wanted):.2f} keys a box")
    print(f"raw/labels.csv by hand: {texts} characters as texts of rows, {lines} by ids")


if __name__ == "__main__":
    main()
