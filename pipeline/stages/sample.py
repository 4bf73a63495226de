"""prep sample: the default data's package -> raw/sample/ (pages of real handwriting)."""

import numpy as np

from pipeline import images, paper
from pipeline.atomic import whole_folder
from pipeline.console import track
from pipeline.project import Project


def sample(project: Project) -> str:
    """Render scikit-learn's handwritten digits as scanned pages of layout `rows`."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pages = paper.deal_pages(digits.target, seed=1)
    with whole_folder(project.root / "raw" / "sample") as folder:
        for number, rows in enumerate(track(pages, "rendering pages"), start=1):
            page = paper.render_page([list(digits.images[row]) for row in rows], seed=number)
            picture = images.encode_jpeg(page.pixels, quality=90)
            (folder / f"page-{number:03}.jpg").write_bytes(picture)
    count = int(np.sum([len(row) for rows in pages for row in rows]))
    return f"{len(pages)} pages with {count:,} digits in raw/sample"
