"""What a model suggests on the page: the same as `prep predict --as-labels` drafts."""

import csv

import cv2
import numpy as np
import pytest
from conftest import run_to, write_params
from reviewed import open_page, write_project, write_tiles

from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images
from pipeline.network import building, saving

CLASSES = list("0123456789")
TILE = {"size": 28, "channels": 1, "method": "mnist"}


@pytest.fixture
def pages(tmp_path, monkeypatch, prep):
    """Two pages of layout `free` without labels, read up to their tiles."""
    monkeypatch.chdir(tmp_path)
    source = {"path": "raw/in", "layout": "free"}
    write_params(tmp_path, sources=[source], classes=CLASSES, tile=TILE, experiments={"none": {}})
    (tmp_path / "raw/in").mkdir(parents=True, exist_ok=True)
    for name, lines in {"a.png": ["1273", "05"], "b.png": ["416"]}.items():
        (tmp_path / "raw/in" / name).write_bytes(images.encode_png(draw_page(lines)))
    run_to(prep, "normalise")
    return tmp_path


def draw_page(lines):
    """Return an RGB page of pale paper with lines of digits."""
    page = np.full((420, 640, 3), (240, 236, 225), np.uint8)
    for row, line in enumerate(lines):
        for column, text in enumerate(line):
            place = (60 + 110 * column, 110 + 120 * row)
            cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, 2, (40, 40, 70), 5)
    return page


def test_suggestions_are_the_draft_of_predict(pages, prep):
    client = open_page(pages)
    found = client.get("/api/suggestions").json()
    assert found["by"].startswith("the digit model that comes with prep")
    assert prep("predict", "raw/in", "--as-labels", "draft.csv")[0] == 0
    with (pages / "draft.csv").open(newline="") as file:
        draft = {row["id"]: row["label"] for row in csv.DictReader(file)}
    assert len(draft) == 9
    suggested = {name: label for name, (label, chance) in found["labels"].items()}
    sure = {name for name, (_, chance) in found["labels"].items() if chance >= found["least"]}
    assert suggested.keys() == draft.keys()
    assert {name: label for name, label in draft.items() if label} == {
        name: suggested[name] for name in sure
    }


def test_only_what_has_no_label_is_read(pages, prep):
    boxes = read_table(pages / "processed/boxes.csv", COLUMNS["boxes"])
    lines = [f"{row['source']},{row['id']},1" for row in boxes[:4]]
    (pages / "raw/labels.csv").write_text("\n".join(["source,id,label", *lines]))
    for stage in ("segment", "normalise"):
        assert prep(stage)[0] == 0
    found = open_page(pages).get("/api/suggestions").json()
    assert list(found["labels"]) == [row["id"] for row in boxes[4:]]


def test_a_box_that_is_drawn_on_the_page_is_a_tile_after_segment(pages, prep):
    """And does not wait any more; what it took the place of is listed as left out."""
    client = open_page(pages)
    sheet = client.get("/api/pages").json()["ids"][1]
    shown = client.get(f"/api/boxes/{sheet}").json()
    first, second, third = (one["box"] for one in shown["boxes"])
    both = [first[0], min(first[1], second[1]), second[2], max(first[3], second[3])]
    sent = {"page": sheet, "boxes": [[*both, "7"], [*third, ""]], "was": shown["version"]}
    assert client.post("/api/boxes", json=sent).status_code == 200
    assert client.get("/api/pages").json()["waiting"] == [sheet]
    for stage in ("segment", "normalise"):
        assert prep(stage)[0] == 0
    client = open_page(pages)
    assert client.get("/api/pages").json()["waiting"] == []
    boxes = client.get(f"/api/boxes/{sheet}").json()["boxes"]
    assert [(one["box"], one["label"], one["is_found"]) for one in boxes] == [
        (both, "7", True),
        (third, "", True),
    ]
    assert boxes[0]["id"] in client.get("/api/tiles").json()["ids"]


def test_without_a_model_that_fits_it_is_said_why(tmp_path):
    ids = write_project(tmp_path, classes=("0", "1", "nine"))
    write_tiles(tmp_path, [(one, "") for one in ids], ("0", "1", "nine"))
    found = open_page(tmp_path).get("/api/suggestions").json()
    assert (found["labels"], "prep train" in found["trouble"]) == ({}, True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_model_of_the_project_is_chosen_by_its_name(pages):
    (pages / "models").mkdir(exist_ok=True)
    saving.save(building.build("dense16", (28, 28, 1), 10, seed=5), pages / "models/own.keras")
    client = open_page(pages)
    found = client.get("/api/suggestions", params={"model": "models/own.keras"}).json()
    assert (found["by"], found["trouble"]) == ("models/own.keras", "")
    assert found["models"] == ["models/own.keras"]
    assert len(found["labels"]) == 9
