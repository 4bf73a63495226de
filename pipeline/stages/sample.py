"""prep sample: the default data's package -> raw/sample/ (pages of real handwriting)."""

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_folder
from pipeline.console import track
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.pages import rendering
from pipeline.parallel import map_in_order
from pipeline.project import Project
from pipeline.settings.params import Params


def sample(project: Project, params: Params) -> str:
    """Render scikit-learn's handwritten digits as scanned pages of layout `rows`."""
    if not any(source.path == "raw/sample" for source in params.sources):
        raise DataError("no source in params.yaml is raw/sample, so nothing here needs the sample")
    from sklearn.datasets import load_digits

    digits = load_digits()
    pages = rendering.deal_pages(digits.target, seed=1)
    with whole_folder(project.root / "raw" / "sample", synced=False) as folder:
        dealt = [(n, [digits.images[row] for row in rows]) for n, rows in enumerate(pages, 1)]
        drawn = map_in_order(_draw_page, dealt)
        for number, picture in enumerate(track(drawn, "rendering pages", len(pages)), start=1):
            (folder / f"page-{number:03}.jpg").write_bytes(picture)
    count = int(np.sum([len(row) for rows in pages for row in rows]))
    return f"{len(pages)} pages with {count:,} digits in raw/sample"


def _draw_page(dealt: tuple[int, list[npt.NDArray[np.float64]]]) -> bytes:
    """Return a page of the given number and rows of digits as JPEG."""
    number, rows = dealt
    page = rendering.render_page([list(row) for row in rows], seed=number)
    return images.encode_jpeg(page.pixels, quality=90)
