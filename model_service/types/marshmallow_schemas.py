"""Schemas of marshmallow as JSON Schema: their fields, nested ones too, and the validators that have keywords.

Recognised by what they look like and never imported. The ``metadata`` of a field holds what else is to be said of it:
``fields.Float(metadata={"title": "Length", "unit": "cm"})``.
"""

import enum
import re
from typing import Any

from model_service.fields import optional
from model_service.records import Schema
from model_service.types.writing import allows_null, refuse, write_choice, write_default, write_record

#: By the name of a field's class of marshmallow's own; what is not here cannot be said, or not without a doubt.
_PLAIN: dict[str, Schema] = {
    "Boolean": {"type": "boolean"},
    "Integer": {"type": "integer"},
    "Float": {"type": "number"},
    "Date": {"type": "string", "format": "date"},
    "Time": {"type": "string", "format": "time"},
    "DateTime": {"type": "string", "format": "date-time"},
    "AwareDateTime": {"type": "string", "format": "date-time"},
    "Email": {"type": "string", "format": "email"},
    "Url": {"type": "string", "format": "uri"},
    "UUID": {"type": "string", "format": "uuid"},
    "String": {"type": "string"},
}
_CONTAINERS = ("Nested", "List", "Dict", "Enum")
#: Validators that fields have by themselves, whose keyword is `format`.
_OWN_VALIDATORS = ("Email", "URL")


def is_marshmallow(kind: Any) -> bool:
    """Whether something is a schema of marshmallow: its class, or one that was made of it."""
    return any(base.__module__.startswith("marshmallow.") and base.__name__ == "Schema" for base in _list_bases(kind))


def write_marshmallow(kind: Any, place: tuple[str, ...], *, is_output: bool, above: tuple[Any, ...] = ()) -> Schema:
    """Return the schema of a schema.

    Raises:
        TypeError: A field or a validator has no keywords, or the schema contains itself.
    """
    made = kind() if isinstance(kind, type) else kind
    if type(made) in above:
        refuse(place, f"{type(made).__name__} contains itself; write such a schema as a dict, with $ref")
    above = (*above, type(made))
    properties, required = {}, []
    for name, field in (made.dump_fields if is_output else made.load_fields).items():
        shown = field.data_key or name
        here = (*place, shown)
        schema = _write_field(field, here, is_output, above)
        has_default = not _is_missing(field.load_default)
        if has_default and not is_output:
            value = field.load_default() if callable(field.load_default) else field.load_default
            schema = {**write_default(value, here), **schema}
        properties[shown] = schema
        if is_output or (field.required and not allows_null(schema)):
            required.append(shown)
    return write_record(type(made), properties, required)


def _list_bases(kind: Any) -> tuple[type, ...]:
    return (kind if isinstance(kind, type) else type(kind)).__mro__


def _is_missing(value: Any) -> bool:
    return type(value).__module__.startswith("marshmallow.")


def _write_field(field: Any, place: tuple[str, ...], is_output: bool, above: tuple[Any, ...]) -> Schema:
    names = [base.__name__ for base in _list_bases(field) if base.__module__ == "marshmallow.fields"]
    known = names[0] if names else ""
    if known not in _PLAIN and known not in _CONTAINERS:
        refuse(place, f"the field {type(field).__name__} has no JSON Schema; use another one, or write a dict")
    if known == "Nested":
        schema = write_marshmallow(field.schema, place, is_output=is_output, above=above)
        schema = {"type": "array", "items": schema} if field.many or field.schema.many else schema
    elif known == "List":
        schema = {"type": "array", "items": _write_field(field.inner, place, is_output, above)}
    elif known == "Dict":
        if field.value_field is None:
            refuse(place, "Dict does not say of what; give it values=...")
        schema = {"type": "object", "additionalProperties": _write_field(field.value_field, place, is_output, above)}
    elif known == "Enum":
        schema = _write_enum(field, place)
    else:
        schema = dict(_PLAIN[known])
    for validator in field.validators:
        schema = _add_rule(schema, validator, place)
    schema = {**schema, **field.metadata}
    return optional(schema) if field.allow_none else schema


def _write_enum(field: Any, place: tuple[str, ...]) -> Schema:
    members: list[enum.Enum] = list(field.enum)
    return write_choice([member.value if field.by_value else member.name for member in members], place)


def _add_rule(schema: Schema, validator: Any, place: tuple[str, ...]) -> Schema:
    """Return a schema with the keywords of one validator."""
    name = type(validator).__name__
    if name == "Range":
        low = "minimum" if validator.min_inclusive else "exclusiveMinimum"
        high = "maximum" if validator.max_inclusive else "exclusiveMaximum"
        return {**schema, **_given(**{low: validator.min, high: validator.max})}
    if name == "Length":
        noun = {"array": "Items", "object": "Properties"}.get(schema["type"], "Length")
        least = validator.min if validator.equal is None else validator.equal
        most = validator.max if validator.equal is None else validator.equal
        return {**schema, **_given(**{f"min{noun}": least, f"max{noun}": most})}
    if name == "OneOf":
        rest = {keyword: value for keyword, value in schema.items() if keyword != "type"}
        return {**write_choice(validator.choices, place, validator.labels), **rest}
    if name == "Equal":
        return write_choice([validator.comparable], place)
    if name == "Regexp":
        if validator.regex.flags & ~re.UNICODE:
            refuse(place, "a pattern of JSON Schema has no flags; write it without, or write the schema as a dict")
        return {**schema, "pattern": f"^(?:{validator.regex.pattern})"}  # marshmallow matches from the beginning
    if name in _OWN_VALIDATORS:
        return schema
    refuse(place, f"the validator {name} has no JSON Schema; put the rule into MLModel.find_violations")


def _given(**keywords: Any) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}
