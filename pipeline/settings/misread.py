"""Names in params.yaml that YAML takes for something else: 010 for 8, no for false, ~ for nothing.

Nobody sees that in the file, so a name that is not read as it is written is refused. A whole number
that is written in the one usual way may be a class: 7 is '7'.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.errors import DataError, count_things

# Where names and other texts stand; `*` is any key, and what is in a list holds for each entry.
_TEXT = "text"
_PLACES: dict[str, Any] = {
    "sources": [dict.fromkeys(("path", "layout", "split", "labels"), _TEXT)],
    "classes": [_TEXT],
    "augment": {"*": {"transform": _TEXT}},
    "experiments": {"*": {"ops": [_TEXT], "classes": ([_TEXT], {"*": [_TEXT]}), "control": _TEXT}},
    "train": {"model": _TEXT, "init": _TEXT},
    "compare": {"questions": [{"experiment": _TEXT, "class": _TEXT}]},
    "report": {"title": _TEXT, "reference": _TEXT},
}
_MOST_TOLD = 10

# PyYAML reads YAML 1.1; DVC reads 1.2, to which these are numbers too, and finds no op by them.
_NUMBER_TO_DVC = re.compile(r"[-+]?(0o[0-7]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)")

# The key as it stands in the file, what stands there, and what it is read as.
Told = tuple[str, yaml.ScalarNode, str]


def refuse_misread(file: str, root: yaml.Node | None) -> None:
    """Raise DataError with a line for each name in a composed params.yaml that is misread."""
    lines = [
        f"{file}: {place} (line {node.start_mark.line + 1}): {node.value} is read as {meaning}; "
        # A class that begins with a dot would be a hidden file.
        f"put it in quotes, as in '{re.sub(r'^[.](?=[0-9])', '0.', node.value)}'"
        for place, node, meaning in [*_tell_texts(root, _PLACES, ""), *_tell_keys(root)]
    ]
    if lines:
        more = len(lines) - _MOST_TOLD
        rest = [f"{file}: {count_things(more, 'name')} more like that"] if more > 0 else []
        raise DataError("\n".join([*lines[:_MOST_TOLD], *rest]))


def _tell_texts(node: yaml.Node | None, wanted: Any, place: str) -> Iterator[Told]:
    """Yield what is misread where texts are wanted."""
    if isinstance(wanted, tuple):  # either of them
        for one in wanted:
            yield from _tell_texts(node, one, place)
    elif isinstance(wanted, list) and isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            # A key without a value has its default; a list has no entries without one.
            if wanted == [_TEXT] and entry.tag.endswith(":null") and entry.value:
                yield place, entry, "nothing"
            yield from _tell_texts(entry, wanted[0], place)
    elif isinstance(wanted, dict) and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = wanted.get("*", wanted.get(key.value))
            yield from _tell_texts(value, below, f"{place}.{key.value}".lstrip("."))
    elif wanted is _TEXT and isinstance(node, yaml.ScalarNode):
        meaning = _find_meaning(node)
        if meaning and meaning != f"the number {node.value}":
            yield place, node, meaning


def _tell_keys(root: yaml.Node | None) -> Iterator[Told]:
    """Yield the keys of maps that are misread, by prep or by DVC."""
    waiting, seen = [(root, "")], set()
    while waiting:
        node, place = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))  # an alias leads to the same node, or back
        if isinstance(node, yaml.SequenceNode):
            waiting += [(entry, place) for entry in node.value]
            continue
        for key, value in node.value:
            waiting.append((value, f"{place}.{key.value}".lstrip(".")))
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            meaning = "nothing" if key.tag.endswith(":null") else _find_meaning(key)
            if not meaning and key.style is None and _NUMBER_TO_DVC.fullmatch(key.value):
                meaning = "a number by DVC"
            if meaning and meaning != f"the number {key.value}":
                yield place or "the sections", key, meaning


def _find_meaning(node: yaml.ScalarNode) -> str:
    """Return what a scalar is taken for, "" for a text, or for nothing at all."""
    kind = node.tag.rpartition(":")[2]
    if kind in ("int", "float"):
        return f"the number {yaml.safe_load(node.value)}"
    named = {
        "timestamp": "a date",
        "value": "a sign of YAML's own",
        "merge": "a sign of YAML's own",
    }
    return f"{yaml.safe_load(node.value)}".lower() if kind == "bool" else named.get(kind, "")
