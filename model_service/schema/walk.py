"""Where the subschemas of a schema stand: one table of the keywords that hold them, one walk, and references."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from model_service.records import Schema

#: Where a subschema stands: keywords, names and indexes from the root.
Path = tuple[str | int, ...]

#: Keywords whose value is one schema; a list of schemas; schemas by names, which may be spelt like keywords.
HOLD_ONE = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames"),
        *("then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
HOLD_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
HOLD_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
REFERENCES = ("$ref", "$dynamicRef")
#: Keywords whose value is data, not a schema: a "$ref" inside is only a word.
HOLD_DATA = frozenset({"const", "enum", "examples", "default", "x-error-messages"})


def walk(schema: Any) -> Iterator[tuple[Path, Schema]]:
    """Yield ``(path, object)`` for a schema and every subschema inside it, in the order of the document.

    What stands under a keyword that JSON Schema does not know is no subschema, unless a reference leads there.
    """
    stack: list[tuple[Path, Any]] = [((), schema)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            yield path, node
            stack.extend(reversed([*_find_children(path, node)]))


def _find_children(path: Path, node: Schema) -> Iterator[tuple[Path, Any]]:
    for keyword, value in node.items():
        if keyword in HOLD_ONE:
            yield (*path, keyword), value
        elif keyword in HOLD_LISTS and isinstance(value, list):
            yield from (((*path, keyword, i), child) for i, child in enumerate(value))
        elif keyword in HOLD_MAPS and isinstance(value, dict):
            yield from (((*path, keyword, name), child) for name, child in value.items())


def resolve_reference(root: Schema, reference: str) -> Path | None:
    """Return the path that a local reference leads to; ``None`` when it leaves the schema or leads nowhere."""
    if not reference.startswith("#"):
        return None
    fragment = unquote(reference[1:])
    if fragment and not fragment.startswith("/"):
        anchors = ("$anchor", "$dynamicAnchor")
        return next((path for path, node in walk(root) if fragment in map(node.get, anchors)), None)
    path: list[str | int] = []
    node: Any = root
    for part in fragment.split("/")[1:]:
        key: Any = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            key = int(key)
        elif not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
        path.append(key)
    return tuple(path) if isinstance(node, dict | bool) else None


def find_subschema(root: Schema, path: Path) -> Any:
    """Return what stands at a path of `resolve_reference`."""
    node: Any = root
    for key in path:
        node = node[key]
    return node
