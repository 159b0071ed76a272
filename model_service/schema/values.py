"""Values of JSON: their types, their texts, which are the same, and the few that can be chosen."""

import json
from dataclasses import dataclass
from typing import Any

_TYPES_OF_VALUES = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of few; its title and description are empty where the schema has none."""

    value: Any
    title: str = ""
    description: str = ""

    @property
    def value_json(self) -> str:
        """The value as JSON text."""
        return write_json(self.value)

    @property
    def meaning(self) -> str:
        """What stands beside the value where there is room for one text."""
        return self.title or self.description

    @property
    def label(self) -> str:
        """The title; without one, the value as people say it."""
        if self.title:
            return self.title
        if isinstance(self.value, str):
            return self.value or "(empty text)"
        words = {"true": "Yes", "false": "No", "null": "Unknown"}
        return words.get(self.value_json, self.value_json)


def write_json(value: Any) -> str:
    """Return a value as JSON text for people: on one line, in its own letters."""
    return json.dumps(value, ensure_ascii=False)


def find_type(value: Any) -> str:
    """Return the JSON type of a value; any number is a ``number``."""
    return _TYPES_OF_VALUES.get(type(value), "null")


def narrow_types(types: list[str], others: list[str]) -> list[str]:
    """Return the types that two lists have in common; every integer is a number."""
    found = [
        "integer" if name == "number" and "number" not in others else name
        for name in types
        if name in others or (name in ("integer", "number") and {"integer", "number"} & {*others})
    ]
    return list(dict.fromkeys(name for name in found if not (name == "integer" and "number" in found)))


def is_same(one: Any, other: Any) -> bool:
    """Whether JSON takes two values for the same; Python takes 1 for true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[name], other[name]) for name in one)
    return find_type(one) == find_type(other) and bool(one == other)


def write_canonical(value: Any) -> str:
    """Return a text that two values share only if JSON takes them for the same: 1 and 1.0 do, 1 and true do not.

    To be looked up among others: Python hashes texts with a secret, so that nobody can choose values that collide.
    """
    if isinstance(value, list):
        return f"[{','.join(map(write_canonical, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(sorted(map(_write_member, value.items())))}}}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def _write_member(member: tuple[str, Any]) -> str:
    return f"{json.dumps(member[0])}:{write_canonical(member[1])}"


def is_of_types(value: Any, types: list[str]) -> bool:
    """Whether a value has one of some JSON types."""
    is_integer = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    name = find_type(value)
    return name in types or (name == "number" and is_integer and "integer" in types)
