"""Dataclasses, TypedDicts and the annotations of their fields as schemas.

What a type cannot say stands in ``Annotated`` as JSON Schema, which the functions of `model_service.fields` write:
``Annotated[float, number("Length", unit="cm", above=0)]``.
"""

import collections.abc
import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from model_service.fields import optional
from model_service.records import Schema
from model_service.types.marshmallow_schemas import is_marshmallow, write_marshmallow
from model_service.types.pydantic_models import is_pydantic, write_pydantic
from model_service.types.writing import allows_null, refuse, write_choice, write_default, write_record

Place = tuple[str, ...]

_PLAIN: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
_ARRAYS = (list, collections.abc.Sequence)
_SETS = (set, frozenset)
_OBJECTS = (dict, collections.abc.Mapping)
_UNIONS = (typing.Union, types.UnionType)
#: What TypedDicts and dataclasses write around a type that says nothing of its values; `ReadOnly` is of Python 3.13.
_WRAPPERS = tuple(
    getattr(typing, name) for name in ("Required", "NotRequired", "ReadOnly", "Final") if hasattr(typing, name)
)


def write_class(kind: Any, place: Place, *, is_output: bool, above: tuple[Any, ...] = ()) -> Schema:
    """Return the schema of a class with fields.

    Args:
        kind: The class.
        place: Where it stands: the class at the root and the fields on the way.
        is_output: Whether all fields are always there.
        above: The classes around it; one that contains itself has no end.

    Raises:
        TypeError: It is of no kind that has a schema, or a field of it is not.
    """
    name = getattr(kind, "__name__", type(kind).__name__)
    place = place or (name,)
    if any(kind is each for each in above):
        refuse(place, f"{name} contains itself; write such a schema as a dict, with $ref")
    above = (*above, kind)
    if is_pydantic(kind):
        return write_pydantic(kind, place, is_output=is_output)
    if is_marshmallow(kind):
        return write_marshmallow(kind, place, is_output=is_output)
    if _is_typed_dict(kind):
        return _write_typed_dict(kind, place, is_output, above)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _write_dataclass(kind, place, is_output, above)
    refuse(place, "neither a dataclass, a TypedDict, a pydantic model nor a marshmallow schema; write a dict instead")


def _write_dataclass(kind: Any, place: Place, is_output: bool, above: tuple[Any, ...]) -> Schema:
    hints = _read_hints(kind, place)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        if not (field.init or is_output):  # made by the class itself, of the others
            continue
        here = (*place, field.name)
        schema = _write_type(hints[field.name], here, is_output, above)
        default = field.default_factory() if callable(field.default_factory) else field.default
        has_default = default is not dataclasses.MISSING
        if has_default and not is_output:
            schema = {**write_default(default, here), **schema}
        properties[field.name] = schema
        if is_output or not (has_default or allows_null(schema)):
            required.append(field.name)
    return write_record(kind, properties, required)


def _write_typed_dict(kind: Any, place: Place, is_output: bool, above: tuple[Any, ...]) -> Schema:
    hints = _read_hints(kind, place)
    properties, required = {}, []
    for name, hint in hints.items():
        properties[name] = _write_type(hint, (*place, name), is_output, above)
        # Where annotations are texts, `__required_keys__` has not seen what stands in them.
        said = typing.get_origin(hint)
        may_miss = said is typing.NotRequired or (said is not typing.Required and name not in kind.__required_keys__)
        if not may_miss and (is_output or not allows_null(properties[name])):
            required.append(name)
    return write_record(kind, properties, required)


def _read_hints(kind: Any, place: Place) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError as error:
        refuse(place, f"{error}, in its annotations; define it in the module, above the class")


def _write_type(hint: Any, place: Place, is_output: bool, above: tuple[Any, ...]) -> Schema:
    """Return the schema of one annotation."""

    def write(part: Any) -> Schema:
        return _write_type(part, place, is_output, above)

    hint = _unwrap(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        schema = write(arguments[0])
        for extra in arguments[1:]:
            schema = _merge(schema, extra, place)
        return schema
    if isinstance(hint, type) and hint in _PLAIN:  # others may not be hashable: a dict stands in `Annotated`
        return dict(_PLAIN[hint])
    if origin in _UNIONS:
        return _write_union(arguments, write)
    if origin is typing.Literal:
        return write_choice(arguments, place)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return write_choice(hint, place)
    if (origin or hint) in (*_ARRAYS, *_SETS, tuple, *_OBJECTS):
        return _write_container(origin or hint, arguments, place, write)
    if isinstance(hint, type) and hint is not type(None):
        if _has_fields(hint):
            return write_class(hint, place, is_output=is_output, above=above)
        refuse(place, f"{hint.__name__} has no JSON Schema; use a type that JSON has, or write the schema as a dict")
    refuse(place, f"{hint!r} has no JSON Schema; use a type that JSON has, or write the schema as a dict")


def _unwrap(hint: Any) -> Any:
    """Return what stands behind a `NewType`, an alias or a qualifier."""
    while True:
        if typing.get_origin(hint) in _WRAPPERS:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # of Python 3.12
            hint = hint.__value__
        else:
            return hint


def _has_fields(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or _is_typed_dict(hint) or is_pydantic(hint) or is_marshmallow(hint)


def _is_typed_dict(kind: Any) -> bool:
    """Whether a class is a TypedDict, also one of typing_extensions."""
    return isinstance(kind, type) and hasattr(kind, "__required_keys__")


def _write_union(members: tuple[Any, ...], write: Callable[[Any], Schema]) -> Schema:
    schemas = [write(member) for member in members if member is not type(None)]
    names = [schema["type"] for schema in schemas if schema.keys() == {"type"} and isinstance(schema["type"], str)]
    if len(schemas) == 1:
        schema = schemas[0]
    elif len(names) == len(schemas):
        kinds = [name for name in names if not (name == "integer" and "number" in names)]
        schema = {"type": kinds[0] if len(kinds) == 1 else kinds}
    else:
        schema = {"anyOf": schemas}
    return optional(schema) if type(None) in members else schema


def _write_container(origin: Any, arguments: tuple[Any, ...], place: Place, write: Callable[[Any], Schema]) -> Schema:
    if not arguments:
        refuse(place, f"{origin.__name__} does not say of what; write {origin.__name__}[...] with the types inside")
    if origin in _OBJECTS:
        if arguments[0] is not str:
            refuse(place, "the keys of a JSON object are texts; write dict[str, ...]")
        return {"type": "object", "additionalProperties": write(arguments[1])}
    if origin is tuple and arguments[-1] is not Ellipsis:
        count = len(arguments)
        parts = [write(each) for each in arguments]
        is_alike = all(part == parts[0] for part in parts)
        inner = {"items": parts[0]} if is_alike else {"prefixItems": parts, "items": False}
        return {"type": "array", **inner, "minItems": count, "maxItems": count}
    schema: Schema = {"type": "array", "items": write(arguments[0])}
    return {**schema, "uniqueItems": True} if origin in _SETS else schema


def _merge(schema: Schema, extra: Any, place: Place) -> Schema:
    """Return a schema with the keywords that stand beside its type in ``Annotated``, which must agree with it."""
    if not isinstance(extra, Mapping):
        refuse(
            place,
            f"a {type(extra).__name__} in Annotated says nothing here; write JSON Schema, as model_service.fields does",
        )
    if allows_null(schema) and not allows_null({"type": [], **extra}):
        # What is said of `float | None` is said of the number.
        plain = {name: value for name, value in schema.items() if name not in ("type", "enum", "anyOf", "oneOf")}
        return optional(_merge({**plain, **_without_null(schema)}, extra, place))
    if extra.get("type", schema.get("type")) != schema.get("type"):
        refuse(place, f"its type says {schema.get('type')}, and what stands beside it {extra['type']}; let them agree")
    before, after = _list_values(schema), _list_values(extra)
    if before and after:
        if set(before) != set(after):
            refuse(place, f"its type has the values {before}, and what stands beside it {after}; let them agree")
        schema = {name: value for name, value in schema.items() if name != "enum"}
    return {**schema, **extra}


def _without_null(schema: Schema) -> Schema:
    """Return what `optional` was given to write a schema."""
    if "anyOf" in schema:
        rest = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return dict(rest[0]) if len(rest) == 1 else {"anyOf": rest}
    kinds = [each for each in schema["type"] if each != "null"]
    plain: Schema = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if "enum" in schema:
        plain["enum"] = [value for value in schema["enum"] if value is not None]
    if "oneOf" in schema:
        plain["oneOf"] = [each for each in schema["oneOf"] if each["const"] is not None]
    return plain


def _list_values(schema: Mapping[str, Any]) -> list[Any]:
    """Return the values of a choice; none where it is no choice."""
    if "enum" in schema:
        return list(schema["enum"])
    return [each["const"] for each in schema.get("oneOf", ()) if "const" in each]
