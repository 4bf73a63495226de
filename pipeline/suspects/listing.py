"""The suspects of a project, found in tiles.h5."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.console import track
from pipeline.dataset.content import digest_pictures
from pipeline.dataset.reading import open_tiles
from pipeline.dataset.store import DatasetFile
from pipeline.errors import DataError, count_things
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.suspects.appearance import learn_appearance
from pipeline.suspects.dividing import FOLDS, LEVELS, Folds, divide
from pipeline.suspects.judging import Judged, judge_out_of_fold
from pipeline.suspects.oddities import (
    find_contradictions,
    find_empty,
    find_outliers,
    measure_contrast,
)
from pipeline.suspects.table import Suspect, Suspects

_TRUSTED = 0.9  # share read as labelled: of cats and dogs 0.76, and one suspect in seven is wrong
SHOWN = 5  # classes that a sentence names
_SAMPLE = 1500  # tiles that the description is learnt from
_WINDOW = 512  # tiles in memory at once

Integers = npt.NDArray[np.integer]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class _Seen:
    """What is known of the labelled tiles (N,), their pixels no longer in memory."""

    ids: Texts
    writers: Texts
    labels: Integers
    looks: npt.NDArray[np.float32]  # (N, D)
    oddness: npt.NDArray[np.floating]
    contrast: npt.NDArray[np.floating]
    same: npt.NDArray[np.intp]  # a number for each picture


def list_suspects(project: Project, params: Params) -> Suspects:
    """Find the suspects among the labelled tiles; raises DataError where there is nothing to judge.

    It takes some seconds for 2,000 tiles, under a progress bar; nothing is written.
    """
    with open_tiles(project, params.classes) as tiles:
        labels = tiles.labels
        rows = np.flatnonzero(labels >= 0)
        _refuse_too_few(labels, params.classes)
        seen = _look_at(tiles, rows)
    folds = divide(seen.ids, seen.writers, seen.labels, seen.same)
    judged = judge_out_of_fold(seen.looks, seen.labels, folds.of_tile, len(params.classes))
    return Suspects(
        tiles=project.digest(project.input("tiles.h5")),
        how=_tell_how(judged, folds, len(labels) - len(rows), params.classes),
        found=tuple(_list_all(seen, judged, params.classes)),
    )


# --- Looking at the tiles -------------------------------------------------------------------


def _refuse_too_few(labels: Integers, classes: Sequence[str]) -> None:
    """Raise DataError where labels can't be judged by other ones."""
    counts = Counter(classes[number] for number in labels[labels >= 0])
    total = sum(counts.values())
    if not total:
        raise DataError(
            f"none of the {len(labels):,} tiles in processed/tiles.h5 has a label, so none can be "
            "wrong: put their pictures into folders named after the classes, or list them in "
            "raw/labels.csv"
        )
    if len(counts) == 1:
        raise DataError(
            f"all {total:,} labelled tiles are of class '{next(iter(counts))}': a wrong label "
            "shows only where there is another class to read it as. Add pictures of a second class"
        )
    if total < FOLDS:
        raise DataError(
            f"only {count_things(total, 'tile')} with a label: to judge each by the others takes "
            f"{FOLDS} or more. Add pictures, or give labels in raw/labels.csv"
        )


def _look_at(tiles: DatasetFile, rows: Integers) -> _Seen:
    """Describe tiles, some in memory at a time."""
    sample = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows)), dtype=int)]
    appearance = learn_appearance(tiles.read_images(sample))
    looks, oddness, contrast, digests = [], [], [], []
    windows = [rows[start : start + _WINDOW] for start in range(0, len(rows), _WINDOW)]
    for window in track(windows, "looking at tiles"):
        images = tiles.read_images(window)
        described = appearance.describe(images)
        looks.append(described.seen)
        oddness.append(described.oddness)
        contrast.append(measure_contrast(images))
        digests.append(digest_pictures([images]))
    same = np.unique(np.concatenate(digests), axis=0, return_inverse=True)[1].ravel()
    return _Seen(
        ids=tiles.ids[rows],
        writers=tiles.groups[rows],
        labels=tiles.labels[rows].astype(int),
        looks=np.concatenate(looks),
        oddness=np.concatenate(oddness),
        contrast=np.concatenate(contrast),
        same=same,
    )


# --- What is said of them -------------------------------------------------------------------


def _list_all(seen: _Seen, judged: Judged, classes: Sequence[str]) -> Iterator[Suspect]:
    """Yield the suspects of every kind; a tile may be of several."""
    empty = find_empty(seen.contrast)
    usual = float(np.median(seen.contrast))
    odd = [row for row in find_outliers(seen.oddness) if row not in set(empty.tolist())]
    reasons = {
        "label": [(row, _say_misread(judged, row, classes)) for row in judged.rank()],
        "duplicate": list(_say_twins(seen, classes)),
        "outlier": [(row, "looks like no other tile, of any class") for row in odd],
        "empty": [(row, _say_empty(seen.contrast[row] / usual)) for row in empty],
    }
    for kind, found in reasons.items():
        for rank, (row, why) in enumerate(found, start=1):
            yield Suspect(
                kind=kind,
                rank=rank,
                id=str(seen.ids[row]),
                label=classes[seen.labels[row]],
                read_as=classes[judged.read_as[row]],
                probability=float(judged.probabilities[row].max()),
                self_confidence=float(judged.self_confidence[row]),
                why=why,
            )


def _say_misread(judged: Judged, row: int, classes: Sequence[str]) -> str:
    read_as, label = judged.read_as[row], judged.labels[row]
    share = write_share(judged.probabilities[row, read_as])
    return f"read as {classes[read_as]}, {share}; labelled {classes[label]}"


def write_share(share: float) -> str:
    """Return a probability as people read it: '98 %'; what is not sure is never 100 %."""
    return f"{min(100 * share, 99):.0f} %"


def _say_twins(seen: _Seen, classes: Sequence[str]) -> Iterator[tuple[int, str]]:
    for pair in find_contradictions(seen.looks, seen.labels):
        same = seen.same[pair.one] == seen.same[pair.other]
        words = "is the same picture as" if same else "looks almost like"
        for row, twin in ((pair.one, pair.other), (pair.other, pair.one)):
            yield row, f"{words} {seen.ids[twin]}, labelled {classes[seen.labels[twin]]}"


def _say_empty(share: float) -> str:
    return f"all but empty: its contrast is {100 * share:.0f} % of the usual"


def _tell_how(judged: Judged, folds: Folds, left: int, classes: Sequence[str]) -> str:
    """Return in words how many errors are likely, and how the tiles were judged."""
    likely = count_things(int(judged.find_likely().sum()), "likely label error")
    agreed = float((judged.read_as == judged.labels).mean())
    parts = [
        f"{likely} among {len(judged.labels):,} tiles, {100 * agreed:.1f} % of which are read as "
        "they are labelled",
        "so few that most suspects will be labelled right" if agreed < _TRUSTED else "",
        *_tell_whole(judged, folds, classes),
        *_tell_alone(judged, folds, classes),
        f"{left:,} without a label, or left out, were not judged" if left else "",
    ]
    return "; ".join(filter(None, parts))


def _tell_whole(judged: Judged, folds: Folds, classes: Sequence[str]) -> Iterator[str]:
    """Yield what was judged as a whole of which classes; nothing of pictures on their own."""
    for level in LEVELS:
        of_level = [label for label, own in folds.level_of.items() if own == level]
        rows = np.isin(judged.labels, of_level)
        if not of_level or (level != "tile" and len(set(folds.groups[rows])) == rows.sum()):
            continue
        why = ", for one or two pages have them all" if level == "tile" else ""
        names = [classes[label] for label in of_level]
        every = len(names) == len(folds.level_of)
        yield f"judged {level} by {level}{why}" + ("" if every else f": {_name(names)}")


def _tell_alone(judged: Judged, folds: Folds, classes: Sequence[str]) -> Iterator[str]:
    """Yield which classes could not be judged, for all of their tiles are in one fold."""
    alone = [
        classes[label]
        for label in folds.level_of
        if len(set(folds.of_tile[judged.labels == label])) == 1
    ]
    if alone:
        yield f"too few tiles to judge {_name(alone)}"


def _name(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
