"""Documents held against a JSON Schema 2020-12.

A yes comes from the fast half, `schema/verdict.py`. Everything else is decided here by
jsonschema: one `Violation` a broken rule, with the JSON Pointer of the field a person
would mend (a missing field's own place, not its parent's) and a sentence of
`schema/messages.py`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from model_service.naming import is_presentable, quote_name
from model_service.records import Schema, Violation
from model_service.schema.json_values import Fault, bound_numbers, find_unrepresentable
from model_service.schema.keywords import TYPES, hint_type
from model_service.schema.messages import explain
from model_service.schema.values import write_canonical
from model_service.schema.verdict import Verdict, is_schema
from model_service.schema.walk import walk

#: More would not help a person, and an answer must not be larger than its question.
MAX_VIOLATIONS = 100


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


def _check_repeats(validator: Any, is_unique: Any, document: Any, _: Any) -> Iterator[ValidationError]:
    """Compare each entry with all before it at once; jsonschema compares mixed entries pair by pair."""
    if is_unique and isinstance(document, list) and len(set(map(write_canonical, document))) < len(document):
        yield ValidationError("")


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
        "uniqueItems": _check_repeats,
        **{keyword: _after_type(keyword) for keyword in ("enum", "const", "anyOf", "oneOf")},
    },
)


class SchemaValidator:
    """Find what breaks one schema. Built once per schema; safe to use from several threads.

    Attributes:
        is_fast: Whether `accepts_all` says yes in no time to what is valid. Where not, a yes takes as long as a no.
    """

    def __init__(self, schema: Schema) -> None:
        # With "$schema", a reference to the root would bring jsonschema's own class back.
        schema = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
        self._schema = schema
        self._validator = _Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self._verdict = Verdict(schema, Draft202012Validator.FORMAT_CHECKER.conforms)
        self.is_fast = self._verdict.is_able
        #: Whether every one of many documents is certainly valid; after a no, ask for the violations of each.
        self.accepts_all: Callable[[list[Any]], bool] = (
            self._verdict.accepts_all if self.is_fast else self._find_none_in_any
        )
        self._known_names = frozenset(_find_names(schema))

    def find_violations(self, document: Any) -> list[Violation]:
        """Return the broken rules, at most `MAX_VIOLATIONS`, in the order of the schema.

        Values that JSON cannot hold are found first. Python objects are found alone: a schema's verdict on them
        would mean nothing. Numbers that are not finite are judged as the largest one, but for their own place.
        """
        if self._verdict.accepts(document):
            return []
        unfit = list(islice(find_unrepresentable(document), MAX_VIOLATIONS))
        # A dict drops repeats: jsonschema reports `required` once for every missing field.
        found = {self._locate(*fault): None for fault in unfit}
        if any(rule != "finite" for _, rule, _ in unfit):
            return list(found)
        told = {tuple(path) for path, _, _ in unfit}
        for path, rule, message in self._find_broken_rules(bound_numbers(document) if unfit else document):
            if len(found) >= MAX_VIOLATIONS:
                break
            if tuple(path) not in told:
                found[self._locate(path, rule, message)] = None
        return list(found)

    def _find_none_in_any(self, documents: list[Any]) -> bool:
        return not any(self.find_violations(document) for document in documents)

    def _find_broken_rules(self, document: Any) -> Iterator[Fault]:
        for error in self._validator.iter_errors(document):
            yield from explain(error, self._schema)

    def _locate(self, path: list[Any], rule: str, message: str) -> Violation:
        """Return a violation whose pointer ends above a long or unprintable name of the caller's own making."""
        for depth, part in enumerate(path):
            if isinstance(part, str) and not is_presentable(part) and part not in self._known_names:
                return Violation(make_pointer(path[:depth]), rule, f"below {quote_name(part)}: {message}")
        return Violation(make_pointer(path), rule, message)


def word_violations(what: str, violations: Sequence[Violation]) -> str:
    """Return the first violations of an output or an example as one line for the log and its author."""
    return f"{what}: " + "; ".join(f"'{violation.place}' {violation.message}" for violation in violations[:5])


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


def _find_patterns(schema: Schema) -> Iterator[str]:
    for _, node in walk(schema):
        yield from node.get("patternProperties", ())
        if "pattern" in node:
            yield node["pattern"]


def _is_pattern(text: Any) -> bool:
    try:
        re.compile(text)
    except (re.error, TypeError, RecursionError):
        return False
    return True


def find_metaschema_faults(schema: Any) -> list[str]:
    """Return why a schema is not valid JSON Schema 2020-12, each with the pointer of the fault."""
    if isinstance(schema, bool) or (is_schema(schema) and all(map(_is_pattern, _find_patterns(schema)))):
        return []
    # Other formats, such as that of a URI, are stricter than the library that follows them.
    validator = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=FormatChecker(["regex"]))
    errors = validator.iter_errors(schema)
    return [
        f"'{make_pointer(list(error.absolute_path)) or '/'}' {_explain_metaschema(error)}"
        for error in islice(errors, 5)
    ]


def _explain_metaschema(error: ValidationError) -> str:
    """Return the library's words, but for a type that does not exist: it would list what the metaschema allows."""
    if error.validator == "anyOf" and error.absolute_path and error.absolute_path[-1] == "type":
        names: Any = error.instance if isinstance(error.instance, list) else [error.instance]
        for name in names:
            if isinstance(name, str) and name not in TYPES:
                return f"'{name}' is no type of JSON{hint_type(name)}"
    return error.message
