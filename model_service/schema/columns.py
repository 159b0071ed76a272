"""Flat texts by field name to typed payloads: for the command line, and for files of rows.

Only the top level of a schema has columns. A text becomes what the field's type says;
a text that does not fit stays a text, so that validation, not this module, explains.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_service.records import Payload, Schema
from model_service.schema.contract import resolve_reference


@dataclass(frozen=True, slots=True)
class Column:
    """One top-level field of a schema, as a column of a file.

    Attributes:
        name: Name of the field, and so of the column.
        title: The field's title; its name when it has none.
        description: The field's description, or nothing.
        types: JSON types that it may have, sorted; empty when the schema does not say.
        is_required: Whether a payload without it breaks the schema.
        example: A value, written as a cell; empty when the schema shows none.
    """

    name: str
    title: str
    description: str
    types: tuple[str, ...]
    is_required: bool
    example: str


def describe_columns(schema: Schema) -> list[Column]:
    """Return the columns of a file of payloads, in the schema's order.

    They say all that the browser needs to type a cell as `parse_columns` does.
    """
    required = schema.get("required", [])
    columns = []
    for name, field in schema.get("properties", {}).items():
        words = _words(schema, field)
        columns.append(
            Column(
                name=name,
                title=words.get("title", name),
                description=words.get("description", ""),
                types=tuple(sorted(_types(schema, field))),
                is_required=name in required,
                example=_example(schema, name, words),
            )
        )
    return columns


def parse_columns(schema: Schema, texts: Mapping[str, str]) -> Payload:
    """Return the payload that texts by field name stand for.

    An empty text is null where the field may be null, and otherwise an empty string.
    Arrays and objects are written as JSON.
    """
    properties = schema.get("properties", {})
    return {name: _parse(_types(schema, properties.get(name, {})), text) for name, text in texts.items()}


def _parse(types: frozenset[str], text: str) -> Any:
    if text == "" and "null" in types:
        return None
    if "string" in types or not types:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def _types(schema: Schema, field: Any) -> frozenset[str]:
    """Return the JSON types that a field may have; empty when the schema does not say."""
    seen = 0
    while isinstance(field, dict) and "$ref" in field and "type" not in field and seen < 10:
        field, seen = _follow(schema, field), seen + 1
    if not isinstance(field, dict):
        return frozenset()
    if "type" in field:
        types = field["type"]
        return frozenset([types] if isinstance(types, str) else types)
    choices = [field["const"]] if "const" in field else field.get("enum", [])
    alternatives = [_types(schema, child) for key in ("anyOf", "oneOf") for child in field.get(key, [])]
    return frozenset(_type_of(choice) for choice in choices).union(*alternatives)


def _follow(schema: Schema, field: dict[str, Any]) -> Any:
    """Return what the reference of a field points to."""
    target: Any = schema
    for part in resolve_reference(schema, field["$ref"]) or []:
        target = target[part]
    return target


def _words(schema: Schema, field: Any) -> dict[str, Any]:
    """Return the keywords of a field and, below its own, those of what it refers to."""
    words: dict[str, Any] = {}
    seen = 0
    while isinstance(field, dict) and seen < 10:
        words = {**field, **words}
        if "$ref" not in field:
            break
        field, seen = _follow(schema, field), seen + 1
    return words


def _example(schema: Schema, name: str, words: dict[str, Any]) -> str:
    payloads = [example for example in schema.get("examples", []) if isinstance(example, dict)]
    values = [payload.get(name) for payload in payloads] + list(words.get("examples", []))
    value = next((value for value in values if value is not None), "")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")
