"""Names that say a part (train, test, val): of folders, tables and arrays of others."""

from functools import lru_cache

from pipeline.intake.names import split_words

_PART_OF = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "t10k": "test",
}  # fmt: skip
# What may stand beside such a word: training_set, test-images, seg_train, trainset.
_COMPANY = {"set", "data", "dataset", "image", "images", "imgs", "photos", "pictures", "seg"}


@lru_cache(maxsize=4096)
def read_part(name: str) -> str:
    """Return the part that a folder, a table or a field names: train, val or test; '' for none.

    Capitals do not count. Nothing else may be said: a folder test_batch may be one of a class.
    """
    words = [word for word in split_words(name) if word not in {*_COMPANY, "/"}]
    return _find_part(words) if len(words) == 1 else ""


def read_part_of_path(path: str) -> str:
    """Return the part that a word of a file's name says, else one of its folders; '' for none."""
    return _find_part(split_words(path.rpartition("/")[2])) or _find_part(split_words(path))


def _find_part(words: list[str]) -> str:
    """Return the one part that words say; '' for none or several."""
    said = {_PART_OF.get(word.removesuffix("set")) or _PART_OF.get(word, "") for word in words}
    said.discard("")
    return said.pop() if len(said) == 1 else ""
