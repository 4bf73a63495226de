"""Which files belong together: pictures, their labels, the names of these, and who wrote them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.errors import DataError
from pipeline.intake.arrays.words import read_name
from pipeline.intake.files import PictureFile

# Files of these may hold pictures and labels in one, or pictures that nobody has labelled.
_ALONE = {".npy", ".npz", ".csv", ".tsv", ".mat", ".parquet", ".pq"}


@dataclass(frozen=True)
class ArraySet:
    """A file of pictures and the files that go with it."""

    images: PictureFile
    labels: PictureFile | None = None
    names: PictureFile | None = None
    groups: PictureFile | None = None


def find_sets(files: Iterable[PictureFile]) -> list[ArraySet]:
    """Return each file of pictures with those of its labels, names and groups, in files' order.

    They are told by their names: `train-images-idx3-ubyte` goes with `train-labels-idx1-ubyte`,
    `x_train.npy` with `y_train.npy`; what no word tells holds pictures. Raises DataError for labels
    or groups without pictures, IDX pictures without labels, and two files of one name.
    """
    found: dict[str, dict[str, PictureFile]] = {}
    for file in files:
        kind, key = read_name(name_of(file))
        of_key = found.setdefault(key, {})
        if kind == "" and "" in of_key:
            key = name_of(file)  # no partner is looked for
            of_key = found.setdefault(key, {})
        other = of_key.setdefault(kind, file)
        if other is not file:
            is_same = file.member and file.source == other.source
            raise DataError(
                f"{name_of(other)} and {name_of(file)} are two files of the same {kind}: "
                + ("save it again with" if is_same else "keep in the source")
                + " one of them only"
            )
    sets = {file: (key, labels) for key, of_key in found.items() for file, labels in _pair(of_key)}
    names = {key: of_key["names"] for key, of_key in found.items() if "names" in of_key}
    groups = _deal_groups(found, [(file, key) for file, (key, _) in sets.items()])
    return [
        ArraySet(file, labels, _find_names(key, names), groups.get(file))
        for file, (key, labels) in sets.items()
    ]


def _pair(of_key: dict[str, PictureFile]) -> Iterable[tuple[PictureFile, PictureFile | None]]:
    """Yield the pictures of a name with their labels, and a file beside them that no word tells."""
    images, labels = of_key.get("images"), of_key.get("labels")
    plain = of_key.get("")
    if images is None and labels is not None:
        images, plain = plain, None  # mnist.npy and mnist_labels.npy
    if images is None and labels is not None:
        raise _without_partner(labels, "labels", "images")
    for file in (images, plain):
        if file is None:
            continue
        alone = labels is None or file is not images
        if alone and read_name(name_of(file))[0] and not _stands_alone(file):
            raise _without_partner(file, "images", "labels")
        yield file, None if alone else labels


def _deal_groups(
    found: dict[str, dict[str, PictureFile]], pictures: Sequence[tuple[PictureFile, str]]
) -> dict[PictureFile, PictureFile]:
    """Return the file of groups of each that has one; DataError for one that is no set's alone."""
    dealt: dict[PictureFile, PictureFile] = {}
    for key, groups in ((key, of_key.get("groups")) for key, of_key in found.items()):
        if groups is None:
            continue
        own = [file for file, other in pictures if other == key]
        wider = [file for file, other in pictures if {*key.split()} <= {*other.split()}]
        fitting = own[:1] or wider
        if len(fitting) != 1 or fitting[0] in dealt:
            told = " and ".join(name_of(file) for file, _ in pictures[:2]) or "there are none"
            raise DataError(
                f"{name_of(groups)}: which pictures it is about is not clear ({told}). Name it "
                "after its pictures, as in groups_train for x_train"
            )
        dealt[fitting[0]] = groups
    return dealt


def _find_names(key: str, names: dict[str, PictureFile]) -> PictureFile | None:
    """Return the file of names whose own words are all among a set's, the one with most of them."""
    words = set(key.split())
    fitting = [other for other in names if set(other.split()) <= words]
    return names[max(fitting, key=len)] if fitting else None


def _stands_alone(file: PictureFile) -> bool:
    return any(
        PurePosixPath(name.lower().removesuffix(".gz")).suffix in _ALONE
        for name in (file.source, file.member)
    )


def _without_partner(file: PictureFile, kind: str, missing: str) -> DataError:
    there = name_of(file)
    stem, found, _ = there.rpartition(kind)
    expected = f": {stem}{missing}... expected" if found else ""
    return DataError(f"{there} has no file of {missing} beside it{expected}")


def name_of(file: PictureFile) -> str:
    """Return a file's name as a message says it."""
    return f"{file.source}/{file.member}" if file.member else file.source
