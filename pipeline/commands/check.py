"""prep check: is the project what it says it is?"""

from pipeline.checks.leaks import find_leaks
from pipeline.errors import DataError
from pipeline.project import Project
from pipeline.settings.params import Params


def check_lineage(project: Project, params: Params) -> str:
    """Prove that nothing crosses the split; raises DataError naming what does."""
    leaks = find_leaks(project, params)
    if leaks:
        raise DataError("\n".join(["the split leaks:", *leaks]))
    return "no tile, group, picture or variant's parent crosses the split"
