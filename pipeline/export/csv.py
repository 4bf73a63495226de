"""MNIST as a table: OUT/train.csv, ...: label, pixel0, pixel1, ...: row by row, of colours r, g, b.

Labels are numbers: classes.txt says what they mean, tiles.csv which tile each row is.
"""

from pathlib import Path

import numpy as np

from pipeline.console import Advance
from pipeline.export.contents import Contents, Window
from pipeline.export.listing import list_tiles

NUMBERS = np.array([f",{number}" for number in range(256)], object)  # of a pixel


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write a table for each part."""
    pixels = int(np.prod(contents.tile_shape))
    header = ",".join(["label", *(f"pixel{number}" for number in range(pixels))])
    with list_tiles(contents, folder) as listing:
        for content in contents.parts:
            path = folder / f"{content.name}.csv"
            with path.open("w", encoding="ascii", newline="") as file:
                file.write(f"{header}\n")
                for window in content.windows():
                    file.writelines(_write_rows(window))
                    listing.append(content.name, window)
                    advance(len(window))


def _write_rows(window: Window) -> list[str]:
    rows = NUMBERS[window.images.reshape(len(window), -1)]
    return [
        f"{label}{''.join(row)}\n"
        for label, row in zip(window.labels.tolist(), rows.tolist(), strict=True)
    ]
