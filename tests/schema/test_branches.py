"""References, `allOf` and alternatives taken together."""

from model_service.schema.branches import merge_schemas, read_choices, read_forms, read_types, resolve


def test_later_annotations_win_and_rules_must_agree():
    assert merge_schemas([{"title": "A", "minimum": 1}, {"title": "B", "minimum": 1}]) == {"title": "B", "minimum": 1}
    assert merge_schemas([{"minimum": 1}, {"minimum": 2}]) is None


def test_fields_of_two_objects_are_joined():
    merged = merge_schemas(
        [
            {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"a": {"minLength": 1}, "b": True}, "required": ["b", "a"]},
        ]
    )
    assert merged == {"properties": {"a": {"type": "string", "minLength": 1}, "b": True}, "required": ["a", "b"]}
    assert merge_schemas([{"properties": {"a": True}}, {"properties": {"a": False}}]) is None


def test_a_reference_that_comes_again_is_told():
    root = {"$defs": {"a": {"properties": {"again": {"$ref": "#/$defs/a"}}}}}
    found = resolve({"$ref": "#/$defs/a"}, root, frozenset())
    assert found.is_drawable
    assert not resolve(found.schema["properties"]["again"], root, found.references).is_drawable


def test_choices_of_mixed_kinds_are_none():
    assert read_choices({"oneOf": [{"const": 1}, {"type": "string"}]}) is None
    assert read_choices({"oneOf": [True, {"const": 1}]}) is None
    assert read_choices({"anyOf": [{"enum": [1, 2]}, {"const": 3}]}) == [{"const": 1}, {"const": 2}, {"const": 3}]


def test_forms_without_null():
    assert read_forms({"type": "string"}) == ([{"type": "string"}], False)
    assert read_forms({"type": ["string", "null"]}) == ([{"type": "string"}], True)
    assert read_forms({"title": "T", "anyOf": [{"type": "string"}, {"type": "null"}]}) == (
        [{"title": "T", "allOf": [{"type": "string"}]}],
        True,
    )


def test_types_are_implied_by_keywords():
    assert read_types({"minLength": 1}) == ["string"]
    assert read_types({"properties": {}}) == ["object"]
    assert read_types({"type": ["integer", "number"]}) == ["number"]
    assert read_types({"title": "T"}) == []
