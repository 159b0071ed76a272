"""Flat texts by field name to typed payloads: for the command line, and for files of rows.

Only the top level of a schema has columns. A text becomes what the field's type says;
a text that does not fit stays a text, so that validation, not this module, explains.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_service.records import Payload, Schema
from model_service.schema.node import Node, read_node
from model_service.schema.values import find_type, narrow_types, write_json

#: Alternatives inside alternatives are looked into this far: they may come back to themselves.
_MAX_DEPTH = 4


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
    document = read_node(schema)
    return [
        Column(
            name=name,
            title=field.text("title") or name,
            description=field.text("description"),
            types=tuple(sorted(find_types(field))),
            is_required=name in document.required,
            example=_example(document, name, field),
        )
        for name, field in document.fields().items()
    ]


def parse_columns(schema: Schema, texts: Mapping[str, str]) -> Payload:
    """Return the payload that texts by field name stand for.

    An empty text is null where the field may be null, and otherwise an empty string.
    Arrays and objects are written as JSON.
    """
    fields = read_node(schema).fields()
    return {name: _parse(find_types(fields[name]) if name in fields else [], text) for name, text in texts.items()}


def _parse(types: list[str], text: str) -> Any:
    if text == "" and "null" in types:
        return None
    if "string" in types or not types:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def find_types(node: Node, depth: int = 0) -> list[str]:
    """Return the JSON types that a field may have; empty when the schema does not say."""
    lists = [node.types] if node.types is not None else []
    if not lists and (choices := node.choices):
        lists.append([find_type(choice.value) for choice in choices])
    if not lists and depth < _MAX_DEPTH:
        for alternatives in node.alternatives():
            found = [name for branch in alternatives.branches for name in find_types(branch, depth + 1)]
            lists += [found] if found else []
    types = lists[0] if lists else node.likely_types
    for others in lists:
        types = narrow_types(types, others)
    return types


def _example(document: Node, name: str, field: Node) -> str:
    payloads = [example for example in document.get("examples", ()) if isinstance(example, dict)]
    values = [*(payload.get(name) for payload in payloads), *field.get("examples", ())]
    value = next((value for value in values if value is not None), "")
    return value if isinstance(value, str) else write_json(value)
