"""What the name of a file, an array or a column says: pictures or labels, and of which set."""

import re
from collections.abc import Sequence
from typing import Literal

from pipeline.intake.columns import GROUPS, LABELS_OF_ARRAYS, find_column
from pipeline.intake.names import split_words

Kind = Literal["images", "labels", "names", "groups", ""]
_WORDS: dict[Kind, str] = {
    "images": "images image img imgs pictures x features data inputs pixels patterns fea",
    "labels": "labels label y targets target lbl lbls gnd",
    "names": "classes names mapping classmap",
    "groups": " ".join(GROUPS),
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_ABOUT = {"label", "labels", "class", "target", "targets"}  # before `names`
_FORMATS = {"npy", "npz", "csv", "tsv", "txt", "gz", "mat", "zip", "parquet", "pq"}
_FORMATS |= {"idx1", "idx3", "idx4", "ubyte"}
# The end of MNIST's own names: -idx3-ubyte, .idx1-short.gz
_IDX = re.compile(
    r"[\W_](idx[1-8]([\W_](ubyte|byte|short|int|float|double))?|ubyte)(?=(\.gz)?$)",
    re.IGNORECASE,
)


def read_name(name: str) -> tuple[Kind, str]:
    """Return what a file's name says: its kind, and what it shares with its partners.

    `raw/mnist.npz/x_train.npy` gives ("images", "raw / mnist train"); the last word that
    says a kind counts, so that a folder `data` makes no pictures of labels.
    """
    words = [word for word in split_words(_IDX.sub("", name)) if word not in _FORMATS]
    said = [place for place, word in enumerate(words) if word in _KINDS]
    kind: Kind = _KINDS[words[said[-1]]] if said else ""
    own = said[-1] if said else -1
    beside = {own - 1} if kind == "names" and own and words[own - 1] in _ABOUT else set()
    key = " ".join(w for place, w in enumerate(words) if place not in {own, *beside})
    return kind, key


def is_idx_name(name: str) -> bool:
    """Return whether a file is called like one of MNIST's own format."""
    return _IDX.search(name) is not None


def find_said(names: Sequence[str], kind: Literal["labels", "groups"]) -> int:
    """Return the place of the column that says labels or groups, the finest; -1 where none does."""
    found = find_column(names, GROUPS if kind == "groups" else LABELS_OF_ARRAYS)
    said = [place for place, name in enumerate(names) if read_name(name)[0] == kind]
    fine = sorted(said, key=lambda place: names[place].startswith("coarse"))
    return found if found >= 0 or not fine else fine[0]
