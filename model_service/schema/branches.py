"""What a schema says once references, ``allOf`` and alternatives are taken together. Pure; draws nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from model_service.records import Schema
from model_service.schema.contract import resolve_reference

#: Annotations: of two schemas that are merged, the later one's count.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "$comment", "unit"})
#: Keywords that imply a type where none is stated.
_IMPLIED_TYPES = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format", "x-alphabet"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """A schema without ``$ref`` and ``allOf`` at its top.

    Attributes:
        references: Every reference on the way here: one that comes again is a recursion.
        is_drawable: False for a recursion, a contradiction, or a schema that is only true or false.
    """

    schema: Schema
    references: frozenset[str]
    is_drawable: bool = True


def resolve(schema: Any, root: Schema, references: frozenset[str]) -> Resolved:
    """Return a schema with its own references followed and its ``allOf`` merged.

    Args:
        schema: Any subschema of ``root``.
        root: What ``#`` means.
        references: References that led to this schema.
    """
    if not isinstance(schema, dict):
        return Resolved({}, references, is_drawable=False)
    own = {keyword: value for keyword, value in schema.items() if keyword not in ("$ref", "allOf")}
    parts: list[Schema] = []
    seen = references
    if "$ref" in schema:
        if schema["$ref"] in references:
            return Resolved(own, references, is_drawable=False)
        target: Any = root
        for key in resolve_reference(root, schema["$ref"]) or []:
            target = target[key]
        found = resolve(target, root, references | {schema["$ref"]})
        if not found.is_drawable:
            return Resolved({**found.schema, **own}, found.references, is_drawable=False)
        parts.append(found.schema)
        seen = found.references
    for part in schema.get("allOf", ()):
        found = resolve(part, root, seen)
        if not found.is_drawable:
            return Resolved(own, seen, is_drawable=False)
        parts.append(found.schema)
        seen = found.references
    merged = merge_schemas([*parts, own])
    return Resolved(own, seen, is_drawable=False) if merged is None else Resolved(merged, seen)


def merge_schemas(schemas: Iterable[Schema]) -> Schema | None:
    """Return one schema that says what all of them say; ``None`` where two differ on the same thing."""
    merged: Schema = {}
    for schema in schemas:
        for keyword, value in schema.items():
            if keyword not in merged or keyword in _ANNOTATIONS or merged[keyword] == value:
                merged[keyword] = value
            elif keyword == "required":
                merged[keyword] = list(dict.fromkeys([*merged[keyword], *value]))
            elif keyword in ("properties", "x-error-messages"):
                fields = _merge_fields(merged[keyword], value)
                if fields is None:
                    return None
                merged[keyword] = fields
            else:
                return None
    return merged


def _merge_fields(fields: Schema, others: Schema) -> Schema | None:
    merged = {**fields}
    for name, field in others.items():
        known = merged.get(name, field)
        if known == field:
            merged[name] = field
        elif (
            isinstance(known, dict) and isinstance(field, dict) and (both := merge_schemas([known, field])) is not None
        ):
            merged[name] = both
        else:
            return None
    return merged


def read_choices(schema: Schema) -> list[Schema] | None:
    """Return the values that may be chosen, each ``{"const": value}`` with its title; ``None`` when it is no choice."""
    if "const" in schema:
        return [{"const": schema["const"]}]
    if "enum" in schema:
        return [{"const": value} for value in schema["enum"]]
    choices: list[Schema] = []
    for branch in schema.get("oneOf") or schema.get("anyOf") or ():
        if not isinstance(branch, dict):
            return None
        if branch.get("type") == "null":
            branch = {**branch, "const": None}
        if "const" not in branch and "enum" not in branch:
            return None
        choices.extend([branch] if "const" in branch else [{"const": value} for value in branch["enum"]])
    return choices or None


def read_forms(schema: Schema) -> tuple[list[Schema], bool]:
    """Return the forms that a value may take, and whether null is one more.

    Each form of several holds what the schema says beside its alternatives; a schema that
    offers one form is returned as it is, with one type at most.
    """
    keyword = next((name for name in ("oneOf", "anyOf") if schema.get(name)), None)
    if keyword is not None:
        base = {name: value for name, value in schema.items() if name != keyword}
        branches = [branch for branch in schema[keyword] if not _is_null(branch)]
        is_nullable = len(branches) < len(schema[keyword])
        if len(branches) == 1:
            return [{**base, "allOf": branches}], is_nullable
        shared = {name: value for name, value in base.items() if name not in _ANNOTATIONS}
        return [{"allOf": [shared, branch]} for branch in branches], is_nullable
    types = read_types(schema)
    others = [name for name in types if name != "null"]
    is_nullable = len(others) < len(types)
    if len(others) > 1:
        shared = {name: value for name, value in schema.items() if name not in _ANNOTATIONS}
        return [{**shared, "type": name, "title": name.capitalize()} for name in others], is_nullable
    return [{**schema, "type": others[0]} if others else schema], is_nullable


def read_types(schema: Schema) -> list[str]:
    """Return the JSON types that a schema states or, without a statement, implies; an integer is no number as well."""
    stated = schema.get("type")
    if stated is None:
        return [name for name, keywords in _IMPLIED_TYPES.items() if any(keyword in schema for keyword in keywords)][:1]
    types = [stated] if isinstance(stated, str) else list(stated)
    return [name for name in types if not (name == "integer" and "number" in types)]


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and (
        branch.get("type") == "null" or ("const" in branch and branch["const"] is None)
    )
