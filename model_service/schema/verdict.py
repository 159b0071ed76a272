"""The fast half of validation: jsonschema-rs says yes, or says nothing. The only module that imports it.

Nearly every document is valid, and to know that costs a hundredth of finding out why one
is not. A yes of this module ends validation; anything else is looked at by
`schema/validation.py`, which decides and explains. So the two can differ only where this
module says yes and the other no: schemas with keywords for which that could be are left
to the other alone, and a property test holds the two to one verdict on the rest.
"""

import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs

from model_service.records import Schema
from model_service.schema.json_values import is_representable
from model_service.schema.walk import walk

#: Keywords whose meaning depends on other places, and which implementations read differently.
_DISTRUSTED = frozenset(
    {"$dynamicRef", "$dynamicAnchor", "$id", "$anchor", "unevaluatedItems", "unevaluatedProperties"}
)
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ESCAPED = r"\\[.\-+*?()\[\]{}|^$/]"
#: Letters, sets, groups, anchors and repetitions, which Python and Rust read alike; nothing else is trusted.
_SAME_IN_BOTH = re.compile(
    rf"(?:[^\\.\[\]()]|\((?!\?)|\(\?:|\)|{_ESCAPED}|\[\^?(?:\w-\w|\w|[ ,;:_/+*%=@!'\"<>|.#]|{_ESCAPED})+\])*", re.ASCII
)
_SCALARS = (str, int, float, bool, type(None))


class Verdict:
    """Tells of documents whether they are certainly valid. Safe to use from several threads.

    Args:
        schema: JSON Schema 2020-12 without ``$schema``.
        conforms: Whether a text conforms to a format: one rule for both halves.
    """

    def __init__(self, schema: Schema, conforms: Callable[[str, str], bool]) -> None:
        self._one = self._many = None
        #: Whether a document is certainly valid, and holds nothing that JSON cannot.
        self.accepts: Callable[[object], bool] = _accept_nothing
        #: Whether each of several documents is; one call for all is many times faster than one for each.
        self.accepts_all: Callable[[list[Any]], bool] = _accept_nothing
        nodes = [node for _, node in walk(schema)]
        if not all(map(_is_trusted, nodes)):
            return
        formats = {node["format"] for node in nodes if isinstance(node.get("format"), str)}
        options: dict[str, Any] = {
            "validate_formats": True,
            "formats": {name: lambda text, name=name: conforms(text, name) for name in formats},
        }
        # The identifier keeps the references inside the schema's own.
        rows = {"type": "array", "items": {"$id": "urn:model-service:row", **schema}}
        try:
            one, many = (jsonschema_rs.Draft202012Validator(each, **options) for each in (schema, rows))
        except jsonschema_rs.ValidationError:  # a pattern that is larger than its engine takes
            return
        self._one, self._many = one, many
        self._is_closed = _is_closed(schema)
        self.accepts = self._make_judge(self._one)
        self.accepts_all = self._make_judge_of_all(self.accepts, self._make_judge(self._many))

    @property
    def is_able(self) -> bool:
        """Whether it ever says yes."""
        return self._one is not None

    def _make_judge(self, validator: Any) -> Callable[[object], bool]:
        """Return the shortest way to a verdict: two are asked for in every request."""
        is_valid, is_closed = validator.is_valid, self._is_closed

        def judge(document: object) -> bool:
            try:
                verdict: bool = is_valid(document)
            except Exception:  # a value that is of no JSON type, or half a character
                return False
            return verdict and (is_closed or is_representable(document))

        return judge

    @staticmethod
    def _make_judge_of_all(
        accepts_one: Callable[[object], bool], accepts_many: Callable[[object], bool]
    ) -> Callable[[list[Any]], bool]:
        def accepts_all(documents: list[Any]) -> bool:
            return accepts_one(documents[0]) if len(documents) == 1 else accepts_many(documents)

        return accepts_all


def is_too_large(pattern: str) -> bool:
    """Whether a pattern that both halves would read alike is too large for the fast one, compiled."""
    if not _SAME_IN_BOTH.fullmatch(pattern):
        return False
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except jsonschema_rs.ValidationError:
        return True
    return False


def _accept_nothing(document: object) -> bool:
    return False


def is_schema(schema: Schema) -> bool:
    """Whether a schema is certainly valid JSON Schema 2020-12; whether its patterns are patterns is not looked at."""
    try:
        is_valid: bool = jsonschema_rs.meta.is_valid({**schema, "$schema": DIALECT})
    except Exception:  # a value that is of no JSON type
        return False
    return is_valid


def _is_trusted(node: dict[str, Any]) -> bool:
    patterns = [*([node["pattern"]] if "pattern" in node else []), *node.get("patternProperties", {})]
    return (
        _DISTRUSTED.isdisjoint(node)
        and all(_SAME_IN_BOTH.fullmatch(pattern) for pattern in patterns)
        # The remainder of two floats is a matter of taste.
        and isinstance(node.get("multipleOf", 1), int)
        # A reference into something that is no schema here was not looked at.
        and re.fullmatch(r"#(?:/\$defs/[^/]+)?", node.get("$ref", "#")) is not None
    )


def _is_closed(schema: Any) -> bool:
    """Whether jsonschema-rs itself refuses, at every place, each value that JSON cannot hold.

    It refuses NaN, infinities and Python objects wherever a type is stated; an integer
    beyond every float only where there are bounds.
    """
    if not isinstance(schema, dict):
        return False
    if "enum" in schema or "const" in schema:
        return all(isinstance(value, _SCALARS) for value in [*schema.get("enum", ()), schema.get("const")])
    if any(schema.get(keyword) and all(map(_is_closed, schema[keyword])) for keyword in ("oneOf", "anyOf")):
        return True
    types = schema.get("type", "any")
    return all(_is_closed_type(schema, name) for name in ([types] if isinstance(types, str) else types))


def _is_closed_type(schema: Schema, name: str) -> bool:
    match name:
        case "object":
            is_fixed = schema.get("additionalProperties") is False and "patternProperties" not in schema
            return is_fixed and all(map(_is_closed, schema.get("properties", {}).values()))
        case "number" | "integer":
            has_least, has_most = (
                {"minimum", "exclusiveMinimum"} & schema.keys(),
                {"maximum", "exclusiveMaximum"} & schema.keys(),
            )
            return bool(has_least and has_most)
        case "boolean" | "null":
            return True
        case _:  # a string may hold half a character, and an array takes tuples, too
            return False
