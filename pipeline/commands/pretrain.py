"""prep pretrain: other labelled tiles -> models/pretrained.keras, to begin `train.init` with."""

from pathlib import Path

import numpy as np

from pipeline.atomic import whole_file
from pipeline.augmentation.recipes import SEEDS
from pipeline.console import progress
from pipeline.errors import DataError
from pipeline.intake.outside import Outside, read_outside
from pipeline.network import asking, building, fitting, saving
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.sections import Train
from pipeline.training.models import build_model
from pipeline.training.schedule import Schedule

VALIDATION = 0.1  # of the training tiles: it chooses the checkpoint


def pretrain(
    project: Project, params: Params, source: Path, steps: int | None, seed: int, out: Path | None
) -> str:
    """Train the project's model on other tiles and say how it does on their test set."""
    target = out or project.root / "models" / "pretrained.keras"
    _check_options(target, seed)
    size = (params.tile.size, params.tile.size, params.tile.channels)
    tiles, test = (read_outside(source, part) for part in ("train", "test"))
    if tiles.images.shape[1:] != size:
        raise DataError(f"{source} has tiles of {tiles.images.shape[1:]}, the project of {size}")
    changes = {"init": None, "freeze": 0, "steps": steps or params.train.steps}
    settings = params.train.model_copy(update=changes)
    model = build_model(project.root, settings, size, len(tiles.classes))[0]
    building.restart(model, seed)
    history = _train_on(model, tiles, settings, seed)
    if history.failed_step is not None:
        raise DataError(f"the loss stopped being a number at step {history.failed_step}")
    with whole_file(target) as part:
        saving.save(model, part)
    accuracy = asking.measure(model, test.images, test.labels)[1]
    return (
        f"{target} (now set train.init to it) from {len(tiles.labels):,} tiles in "
        f"{settings.steps:,} steps; it has {100 * accuracy:.2f} % of {len(test.labels):,} test "
        "tiles right"
    )


def _check_options(target: Path, seed: int) -> None:
    """Raise DataError for a file that `train.init` would refuse, or a seed that is too large."""
    if target.suffix != ".keras":
        raise DataError(f"--out {target}: give a .keras file, as in models/pretrained.keras")
    if seed >= SEEDS:
        raise DataError(f"--seed {seed} is too large: it should be less than {SEEDS}")


def _train_on(model: object, tiles: Outside, settings: Train, seed: int) -> fitting.History:
    """Train on all tiles but a tenth, drawn by the seed, which chooses the checkpoint."""
    shuffled = np.random.default_rng(seed).permutation(len(tiles.labels))
    held, used = np.split(shuffled, [int(VALIDATION * len(shuffled))])
    order = Schedule(seed, len(used), 0, settings.steps, settings.batch_size)
    with progress("pretraining", settings.steps) as advance:
        return fitting.fit(
            model,
            lambda step: (tiles.images[used[order[step]]], tiles.labels[used[order[step]]]),
            steps=settings.steps,
            validate_every=settings.validate_every,
            validation=(tiles.images[held], tiles.labels[held]) if len(held) else None,
            on_step=lambda _: advance(),
            keep=settings.keep,
        )
