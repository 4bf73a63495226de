"""prep check suspects: which labels are likely wrong, and which tiles are none."""

from pipeline.console import show
from pipeline.errors import count_things
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.suspects.listing import list_suspects, write_share
from pipeline.suspects.table import FILE, Suspect, write_suspects

_SHOWN = 10  # of a kind
_KINDS = {
    "label": "Read as another class, the least like their label first",
    "duplicate": "Look the same under two labels",
    "outlier": "Look like no other tile, the oddest first",
    "empty": "All but empty",
}


def check_suspects(project: Project, params: Params) -> str:
    """Print the first suspects of each kind, and write all into processed/suspects.csv."""
    suspects = list_suspects(project, params)
    for kind, title in _KINDS.items():
        found = suspects.of_kind(kind)
        if found:
            _show(f"{title} ({_count(found)})", found[:_SHOWN], with_reason=kind == "duplicate")
    write_suspects(project, suspects)
    if not suspects.found:
        return f"{suspects.how}; nothing suspicious, as processed/{FILE} says"
    return (
        f"{suspects.how}. All {len(suspects.found):,} suspects are in processed/{FILE}; look at "
        "them before you believe it, and mend them: prep review (or a line source,id,label in "
        "raw/labels.csv)"
    )


def _count(found: list[Suspect]) -> str:
    more = f", {_SHOWN} shown" if len(found) > _SHOWN else ""
    return f"{count_things(len(found), 'tile')}{more}"


def _show(title: str, found: list[Suspect], with_reason: bool) -> None:
    """Show a few suspects in a table of at most 80 columns, where ids and names are short."""
    columns = ["id", "labelled", "at", "read as", "at"]
    rows = [
        [
            one.id,
            one.label,
            write_share(one.self_confidence),
            one.read_as,
            write_share(one.probability),
        ]
        for one in found
    ]
    if with_reason:
        columns, rows = (
            ["id", "labelled", "why"],
            [[one.id, one.label, one.why] for one in found],
        )
    show(title, columns, rows)
