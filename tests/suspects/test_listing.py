"""prep check suspects on small projects: what it finds, says and writes, and what it refuses."""

import csv

import numpy as np
import pytest
from conftest import BLOBS, draw_subject, forget_notes, run_to, write_params

from pipeline.dataset.schema import Rows
from pipeline.dataset.writing import create_dataset
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.suspects.listing import list_suspects, write_share
from pipeline.suspects.table import read_suspects

PICTURES = "raw/pictures"


def write_tiles(folder, pictures, labels, ids=None, groups=None):
    """Write a tiles.h5 of any pictures (N, S, S, C)."""
    path = folder / "processed/tiles.h5"
    path.parent.mkdir(exist_ok=True)
    classes = list(load_params(folder / "params.yaml").classes)
    count = len(pictures)
    names = [f"{number:010x}-0" for number in range(count)] if ids is None else ids
    with create_dataset(
        path, tile_shape=pictures.shape[1:], classes=classes, made_by={"stage": "test"}
    ) as out:
        out.append(
            Rows(
                images=pictures,
                labels=np.array(labels, np.int16),
                ids=np.array(names, object),
                groups=np.array(groups or [""] * count, object),
            )
        )
    forget_notes(folder)


def draw(name, number):
    return np.pad(draw_subject(name, number), ((0, 0), (5, 5)), constant_values=230)[..., None]


def draw_tiles(count):
    """Return tiles of bars and squares in turn, 40 x 40 pixels, and their labels."""
    names = list(BLOBS)
    return np.array([draw(names[n % 2], n) for n in range(count)]), [n % 2 for n in range(count)]


def read_rows(folder):
    with (folder / "processed/suspects.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pictures_in_the_wrong_folder_come_first_with_the_reason(project, prep):
    pictures = project / PICTURES
    (pictures / "bar/003.png").rename(pictures / "square/wrong-1.png")
    (pictures / "square/004.png").rename(pictures / "bar/wrong-2.png")
    run_to(prep, "normalise")
    code, printed, errors = prep("check", "suspects")
    assert (code, errors) == (0, "")
    assert printed.startswith("Read as another class")
    assert all(len(line) <= 80 for line in printed.splitlines() if "check suspects" not in line)
    head, *rows = read_rows(project)
    assert (head["kind"], len(head["id"])) == ("tiles", 64)
    first = [row for row in rows if row["kind"] == "label"][:2]
    assert {(row["label"], row["read_as"]) for row in first} == {
        ("square", "bar"),
        ("bar", "square"),
    }
    assert [row["rank"] for row in first] == ["1", "2"]
    places = {(row["source"], row["page"], row["row"], row["col"]) for row in first}
    wrong = ("square/wrong-1.png", "bar/wrong-2.png")
    assert places == {(f"{PICTURES}/{name}", "0", "0", "0") for name in wrong}
    for row in first:
        share = write_share(float(row["probability"]))
        assert row["why"] == f"read as {row['read_as']}, {share}; labelled {row['label']}"
        assert float(row["self_confidence"]) < 0.5 and row["id"] in printed


def test_the_table_is_read_back_and_knows_whether_it_is_of_these_tiles(project, prep):
    write_tiles(project, *draw_tiles(30))
    here, params = Project(project), load_params(project / "params.yaml")
    assert prep("check", "suspects")[0] == 0
    before = (project / "processed/suspects.csv").read_bytes()
    found, read = list_suspects(here, params), read_suspects(here)
    assert (read.tiles, read.how) == (found.tiles, found.how)
    assert [(one.kind, one.id, one.why) for one in read.found] == [
        (one.kind, one.id, one.why) for one in found.found
    ]
    assert read.is_of(here)
    assert prep("check", "suspects")[0] == 0
    assert (project / "processed/suspects.csv").read_bytes() == before
    tiles, labels = draw_tiles(30)
    write_tiles(project, tiles, [1 - labels[0], *labels[1:]])
    assert not read_suspects(Project(project)).is_of(Project(project))


def test_the_same_picture_under_two_labels_odd_and_empty_tiles_are_lists_of_their_own(
    project, prep
):
    tiles, labels = draw_tiles(60)
    tiles[10], labels[10] = tiles[31], 1 - labels[31]
    tiles[20] = np.random.default_rng(0).integers(0, 256, (40, 40, 1))
    tiles[40] = 230
    write_tiles(project, tiles, labels)
    code, printed, errors = prep("check", "suspects")
    assert (code, errors) == (0, "")
    rows = read_rows(project)[1:]
    of_kind = {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in ("duplicate", "outlier", "empty")
    }
    twin = next(row for row in of_kind["duplicate"] if row["id"] == f"{10:010x}-0")
    assert twin["why"] == f"is the same picture as {31:010x}-0, labelled square"
    assert of_kind["outlier"][0]["id"] == f"{20:010x}-0"
    assert of_kind["empty"][0]["id"] == f"{40:010x}-0"
    assert of_kind["empty"][0]["why"] == "all but empty: its contrast is 0 % of the usual"
    for title in ("Look the same under two labels", "Look like no other tile", "All but empty"):
        assert title in printed


def test_what_has_no_label_is_not_judged_and_that_is_told(project, prep):
    tiles, labels = draw_tiles(40)
    write_tiles(project, tiles, [-1, -1, *labels[2:]])
    _, printed, _ = prep("check", "suspects")
    assert "2 without a label, or left out, were not judged" in printed
    assert f"{0:010x}-0" not in printed


def test_what_stays_whole_is_told(project, prep):
    tiles, labels = draw_tiles(48)
    ids = [f"{n // 2 % 8:010x}-0-{n}-9" for n in range(48)]
    write_tiles(project, tiles, labels, ids, [f"Ada {n // 2 % 4}" for n in range(48)])
    assert "judged writer by writer" in prep("check", "suspects")[1]
    write_tiles(project, tiles, labels, ids, ["Ada"] * 48)
    assert "judged page by page" in prep("check", "suspects")[1]
    one_page = [f"{7:010x}-0-{n}-9" for n in range(48)]
    write_tiles(project, tiles, labels, one_page, ["Ada"] * 48)
    assert "judged tile by tile, for one or two pages have them all" in prep("check", "suspects")[1]


def test_a_class_of_one_tile_is_told(project, prep):
    write_params(project, classes=[*BLOBS, "ring"])
    tiles, labels = draw_tiles(30)
    write_tiles(project, tiles, [2, *labels[1:]])
    code, printed, _ = prep("check", "suspects")
    assert code == 0 and "too few tiles to judge ring" in printed


def test_colour_photos_of_80_pixels(project, prep):
    dice = np.random.default_rng(0)
    tiles = dice.integers(0, 80, (40, 80, 80, 3)).astype(np.uint8)
    labels = [n % 2 for n in range(40)]
    for tile, label in zip(tiles, labels, strict=True):
        tile[10 + 30 * label : 40 + 30 * label, 20:60] += np.uint8(120)
    labels[5] = 0
    write_tiles(project, tiles, labels)
    assert prep("check", "suspects")[0] == 0
    assert read_rows(project)[1]["id"] == f"{5:010x}-0"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([-1] * 9, "none of the 9 tiles in processed/tiles.h5 has a label"),
        ([1] * 9, "all 9 labelled tiles are of class 'square'"),
        ([0, 1, 0], "only 3 tiles with a label: to judge each by the others takes 5 or more"),
    ],
)
def test_too_little_to_judge_is_refused_with_a_cure(project, prep, labels, said):
    write_tiles(project, draw_tiles(len(labels))[0], labels)
    code, _, errors = prep("check", "suspects")
    assert code == 1 and said in errors and ("Add" in errors or "put" in errors)
    assert not (project / "processed/suspects.csv").exists()


def test_without_tiles_the_command_that_makes_them_is_named(project, prep):
    code, _, errors = prep("check", "suspects")
    assert code == 1 and "processed/tiles.h5 is not there yet" in errors
    assert "prep normalise" in errors


def test_a_table_that_is_missing_or_damaged_is_refused(project, prep):
    from pipeline.errors import DataError

    with pytest.raises(DataError, match="prep check suspects"):
        read_suspects(Project(project))
    write_tiles(project, *draw_tiles(30))
    prep("check", "suspects")
    path = project / "processed/suspects.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + "x", encoding="utf-8")
    with pytest.raises(DataError, match="is not as `prep check suspects` wrote it"):
        read_suspects(Project(project))
    forget_notes(project)
    for text in ("", whole.splitlines()[0] + "\n", whole.replace("tiles,0", "label,one")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError):
            read_suspects(Project(project))


def test_a_picture_that_is_stored_again_slightly_lighter_looks_almost_like_it(project, prep):
    tiles, labels = draw_tiles(60)
    tiles[10] = np.clip(tiles[31].astype(int) + 4, 0, 255)
    labels[10] = 1 - labels[31]
    write_tiles(project, tiles, labels)
    prep("check", "suspects")
    twin = next(row for row in read_rows(project) if row["kind"] == "duplicate")
    assert twin["why"].startswith("looks almost like")


def test_a_judge_that_sees_no_difference_says_so(project, prep):
    tiles = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1)).astype(np.uint8)
    write_tiles(project, tiles, [n % 2 for n in range(60)])
    assert "so few that most suspects will be labelled right" in prep("check", "suspects")[1]
