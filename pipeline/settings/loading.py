"""params.yaml read, and what is wrong with it told: the key, what was expected, what is there."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.augmentation.parsing import word_error
from pipeline.errors import DataError, nearest
from pipeline.settings.misread import refuse_misread
from pipeline.settings.params import Params
from pipeline.settings.sections import Section, Source

TYPES = {"int", "float", "str", "bool", "constrained-int", "constrained-float", "constrained-str"}

# PyYAML raises its own only where the form is wrong, not for a date such as 2001-99-99.
NOT_YAML = (
    yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError,
)  # fmt: skip


def load_params(path: Path) -> Params:
    """Read and check params.yaml; raises DataError with a line for each thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(path.name, root)
        refuse_misread(path.name, root)
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise DataError(
            f"There is no {path.name} in {path.parent}. Go to your project's folder, or make "
            "one with: prep init my-project --preset digits"
        ) from None
    except NOT_YAML as error:
        raise DataError(f"{path.name} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path.name} has to be a map of sections, as in: classes: [cat, dog]")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        places = list_source_places(path)
        raise DataError("\n".join(_explain(path.name, error, places))) from error
    except UnicodeEncodeError as error:  # YAML can spell half of a character
        raise DataError(f"{path.name} has a character that can't be written: {error}") from error


def tell_defaults(path: Path) -> Iterator[str]:
    """Yield a line for each section of a sound params.yaml with the keys that it does not have.

    Each comes with the default that holds for it.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, field in Params.model_fields.items():
        if not isinstance(field.default, BaseModel):
            continue
        defaults = field.default.model_dump(mode="json")
        missing = {
            key: value for key, value in defaults.items() if key not in content.get(section, {})
        }
        if missing:
            line = yaml.safe_dump(missing, default_flow_style=True, sort_keys=False, width=9999)
            yield f"{section}: {line.strip()}"


def list_source_places(path: Path) -> list[str]:
    """Return 'params.yaml, line 3: ' for each entry under `sources`, as far as they can be read."""
    try:
        lines = _find_source_lines(path.read_text(encoding="utf-8"))
    except (OSError, *NOT_YAML):
        return []
    return [f"{path.name}, line {line}: " for line in lines]


def write_source(source: Source, key: str, value: str) -> str:
    """Return the line of a source in params.yaml with one key set to a value."""
    content = source.model_dump(exclude_unset=True) | {key: value}
    line = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=10**9)
    return f"- {line.strip()}"


def _find_source_lines(text: str) -> list[int]:
    """Return the line, counted from 1, of each entry under `sources`."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "sources" and isinstance(value, yaml.SequenceNode):
            return [entry.start_mark.line + 1 for entry in value.value]
    return []


def _refuse_repeated_keys(name: str, root: yaml.Node | None) -> None:
    """Raise DataError for a key that stands twice in a map: of two PyYAML takes the last."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))  # an alias leads to the same node, or back
        if not isinstance(node, yaml.MappingNode):
            waiting.extend(node.value)
            continue
        keys = set()
        for key, value in node.value:
            if (key.tag, str(key.value)) in keys:
                line = key.start_mark.line + 1
                raise DataError(f"{name}, line {line}: the key '{key.value}' stands there twice")
            keys.add((key.tag, str(key.value)))
            waiting += [key, value]


def _explain(file: str, error: ValidationError, places: Sequence[str]) -> list[str]:
    """Return a sentence for each key that is wrong; `places` are those of the sources."""
    told: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for item in error.errors():
        # pydantic also says which of several allowed types it tried; that is no key of the file.
        keys = [part for part in item["loc"] if not str(part).endswith("]") and part not in TYPES]
        where = ".".join(map(str, keys))
        told.setdefault(where, []).append(_tell(item))  # several types are allowed, none fits
        found.setdefault(where, _tell_found(item))
    lines = {
        where: "; or ".join(dict.fromkeys(sentences)) + found[where]
        for where, sentences in told.items()
        # Of a map or list in which something is wrong, that something is told.
        if not any(other.startswith(f"{where}.") for other in told)
    }
    return [
        # The ops' own messages say where already.
        _find_place(where, places, file) + (line if line.startswith(where) else f"{where}: {line}")
        for where, line in lines.items()
    ]


def _find_place(where: str, places: Sequence[str], file: str) -> str:
    """Return the file, of a source also the line, as a message begins with it."""
    source = re.match(r"sources\.(\d+)", where)
    return places[int(source[1])] if source and int(source[1]) < len(places) else f"{file}: "


def _tell(item: Any) -> str:
    """Return what is wrong about one value."""
    if item["type"] in ("extra_forbidden", "invalid_key"):
        known = _known_keys(item["loc"][:-1])
        key = str(item["loc"][-1])
        hint = nearest(key, known) or f" Known keys: {', '.join(known)}."
        return f"there is no such key.{hint}"
    if item["type"] == "missing":
        return "it is missing"
    if item["type"] == "value_error":
        result: str = item["msg"].removeprefix("Value error, ")
        return result
    return f"it {word_error(item)}"


def _tell_found(item: Any) -> str:
    """Return what stands in the file instead, and what may be meant."""
    value = item["input"]
    if item["type"] in ("extra_forbidden", "invalid_key", "missing", "value_error", "too_short"):
        return ""
    if value is None:
        section = item["type"] == "model_type" and len(item["loc"]) == 1
        return " (found: nothing)." + (" Write {} for the defaults." if section else "")
    allowed = re.findall(r"'([^']+)'", item["msg"]) if item["type"] == "literal_error" else []
    hint = nearest(str(value), allowed)
    if item["type"] in ("int_type", "float_type") and isinstance(value, str):
        hint = _write_number(value)
    shown = repr(list(value) if isinstance(value, tuple) else value)
    return f" (found: {shown if len(shown) <= 60 else shown[:57] + '...'}).{hint}"


def _write_number(text: str) -> str:
    """Return how YAML wants a number that it took for text, as it does 1e-3; '' if it is none."""
    try:
        number = float(text)
    except ValueError:
        return ""
    whole = number.is_integer() and abs(number) < 1e15
    return f" Write {yaml.safe_dump(int(number) if whole else number).split()[0]}, without quotes."


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model = _find_section(Params.model_fields[str(location[0])].annotation) if location else Params
    return list(model.model_fields) if model else []


def _find_section(kind: Any) -> type[Section] | None:
    """Return the section that a field is, or holds in a list or by name."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    return next(filter(None, map(_find_section, get_args(kind))), None)
