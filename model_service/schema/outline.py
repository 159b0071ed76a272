"""A JSON Schema as rows that a person can read: one per field, each with its path, type, rules and choices.

It is a summary for the page about a model, not a second validator: what has no words here
is said to be in the schema itself, so that no rule is silently lost. References are
followed, and stop where a schema comes back to itself. It draws nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from model_service.records import Schema
from model_service.schema.contract import resolve_reference

#: Nobody reads more, and definitions that refer to each other could unfold without end.
MAX_ROWS = 300
MAX_DEPTH = 8
MAX_CHOICES = 50

_PLAIN_NAME = re.compile(r"[\w-]+")
_REFERENCES = ("$ref", "$dynamicRef")
#: Keywords that decide, but whose meaning does not fit into a few words.
_UNTOLD = ("not", "if", "contains", "dependentRequired", "dependentSchemas", "propertyNames", "unevaluatedItems")
_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field that has few.

    Attributes:
        value: As JSON.
        title: What it means; empty when the schema does not say.
    """

    value: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class OutlineRow:
    """One field of a payload or an output.

    Attributes:
        path: Dotted, such as ``interval.lower`` or ``points[].x``; empty for the whole document.
        depth: Fields of the document itself have 1.
        note: What the row stands for when it is no plain field, such as ``each entry``.
        kind: JSON types in words, such as ``number or null``.
        rules: Such as ``0 to 25``; each a few words.
        default: As JSON, or ``None`` without one.
        unit: Such as ``cm``.
    """

    path: str
    depth: int
    note: str = ""
    is_required: bool = False
    title: str = ""
    description: str = ""
    kind: str = ""
    rules: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    default: str | None = None
    unit: str = ""


def build_outline(schema: Schema) -> tuple[OutlineRow, ...]:
    """Return the rows of a schema that the contract accepts; the first is the document itself."""
    rows = _outline(schema, _Place(schema, OutlineRow("", 0), {"#": ""}))
    return tuple(islice(rows, MAX_ROWS))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a subschema stands.

    Attributes:
        root: The schema that references are resolved in.
        row: What is known of the row before the subschema is read.
        opened: The path at which each reference above was followed first.
    """

    root: Schema
    row: OutlineRow
    opened: Mapping[str, str]

    def below(self, path: str, *, note: str = "", is_required: bool = False) -> "_Place":
        row = OutlineRow(path, self.row.depth + 1, note, is_required)
        return replace(self, row=row)


def _outline(schema: Any, place: _Place) -> Iterator[OutlineRow]:
    node, place = _resolve(schema, place)
    rules = [*_find_rules(node)]
    choices = _find_choices(node)
    if len(choices) > MAX_CHOICES:
        rules.append(f"and {len(choices) - MAX_CHOICES} more choices")
    children = [*_find_children(node, place)]
    if children and place.row.depth >= MAX_DEPTH:
        rules.append("more inside: see the JSON Schema")
        children = []
    yield replace(
        place.row,
        title=_text(node.get("title")),
        description=_text(node.get("description")),
        kind=_kind(node, choices),
        rules=tuple(rules),
        choices=tuple(Choice(_json(value), title) for value, title in choices[:MAX_CHOICES]),
        default=_json(node["default"]) if "default" in node else None,
        unit=_text(node.get("unit")),
    )
    for child, below in children:
        yield from _outline(child, below)


def _resolve(schema: Any, place: _Place) -> tuple[dict[str, Any], _Place]:
    """Return a subschema with what it refers to and combines, as one object, and the place with what was followed."""
    node = {"type": "nothing"} if schema is False else _object(schema)
    for keyword in _REFERENCES:
        reference = node.get(keyword)
        if not isinstance(reference, str):
            continue
        rest = {key: value for key, value in node.items() if key != keyword}
        if reference in place.opened:
            same = place.opened[reference] or "the whole document"
            row = replace(place.row, note=f"{place.row.note}, built like {same}".removeprefix(", "))
            return {"type": "object", **rest}, replace(place, row=row)
        place = replace(place, opened={**place.opened, reference: place.row.path})
        target, place = _resolve(_find(place.root, reference), place)
        node = _merge(target, rest)
    for part in _list(node.get("allOf")):
        combined, place = _resolve(part, place)
        node = _merge({key: value for key, value in node.items() if key != "allOf"}, combined)
    for keyword in ("anyOf", "oneOf"):
        alternatives = _list(node.get(keyword))
        others = [one for one in alternatives if _object(one).get("type") != "null"]
        if len(alternatives) == 2 and len(others) == 1:  # a value that may be null
            inner, opened = _resolve(others[0], place)
            if types := _types(inner):
                rest = {key: value for key, value in node.items() if key != keyword}
                node, place = _merge(inner, {**rest, "type": [*types, "null"]}), opened
    return node, place


def _find(root: Schema, reference: str) -> Any:
    node: Any = root
    for part in resolve_reference(root, reference) or []:
        node = node[part]
    return node


def _merge(node: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = {**node, **other}
    if "properties" in node and "properties" in other:
        merged["properties"] = {**_object(node["properties"]), **_object(other["properties"])}
    if "required" in node and "required" in other:
        merged["required"] = [*_list(node["required"]), *_list(other["required"])]
    return merged


def _find_children(node: dict[str, Any], place: _Place) -> Iterator[tuple[Any, _Place]]:
    path = place.row.path
    required = _list(node.get("required"))
    for name, child in _object(node.get("properties")).items():
        yield child, place.below(_join(path, name), is_required=name in required)
    for pattern, child in _object(node.get("patternProperties")).items():
        yield child, place.below(_join(path, "*"), note=f"each field whose name matches {pattern}")
    if _object(node.get("additionalProperties")):
        yield node["additionalProperties"], place.below(_join(path, "*"), note="each other field")
    first = _list(node.get("prefixItems"))
    for number, child in enumerate(first):
        yield child, place.below(f"{path}[{number}]", note=f"entry {number + 1}")
    if _object(node.get("items")):
        yield node["items"], place.below(f"{path}[]", note="each further entry" if first else "each entry")
    for keyword, word in (("anyOf", "option"), ("oneOf", "alternative")):
        alternatives = _list(node.get(keyword))
        if not _constants(alternatives):
            for number, child in enumerate(alternatives, start=1):
                yield child, place.below(path, note=f"{word} {number} of {len(alternatives)}")


def _join(path: str, name: str) -> str:
    if name != "*" and not _PLAIN_NAME.fullmatch(name):
        return f"{path}[{_json(name)}]"
    return f"{path}.{name}" if path else name


def _find_rules(node: dict[str, Any]) -> Iterator[str]:
    if "const" in node:
        yield f"always {_json(node['const'])}"
    yield from _range(node)
    if _is_number(step := node.get("multipleOf")):
        yield f"a multiple of {step:,}"
    for ends, noun in (("Length", "character"), ("Items", "entr"), ("Properties", "field")):
        yield from _size(node.get(f"min{ends}"), node.get(f"max{ends}"), noun)
    if node.get("uniqueItems") is True:
        yield "entries that differ from each other"
    if isinstance(name := node.get("format"), str):
        yield f"format {name}"
    if isinstance(pattern := node.get("pattern"), str):
        # The author's own sentence says it to people; a pattern says it to programs.
        yield _text(_object(node.get("x-error-messages")).get("pattern")) or f"matches {pattern}"
    if False in (node.get("additionalProperties"), node.get("unevaluatedProperties")):
        yield "no other fields"
    if node.get("items") is False:
        yield "no further entries"
    yield from (
        word for key, word in (("readOnly", "read only"), ("deprecated", "deprecated")) if node.get(key) is True
    )
    if untold := [keyword for keyword in _UNTOLD if keyword in node]:
        yield f"more rules in the JSON Schema ({', '.join(untold)})"


def _range(node: dict[str, Any]) -> Iterator[str]:
    low, high = node.get("minimum"), node.get("maximum")
    if _is_number(low) and _is_number(high):
        yield f"{low:,} to {high:,}"
        low = high = None
    words = ("above", node.get("exclusiveMinimum")), ("at least", low), ("below", node.get("exclusiveMaximum"))
    said = [f"{word} {bound:,}" for word, bound in (*words, ("at most", high)) if _is_number(bound)]
    if said:
        yield ", ".join(said)


def _size(least: Any, most: Any, noun: str) -> Iterator[str]:
    one, many = ("entry", "entries") if noun == "entr" else (noun, f"{noun}s")
    if _is_number(least) and _is_number(most):
        bounds = f"exactly {most:,}" if least == most else f"{least:,} to {most:,}"
    elif _is_number(least) and least:
        bounds, most = f"at least {least:,}", least
    elif _is_number(most):
        bounds = f"at most {most:,}"
    else:
        return
    yield f"{bounds} {one if most == 1 else many}"


def _find_choices(node: dict[str, Any]) -> list[tuple[Any, str]]:
    if "enum" in node:
        return [(value, "") for value in _list(node["enum"])]
    return _constants(_list(node.get("oneOf"))) or _constants(_list(node.get("anyOf")))


def _constants(alternatives: list[Any]) -> list[tuple[Any, str]]:
    """Return each value with its title; empty when an alternative is not one value. Null has a type of its own."""
    nodes = [_object(one) for one in alternatives]
    if not all("const" in node or node.get("type") == "null" for node in nodes):
        return []
    return [(node.get("const"), _text(node.get("title")) or _text(node.get("description"))) for node in nodes]


def _kind(node: dict[str, Any], choices: list[tuple[Any, str]]) -> str:
    if types := _types(node):
        return " or ".join(types)
    values = [node["const"]] if "const" in node else [value for value, _ in choices]
    if values:
        return " or ".join(dict.fromkeys(_TYPES.get(type(value), "null") for value in values))
    if "properties" in node:
        return "object"
    return "see below" if _list(node.get("oneOf")) or _list(node.get("anyOf")) else "any value"


def _types(node: dict[str, Any]) -> list[str]:
    types = node.get("type", [])
    return [name for name in ([types] if isinstance(types, str) else _list(types)) if isinstance(name, str)]


# A reference may lead to a place that no rule of JSON Schema keeps in form.


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
