"""When two models can be asked the same question."""

import pytest

from model_service.schema.compatibility import accepts_payloads_of

A = {"properties": {"x": {}, "y": {}}, "required": ["x"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "is_accepted"),
    [
        (A, True),
        ({"properties": {"x": {}, "y": {}, "z": {}}, "required": ["x"], "additionalProperties": False}, True),
        ({"properties": {"x": {}, "z": {}}, "required": ["z"]}, False),
        ({"properties": {"x": {}}, "additionalProperties": False}, False),
        ({"properties": {"x": {}}}, True),
        ({"properties": {"other": {}}}, False),
        ({}, False),
        ({"allOf": [A]}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": A}}, True),
        ({"allOf": [A, {"properties": {"z": {}}, "required": ["z"]}]}, False),
    ],
)
def test_fields_decide(schema, is_accepted):
    assert accepts_payloads_of(schema, A) is is_accepted
