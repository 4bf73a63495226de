"""Time and memory of `prep export`: `python benchmarks/exporting.py [--tiles 60000 600000]`.

A project of MNIST's size (28x28x1, a sixth of each tile ink, stored compressed as the road does)
is written with prep's own writers. Then, in turn, five times, everything is written to the disk:

prep     `prep export OUT --as FORMAT`, without starting Python
copy     the least that anybody could do: every tile read from tiles.h5 with h5py, divided, and
         written with numpy: as one .npz (np.savez), or a file of bytes each (tofile)
bare     numpy's write alone, of arrays that are in memory already

What prep does besides: it verifies the digests of its inputs, matches split.csv with tiles.h5 by
id, and writes ids and groups. Each writes into a fresh folder, and is done when that is synced.
For the memory the command runs as a person runs it; the peak is that of the process (ru_maxrss).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import yaml

from pipeline.commands.export import export
from pipeline.dataset.schema import Rows
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.dataset.writing import create_dataset
from pipeline.project import Project
from pipeline.settings.loading import load_params

SHAPE = (28, 28, 1)
CLASSES = [str(number) for number in range(10)]
WINDOW = 1000
TIMES = 5
PARTS = ("train",) * 5 + ("val", "test")


def write_project(root: Path, tiles: int) -> None:
    dice = np.random.default_rng(0)
    (root / "processed").mkdir(parents=True)
    (root / "params.yaml").write_text(
        yaml.safe_dump(
            {
                "sources": [{"path": "raw/pages", "layout": "form"}],
                "classes": CLASSES,
                "augment": {"flip": {}},
                "experiments": {"none": {}},
            }
        )
    )
    ids = [f"{number // 50:010x}-0-{number % 50 * 37}-911" for number in range(tiles)]
    maker = {"stage": "normalise"}
    with create_dataset(
        root / "processed/tiles.h5", tile_shape=SHAPE, classes=CLASSES, made_by=maker
    ) as file:
        for start in range(0, tiles, WINDOW):
            images = np.zeros((WINDOW, *SHAPE), np.uint8)
            images[:, 4:24, 8:16] = dice.integers(0, 256, (WINDOW, 20, 8, 1), np.uint8)
            labels = dice.integers(0, len(CLASSES), WINDOW).astype(np.int16)
            names = np.array(ids[start : start + WINDOW], object)
            file.append(Rows(images, labels, names, np.full(WINDOW, "", object)))
    write_table(
        root / "processed/split.csv",
        COLUMNS["split"],
        (
            {"id": name, "split": PARTS[n // 50 % 7], "fold": 0, "group": name[:12]}
            for n, name in enumerate(ids)
        ),
    )


def read_parts(root: Path, count: int) -> dict[str, np.ndarray]:
    part = np.array(PARTS)[np.arange(count) // 50 % 7]
    with h5py.File(root / "processed/tiles.h5") as file:
        images, labels = file["images"][:], file["labels"][:].astype(np.uint8)
    return {
        f"{letter}_{name}": column[part == name]
        for name in dict.fromkeys(PARTS)
        for letter, column in (("x", images), ("y", labels))
    }


def write_arrays(arrays: dict[str, np.ndarray], folder: Path, form: str) -> None:
    folder.mkdir()
    if form == "npz":
        np.savez(folder / "dataset.npz", **arrays)
    else:
        for name, array in arrays.items():
            array.tofile(folder / name)
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file)


def measure(work: Callable[[], object], made: Path) -> float:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    shutil.rmtree(made)
    return seconds


def compare(root: Path, count: int, form: str) -> None:
    params = load_params(root / "params.yaml")
    out, arrays = root / "out", read_parts(root, count)
    ways = {
        # A new project each time: what was verified is verified again.
        "prep": lambda: export(Project(root), params, out, form),
        "copy": lambda: write_arrays(read_parts(root, count), out, form),
        "bare": lambda: write_arrays(arrays, out, form),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TIMES):
        for name, work in ways.items():
            found[name].append(measure(work, out))
    middle = {name: float(np.median(seconds)) for name, seconds in found.items()}
    ratios = {
        name: float(np.median(np.divide(found["prep"], found[name]))) for name in ("copy", "bare")
    }
    told = ", ".join(f"{name} {1000 * seconds:,.0f} ms" for name, seconds in middle.items())
    print(f"{count:,} as {form}: {told}; prep takes {ratios['copy']:.2f} x copy", end="")
    print(f", {ratios['bare']:.2f} x bare", flush=True)


def weigh(root: Path, count: int, form: str) -> None:
    command = [sys.executable, "-m", "pipeline", "export", "out", "--as", form, "-q"]
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=root, env=place) as process:
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = code
    seconds = time.perf_counter() - started
    assert code == 0, code
    unit = 1 if sys.platform == "darwin" else 1024
    shutil.rmtree(root / "out")
    print(f"{count:,} as {form}: {seconds:.1f} s, at most {usage.ru_maxrss * unit / 1e6:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, nargs="+", default=[60_000, 600_000])
    parser.add_argument("--formats", nargs="+", default=["idx", "npz"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for count in chosen.tiles:
            root = Path(folder, str(count))
            write_project(root, count)
            for form in chosen.formats:
                compare(root, count, form)
                weigh(root, count, form)
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
