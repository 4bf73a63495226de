"""A part in several files of a size that is well sent, stored and read by several at once."""

from collections.abc import Sequence

import numpy as np

from pipeline.export.contents import Content, Contents

SHARD_BYTES = 1 << 28  # of pixels that are not packed yet, and of texts
TEXT_BYTES = 256  # of a tile: its id and group, roughly


def cut_shards(contents: Contents, content: Content) -> Sequence[Content]:
    """Return a part's tiles as one content for each file."""
    pixels = int(np.prod(contents.tile_shape))
    return list(content.cut(max(1, SHARD_BYTES // (pixels + TEXT_BYTES))))
