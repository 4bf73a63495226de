"""Parquet as the Hub has it: OUT/data/train-00000-of-00001.parquet, ..., for datasets.load_dataset.

A row has the tile as a PNG, which loses nothing, its label, id and group (and parent, op, source
where there are such). What `datasets` is to make of the columns, and the names of the classes, lie
in each file's schema. A window is a row group, so that no more is in memory.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.console import Advance
from pipeline.errors import DataError
from pipeline.export.contents import Contents, Window
from pipeline.export.shards import cut_shards
from pipeline.intake.images import encode_png

if TYPE_CHECKING:
    import pyarrow

DICTIONARY = ["group", "op"]  # columns in which the same texts come again


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write each part's shards; DataError where pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            "--as huggingface writes Parquet, for which pyarrow is missing. Install it with: "
            "pip install 'prep[hub]'"
        ) from None
    schema = _describe(contents)
    (folder / "data").mkdir()
    for content in contents.parts:
        shards = cut_shards(contents, content)
        for number, shard in enumerate(shards):
            path = folder / "data" / f"{content.word}-{number:05}-of-{len(shards):05}.parquet"
            with (
                path.open("wb") as file,  # it says what fails, and pyarrow does not
                pyarrow.parquet.ParquetWriter(
                    file, schema, use_dictionary=DICTIONARY, write_statistics=["label", *DICTIONARY]
                ) as writer,
            ):
                for window in shard.windows():
                    columns = _make_columns(contents, window)
                    writer.write_table(pyarrow.Table.from_pydict(columns, schema))
                    advance(len(window))


def _describe(contents: Contents) -> "pyarrow.Schema":
    """Return the columns' types, and in the metadata what they are to `datasets`."""
    import pyarrow

    text = pyarrow.string()
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(contents.classes), "_type": "ClassLabel"},
    }
    features |= {name: {"dtype": "string", "_type": "Value"} for name in contents.columns}
    types = {
        "image": pyarrow.struct({"bytes": pyarrow.binary(), "path": text}),
        "label": pyarrow.int64(),
    }
    types |= dict.fromkeys(contents.columns, text)
    told = json.dumps({"info": {"features": features}})
    return pyarrow.schema(types, metadata={"huggingface": told})


def _make_columns(contents: Contents, window: Window) -> dict[str, Any]:
    texts: dict[str, Any] = {
        name: getattr(window, attribute) for name, attribute in contents.columns.items()
    }
    images = [
        {"bytes": encode_png(image), "path": f"{tile_id}.png"}
        for image, tile_id in zip(window.images, window.ids, strict=True)
    ]
    return {"image": images, "label": window.labels, **texts}
