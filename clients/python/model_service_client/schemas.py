"""The little that the client itself reads of JSON Schemas: fields, whether null is allowed, days and moments."""

from collections.abc import Iterator
from typing import Any

from model_service_client.records import Schema

_MOST_HOPS = 20


def resolve(schema: Any, root: Schema) -> Schema:
    """Return a subschema with local references followed, as far as they lead anywhere."""
    for _ in range(_MOST_HOPS):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: Any = root
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) else {}
        schema = {**{name: value for name, value in schema.items() if name != "$ref"}, **found}
    return {}


def list_fields(schema: Any, root: Schema) -> dict[str, Schema]:
    """Return the properties of an object's schema, those of its ``allOf`` too, in order, as they are written."""
    whole = resolve(schema, root)
    fields = dict(whole.get("properties") or {})
    for part in whole.get("allOf") or ():
        fields |= list_fields(part, root)
    return fields


def allows_null(schema: Schema, root: Schema) -> bool:
    """Whether a field may be null."""
    found = resolve(schema, root)
    kinds = found.get("type")
    if kinds is not None and "null" not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    if "enum" in found and None not in found["enum"]:
        return False
    if "const" in found and found["const"] is not None:
        return False
    return all(
        any(allows_null(each, root) for each in found[keyword]) for keyword in ("anyOf", "oneOf") if found.get(keyword)
    )


def list_columns(schema: Any, root: Schema, prefix: str = "") -> Iterator[str]:
    """Yield the columns of a table of objects: objects inside are unfolded with dots."""
    for name, field in list_fields(schema, root).items():
        if resolve(field, root).get("type") == "object" and list_fields(field, root):
            yield from list_columns(field, root, f"{prefix}{name}.")
        else:
            yield prefix + name
