"""Section 5: why - what every network looked at in pictures that some of them got wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import FIRST_FOLD, read_part
from pipeline.network import asking, saving
from pipeline.project import Project
from pipeline.report.answers import choose_first
from pipeline.report.figures import Pixels, describe, embed
from pipeline.report.mistakes import find_changes
from pipeline.report.pictures import Pictures
from pipeline.settings.params import Params
from pipeline.verdicts.ablation import Arm, find_arm, share_seeds
from pipeline.verdicts.results import Ablation

_KINDS = 4  # times report.reasons pictures are looked into: repaired and broken ones, and others


@dataclass(frozen=True)
class Reasons:
    """Maps of one seed's networks; `gap` says why there are none."""

    gap: str = ""
    seed: int | None = None
    data: dict[str, object] | None = None


def show_reasons(
    project: Project, params: Params, ablation: Ablation, pictures: Pictures
) -> Reasons | None:
    """Return what decided each experiment's answer to some pictures; None where not asked for."""
    if not params.report.reasons:
        return None
    seeds = share_seeds(*ablation.arms)
    if not seeds:
        return Reasons("The experiments share no seed, so their networks can't be compared.")
    seed = seeds[0]
    tested = read_part(project.input("split.csv"), "test", FIRST_FOLD)
    turned = (p for p in _list_turned(ablation, seed) if ablation.ids[p] in tested)
    places = list(islice(dict.fromkeys(turned), _KINDS * params.report.reasons))
    if not places:
        return Reasons("No network got a picture wrong.")
    tiles = pictures.read(places)
    maps = {arm.name: _draw_maps(project, arm, seed, tiles, places) for arm in ablation.arms}
    if not any(maps.values()):
        return Reasons(
            "Only networks with convolutions, on TensorFlow, whose runs are still there can be "
            "asked what they looked at."
        )
    shown = [
        {"label": params.classes[ablation.labels[place]], **describe(figure)}
        for place, figure in zip(places, pictures.draw(places), strict=True)
    ]
    data: dict[str, object] = {
        "first": choose_first(ablation.arms),
        "pictures": shown,
        "arms": {
            arm.name: {
                "control": arm.control,
                "said": [params.classes[k] for k in arm.answers([seed])[0][places]],
                "maps": maps[arm.name],
            }
            for arm in ablation.arms
            if maps[arm.name]
        },
    }
    return Reasons("", seed, data)


def _list_turned(ablation: Ablation, seed: int) -> Iterator[int]:
    """Yield places that a seed's networks got wrong: first what experiments turned, in turn."""
    queues = [list(_list_of_arm(ablation, arm, seed)) for arm in ablation.arms]
    for rank in zip_longest(*queues):
        yield from (place for place in rank if place is not None)


def _list_of_arm(ablation: Ablation, arm: Arm, seed: int) -> Iterator[int]:
    """Yield what an experiment broke and repaired, by turns; without a control its mistakes."""
    control = find_arm(ablation.arms, arm.control)
    after = arm.answers([seed])
    if control is None:
        yield from np.flatnonzero(after[0] != ablation.labels).tolist()
        return
    changes = find_changes(ablation.labels, control.answers([seed]), after)
    for pair in zip_longest(changes.broken, changes.repaired):
        yield from (place for place in pair if place is not None)


def _draw_maps(
    project: Project, arm: Arm, seed: int, tiles: Pixels, places: list[int]
) -> list[str]:
    """Return for each tile what spoke for the network's answer, as a data: URI; [] for none."""
    path = project.run_folder(arm.name, 0, seed) / "model.keras"
    if not path.exists():
        return []
    said = arm.answers([seed])[0][places]
    spoke = asking.explain(saving.load(project.require(path)), tiles, said)
    if spoke is None:
        return []
    shown = (_lay_over(tile, one) for tile, one in zip(tiles, spoke, strict=True))
    return [embed(picture, "").source for picture in shown]


def _lay_over(tile: Pixels, spoke: npt.NDArray[np.floating]) -> Pixels:
    """Return the tile in grey under a map (S, S) of 0..1, uint8 (S, S, 3): bright spoke most."""
    shades = cv2.applyColorMap(np.round(255 * spoke).astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = cv2.cvtColor(cv2.cvtColor(_colour(tile), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    result: Pixels = cv2.addWeighted(grey, 0.45, cv2.cvtColor(shades, cv2.COLOR_BGR2RGB), 0.55, 0)
    return result


def _colour(tile: Pixels) -> Pixels:
    """Return a tile of one or three channels in RGB."""
    return np.repeat(tile, 3, axis=2) if tile.shape[2] == 1 else tile
