"""The catalogue: a row a scan, pure work on those rows (dicts of text, as tables.py reads them).

`status` is `ok`, `duplicate` (the same bytes are used already) or `quarantined` (with `reason`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from pipeline.dataset.tables import Row
from pipeline.errors import DataError, nearest
from pipeline.subjects.boxes import scan_id


def name_of(row: Row) -> str:
    """Return how a person would name the row's picture: its file, member and page."""
    member = f" > {row['member']}" if row.get("member") else ""
    page = f" page {int(row['page']) + 1}" if row.get("page", "0") != "0" else ""
    return f"{row['source']}{member}{page}"


def scan_id_of(row: Row) -> str:
    """Return the id of the row's scan."""
    return scan_id(row["sha256"], int(row["page"]))


def overlay_name(row: Row) -> str:
    """Return a file name for the row's scan with its boxes drawn; it starts like the scan's own."""
    return f"{PurePosixPath(row['member'] or row['source']).stem}-{scan_id_of(row)}.jpg"


def apply_overrides(rows: Sequence[Row], overrides: Iterable[Row]) -> None:
    """Set label and group where raw/labels.csv says so; rows of it with an id are the boxes'.

    Raises DataError for a source that no scan has, with the nearest one.
    """
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
        if row["member"]:
            by_source[f"{row['source']}/{row['member']}"].append(row)
    for override in overrides:
        source = override["source"]
        if source not in by_source:
            raise DataError(f"raw/labels.csv: no scan is '{source}'.{nearest(source, by_source)}")
        if override.get("id"):
            continue
        for row in by_source[source]:
            row["label"] = override.get("label") or row["label"]
            row["group"] = override.get("group") or row["group"]


def check_labels(rows: Iterable[Row], classes: Sequence[str]) -> None:
    """Raise DataError for the first label that is no class, with the nearest one."""
    for row in rows:
        if row["label"] and row["label"] not in classes:
            raise DataError(
                f"{name_of(row)}: '{row['label']}' is not among the classes in params.yaml."
                f"{nearest(row['label'], classes)} Rename the folder or label, or add the class."
            )


def settle_duplicates(rows: Iterable[Row]) -> None:
    """Mark all but the first of the same bytes as duplicates; quarantine them if labels differ.

    One with a label comes before one without, and of these a picture of a test set as given: it
    stays, and the others leave the training set.
    """
    same: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok":
            same[row["sha256"], row["page"]].append(row)
    for found in same.values():
        copies = sorted(found, key=lambda row: (not row["label"], row["split"] != "test"))
        if len({row["label"] for row in copies if row["label"]}) > 1:
            _quarantine_conflict(copies)
        for row in copies[1:]:
            if row["status"] == "ok":
                row["status"], row["reason"] = "duplicate", f"same as {name_of(copies[0])}"


def _quarantine_conflict(copies: Sequence[Row]) -> None:
    labels = ", ".join(f"'{row['label']}' ({name_of(row)})" for row in copies if row["label"])
    for row in copies:
        row["status"] = "quarantined"
        row["reason"] = f"the same picture under different labels: {labels}"
