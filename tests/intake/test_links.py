"""Links to folders: DVC looks into its inputs and into no link below them, and so does ingest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BLOBS, draw_subject, write_params

from pipeline.checks.road import read_inputs, tell_road
from pipeline.commands.init import init_project
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.files import find_files
from pipeline.intake.links import find_unseen, tell_unseen

CATALOGUE = "processed/catalogue.csv"


@pytest.fixture
def root(tmp_path):
    """A project's folder with a class of two files, and another class on another disk."""
    for path in ("project/raw/photos/cat/1.jpg", "project/raw/photos/cat/2.jpg", "disk/dog/3.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"\xff\xd8\xff")
    return tmp_path / "project"


def link(root: Path, path: str, target: str) -> None:
    """Put a link into a project, in the place of what is there."""
    place = root / path
    if place.exists():
        place.rename(root.parent / f"old-{place.name}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


LINKED = {
    "nothing is a link": ([], "raw/photos", ["raw"], []),
    "raw itself": ([("raw", "../disk")], "raw/dog", ["raw"], []),
    "a source": ([("raw/photos", "../../disk")], "raw/photos", ["raw"], ["raw/photos"]),
    "a source, listed": (
        [("raw/photos", "../../disk")], "raw/photos", ["raw", "raw/photos"], [],
    ),
    "a class": ([("raw/photos/dog", "../../../disk/dog")], "raw/photos", ["raw"],
                ["raw/photos/dog"]),
    "a class, listed": (
        [("raw/photos/dog", "../../../disk/dog")], "raw/photos", ["raw", "raw/photos/dog"], [],
    ),
    "a class beside it": ([("raw/photos/dog", "cat")], "raw/photos", ["raw"], ["raw/photos/dog"]),
    "a folder above the source": (
        [("raw/all", "../../disk")], "raw/all/dog", ["raw"], ["raw/all"],
    ),
    "a folder above, listed": (
        [("raw/all", "../../disk")], "raw/all/dog", ["raw", "raw/all"], [],
    ),
    "a link behind a link that is listed": (
        [("raw/photos", "../../disk"), ("raw/photos/bird", "dog")],
        "raw/photos", ["raw", "raw/photos"], ["raw/photos/bird"],
    ),
    "a source outside raw": ([], "pictures", ["raw"], ["pictures"]),
    "a source outside raw, listed": ([], "pictures", ["raw", "pictures"], []),
    "a link of the system's": ([("raw/photos/.trash", "/")], "raw/photos", ["raw"], []),
    "a link to a file": ([("raw/photos/cat/4.jpg", "1.jpg")], "raw/photos", ["raw"], []),
    "an input of another name": (
        [("raw/photos", "../../disk")], "raw/photos", ["raw", "raw/photo"], ["raw/photos"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("links", "source", "inputs", "unseen"), LINKED.values(), ids=LINKED)
def test_what_dvc_does_not_look_into_is_found(root, links, source, inputs, unseen):
    (root / "pictures").mkdir()
    for path, target in links:
        link(root, path, target)
    assert find_unseen(root, [source], inputs) == unseen


@pytest.mark.parametrize("target", ["/nowhere/cats", "gone", "bird", ".", "..", "../../photos"])
@pytest.mark.parametrize("place", ["raw/photos/bird", "raw/photos/cat/bird"])
def test_links_that_lead_nowhere_or_round_may_be_a_class_and_are_told(root, place, target):
    if target == "../../photos" and place == "raw/photos/bird":
        target = "../photos"
    link(root, place, target)
    for inputs in (["raw"], ["raw", place]):
        with pytest.raises(DataError, match=f"{place} is a link that leads nowhere .* to {target}"):
            find_unseen(root, ["raw/photos"], inputs)
    link(root, "raw/photos/cat/another", "/nowhere")
    with pytest.raises(DataError, match=r"\(and 1 link more\)"):
        find_unseen(root, ["raw/photos"], ["raw"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("place", ["pipe", "photos/.hidden", "elsewhere/a/b/pipe.jpg", "link"])
def test_a_pipe_at_which_dvc_would_wait_for_ever_is_refused(root, place):
    pipe = root / "raw" / place
    pipe.parent.mkdir(parents=True, exist_ok=True)
    if place == "link":
        pipe.symlink_to(root / "pipe")
        pipe = root / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=rf"^raw/{place} is a pipe and no file.*Delete it"):
        find_unseen(root, ["raw/photos"], ["raw"])


def test_links_in_two_sources_are_told_at_once_with_the_line_that_helps(root):
    link(root, "raw/first", "../../disk")
    link(root, "raw/my photos", "../../disk")
    unseen = find_unseen(root, ["raw/first", "raw/my photos", "raw/photos"], ["raw"])
    told = tell_unseen(root, unseen, ["raw"])
    assert "raw/first (a link to ../../disk) and 1 folder more" in told
    assert '`deps: [raw, raw/first, "raw/my photos"]`' in told
    (root / "dvc.yaml").write_text(
        'stages: {ingest: {cmd: x, deps: [raw, raw/first, "raw/my photos"]}}'
    )
    assert find_unseen(root, ["raw/first", "raw/my photos"], read_inputs(root)) == []


def test_only_links_that_are_inputs_are_followed(root):
    link(root, "raw/photos/dog", "../../../disk/dog")
    link(root, "raw/photos/bird", "../../../disk/dog")
    (root.parent / "disk/dog/4.jpg").symlink_to("3.jpg")
    (root.parent / "disk/dog/5.jpg").symlink_to("/etc/passwd")
    (root / "raw/secret.jpg").touch()
    (root / "raw/photos/cat/3.jpg").symlink_to("../../secret.jpg")
    found = find_files(root, "raw/photos", followed=["raw", "raw/photos/dog"])
    out = "a link that leads out of the source's folder: not followed"
    assert [(file.source.removeprefix("raw/photos/"), file.trouble) for file in found] == [
        ("bird", "a link to a folder: not followed"),
        ("cat/1.jpg", ""),
        ("cat/2.jpg", ""),
        ("cat/3.jpg", out),
        ("dog/3.jpg", ""),
        ("dog/4.jpg", ""),
        ("dog/5.jpg", out),
    ]


# --- With DVC --------------------------------------------------------------------------------


def dvc(folder: Path, *words: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def write_class(folder: Path, name: str, numbers: range) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number}.png").write_bytes(images.encode_png(draw_subject(name, number)))


def move_away(root: Path, path: str) -> None:
    """Put something of a project on another disk, and a link in its place."""
    away = root.parent / path.replace("/", "-")
    (root / path).rename(away)
    (root / path).symlink_to(away)


@pytest.mark.slow
def test_dvc_repro_sees_what_comes_changes_and_goes_behind_links(tmp_path):
    root = tmp_path / "project"
    init_project(root, "blank")
    write_params(root)
    for folder in ("first", "second"):
        (root / "raw/pictures" / folder).rmdir()
    for name in BLOBS:
        write_class(root / "raw/pictures" / name, name, range(3))
    move_away(root, "raw/pictures/square")
    move_away(root, "raw")

    said = dvc(root, "repro", "ingest")
    assert "DVC does not look into raw/pictures/square (a link to " in said
    line = said.partition("the line `")[2].partition("`")[0]
    road = (root / "dvc.yaml").read_text()
    before = "cmd: prep ingest\n    deps: [raw]"
    (root / "dvc.yaml").write_text(road.replace(before, f"cmd: prep ingest\n    {line}"))
    assert list(tell_road(root)) == [], "such a line makes no other road"
    assert "ingest: 6 scans" in dvc(root, "repro", "ingest")
    assert "raw and raw/pictures/square as recorded" in check_sources(root)

    for name, where in (("square", "raw/pictures/square"), ("bar", "raw")):
        picture = root / f"raw/pictures/{name}/1.png"
        kept = picture.read_bytes()
        picture.write_bytes(images.encode_png(draw_subject(name, 9)))
        assert re.search(rf"modified: +{where}\n", dvc(root, "status", "ingest"))
        picture.write_bytes(kept)
    write_class(root / "raw/pictures/square", "square", range(3, 5))
    (root / "raw/pictures/square/0.png").unlink()
    assert "raw as recorded; raw/pictures/square changed since" in check_sources(root)
    assert "ingest: 7 scans" in dvc(root, "repro", "ingest")
    sources = [row["source"] for row in read_table(root / CATALOGUE, COLUMNS["catalogue"])]
    assert sources == sorted(
        [f"raw/pictures/bar/{number}.png" for number in range(3)]
        + [f"raw/pictures/square/{number}.png" for number in range(1, 5)]
    )


def check_sources(root: Path) -> str:
    """Return what prep check files ends with."""
    command = [sys.executable, "-m", "pipeline", "check", "files"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.slow
def test_check_files_does_not_call_a_source_as_recorded_that_dvc_never_saw(project, prep):
    init_project(project, "blank")
    assert prep("ingest")[0] == 0
    (project / "raw/pictures").rename(project.parent / "pictures")
    (project / "raw/pictures").symlink_to(project.parent / "pictures")
    dvc(project, "commit", "--force", "ingest")  # as an older prep recorded it
    (project / "raw/pictures/bar/000.png").unlink()
    code, said, notes = prep("check", "files")
    assert code == 0
    assert "raw as recorded" not in said and "raw/pictures" in said.partition("not looked at")[0]
    assert "DVC does not look into raw/pictures" in notes


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: None, "raw/more is not there"),
        (lambda place: place.mkdir(), "raw/more is empty"),
        (lambda place: write_class(place, "bar", range(50, 51)), "raw/more has no class folders"),
    ],
)
def test_a_source_that_is_not_as_params_says_is_told_with_its_line(project, prep, make, said):
    first = {"path": "raw/pictures", "layout": "whole"}
    write_params(project, sources=[first, {"path": "raw/more", "layout": "whole"}])
    lines = Path("params.yaml").read_text().splitlines()
    make(project / "raw/more")
    code, _, errors = prep("ingest")
    assert code == 1
    assert f"params.yaml, line {lines.index('- path: raw/more') + 1}: {said}" in errors
    assert errors.count("\n") == 1


def test_a_source_that_is_a_link_to_a_disk_that_is_gone_is_told(project, prep):
    (project / "raw/pictures").rename(project / "old")
    (project / "raw/pictures").symlink_to("/nowhere/pictures")
    code, _, errors = prep("ingest")
    assert (code, errors.count("\n")) == (1, 1)
    assert "raw/pictures is a link that leads nowhere or in a circle, to /nowhere/pict" in errors
