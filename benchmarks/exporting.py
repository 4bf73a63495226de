"""Time and memory of `prep export`: `python benchmarks/exporting.py [--tiles 60000 600000]`.

A project of MNIST's size (28x28x1, a sixth of each tile ink, stored compressed as the road does)
is written with prep's own writers. Then, in turn, five times, everything is written to the disk:

prep     `prep export OUT --as FORMAT`, without starting Python
by hand  the same arrays with h5py, csv and numpy, all in memory: tiles.h5 and split.csv read,
         divided by id, and written: as one .npz (np.savez), or a file of bytes each (tofile) and
         a table of ids, labels and groups; for huggingface, Pillow's PNGs of them in tables
         that pyarrow writes
bare     numpy's write alone, of pixels and labels that are in memory already; for huggingface,
         Pillow's PNGs and pyarrow's write of such
ready    for huggingface: pyarrow's write alone, of tables with PNGs that are in memory already

prep verifies its inputs' digests besides. Each writes into a fresh folder, and is done when that is
synced. For the memory the command runs as a person runs it; the peak is that of the process
(ru_maxrss).
"""

import argparse
import csv
import io
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
import pyarrow
import yaml
from PIL import Image
from pyarrow import parquet

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


def read_parts(root: Path, texts: bool = True) -> dict[str, np.ndarray]:
    """Return x and y of each part, with ids and groups, as a dozen lines in a notebook would."""
    with (root / "processed/split.csv").open(newline="") as file:
        split = {tile_id: (part, group) for tile_id, part, _, group in csv.reader(file)}
    with h5py.File(root / "processed/tiles.h5") as file:
        ids, labels = file["ids"].asstr()[:].tolist(), file["labels"][:].astype(np.uint8)
        columns = {"x": file["images"][:], "y": labels}
    members = [split[tile_id] for tile_id in ids]
    part = np.array([part for part, _ in members])
    if texts:
        columns |= {"ids": np.array(ids), "groups": np.array([group for _, group in members])}
    return {
        f"{column}_{name}": values[part == name]
        for name in dict.fromkeys(PARTS)
        for column, values in columns.items()
    }


def write_arrays(arrays: dict[str, np.ndarray], folder: Path, form: str) -> None:
    folder.mkdir()
    if form == "npz":
        np.savez(folder / "dataset.npz", **arrays)
    elif form == "huggingface":
        write_tables(make_tables(arrays), folder)
    else:
        for name, array in arrays.items():
            if name[0] in "xy":
                array.tofile(folder / name)
        if "ids_train" in arrays:
            write_listing(arrays, folder)
    sync(folder)


def sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file)


def make_png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def make_tables(arrays: dict[str, np.ndarray]) -> dict[str, pyarrow.Table]:
    """Return a table with PNGs, labels, and ids and groups if they are there, of each part."""
    tables = {}
    for part in dict.fromkeys(PARTS):
        images = [{"bytes": make_png(pixels), "path": None} for pixels in arrays[f"x_{part}"]]
        columns = {"image": images, "label": arrays[f"y_{part}"]}
        columns |= {
            name: arrays[f"{name}_{part}"].tolist()
            for name in ("ids", "groups")
            if f"{name}_{part}" in arrays
        }
        tables[part] = pyarrow.table(columns)
    return tables


def write_tables(tables: dict[str, pyarrow.Table], folder: Path) -> None:
    for part, table in tables.items():
        parquet.write_table(table, folder / f"{part}.parquet")


def write_ready(tables: dict[str, pyarrow.Table], folder: Path) -> None:
    folder.mkdir()
    write_tables(tables, folder)
    sync(folder)


def write_listing(arrays: dict[str, np.ndarray], folder: Path) -> None:
    with (folder / "tiles.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        for part in dict.fromkeys(PARTS):
            columns = (arrays[f"{name}_{part}"].tolist() for name in ("ids", "y", "groups"))
            writer.writerows((part, *row) for row in zip(*columns, strict=True))


def measure(work: Callable[[], object], made: Path) -> float:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    shutil.rmtree(made)
    return seconds


def compare(root: Path, count: int, form: str) -> None:
    params = load_params(root / "params.yaml")
    out, arrays = root / "out", read_parts(root, texts=False)
    ways = {
        # A new project each time: what was verified is verified again.
        "prep": lambda: export(Project(root), params, out, form),
        "by hand": lambda: write_arrays(read_parts(root), out, form),
        "bare": lambda: write_arrays(arrays, out, form),
    }
    if form == "huggingface":
        tables = make_tables(read_parts(root))
        ways["ready"] = lambda: write_ready(tables, out)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TIMES):
        for name, work in ways.items():
            found[name].append(measure(work, out))
    middle = {name: float(np.median(seconds)) for name, seconds in found.items()}
    ratios = {
        name: float(np.median(np.divide(found["prep"], found[name]))) for name in list(ways)[1:]
    }
    told = ", ".join(f"{name} {1000 * seconds:,.0f} ms" for name, seconds in middle.items())
    compared = ", ".join(f"{ratio:.2f} x {name}" for name, ratio in ratios.items())
    print(f"{count:,} as {form}: {told}; prep takes {compared}", flush=True)


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
    parser.add_argument("--formats", nargs="+", default=["idx", "npz", "huggingface"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for count in chosen.tiles:
            root = Path(folder, str(count))
            write_project(root, count)
            for form in chosen.formats:
                weigh(root, count, form)  # first: of a large parent the system counts pages too
            for form in chosen.formats:
                compare(root, count, form)
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
