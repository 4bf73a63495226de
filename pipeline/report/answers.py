"""Section 6: right and wrong - confusion, scores, mistakes, what was repaired or broken."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.dataset.store import DatasetFile
from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import name_of, path_of, scan_id_of
from pipeline.intake.names import LEFT_OUT
from pipeline.project import Project
from pipeline.report.figures import Figure, embed, scale_of
from pipeline.report.mistakes import Mistake, find_changes, find_usual_mistake, rank_mistakes
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.verdicts.ablation import Arm, find_arm, share_seeds
from pipeline.verdicts.results import Ablation, read_confidence


@dataclass(frozen=True)
class _Gallery:
    """Some of `total` pictures."""

    total: int
    figures: list[Figure]


@dataclass(frozen=True)
class _Answers:
    """What one experiment got right and wrong; shares by true class, None: no test pictures."""

    experiment: str
    control: str
    confusion: list[list[float | None]]
    difference: list[list[float | None]]  # to the control, empty without one
    scores: list[dict[str, object]]  # a class each
    mistakes: _Gallery
    repaired: _Gallery | None
    broken: _Gallery | None
    seeds: int


class Pictures:
    """The test tiles by their place among the labels, read from tiles.h5 when asked for.

    `catalogue`: its rows that are used, which say what file each tile came from.
    """

    def __init__(self, tiles: DatasetFile, ids: list[str], catalogue: list[Row]) -> None:
        self._tiles = tiles
        self._ids = ids
        self._scans = {scan_id_of(row): row for row in catalogue}
        places = {tile_id: number for number, tile_id in enumerate(tiles.ids)}
        self._rows = np.array([places[tile_id] for tile_id in ids], int)

    def read(self, pictures: list[int]) -> npt.NDArray[np.uint8]:
        """Return the tiles, uint8 (N, S, S, C)."""
        return self._tiles.read(self._rows[pictures]).images

    def name(self, picture: int) -> str:
        """Return the file that a tile came from, and unless it is all of it, the box's id."""
        tile_id = self._ids[picture]
        scan = scan_of(tile_id)
        if scan not in self._scans:
            return tile_id
        file = name_of(self._scans[scan])
        return file if tile_id == scan else f"{file}, id {tile_id}"

    def line(self, picture: int) -> str:
        """Return the line of raw/labels.csv (source, id, label) that leaves a tile out."""
        tile_id = self._ids[picture]
        scan = self._scans.get(scan_of(tile_id))
        return _write_line((path_of(scan), tile_id, LEFT_OUT)) if scan else ""


def _write_line(cells: Iterable[str]) -> str:
    """Return a line of a CSV file, without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def show_answers(
    project: Project, params: Params, ablation: Ablation, pictures: Pictures
) -> dict[str, object]:
    """Return every scored experiment's answers, and which classes have no test pictures."""
    untested = [
        name for number, name in enumerate(params.classes) if not (ablation.labels == number).any()
    ]
    return {
        "untested": untested,
        "pictures": len(ablation.ids),
        "arms": [
            _show_arm(
                project, params, ablation, pictures, arm, find_arm(ablation.arms, arm.control)
            )
            for arm in ablation.arms
        ],
    }


def _show_arm(
    project: Project,
    params: Params,
    ablation: Ablation,
    pictures: Pictures,
    arm: Arm,
    control: Arm | None,
) -> _Answers:
    """Return what one experiment got right and wrong."""
    confidence = read_confidence(project, arm, ablation.ids)
    mistakes = rank_mistakes(ablation.labels, arm.predicted, confidence)
    shared = share_seeds(arm, control) if control else []
    changed: list[_Gallery] = []
    if control and shared:
        changed = _show_changes(params, ablation, pictures, arm, control, shared)
    confusion = _share_confusion(arm)
    return _Answers(
        experiment=arm.name,
        control=control.name if control else "",
        confusion=_cells(confusion),
        difference=_cells(confusion - _share_confusion(control)) if control else [],
        scores=_list_scores(params, ablation, arm),
        mistakes=_show_mistakes(params, pictures, mistakes, len(arm.seeds)),
        repaired=changed[0] if changed else None,
        broken=changed[1] if changed else None,
        seeds=len(shared),
    )


def _share_confusion(arm: Arm) -> npt.NDArray[np.float64]:
    """Return the share of each class's test pictures given each class, all runs, (K, K)."""
    counts = np.sum([run["confusion"] for run in arm.runs], axis=0).astype(np.float64)
    support = counts.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = np.full_like(counts, np.nan)
    np.divide(counts, support, out=shares, where=support > 0)
    return shares


def _list_scores(params: Params, ablation: Ablation, arm: Arm) -> list[dict[str, object]]:
    """Return precision, recall and F1 by class, and how many test pictures it has.

    A score is its mean and spread, and of how many of the runs they are.
    """
    found = {(r.metric, r.label): r for r in ablation.results if r.experiment == arm.name}
    return [
        {
            "label": name,
            "support": int((ablation.labels == number).sum()),
            **{
                metric: (one.mean, one.sd, one.known, one.runs)
                for metric in ("precision", "recall", "f1")
                for one in [found[metric, name]]
            },
        }
        for number, name in enumerate(params.classes)
    ]


def _show_mistakes(
    params: Params, pictures: Pictures, mistakes: list[Mistake], seeds: int
) -> _Gallery:
    """Return the surest mistakes, titled truth-prediction with confidence."""
    shown = mistakes[: params.report.gallery]
    captions = [
        f"{params.classes[m.label]}–{params.classes[m.predicted]} "
        f"{100 * m.confidence:.0f}\u00a0%\n{m.seeds} of {seeds} seeds"
        for m in shown
    ]
    return _Gallery(len(mistakes), _draw(pictures, [m.picture for m in shown], captions))


def _show_changes(
    params: Params,
    ablation: Ablation,
    pictures: Pictures,
    arm: Arm,
    control: Arm,
    shared: list[int],
) -> list[_Gallery]:
    """Return what the experiment repaired and what it broke, against its control."""
    before, after = control.answers(shared), arm.answers(shared)
    changes = find_changes(ablation.labels, before, after)
    return [
        _show_turned(params, ablation, pictures, changes.repaired, "was", before),
        _show_turned(params, ablation, pictures, changes.broken, "became", after),
    ]


def _show_turned(
    params: Params,
    ablation: Ablation,
    pictures: Pictures,
    places: list[int],
    word: str,
    answers: npt.NDArray[np.integer],
) -> _Gallery:
    """Return pictures that an experiment turned, with the class they were wrongly given."""
    shown = places[: params.report.gallery]
    captions = []
    for place in shown:
        label = int(ablation.labels[place])
        mistaken = params.classes[find_usual_mistake(answers[:, place], label)]
        captions.append(f"{params.classes[label]}, {word} {mistaken}")
    return _Gallery(len(places), _draw(pictures, shown, captions))


def _draw(pictures: Pictures, shown: list[int], captions: list[str]) -> list[Figure]:
    """Return the test tiles as figures, each with its origin."""
    return [
        embed(
            tile,
            f"test picture: {caption}",
            caption,
            scale=scale_of(tile.shape[0]),
            origin=pictures.name(picture),
            line=pictures.line(picture),
        )
        for picture, tile, caption in zip(shown, pictures.read(shown), captions, strict=True)
    ]


def _cells(shares: npt.NDArray[np.float64]) -> list[list[float | None]]:
    return [[None if np.isnan(share) else float(share) for share in row] for row in shares]
