"""What a stage reads is what prep wrote, or DVC put there: every lost bit is found by hand as well.

The judge is hashlib, and a file is damaged by one bit with and without setting its clock back.
"""

import hashlib
import json
import os
import pickle
import random
import shutil

import pytest
from conftest import forget_notes, run_to
from dvc.repo import Repo

from pipeline import notes
from pipeline import project as project_module
from pipeline.atomic import whole_file, whole_folder
from pipeline.errors import DataError, UnusableFileError
from pipeline.notes import NOTES, read_versions
from pipeline.project import MADE_BY, Project, require_made

# What reads each kind of file next, by hand.
NEXT = {
    "catalogue.csv": ("segment", "split"),
    "boxes.csv": ("normalise",),
    "glyphs.h5": ("normalise", "show processed/glyphs.h5"),
    "tiles.h5": ("balance", "split", "augment", "plan", "check lineage", "show processed/tiles.h5"),
    "balanced.csv": ("split",),
    "split.csv": ("augment", "plan", "check labels"),
    "augmented/flip/bar.h5": ("plan", "check lineage", "show processed/augmented/flip/bar.h5"),
    "experiments/flip.json": ("train --experiment flip",),
    "lineage.json": ("train",),
}


@pytest.fixture
def made(project, prep):
    run_to(prep, "plan")
    return Project(project)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip_bit(path, dice, *, keep_time):
    before, content = path.stat(), bytearray(path.read_bytes())
    place = dice.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_every_file_that_prep_writes_is_noted(made):
    files = [path for path in made.output().rglob("*") if path.is_file() and path.name != NOTES]
    assert read_versions(made.output()) == {
        path.relative_to(made.output()).as_posix(): {sha256(path)} for path in files
    }
    assert {path.relative_to(made.output()).parts[0] for path in files} <= MADE_BY.keys()


@pytest.mark.parametrize("keep_time", [False, True])
@pytest.mark.parametrize("file", NEXT)
def test_a_lost_bit_is_refused_by_whatever_reads_the_file_next(made, prep, file, keep_time):
    path, dice = made.output(file), random.Random(f"{file} {keep_time}")
    whole = path.read_bytes()
    for words in NEXT[file]:
        flip_bit(path, dice, keep_time=keep_time)
        code, printed, errors = prep(*words.split())
        maker = MADE_BY[file.split("/")[0]] + (" --only flip" if "augmented" in file else "")
        assert (code, printed) == (1, "")
        said = " ".join(errors.split())
        assert f"processed/{file} is not as `prep {maker}` wrote it: damaged, or edited" in said
        assert f"Make it again with: prep {maker}" in said
        path.write_bytes(whole)
        assert made.input(file) == path, "nothing else than the bytes matters"


def test_the_cure_that_is_told_works(made, prep):
    for file in ("catalogue.csv", "boxes.csv", "tiles.h5", "balanced.csv", "split.csv"):
        path = made.output(file)
        whole = path.read_bytes()
        flip_bit(path, random.Random(file), keep_time=True)
        assert prep(MADE_BY[file])[0] == 0
        assert path.read_bytes() == whole


def test_what_was_edited_by_hand_is_told_where_that_belongs(made, prep):
    path = made.output("balanced.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    said = " ".join(prep("split")[2].split())
    assert (
        "or edited by hand. Make it again with: prep balance (it keeps yours as "
        "balanced.csv.edited; what is to be left out belongs in raw/labels.csv, with the label -)"
    ) in said


def test_any_version_that_prep_wrote_is_sound(made):
    path = made.output("boxes.csv")
    first = path.read_bytes()
    with whole_file(path) as part:
        part.write_bytes(first + b"more\n")
    made.input("boxes.csv")
    path.write_bytes(first)
    made.input("boxes.csv")


def test_a_stage_that_is_killed_between_note_and_file_leaves_both_versions_sound(made):
    path = made.output("split.csv")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_text("id\n")
        notes.note(part, path)
        raise KeyboardInterrupt
    made.input("split.csv")
    path.write_text("id\n")
    made.input("split.csv")


def test_a_project_may_be_moved_and_copied_whatever_the_clock_says(made, tmp_path_factory):
    elsewhere = Project(tmp_path_factory.mktemp("elsewhere") / "project")
    shutil.copytree(made.root, elsewhere.root, copy_function=shutil.copyfile)
    assert elsewhere.input("tiles.h5")
    flip_bit(elsewhere.output("tiles.h5"), random.Random(1), keep_time=False)
    with pytest.raises(UnusableFileError):
        Project(elsewhere.root).input("tiles.h5")


def test_without_notes_any_file_is_believed_and_with_dvc_lock_that_is_said(made, capsys):
    forget_notes(made.root)
    made.output("boxes.csv").write_text("id\n")
    assert Project(made.root).input("boxes.csv")
    assert capsys.readouterr().err == ""
    (made.root / "dvc.lock").write_text("stages: {}\n")
    assert Project(made.root).input("boxes.csv")
    assert "nothing vouches for processed/boxes.csv" in capsys.readouterr().err


@pytest.mark.parametrize("place", [None, "shared"])
def test_what_dvc_put_there_is_sound(made, place, capsys):
    """As after `git checkout` and `dvc checkout`, or `dvc pull`, also from a cache elsewhere."""
    repo = Repo.init(str(made.root), no_scm=True)
    if place:
        with (made.root / ".dvc/config").open("a") as config:
            config.write(f"[cache]\n    dir = ../{place}\n")
    older = b"id,label,group\n"
    md5 = hashlib.md5(older, usedforsecurity=False).hexdigest()
    cache = made.root / (place or ".dvc/cache") / "files/md5" / md5[:2] / md5[2:]
    cache.parent.mkdir(parents=True)
    cache.write_bytes(older)
    repo.close()
    made.output("balanced.csv").write_bytes(older)
    assert made.input("balanced.csv")
    made.output("balanced.csv").write_bytes(older + b"?")
    with pytest.raises(UnusableFileError):
        made.input("balanced.csv")
    assert capsys.readouterr().err == ""


def test_a_file_is_read_once_also_by_the_processes_that_are_handed_the_project(made, monkeypatch):
    read = []
    digest = notes.digest_file
    monkeypatch.setattr(project_module, "digest_file", lambda p: read.append(p.name) or digest(p))
    for _ in range(3):
        made.input("tiles.h5")
        made.digest(made.output("tiles.h5"))
    handed = pickle.loads(pickle.dumps(made))
    handed.input("tiles.h5")
    assert read == ["tiles.h5"]
    handed.input("split.csv")
    assert read == ["tiles.h5", "split.csv"]


@pytest.mark.parametrize("place", [0, 5, 9, 40, 80, -2])
def test_a_damaged_note_is_told_and_as_good_as_none(made, prep, place):
    path = made.output(NOTES)
    lines = path.read_bytes().split(b"\n")
    number = next(n for n, line in enumerate(lines) if b'"split.csv"' in line)
    line = bytearray(lines[number])
    line[min(place, len(line) - 1)] ^= 1
    path.write_bytes(b"\n".join([*lines[:number], line, *lines[number + 1 :]]))
    code, _, errors = prep("plan")
    assert (code, "processed/.digests: 1 line can't be read" in errors) == (0, True)
    with pytest.raises(UnusableFileError):
        made.output("tiles.h5").write_bytes(b"")
        Project(made.root).input("tiles.h5")


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\n\n", b"1\n" * 9, b'{"processed/boxes.csv": 3}'])
def test_what_is_no_notes_notes_nothing(made, text):
    made.output(NOTES).write_bytes(text)
    assert read_versions(made.output()) == {}
    with whole_file(made.output("boxes.csv")) as part:
        part.write_text("id\n")
    assert list(read_versions(made.output())) == ["boxes.csv"]


def test_folders_are_noted_file_by_file_and_names_may_be_odd(made):
    names = ["plain.jpg", "two\nlines.jpg", "ü.jpg", '"quoted".jpg', ".hidden.jpg"]
    with whole_folder(made.output("overlays")) as part:
        for name in names:
            (part / name).write_bytes(name.encode())
    noted = {f for f in read_versions(made.output()) if f.startswith("overlays/")}
    assert noted >= {f"overlays/{name}" for name in names[:-1]}
    assert "overlays/.hidden.jpg" not in noted


def test_nothing_is_noted_outside_a_project(tmp_path):
    for place in (tmp_path / "sheet.jpg", tmp_path / "processed/boxes.csv"):
        with whole_file(place) as part:
            part.write_text("?")
        assert require_made(place) == place
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "boxes.csv", "processed", "sheet.jpg"
    ]  # fmt: skip


def test_another_projects_files_are_as_they_were_written_too(made, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert require_made(made.output("tiles.h5"))
    flip_bit(made.output("tiles.h5"), random.Random(2), keep_time=True)
    with pytest.raises(DataError, match="is not as `prep normalise` wrote it"):
        require_made(made.output("tiles.h5"))


def test_what_cannot_be_read_is_no_damage(made, monkeypatch):
    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(project_module, "digest_file", fail)
    with pytest.raises(OSError, match="Input/output error"):
        Project(made.root).input("split.csv")


def test_check_files_finds_without_dvc_lock_what_was_changed(made, prep):
    assert prep("check", "files")[0] == 0
    flip_bit(made.output("augmented/rotate/square.h5"), random.Random(3), keep_time=True)
    path = made.output("experiments/none.json")
    path.write_text(json.dumps(json.loads(path.read_text())))
    said = prep("check", "files")[2]
    for file in ("augmented/rotate/square.h5", "experiments/none.json"):
        assert f"processed/{file}: its bytes changed since it was made" in said


def test_notes_are_read_on_from_where_they_were_read_to(made, monkeypatch):
    """Ten thousand variants note ten thousand lines: no line is parsed twice."""
    read_versions(made.output())
    parsed = []
    real = notes._read_line
    monkeypatch.setattr(notes, "_read_line", lambda line: parsed.append(line) or real(line))
    for number in range(20):
        with whole_file(made.output("augmented", "flip", f"{number}.h5")) as part:
            part.write_bytes(bytes([number]))
    assert len(read_versions(made.output())["augmented/flip/7.h5"]) == 1
    assert len(parsed) == 20


def test_notes_that_others_took_the_place_of_are_read_anew(made):
    before = dict(read_versions(made.output()))
    path = made.output(NOTES)
    text = path.read_bytes()
    path.write_bytes(text.replace(b"\n\n", b"\n") * 2)
    assert dict(read_versions(made.output())) == before
    path.unlink()
    assert dict(read_versions(made.output())) == {}


def test_tidied_notes_lose_nothing_that_is_written_meanwhile(made):
    """The file that was opened to be appended to may no longer be the one with that name."""
    made.output("boxes.csv").unlink()
    path = made.output(NOTES)
    waiting = os.open(path, os.O_WRONLY | os.O_APPEND)
    notes.tidy_notes(made.output())
    assert "boxes.csv" not in read_versions(made.output())
    assert os.fstat(waiting).st_ino != path.stat().st_ino
    os.close(waiting)
    with whole_file(made.output("boxes.csv")) as part:
        part.write_text("id\n")
    assert made.is_as_written(made.output("boxes.csv"))


def test_a_picture_that_somebody_keeps_there_is_no_damaged_file(made):
    with whole_file(made.output("look.png")) as part:
        part.write_bytes(b"1")
    made.output("look.png").write_bytes(b"cropped")
    assert list(made.find_damaged()) == []
