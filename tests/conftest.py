"""Small projects to run stages and the command line on."""

import csv
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import settings

from pipeline import cli, console
from pipeline.intake import images
from pipeline.notes import NOTES

LONGEST = ("test_building.py", "test_road.py", "test_train.py")  # over a minute each

# Several workers share the processor already: threads and processes of their own would only wait
# for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("TF_NUM_INTRAOP", "TF_NUM_INTEROP", "OMP_NUM", "OPENBLAS_NUM"):
        os.environ.setdefault(f"{library}_THREADS", "1")
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # what joblib counts

# A busy machine is no reason to fail.
settings.register_profile("prep", deadline=None)
settings.load_profile("prep")

DATA_STAGES = ("ingest", "segment", "normalise", "balance", "split", "augment", "plan")
BLOBS = {"bar": (16, 4), "square": (10, 10)}  # height and width in pixels of each class's subject


def draw_subject(name: str, number: int) -> np.ndarray:
    """Return a grey 40x30 picture of a dark bar or square on pale paper, each one different."""
    dice = np.random.default_rng([number, len(name)])
    picture = dice.integers(225, 245, (40, 30)).astype(np.uint8)
    height, width = BLOBS[name]
    top, left = dice.integers(3, 38 - height), dice.integers(3, 28 - width)
    picture[top : top + height, left : left + width] = dice.integers(20, 60, (height, width))
    return picture


def sign_predictions(folder: Path, name: str) -> None:
    """Let metrics.json of an experiment be of predictions.csv as it is now."""
    scores = folder / "processed/scores" / name
    metrics = json.loads((scores / "metrics.json").read_text())
    with (scores / "predictions.csv").open() as file:
        seeds = sorted({int(row["seed"]) for row in csv.DictReader(file)})
    runs = [run for run in metrics["runs"] if run["seed"] in seeds]
    if not runs:  # the same runs under other seeds
        runs = [run | {"seed": s} for run, s in zip(metrics["runs"], seeds, strict=True)]
    digest = hashlib.sha256((scores / "predictions.csv").read_bytes()).hexdigest()
    content = metrics | {"runs": runs, "predictions": digest}
    (scores / "metrics.json").write_text(json.dumps(content))
    forget_notes(folder)


def write_params(folder: Path, **changes: object) -> None:
    """Write the params.yaml of a tiny project, with some sections changed."""
    content = {
        "sources": [{"path": "raw/pictures", "layout": "whole"}],
        "classes": list(BLOBS),
        "limits": {"seconds": 60, "memory_mb": 4000, "pixels": 200_000_000},
        "tile": {"size": 28, "channels": 1, "method": "mnist"},
        "balance": {"method": "undersample", "to": "smallest", "seed": 1},
        "split": {"test": 0.3, "val": 0.2, "folds": 1, "group": "page", "seed": 1},
        "augment": {"flip": {}, "rotate": {"degrees": [-10, 10]}},
        "experiments": {"none": {}, "flip": {"ops": ["flip"]}, "rotate": {"ops": ["rotate"]}},
        "train": {"model": "dense16", "steps": 6, "batch_size": 8, "validate_every": 3, "seeds": 2},
        "compare": {"margin": 1.0},
        "report": {"title": "Bars and squares"},
    }
    text = yaml.safe_dump(content | changes, allow_unicode=True, sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def write_pictures(folder: Path, count: int = 20) -> None:
    """Write some pictures of each class, one class with two more than the other."""
    for extra, name in enumerate(BLOBS):
        target = folder / "raw" / "pictures" / name
        target.mkdir(parents=True, exist_ok=True)
        for number in range(count + 2 * extra):
            picture = images.encode_png(draw_subject(name, number))
            (target / f"{number:03}.png").write_bytes(picture)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


@pytest.fixture(scope="session")
def datasets_offline(tmp_path_factory):
    """Let `datasets` reach no network and no cache of the person's; it asks when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        for setting in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
            patch.setenv(setting, "1")
        patch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        yield


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A tiny project of bars and squares, current folder and all; nothing is made yet."""
    write_params(tmp_path)
    write_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prep(monkeypatch, capsys):
    """Run `prep` with the given words and return (exit code, what it printed, its errors)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prep", *words])
        monkeypatch.setattr(console.out, "quiet", False)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return run


def run_to(prep, last: str) -> None:
    """Run the stages up to `last` with the fixture `prep`."""

    def run() -> None:
        for stage in DATA_STAGES[: DATA_STAGES.index(last) + 1]:
            code, _, errors = prep(stage)
            assert (code, errors) == (0, "")

    once(f"run to {last}", run)


KEPT = (
    tempfile.TemporaryDirectory()
)  # what this process has made, by a digest of what it is made of


def once(what: str, make: Callable[[], None], also: Sequence[str] = ()) -> None:
    """Let `make` fill processed/ of the project here, or copy what it made of the same before.

    Folders that it fills as well are named in `also`.

    The same are params.yaml and all under raw/ and models/. Most tests begin where the stages have
    run on one and the same tiny project: they need not run for each of them.
    """
    here = Path.cwd()
    made = here / "processed"
    if made.exists():
        make()
        return
    inputs = [digests(here / part) for part in ("raw", "models")]
    text = f"{what} {inputs} {(here / 'params.yaml').read_text(encoding='utf-8')}"
    kept = Path(KEPT.name, hashlib.sha256(text.encode()).hexdigest())
    if not kept.exists():
        make()
        for name in ("processed", *also):
            shutil.copytree(here / name, kept / name)
    else:
        shutil.copytree(kept, here, dirs_exist_ok=True)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NOTES  # which stand in the order of writing
    }


def forget_notes(folder: Path) -> None:
    """Let the files of a project be anybody's, so that a test may put what it wants into them."""
    (folder / "processed" / NOTES).unlink(missing_ok=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files come first, then those with slow tests: the others fill up the time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name not in LONGEST, item.path not in slow))
