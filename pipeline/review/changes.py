"""Corrections as the page sends them, believed only after a look."""

from collections.abc import Sequence

from pipeline.dataset.tables import LEFT_OUT
from pipeline.errors import DataError, shorten

MOST = 20_000  # tiles at once


def check_changes(sent: object, classes: Sequence[str]) -> dict[str, str]:
    """Return the labels that were sent, by id; raises DataError for what is none."""
    if not isinstance(sent, dict) or len(sent) > MOST:
        raise DataError("changes are labels by id, and not too many at once")
    known = {LEFT_OUT, *classes}
    for label in sent.values():
        if not isinstance(label, str) or label not in known:
            raise DataError(f"'{shorten(str(label))}' is not among the classes in params.yaml")
    return dict(sent)
