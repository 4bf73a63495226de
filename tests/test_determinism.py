"""Same in, same out: the stages up to plan, under everything that must not matter, all at once."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import DATA_STAGES, digests, draw_subject, run_to

from pipeline.intake import images

pytestmark = pytest.mark.slow

# Folders list their files backwards, and no work is too short for more than one process.
OTHERWISE = """
import os, sys

listdir, scandir = os.listdir, os.scandir
os.listdir = lambda *where: listdir(*where)[::-1]

class Backwards(list):
    def __init__(self, *where):
        with scandir(*where) as entries:
            super().__init__(list(entries)[::-1])
    __enter__ = lambda self: self
    __exit__ = close = lambda self, *error: None

os.scandir = Backwards

if __name__ == "__main__":
    from pipeline import cli, parallel

    parallel.PATIENCE = 0.0
    for stage in sys.argv[1:]:
        shared = stage in ("ingest", "segment", "normalise", "augment")
        jobs = ["--jobs", "2"] if shared else []
        sys.argv = ["prep", stage, *jobs]
        try:
            cli.main()
        except SystemExit as end:
            if end.code:
                raise
"""


def test_other_folder_order_processes_locale_time_zone_and_hashes_give_the_same_bytes(
    project, prep, tmp_path_factory
):
    names = ("ä 1.png", "日本.png", "B.png", "a.png", "10.png", "9.png")  # no two sort alike
    for number, name in enumerate(names, start=100):
        picture = images.encode_png(draw_subject("bar", number))
        (project / "raw/pictures/bar" / name).write_bytes(picture)
    run_to(prep, "plan")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved, with späces"
    shutil.copytree(project, elsewhere, ignore=shutil.ignore_patterns("processed"))
    (elsewhere / "otherwise.py").write_text(OTHERWISE, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "COLUMNS": "40",
    }
    subprocess.run(
        [sys.executable, "otherwise.py", *DATA_STAGES], cwd=elsewhere, env=environment, check=True
    )
    assert digests(elsewhere / "processed") == digests(project / "processed")
