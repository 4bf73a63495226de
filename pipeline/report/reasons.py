"""Section 7: why - what the networks looked at in pictures that an experiment turned."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import FIRST_FOLD, read_part
from pipeline.network import asking, saving
from pipeline.project import Project
from pipeline.report.answers import Pictures
from pipeline.report.figures import Figure, Pixels, embed, scale_of
from pipeline.report.mistakes import Changes, find_changes
from pipeline.settings.params import Params
from pipeline.tiles import contact
from pipeline.verdicts.ablation import Arm, find_arm, share_seeds
from pipeline.verdicts.results import Ablation


@dataclass(frozen=True)
class Reasons:
    """Maps of one experiment's repaired and broken pictures; `gap` says why there are none."""

    experiment: str
    control: str
    seed: int | None = None
    repaired: list[Figure] = field(default_factory=list)
    broken: list[Figure] = field(default_factory=list)
    gap: str = ""


def show_reasons(
    project: Project, params: Params, ablation: Ablation, pictures: Pictures
) -> list[Reasons]:
    """Return for each experiment with a control what decided in pictures that it turned."""
    if not params.report.reasons:
        return []
    pairs = [(arm, find_arm(ablation.arms, arm.control)) for arm in ablation.arms]
    return [
        _show_arm(project, params, ablation, pictures, arm, control)
        for arm, control in pairs
        if control
    ]


def _show_arm(
    project: Project,
    params: Params,
    ablation: Ablation,
    pictures: Pictures,
    arm: Arm,
    control: Arm,
) -> Reasons:
    """Return the maps of one experiment, of the seed that turned most pictures."""
    seed, changes = _choose_seed(project, ablation, arm, control)
    if seed is None or not (changes.repaired or changes.broken):
        return Reasons(arm.name, control.name, gap="No picture was repaired or broken.")
    models = []
    for one in (control, arm):
        path = project.run_folder(one.name, 0, seed) / "model.keras"
        if not path.exists():
            return Reasons(arm.name, control.name, gap=f"There is no run of {one.name} any more.")
        models.append(saving.load(project.require(path)))
    answers = [one.answers([seed])[0] for one in (control, arm)]
    figures = [
        _draw_maps(params, ablation, pictures, places[: params.report.reasons], models, answers)
        for places in (changes.repaired, changes.broken)
    ]
    if figures == [None, None]:
        gap = "Only networks with convolutions, on TensorFlow, can be asked what they looked at."
        return Reasons(arm.name, control.name, gap=gap)
    return Reasons(arm.name, control.name, seed, figures[0] or [], figures[1] or [])


def _choose_seed(
    project: Project, ablation: Ablation, arm: Arm, control: Arm
) -> tuple[int | None, Changes]:
    """Return the seed in which most pictures turned that did so in most seeds, and those.

    With cross-validation only the pictures that the first fold tests.
    """
    tested = read_part(project.input("split.csv"), "test", FIRST_FOLD)
    shared = share_seeds(arm, control)
    if not shared:
        return None, Changes([], [])
    before, after = control.answers(shared), arm.answers(shared)
    usual = find_changes(ablation.labels, before, after)
    by_seed: dict[int, Changes] = {}
    for row, seed in enumerate(shared):
        here = find_changes(ablation.labels, before[[row]], after[[row]])
        by_seed[seed] = Changes(
            [p for p in usual.repaired if p in here.repaired and ablation.ids[p] in tested],
            [p for p in usual.broken if p in here.broken and ablation.ids[p] in tested],
        )
    most = max(by_seed, key=lambda seed: len(by_seed[seed].repaired) + len(by_seed[seed].broken))
    return most, by_seed[most]


def _draw_maps(
    params: Params,
    ablation: Ablation,
    pictures: Pictures,
    places: list[int],
    models: Sequence[Any],
    answers: Sequence[npt.NDArray[np.integer]],
) -> list[Figure] | None:
    """Return each picture beside the maps of the two networks' answers; None if there are none."""
    if not places:
        return None
    tiles = pictures.read(places)
    before, after = (
        asking.explain(model, tiles, answer[places])
        for model, answer in zip(models, answers, strict=True)
    )
    if before is None or after is None:
        return None
    figures = []
    for tile, place, map_before, map_after in zip(tiles, places, before, after, strict=True):
        truth, first, second = (
            params.classes[int(label)]
            for label in (ablation.labels[place], answers[0][place], answers[1][place])
        )
        row = np.stack([_colour(tile), _lay_over(tile, map_before), _lay_over(tile, map_after)])
        caption = f"{truth}: {first}, then {second}"
        alt = f"a test picture of {truth}, and what spoke for {first}, then for {second}"
        sheet = contact.lay_out(row, columns=3)
        scale, origin = scale_of(tile.shape[0]), pictures.name(place)
        figures.append(embed(sheet, alt, caption, scale=scale, origin=origin))
    return figures


def _lay_over(tile: Pixels, spoke: npt.NDArray[np.floating]) -> Pixels:
    """Return the tile in grey under a map (S, S) of 0..1, uint8 (S, S, 3): bright spoke most."""
    shades = cv2.applyColorMap(np.round(255 * spoke).astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = cv2.cvtColor(cv2.cvtColor(_colour(tile), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    result: Pixels = cv2.addWeighted(grey, 0.45, cv2.cvtColor(shades, cv2.COLOR_BGR2RGB), 0.55, 0)
    return result


def _colour(tile: Pixels) -> Pixels:
    """Return a tile of one or three channels in RGB."""
    return np.repeat(tile, 3, axis=2) if tile.shape[2] == 1 else tile
