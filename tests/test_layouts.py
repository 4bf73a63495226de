"""Every layout through the command line, from drawn pages to labelled tiles."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np
import photography
import pytest
from conftest import write_params

from pipeline.dataset import store
from pipeline.dataset.schema import name_labels
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.forms import finding, layout
from pipeline.intake import images

pytestmark = pytest.mark.slow

CLASSES = ["1", "2", "4"]


def draw_page(lines, turn=0.0):
    """Return an RGB page of pale paper with lines of digits, turned a little."""
    page = np.full((420, 640, 3), (240, 236, 225), np.uint8)
    for row, line in enumerate(lines):
        for column, text in enumerate(line):
            place = (60 + 110 * column, 110 + 120 * row)
            cv2.putText(
                page, text, place, cv2.FONT_HERSHEY_SIMPLEX, 2, (40, 40, 70), 5, cv2.LINE_AA
            )
    matrix = cv2.getRotationMatrix2D((320, 210), turn, 1)
    return cv2.warpAffine(page, matrix, (640, 420), borderValue=(240, 236, 225))


@pytest.fixture
def run(tmp_path, monkeypatch, prep):
    """Segment and normalise a source of one layout; return boxes.csv and the tiles' labels."""
    monkeypatch.chdir(tmp_path)

    def run_layout(files, **source):
        write_params(
            tmp_path,
            sources=[{"path": "raw/in", **source}],
            classes=CLASSES,
            experiments={"none": {}},
        )
        for name, data in files.items():
            path = tmp_path / "raw/in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for stage in ("ingest", "segment", "normalise"):
            assert prep(stage)[::2] == (0, "")
        boxes = read_table(tmp_path / "processed/boxes.csv", COLUMNS["boxes"])
        with store.open_dataset(tmp_path / "processed/tiles.h5") as tiles:
            assert list(tiles.ids) == [row["id"] for row in boxes]
            labels = name_labels(tiles.labels, CLASSES).tolist()
            assert labels == [row["label"] for row in boxes]
            return boxes, tiles.read().images

    return run_layout


def test_rows_are_labelled_from_top_to_bottom(run):
    page = images.encode_png(draw_page(["111", "22", "4444"], turn=2))
    boxes, tiles = run({"page.png": page}, layout="rows")
    assert [row["label"] for row in boxes] == list("111224444")
    assert [row["row"] for row in boxes] == list("000112222")
    assert [row["col"] for row in boxes] == list("012010123")
    assert (tiles.max(axis=(1, 2, 3)) > 200).all()


def test_sequences_are_labelled_from_left_to_right(run):
    page = images.encode_png(draw_page(["124", "124"], turn=-1))
    boxes, _ = run({"page.png": page}, layout="sequence")
    assert [row["label"] for row in boxes] == list("124124")


def test_free_pages_take_their_folders_name_and_loose_ones_none(run):
    files = {
        "4/page.png": images.encode_png(draw_page(["444"])),
        "loose.png": images.encode_png(draw_page(["12"])),
    }
    boxes, _ = run(files, layout="free")
    by_source = {row["source"]: row["label"] for row in boxes}
    assert by_source == {"raw/in/4/page.png": "4", "raw/in/loose.png": ""}
    assert len(boxes) == 5


def test_cells_are_cut_by_their_number(run):
    mosaic = np.full((90, 160), 250, np.uint8)
    for row in range(3):
        for column in range(4):
            if (row, column) != (1, 2):  # an empty cell is no glyph
                cv2.putText(mosaic, CLASSES[row], (40 * column + 10, 30 * row + 24), 0, 0.8, 20, 2)
    boxes, _ = run({"m.png": images.encode_png(mosaic)}, layout="cells", rows=3, columns=4)
    assert [row["label"] for row in boxes] == list("1111") + list("222") + list("4444")


def test_whole_pictures_are_one_glyph_each_dark_or_light(run):
    dark = draw_page(["2"])[40:130, 40:130]
    files = {"2/a.png": images.encode_png(dark), "2/b.png": images.encode_png(255 - dark)}
    boxes, tiles = run(files, layout="whole")
    assert [(row["x1"], row["y1"]) for row in boxes] == [("90", "90")] * 2
    assert np.abs(tiles[0].astype(int) - tiles[1]).mean() < 8


def test_idx_tiles_of_the_right_size_stay_as_they_are(run):
    digits = np.zeros((3, 28, 28), np.uint8)
    digits[0, 4:24, 10:14], digits[1, 6:22, 3:20], digits[2, 9:12, 2:7] = 255, 120, 33
    files = {
        "train-images-idx3-ubyte": struct.pack(">4i", 0x803, 3, 28, 28) + digits.tobytes(),
        "train-labels-idx1-ubyte": struct.pack(">2i", 0x801, 3) + bytes([4, 1, 2]),
    }
    boxes, tiles = run(files, layout="idx")
    assert [row["label"] for row in boxes] == ["4", "1", "2"]
    np.testing.assert_array_equal(tiles[..., 0], digits)


def test_a_multi_page_tiff_is_a_scan_a_page(run, tmp_path):
    from PIL import Image

    pages = [Image.fromarray(draw_page([digit * 3])) for digit in "14"]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    boxes, _ = run({"4/pages.tif": (tmp_path / "pages.tif").read_bytes()}, layout="free")
    assert [row["page"] for row in boxes] == list("000111")


def test_a_printed_form_is_read_back_with_labels_and_writer(run, prep, tmp_path):
    code, printed, _ = prep("sheet", "form.pdf", "--classes", "1,2,4", "--writer", "Ada L.")
    assert (code, "1 page for 3 classes" in printed) == (0, True)
    [page] = photography.render_pdf((tmp_path / "form.pdf").read_bytes())
    form = finding.find_form(page).form
    rng = np.random.default_rng(0)
    glyph = cv2.putText(np.zeros((40, 40), np.uint8), "4", (6, 34), 0, 1.3, 255, 3)
    filled = [box for box in layout.form_boxes(form) if (box.row + box.column) % 3 == 0]
    for box in filled:
        photography.write_glyph(page, box.square, glyph, (40, 40, 60), rng)
    photo, _ = photography.photograph(page, photography.Shot(5, degrees=95, blur=0.8), rng)
    files = {"photo.jpg": images.encode_jpeg(photo), "table.jpg": images.encode_jpeg(photo[:99])}
    boxes, _ = run(files, layout="form")
    assert [(row["label"], row["row"], row["col"]) for row in boxes] == [
        (box.label, str(box.row), str(box.column)) for box in filled
    ]
    assert {row["group"] for row in boxes} == {"Ada L."}
    [refused] = read_table(tmp_path / "processed/quarantine.csv", COLUMNS["quarantine"])
    assert refused["source"] == "raw/in/table.jpg"
    assert len(list((tmp_path / "processed/overlays").iterdir())) == 2


def test_a_form_of_other_classes_is_refused(run, prep, tmp_path):
    prep("sheet", "x.pdf", "--classes", "4,x", "--rows", "4", "--columns", "3")
    prep("sheet", "4.pdf", "--classes", "4", "--rows", "4", "--columns", "3")
    files, rng = {}, np.random.default_rng(0)
    for name in ("x", "4"):
        [page] = photography.render_pdf((tmp_path / f"{name}.pdf").read_bytes(), dpi=150)
        files[f"{name}.png"] = images.encode_png(page)
    glyph = cv2.putText(np.zeros((40, 40), np.uint8), "4", (6, 34), 0, 1.3, 255, 3)
    [page] = photography.render_pdf((tmp_path / "4.pdf").read_bytes())
    box = layout.form_boxes(finding.find_form(page).form)[0]
    photography.write_glyph(page, box.square, glyph, (40, 40, 60), rng)
    files["written.png"] = images.encode_png(page)
    boxes, _ = run(files, layout="form")
    assert [row["source"] for row in boxes] == ["raw/in/written.png"]
    reasons = {
        row["source"]: row["reason"]
        for row in read_table(tmp_path / "processed/quarantine.csv", COLUMNS["quarantine"])
    }
    assert "has the class 'x'" in reasons["raw/in/x.png"]
    assert "no box of the form is filled in" in reasons["raw/in/4.png"]


def test_labels_csv_has_the_last_word_by_page_and_by_box(run, prep, tmp_path):
    page = images.encode_png(draw_page(["111", "22", "4444"]))
    before, _ = run({"page.png": page}, layout="rows")
    lines = [
        "source,id,label,group",
        "raw/in/page.png,,,Ada",
        f"raw/in/page.png,{before[0]['id']},2,Grace",
        f"raw/in/page.png,{before[1]['id']},-,",
    ]
    (tmp_path / "raw/labels.csv").write_text("\n".join(lines))
    after, _ = run({}, layout="rows")
    assert [row["label"] for row in after] == list("2-1224444")
    assert [row["found"] for row in after] == ["1", "1", *[""] * 7]
    assert [row["group"] for row in after] == ["Grace"] + ["Ada"] * 8


def test_the_text_of_a_page_labels_its_boxes_row_by_row(run, prep, tmp_path):
    page = images.encode_png(draw_page(["124", "41", "22"], turn=1))
    boxes, _ = run({"page.png": page}, layout="free")
    assert [row["label"] for row in boxes] == [""] * 7
    labels = tmp_path / "raw/labels.csv"
    labels.write_text('source,group,text\nraw/in/page.png,Ada,"1 2 4\n41\n2-"\n')
    boxes, _ = run({}, layout="free")
    assert [(row["label"], row["row"]) for row in boxes] == list(
        zip("124412-", "0001122", strict=True)
    )
    assert {row["group"] for row in boxes} == {"Ada"}
    labels.write_text("source,row,id,text\nraw/in/page.png,1,,412\nraw/in/page.png,2,,22\n")
    assert prep("ingest")[0] == 0
    code, _, told = prep("segment")
    assert code == 0
    assert "raw/in/page.png, row 1: boxes found: 2, labels in its text: 3" in told
    boxes = read_table(tmp_path / "processed/boxes.csv", COLUMNS["boxes"])
    assert [row["label"] for row in boxes] == ["", "", "", "", "", "2", "2"]


def test_labels_csv_with_an_unknown_class_or_box(run, prep, tmp_path):
    page = images.encode_png(draw_page(["111", "22", "4444"]))
    boxes, _ = run({"page.png": page}, layout="rows")
    labels = tmp_path / "raw/labels.csv"
    labels.write_text(f"source,id,label\nraw/in/page.png,{boxes[0]['id']},44\n")
    code, _, errors = prep("segment")
    assert (code, "Did you mean '4'" in errors) == (1, True)
    labels.write_text("source,id,label\nraw/in/page.png,0-0-1-1,4\n")
    code, _, errors = prep("segment")
    assert (code, "no box has the id 0-0-1-1" in errors) == (0, True)
    labels.write_text("source,group\nraw/in/page.png,to\0m\n")
    code, _, errors = prep("segment")
    assert (code, "line 2 holds a zero byte" in errors) == (1, True)


def test_a_border_left_out_of_ready_cut_glyphs_is_told(tmp_path, prep, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(
        tmp_path,
        sources=[{"path": "raw/in", "layout": "whole"}],
        classes=CLASSES,
        experiments={"none": {}},
    )
    glyph = draw_page(["2"])[40:130, 40:130]
    glyph[:2] = glyph[-2:] = 0
    glyph[:, :2] = glyph[:, -2:] = 0
    (tmp_path / "raw/in/2").mkdir(parents=True)
    (tmp_path / "raw/in/2/a.png").write_bytes(images.encode_png(glyph))
    assert prep("ingest")[0] == 0
    code, _, notes = prep("segment")
    assert code == 0
    assert "a line along its edge was left out: 1 scan, such as raw/in/2/a.png" in notes


ARRAYS = {
    "table.csv": b"label,pixel0\n1,0\n",
    "kmnist.npz": b"no archive",
    "7/set.h5": b"\x89HDF\r\n\x1a\n" + bytes(99),
}


@pytest.mark.parametrize("layout", ["array", "idx"])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_not_read_is_named(name, layout, tmp_path, prep, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, sources=[{"path": "raw/in", "layout": layout}], classes=CLASSES)
    (tmp_path / "raw/in/7").mkdir(parents=True)
    (tmp_path / "raw/in" / name).write_bytes(ARRAYS[name])
    code, _, error = prep("ingest")
    assert code == 1
    assert f"raw/in/{name}: " in error and "empty" not in error


def squares(count, side=28):
    """Digits' worth of pictures, each another one."""
    return np.random.default_rng(count).integers(0, 256, (count, side, side)).astype(np.uint8)


@pytest.fixture
def ingest(tmp_path, prep, monkeypatch):
    """Write an array's files and ingest them; return what was said and catalogue.csv."""
    monkeypatch.chdir(tmp_path)

    def ingest_arrays(arrays, classes=CLASSES, **changes):
        source = {"path": "raw/in", "layout": "array"} | changes.pop("source", {})
        write_params(
            tmp_path, sources=[source], classes=classes, experiments={"none": {}}, **changes
        )
        (tmp_path / "raw/in").mkdir(parents=True, exist_ok=True)
        np.savez(tmp_path / "raw/in/set.npz", **arrays)
        code, _, said = prep("ingest")
        path = tmp_path / "processed/catalogue.csv"
        rows = [] if code else read_table(path, COLUMNS["catalogue"])
        return code, " ".join(said.split()), rows

    return ingest_arrays


def test_kaggles_digits_come_in_with_their_example_of_an_answer(ingest):
    home = Path("raw/in")
    home.mkdir(parents=True)
    (home / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    _, said, rows = ingest(PARTED)
    assert len(rows) == 8
    assert "raw/in/sample_submission.csv is an example of an answer" in said


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"mnist.txt": "1,0\n"}, "if it holds pictures as numbers, rename it as mnist.csv"),
        ({"sample_submission.csv": "a,b\n"}, "put the set itself there"),
        ({"notes.csv": "a,b\n1,2\n"}, "too few for a picture.* take it out of the source"),
    ],
)
def test_what_is_no_set_says_what_to_do(files, told, tmp_path, prep, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, sources=[{"path": "raw/in", "layout": "array"}], classes=CLASSES)
    (tmp_path / "raw/in").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "raw/in" / name).write_text(text)
    code, _, error = prep("ingest")
    assert code == 1 and re.search(told, " ".join(error.split()))


def test_an_archive_of_single_numbers_holds_no_picture(ingest):
    code, said, _ = ingest({"image_size": np.array(9)})
    assert code == 1 and "raw/in/set.npz/image_size.npy holds no picture" in said


PARTED = {
    "x_train": squares(5), "y_train": np.array([1, 2, 4, 1, 2]),
    "x_test": squares(3), "y_test": np.array([4, 1, 2]),
}  # fmt: skip


def test_names_of_arrays_give_the_split_unless_the_source_does(ingest):
    _, said, rows = ingest(PARTED)
    assert [row["split"] for row in rows] == ["test"] * 3 + ["train"] * 5
    assert "raw/in: the names of files, folders or tables give the split: 5 train, 3 test" in said
    assert {row["split"] for row in ingest(PARTED, source={"split": "train"})[2]} == {"train"}
    _, _, rows = ingest(PARTED, split={"folds": 3})  # `prep split` decides of these
    assert {row["split"] for row in rows} == {"train", "test"}


def test_training_pictures_alone_are_split_as_all_are(ingest):
    only = {name: array for name, array in PARTED.items() if "train" in name}
    code, said, rows = ingest(only)
    assert (code, said) == (0, "") and {row["split"] for row in rows} == {""}


def test_test_pictures_without_labels_are_no_test_set(ingest):
    code, said, rows = ingest({name: array for name, array in PARTED.items() if name != "y_test"})
    assert code == 0 and {row["split"] for row in rows} == {"", "test"}
    assert "no picture of test has a label, so prep split draws it from train" in said


def test_labels_outside_the_classes_are_told_with_the_line_to_write(ingest):
    code, said, _ = ingest(PARTED, classes=["1", "2"])
    assert code == 1
    assert "its label '4' is not among the classes in params.yaml. It has 3 labels;" in said
    assert "classes: [1, 2, 4]" in said


def test_how_a_source_is_read_changes_ids_and_pictures(ingest, prep, tmp_path):
    ids = []
    for source in ({}, {"transpose": True}, {"transpose": False}, {"invert": True}):
        assert ingest(PARTED, source=source)[0] == 0
        assert prep("segment")[0] == prep("normalise")[0] == 0
        with store.open_dataset(tmp_path / "processed/tiles.h5") as tiles:
            ids.append(tuple(tiles.ids))
            found = tiles.read().images[3:, ..., 0]
        wanted = PARTED["x_train"]
        wanted = wanted.transpose(0, 2, 1) if source.get("transpose") else wanted
        np.testing.assert_array_equal(found, 255 - wanted if source.get("invert") else wanted)
    assert len(set(ids)) == 4


def test_colours_go_with_photos_and_writing_says_so(ingest, prep, tmp_path):
    coloured = {"images": np.stack([squares(4, 20)] * 2 + [squares(5, 20)[1:]], axis=-1)}
    coloured["labels"] = np.array([1, 2, 4, 1])
    assert ingest(coloured)[0] == 0
    code, _, said = prep("segment")
    assert code == 1 and "a picture in colours, and writing is grey" in said
    tile = {"size": 20, "channels": 3, "method": "photo"}
    assert ingest(coloured, tile=tile)[0] == 0
    assert prep("segment")[0] == prep("normalise")[0] == 0
    with store.open_dataset(tmp_path / "processed/tiles.h5") as tiles:
        np.testing.assert_array_equal(tiles.read().images, coloured["images"])


def test_a_set_that_costs_too_much_says_which_limit(ingest):
    code, said, _ = ingest({"x": np.zeros((40_000, 784), "f4")}, limits={"memory_mb": 30})
    assert code == 1 and "raise limits.memory_mb in params.yaml, 30" in said
