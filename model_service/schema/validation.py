"""Documents held against a JSON Schema 2020-12; the only module that imports jsonschema.

The library decides, and this module explains: one `Violation` a broken rule, with
the JSON Pointer of the field a person would mend (a missing field's own place, not
its parent's) and a sentence made from the schema alone. jsonschema's own messages
repeat the value, and values must not leave the process. `x-error-messages` in a
subschema, ``{keyword: sentence}``, replaces the sentence of its keywords.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from model_service.errors import is_presentable, quote_name
from model_service.records import Schema, Violation
from model_service.schema.json_values import Fault, find_unrepresentable

#: More would not help a person, and an answer must not be larger than its question.
MAX_VIOLATIONS = 100
#: Most choices of an enum, or names of fields, that a message lists.
_MAX_LISTED = 20

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


def _check_names(validator: Any, names: Any, document: Any, _: Any) -> Iterator[ValidationError]:
    """Report each field whose name is refused; jsonschema reports the rule of the name as if it were the object's."""
    for name in document if isinstance(document, dict) else ():
        if faults := list(validator.descend(name, names)):
            yield ValidationError("", context=faults)


def _check_fields(validator: Any, fields: Any, document: Any, _: Any) -> Iterator[ValidationError]:
    """Check each field as jsonschema does, which forgets the place of a field whose schema is `false`."""
    for name, schema in fields.items() if isinstance(document, dict) else ():
        if name in document:
            for error in validator.descend(document[name], schema, path=name, schema_path=name):
                if schema is False:
                    error.path.appendleft(name)
                yield error


def _after_type(keyword: str) -> Callable[[Any, Any, Any, Any], Iterator[ValidationError]]:
    """Return a keyword's check that stays silent where `type` beside it is broken: one mistake, one sentence."""
    check = Draft202012Validator.VALIDATORS[keyword]

    def check_type_first(validator: Any, rule: Any, document: Any, schema: Any) -> Iterator[ValidationError]:
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not kinds or any(validator.is_type(document, kind) for kind in kinds):
            yield from check(validator, rule, document, schema)

    return check_type_first


_Validator = extend(  # type: ignore[no-untyped-call]  # its stub leaves the table of keywords untyped
    Draft202012Validator,
    {
        "properties": _check_fields,
        "propertyNames": _check_names,
        **{keyword: _after_type(keyword) for keyword in ("enum", "const", "anyOf", "oneOf")},
    },
)


class SchemaValidator:
    """Find what breaks one schema. Built once a schema; safe to use from several threads."""

    def __init__(self, schema: Schema) -> None:
        # With "$schema", a reference to the root would bring jsonschema's own class back.
        schema = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
        self._validator = _Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self._known_names = frozenset(_find_names(schema))

    def find_violations(self, document: Any) -> list[Violation]:
        """Return the broken rules, at most `MAX_VIOLATIONS`, in the order of the schema.

        Values that JSON cannot hold (NaN, infinities, Python objects) are found first
        and alone: a schema's verdict on them would mean nothing.
        """
        # A dict drops repeats: jsonschema reports `required` once for every missing field.
        found: dict[Violation, None] = {}
        for faults in (find_unrepresentable(document), self._find_broken_rules(document)):
            for path, rule, message in faults:
                found[self._locate(path, rule, message)] = None
                if len(found) >= MAX_VIOLATIONS:
                    break
            if found:
                break
        return list(found)

    def _find_broken_rules(self, document: Any) -> Iterator[Fault]:
        for error in self._validator.iter_errors(document):
            yield from _explain(error)

    def _locate(self, path: list[Any], rule: str, message: str) -> Violation:
        """Return a violation whose pointer ends above a long or unprintable name of the caller's own making."""
        for depth, part in enumerate(path):
            if isinstance(part, str) and not is_presentable(part) and part not in self._known_names:
                return Violation(make_pointer(path[:depth]), rule, f"below {quote_name(part)}: {message}")
        return Violation(make_pointer(path), rule, message)


def make_pointer(path: Iterable[Any]) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and indexes."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _find_names(schema: Any) -> Iterator[str]:
    """Yield every text in a schema: the names that are no secret are among them."""
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            stack.extend([*node, *node.values()])
        elif isinstance(node, list):
            stack.extend(node)


def _explain(error: ValidationError) -> Iterator[Fault]:
    """Turn one error of the library into faults in our words."""
    rule = str(error.validator or "false")  # the schema `false` has no keyword
    if rule in ("anyOf", "oneOf") and (closest := _closest_branch(error)):
        for child in closest:
            yield from _explain(child)
        return
    path = list(error.absolute_path)
    sentence = _author_sentence(error)
    for name, message in _MESSAGES.get(rule, _any_rule)(error):
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
    yield None, f"expected {_listed([_json_text(choice) for choice in choices])}"


def _const(error: ValidationError) -> _Messages:
    yield None, f"expected {_json_text(error.validator_value)}"


def _alternatives(sentence: str) -> Callable[[ValidationError], _Messages]:
    """Return the messages of `anyOf` or `oneOf`, which speak like `enum` where every alternative is one value."""

    def message(error: ValidationError) -> _Messages:
        branches: Any = error.validator_value
        # Without a context, more than one alternative fits: the value is not the mistake.
        if error.context and all(_is_one_value(branch) for branch in branches):
            yield None, f"expected {_listed([_json_text(branch.get('const')) for branch in branches])}"
        else:
            yield None, sentence

    return message


def _is_one_value(branch: Any) -> bool:
    return isinstance(branch, dict) and ("const" in branch or branch.get("type") == "null")


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
    return repr(value) if isinstance(value, str) else json.dumps(value)


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
    "false": _simple("nothing is allowed here"),
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
    "anyOf": _alternatives("expected one of the alternatives of the schema; none of them fits"),
    "oneOf": _alternatives("expected exactly one of the alternatives of the schema to fit"),
    "not": _simple("expected anything but what the schema excludes here"),
}


def find_metaschema_faults(schema: Schema) -> list[str]:
    """Return why a schema is not valid JSON Schema 2020-12, each with the pointer of the fault."""
    # Other formats, such as that of a URI, are stricter than the library that follows them.
    validator = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=FormatChecker(["regex"]))
    errors = validator.iter_errors(schema)
    return [f"'{make_pointer(list(error.absolute_path)) or '/'}' {error.message}" for error in islice(errors, 5)]
