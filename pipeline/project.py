"""Where a project's files lie, and which command makes each of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError

MADE_BY = {
    "catalogue.csv": "ingest",
    "boxes.csv": "segment",
    "glyphs.h5": "segment",
    "quarantine.csv": "segment",
    "overlays": "segment",
    "tiles.h5": "normalise",
    "contact": "normalise",
    "balanced.csv": "balance",
    "split.csv": "split",
    "augmented": "augment",
    "experiments": "plan",
    "lineage.json": "plan",
    "runs": "train",
    "scores": "train",
    "ablation.csv": "compare",
    "ablation.json": "compare",
    "ablation.md": "compare",
    "report": "report",
}


@dataclass(frozen=True)
class Project:
    """A folder with params.yaml, raw/ and processed/."""

    root: Path

    @property
    def params_file(self) -> Path:
        """params.yaml."""
        return self.root / "params.yaml"

    def is_raw(self, path: Path) -> bool:
        """Return whether a path lies under raw/, where all is taken for the user's pictures."""
        return path.resolve().is_relative_to((self.root / "raw").resolve())

    def output(self, *parts: str) -> Path:
        """Return the path of something under processed/, to be written."""
        return self.root.joinpath("processed", *parts)

    def input(self, *parts: str) -> Path:
        """Return the path of something under processed/ that has to be there."""
        return self.require(self.output(*parts))

    def require(self, path: Path) -> Path:
        """Return the path; raises DataError naming the command that makes it if it is missing."""
        if not path.exists():
            maker = MADE_BY[path.relative_to(self.output()).parts[0]]
            raise DataError(
                f"{self.relative(path)} is not there yet. Make it with: prep {maker}"
                " (or everything with: dvc repro)"
            )
        return path

    def relative(self, path: Path) -> str:
        """Return the path from the root, with '/', as it stands in every table."""
        return path.relative_to(self.root).as_posix()

    def variants_file(self, op: str, class_name: str) -> Path:
        """Return the path of the variants that an op made of a class."""
        return self.output("augmented", op, f"{class_file_name(class_name)}.h5")

    def run_folder(self, experiment: str, fold: int, seed: int) -> Path:
        """Return the folder of one training."""
        return self.output("runs", experiment, f"fold-{fold}", f"seed-{seed}")


def class_file_name(class_name: str) -> str:
    """Return the class as a file name: what some system refuses in names becomes %XX."""
    return re.sub(r'[%<>:"|?*]', lambda found: f"%{ord(found[0]):02X}", class_name)


def find_project(start: Path) -> Project:
    """Return the project that `start` lies in: the nearest folder upwards with a params.yaml."""
    for folder in (start, *start.parents):
        if (folder / "params.yaml").is_file():
            return Project(folder)
    raise DataError(
        f"There is no params.yaml in {start} or above it. Go to your project's folder, or make "
        "one with: prep init my-project --preset digits"
    )
