"""Reading ops: an entry of the `augment` section becomes an Op, or a sentence to its author.

An entry is a map as YAML gives it, such as `{transform: rotate, degrees: [-15, 15], copies: 2}`;
without `transform` the op's name says it, and a list of transforms makes steps in turn. What is
wrong is a ValueError that names the key from `augment` on.
"""

import inspect
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from pydantic import ValidationError

from pipeline.augmentation.recipes import (
    TRANSFORMS,
    Albumentation,
    Op,
    Step,
    load_albumentations,
)
from pipeline.errors import nearest

# What pydantic calls an error, and what a value should be, told to a person.
_PLAIN_WORDS = {
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "string_type": "should be text (put it in quotes)",
    "tuple_type": "should be a list, as in [one, two]",
    "dict_type": "should be a map, as in {name: settings}",
    "model_type": "should be a map, as in {key: value}",
}

# The keys of an op's entry that are not its transform's.
OP_KEYS = ("transform", "copies", "seed")


def parse_op(name: str, spec: Mapping[str, object] | None) -> Op:
    """Read one entry of the `augment` section.

    Args:
        name: the op's name, also its transform where the entry names none.
        spec: transform, copies and the transform's settings, as YAML gives them.

    Raises:
        ValueError: the entry is wrong; the message tells its author which key and why.
    """
    where = f"augment.{name}"
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ValueError(f"{where}: an op's name is made of letters, digits, - and _.")
    settings = _read_settings(where, spec)
    transform = settings.pop("transform", name)
    own = {key: settings.pop(key) for key in OP_KEYS if key in settings}
    if isinstance(transform, list | tuple) and transform:
        _refuse_unknown(where, settings, OP_KEYS, "an op with a list of transforms")
        steps = tuple(_parse_entry(where, entry) for entry in transform)
    elif isinstance(transform, str):
        steps = (_parse_step(where, transform, settings, reserved=OP_KEYS),)
    else:
        raise ValueError(f"{where}.transform should be a name or a list, got {transform!r}.")
    op: Op = _construct(where, Op, {"name": name, "steps": steps, **own})
    return op


def _parse_entry(where: str, entry: object) -> Step:
    """Read one step of a list: a bare name, or a name with its settings."""
    if isinstance(entry, Mapping) and len(entry) == 1 and isinstance(next(iter(entry)), str):
        [(transform, spec)] = entry.items()
    elif isinstance(entry, str):
        transform, spec = entry, None
    else:
        raise ValueError(
            f"{where}.transform: each step is a name or {{name: settings}}, got {entry!r}."
        )
    where = f"{where}.{transform}"
    return _parse_step(where, transform, _read_settings(where, spec))


def _parse_step(
    where: str, transform: str, settings: dict[str, object], reserved: Sequence[str] = ()
) -> Step:
    """Read one transform with its settings; `reserved` are further keys it may be told of."""
    if transform in TRANSFORMS:
        known = [field.name for field in fields(TRANSFORMS[transform])]
        _refuse_unknown(where, settings, [*known, *reserved], transform)
        step: Step = _construct(where, TRANSFORMS[transform], settings)
        return step
    classes = load_albumentations()
    if transform not in classes:
        raise ValueError(
            f"{where}: there is no transform '{transform}'."
            f"{nearest(transform, [*classes, *TRANSFORMS])} There are {', '.join(TRANSFORMS)} "
            "and the classes of albumentations."
        )
    known = list(inspect.signature(classes[transform].__init__).parameters)[1:]
    _refuse_unknown(where, settings, [*known, *reserved], transform)
    return _check_albumentation(where, transform, {"p": 1.0, **settings})


def _check_albumentation(where: str, transform: str, arguments: dict[str, Any]) -> Albumentation:
    """Return the step if albumentations takes the arguments and needs nothing but an image."""
    for key, value in arguments.items():
        if not _is_finite(value):
            raise ValueError(f"{where}.{key} should be finite, got {value!r}.")
    step = Albumentation(transform=transform, arguments=arguments)
    try:
        built = step.build()
    except (ValueError, TypeError) as error:
        if isinstance(error.__cause__, ValidationError):
            raise ValueError(_explain(where, error.__cause__)) from error
        raise ValueError(f"{where}: {error}") from error
    if needed := sorted({*built.targets_as_params} - {"image"}):
        raise ValueError(f"{where}: {transform} needs more than an image: {', '.join(needed)}.")
    return step


def _is_finite(value: object) -> bool:
    """Return whether no number in a setting is infinite or none; albumentations takes such."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _read_settings(where: str, spec: object) -> dict[str, object]:
    if spec is None:
        return {}
    if not isinstance(spec, Mapping):
        raise ValueError(f"{where} should be settings, as in {{copies: 2}}, got {spec!r}.")
    return dict(spec)


def _refuse_unknown(
    where: str, settings: Iterable[object], known: Sequence[str], transform: str
) -> None:
    for key in settings:
        if key not in known:
            raise ValueError(
                f"{where}.{key} is unknown.{nearest(str(key), known)} "
                f"The settings of {transform} are {', '.join(known) or 'none'}."
            )


def _construct(where: str, kind: type[Any], settings: Mapping[str, object]) -> Any:
    try:
        return kind(**settings)
    except ValidationError as error:
        raise ValueError(_explain(where, error)) from error


def word_error(error: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors in plain words, to stand behind a key."""
    if error["type"] == "too_short":
        least, found = error["ctx"]["min_length"], error["ctx"]["actual_length"]
        return f"needs {least} or more entries and has {found or 'none'}"
    # pydantic calls the value Input, Value or Tuple; here the key stands in its place.
    message = _PLAIN_WORDS.get(error["type"], error["msg"])
    return re.sub(r"^(Value error, |Input |Value |Tuple )", "", message).rstrip(".")


def _explain(where: str, error: ValidationError) -> str:
    """Return the first complaint as a sentence about the user's own key and value."""
    first = error.errors()[0]
    key = ".".join([where, *map(str, first["loc"][:1])])
    if first["type"] == "missing":
        return f"{key} is missing."
    message = word_error(first)
    if not first["loc"]:
        return f"{where}: {message}."
    choices = re.findall(r"'(.+?)'", message) if first["type"] == "literal_error" else []
    return f"{key} {message}, got {first['input']!r}.{nearest(str(first['input']), choices)}"
