"""What pydantic says of its models, in the words of the platform: closed, without references, null as `optional` says.

Recognised by its methods and never imported: who has a model has pydantic.
"""

import sys
from collections.abc import Mapping
from typing import Any

from model_service.fields import optional
from model_service.records import Schema
from model_service.types.writing import allows_null, read_docstring, refuse

#: Where a subschema, a list or a mapping of subschemas stands.
_ONE = ("items", "additionalProperties", "not", "contains")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")


def is_pydantic(kind: Any) -> bool:
    """Whether a class is a model of pydantic 2."""
    return isinstance(kind, type) and hasattr(kind, "model_json_schema") and hasattr(kind, "model_fields")


def write_pydantic(kind: Any, place: tuple[str, ...], *, is_output: bool) -> Schema:
    """Return the schema of a model.

    Raises:
        TypeError: pydantic knows no schema of a field, or the model contains itself.
    """
    for name, field in kind.model_fields.items():
        if any(isinstance(each, Mapping) for each in field.metadata):
            refuse((*place, name), "pydantic does not read a dict in Annotated; write Field(json_schema_extra={...})")
    try:
        raw = kind.model_json_schema(mode="serialization" if is_output else "validation")
    except Exception as error:  # of pydantic, whose errors cannot be named without importing it
        refuse((*place, *_find_culprit(kind)), f"pydantic has no JSON Schema of it: {str(error).splitlines()[0]}")
    schema = _Rewriting(raw.get("$defs", {}), is_output).rewrite(raw, place, ())
    if not read_docstring(kind):
        schema.pop("description", None)
    return schema


def _find_culprit(kind: Any) -> list[str]:
    """Return the name of the first field that pydantic has no schema of."""
    adapter: Any = sys.modules["pydantic"].TypeAdapter
    for name, field in kind.model_fields.items():
        try:
            adapter(field.annotation).json_schema()
        except Exception:
            return [name]
    return []


class _Rewriting:
    def __init__(self, definitions: dict[str, Schema], is_output: bool) -> None:
        self._definitions = definitions
        self._is_output = is_output

    def rewrite(self, raw: Schema, place: tuple[str, ...], above: tuple[str, ...]) -> Schema:
        """Return a subschema as the platform writes it.

        Args:
            raw: As pydantic wrote it.
            place: Names of the fields that lead to it.
            above: The definitions around it.
        """
        if "$ref" in raw:
            name = raw["$ref"].rpartition("/")[2]
            if name in above:
                refuse(place, f"{name} contains itself; write such a schema as a dict, with $ref")
            rest = {keyword: value for keyword, value in raw.items() if keyword not in ("$ref", "$defs")}
            return self.rewrite({**self._definitions[name], **rest}, place, (*above, name))
        schema = {keyword: value for keyword, value in raw.items() if keyword not in ("$defs", "discriminator")}
        for keyword in _ONE:
            if isinstance(schema.get(keyword), dict):
                schema[keyword] = self.rewrite(schema[keyword], place, above)
        for keyword in _MANY:
            if keyword in schema:
                schema[keyword] = [self.rewrite(each, place, above) for each in schema[keyword]]
        if "properties" in schema:
            schema = self._rewrite_object(schema, place, above)
        if "anyOf" in schema:
            schema = _fold_null(schema)
        if "const" in schema:
            schema["enum"] = [schema.pop("const")]
        if schema.get("default", ...) is None:
            del schema["default"]
        return schema

    def _rewrite_object(self, schema: Schema, place: tuple[str, ...], above: tuple[str, ...]) -> Schema:
        properties = {name: self.rewrite(field, (*place, name), above) for name, field in schema["properties"].items()}
        needed = [
            name
            for name in properties
            if self._is_output or (name in schema.get("required", ()) and not allows_null(properties[name]))
        ]
        if self._is_output:
            for field in properties.values():
                field.pop("default", None)
        kept = {keyword: value for keyword, value in schema.items() if keyword not in ("properties", "required")}
        closed = {"additionalProperties": False, **kept}
        return {**closed, "properties": properties, **({"required": needed} if needed else {})}


def _fold_null(schema: Schema) -> Schema:
    """Return ``anyOf`` with null as `optional` would have written it."""
    others = [each for each in schema["anyOf"] if each != {"type": "null"}]
    if len(others) == len(schema["anyOf"]) or len(others) != 1:
        return schema
    rest = {keyword: value for keyword, value in schema.items() if keyword != "anyOf"}
    return optional({**others[0], **rest})
