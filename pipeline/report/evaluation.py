"""A page of its own: what networks say of tiles from elsewhere, as the report shows test tiles."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.intake.outside import Outside
from pipeline.report.answers import Tested, show_answers
from pipeline.report.figures import Figure, embed, scale_of
from pipeline.report.mistakes import count_wrong
from pipeline.report.rendering import render
from pipeline.verdicts.ablation import Arm, compare_arms
from pipeline.verdicts.scores import score_run
from pipeline.verdicts.wording import write_mean

# What a network says of N tiles: their classes (N,), and how sure it is, 0..1.
Answers = tuple[npt.NDArray[np.integer], npt.NDArray[np.floating]]


class _Tiles:
    """Tiles from elsewhere, which have neither files nor ids: they are named by their place."""

    def __init__(self, tiles: Outside, on: Path) -> None:
        self._images = tiles.images
        self._on = on

    def draw(self, pictures: Sequence[int]) -> list[Figure]:
        """Return the tiles as figures."""
        return [
            embed(
                self._images[picture],
                "",
                scale=scale_of(self._images.shape[1]),
                origin=f"{self._on}, test tile {picture}",
            )
            for picture in pictures
        ]

    def file(self, picture: int) -> str:
        """Return '': there is none."""
        return ""


def write_evaluation(
    page: Path,
    on: Path,
    tiles: Outside,
    answers: Mapping[str, Sequence[Answers]],
    controls: Mapping[str, str | None],
    gallery: int,
) -> None:
    """Write the page of what some networks, of several runs each, say of the tiles found at `on`.

    Runs of the same place are held against each other where one experiment is another's control.
    """
    arms = [
        _to_arm(name, runs, controls[name], tiles.labels, len(tiles.classes))
        for name, runs in answers.items()
    ]
    everyone = np.arange(len(tiles.labels)).astype(object)
    results = compare_arms(arms, tiles.labels, everyone, tiles.classes, margin=0.01)
    confidence = {
        name: np.stack([sure for _, sure in runs]).astype(np.float64)
        for name, runs in answers.items()
    }
    tested = Tested(tiles.classes, tiles.labels, arms, results, confidence)
    content = {
        "title": f"On {on}",
        "tested": f"{len(tiles.labels):,} test tiles of {on}.",
        "classes": list(tiles.classes),
        "pictures": len(tiles.labels),
        "lines": [_to_line(arm, tested) for arm in arms],
        "answers": show_answers(tested, _Tiles(tiles, on), gallery),
        "alone": True,
    }
    with whole_file(page) as part:
        part.write_text(render("evaluation.html", content), encoding="utf-8")


def _to_arm(
    name: str,
    answers: Sequence[Answers],
    control: str | None,
    labels: npt.NDArray[np.int64],
    class_count: int,
) -> Arm:
    """Return the runs' answers as an experiment that is not judged: the tiles were seen before."""
    predicted = np.stack([said for said, _ in answers])
    runs = [asdict(score_run(labels, said, class_count)) for said in predicted]
    return Arm(name, control, tuple(range(len(runs))), predicted, runs, judged=False)


def _to_line(arm: Arm, tested: Tested) -> tuple[str, int, str, float]:
    """Return a network's name, runs, accuracy, and how many tiles it gets wrong."""
    [accuracy] = [r for r in tested.results if (r.experiment, r.metric) == (arm.name, "accuracy")]
    wrong = count_wrong(tested.labels, arm.predicted, len(tested.classes)).sum()
    return arm.name, len(arm.seeds), write_mean(accuracy.mean, accuracy.sd), float(wrong)
