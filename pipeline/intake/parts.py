"""Names that say a part (train, test, val): of folders, tables and arrays of others."""

import re
from functools import lru_cache

PART_OF = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "t10k": "test",
}  # fmt: skip
# What may stand beside such a word: training_set, test-images, seg_train, trainset.
_COMPANY = {"set", "data", "dataset", "image", "images", "imgs", "photos", "pictures", "seg"}


@lru_cache(maxsize=4096)
def read_part(name: str) -> str:
    """Return the part that a folder, a table or a field names: train, val or test; '' for none.

    Capitals do not count.
    """
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word]
    words = [re.sub("set$", "", word) or word for word in words if word not in _COMPANY]
    return PART_OF.get(words[0], "") if len(words) == 1 else ""
