"""Writes tests/corpus, the small files that the fuzz run begins with: `python tests/seeds.py`.

Every file is made here; none is somebody's. Files whose name begins with `found-` are what a fuzz
run found, and stay.
"""

import csv
import io
import json
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pdf_files
import yaml
from fuzzing import CLASSES, CORPUS, INPUTS, pack
from PIL import Image

from pipeline.dataset.schema import Rows
from pipeline.dataset.store import write_glyphs
from pipeline.dataset.tables import COLUMNS
from pipeline.dataset.writing import create_dataset
from pipeline.network.checkpoints import Checkpoint, write_checkpoint

HEIGHT, WIDTH = 9, 14
GREY = np.rint(np.linspace(0, 255, HEIGHT * WIDTH)).astype(np.uint8).reshape(HEIGHT, WIDTH)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
ORIENTATION = 0x0112


def make_pictures() -> dict[str, bytes]:
    """Pictures of every format, mode and compression that is read."""
    palette, alpha = Image.fromarray(COLOUR).quantize(16), np.dstack([COLOUR, GREY])
    wide = np.tile(COLOUR, (6, 6, 1))  # wide enough to come reduced
    scans = (
        pdf_files.page(pdf_files.dct(save(COLOUR, "JPEG"))),
        pdf_files.page(pdf_files.flate(GREY > 99, "/ImageMask true"), more="/Rotate 90"),
    )
    drawn = pdf_files.page(content="0 0 9 9 re f", size=(14, 9))
    return {
        "pages.pdf": pdf_files.write(*scans, drawn),
        "orientation.jpg": save(COLOUR, "JPEG", exif=orient(6)),
        "progressive.jpg": save(COLOUR, "JPEG", progressive=True),
        "cmyk.jpg": save(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"),
        "grey.jpg": save(GREY, "JPEG", comment="grey", dpi=(300, 300)),
        "wide.jpg": save(wide, "JPEG", exif=orient(3), quality=40),
        "two.mpo": save(COLOUR, "MPO", save_all=True, append_images=[Image.fromarray(COLOUR)]),
        "alpha.png": save(alpha, "PNG", exif=orient(5)),
        "deep.png": save(GREY.astype(np.uint16) * 257, "PNG", transparency=300),
        "palette.png": save(palette, "PNG", transparency=3),
        "bits.png": save(Image.fromarray(GREY).convert("1"), "PNG"),
        "animated.png": save(COLOUR, "PNG", save_all=True, append_images=[palette]),
        "grey.tif": save(GREY, "TIFF", exif=orient(8)),
        "lzw.tif": save(COLOUR, "TIFF", compression="tiff_lzw"),
        "deflate.tif": save(GREY.astype(np.uint16), "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": save(COLOUR, "TIFF", compression="jpeg"),
        "fax.tif": save(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"),
        "float.tif": save(GREY / np.float32(255), "TIFF"),
        "lab.tif": save(Image.merge("LAB", Image.fromarray(COLOUR).split()), "TIFF"),
        "big.tif": save(COLOUR, "TIFF", big_tiff=True),
        "pages.tif": save(GREY, "TIFF", save_all=True, append_images=[Image.fromarray(COLOUR)]),
        "colour.bmp": save(COLOUR, "BMP"),
        "palette.bmp": save(palette, "BMP"),
        "transparent.gif": save(palette, "GIF", transparency=2),
        "animated.gif": save(GREY, "GIF", save_all=True, append_images=[palette], duration=50),
        "lossy.webp": save(COLOUR, "WEBP", exif=orient(2)),
        "lossless.webp": save(alpha, "WEBP", lossless=True),
        "animated.webp": save(COLOUR, "WEBP", save_all=True, append_images=[palette]),
    }


def save(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture file that PIL writes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def orient(orientation: int) -> Image.Exif:
    """Return EXIF data that hold an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def make_archives() -> dict[str, bytes]:
    """Archives of every kind that is read, with notes, folders and names of all sorts."""
    picture = save(GREY, "PNG")
    members = {"cat/1.png": picture, "./dog/2.png": picture[:50], "README.txt": b"notes\n",
               "Üñí/日本.png": picture, ".hidden": b"x"}  # fmt: skip
    odd = {"../out.png": picture, "a/b.zip": b"PK", "cat/1.png": picture, "/abs.png": b""}
    return {
        "stored.zip": write_zip(members, zipfile.ZIP_STORED),
        "deflated.zip": write_zip(members, zipfile.ZIP_DEFLATED),
        "lzma.zip": write_zip({"1.png": picture}, zipfile.ZIP_LZMA),
        "bzip2.zip": write_zip({"1.png": picture}, zipfile.ZIP_BZIP2),
        "odd.zip": write_zip(odd, zipfile.ZIP_STORED),
        "ustar.tar": write_tar(members, tarfile.USTAR_FORMAT),
        "gnu.tar": write_tar({f"{'long' * 30}/1.png": picture}, tarfile.GNU_FORMAT),
        "pax.tar": write_tar({f"{'länger' * 30}/1.png": picture}, tarfile.PAX_FORMAT),
        "odd.tar": write_tar(odd, tarfile.USTAR_FORMAT, link=True),
        "ustar.tar.gz": pack(write_tar(members, tarfile.USTAR_FORMAT)),
        "plain.png": picture,
    }


def write_zip(members: dict[str, bytes], method: int) -> bytes:
    """Return a zip of these files, of a fixed date."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


def write_tar(members: dict[str, bytes], layout: int, link: bool = False) -> bytes:
    """Return a tar of these files, perhaps with a link, without the padding at its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("link.png")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
        end = archive.offset
    return buffer.getvalue()[: end + 1024]


def make_datasets() -> dict[str, bytes]:
    """Datasets, glyphs, idx files and a checkpoint; HDF5 in its earliest form and in ours."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_dataset(folder / "tiles.h5", variants=False)
        write_dataset(folder / "variants.h5", variants=True)
        write_glyphs(folder / "glyphs.h5", [("a-1", GREY), ("b-1", GREY[:4, :3])])
        for path in list(folder.iterdir()):
            copy_small(path, folder / f"old-{path.name}", "earliest")
            copy_small(path, folder / f"small-{path.name}", "v110")
            path.unlink()
        checkpoint = Checkpoint(
            rows=((1.0, 0.5), (2.0, 0.25)), best_step=2, best_score=0.75,
            best=[np.ones((2, 3), np.float32)], state=[np.zeros(2), np.array(3)], seconds=1.5,
        )  # fmt: skip
        write_checkpoint(folder / "checkpoint.npz", checkpoint, INPUTS)
        made = {path.name: path.read_bytes() for path in folder.iterdir()}
    labels = struct.pack(">4BI3i", 0, 0, 12, 1, 3, 0, 1, 1)
    pictures = struct.pack(">4B3I", 0, 0, 8, 3, 3, HEIGHT, WIDTH) + GREY.tobytes() * 3
    doubles = struct.pack(">4BI2d", 0, 0, 14, 1, 2, 0.5, -1.5)
    idx = {"labels.idx": labels, "pictures.idx": pictures, "doubles.idx": doubles}
    return made | idx | {"pictures.idx.gz": pack(pictures)}


def write_dataset(path: Path, variants: bool) -> None:
    """Write a dataset of three tiles."""
    more = {"parents": texts("a", "b", "c"), "draws": np.arange(6.0).reshape(3, 2)}
    with create_dataset(
        path, tile_shape=(6, 6, 1), classes=CLASSES, made_by={"stage": "normalise"},
        draw_names=["x", "y"] if variants else None,
    ) as writer:  # fmt: skip
        images = np.tile(GREY[:6, :6, None], (3, 1, 1, 1))
        labels = np.array([0, 1, -1], np.int16)
        ids, groups = texts("a-1", "b-1", "c-1"), texts("", "page", "page")
        writer.append(Rows(images, labels, ids, groups, **(more if variants else {})))


def texts(*words: str) -> np.ndarray:
    """Return words as a column of text."""
    return np.array(words, object)


def copy_small(path: Path, to: Path, form: str) -> None:
    """Copy a file of HDF5 without its room for more rows; its earliest form has no checksums."""
    with h5py.File(path) as file, h5py.File(to, "w", libver=form) as copy:
        for name, column in file.items():
            packed = {"chunks": True, "compression": 1} if column.compression else {}
            copy.create_dataset(name, data=column[:], dtype=column.dtype, **packed)
        for name in file.attrs:
            copy.attrs.create(name, file.attrs[name], dtype=file.attrs.get_id(name).dtype)


def make_tables() -> dict[str, bytes]:
    """A table of each kind, and what a stage writes as JSON."""
    said = {
        "id": "a-1", "source": 'raw/cat/one, "1".jpg', "page": "0", "x0": "1", "y0": "2", "x1": "9",
        "y1": "8", "label": "cat", "predicted": "cat", "status": "ok", "width": "14",
        "height": "9", "score": "0.5", "split": "train", "fold": "0", "seed": "1", "row": "0",
        "col": "3", "sha256": "0f" * 32, "layout": "whole", "reason": "truncated\nhere",
        "step": "50", "loss": "nan", "accuracy": "0.5", "val_loss": "1e-3", "val_accuracy": "0.5",
        "p0": "0.750000", "p1": "0.250000",
    }  # fmt: skip
    tables = {}
    for kind, columns in COLUMNS.items():
        if kind == "predictions":
            columns += ("p0", "p1")
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore",
                                lineterminator="\n")  # fmt: skip
        writer.writeheader()
        writer.writerows([said, said | {"id": "ü-2"}])
        tables[f"{kind}.csv"] = text.getvalue().encode()
    tables["marked.csv"] = b"\xef\xbb\xbf" + tables["balanced.csv"].replace(b"\n", b"\r\n")
    tables["plan.json"] = json.dumps({"classes": CLASSES, "tiles": {"file": "x"}}).encode()
    return tables


PARAMS = """\
sources:
  - {path: raw/photos, layout: whole}
  - {path: raw/scans, layout: cells, rows: 2, columns: 3, labels: columns, split: test}
classes: [cat, dog, "7"]
limits: {seconds: 5, memory_mb: 500, pixels: 1_000_000}
tile: {size: 32, channels: 3, method: photo, fit: pad}
balance: {method: undersample, to: 20, seed: 0x1F}
split: {test: 0.2, val: 0.1, folds: 1, group: page, seed: 1}
augment:
  flip: {direction: vertical}
  turn: {transform: rotate, degrees: [-15, 15], copies: 2, seed: 3}
  both: &both {transform: [flip, {rotate: {degrees: 5}}]}
  noise: {transform: GaussNoise, std_range: [0.1, 0.2], p: 1}
  again: *both
  duplicate: {}
experiments:
  none:
  flip: {ops: [flip], classes: [cat]}
  two: {ops: [flip, turn], classes: {turn: [dog]}, variants: online, balance: weights}
  few: {ops: [flip], share: 0.5, control: none-50}
  none-50: {share: .5}
train: {model: cnn, budget: epochs, epochs: 1.5, seeds: [0, 2], learning_rate: 1.0e-3}
compare: {margin: 1}
report: {title: "Katzen \\u00fc", tiles_per_class: 9}
"""

LOCK = {
    "schema": "2.0",
    "stages": {
        "ingest": {
            "cmd": "prep ingest",
            "deps": [{"path": "raw", "hash": "md5", "md5": f"{'0a' * 16}.dir", "nfiles": 2}],
            "params": {"params.yaml": {"sources": [{"path": "raw"}], "limits": None}},
            "outs": [{"path": "processed/catalogue.csv", "hash": "md5", "md5": "0b" * 16}],
        }
    },
}


def make_params() -> dict[str, bytes]:
    """A params.yaml with something of everything, a short one, and a dvc.lock."""
    content = yaml.safe_load(PARAMS)
    short = {key: content[key] for key in ("sources", "classes", "augment", "experiments")}
    return {
        "params.yaml": PARAMS.encode(),
        "short.yaml": yaml.safe_dump(short, sort_keys=False).encode(),
        "dvc.lock": yaml.safe_dump(LOCK, sort_keys=False).encode(),
    }


SEEDS = {
    "pictures": make_pictures,
    "archives": make_archives,
    "datasets": make_datasets,
    "tables": make_tables,
    "params": make_params,
}


def write_corpus() -> None:
    """Write all of tests/corpus anew but for what fuzz runs found."""
    for target, make in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if not path.name.startswith("found-"):
                path.unlink()
        for name, data in make().items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    write_corpus()
