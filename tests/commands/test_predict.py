"""prep predict on new pictures: against evaluate, hand-drawn pages, and wrong input."""

import re
import shutil
import zipfile

import cv2
import numpy as np
import PIL.Image
import pytest
from conftest import draw_subject, run_to, write_params

from pipeline.dataset import store
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images
from pipeline.network import asking, building, fitting, saving
from pipeline.subjects import overlays
from pipeline.tiles import normalising

pytestmark = pytest.mark.slow

PAPER, INK = 236, 35
# x, y, width and height of the bars and squares on the page, in three rows from left to right
PLACES = (
    *((60, 70, 30, 90), (190, 80, 64, 61), (330, 72, 28, 88)),
    *((64, 225, 60, 64), (200, 212, 31, 90)),
    *((58, 352, 29, 91), (185, 362, 66, 60), (325, 370, 62, 58), (470, 355, 30, 86)),
)


def draw_page():
    """Return a grey page of paper with upright bars and squares in three rows."""
    page = np.random.default_rng(3).integers(PAPER - 6, PAPER + 6, (500, 640)).astype(np.uint8)
    for x, y, width, height in PLACES:
        page[y : y + height, x : x + width] = INK
    return page


def save_model(path, shape=(28, 28, 1), classes=2):
    """Write a model with random weights and return it."""
    model = building.build("dense16", shape, classes, seed=5)
    saving.save(model, path)
    return model


def read_table_shown(printed):
    """Return the cells of the printed table."""
    lines = printed.split("Predictions\n\n")[1].split("\n\n")[0].splitlines()[2:]
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def drawings(folder):
    return sorted(path.name for path in (folder / "processed/predictions").iterdir())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has learnt to tell solid bars from solid squares."""
    random = np.random.default_rng(0)
    labels = np.arange(128) % 2
    sizes = np.array([(88, 30), (62, 62)])[labels] + random.integers(-4, 5, (128, 2))
    glyphs = [np.full(size, 255, np.uint8) for size in sizes]
    made = np.stack([normalising.normalise_mnist(glyph)[..., None] for glyph in glyphs])
    model = building.build("dense16", (28, 28, 1), 2, seed=0, learning_rate=0.01)
    fitting.fit(model, lambda step: (made, labels), steps=60, validate_every=60)
    path = tmp_path_factory.mktemp("trained") / "reader.keras"
    saving.save(model, path)
    return path


@pytest.fixture
def reader(project, trained):
    """A project whose pages are of layout rows, with a page and a model; returns its folder."""
    write_params(project, sources=[{"path": "raw/pictures", "layout": "rows"}])
    (project / "page.png").write_bytes(images.encode_png(draw_page()))
    shutil.copy(trained, project / "reader.keras")
    return project


def test_new_pictures_get_the_probabilities_that_evaluate_found_for_them(project, prep):
    budget = {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3}
    write_params(project, train=budget | {"seeds": [1, 0]})
    run_to(prep, "plan")
    assert prep("train", "--experiment", "flip")[0] == 0
    assert prep("evaluate", "--experiment", "flip")[0] == 0
    catalogue = read_table(project / "processed/catalogue.csv", COLUMNS["catalogue"])
    source = {f"{row['sha256'][:10]}-{row['page']}": row["source"] for row in catalogue}
    rows = read_table(project / "processed/scores/flip/predictions.csv", COLUMNS["predictions"])
    judged = {source[row["id"]]: row for row in rows if row["seed"] == "1"}
    other = {source[row["id"]]: row for row in rows if row["seed"] == "0"}

    code, printed, errors = prep("predict", *judged, "--model", "flip")
    assert (code, errors) == (0, "")
    shown = read_table_shown(printed)
    assert [cells[0] for cells in shown] == list(judged)
    for picture, number, box, label, probability, second in shown:
        chances = [float(judged[picture]["p0"]), float(judged[picture]["p1"])]
        assert (number, box, label) == ("1", "0, 0, 30, 40", judged[picture]["predicted"])
        assert float(probability) == pytest.approx(max(chances), abs=6e-4)
        assert float(second.split("(")[1].rstrip(")")) == pytest.approx(min(chances), abs=6e-4)
    assert any(abs(float(other[c[0]]["p0"]) - float(judged[c[0]]["p0"])) > 0.01 for c in shown)
    assert len(drawings(project)) == len(judged)
    assert "labelled by processed/runs/flip/fold-0/seed-1/model.keras and drawn" in printed
    # Without a model it is that of the first experiment that is trained.
    assert read_table_shown(prep("predict", *judged)[1]) == shown


def test_a_page_is_read_from_left_to_right_and_row_by_row(reader, prep):
    """Two classes and three rows of different lengths: what labels would need is not asked for."""
    code, printed, errors = prep("predict", "page.png", "--model", "reader.keras")
    assert (code, errors) == (0, "")
    shown = read_table_shown(printed)
    assert [cells[1] for cells in shown] == [str(number) for number in range(1, 10)]
    expected = [(x, y, x + w, y + h) for x, y, w, h in PLACES]
    found = [tuple(map(int, cells[2].split(", "))) for cells in shown]
    np.testing.assert_allclose(found, expected, atol=3)
    assert "9 subjects labelled by reader.keras and drawn on 1 picture in processed/pre" in printed


def test_each_subject_gets_its_own_label(reader, prep):
    _, printed, _ = prep("predict", "page.png", "--model", "reader.keras")
    for cells, (_, _, width, _) in zip(read_table_shown(printed), PLACES, strict=True):
        label, other = ("square", "bar") if width > 50 else ("bar", "square")
        probability, second = float(cells[4]), 1 - float(cells[4])
        assert (cells[3], probability > 0.9) == (label, True)
        assert cells[5] in {f"{other} ({second + error:.3f})" for error in (-0.001, 0, 0.001)}


def test_the_drawing_is_the_page_with_boxes_in_the_colour_of_the_probability(reader, prep):
    before = (reader / "page.png").read_bytes()
    save_model(reader / "unsure.keras")
    _, printed, _ = prep("predict", "page.png", "--model", "unsure.keras")
    assert (reader / "page.png").read_bytes() == before
    [name] = drawings(reader)
    assert re.fullmatch(r"page-[0-9a-f]{10}-0\.jpg", name)
    drawing = images.decode_page((reader / "processed/predictions" / name).read_bytes())
    assert drawing.shape == (500, 640, 3)
    for cells in read_table_shown(printed):
        x0, y0, _, y1 = map(int, cells[2].split(", "))
        seen = drawing[y0 + 20 : y1 - 20, x0].astype(float).mean(axis=0)
        hue = np.array(overlays.color_of_score(float(cells[4])), float)
        assert np.corrcoef(seen, hue)[0, 1] > 0.9  # a JPEG blurs thin lines
        assert (drawing[y0 - 12 : y0 - 3, x0 : x0 + 12] < 160).any(axis=2).any()  # its label
        assert (drawing[y1 + 2 : y1 + 12, x0 : x0 + 12] < 160).any(axis=2).any()  # in per cent


def test_pages_of_a_tiff_and_pictures_in_folders_and_archives_are_named(reader, prep):
    from PIL import Image

    (reader / "new").mkdir()
    page = draw_page()
    first, second = Image.fromarray(page), Image.fromarray(np.ascontiguousarray(page[:, ::-1]))
    first.save(reader / "new/pages.tif", save_all=True, append_images=[second])
    with zipfile.ZipFile(reader / "new/more.zip", "w") as archive:
        archive.writestr("in/page.png", (reader / "page.png").read_bytes())
    code, printed, _ = prep("predict", "new", "--model", "reader.keras", "--out", "drawn")
    assert code == 0
    names = list(dict.fromkeys(cells[0] for cells in read_table_shown(printed)))
    assert names == ["new/more.zip > in/page.png", "new/pages.tif", "new/pages.tif page 2"]
    assert len(list((reader / "drawn").iterdir())) == 3
    assert "drawn on 3 pictures in drawn" in printed


def test_cells_are_cut_by_the_numbers_in_params(project, prep):
    source = {"path": "raw/pictures", "layout": "cells", "rows": 2, "columns": 3}
    write_params(project, sources=[{"path": "raw/other", "layout": "whole"}, source])
    mosaic = np.full((90, 135), PAPER, np.uint8)
    for row, column in ((0, 0), (0, 2), (1, 1)):
        mosaic[45 * row + 10 : 45 * row + 35, 45 * column + 20 : 45 * column + 28] = INK
    (project / "mosaic.png").write_bytes(images.encode_png(mosaic))
    save_model(project / "m.keras")
    code, printed, _ = prep("predict", "mosaic.png", "--model", "m.keras", "--layout", "cells")
    assert code == 0
    assert [cells[2] for cells in read_table_shown(printed)] == [
        "20, 10, 28, 35",
        "110, 10, 118, 35",
        "65, 55, 73, 80",
    ]


def test_a_photo_is_its_one_subject_averaged_to_the_tile(project, prep):
    write_params(project, tile={"size": 20, "channels": 3, "method": "photo"})
    random = np.random.default_rng(1)
    photo = cv2.resize(random.integers(0, 255, (6, 9, 3)).astype(np.uint8), (90, 60))
    (project / "cat.png").write_bytes(images.encode_png(photo))
    (project / "blank.png").write_bytes(images.encode_png(np.full((60, 90, 3), 77, np.uint8)))
    model = save_model(project / "m.keras", (20, 20, 3))
    code, printed, errors = prep("predict", "cat.png", "blank.png", "--model", "m.keras")
    [cells] = read_table_shown(printed)
    means = photo[:, 15:75].reshape(20, 3, 20, 3, 3).mean(axis=(1, 3))
    expected = asking.predict(model, np.rint(means).astype(np.uint8)[None])[0]
    assert (code, cells[2]) == (0, "0, 0, 90, 60")
    assert float(cells[4]) == pytest.approx(expected.max(), abs=2e-3)
    assert "Note: not used: blank.png: it is blank" in errors
    [name] = drawings(project)
    drawing = images.decode_page((project / "processed/predictions" / name).read_bytes())
    assert drawing.shape == (180, 270, 3), "labels on a small picture could not be read"


def test_a_photo_is_cut_as_its_training_tile_was_byte_for_byte(project, prep, monkeypatch):
    # Large enough that a JPEG is decoded at a quarter, and lying on its side.
    shutil.rmtree(project / "raw/pictures")
    random = np.random.default_rng(4)
    for name in ("bar", "square"):
        noise = random.integers(0, 255, (230, 310, 3)).astype(np.uint8)
        picture = PIL.Image.fromarray(cv2.resize(noise, (621, 467)))
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        (project / "raw/pictures" / name).mkdir(parents=True)
        picture.save(project / f"raw/pictures/{name}/1.jpg", quality=80, exif=exif)
    write_params(project, tile={"size": 20, "channels": 3, "method": "photo"})
    run_to(prep, "normalise")
    with store.open_dataset(project / "processed/tiles.h5") as tiles:
        trained = tiles.read().images
    save_model(project / "m.keras", (20, 20, 3))
    seen = []
    ask = asking.predict
    monkeypatch.setattr(
        asking, "predict", lambda model, made: seen.append(made) or ask(model, made)
    )
    pictures = [f"raw/pictures/{name}/1.jpg" for name in ("bar", "square")]
    code, _, _ = prep("predict", *pictures, "--model", "m.keras")
    assert code == 0
    np.testing.assert_array_equal(np.concatenate(seen), trained)
    for picture, tile in zip(pictures, trained, strict=True):
        full = images.decode_page((project / picture).read_bytes())
        assert (normalising.normalise_photo(full, 20, 3, "crop") != tile).any(), (
            "it was not reduced"
        )


def spoil(folder):
    """Write a page that breaks off, one without writing and a text file; return their names."""
    (folder / "cut.png").write_bytes((folder / "page.png").read_bytes()[:9000])
    (folder / "empty.png").write_bytes(images.encode_png(np.full((400, 300), PAPER, np.uint8)))
    (folder / "text.jpg").write_text("no picture")
    return ["cut.png", "empty.png", "text.jpg", "absent.png"]


REASONS = [
    "cut.png: truncated",
    "empty.png: no writing was found on it",
    "text.jpg: not a picture",
    "absent.png: there is no such file",
]


def test_pictures_that_cannot_be_used_are_noted_and_the_others_still_get_done(reader, prep):
    code, printed, errors = prep("predict", *spoil(reader), "page.png", "--model", "reader.keras")
    assert code == 0
    assert {cells[0] for cells in read_table_shown(printed)} == {"page.png"}
    lines = errors.splitlines()
    for line, reason in zip(lines, REASONS, strict=True):
        assert line.startswith(f"Note: not used: {reason}")


def test_no_picture_that_can_be_used_is_an_error(reader, prep):
    code, printed, errors = prep("predict", *spoil(reader), "--model", "reader.keras")
    assert (code, printed) == (1, "")
    first, *lines, look = errors.splitlines()
    assert first == "Error: none of the pictures can be used:"
    assert look == (
        "Read by its look: empty.png as a page of rows (rows). --layout NAME says otherwise."
    )
    for line, reason in zip(lines, REASONS, strict=True):
        assert line.startswith(reason)
    assert not (reader / "processed").exists()


def test_no_picture_is_ever_replaced_by_a_drawing(reader, prep):
    assert prep("predict", "page.png", "--model", "reader.keras", "--out", ".")[0] == 0
    [drawing] = reader.glob("page-*.jpg")
    (reader / "page.png").touch()
    before = drawing.read_bytes()
    words = ("predict", "page.png", drawing.name, "--model", "reader.keras", "--out", ".")
    _, _, errors = prep(*words)
    assert f"page.png: its drawing {drawing.name} would replace one of the pictures" in errors
    assert drawing.read_bytes() == before


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ("--model", "filp"),
            "no such experiment in params.yaml. Did you mean 'flip'? Known: none",
        ),
        (
            ("--model", "flip"),
            "flip/fold-0/seed-0/model.keras is not there yet. Make it with: prep",
        ),
        (("--model", "absent.keras"), "There is no model file absent.keras"),
        (("--model", "text.keras"), "text.keras is no Keras model, which is a zip archive"),
        (
            ("--model", "large.keras"),
            "large.keras takes 31 x 29 x 3, but the tiles are 28 x 28 x 1 (tile in params.yaml)",
        ),
        (
            ("--model", "three.keras"),
            "three.keras tells 3 classes apart, but params.yaml has 2",
        ),
        (
            ("--model", "m.keras", "--layout", "row"),
            "'row' is no layout that can be predicted. Did",
        ),
        (("--model", "m.keras", "--layout", "idx"), "'idx' is no layout that can be predicted"),
        (("--model", "m.keras", "--layout", "cells"), "how many rows and columns a page has"),
        (("--model", "m.keras", "--out", "raw/pictures/new"), "would be taken for your pictures"),
        (("--model", "m.keras", "--out", "text.keras"), "text.keras is a file"),
    ],
)
def test_a_wrong_model_layout_or_folder_is_one_clear_error(project, prep, words, message):
    (project / "text.keras").write_text("not a model")
    if words[1] in {"large.keras", "three.keras"}:
        save_model(project / "large.keras", (31, 29, 3))
        save_model(project / "three.keras", classes=3)
    code, printed, errors = prep("predict", "raw/pictures/bar/000.png", *words)
    assert (code, printed) == (1, "")
    assert message in errors
    assert "Traceback" not in errors
    assert not (project / "processed").exists()


def test_without_a_trained_model_other_classes_than_digits_are_told_what_to_make(project, prep):
    code, printed, errors = prep("predict", "raw/pictures/bar/000.png")
    assert (code, printed) == (1, "")
    assert "none/fold-0/seed-0/model.keras is not there yet. Make it with: prep train" in errors


def test_a_picture_is_read_by_its_content_whatever_its_name(project, prep):
    save_model(project / "m.keras")
    picture = project / "[odd] näme.txt.jpg"
    picture.write_bytes(images.encode_png(draw_subject("bar", 77)))
    code, printed, errors = prep("predict", picture.name, "--model", "m.keras")
    assert (code, errors) == (0, "")
    assert read_table_shown(printed)[0][0] == picture.name
