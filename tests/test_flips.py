"""One bit of any processed file is lost, and the next command is run by hand: what is said then?

Never nothing, and never a traceback. The judges are the file's own bytes, from before; places and
bits are drawn by a seed. A file that the command does not read is none of its business.
"""

import os
import random

import pytest
from conftest import DATA_STAGES, forget_notes, once, write_params

pytestmark = pytest.mark.slow

RUN = "runs/flip/fold-0/seed-1"
REFUSED = {  # by each of these commands
    "catalogue.csv": ("segment", "normalise", "split", "report"),
    "boxes.csv": ("normalise", "report"),
    "quarantine.csv": ("report",),
    "glyphs.h5": ("normalise",),
    "tiles.h5": ("balance", "train", "evaluate", "report", "evaluate --on processed/tiles.h5"),
    "balanced.csv": ("split", "report"),
    "split.csv": ("plan", "train", "evaluate", "compare", "advise", "report", "check lineage"),
    "augmented/flip/bar.h5": ("plan", "report", "check labels"),
    "experiments/flip.json": ("train", "evaluate"),
    "lineage.json": ("train", "evaluate"),
    f"{RUN}/run.json": ("evaluate", "report"),
    f"{RUN}/history.csv": ("evaluate", "report"),
    f"{RUN}/model.keras": ("evaluate", "evaluate --on processed/tiles.h5"),
    "runs/flip/fold-0/seed-0/model.keras": ("predict raw/pictures/bar/000.png --model flip",),
    "scores/flip/predictions.csv": ("compare", "advise", "report"),
    "scores/flip/metrics.json": ("compare", "compare --all", "advise", "report"),
}
MADE_AGAIN = {  # and told, by `prep train`; `prep plan` tells it too
    f"{RUN}/run.json": ("plan", "train"),
    f"{RUN}/history.csv": ("plan", "train"),
    f"{RUN}/model.keras": ("plan", "train"),
    "scores/flip/predictions.csv": ("train",),
    "scores/flip/metrics.json": ("plan", "train"),
}


@pytest.fixture
def finished(project, prep):
    budget = {"model": "dense16", "steps": 4, "batch_size": 8, "validate_every": 2, "seeds": 2}
    write_params(project, train=budget, experiments={"none": {}, "flip": {"ops": ["flip"]}})

    def make():
        for stage in (*DATA_STAGES, "train", "compare", "report"):
            assert prep(stage)[0] == 0

    once("finished", make)
    return project / "processed"


def flip_bit(path, dice):
    """Flip a bit, with its time set back or not."""
    before, content = path.stat(), bytearray(path.read_bytes())
    place = dice.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    if dice.random() < 0.5:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("file", REFUSED)
def test_a_lost_bit_is_refused_by_whatever_reads_the_file(finished, prep, file):
    path, dice = finished / file, random.Random(file)
    whole = path.read_bytes()
    for words in REFUSED[file]:
        flip_bit(path, dice)
        code, printed, errors = prep(*words.split())
        assert (code, errors.count("Error: ")) == (1, 1), f"{words}: {errors}"
        assert "Traceback" not in printed + errors
        named = file if not file.startswith("runs") else file.rpartition("/")[0]
        assert named in errors, f"{words}: {errors}"
        path.write_bytes(whole)


@pytest.mark.parametrize("file", MADE_AGAIN)
def test_what_is_made_again_is_told_and_ends_with_the_same_numbers(finished, prep, file):
    path, dice = finished / file, random.Random(file)
    predictions = finished / "scores/flip/predictions.csv"
    answers = predictions.read_bytes()
    whole = path.read_bytes()
    for words in MADE_AGAIN[file]:
        flip_bit(path, dice)
        code, _, errors = prep(words)
        said = " ".join(errors.split())
        assert (code, "Note: " in said) == (0, True)
        assert (file if "scores" in file else RUN) in said, said
        if words == "train":
            assert predictions.read_bytes() == answers
            assert prep("evaluate")[0] == prep("compare")[0] == 0
        path.write_bytes(whole)


@pytest.mark.parametrize("file", REFUSED)
def test_where_nothing_was_noted_no_lost_bit_is_a_traceback(finished, prep, file):
    """What comes out need not be seen then; but it is a sentence, or nothing."""
    path, dice = finished / file, random.Random(f"{file}, again")
    forget_notes(finished.parent)
    whole = path.read_bytes()
    for words in REFUSED[file]:
        flip_bit(path, dice)
        code, _, errors = prep(*words.split())
        forget_notes(finished.parent)
        assert code in (0, 1) and "Traceback" not in errors, f"{words}: {errors}"
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("catalogue.csv", ",whole,", ",hole,", "segment"),
        ("catalogue.csv", ",30,40,", ",,40,", "normalise"),
        ("catalogue.csv", ",0,,", ",O,,", "split"),
        ("boxes.csv", ",0,0,0,30,", ",0,0,0,3O,", "report"),
        ("boxes.csv", ",1.000,", ",q.000,", "report"),
        ("boxes.csv", ",bar,", ",bas,", "normalise"),
        ("balanced.csv", ",bar,", ",bas,", "split"),
        ("balanced.csv", "-0,bar", "-1,bar", "report"),
        ("split.csv", ",train,0,", ",train,p,", "compare"),
        ("split.csv", ",train,", ",tsain,", "plan"),
        (f"{RUN}/history.csv", "0.", "p.", "report"),
        (f"{RUN}/run.json", '"batch_size"', '"batch_sise"', "report"),
        ("experiments/flip.json", '"experiment": "flip"', '"experiment": "flit"', "train"),
        ("experiments/flip.json", '"fold": 0', '"fold": 4', "train"),
        ("scores/flip/metrics.json", '"originals"', '"origynals"', "compare"),
        ("scores/flip/metrics.json", '"recall"', '"reball"', "report"),
    ],
)
def test_a_wrong_word_in_a_file_is_one_sentence_without_notes_too(
    finished, prep, file, old, new, words
):
    forget_notes(finished.parent)
    text = (finished / file).read_text()
    assert old in text
    (finished / file).write_text(text.replace(old, new, 1))
    code, _, errors = prep(words)
    assert (code, errors.count("Error: ")) == (1, 1), errors
    assert file.rpartition("/")[2] in errors, errors
