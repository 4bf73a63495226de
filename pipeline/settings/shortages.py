"""Why a class is too small to be divided, by the lines of params.yaml, and what helps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.dataset.splits import Shortage, TooSmallError
from pipeline.intake.grouping import Rule
from pipeline.settings.params import Params


@dataclass(frozen=True)
class Origin:
    """Where the tiles of a class come from, and the test set."""

    all_groups: int  # of its tiles, before any were left out to balance them
    groups: int  # of the balanced ones, were none tied because they look the same
    only_trained: bool  # all are of sources with split: train
    test_given: bool  # some source has split: test
    val_given: bool = False  # some source has split: val
    writer: str = ""  # of all tiles, where they have but one
    cure: Rule | None = None  # a split.group by which they can be divided


def explain_shortage(
    params: Params, short: Shortage, counts: Mapping[str, int], origin: Origin
) -> str:
    """Return what a class has, what it needs and for what, why, and what to do.

    counts: how many tiles of each class there are before any are left out to balance them.
    """
    if short.tiles < counts[short.label] and short.parts:
        if origin.all_groups >= short.parts or counts[short.label] < short.parts:
            return _blame_balance(params, short, counts)
        tiles = counts[short.label]
        short = replace(short, tiles=tiles, free=tiles, groups=origin.all_groups)
    if origin.writer and (origin.cure or short.groups == 1):
        return _tell_lone_writer(origin, sum(counts.values()))
    if short.missing == "test" and not params.split.test and not origin.test_given:
        return "params.yaml: split.test is 0, so nothing would be tested; give a share, as in 0.2"
    if not short.parts:
        return f"{TooSmallError(short)}. {_advise_missing(params, short, origin)}"
    others = [
        f"'{name}' ({counts[name]:,})"
        for name in params.classes
        if name != short.label and counts[name] < short.parts
    ]
    also = f" So are {', '.join(others)}." if others else ""
    purpose, advice = _say_purpose(params, short), _advise(params, short, origin)
    return f"{TooSmallError(short)}, {purpose}.{also} {advice}"


def _tell_lone_writer(origin: Origin, tiles: int) -> str:
    """Return why the tiles of one writer, or one group that somebody gave, are not divided."""
    if origin.cure:
        return (
            f"all {tiles:,} tiles are by one writer ({origin.writer}), and what one writer wrote "
            f"is not divided. Add forms of others; or set split.group: {origin.cure} in "
            "params.yaml: then scores hold for this hand only"
        )
    return (
        f"all {tiles:,} tiles are in one group ({origin.writer}), which raw/labels.csv gives them, "
        "and a group is not divided. Add pictures of others; or take that group out of "
        "raw/labels.csv: then scores hold for this hand only"
    )


def _blame_balance(params: Params, short: Shortage, counts: Mapping[str, int]) -> str:
    """Return the same where a class was large enough before it was balanced."""
    to, purpose = params.balance.to, _say_purpose(params, short)
    smallest = min(params.classes, key=lambda name: counts[name])
    if to == "smallest" and counts[smallest] < short.parts:
        few = counts[smallest]
        return (
            f"{TooSmallError(Shortage(smallest, few, few, few, short.parts))}, {purpose}; "
            "balance.to: smallest leaves no more of any other class. Add pictures of "
            f"'{smallest}', or take it out of classes in params.yaml."
        )
    kept = f"balance.to: {to} keeps {short.tiles:,} of the {counts[short.label]:,} tiles of class "
    lead = f"{TooSmallError(short)}, {purpose}; {kept}'{short.label}'"
    if to == "smallest":
        more = f"as many as there are of '{smallest}'. Add pictures of '{smallest}'"
        return f"{lead}, {more}, or set balance.method: none in params.yaml."
    return f"{lead}. Raise it, or set balance.method: none in params.yaml."


def _say_purpose(params: Params, short: Shortage) -> str:
    """Return for what as many are needed."""
    if params.split.folds > 1:
        return f"for {params.split.folds} folds"
    validates = params.split.val and "validation" not in short.given
    uses = ["train", *(["validate"] if validates else []), "test"][: short.parts]
    each = f"one each to {', '.join(uses[:-1])} and {uses[-1]}"
    return each if len(uses) > 1 else f"to {uses[0]}"


def _advise(params: Params, short: Shortage, origin: Origin) -> str:
    """Return what helps a class that has too few tiles, or comes from too few groups."""
    advice, drop = f"Add pictures of '{short.label}'", "take it out of classes in params.yaml"
    if short.free < short.tiles:
        named = [f"split: {part}" for part in ("test", "val") if part in short.given]
        advice += f" to sources without {' or '.join(named)}"
    elif short.groups < short.free and origin.groups >= short.parts:
        advice = "Tiles that look the same stay together: add others"
    elif short.groups < short.free:
        advice += " from others"
        if origin.cure:
            drop = f"take it out of classes, or set split.group: {origin.cure} in params.yaml"
    lower = f", set split.folds: {short.groups}" if 3 <= short.groups < params.split.folds else ""
    return f"{advice}{lower}, or {drop}."


def _advise_missing(params: Params, short: Shortage, origin: Origin) -> str:
    """Return what helps a class of which a part has nothing, though there is enough of it."""
    add = f"Add pictures of '{short.label}'"
    for part, name, given in (
        ("test", "test", origin.test_given),
        ("val", "validation", origin.val_given),
    ):
        if short.missing == part and given:
            return f"The {name} set is as given (split: {part} in sources). {add} to it."
    if short.missing == "test" and origin.only_trained:
        return (
            "All come from sources with split: train, which are never tested. "
            f"{add} to others, or take that out of sources."
        )
    return (
        f"{add}, take it out of classes, or change split.test, split.val or split.group in "
        "params.yaml."
    )
