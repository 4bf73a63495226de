"""README.md and tiles.png of an export: what the dataset is, how it was made, how it is loaded.

The head is that of Hugging Face's dataset cards (YAML). Nothing of the machine, the person or the
day is in it, so that the same project gives the same bytes.
"""

import os
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from pipeline import __version__
from pipeline.dataset.reading import read_groups
from pipeline.errors import DataError, count_things
from pipeline.export import idx, npz
from pipeline.export.contents import Content, Contents
from pipeline.export.shards import cut_shards
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.images import encode_png
from pipeline.intake.scans import read_catalogue
from pipeline.notes import digest_file
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.tiles import contact
from pipeline.training.plans import read_lineage

TILES = 120  # on tiles.png, in lines of so many:
COLUMNS = 12
NOT_STATED = "not stated"
# Number of tiles below which a set is of a size, as the Hub names sizes.
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
# Files of a part, of which `datasets` has to be told: it would guess by words like `test`, which
# may be a class, and knows of no folds.
FILES = {
    "folder": "{part}/**",
    "csv": "{part}.csv",
    "huggingface": "data/{split}-*.parquet",
    "webdataset": "{part}-*.tar",
}
# The licences that the Hub knows, as it spells them; and those without the version they have.
LICENCES = (
    "afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear "
    "bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 "
    "cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 "
    "cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 "
    "cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc "
    "lgpl lgpl-2.1 lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 osl-3.0 pddl "
    "postgresql unknown unlicense wtfpl zlib"
)
UNNUMBERED = ("gfdl", "odbl", "odc-by", "pddl")

# The lines that load a part, from the export's own folder.
LINES = {
    "npz": """
        import numpy as np

        with np.load("dataset.npz") as data:
            images, labels, classes = data["x_{array}"], data["y_{array}"], data["classes"].tolist()
        """,
    "idx": """
        import numpy as np

        images = np.fromfile("{images}", np.uint8)[{header}:].reshape({shape})
        labels = np.fromfile("{labels}", "{dtype}", offset=8)
        """,
    "folder": """
        from datasets import load_dataset

        files = {files}
        dataset = load_dataset("imagefolder", data_files=files)  # or by this folder's path alone
        """,
    "csv": """
        import pandas as pd

        table = pd.read_csv("{part}.csv")
        labels = table.pop("label").to_numpy()
        images = table.to_numpy("uint8").reshape({shape})
        """,
    "huggingface": """
        from datasets import load_dataset

        files = {files}
        dataset = load_dataset("parquet", data_files=files)  # or by this folder's path alone
        """,
    "webdataset": """
        from webdataset import WebDataset

        tiles = WebDataset("{part}-{shards}.tar", shardshuffle=False).decode("{decode}")
        for image, label, told in tiles.to_tuple("png", "cls", "json"):
            print(image.shape, label, told["class"])
        """,
    "tfrecord": """
        import tensorflow as tf

        features = {{
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        }}
        files = sorted(tf.io.gfile.glob("{part}-*.tfrecord"))
        for record in tf.data.TFRecordDataset(files):
            found = tf.io.parse_single_example(record, features)
            image = tf.io.decode_png(found["image/encoded"])
            label = int(found["image/class/label"])
        """,
}


def write_card(
    contents: Contents, folder: Path, form: str, project: Project, params: Params
) -> None:
    """Write README.md and tiles.png into the folder of an export."""
    digest = _digest(folder) if form in FILES else ""
    (folder / "tiles.png").write_bytes(encode_png(_draw_tiles(contents)))
    text = "\n\n".join(_write(contents, form, digest, project, params))
    (folder / "README.md").write_text(text + "\n", encoding="utf-8", newline="\n")


def _write_lines(contents: Contents, form: str) -> str:
    """Return the lines of Python that load the first part of an export, from its own folder."""
    part = contents.parts[0]
    images, labels = idx.name_files(contents, part)
    axes = contents.array_shape
    files = [f'    "{name}": "{one}",\n' for name, one in _find_files(contents, form).items()]
    last = len(cut_shards(contents, part)) - 1
    return dedent(LINES[form]).strip().format(
        part=part.name,
        array=npz.name_arrays(part),
        images=images,
        header=4 * (len(axes) + 2),
        labels=labels,
        dtype=idx.choose_type(contents)[1],
        shape=", ".join(map(str, (-1, *axes))),
        decode="rgb8" if len(axes) > 2 else "l8",
        shards=f"{{000000..{last:06}}}" if last else "000000",
        files=f"{{\n{''.join(files)}}}",
    )  # fmt: skip


def _write(
    contents: Contents, form: str, digest: str, project: Project, params: Params
) -> Iterator[str]:
    """Yield the card's paragraphs."""
    about = params.dataset
    height, width, channels = contents.tile_shape
    kind = "in colour" if channels == 3 else "grey"
    yield f"---\n{_write_head(contents, form, digest, params)}---"
    yield f"# {_plain(about.name) or f'A dataset of {len(contents.classes)} classes'}"
    if about.description:
        yield about.description.strip()
    yield "![some tiles of each class](tiles.png)"
    yield (
        f"{count_things(len(contents), 'tile')} of {height} x {width} pixels, {kind}, of "
        f"{len(contents.classes)} classes."
    )
    yield "\n".join(_write_counts(contents))
    yield f"## Load it\n\nIn this folder:\n\n```python\n{_write_lines(contents, form)}\n```"
    yield (
        "The tiles stand as their pictures did, often class after class: shuffle them before you "
        "train, or take some of them away."
    )
    yield f"## How it was made\n\n{_write_making(contents, params)}"
    yield f"## The split\n\n{' '.join(_tell_split(contents, project, params))}"
    yield "## Licence and consent\n\n" + "\n".join(_tell_rights(params))


def _write_head(contents: Contents, form: str, digest: str, params: Params) -> str:
    """Return the head in YAML.

    `datasets` keeps what it has loaded under the folder's name and this head: without the digest
    another export of that name would be taken for the first.
    """
    about = params.dataset
    size = next((name for most, name in SIZES.items() if len(contents) < most), "1M<n<10M")
    head: dict[str, Any] = _find_licence(about.licence)
    if about.name:
        head["pretty_name"] = about.name
    head |= {
        "task_categories": ["image-classification"],
        "size_categories": [size],
        "tags": ["prep"],
    }
    if form in FILES:
        files = [
            {"split": split, "path": path} for split, path in _find_files(contents, form).items()
        ]
        told = f"SHA-256 {digest}"
        head["configs"] = [{"config_name": "default", "description": told, "data_files": files}]
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True)


def _find_files(contents: Contents, form: str) -> dict[str, str]:
    """Return the pattern of each part's files, by the part's name as `datasets` takes it."""
    pattern = FILES.get(form, "")
    return {part.word: pattern.format(part=part.name, split=part.word) for part in contents.parts}


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the names and bytes of all that a folder holds."""
    found = sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted(names)):
            found.update(f"{digest_file(path)}  {path.relative_to(folder).as_posix()}\n".encode())
    return found.hexdigest()


def _find_licence(licence: str) -> dict[str, str]:
    """Return a licence as the Hub calls it, which refuses a head with one that it does not know."""
    short = licence.strip().lower().removesuffix("-only").removesuffix("-or-later")
    for known in (short or "unknown", *(one for one in UNNUMBERED if short.startswith(f"{one}-"))):
        if known in LICENCES.split():
            return {"license": known}
    name = re.sub(r"[^a-z0-9.]+", "-", short)[:60].strip("-.")
    return {"license": "other"} | ({"license_name": name} if name else {})


def _write_counts(contents: Contents) -> Iterator[str]:
    """Yield the rows of a table: how many tiles of each class, and groups, are in each part."""
    parts = contents.parts
    counts = [np.bincount(part.labels, minlength=len(contents.classes)) for part in parts]
    yield _row("class", (part.name for part in parts))
    yield _row("---", ("---:" for _ in parts))
    for label, name in enumerate(contents.classes):
        yield _row(_plain(name), (f"{own[label]:,}" for own in counts))
    yield _row("*all*", (f"{len(part):,}" for part in parts))
    yield _row("*groups*", (f"{part.group_count:,}" for part in parts))
    if contents.ops:
        yield ""
        train = contents.find("train")
        made = len(train.variants_of(range(len(contents.classes))))
        ops = ", ".join(contents.ops)
        yield f"Of the training set {made:,} are variants by {ops} (`op`, `parent`)."


def _row(first: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join((first, *cells))} |"


def _plain(text: str) -> str:
    """Return text in which no mark of Markdown or HTML has a meaning."""
    return "".join(f"&#{ord(mark)};" if mark in "|<>&[]*_`\\#\n\r" else mark for mark in text)


def _write_making(contents: Contents, params: Params) -> str:
    """Return by what the tiles were made, with the settings that decide what they are."""
    settings: dict[str, Any] = {
        "tile": contents.made_by,  # by which the tiles were made, whatever params.yaml says by now
        "balance": params.balance.model_dump(),
        "split": params.split.model_dump(),
    }
    ops = {name: params.augment[name].describe() for name in contents.ops}
    if ops:
        settings["augment"] = ops
    layouts = ", ".join(sorted({source.layout for source in params.sources}))
    written = yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=90)
    return (
        f"By prep {__version__} from pictures of layout {layouts}, with these settings:\n\n"
        f"```yaml\n{written}```"
    )


def _tell_split(contents: Contents, project: Project, params: Params) -> Iterator[str]:
    """Yield the rule of the split in words, and what was proved of it."""
    if any(part.name.startswith("fold-") for part in contents.parts):
        yield "Each part is the test set of a fold; to test on one, train on the others."
    used = {scan_of(name) for name in read_groups(project.input("split.csv"))}
    scans = [row for row in read_catalogue(project) if scan_id_of(row) in used]
    given = {row["split"] for row in scans} - {""}
    if given and params.split.folds == 1:
        parts = ", ".join(sorted(given))
        yield f"Pictures that came with a part of their own ({parts}) keep it; the rest is drawn."
    yield (
        f"Stratified by class, and drawn from `split.seed` ({params.split.seed}). What belongs "
        "together (the column `group`: a writer, a page, an animal) is whole on one side."
    )
    rule = params.split.group
    if rule == "none":
        yield (
            "A tile of which no group was given is one by itself (`split.group: none`): tiles of "
            "one page may be on two sides."
        )
    if rule in ("page", "none") and "form" in {row["layout"] for row in scans}:
        yield (
            f"What one writer wrote on forms is divided (`split.group: {rule}`), so scores hold "
            "for these hands."
        )
    try:
        read_lineage(project)
    except DataError:
        yield "That nothing crosses it was not proved for these files (`prep plan` does it)."
    else:
        yield (
            "`prep plan` proved for these very files that no tile, group, picture or parent of a "
            "variant is on both sides."
        )
        if not contents.has_pseudonyms:  # by these digests a guess at the names could be checked
            yield (
                f"SHA-256 of split.csv: `{project.digest(project.input('split.csv'))}`, of "
                f"tiles.h5: `{project.digest(project.input('tiles.h5'))}`."
            )


def _tell_rights(params: Params) -> Iterator[str]:
    about = params.dataset
    yield f"- Licence: {_plain(about.licence.strip()) or NOT_STATED}"
    yield f"- Authors: {', '.join(map(_plain, about.authors)) or NOT_STATED}"
    consent = _plain(about.consent) or NOT_STATED
    yield f"- Consent of those whose writing or pictures these are: {consent}"
    if about.url:
        yield f"- More: <{about.url}>"


def _draw_tiles(contents: Contents) -> npt.NDArray[np.uint8]:
    """Return a contact sheet of the first part: of each class as many tiles, a row or more each."""
    part = contents.parts[0]
    originals = Content(part.name, part.pieces[:1])
    labels = originals.labels
    lines = max(1, round(TILES / COLUMNS / len(contents.classes)))  # of a class
    rows = [
        contact.pick_evenly(np.flatnonzero(labels == label), lines * COLUMNS)
        for label in range(len(contents.classes))
    ]
    columns = min(COLUMNS, max(map(len, rows)))
    tiles = [_fill_line(originals.read_images(some), columns) for some in rows]
    return contact.lay_out(np.concatenate(tiles)[: 8 * TILES], columns)


def _fill_line(tiles: npt.NDArray[np.uint8], columns: int) -> npt.NDArray[np.uint8]:
    """Return the tiles of a class with grey ones to the end of its line."""
    missing = -len(tiles) % columns
    return np.pad(tiles, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=contact.GREY)
