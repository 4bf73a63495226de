"""How many seeds each experiment of a study in rounds has, as far as it went."""

from pipeline.dataset.looks import read_looks
from pipeline.project import Project
from pipeline.settings.params import Params


def list_seeds(project: Project, params: Params, name: str) -> tuple[int, ...]:
    """Return the seeds that an experiment has, or will have first where there are none yet."""
    rounds = params.train.rounds
    if rounds is None or params.experiments[name].seeds is not None:
        return params.seeds_of(name)
    looks = read_looks(project)
    return tuple(range(looks["seeds"].get(name, rounds[0]) if looks else rounds[0]))
