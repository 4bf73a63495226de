"""Labels for the page: what raw/labels.csv says and what waits for `dvc repro`; saved, undone."""

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.routing import BaseRoute

from pipeline.dataset.tables import LEFT_OUT
from pipeline.errors import DataError, count_things, shorten
from pipeline.intake.box_lines import undo_boxes
from pipeline.intake.catalogue import name_of, path_of
from pipeline.intake.drawn_boxes import boxes_file
from pipeline.intake.label_lines import (
    ChangedSinceError,
    Line,
    Work,
    change_lines,
    rewrite_labels,
    undo_lines,
)
from pipeline.intake.labels import LABELS, Override, labels_file
from pipeline.review.answering import ClashError, Content, MissingError, give, take
from pipeline.review.changes import check_changes
from pipeline.review.desk import Desk
from pipeline.review.journal import Correction, Journal, Note
from pipeline.review.locks import refuse_busy
from pipeline.review.shelf import Tiles
from pipeline.review.watching import name_state
from pipeline.subjects.boxes import scan_of


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the labels."""
    labels = Labels(desk)
    desk.versions["labels"] = labels.version
    return [
        give("/api/labels", lambda asked: labels.describe()),
        take("/api/labels", lambda sent: labels.save(sent)),
        take("/api/undo", lambda sent: labels.undo()),
    ]


class Labels:
    """raw/labels.csv of the project on the desk, and the journal of what was done to it."""

    def __init__(self, desk: Desk) -> None:
        """Read and mend the labels of a project."""
        self._desk, self._root = desk, desk.project.root
        self._journal = Journal(desk.project.output())
        self._files = [
            labels_file(self._root),
            boxes_file(self._root),
            self._journal.path,
            *desk.files,
        ]

    def version(self) -> str:
        """What is another when labels.csv, the journal or the tiles are."""
        return name_state(self._files)

    def describe(self) -> Content:
        """Return what labels.csv says of ids, and the labels that wait for `dvc repro`."""
        last = self._journal.last()
        content: Content = {"version": self.version(), "undo": last.told if last else None}
        content |= {"said": {}, "waiting": {}, "trouble": None}
        try:
            content["said"] = {one.id: one.label for one in self._desk.said() if one.id}
            content["waiting"] = self._desk.waiting()
        except DataError as error:  # of labels.csv, or there are no tiles at this moment
            content["trouble"] = str(error)
        return content

    def save(self, sent: Content) -> Content:
        """Write labels, sent by id as `changes`, into labels.csv.

        `was`: what the page takes the ids' lines to say, None for no line. Raises ClashError where
        one says something else, and changes nothing then.
        """
        changes, was = (
            check_changes(sent.get("changes"), self._desk.params.classes),
            sent.get("was"),
        )
        if not isinstance(was, dict) or was.keys() != changes.keys():
            raise DataError("it has to be said what the lines are taken to say")
        tiles = self._desk.tiles()
        wanted = [Line(_source_of(tiles, name), name, label) for name, label in changes.items()]

        def change(note: Note, data: bytes | None, said: Sequence[Override]) -> bytes:
            _refuse_clashes(said, was)
            made, hunks, form = change_lines(data, wanted)
            if hunks:
                told = _tell(wanted, tiles)
                note(Correction(told, tuple(changes), hunks=tuple(hunks), form=form))
            return made

        with self._journal.held():
            self._journal.correct(lambda note: self._rewrite(partial(change, note), wanted))
        return self.describe()

    def undo(self) -> Content:
        """Take back the last correction that stands; return what it was, too."""
        with self._journal.held():
            last = self._journal.last()
            if last is None:
                raise MissingError("there is nothing to undo")
            stays = 0

            def take_back(note: Note) -> None:
                nonlocal stays
                stays = self._take_back(last)

            try:
                self._journal.correct(take_back)
            except ChangedSinceError:
                self._journal.drop()  # so that the one before can be undone
                raise
            self._journal.drop()
        return self.describe() | {"undone": {"told": last.told, "ids": last.ids, "stays": stays}}

    def _take_back(self, last: Correction) -> int:
        """Undo a correction; return how many of its rows stay, for they were changed since."""
        stays = 0
        if last.edits:
            refuse_busy(self._root)
            self._desk.rewrite_boxes(lambda data: undo_boxes(data, last.edits, last.form))
            return stays

        def undo(data: bytes | None, said: Sequence[Override]) -> bytes | None:
            nonlocal stays
            made, stays = undo_lines(data, last.hunks, last.form)
            return made

        self._rewrite(undo)
        return stays

    def _rewrite(self, work: Work, wanted: Sequence[Line] = ()) -> None:
        """Change labels.csv, unless DVC reads raw/ at this moment."""
        refuse_busy(self._root)
        rewrite_labels(self._root, self._desk.params.classes, work, wanted)


def _source_of(tiles: Tiles, name: str) -> str:
    """Return what labels.csv calls the file that a tile is of."""
    scan = tiles.scans.get(scan_of(name)) if name in tiles.row_of else None
    if scan is None:
        raise MissingError(
            f"there is no tile '{shorten(name)}' any more; it was made anew meanwhile"
        )
    return path_of(scan)


def _refuse_clashes(said: Sequence[Override], was: Mapping[str, object]) -> None:
    """Raise ClashError where labels.csv says something else than the page takes it to say."""
    now = {one.id: one.label for one in said if one.id}
    other = [name for name, label in was.items() if now.get(name) != label]
    if other:
        label = now.get(other[0])
        more = f" (and {len(other) - 1:,} more)" if len(other) > 1 else ""
        what = "has no line any more" if label is None else f"is '{label}'"
        raise ClashError(
            f"{LABELS} was changed outside this page: there {other[0]} {what}{more}. Nothing was "
            "written; look at what it says now, and press again if you mean it"
        )


def _tell(wanted: Sequence[Line], tiles: Tiles) -> str:
    """Return a correction as a person says it: of which tiles, and where they are."""
    labels = {line.label for line in wanted}
    what = (
        "several labels"
        if len(labels) > 1
        else "left out"
        if LEFT_OUT in labels
        else f"label {labels.pop()}"
    )
    return f"{count_things(len(wanted), 'tile')}: {what}, {_tell_place(wanted, tiles)}"


def _tell_place(wanted: Sequence[Line], tiles: Tiles) -> str:
    """Return where tiles are: their page, row and column, as far as they share them."""
    names = [line.id for line in wanted]
    pages = list(dict.fromkeys(name_of(tiles.scans[scan_of(name)]) for name in names))
    if len(pages) > 1:
        return f"on {len(pages):,} pages"
    boxes = [tiles.boxes[tiles.row_of[name]] or {} for name in names]
    where = [f"on {pages[0]}"]
    for word, column in (("row", "row"), ("column", "col")):
        places = {box.get(column, "") for box in boxes}
        if len(places) > 1 or "" in places:
            break
        where.append(f"{word} {places.pop()}")
    return ", ".join(where)
