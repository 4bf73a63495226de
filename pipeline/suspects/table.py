"""processed/suspects.csv: the suspects of a project, and where on paper they are, kept.

Its first row, of kind `tiles`, says of which tiles.h5 (its SHA-256 stands for an id) the others
are, and how they were found.
"""

from dataclasses import asdict, dataclass, fields

from pipeline.dataset.tables import COLUMNS, Row, read_table, scan_table, write_table
from pipeline.errors import DataError, UnusableFileError
from pipeline.project import Project

FILE = "suspects.csv"
_HEAD = "tiles"
_WHERE = ("source", "page", "row", "col")  # of boxes.csv


@dataclass(frozen=True)
class Suspect:
    """A tile to look at; `probability` is that of `read_as`, `self_confidence` of its own label.

    kind: label, duplicate, outlier or empty; rank: 1 is the first to look at of its kind.
    """

    kind: str
    rank: int
    id: str
    label: str
    read_as: str
    probability: float  # 0..1
    self_confidence: float  # 0..1
    why: str


@dataclass(frozen=True)
class Suspects:
    """All suspects of a tiles.h5, kind by kind in the order of their ranks."""

    tiles: str  # its SHA-256
    how: str  # they were found, in words
    found: tuple[Suspect, ...]

    def of_kind(self, kind: str) -> list[Suspect]:
        """Return those of one kind, the first to look at first."""
        return [one for one in self.found if one.kind == kind]

    def is_of(self, project: Project) -> bool:
        """Return whether they are of the project's tiles.h5 as it is now."""
        return project.digest(project.input("tiles.h5")) == self.tiles


def write_suspects(project: Project, suspects: Suspects) -> None:
    """Write processed/suspects.csv, whole."""
    head = {"kind": _HEAD, "rank": 0, "id": suspects.tiles, "why": suspects.how}
    boxes = _place_boxes(project)
    rows = (
        asdict(one)
        | boxes.get(one.id, {})
        | {
            "probability": f"{one.probability:.4f}",
            "self_confidence": f"{one.self_confidence:.4f}",
        }
        for one in suspects.found
    )
    columns = [*(field.name for field in fields(Suspect)), *_WHERE]
    write_table(project.output(FILE), columns, [head, *rows])


def _place_boxes(project: Project) -> dict[str, Row]:
    """Return where each box is, by id; nothing where boxes.csv is gone."""
    path = project.output("boxes.csv")
    rows = scan_table(path, COLUMNS["boxes"]) if path.exists() else ()
    return {row["id"]: {name: row[name] for name in _WHERE} for row in rows}


def read_suspects(project: Project) -> Suspects:
    """Return what processed/suspects.csv says; `Suspects.is_of` tells whether that still holds.

    Raises DataError when there is none, or it is no such table.
    """
    path = project.output(FILE)
    if not path.exists():
        raise DataError(f"processed/{FILE} is not there yet. Make it with: prep check suspects")
    project.require(path)
    head, *rows = read_table(path, [field.name for field in fields(Suspect)]) or [
        {"kind": "nothing"}
    ]
    try:
        if head["kind"] != _HEAD:
            raise ValueError("its first row does not say of which tiles it is")
        found = [
            Suspect(
                row["kind"],
                int(row["rank"]),
                row["id"],
                row["label"],
                row["read_as"],
                float(row["probability"]),
                float(row["self_confidence"]),
                row["why"],
            )
            for row in rows
        ]
    except (TypeError, ValueError) as error:
        remedy = "Make it again with: prep check suspects"
        raise UnusableFileError(path, f"is damaged: {error}", remedy) from error
    return Suspects(head["id"], head["why"], tuple(found))
