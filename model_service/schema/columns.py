"""Flat texts by field name to typed payloads: for the command line, and for files of rows.

Only the top level of a schema has columns. A text becomes what the field's type says;
a text that does not fit stays a text, so that validation, not this module, explains.
"""

import json
from collections.abc import Mapping
from typing import Any

from model_service.records import Payload, Schema
from model_service.schema.contract import resolve_reference


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
        path = resolve_reference(schema, field["$ref"]) or []
        field, seen = schema, seen + 1
        for part in path:
            field = field[part]
    if not isinstance(field, dict):
        return frozenset()
    if "type" in field:
        types = field["type"]
        return frozenset([types] if isinstance(types, str) else types)
    choices = [field["const"]] if "const" in field else field.get("enum", [])
    alternatives = [_types(schema, child) for key in ("anyOf", "oneOf") for child in field.get(key, [])]
    return frozenset(_type_of(choice) for choice in choices).union(*alternatives)


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")
