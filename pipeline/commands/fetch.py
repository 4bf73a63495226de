"""prep fetch: a well-known set of pictures -> raw/NAME/NAME.npz."""

import filecmp

import numpy as np

from pipeline.atomic import whole_file
from pipeline.console import say
from pipeline.errors import DataError, nearest
from pipeline.intake.class_names import write_names
from pipeline.network.fetching import SETS, load_set
from pipeline.project import Project
from pipeline.settings.params import Params

_NOT_FETCHED = {
    "cifar100": "keras.datasets does not say what its classes are called",
    **dict.fromkeys(("imdb", "reuters"), "it holds texts, not pictures"),
    **dict.fromkeys(
        ("boston_housing", "california_housing"), "it holds prices of houses, not pictures"
    ),
}


def fetch(project: Project, params: Params, name: str) -> str:
    """Write a set into raw/ and print what params.yaml has to say of it."""
    wanted = name.lower().replace("-", "_")
    if wanted not in SETS:
        why = _NOT_FETCHED.get(wanted)
        because = f": {why}." if why else f".{nearest(wanted, SETS)}"
        raise DataError(f"'{name}' is not fetched{because} Known: {', '.join(SETS)}")
    target = project.root / "raw" / wanted / f"{wanted}.npz"
    arrays = load_set(wanted)
    classes = SETS[wanted].classes
    was_there = target.exists()
    with whole_file(target) as part:
        np.savez(part, **(arrays | {"class_names": np.array(classes)}))  # type: ignore[arg-type]
        if was_there and not filecmp.cmp(part, target, shallow=False):
            raise DataError(
                f"{project.relative(target)} is there already, with other content: it is kept. "
                "Move it away, and run this again"
            )
    say(_write_lines(wanted, arrays["x_train"].shape))
    sizes = f"{len(arrays['x_train']):,} training and {len(arrays['x_test']):,} test pictures"
    state = "was there already, the same" if was_there else "written"
    return f"{project.relative(target)} {state}: {sizes}"


def _write_lines(name: str, shape: tuple[int, ...]) -> str:
    """Return what to paste into params.yaml."""
    channels = shape[3] if len(shape) > 3 else 1
    method = "mnist" if name == "mnist" else "photo"
    return (
        "For params.yaml, in the place of what it has of these:\n"
        "sources:\n"
        f"  - {{path: raw/{name}, layout: array}}\n"
        f"classes: {write_names(SETS[name].classes)}\n"
        f"tile: {{size: {shape[1]}, channels: {channels}, method: {method}}}"
    )
