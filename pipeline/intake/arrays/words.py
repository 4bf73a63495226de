"""What the name of a file or an array says: pictures or labels, of which set, of which part."""

import re
from typing import Literal

from pipeline.intake.names import compose_name
from pipeline.intake.parts import PART_OF

Kind = Literal["images", "labels", "names", "groups", ""]
_WORDS: dict[Kind, str] = {
    "images": "images image img imgs pictures x features data inputs pixels patterns fea",
    "labels": "labels label y targets target lbl lbls gnd",
    "names": "classes names mapping classmap",
    "groups": "groups group writers writer",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_ABOUT = {"label", "labels", "class", "target", "targets"}  # before `names`
_FORMATS = ("npy", "npz", "csv", "tsv", "txt", "gz", "mat", "zip", "ubyte", "idx1", "idx3", "idx4")


def read_name(name: str) -> tuple[Kind, str]:
    """Return what a file's name says: its kind, and what it shares with its partners.

    `raw/mnist.npz/x_train.npy` gives ("images", "raw / mnist train"); the last word that
    says a kind counts, so that a folder `data` makes no pictures of labels.
    """
    words = _split_words(name)
    said = [place for place, word in enumerate(words) if word in _KINDS]
    kind: Kind = _KINDS[words[said[-1]]] if said else ""
    own = said[-1] if said else -1
    beside = {own - 1} if kind == "names" and own and words[own - 1] in _ABOUT else set()
    key = " ".join(w for place, w in enumerate(words) if place not in {own, *beside})
    return kind, key


def read_part(name: str) -> str:
    """Return the part that a name says, `train`, `val` or `test`; "" if it says none."""
    last = name.rpartition("/")[2]
    for words in (_split_words(last), _split_words(name)):
        said = {PART_OF[word] for word in words if word in PART_OF}
        if len(said) == 1:
            return said.pop()
    return ""


def _split_words(name: str) -> list[str]:
    """Return the words of a name, folders apart by a "/" of their own, without those of formats."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", compose_name(name)).lower()
    parted = re.sub(r"(?<![a-z])([xy])(?=train|test|val)", r"\1_", parted)
    return [word for word in re.findall(r"[^\W_]+|/", parted) if word not in _FORMATS]
