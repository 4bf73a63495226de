"""Lineage: does anything that a model trains on come back in what it is tested on?

Every check returns sentences that name the offenders; no sentence means no leak. `parts` maps a
tile's id to 'train', 'val' or 'test' of one fold.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

SHOWN = 3  # offenders that a sentence names


def find_torn(parts: Iterable[tuple[str, str]], what: str) -> Iterator[str]:
    """Yield a sentence for the things that stand in more than one part.

    `parts` are (thing, part) pairs, where a thing is an id, a group or a picture's digest.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for thing, part in parts:
        found[thing].add(part)
    torn = sorted(thing for thing, where in found.items() if len(where) > 1)
    if torn:
        first = " and ".join(sorted(found[torn[0]]))
        yield f"{_count(torn, what)} on both sides of the split ({first}): {_name(torn)}"


def find_same_pictures(digests: Mapping[str, str], parts: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for tiles with the same pixels in different parts, named by their ids."""
    ids: dict[str, list[str]] = defaultdict(list)
    for tile_id in parts:
        ids[digests[tile_id]].append(tile_id)
    for same in ids.values():
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
