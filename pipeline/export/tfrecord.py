"""Records for tf.data: OUT/train-00000-of-00001.tfrecord, ..., each a tf.train.Example.

They have the names that TensorFlow's own datasets of pictures use: image/encoded (a PNG, which
loses nothing), image/format, image/height, image/width, image/channels, image/class/label,
image/class/text; and id, group (and parent, op, source where there are such). classes.txt says what
labels mean.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.console import Advance
from pipeline.export.contents import Content, Contents
from pipeline.export.listing import write_classes
from pipeline.export.shards import cut_shards
from pipeline.intake.images import encode_png
from pipeline.network.records import write_records


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write each part's shards."""
    write_classes(contents, folder)
    for content in contents.parts:
        shards = cut_shards(contents, content)
        for number, shard in enumerate(shards):
            path = folder / f"{content.name}-{number:05}-of-{len(shards):05}.tfrecord"
            write_records(path, _make_records(contents, shard, advance))


def _make_records(
    contents: Contents, shard: Content, advance: Advance
) -> Iterator[dict[str, bytes | int]]:
    height, width, channels = contents.tile_shape
    for window in shard.windows():
        for image, label, told in zip(
            window.images, window.labels.tolist(), contents.tell(window), strict=True
        ):
            yield {
                "image/encoded": encode_png(image),
                "image/format": b"png",
                "image/height": height,
                "image/width": width,
                "image/channels": channels,
                "image/class/label": label,
                "image/class/text": contents.classes[label].encode(),
                **{name: text.encode() for name, text in told.items()},
            }
        advance(len(window))
