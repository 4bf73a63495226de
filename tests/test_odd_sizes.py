"""Collections of odd sizes: each stage gives a result, or says in a sentence why there is none."""

from pathlib import Path

import pytest
from conftest import DATA_STAGES, draw_subject, write_params
from PIL import Image

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Write a project with so many pictures of each class, the current folder."""

    def write(counts, **changes):
        monkeypatch.chdir(tmp_path)
        write_params(tmp_path, classes=list(counts), **changes)
        for name, count in counts.items():
            folder = tmp_path / "raw/pictures" / name
            folder.mkdir(parents=True)
            for number in range(count):
                subject = draw_subject("square", number + 1000 * list(counts).index(name))
                (folder / f"{number}.png").write_bytes(images.encode_png(subject))

    return write


def run_road(prep):
    """Return the stages that gave a result, and what the first that did not said."""
    for number, stage in enumerate(DATA_STAGES):
        code, _, errors = prep(stage)
        if code:
            assert code == 1 and errors.startswith("Error: ") and "Traceback" not in errors
            return DATA_STAGES[:number], " ".join(errors.split())
    return DATA_STAGES, ""


@pytest.mark.parametrize(
    ("counts", "last", "sentence"),
    [
        ({"bar": 0, "square": 0}, None, "raw/pictures is empty: put your pictures there"),
        ({"bar": 1, "square": 0}, "normalise", "class 'square' has no tile"),
        ({"bar": 1, "square": 1}, "balance", "class 'bar' is too small to appear in each part"),
        ({"bar": 9, "square": 1}, "balance", "class 'square' is too small to appear in each part"),
        ({"bar": 9}, None, "classes"),
    ],
    ids=["none", "one", "two", "a class of one", "one class"],
)
def test_few_pictures(start, prep, counts, last, sentence):
    start(counts)
    done, error = run_road(prep)
    assert done[-1:] == ((last,) if last else ())
    assert sentence in error


def test_an_empty_source_beside_a_folder_that_none_reads_says_so(start, prep):
    start({"bar": 0, "square": 0})
    Path("raw/forms").mkdir()
    for number in range(3):
        Path(f"raw/forms/{number}.jpg").write_bytes(b"a scan")
    _, error = run_road(prep)
    assert "raw/forms holds 3 files, but no source in params.yaml reads it: add a line" in error
    assert "- {path: raw/forms, layout: form}" in error


def test_broken_pictures_only(start, prep):
    start({"bar": 1, "square": 1})
    for picture in Path("raw").rglob("*.png"):
        picture.write_bytes(picture.read_bytes()[:99])
    done, error = run_road(prep)
    assert done == ("ingest",)
    assert "there is no scan to segment" in error


def test_many_classes(start, prep):
    start({f"class {number}": 4 for number in range(60)}, split={"test": 0.25, "val": 0.25})
    done, error = run_road(prep)
    assert (done, error) == (DATA_STAGES, "")


def test_a_tiff_of_a_hundred_pages(start, prep):
    start({"bar": 3, "square": 3})
    pages = [Image.fromarray(draw_subject("bar", 7000 + page)) for page in range(100)]
    pages[0].save("raw/pictures/bar/all.tiff", save_all=True, append_images=pages[1:])
    assert prep("ingest")[0] == 0
    rows = read_table(Path("processed/catalogue.csv"), COLUMNS["catalogue"])
    of_tiff = [row for row in rows if row["source"].endswith("all.tiff")]
    assert [row["page"] for row in of_tiff] == [str(page) for page in range(100)]
    assert {(row["width"], row["height"], row["status"]) for row in of_tiff} == {("30", "40", "ok")}
    assert len({row["sha256"] for row in of_tiff}) == 1
    assert prep("segment")[0] == 0
    assert len(read_table(Path("processed/boxes.csv"), COLUMNS["boxes"])) == 106
