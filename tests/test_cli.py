"""The command line on a tiny project: what it makes, and what it says to wrong input."""

import pytest
from conftest import DATA_STAGES, digests, forget_notes, run_to, write_params

from pipeline.cli.app import MEANT
from pipeline.dataset import store
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.intake import images


def test_the_data_half_from_pictures_to_plan(project, prep):
    run_to(prep, "plan")
    processed = project / "processed"
    assert len(read_table(processed / "boxes.csv", COLUMNS["boxes"])) == 42
    balanced = read_table(processed / "balanced.csv", COLUMNS["balanced"])
    assert [row["label"] for row in balanced].count("bar") == 20 == len(balanced) / 2
    split = {
        row["id"]: row["split"] for row in read_table(processed / "split.csv", COLUMNS["split"])
    }
    with store.open_dataset(processed / "augmented/rotate/bar.h5") as variants:
        assert variants.draw_names == ["degrees"]
        assert {split[parent] for parent in variants.parents} == {"train"}
        assert len(variants) == sum(split[row["id"]] == "train" for row in balanced) / 2


def test_augmenting_one_op_of_one_class_rewrites_its_file_alone(project, prep):
    run_to(prep, "augment")
    before = digests(project)
    times = {path: path.stat().st_mtime_ns for path in (project / "processed").rglob("*.h5")}
    code, _, _ = prep("augment", "--only", "flip", "--class", "bar")
    assert code == 0
    assert digests(project) == before
    changed = [path for path, time in times.items() if path.stat().st_mtime_ns != time]
    assert changed == [project / "processed/augmented/flip/bar.h5"]


def test_same_input_gives_the_same_bytes_elsewhere(project, prep, tmp_path_factory, monkeypatch):
    run_to(prep, "plan")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    elsewhere.mkdir()
    (project / "raw").rename(elsewhere / "raw")
    write_params(elsewhere)
    monkeypatch.chdir(elsewhere)
    run_to(prep, "plan")
    assert digests(elsewhere / "processed") == digests(project / "processed")


def test_each_stage_ends_with_one_line_and_no_control_characters(project, prep):
    _, printed, _ = prep("ingest")
    assert printed.startswith("ingest: 42 scans in processed/catalogue.csv, 0 duplicates")
    assert printed.count("\n") == 1
    assert printed.strip().isprintable()
    assert prep("ingest", "-q") == (0, "", "")


def test_a_broken_picture_is_quarantined_with_its_reason(project, prep):
    bad = project / "raw/pictures/bar/000.png"
    bad.write_bytes(bad.read_bytes()[:60])
    (project / "raw/pictures/bar/notes.jpg").write_text("not a picture")
    run_to(prep, "segment")
    rows = read_table(project / "processed/quarantine.csv", COLUMNS["quarantine"])
    assert [row["source"].rsplit("/")[-1] for row in rows] == ["000.png", "notes.jpg"]
    assert all(row["reason"] for row in rows)


def test_a_png_that_calls_itself_jpg_is_read_by_its_content(project, prep):
    picture = project / "raw/pictures/bar/000.png"
    picture.rename(picture.with_suffix(".jpg"))
    run_to(prep, "segment")
    assert len(read_table(project / "processed/quarantine.csv", ())) == 0


def test_the_same_picture_under_two_labels_is_used_under_neither(project, prep):
    picture = project / "raw/pictures/bar/000.png"
    (project / "raw/pictures/square/again.png").write_bytes(picture.read_bytes())
    prep("ingest")
    rows = read_table(project / "processed/catalogue.csv", COLUMNS["catalogue"])
    assert sum(row["status"] == "quarantined" for row in rows) == 2


@pytest.mark.parametrize("stage", (*DATA_STAGES[1:], "train", "evaluate", "compare", "report"))
def test_a_stage_before_the_one_it_needs_names_the_command(project, prep, stage):
    code, _, errors = prep(stage)
    assert code == 1
    assert "is not there yet. Make it with: prep " in errors


def remove_raw(project):
    (project / "raw").rename(project / "elsewhere")


def empty_the_source(project):
    (project / "raw/pictures").rename(project / "elsewhere")
    (project / "raw/pictures").mkdir()


def flatten_the_source(project):
    for number, picture in enumerate(sorted(project.glob("raw/pictures/*/*.png"))):
        picture.rename(project / f"raw/pictures/{number}.png")


def misname_a_class(project):
    (project / "raw/pictures/square").rename(project / "raw/pictures/squaer")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (remove_raw, "raw/pictures"),
        (empty_the_source, "raw/pictures is empty"),
        (flatten_the_source, "raw/pictures has no class folders"),
        (
            misname_a_class,
            "'squaer' is not among the classes in params.yaml. Did you mean 'square'",
        ),
        (lambda project: write_params(project, spilt={}), "Did you mean 'split'"),
        (lambda project: write_params(project, split={"test": 1.5}), "split.test"),
        (lambda project: (project / "params.yaml").unlink(), "prep init"),
    ],
)
def test_bad_input_is_one_clear_error_and_nothing_half_written(project, prep, spoil, message):
    spoil(project)
    code, printed, errors = prep("ingest")
    assert (code, printed) == (1, "")
    assert message in errors
    assert "Traceback" not in errors
    assert not (project / "processed").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (("--only", "flp"), "there is no op 'flp' in params.yaml. Did you mean 'flip'"),
        (("--class", "bra"), "there is no class 'bra' in params.yaml. Did you mean 'bar'"),
    ],
)
def test_an_unknown_op_or_class_offers_the_nearest(project, prep, words, message):
    code, _, errors = prep("augment", *words)
    assert code == 1
    assert message in errors


def test_a_truncated_file_is_an_error_that_says_what_to_do(project, prep):
    run_to(prep, "normalise")
    tiles = project / "processed/tiles.h5"
    tiles.write_bytes(tiles.read_bytes()[:1000])
    assert "is not as `prep normalise` wrote it" in prep("balance")[2]
    forget_notes(project)
    code, _, errors = prep("balance")
    assert code == 1
    assert "tiles.h5 is damaged" in errors


def test_wrong_usage_exits_with_2(project, prep):
    assert prep("augment", "--onyl", "flip")[0] == 2
    assert prep("inject")[0] == 2


def test_a_page_with_the_wrong_number_of_rows_is_quarantined(project, prep):
    write_params(project, sources=[{"path": "raw/pictures", "layout": "rows"}])
    picture = images.encode_png(
        images.decode_page((project / "raw/pictures/bar/000.png").read_bytes())
    )
    (project / "raw/pictures/page.png").write_bytes(picture)
    run_to(prep, "ingest")
    code, _, errors = prep("segment")
    assert code == 1
    assert "none of the 42 scans can be used" in errors
    reasons = read_table(project / "processed/quarantine.csv", COLUMNS["quarantine"])
    assert any("expects 2 rows" in row["reason"] for row in reasons)


@pytest.mark.parametrize("typed", MEANT)
def test_another_word_for_a_command_is_answered_with_the_command(typed, prep):
    code, _, errors = prep(typed, "x.pdf")
    assert code == 2
    assert f"No such command '{typed}'. Did you mean '{MEANT[typed]}'?" in errors
    assert prep(MEANT[typed], "--help")[0] == 0
