"""The catalogue: a row a scan, pure work on those rows (dicts of text, as tables.py reads them).

`status` is `ok`, `duplicate` (the same bytes are used already), `quarantined` (with `reason`) or
`left out` (raw/labels.csv says so). A row whose label raw/labels.csv changed has one column more,
`found`: the label that its folder, name or table gives.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from pipeline.dataset.tables import Row
from pipeline.errors import DataError, count_things, nearest, shorten
from pipeline.intake.class_names import write_names
from pipeline.intake.labels import LABELS, Override, refuse_contradictions
from pipeline.intake.names import LEFT_OUT, compose_name
from pipeline.subjects.boxes import scan_id
from pipeline.subjects.layouts import LAYOUTS

_MOST_CLASSES, _LONGEST_CLASS = 1000, 100  # that a message lists


def name_of(row: Row) -> str:
    """Return how a person would name the row's picture: its file, member and page."""
    member = f" > {row['member']}" if row.get("member") else ""
    page = f" page {int(row['page']) + 1}" if row.get("page", "0") != "0" else ""
    return f"{row['source']}{member}{page}"


def path_of(row: Row) -> str:
    """Return the path of the row's file as raw/labels.csv names it, into an archive if need be."""
    return f"{row['source']}/{row['member']}" if row["member"] else row["source"]


def scan_id_of(row: Row) -> str:
    """Return the id of the row's scan."""
    return scan_id(row["sha256"], int(row["page"]))


def overlay_name(row: Row) -> str:
    """Return a file name for the row's scan with its boxes drawn; it starts like the scan's own."""
    return f"{PurePosixPath(row['member'] or row['source']).stem}-{scan_id_of(row)}.jpg"


def apply_overrides(rows: Sequence[Row], overrides: Sequence[Override]) -> None:
    """Set label and group where raw/labels.csv says so; its lines with an id or row are the boxes'.

    A line about a file in an archive goes before one about the archive. Raises DataError for a
    source that no scan has, with the nearest one, and for lines that contradict each other.
    """
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
        if row["member"]:
            by_source[f"{row['source']}/{row['member']}"].append(row)
    names: dict[str, list[str]] = defaultdict(list)
    for source in by_source:
        names[compose_name(source)].append(source)
    found = [(_find_source(override, by_source, names), override) for override in overrides]
    whole = [(source, override) for source, override in found if override.is_whole]
    refuse_contradictions([(f"source '{shorten(source)}'", override) for source, override in whole])
    for source, override in sorted(whole, key=lambda pair: -len(by_source[pair[0]])):
        for row in by_source[source]:
            _apply(row, override)


def _find_source(
    override: Override, by_source: Mapping[str, object], names: Mapping[str, Sequence[str]]
) -> str:
    """Return the source in the catalogue that a line names; two may differ in accents' encoding."""
    source = override.source
    where = f"{LABELS}: line {override.line}"
    same = [source] if source in by_source else names.get(compose_name(source), [])
    if len(same) > 1:
        raise DataError(
            f"{where}: {len(same)} files are called '{source}'; they differ only in how a letter "
            "with an accent is encoded. Rename one of them"
        )
    if same:
        return same[0]
    if any(name.startswith(f"{compose_name(source)}/") for name in names):
        raise DataError(f"{where}: '{source}' is a folder; name each of its files")
    meant = [
        name for name in by_source if source.endswith(f"/{name}") or name.endswith(f"/{source}")
    ]
    hint = nearest(meant[0] if meant else source, by_source)
    if source.startswith("/") or source[1:2] == ":":
        hint = f" Paths begin at the project's folder, as in raw/photos/1.jpg.{hint}"
    raise DataError(f"{where}: no scan is '{source}'.{hint}")


def _apply(row: Row, override: Override) -> None:
    """Let a scan be what a line says of it."""
    row["group"] = override.group or row["group"]
    if override.label == LEFT_OUT and row["status"] == "ok":
        row["status"], row["reason"] = "left out", f"as {LABELS} wants it"
    elif override.label not in ("", LEFT_OUT):
        first = row.pop("found", "") or row["label"]
        row["label"] = override.label
        if first not in ("", override.label):
            row["found"] = first


def check_labels(
    rows: Sequence[Row], classes: Sequence[str], remedies: Mapping[str, str] | None = None
) -> None:
    """Raise DataError for the first label that is no class, with the nearest one.

    Of an array it says all labels that are there, and the line for params.yaml.
    remedies: what to do about such labels, where that is known.
    """
    known = set(classes)
    for row in rows:
        if row["label"] and row["label"] not in known and row["status"] != "left out":
            if _is_of_array(row):
                raise DataError(_explain_labels(row, rows))
            usual = "Rename the folder or label, or add the class."
            raise DataError(
                f"{name_of(row)}: '{shorten(row['label'])}' is not among the classes in "
                "params.yaml."
                f"{nearest(row['label'], classes)} {(remedies or {}).get(row['label'], usual)}"
            )


def _is_of_array(row: Row) -> bool:
    return row.get("layout") in LAYOUTS and LAYOUTS[row["layout"]].is_array


def _explain_labels(strange: Row, rows: Iterable[Row]) -> str:
    """Return what labels the sets have, one of which is no class, and what to write."""
    labels = {row["label"] for row in rows if row["label"] and _is_of_array(row)}
    numbers = all(label.isdecimal() for label in labels)
    ordered = sorted(labels, key=int) if numbers else sorted(labels)
    has = (
        f"{path_of(strange)}: its label '{shorten(strange['label'])}' is not among the classes in "
        f"params.yaml. It has {count_things(len(labels), 'label')}"
    )
    if len(ordered) > _MOST_CLASSES or max(map(len, ordered)) > _LONGEST_CLASS:
        return f"{has}, more or longer ones than classes have: is that what it should be read by?"
    return f"{has}; to use all of them, write there\n  classes: {write_names(ordered)}"


def settle_duplicates(rows: Iterable[Row]) -> None:
    """Mark all but the first of the same bytes as duplicates; quarantine them if labels differ.

    One with a label comes before one without, and of these a picture of a test set as given, then
    one of a validation set: it stays, and the others leave the training set.
    """
    first = {"test": 0, "val": 1}
    same: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok":
            same[row["sha256"], row["page"]].append(row)
    for found in same.values():
        copies = sorted(found, key=lambda row: (not row["label"], first.get(row["split"], 2)))
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
