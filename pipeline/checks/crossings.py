"""Lineage: does anything that a model trains on come back in what it is tested on?

Every check returns sentences that name the offenders; no sentence means no leak. `parts` maps a
tile's id to 'train', 'val' or 'test' of one fold.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping

SHOWN = 3  # offenders that a sentence names


def find_torn(parts: Iterable[tuple[str, str]], what: str) -> Iterator[str]:
    """Yield a sentence for the things that stand in more than one part.

    `parts` are (thing, part) pairs, where a thing is an id, a group or a picture's digest.
    """
    first: dict[str, str] = {}
    found: dict[str, set[str]] = {}  # of the torn ones only: there may be millions of others
    for thing, part in parts:
        if first.setdefault(thing, part) != part:
            found.setdefault(thing, {first[thing]}).add(part)
    torn = sorted(found)
    if torn:
        where = " and ".join(sorted(found[torn[0]]))
        yield f"{_count(torn, what)} on both sides of the split ({where}): {_name(torn)}"


def find_same_pictures(digests: Mapping[str, Hashable], parts: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for tiles with the same pixels in different parts, named by their ids."""
    first: dict[Hashable, str] = {}
    twins: dict[Hashable, list[str]] = {}
    for tile_id in parts:
        one = first.setdefault(digests[tile_id], tile_id)
        if one != tile_id:
            twins.setdefault(digests[tile_id], [one]).append(tile_id)
    for same in twins.values():
        if len({parts[tile_id] for tile_id in same}) > 1:
            where = ", ".join(f"{tile_id} ({parts[tile_id]})" for tile_id in sorted(same))
            yield f"the same picture on both sides of the split: {where}"


def find_strangers(parents: Iterable[str], trained: set[str], file: str) -> Iterator[str]:
    """Yield a sentence for the parents of a file's variants that no run trains on."""
    strangers = sorted({parent for parent in parents if parent not in trained})
    if strangers:
        yield f"{file} has variants of {_count(strangers, 'tile')} outside the training set: " + (
            _name(strangers)
        )


def _count(things: list[str], what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"


def _name(things: list[str]) -> str:
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return ", ".join(things[:SHOWN]) + more
