"""Broken rules in words: one sentence per rule, made from the schema alone.

jsonschema's own messages repeat the value, and values must not leave the process.
``x-error-messages`` in a subschema, ``{keyword: sentence}``, replaces the sentence of its
keywords.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from model_service.naming import is_presentable, quote_name
from model_service.records import Schema
from model_service.schema.json_values import Fault
from model_service.schema.node import read_node
from model_service.schema.values import write_json

#: Most choices of an enum, or names of fields, that a message lists.
_MAX_LISTED = 20
#: Said of a value where the schema excludes all of them.
_NOTHING = "nothing is allowed here"

_TYPE_NAMES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}
_FORMATS = {
    "date": "a date as YYYY-MM-DD",
    "date-time": "a date and time as YYYY-MM-DDThh:mm:ssZ",
    "time": "a time as hh:mm:ssZ",
    "email": "an e-mail address",
    "uri": "a URI",
    "uuid": "a UUID",
}


def explain(error: ValidationError, root: Schema) -> Iterator[Fault]:
    """Turn one error of the library into faults in our words: path, rule, sentence.

    Args:
        root: The schema that was broken, in which references are followed.
    """
    rule = str(error.validator or "false")  # the schema `false` has no keyword
    messages = _MESSAGES.get(rule, _any_rule)(error)
    if rule in ("anyOf", "oneOf"):
        if closest := _closest_branch(error):
            for child in closest:
                yield from explain(child, root)
            return
        # Without a context, more than one alternative fits: the value is not the mistake.
        choices = read_node({rule: error.validator_value}, root).choices if error.context else None
        if choices:
            messages = iter([(None, f"expected {_listed([_json_text(choice.value) for choice in choices])}")])
    path = list(error.absolute_path)
    sentence = _author_sentence(error)
    for name, message in messages:
        yield [*path, *([name] if name is not None else [])], rule, sentence or message


def _author_sentence(error: ValidationError) -> str | None:
    schema = error.schema
    sentences = schema.get("x-error-messages") if isinstance(schema, dict) else None
    return sentences.get(error.validator) if isinstance(sentences, dict) else None


def _closest_branch(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the alternative that the value was plainly meant for, if there is one.

    That is the only alternative whose type and constants fit, so that the caller reads
    what is wrong with it instead of a list of all the others.
    """
    if _author_sentence(error):
        return []
    branches: dict[Any, list[ValidationError]] = {}
    for child in error.context or []:
        if child.schema_path:  # else it is the alternative `false`, which no value was meant for
            branches.setdefault(child.schema_path[0], []).append(child)
    fitting = list(branches.values())
    for depth in (0, 1):  # the value's own type first, then those of its fields, one of which may be a tag
        fitting = [children for children in fitting if not any(_is_of_another_kind(child, depth) for child in children)]
        if len(fitting) == 1:
            return fitting[0]
    return []


def _is_of_another_kind(error: ValidationError, depth: int) -> bool:
    return error.validator in ("type", "const", "enum") and len(error.path) == depth


# Each rule's messages: (name of the field below the error's own place or None, sentence).
_Messages = Iterator[tuple[str | None, str]]


def _any_rule(error: ValidationError) -> _Messages:
    yield None, f"breaks the rule '{error.validator}' of the schema"


def _simple(template: str) -> Callable[[ValidationError], _Messages]:
    def message(error: ValidationError) -> _Messages:
        yield None, template.format(error.validator_value)

    return message


def _type(error: ValidationError) -> _Messages:
    expected: Any = error.validator_value
    names = [expected] if isinstance(expected, str) else expected
    yield None, f"expected {_listed([_TYPE_NAMES[name] for name in names])}, got {_type_name(error.instance)}"


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


def _enum(error: ValidationError) -> _Messages:
    choices: Any = error.validator_value
    yield None, f"expected {_listed([_json_text(choice) for choice in choices])}" if choices else _NOTHING


def _const(error: ValidationError) -> _Messages:
    yield None, f"expected {_json_text(error.validator_value)}"


def _required(error: ValidationError) -> _Messages:
    needed: Any = error.validator_value
    document: Any = error.instance
    for name in needed:
        if name not in document:
            yield name, "this field is missing"


def _dependent_required(error: ValidationError) -> _Messages:
    needs: Any = error.validator_value
    document: Any = error.instance
    for given, needed in needs.items():
        for name in needed:
            if given in document and name not in document:
                yield name, f"this field is missing; {quote_name(given)} needs it"


def _unknown_fields(error: ValidationError) -> _Messages:
    schema: Any = error.schema
    document: Any = error.instance
    known = list(schema.get("properties", {}))
    allowed = f"the fields are {_listed(known)}" if known else "no other fields are allowed"
    allowed_patterns = dict.fromkeys(schema.get("patternProperties", {}), False)
    patterns = Draft202012Validator({"patternProperties": allowed_patterns})
    for name in document:
        if name in known or (allowed_patterns and not patterns.is_valid({name: None})):
            continue
        if is_presentable(name):
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            yield name, f"unknown field; {hint}{allowed}"
        else:
            yield None, f"unknown field ({quote_name(name)}); {allowed}"


def _bad_name(error: ValidationError) -> _Messages:
    for fault in (error.context or [])[:1]:
        name: Any = fault.instance
        yield name, _author_sentence(fault) or "a field of this name is not allowed here"


def _format(error: ValidationError) -> _Messages:
    name = str(error.validator_value)
    yield None, f"expected {_FORMATS.get(name, f'text of the format {name}')}"


def _json_text(value: Any) -> str:
    return repr(value) if isinstance(value, str) else write_json(value)


def _listed(names: list[Any]) -> str:
    texts = [str(name) for name in names[:_MAX_LISTED]]
    if len(names) > _MAX_LISTED:
        return f"{', '.join(texts)} or one of {len(names) - _MAX_LISTED} more"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


_MESSAGES: dict[str, Callable[[ValidationError], _Messages]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "dependentRequired": _dependent_required,
    "additionalProperties": _unknown_fields,
    "unevaluatedProperties": _simple("holds a field that the schema does not know"),
    "format": _format,
    "false": _simple(_NOTHING),
    "minimum": _simple("expected a number of at least {}"),
    "maximum": _simple("expected a number of at most {}"),
    "exclusiveMinimum": _simple("expected a number above {}"),
    "exclusiveMaximum": _simple("expected a number below {}"),
    "multipleOf": _simple("expected a multiple of {}"),
    "minLength": _simple("expected at least {} characters"),
    "maxLength": _simple("expected at most {} characters"),
    "pattern": _simple("expected text that matches the pattern {}"),
    "minItems": _simple("expected at least {} entries"),
    "maxItems": _simple("expected at most {} entries"),
    "uniqueItems": _simple("expected entries that differ from each other"),
    "contains": _simple("expected an entry that is missing from the array"),
    "minProperties": _simple("expected at least {} fields"),
    "maxProperties": _simple("expected at most {} fields"),
    "propertyNames": _bad_name,
    "anyOf": _simple("expected one of the alternatives of the schema; none of them fits"),
    "oneOf": _simple("expected exactly one of the alternatives of the schema to fit"),
    "not": _simple("expected anything but what the schema excludes here"),
}
#: What violations of a schema name as the broken rule; models have rules of their own.
RULES = (*_MESSAGES, "unicode", "finite")
