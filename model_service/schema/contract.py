"""What makes a JSON Schema unfit for a model. It judges schemas, never payloads."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from model_service.records import Schema
from model_service.schema.validation import SchemaValidator, find_metaschema_faults, make_pointer
from model_service.schema.verdict import DIALECT

#: Keywords whose value is data, not a schema: a "$ref" inside is only a word.
DATA_KEYWORDS = frozenset({"const", "enum", "examples", "default", "x-error-messages"})
#: Keywords whose keys are names of fields or definitions, which may be spelt like keywords.
MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})


def find_schema_faults(schema: Any, name: str) -> list[str]:
    """Return what is wrong with a model's schema, each a sentence that starts with its name.

    A schema is fit when it is valid JSON Schema 2020-12, of ``type: object``, refers
    only to places inside itself that exist, and accepts its own examples.
    """
    if not isinstance(schema, dict):
        return [f"{name} must be a dict that holds a JSON Schema"]
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        return [f"{name} must be JSON Schema 2020-12; its $schema names another dialect"]
    if strangers := SchemaValidator({}).find_violations(schema):
        return [f"{name} is not JSON: '{fault.pointer or '/'}' {fault.message}" for fault in strangers]
    faults = [f"{name} is not valid JSON Schema 2020-12: {fault}" for fault in find_metaschema_faults(schema)]
    if faults:
        return faults
    if schema.get("type") != "object":
        faults.append(f"{name} must have type: object at its root")
    faults.extend(_find_reference_faults(schema, name))
    if faults:
        return faults  # examples cannot be judged by a schema with dangling references
    return [*faults, *_find_message_faults(schema, name), *_find_example_faults(schema, name)]


def walk_subschemas(schema: Schema) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Yield ``(path, object)`` for the schema and every object inside it that is neither data nor a map of schemas."""
    stack: list[tuple[list[Any], Any, bool]] = [([], schema, False)]
    while stack:
        path, node, is_map = stack.pop()
        if isinstance(node, dict) and is_map:
            stack.extend(([*path, key], node[key], False) for key in reversed(node))
        elif isinstance(node, dict):
            yield path, node
            inner = [key for key in reversed(node) if key not in DATA_KEYWORDS]
            stack.extend(([*path, key], node[key], key in MAPS_OF_SCHEMAS) for key in inner)
        elif isinstance(node, list):
            stack.extend(([*path, i], node[i], False) for i in reversed(range(len(node))))


def resolve_reference(schema: Schema, reference: str) -> list[Any] | None:
    """Return the path that a local ``$ref`` leads to; ``None`` when it leaves the schema or leads nowhere."""
    if not reference.startswith("#"):
        return None
    fragment = unquote(reference[1:])
    if fragment and not fragment.startswith("/"):
        anchors = ("$anchor", "$dynamicAnchor")
        return next((p for p, node in walk_subschemas(schema) if fragment in map(node.get, anchors)), None)
    path: list[Any] = []
    node: Any = schema
    for part in fragment.split("/")[1:]:
        key: Any = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            key = int(key)
        elif not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
        path.append(key)
    return path if isinstance(node, dict | bool) else None


def _find_reference_faults(schema: Schema, name: str) -> Iterator[str]:
    for path, node in walk_subschemas(schema):
        if path and "$id" in node:
            yield f"{name}{make_pointer(path)} must not have an $id, which would change what references mean"
        for keyword in ("$ref", "$dynamicRef"):
            reference = node.get(keyword)
            if isinstance(reference, str) and resolve_reference(schema, reference) is None:
                where = make_pointer([*path, keyword])
                yield f"{name}{where} must refer to a place inside the schema; '{reference}' does not"


def _find_message_faults(schema: Schema, name: str) -> Iterator[str]:
    for path, node in walk_subschemas(schema):
        messages = node.get("x-error-messages", {})
        where = f"{name}{make_pointer(path)}/x-error-messages"
        if not isinstance(messages, dict) or not all(isinstance(text, str) and text for text in messages.values()):
            yield f"{where} must map keywords to sentences"
        elif unknown := [keyword for keyword in messages if keyword not in node]:
            yield f"{where} speaks of {', '.join(unknown)}, which the subschema does not use"


def _find_example_faults(schema: Schema, name: str) -> Iterator[str]:
    validator = SchemaValidator(schema)
    for i, example in enumerate(schema.get("examples", [])):
        for violation in validator.find_violations(example):
            yield f"{name} refuses its own example {i}: '{violation.pointer or '/'}' {violation.message}"
