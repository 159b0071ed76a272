"""What every kind of type has in common on its way to a schema: names, objects, choices, refusals."""

import enum
import inspect
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from model_service.fields import optional
from model_service.records import Schema

#: JSON's own names of Python's types; a bool is no integer here, as in JSON.
_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string"}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def refuse(place: tuple[str, ...], reason: str) -> NoReturn:
    """Raise the error of a field, which it names by its way from the class: ``Flower.size.x``."""
    raise TypeError(f"{'.'.join(place)}: {reason}")


def write_record(kind: Any, properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    """Return a closed object under the name and with the docstring of a class."""
    words = _WORD.sub(" ", kind.__name__).replace("_", " ").strip()
    schema: Schema = {"type": "object", "title": words[:1].upper() + words[1:].lower()}
    if description := read_docstring(kind):
        schema["description"] = description
    # `required: []` says nothing, and old readers refuse it.
    needed = list(required)
    return {
        **schema,
        "properties": dict(properties),
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def read_docstring(kind: Any) -> str:
    """Return the first paragraph of a class's own docstring; a dataclass without one has its signature there."""
    text = vars(kind).get("__doc__") or ""
    if text.startswith(f"{kind.__name__}("):
        return ""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def write_choice(values: Iterable[Any], place: tuple[str, ...], titles: Iterable[str] = ()) -> Schema:
    """Return a schema of some values; null among them may be left out."""
    plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
    named = dict(zip(plain, titles, strict=False))
    listed = [value for value in plain if value is not None]
    types = list(dict.fromkeys(_SCALARS.get(type(value), "") for value in listed))
    if "" in types or not types:
        refuse(place, "its values must be texts, numbers, true or false")
    schema: Schema = {"type": types[0] if len(types) == 1 else types}
    if named and all(named.get(value) for value in listed):
        schema["oneOf"] = [{"const": value, "title": named[value]} for value in listed]
    else:
        schema["enum"] = listed
    return optional(schema) if None in plain else schema


def write_default(value: Any, place: tuple[str, ...]) -> Schema:
    """Return the keyword that a form starts with; null says nothing."""
    value = value.value if isinstance(value, enum.Enum) else value
    if value is None:
        return {}
    if not _is_plain(value):
        refuse(place, f"its default is a {type(value).__name__}, which JSON does not have; give another one, or none")
    return {"default": value}


def allows_null(schema: Schema) -> bool:
    """Whether null is among what a schema accepts."""
    # A schema that may be null is what `optional` leaves as it is.
    return optional(schema) is schema


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(type(key) is str and _is_plain(part) for key, part in value.items())
    return value is None or (type(value) in _SCALARS and (type(value) is not float or math.isfinite(value)))
