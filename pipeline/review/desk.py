"""What lies on the desk: the project, its tiles, and what raw/labels.csv says, as they are now."""

from collections.abc import Callable

from pipeline.intake.labels import Override, labels_file, read_overrides
from pipeline.project import Project
from pipeline.review.shelf import FILES, Tiles, read_tiles
from pipeline.review.waiting import find_waiting
from pipeline.review.watching import Watched
from pipeline.settings.params import Params


class Desk:
    """A project that is looked at; its files may change meanwhile."""

    def __init__(self, project: Project, params: Params) -> None:
        """Lay a project on the desk."""
        self.project, self.params = project, params
        self.files = [project.output(name) for name in FILES]
        labels = labels_file(project.root)
        self._tiles = Watched(self.files, lambda: read_tiles(project, params))
        self._said = Watched([labels], lambda: read_overrides(project.root, params.classes))
        self._waiting = Watched(
            [labels, *self.files], lambda: find_waiting(self.tiles(), self.said())
        )
        # By which the page hears that something changed: what tells a few characters for its state
        self.versions: dict[str, Callable[[], str]] = {"tiles": lambda: self._tiles.version}

    def tiles(self) -> Tiles:
        """Return the tiles; raises DataError where there are none, or half of them."""
        return self._tiles.read()[1]

    def said(self) -> list[Override]:
        """Return the lines of raw/labels.csv; raises DataError when it can't be read."""
        return self._said.read()[1]

    def waiting(self) -> dict[str, str]:
        """Return the labels that wait for `dvc repro`, by id; raises what the two above do."""
        return self._waiting.read()[1]
