"""What any bytes must come to, for the fuzz run (benchmarks/fuzz.py) and its short form.

Each target takes bytes and gives them to everything of prep's that reads such files: what is
promised comes back, or a DataError. Anything else that leaves a target is a finding. `mutate` is
how the short form breaks a file; `repair` makes checksums right, so that damage gets behind them.
"""

import contextlib
import gzip
import math
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.checks import contents
from pipeline.checks.records import read_lock
from pipeline.dataset.documents import read_object
from pipeline.dataset.schema import TEXT_COLUMNS
from pipeline.dataset.store import open_dataset, read_glyph_ids, read_glyphs
from pipeline.dataset.tables import COLUMNS, read_table
from pipeline.errors import DataError
from pipeline.intake import images, outside
from pipeline.intake.archives import ArchiveLimits
from pipeline.intake.arrays.idx import read_idx
from pipeline.intake.files import find_files
from pipeline.intake.kinds import recognise
from pipeline.network.checkpoints import Checkpoint, read_checkpoint
from pipeline.settings.controls import explain_missing_control
from pipeline.settings.loading import load_params
from pipeline.settings.params import Params

CORPUS = Path(__file__).parent / "corpus"  # a folder for each target; tests/seeds.py writes it

PIXELS = 1_000_000  # of a page
LIMITS = ArchiveLimits(file=1_000_000, total=4_000_000, members=500)
MOST_VALUES = 64 * 2**20  # that are read of a dataset: a damaged file may ask for more
INPUTS = "the inputs of a training"
CLASSES = ("cat", "dog")
IDX_PAIR = {
    "a-images-idx": struct.pack(">4B3I", 0, 0, 8, 3, 3, 4, 5) + bytes(60),
    "a-labels-idx": struct.pack(">4BI", 0, 0, 8, 1, 3) + bytes([0, 1, 1]),
}
JUDGES: dict[str, contents.Judge] = {
    "catalogue": partial(contents.judge_scan, classes=CLASSES),
    "boxes": partial(contents.judge_box, classes=CLASSES),
    "left_out": contents.judge_left_out,
    "quarantine": contents.judge_quarantined,
    "balanced": partial(contents.judge_balanced, classes=CLASSES),
    "split": contents.judge_split,
    "predictions": partial(contents.judge_prediction, classes=CLASSES),
    "history": contents.judge_interval,
}


@contextlib.contextmanager
def as_file(data: bytes) -> Iterator[Path]:
    """Yield a file that holds the bytes, alone in its folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        yield path


def promise(kept: bool, what: str) -> None:
    """Raise AssertionError, also under python -O."""
    if not kept:
        raise AssertionError(f"not as promised: {what}")


# --- Targets -------------------------------------------------------------------------------


def check_pictures(data: bytes) -> None:
    """All of images.py's readers: the same pages or the same reason, whichever is asked."""
    pages, reason = _take(images.decode_pages(data, max_pixels=PIXELS))
    for page in pages:
        _check_page(page)
    sizes = [page.shape[1::-1] for page in pages]
    measured = _take(images.measure_pages(data, max_pixels=PIXELS))
    promise(measured == (sizes, reason), f"measured {measured}, decoded {sizes}, {reason}")
    reduced, why = _take(images.decode_reduced(data, 4, max_pixels=PIXELS))
    promise((len(reduced), why) == (len(pages), reason), f"reduced to {len(reduced)} pages, {why}")
    for page, small in zip(pages, reduced, strict=True):
        _check_page(small.pixels)
        wanted = [math.ceil(side / small.factor) for side in page.shape[:2]]
        promise(list(small.pixels.shape[:2]) == wanted, f"a {small.factor}th of {page.shape}")
    if pages and recognise(data) != "PDF":  # whose first page may be a broken one
        _check_page(images.decode_page(data, at_least=4, max_pixels=PIXELS))
    if reason:
        raise DataError(reason)


def _take(pages: Iterable[Any]) -> tuple[list[Any], str]:
    """Return what comes until the end or a PictureError, and its text; of a PDF the sound pages."""
    taken: list[Any] = []
    try:
        for page in pages:
            if isinstance(page, images.PictureError):
                _check_text(str(page))
            else:
                taken.append(page)
    except images.PictureError as error:
        _check_text(str(error))
        return taken, str(error)
    return taken, ""


def _check_page(page: images.Pixels) -> None:
    shape = page.shape
    promise(page.dtype == np.uint8, f"a page of {page.dtype}")
    promise(len(shape) == 2 or shape[2:] == (3,), f"a page of the shape {shape}")
    promise(0 < shape[0] * shape[1] <= PIXELS, f"a page of the shape {shape}")


def _check_text(text: str) -> None:
    promise(text.isprintable() and 0 < len(text) < 300, f"a reason that reads {text!r}")


def check_archives(data: bytes) -> None:
    """A file below raw/: it is listed with names that print, and read within the limits."""
    with as_file(data) as path:
        listed = find_files(path.parent, path.name, limits=LIMITS)
        promise(len(listed) <= LIMITS.members, f"{len(listed)} files")
        sound = [file for file in listed if not file.trouble]
        promise(len(set(sound)) == len(sound), "a file that is listed twice")
        troubles = []
        for file in listed:
            promise(f"{file.source}{file.member}{file.trouble}".isprintable(), f"{file}")
            try:
                promise(len(file.read(path.parent, limits=LIMITS)) <= LIMITS.file, f"{file}")
            except DataError as error:
                _check_text(str(error))
                troubles.append(str(error))
        if troubles:
            raise DataError(troubles[0])


def check_datasets(data: bytes) -> None:
    """Files of arrays: datasets, our own and from outside, glyphs, idx files and checkpoints."""
    with as_file(data) as path:
        readers = (_read_dataset, _read_outside, _read_glyphs, _read_idx, _read_checkpoint)
        found = [_try(read, path) for read in readers]
    if all(found):
        raise DataError(found[0])


def _try(read: Callable[[Path], None], path: Path) -> str:
    try:
        read(path)
    except DataError as error:
        return str(error) or "no reason"
    return ""


def _read_dataset(path: Path) -> None:
    with open_dataset(path) as dataset:
        rows, side = len(dataset), dataset.tile_shape
        promise(len(side) == 3, f"tiles of {side}")
        promise(all(isinstance(name, str) for name in dataset.classes), f"{dataset.classes}")
        promise(all(isinstance(name, str) for name in dataset.draw_names), f"{dataset.draw_names}")
        promise(isinstance(dataset.made_by, dict), f"made by {dataset.made_by}")
        if rows * math.prod(side) > MOST_VALUES:
            return
        read = dataset.read()
        promise(read.images.shape == (rows, *side), f"{read.images.shape}")
        promise(len(read.labels) == len(read.groups) == rows, "a column of another length")
        for name in TEXT_COLUMNS - {"parents"}:
            texts = list(dataset.scan(name))
            promise(texts == list(getattr(read, name)) == list(getattr(dataset, name)), name)
            promise(all(isinstance(text, str) for text in texts), f"{name} that are no text")
        promise(np.array_equal(dataset.labels, read.labels), "labels")
        some = np.arange(rows)[::-2]
        promise(np.array_equal(dataset.read_images(some), read.images[some]), "images in reverse")
        places = dataset.locate_images()
        promise(places is None or places.shape == (rows,), "places of images")
        if dataset.draw_names:
            promise(dataset.draws.shape == (rows, len(dataset.draw_names)), "draws")
            promise(len(dataset.parents) == rows, "parents")


def _read_outside(path: Path) -> None:
    """Read tiles from outside the project: a dataset or a folder of idx files."""
    found = outside.read_outside(path, "train")
    promise(len(found.images) == len(found.labels), "images and labels")
    promise(found.images.ndim == 4 and 0 not in found.images.shape[1:], "tiles")
    outside.rename_classes(found, tuple(found.classes[::-1]), path)


def _read_glyphs(path: Path) -> None:
    ids = read_glyph_ids(path)
    for number, (name, pixels) in enumerate(read_glyphs(path)):
        promise(name == ids[number], "ids")
        promise(pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.size > 0, "a glyph")


def _read_idx(path: Path) -> None:
    values = read_idx(path.read_bytes(), max_bytes=LIMITS.total)
    promise(values.nbytes <= LIMITS.total, f"{values.nbytes} bytes")
    for damaged in IDX_PAIR:
        folder = path.with_name(f"damaged-{damaged}")
        folder.mkdir()
        for name, data in IDX_PAIR.items():
            (folder / name).write_bytes(path.read_bytes() if name == damaged else data)
        with contextlib.suppress(DataError):
            _read_outside(folder)


def _read_checkpoint(path: Path) -> None:
    found = read_checkpoint(path, INPUTS)
    if found is None:
        raise DataError("no checkpoint")
    promise(isinstance(found, Checkpoint) and isinstance(found.step, int), "a checkpoint")
    for row in found.rows:
        promise(all(isinstance(value, int | float) for value in row), "a row of the history")
    for array in (*found.best, *found.state):
        promise(array.dtype != object, "an array of objects")


def check_tables(data: bytes) -> None:
    """The road's tables: rows with a text in every column, as a stage and as `check` reads them."""
    with as_file(data) as path:
        found = [_try(partial(_read_table, kind=kind), path) for kind in COLUMNS]
        found.append(_try(partial(read_object, remedy=""), path))  # type: ignore[arg-type]
    if all(found):
        raise DataError(found[0])


def _read_table(path: Path, kind: str) -> None:
    columns = COLUMNS[kind] + (("p0", "p1") if kind == "predictions" else ())
    for row in read_table(path, columns):
        promise(row.keys() >= set(columns), "columns")
        promise(all(isinstance(text, str) for text in (*row, *row.values())), f"a row {row}")
    faults: list[str] = []
    for _ in contents.judge_lines(path, columns, JUDGES[kind], faults):
        pass
    promise(all(isinstance(fault, str) and fault for fault in faults), f"faults {faults}")


def check_params(data: bytes) -> None:
    """The files that a person writes: params.yaml, and dvc.lock, which is YAML too."""
    with as_file(data) as path:
        found = [_try(_read_params, path), _try(_read_lock, path)]
    if all(found):
        raise DataError(found[0])


def _read_params(path: Path) -> None:
    params = load_params(path)
    promise(isinstance(params, Params), "settings")
    for name in params.experiments:
        promise(params.control_of(name) in (None, *params.experiments), f"the control of {name}")
        promise(isinstance(explain_missing_control(params, name), str), "an explanation")


def _read_lock(path: Path) -> None:
    path.with_name("dvc.lock").symlink_to(path)
    promise(read_lock(path.parent) is not None, "a lock that was not seen")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "pictures": check_pictures,
    "archives": check_archives,
    "datasets": check_datasets,
    "tables": check_tables,
    "params": check_params,
}


# --- Mutations -----------------------------------------------------------------------------

NOTABLE = (0, 1, 2, 4, 8, 16, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**32 - 1)
WORDS = (
    b"\0", b"\r", b"\n", b'"', b",", b"\xef\xbb\xbf", b"\xff\xfe", b": ", b"[", b"{", b"&a ", b"*a",
    b"<<: ", b"!!python/none ", b"2001-99-99", b".nan", b"1e999", b"../", b"/", b"\\u0000",
)  # fmt: skip


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Return a file with a few things wrong; two times out of three its checksums are right."""
    broken = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        dice.choice(_WAYS)(broken, dice)
    return repair(bytes(broken)) if dice.random() < 2 / 3 else bytes(broken)


def _place(data: bytearray, dice: random.Random) -> int:
    near = dice.random() < 0.5  # most of what can go wrong stands at the beginning
    return dice.randrange(min(len(data), 128) if near else len(data)) if data else 0


def _flip(data: bytearray, dice: random.Random) -> None:
    if data:
        data[_place(data, dice)] ^= 1 << dice.randrange(8)


def _overwrite(data: bytearray, dice: random.Random) -> None:
    place, number = _place(data, dice), dice.choice(NOTABLE)
    field = number.to_bytes(4, dice.choice(("big", "little")))
    size = dice.choice((1, 2, 4))
    data[place : place + size] = field[:size] if dice.random() < 0.5 else field[-size:]


def _insert(data: bytearray, dice: random.Random) -> None:
    place = _place(data, dice)
    data[place:place] = dice.choice(WORDS) * dice.choice((1, 1, 1, 40))


def _remove(data: bytearray, dice: random.Random) -> None:
    place = _place(data, dice)
    del data[place : place + dice.choice((1, 4, 32))]


def _repeat(data: bytearray, dice: random.Random) -> None:
    start, place = _place(data, dice), _place(data, dice)
    data[place:place] = data[start : start + dice.choice((1, 8, 64, 512))]


def _cut(data: bytearray, dice: random.Random) -> None:
    del data[_place(data, dice) :]


_WAYS = (_flip, _flip, _overwrite, _overwrite, _insert, _remove, _repeat, _cut)


def repair(data: bytes) -> bytes:
    """Return a PNG or tar whose checksums are right, and whatever else as it is."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _repair_png(data)
    return _repair_tar(data) if data[257:262] == b"ustar" else data


def _repair_png(data: bytes) -> bytes:
    chunks, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : end]
        chunks.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place = end + 4
    return b"".join(chunks) + data[place:]


def _repair_tar(data: bytes) -> bytes:
    repaired = bytearray(data)
    for place in range(0, len(data) - 511, 512):
        if data[place + 257 : place + 262] == b"ustar":
            repaired[place + 148 : place + 156] = b" " * 8
            total = sum(repaired[place : place + 512])
            repaired[place + 148 : place + 156] = b"%06o\0 " % total
    return bytes(repaired)


def unpack(data: bytes) -> bytes:
    """Return what is in a gzip file, to be broken there, and nothing of another file."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, LIMITS.total)
    except zlib.error:
        return b""


def pack(data: bytes) -> bytes:
    """Return bytes as a gzip file, always the same."""
    return gzip.compress(data, 1, mtime=0)
