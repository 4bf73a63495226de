"""prep check files: every flipped byte is found, every wrong row is named, nothing is a traceback.

The digests are DVC's own: `dvc commit` writes dvc.lock after stages that ran here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from conftest import DATA_STAGES, forget_notes, write_params, write_pictures

from pipeline.checks.agreement import examine
from pipeline.checks.faults import stage_of, tell_faults
from pipeline.checks.files import check_files
from pipeline.checks.records import Lock, digest_listing, find_stale, read_listing, read_lock
from pipeline.commands.init import init_project
from pipeline.dataset import damage
from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError
from pipeline.notes import NOTES
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment
from pipeline.stages.balance import balance
from pipeline.stages.compare import compare
from pipeline.stages.ingest import ingest
from pipeline.stages.normalise import normalise
from pipeline.stages.plan import plan
from pipeline.stages.segment import segment
from pipeline.stages.split import split
from pipeline.stages.train import train

pytestmark = pytest.mark.slow

BUDGET = {"model": "dense16", "steps": 2, "batch_size": 8, "validate_every": 1, "seeds": 1}
ROAD = (ingest, segment, normalise, balance, split, augment, plan, train, compare)


def load(folder: Path):
    return Project(folder), load_params(folder / "params.yaml")


def check(folder: Path) -> str:
    return check_files(*load(folder))


def faults_of(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        check(folder)
    return str(error.value)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny project that went the road, as `dvc commit` found it; the report is a stand-in."""
    folder = tmp_path_factory.mktemp("files") / "project"
    init_project(folder, "blank")
    for empty in ("first", "second"):
        (folder / "raw/pictures" / empty).rmdir()
    write_pictures(folder, count=12)
    settings = {"experiments": {"none": {}, "flip": {"ops": ["flip"]}}, "train": BUDGET}
    write_params(folder, limits={}, augment={"flip": {}}, **settings)
    for stage in ROAD:
        stage(*load(folder))
    (folder / "processed/report/plots").mkdir(parents=True)
    (folder / "processed/report/index.html").write_text("<p>Bars</p>", encoding="utf-8")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Let dvc.lock be of what is there, as after `dvc repro`."""
    words = [sys.executable, "-m", "dvc", "commit", "--force", "--quiet"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(made, tmp_path):
    """A copy to damage, with DVC's cache."""
    return Path(shutil.copytree(made, tmp_path / "project"))


@pytest.fixture
def bare(folder):
    """A copy without dvc.lock and notes: only what the files say can be judged."""
    (folder / "dvc.lock").unlink()
    (folder / "processed" / NOTES).unlink()
    return folder


def files_in(folder: Path) -> list[str]:
    found = (folder / "processed").rglob("*")
    names = [path.relative_to(folder).as_posix() for path in found if path.is_file()]
    return sorted(name for name in names if not name.endswith((".gitignore", NOTES)))


def flip_bit(path: Path, place: int) -> None:
    """Flip one bit, and set the clock back: DVC itself then takes the file for unchanged."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_whole_project_has_nothing_wrong(made):
    count = len(files_in(made))
    assert check(made) == (
        f"{count} files under processed/ and nothing wrong, {count} of them by dvc.lock's digests; "
        "raw and models as recorded"
    )


def test_every_processed_file_is_named_when_one_byte_of_it_flips(made, folder):
    dice = np.random.default_rng(7)
    for name in files_in(folder):
        place = int(dice.integers((folder / name).stat().st_size))
        flip_bit(folder / name, place)
        line = next(line for line in faults_of(folder).splitlines() if line.startswith(f"{name}: "))
        assert "its bytes are not those that dvc.lock recorded" in line
        assert f"dvc repro {stage_of(name)}" in line
        shutil.copy2(made / name, folder / name)
    assert check(folder)


def test_a_folder_is_named_where_dvcs_cache_has_lost_its_listing(folder):
    shutil.rmtree(folder / ".dvc/cache")
    (folder / "dvc.py").write_text("open('ran', 'w')")  # nothing of the project's is run
    flip_bit(folder / "processed/contact/bar.jpg", 100)
    said = faults_of(folder)
    assert not (folder / "ran").exists()
    assert "processed/contact: something in this folder" in said
    assert "Delete the folder processed/contact, then: dvc repro normalise" in said


def test_a_damaged_listing_is_not_trusted(folder):
    md5 = next(r.md5 for r in read_lock(folder).outputs if r.path == "processed/contact")
    assert digest_listing(read_listing(folder, md5)) == md5
    path = folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    path.chmod(0o644)
    path.write_text(path.read_text().replace("bar", "car"))
    assert read_listing(folder, md5) is None


def test_what_is_gone_or_new_is_named(folder):
    (folder / "processed/scores/flip/metrics.json").unlink()
    said = faults_of(folder)
    assert "scores/flip/metrics.json: it is gone. Make it again with: dvc repro train" in said
    (folder / "processed/tiles.h5").unlink()
    (folder / "processed/contact/more.jpg").write_bytes(b"?")
    said = faults_of(folder)
    assert "processed/tiles.h5: it is gone. Make it again with: dvc repro normalise" in said
    assert "contact/more.jpg: it was not there" in said


def test_a_clone_has_nothing_to_check_yet(folder, capsys):
    shutil.rmtree(folder / "processed")
    assert check(folder).startswith("no file under processed/ and nothing wrong")
    assert "not made yet: processed/catalogue.csv, processed/boxes.csv" in capsys.readouterr().err


def test_a_road_not_run_to_its_end_is_no_failure(bare, capsys):
    for made in ("scores", "report"):
        shutil.rmtree(bare / "processed" / made)
    assert "nothing wrong, 0 of them" in check(bare)
    said = capsys.readouterr().err
    assert "not made yet: processed/scores/none, processed/scores/flip, processed/report" in said
    assert "no dvc.lock" in said


def test_what_changed_settings_will_redo_is_no_failure(folder, capsys):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["augment"]["flip"] = {"copies": 2}
    params["train"]["seeds"] = 2
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    assert "nothing wrong" in check(folder)
    said = capsys.readouterr().err
    assert "not up to date: augment@flip, compare, plan, report, train. Bring" in said


def drop(folder: Path) -> None:
    """Take the op flip, and the experiment, out of params.yaml."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["augment"]["zoom"] = {"factor": 1.1}  # one there must be
    for section in ("augment", "experiments"):
        del params[section]["flip"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_what_belongs_to_a_dropped_experiment_may_be_gone(folder):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    del params["experiments"]["flip"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for part in ("runs", "scores"):
        shutil.rmtree(folder / "processed" / part / "flip")
    assert "nothing wrong" in check(folder)


# Of the op and the experiment flip there are these files.
LEFT = {
    "processed/augmented/flip": ["bar.h5", "square.h5"],
    "processed/runs/flip": [
        f"fold-0/seed-0/{name}" for name in ("history.csv", "model.keras", "run.json")
    ],
    "processed/scores/flip": ["metrics.json", "predictions.csv"],
}


@pytest.fixture(scope="module")
def without_flip(made, tmp_path_factory):
    """The project when op and experiment flip were taken out and `dvc repro` ran again."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("dropped") / "project"))
    drop(folder)
    for stage in (augment, plan, train, compare):
        stage(*load(folder))
    commit(folder)
    return folder


@pytest.fixture
def dropped(without_flip, tmp_path):
    return Path(shutil.copytree(without_flip, tmp_path / "project"))


def tidy(folder: Path) -> str:
    return check_files(*load(folder), tidy=True)


def test_what_was_dropped_is_counted_and_blinds_nothing(dropped, capsys):
    assert "nothing wrong" in check(dropped)
    said = capsys.readouterr().err
    assert "not up to date" not in said
    for place, names in LEFT.items():
        size = sum((dropped / place / name).stat().st_size for name in names)
        assert f"{place} ({len(names)} files, {size / 1e6:.2f} MB)" in said
    assert "Remove what prep wrote there with: prep check files --tidy" in said
    model = dropped / "processed/runs/none/fold-0/seed-0/model.keras"
    flip_bit(model, 3000)
    assert "processed/runs/none/fold-0/seed-0/model.keras: its bytes" in faults_of(dropped)
    flip_bit(model, 3000)
    flip_bit(dropped / "processed/runs/flip/fold-0/seed-0/model.keras", 3000)
    assert "nothing wrong" in check(dropped), "nobody needs it"


def test_tidying_up_removes_what_prep_made_for_what_was_dropped_and_nothing_else(dropped, capsys):
    before = set(files_in(dropped))
    assert "nothing wrong" in tidy(dropped)
    gone = {f"{place}/{name}" for place, names in LEFT.items() for name in names}
    assert before - set(files_in(dropped)) == gone
    assert not any((dropped / place).exists() for place in LEFT)
    printed = capsys.readouterr().out
    assert "removed processed/augmented/flip: 2 files" in printed
    assert "dvc repro writes that anew, and trains nothing again" in printed
    assert "nothing wrong" in tidy(dropped)
    assert "nothing to tidy up" in capsys.readouterr().out
    for stage in (plan, train, compare):
        stage(*load(dropped))
    commit(dropped)
    capsys.readouterr()
    assert "nothing wrong" in check(dropped)
    assert capsys.readouterr().err == ""


def test_a_strangers_file_stays_wherever_it_lies(dropped, capsys):
    mine = {
        "processed/augmented/flip/notes.txt": b"mine",
        "processed/scores/flip/predictions.csv": b"what I made of it",
        "processed/runs/flip/fold-0/mine.keras": b"mine",
        "processed/experiments/mine.json": b"{}",
    }
    for file, content in mine.items():
        (dropped / file).write_bytes(content)
    backup = shutil.copytree(dropped / "processed/runs/none", dropped / "processed/runs/before")
    commit(dropped)  # DVC takes it for the road's
    tidy(dropped)
    assert {file: (dropped / file).read_bytes() for file in mine} == mine
    assert len(list(Path(backup).rglob("*.keras"))) == 1
    assert not (dropped / "processed/runs/flip/fold-0/seed-0").exists()
    said = capsys.readouterr().err
    assert "and prep did not write processed/augmented/flip/notes.txt as it is: it stays" in said
    assert "names processed/runs/before any more, and prep did not write" in said


def test_without_notes_dvc_lock_says_what_an_op_made(dropped):
    (dropped / "processed" / NOTES).unlink()
    (dropped / "processed/augmented/flip/bar.h5").write_bytes(b"mine")
    tidy(dropped)
    assert [path.name for path in (dropped / "processed/augmented/flip").iterdir()] == ["bar.h5"]
    assert (dropped / "processed/scores/flip/metrics.json").exists(), "nobody knows whose it is"


def test_the_variants_of_a_dropped_class_are_left_over_too(folder, capsys):
    augment(*load(folder), only="flip")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"classes": ["bar", "ring"]}))
    tidy(folder)
    assert "removed processed/augmented/flip/square.h5: 1 file" in capsys.readouterr().out
    assert (folder / "processed/augmented/flip/bar.h5").exists()


def test_damaged_notes_are_tidied_up(folder, capsys):
    path = folder / "processed" / NOTES
    with path.open("a") as file:
        file.write("half a line")
    check(folder)
    assert "1 line can't be read" in capsys.readouterr().err
    tidy(folder)
    capsys.readouterr()
    assert "nothing wrong" in check(folder)
    assert capsys.readouterr().err == ""
    assert len(path.read_text().splitlines()) == len(files_in(folder)) - 1  # not the stand-in


@pytest.mark.parametrize("text", ["stages: [", "stages: {ingest: {outs: 3}}", "\0", "- 1"])
def test_a_damaged_lock_is_a_sentence(folder, text):
    (folder / "dvc.lock").write_text(text)
    assert "dvc.lock can't be read" in faults_of(folder)


def test_an_older_road_is_told_with_the_way_to_the_new_one(folder, capsys):
    road = (folder / "dvc.yaml").read_text().replace("params: [sources, classes, limits]", "")
    (folder / "dvc.yaml").write_text(road)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    del params["report"], params["limits"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    check(folder)
    said = capsys.readouterr().err
    assert "(stages ingest differ)" in said
    assert "rename dvc.yaml (your changes are in it) and run prep init ." in said
    assert "add `limits: {}`, `report: {}`" in said


# --- What is not there, and what nobody needs any more ---------------------------------------


def test_a_project_as_it_was_made_has_nothing_of_its_own(made, capsys):
    check(made)
    assert capsys.readouterr().err == ""


# --- raw/ and models/ ----------------------------------------------------------------------


@pytest.mark.parametrize("change", ["edit", "add", "drop"])
def test_pictures_that_changed_since_are_told(folder, capsys, change):
    picture = folder / "raw/pictures/bar/000.png"
    if change == "edit":
        flip_bit(picture, 60)
    elif change == "add":
        shutil.copy(picture, folder / "raw/pictures/bar/new.png")
    else:
        picture.unlink()
    assert check(folder).endswith("dvc.lock's digests; models as recorded; raw changed since")
    said = capsys.readouterr().err
    assert "raw is not as dvc.lock recorded it for ingest, segment, report: changed, add" in said
    assert "up to date with: dvc repro" in said


def test_a_changed_raw_hides_no_damage_under_processed(folder, capsys):
    (folder / "raw/pictures/bar/000.png").unlink()
    (folder / "models/mine.py").write_text("")
    flip_bit(folder / "processed/split.csv", 40)
    assert "processed/split.csv: its bytes are not those" in faults_of(folder)
    said = capsys.readouterr().err
    assert "raw is not as dvc.lock recorded it" in said
    assert "models is not as dvc.lock recorded it for plan" in said


def test_without_a_record_raw_is_said_to_be_unseen(bare):
    assert check(bare).endswith("; raw and models not looked at")


# --- What the files say --------------------------------------------------------------------


def edit_line(path: Path, line: int, column: str, value: str) -> None:
    rows = path.read_text(encoding="utf-8").splitlines()
    cells = rows[line - 1].split(",")
    cells[rows[0].split(",").index(column)] = value
    rows[line - 1] = ",".join(cells)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def drop_line(path: Path, line: int) -> None:
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(rows[: line - 1] + rows[line:]), encoding="utf-8")


def edit_column(path: Path, column: str, row: int, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file[column][row] = value


def edit_json(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


CSV_FAULTS = [
    ("catalogue.csv", 3, "status", "fine", "line 3: status 'fine' is none of ok, dup"),
    ("catalogue.csv", 3, "sha256", "abc", "line 3: 'abc' is no SHA-256"),
    ("catalogue.csv", 3, "label", "dog", "line 3: label 'dog' is not among the classes"),
    ("catalogue.csv", 4, "width", "0", "line 4: 0 x 40 is no size"),
    ("boxes.csv", 5, "x1", "0", "is empty"),
    ("boxes.csv", 5, "x1", "999", "reaches beyond its scan of 30 x 40"),
    ("boxes.csv", 5, "x1", "9" * 5000, "is no box in pixels"),
    ("boxes.csv", 5, "score", "nan", "score 'nan' is not between 0 and 1"),
    ("boxes.csv", 5, "id", "abcdef0123-0", "abcdef0123-0: catalogue.csv has no such scan"),
    ("balanced.csv", 2, "label", "square", "label 'square' is not that of tiles.h5"),
    ("balanced.csv", 2, "group", "me", "group 'me', in tiles.h5 ''"),
    ("balanced.csv", 2, "id", "x-0", "x-0: tiles.h5 has no such tile"),
    ("split.csv", 2, "split", "exam", "line 2: split 'exam' is none of train, val, test"),
    ("split.csv", 2, "fold", "1", "fold 1: "),
    ("split.csv", 2, "id", "x-0", "balanced.csv does not have x-0"),
    ("scores/flip/predictions.csv", 2, "p0", "2", "line 2: a probability is not between"),
    ("scores/flip/predictions.csv", 2, "predicted", "cat", "line 2: label 'cat'"),
    ("scores/flip/predictions.csv", 2, "seed", "7", "1 lacking, 1 too many"),
    ("runs/none/fold-0/seed-0/history.csv", 2, "loss", "x", "line 2: it does not hold numbers"),
    ("ablation.csv", 2, "experiment", "blur", "there is no experiment 'blur'"),
]


@pytest.mark.parametrize(("name", "line", "column", "value", "message"), CSV_FAULTS)
def test_a_wrong_cell_is_named_with_its_place(bare, name, line, column, value, message):
    edit_line(bare / "processed" / name, line, column, value)
    said = faults_of(bare)
    assert f"processed/{name}: " in said
    assert message in said


def test_a_lost_or_doubled_row_is_named(bare):
    processed = bare / "processed"
    lines = (processed / "split.csv").read_text().splitlines()
    drop_line(
        processed / "split.csv", next(n for n, line in enumerate(lines, 1) if ",train," in line)
    )
    text = (processed / "boxes.csv").read_text().splitlines(keepends=True)
    (processed / "boxes.csv").write_text("".join([*text, text[1]]))
    drop_line(processed / "scores/none/predictions.csv", 2)
    said = faults_of(bare)
    assert "of balanced.csv is not in it" in said
    assert f"the id {text[1].split(',')[0]} stands there twice" in said
    assert "(1 lacking, 0 too many)" in said


HDF5_FAULTS = [
    ("tiles.h5", "labels", 300, "row 4 ({id}): label 300 is no class's number"),
    ("tiles.h5", "labels", 1, "{id}: label 'square', in boxes.csv 'bar'"),
    ("tiles.h5", "ids", "x-0", "boxes.csv does not have x-0"),
    ("glyphs.h5", "shapes", 50, "the shapes of its glyphs do not make up its pixels"),
    ("glyphs.h5", "ids", "x-0", "glyphs are not those of"),
    ("augmented/flip/bar.h5", "labels", 1, "row 4 ({id}): label 1, not that of 'bar'"),
    ("augmented/flip/bar.h5", "parents", "x-0", "is no variant of the training tile x-0"),
    ("augmented/flip/bar.h5", "ids", "x-0-flip-0", "x-0-flip-0 is no variant of"),
]


@pytest.mark.parametrize(("name", "column", "value", "message"), HDF5_FAULTS)
def test_a_wrong_row_of_hdf5_is_named(bare, name, column, value, message):
    path = bare / "processed" / name
    with h5py.File(path) as file:
        tile = file["ids"].asstr()[4]
    edit_column(path, column, 4, value)
    said = faults_of(bare)
    assert f"processed/{name}: " in said
    assert message.format(id=tile) in said


def test_what_was_made_with_other_settings_is_named_with_a_way_past_dvcs_cache(bare):
    params = yaml.safe_load((bare / "params.yaml").read_text())
    params["tile"] = {"size": 24}
    params["augment"]["flip"] = {"direction": "vertical"}
    (bare / "params.yaml").write_text(yaml.safe_dump(params))
    said = faults_of(bare)
    assert "tiles.h5: was made with size: 28, and params.yaml has 24. Make it again with: " in said
    assert "dvc repro --force --single-item normalise" in said
    assert 'flip/bar.h5: was made with steps: [{"flip": {"direction": "horizontal"' in said
    assert "--single-item augment@flip" in said


def test_too_few_variants_are_counted(bare):
    path = bare / "processed/augmented/flip/square.h5"
    with h5py.File(path, "r+") as file:
        count = len(file["ids"])
        for column in file.values():
            column.resize(count - 2, axis=0)
    assert f"{count - 2} variants, where {count} training tiles and 1 copies" in faults_of(bare)


def test_plans_runs_and_metrics_belong_to_what_is_there(bare):
    processed = bare / "processed"
    plan = json.loads((processed / "experiments/flip.json").read_text())
    plan["folds"][0]["variants"][0] = "0" * 64
    edit_json(processed / "experiments/flip.json", folds=plan["folds"])
    edit_json(processed / "scores/flip/metrics.json", split="0" * 64)
    shutil.move(processed / "runs/none/fold-0/seed-0", processed / "runs/none/fold-0/seed-4")
    (processed / "runs/flip/fold-0/seed-0/history.csv").unlink()
    said = faults_of(bare)
    assert "flip.json: it was made for another processed/augmented/flip/bar.h5" in said
    assert "scores/flip/metrics.json: it was made on another split.csv" in said
    assert "runs/none/fold-0/seed-4/run.json: it is of fold-0/seed-0" in said
    assert "runs/none/fold-0/seed-0: this run is missing" in said
    assert "seed-0/history.csv: it is gone. Delete the folder processed/runs/flip/fold-0" in said


def test_a_leak_is_named(bare):
    with h5py.File(bare / "processed/tiles.h5", "r+") as file:
        split = {
            line.split(",")[0]: line.split(",")[1]
            for line in (bare / "processed/split.csv").read_text().splitlines()[1:]
        }
        ids = list(file["ids"].asstr()[:])
        train = next(row for row, name in enumerate(ids) if split.get(name) == "train")
        test = next(row for row, name in enumerate(ids) if split.get(name) == "test")
        file["images"][test] = file["images"][train]
    assert "the same picture on both sides of the split" in faults_of(bare)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "list"])
def test_no_damage_is_a_traceback(made, bare, damage):
    """Pictures and the page have no digest then, so their damage is not seen; no more is asked."""
    dice = np.random.default_rng(3)
    for name in files_in(bare):
        path = bare / name
        size = path.stat().st_size
        path.write_bytes(
            {
                "empty": b"",
                "cut": path.read_bytes()[: size * 2 // 3],
                "noise": dice.bytes(size),
                "list": b"[" * 5000,
            }[damage]
        )
        if Path(name).suffix in {".csv", ".json", ".h5", ".keras"} and "plots" not in name:
            assert f"{name}: " in faults_of(bare), name
        shutil.copy2(made / name, path)


def test_flips_anywhere_in_hdf5_never_end_in_a_traceback(made, bare):
    """Without digests not every flip can be seen, but each ends as found or as nothing wrong."""
    dice = np.random.default_rng(11)
    for name in ("tiles.h5", "glyphs.h5", "augmented/flip/bar.h5"):
        path = bare / "processed" / name
        for place in dice.integers(0, path.stat().st_size, 12):
            flip_bit(path, int(place))
            list(tell_faults(bare, examine(*load(bare))))
            shutil.copy2(made / "processed" / name, path)


def test_many_faults_are_capped(tmp_path, bare):
    for line in range(2, 8):
        edit_line(bare / "processed/catalogue.csv", line, "status", "?")
    assert "; and 3 more. Make it again with: prep ingest (it keeps yours as" in faults_of(bare)


def test_the_command_exits_with_1_and_says_so_in_lines(folder, monkeypatch, prep):
    monkeypatch.chdir(folder)
    assert prep("check", "files")[0] == 0
    flip_bit(folder / "processed/split.csv", 40)
    code, _, errors = prep("check", "files")
    assert code == 1
    assert errors.startswith("Error: not everything under processed/ is as it should be:\n")
    assert "processed/split.csv: its bytes" in errors
    assert "Traceback" not in errors


def test_a_model_of_other_classes_is_refused_by_predict(folder, monkeypatch, prep):
    run = folder / "processed/runs/flip/fold-0/seed-0/run.json"
    assert json.loads(run.read_text())["classes"] == ["bar", "square"]
    edit_json(run, classes=["square", "bar"])
    forget_notes(folder)
    monkeypatch.chdir(folder)
    code, _, errors = prep("predict", "raw/pictures/bar/000.png", "--model", "flip")
    assert code == 1
    assert "was trained on the classes square, bar; params.yaml has bar, square" in errors


def test_every_stage_of_the_road_ran_here():
    names = tuple(stage.__name__ for stage in ROAD)
    assert names[: len(DATA_STAGES)] == DATA_STAGES


# --- HDF5 files from elsewhere, and of another age -------------------------------------------


def link_outside(file: h5py.File, secret: Path) -> None:
    del file["images"]
    file["images"] = h5py.ExternalLink(str(secret), "/images")


def link_within(file: h5py.File, secret: Path) -> None:
    del file["groups"]
    file["groups"] = h5py.SoftLink("/ids")


def store_outside(file: h5py.File, secret: Path) -> None:
    shape = file["images"].shape
    del file["images"]
    file.create_dataset("images", shape, np.uint8, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def borrow(file: h5py.File, secret: Path) -> None:
    shape = file["images"].shape
    layout = h5py.VirtualLayout(shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(secret), "images", shape)
    del file["images"]
    file.create_virtual_dataset("images", layout)


def claim_terabytes(file: h5py.File, secret: Path) -> None:
    del file["labels"]
    file.create_dataset("labels", (1 << 40,), np.int16, chunks=(1 << 16,), compression="gzip")


def nest_attributes(file: h5py.File, secret: Path) -> None:
    file.attrs["classes"] = "[" * 20_000


def put_a_group(file: h5py.File, secret: Path) -> None:
    del file["labels"]
    file.create_group("labels")


@pytest.mark.parametrize(
    "attack",
    [
        link_outside,
        link_within,
        store_outside,
        borrow,
        claim_terabytes,
        nest_attributes,
        put_a_group,
    ],
)
def test_a_dataset_file_reads_nothing_outside_itself_and_fills_no_memory(bare, attack):
    path, secret = bare / "processed/tiles.h5", bare / "secret.h5"
    shutil.copy(path, secret)
    with h5py.File(path, "r+") as file:
        attack(file, secret)
    with pytest.raises(DataError, match="damaged or no file of prep's"), open_dataset(path):
        pass


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (3, "was written by a newer prep (schema 3; this one reads up to 2)"),
        (1, "was written by an older prep (schema 1; this one reads 2)"),
        (0, "or one of an older prep (schema 0; this one reads 2)"),
        (None, "or one of an older prep (schema 0; this one reads 2)"),
        ("one", "is damaged"),
        ([1, 2], "is damaged"),
    ],
)
def test_another_schema_is_refused_with_the_command_that_rebuilds_it(
    bare, version, message, monkeypatch
):
    monkeypatch.chdir(bare)  # a file of another project is not ours to make again
    path = bare / "processed/tiles.h5"
    with h5py.File(path, "r+") as file:
        del file.attrs["schema_version"]
        if version is not None:
            file.attrs["schema_version"] = version
    with pytest.raises(DataError) as error, open_dataset(path):
        pass
    assert message in str(error.value)
    assert "run: dvc repro" in str(error.value)
    told = next(line for line in faults_of(bare).splitlines() if "processed/tiles.h5: " in line)
    assert told.endswith("anew run: dvc repro --force") == (version in (0, 1, None))


def test_pixels_that_cannot_be_unpacked_are_a_sentence_in_every_stage(bare, monkeypatch, prep):
    path = bare / "processed/tiles.h5"
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    monkeypatch.chdir(bare)
    for words in (["split"], ["augment"], ["check", "files"], ["show", str(path)]):
        code, _, errors = prep(*words)
        assert code == 1, words
        assert "tiles.h5" in errors
        assert "damaged" in errors


def test_a_fault_names_its_own_remedy_however_the_store_words_its(bare, monkeypatch):
    monkeypatch.setattr(damage, "REMEDY", "Throw it away")
    (bare / "processed/tiles.h5").write_bytes(b"no HDF5")
    line = next(line for line in faults_of(bare).splitlines() if "tiles.h5" in line)
    assert line.startswith("processed/tiles.h5: is damaged or no file of prep's (")
    assert line.endswith("). Delete it, then: dvc repro normalise")


def test_small_numbers_in_dvc_lock_are_the_same_numbers():
    """DVC writes 1e-05, which PyYAML takes for text."""
    lock = Lock(
        [], [], {"train@none": yaml.safe_load("train: {learning_rate: 1e-05, seeds: 3}")}, []
    )
    assert not find_stale(lock, {}, {"train": {"learning_rate": 0.00001, "seeds": 3}})
    assert find_stale(lock, {}, {"train": {"learning_rate": 0.0001, "seeds": 3}}) == {"train@none"}
