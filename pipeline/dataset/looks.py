"""scores/rounds.json: at which numbers of seeds a study was looked at, and what was said then.

It stands with the scores, so that the table can allow for the looks that were made.
"""

from itertools import pairwise
from typing import NotRequired

from typing_extensions import TypedDict

from pipeline.dataset.documents import read_document, write_document
from pipeline.errors import UnusableFileError
from pipeline.project import Project

FILE = "rounds.json"
START_ANEW = f"To start the study anew delete processed/scores/{FILE}"


class Said(TypedDict):
    """The tests of one line of the table that were rejected, as verdicts/families.py names them."""

    experiment: str
    label: str
    words: list[str]


class Look(TypedDict):
    """One look at the table, with so many seeds of what was still going on."""

    seeds: int
    said: list[Said]


class Looks(TypedDict):
    """All looks at a study, by the digest of what its first runs were trained on.

    `seeds`: how many each experiment has in the end; `ended`: settled, rounds or minutes;
    `earlier`: how many looks were made before, when experiments, pictures or settings were others.
    """

    inputs: str
    rounds: list[int]
    margin: float  # points
    questions: list[list[str]]  # experiment and class
    looks: list[Look]
    seeds: dict[str, int]
    ended: str
    earlier: NotRequired[int]


def read_looks(project: Project) -> Looks | None:
    """Return what is recorded of a study in rounds, None where there is none."""
    path = project.output("scores", FILE)
    if not path.exists():
        return None
    looks = read_document(project.require(path, START_ANEW), Looks, START_ANEW)
    rounds, made = looks["rounds"], [look["seeds"] for look in looks["looks"]]
    rise = all(0 < one < other for one, other in pairwise([*rounds, max(rounds, default=0) + 1]))
    if not rounds or not rise or made != rounds[: len(made)] or min(looks["seeds"].values()) < 1:
        raise UnusableFileError(
            path, "is damaged: its looks are not those of its rounds", START_ANEW
        )
    return looks


def write_looks(project: Project, looks: Looks) -> None:
    """Write the record, whole."""
    write_document(project.output("scores", FILE), looks)


def gather_said(look: Look) -> dict[tuple[str, str], frozenset[str]]:
    """Return what was said at a look, by experiment and class (or all)."""
    return {(one["experiment"], one["label"]): frozenset(one["words"]) for one in look["said"]}
