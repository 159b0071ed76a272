"""The walk over subschemas; references are in test_contract.py."""

import pytest
from jsonschema import Draft202012Validator

from model_service.schema.walk import resolve_reference, walk


def test_the_walk_visits_every_subschema_once_in_document_order():
    schema = {
        "type": "object",
        "properties": {"a": {"items": {"title": "i"}}, "properties": {"anyOf": [{}, True, {"not": {}}]}},
        "examples": [{"a": {}}],
        "x-ours": {"properties": {"a": {}}},
        "$defs": {"d": {"default": {}}},
    }
    assert [path for path, _ in walk(schema)] == [
        (),
        ("properties", "a"),
        ("properties", "a", "items"),
        ("properties", "properties"),
        ("properties", "properties", "anyOf", 0),
        ("properties", "properties", "anyOf", 2),
        ("properties", "properties", "anyOf", 2, "not"),
        ("$defs", "d"),
    ]


@pytest.mark.parametrize(
    "inside",
    [
        *({keyword: {"$anchor": "here", "type": "null"}} for keyword in ("items", "contains", "contentSchema", "if")),
        *({keyword: {"$anchor": "here", "type": "null"}} for keyword in ("then", "else", "not", "propertyNames")),
        {"additionalProperties": {"$anchor": "here", "type": "null"}},
        {"unevaluatedItems": {"$anchor": "here", "type": "null"}},
        {"unevaluatedProperties": {"$anchor": "here", "type": "null"}},
        *({keyword: [{"$anchor": "here", "type": "null"}]} for keyword in ("anyOf", "oneOf", "prefixItems")),
        *({keyword: {"n": {"$anchor": "here", "type": "null"}}} for keyword in ("$defs", "definitions", "properties")),
        *({keyword: {"n": {"$anchor": "here", "type": "null"}}} for keyword in ("dependentSchemas",)),
        {"patternProperties": {"n": {"$anchor": "here", "type": "null"}}},
    ],
    ids=lambda inside: next(iter(inside)),
)
def test_the_walk_finds_the_anchors_that_validation_finds(inside):
    schema = {"$ref": "#here", "$defs": {"outer": inside}}
    assert not Draft202012Validator(schema).is_valid(1)
    assert resolve_reference(schema, "#here") is not None


def test_an_anchor_where_validation_finds_none_is_none():
    assert resolve_reference({"x-ours": {"$anchor": "here"}}, "#here") is None
