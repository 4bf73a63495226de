"""Pictures in folders: OUT/train/CLASS/ID.png, as Keras and torchvision read them; no loss.

A class without tiles in a part has an empty folder there: else the other classes' numbers would
differ from part to part. tiles.csv says of each picture its group, and of variants their parents.
"""

from pathlib import Path

from pipeline.console import Advance
from pipeline.export.contents import Contents
from pipeline.export.listing import list_tiles
from pipeline.intake.images import encode_png
from pipeline.project import class_file_name


def write(contents: Contents, folder: Path, advance: Advance) -> None:
    """Write a PNG file for each tile."""
    names = [class_file_name(name, contents.classes) for name in contents.classes]
    with list_tiles(contents, folder) as listing:
        for content in contents.parts:
            folders = [folder / content.name / name for name in names]
            for one in folders:
                one.mkdir(parents=True)
            for window in content.windows():
                for image, label, tile_id in zip(
                    window.images, window.labels.tolist(), window.ids, strict=True
                ):
                    (folders[label] / f"{tile_id}.png").write_bytes(encode_png(image))
                    advance()
                listing.append(content.name, window)
