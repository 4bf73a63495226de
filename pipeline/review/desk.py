"""What lies on the desk: the project, its tiles, and what raw/labels.csv says, as they are now."""

from collections.abc import Callable

from pipeline.dataset.tables import Row
from pipeline.errors import DataError
from pipeline.intake.box_lines import rewrite_boxes
from pipeline.intake.drawn_boxes import boxes_file, read_drawn_boxes
from pipeline.intake.labels import Override, labels_file, read_overrides
from pipeline.intake.rewriting import Work
from pipeline.project import Project
from pipeline.review.sheets import FILES as SHEET_FILES
from pipeline.review.sheets import Sheets, read_sheets
from pipeline.review.shelf import FILES, Tiles, read_tiles
from pipeline.review.waiting import find_waiting
from pipeline.review.watching import Watched
from pipeline.settings.loading import load_params
from pipeline.settings.params import Params
from pipeline.subjects.drawn import Drawn


class Desk:
    """A project that is looked at; its files may change meanwhile."""

    def __init__(self, project: Project) -> None:
        """Lay a project on the desk."""
        self.project = project
        settings, labels = project.params_file, labels_file(project.root)
        self._params = Watched([settings], lambda: load_params(settings))
        self.files = [settings, *(project.output(name) for name in FILES)]
        self._tiles = Watched(self.files, lambda: read_tiles(project, self.params))
        self._said = Watched([settings, labels], self._read_said)
        sheets = [settings, *(project.output(name) for name in SHEET_FILES)]
        self._sheets = Watched(sheets, lambda: read_sheets(project))
        self._drawn = Watched([boxes_file(project.root), *sheets], self._place_drawn)
        self._waiting = Watched([labels, *self.files, *self._drawn.files], self._find_waiting)
        # By which the page hears that something changed: what tells a few characters for its state
        self.versions: dict[str, Callable[[], str]] = {
            "project": lambda: self._params.version,
            "tiles": lambda: self._tiles.version,
        }

    @property
    def params(self) -> Params:
        """The settings; raises DataError where params.yaml is not right at this moment."""
        return self._params.read()[1]

    def tiles(self) -> Tiles:
        """Return the tiles; raises DataError where there are none, or half of them."""
        return self._tiles.read()[1]

    def said(self) -> list[Override]:
        """Return the lines of raw/labels.csv; raises DataError when it can't be read."""
        return self._said.read()[1]

    def waiting(self) -> dict[str, str]:
        """Return the labels that wait for `dvc repro`, by id; raises what the two above do."""
        return self._waiting.read()[1]

    def sheets(self) -> Sheets:
        """Return the pages; raises DataError where none were searched."""
        return self._sheets.read()[1]

    def drawn(self) -> dict[str, list[Drawn]]:
        """Return the boxes in raw/boxes.csv, by page; raises DataError when it can't be read."""
        return self._drawn.read()[1]

    def scan(self, name: str) -> Row | None:
        """Return the row of catalogue.csv that a scan has, None for no such scan."""
        return self.sheets().scans.get(name) or self.tiles().scans.get(name)

    def box_version(self) -> str:
        """What is another when pages, or boxes on them, are."""
        return self._drawn.version

    def rewrite_boxes(self, work: Work) -> None:
        """Let `work` change raw/boxes.csv; DataError where it is not clear before or after."""
        rows = self.sheets().catalogue
        rewrite_boxes(self.project.root, self.params.classes, rows, work)

    def _find_waiting(self) -> dict[str, str]:
        try:
            drawn = self.drawn()
        except DataError:  # it is told where boxes are
            drawn = None
        return find_waiting(self.tiles(), self.said(), drawn)

    def _read_said(self) -> list[Override]:
        return read_overrides(self.project.root, self.params.classes)

    def _place_drawn(self) -> dict[str, list[Drawn]]:
        said = read_drawn_boxes(self.project.root, self.params.classes)
        return self.sheets().place(said)
