"""prep show: a picture of what any HDF5 file of the project holds."""

import pytest
from conftest import run_to

from pipeline import images


@pytest.mark.parametrize(
    "file, name, side",
    [
        ("processed/tiles.h5", "processed-tiles.jpg", 28),
        ("processed/augmented/flip/bar.h5", "flip-bar.jpg", 28),
        ("processed/glyphs.h5", "processed-glyphs.jpg", 64),
    ],
)
def test_a_sheet_holds_every_picture_of_a_small_file(project, prep, file, name, side):
    run_to(prep, "augment")
    code, printed, _ = prep("show", file)
    count = int(printed.split()[0])
    assert (code, printed.split()[:3]) == (0, [str(count), "of", str(count)])
    columns = next(n for n in range(1, 99) if n * n >= count)
    height, width = images.decode_page((project / name).read_bytes()).shape
    assert width == columns * (side + 2) + 2
    assert height == -(-count // columns) * (side + 2) + 2


def test_what_is_no_file_of_the_project_is_refused(project, prep):
    (project / "x.h5").write_bytes(b"no HDF5")
    for file in ("x.h5", "missing.h5"):
        code, _, errors = prep("show", file)
        assert code == 1
        assert file in errors
