"""`build_form`: the widget, the attributes and the words of every construct."""

from typing import Any

import pytest

from model_service.schema.form import WIDGETS, FormField, build_form
from model_service.schema.values import Choice


def build(schema: Any, *, required: bool = False, **root: Any) -> FormField:
    """Return the field of one property."""
    properties = {"properties": {"it": schema}, **({"required": ["it"]} if required else {})}
    (field,) = build_form({"type": "object", **properties, **root}).children
    return field


@pytest.mark.parametrize(
    ("schema", "widget", "attributes"),
    [
        ({"type": "string"}, "text", {"type": "text"}),
        ({"type": "string", "format": "email"}, "text", {"type": "email"}),
        ({"type": "string", "format": "uri"}, "text", {"type": "url", "placeholder": "https://"}),
        ({"type": "string", "format": "date"}, "text", {"type": "date"}),
        ({"type": "string", "format": "date-time"}, "datetime", {}),
        ({"type": "string", "format": "x-unheard-of"}, "text", {"type": "text"}),
        ({"minLength": 2, "maxLength": 80}, "text", {"type": "text", "data-min-length": "2", "data-max-length": "80"}),
        ({"type": "string", "maxLength": 81}, "textarea", {"data-max-length": "81"}),
        ({"type": "string", "minLength": 200}, "textarea", {"data-min-length": "200"}),
        (
            {"type": "string", "pattern": "^a", "x-error-messages": {"pattern": "must start with a"}},
            "text",
            {"type": "text", "data-pattern": "^a", "data-pattern-message": "must start with a"},
        ),
        (
            {"type": "string", "x-alphabet": "acgtA", "maxLength": 9},
            "sequence",
            {"data-alphabet": "ACGT", "data-max-length": "9"},
        ),
        ({"type": "string", "x-alphabet": ["A"]}, "text", {"type": "text"}),
        ({"type": "number"}, "number", {"data-step": "any"}),
        ({"type": "integer"}, "number", {"data-step": "1"}),
        ({"type": ["integer", "number"]}, "number", {"data-step": "any"}),
        ({"minimum": -1.5, "maximum": 1e30}, "number", {"data-step": "any", "data-min": "-1.5", "data-max": "1e+30"}),
        (
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "number",
            {"data-step": "any", "data-min": "0", "data-max": "1"},
        ),
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
            "number",
            {"data-step": "1", "data-min": "1", "data-max": "8"},
        ),
        ({"type": "number", "multipleOf": 0.5, "minimum": 1}, "number", {"data-step": "0.5", "data-min": "1"}),
        ({"type": "number", "multipleOf": 2, "minimum": 1}, "number", {"data-step": "2", "data-min": "1"}),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "array",
            {"data-min-entries": "0", "data-max-entries": "3"},
        ),
        ({"uniqueItems": True, "items": {"enum": ["a", "b"]}, "minItems": 1}, "checkboxes", {"data-min-entries": "1"}),
        ({"type": "array"}, "json", {}),
        ({"type": "array", "items": True}, "json", {}),
        ({"type": "object"}, "json", {}),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "json", {}),
        ({"type": "object", "properties": {"a": {}}}, "object", {}),
        ({"properties": {"a": {}}, "additionalProperties": True}, "object", {"data-open": ""}),
        ({"properties": {"a": {}}, "additionalProperties": False}, "object", {}),
        ({"properties": {"a": {}}, "patternProperties": {"^x": {}}}, "object", {"data-open": ""}),
        ({"properties": {"a": {}}, "if": {}, "then": {"properties": {"b": {}}}}, "object", {"data-open": ""}),
        ({"properties": {"a": {}}, "if": {}, "then": False, "additionalProperties": False}, "object", {}),
        ({}, "json", {}),
        (True, "json", {}),
        ({"type": "null"}, "json", {}),
    ],
)
def test_each_construct_has_its_widget(schema: Any, widget: str, attributes: dict[str, str]):
    field = build(schema)
    assert (field.widget, dict(field.attributes)) == (widget, attributes)
    assert widget in WIDGETS


@pytest.mark.parametrize(
    ("schema", "widget", "choices"),
    [
        ({"type": "boolean"}, "radios", [("Yes", "true"), ("No", "false")]),
        ({"type": ["boolean", "null"]}, "radios", [("Yes", "true"), ("No", "false"), ("Unknown", "null")]),
        ({"enum": ["a", "b", None]}, "radios", [("a", '"a"'), ("b", '"b"'), ("Unknown", "null")]),
        ({"enum": [1, 2.5, True, ""]}, "radios", [("1", "1"), ("2.5", "2.5"), ("Yes", "true"), ("(empty text)", '""')]),
        ({"enum": ["ä", "b", "c", "d", "e"]}, "select", [("ä", '"ä"'), *((c, f'"{c}"') for c in "bcde")]),
        ({"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}, "radios", [("One", "1"), ("2", "2")]),
        (
            {"anyOf": [{"const": 1, "title": "One"}, {"type": "null", "title": "Nobody knows"}]},
            "radios",
            [("One", "1"), ("Nobody knows", "null")],
        ),
        ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, "radios", [("a", '"a"'), ("Unknown", "null")]),
        (
            {"anyOf": [{"$ref": "#/$defs/letter"}, {"type": "null"}]},
            "radios",
            [("x", '"x"'), ("y", '"y"'), ("Unknown", "null")],
        ),
        ({"const": 3}, "radios", [("3", "3")]),
    ],
)
def test_choices_are_few_radios_or_a_long_list(schema: Any, widget: str, choices: list[tuple[str, str]]):
    field = build(schema, **{"$defs": {"letter": {"enum": ["x", "y"]}}})
    assert field.widget == widget
    assert [(choice.label, choice.value_json) for choice in field.choices] == choices
    assert not field.is_nullable  # null is one of the choices


def test_a_description_of_a_choice_is_kept():
    field = build({"oneOf": [{"const": "a", "title": "A", "description": "first"}, {"const": "b"}]})
    assert field.choices[0] == Choice("a", "A", "first")


def test_a_required_constant_asks_nothing():
    assert build({"const": "v1"}, required=True).widget == "const"


def test_names_become_labels_and_titles_win():
    assert build({"type": "string"}).label == "It"
    form = build_form(
        {"properties": {"petal_length": {"type": "number"}, "_": {"type": "number"}, "x": {"title": "Ex"}}}
    )
    assert [field.label for field in form.children] == ["Petal length", "_", "Ex"]


def test_words_and_units_are_carried():
    field = build({"type": "number", "title": "T", "description": "D", "unit": "cm", "readOnly": True}, required=True)
    assert (field.label, field.description, field.unit) == ("T", "D", "cm")
    assert field.is_read_only
    assert field.is_required


@pytest.mark.parametrize(
    ("schema", "default"),
    [
        ({"default": 0}, "0"),
        ({"default": None}, "null"),
        ({"default": {"a": []}}, '{"a": []}'),
        ({"type": "number"}, None),
    ],
)
def test_only_a_stated_default_is_given(schema: Any, default: str | None):
    assert build(schema, required=True).default_json == default


@pytest.mark.parametrize(
    ("schema", "placeholder"),
    [
        ({"type": "string", "examples": ["Ada"]}, "e.g. Ada"),
        ({"type": "number", "examples": [[1], 2.5]}, "e.g. 2.5"),
        ({"type": "string", "examples": ["x" * 81]}, None),
        ({"type": "string", "examples": ["Ada"], "default": "Bob"}, None),
    ],
)
def test_a_short_example_is_the_placeholder(schema: Any, placeholder: str | None):
    assert build(schema).attributes.get("placeholder") == placeholder


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["number", "null"]},
        {"anyOf": [{"type": "number"}, {"type": "null"}]},
        {"oneOf": [{"const": None}, {"type": "number"}]},
        {"anyOf": [{"$ref": "#/$defs/number"}, {"type": "null"}]},
    ],
)
def test_null_beside_one_form_is_unknown(schema: Any):
    field = build(schema, **{"$defs": {"number": {"type": "number"}}})
    assert (field.widget, field.is_nullable) == ("number", True)


def test_fields_of_objects_know_whether_they_are_required():
    form = build_form({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b", "c"]})
    assert [(field.name, field.widget, field.is_required) for field in form.children] == [
        ("a", "text", False),
        ("b", "text", True),
        ("c", "json", True),  # asked for, but not described
    ]


def test_a_field_where_nothing_is_allowed_is_not_asked_for():
    form = build_form({"properties": {"a": False, "b": {"type": "string"}}})
    assert [field.name for field in form.children] == ["b"]


def test_places_and_further_entries_of_an_array():
    field = build(
        {
            "prefixItems": [{"type": "number"}, {"title": "Name", "type": "string"}],
            "items": {"type": "boolean"},
            "minItems": 1,
        }
    )
    assert field.widget == "tuple"
    assert [(place.label, place.widget, place.is_required) for place in field.children] == [
        ("Entry 1", "number", True),
        ("Name", "text", False),
    ]
    assert field.entry is not None
    assert field.entry.widget == "radios"
    assert build({"prefixItems": [{"type": "number"}], "items": False}).entry is None


def test_alternatives_are_named_by_title_tag_or_number():
    field = build(
        {
            "oneOf": [
                {"title": "Card", "type": "object", "properties": {"number": {"type": "string"}}},
                {"type": "object", "properties": {"kind": {"const": "cash"}}, "required": ["kind"]},
                {"type": "object", "properties": {"a": {"type": "string"}}},
                {"type": "null"},
            ]
        }
    )
    assert field.widget == "alternatives"
    assert [child.label for child in field.children] == ["Card", "Kind: cash", "Form 3"]
    assert field.is_nullable
    assert not any(child.is_nullable for child in field.children)


def test_alternatives_hold_what_stands_beside_them():
    field = build(
        {
            "title": "Shape",
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "oneOf": [
                {"title": "Circle", "properties": {"r": {"type": "number"}}},
                {"title": "Box", "required": ["a"]},
            ],
        }
    )
    assert field.label == "Shape"
    assert [[child.name for child in form.children] for form in field.children] == [["name", "r"], ["name", "a"]]


def test_several_types_are_alternatives():
    field = build({"type": ["string", "integer", "null"], "title": "Id", "minLength": 3})
    assert field.label == "Id"
    assert [(child.label, child.widget) for child in field.children] == [("String", "text"), ("Integer", "number")]
    assert field.is_nullable


def test_references_are_followed_and_what_stands_beside_them_counts():
    field = build(
        {"$ref": "#/$defs/a", "title": "Mine"},
        **{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "integer", "title": "B"}}},
    )
    assert (field.widget, field.label) == ("number", "Mine")


def test_all_of_is_one_form():
    field = build(
        {
            "allOf": [
                {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "number"}}},
            ],
            "type": "object",
        }
    )
    assert [(child.name, child.is_required) for child in field.children] == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    ("schema", "widget", "attributes"),
    [
        (
            {"type": "number", "allOf": [{"minimum": 1, "maximum": 9}, {"minimum": 2}]},
            "number",
            {"data-min": "2", "data-max": "9", "data-step": "any"},
        ),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": 4}, "number", {"data-min": "5", "data-step": "1"}),
        ({"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, "text", {"type": "text", "data-pattern": "^a"}),
        ({"allOf": [{"type": ["integer", "null"]}, {"type": "number"}]}, "number", {"data-step": "1"}),
        ({"$ref": "#/$defs/short", "maxLength": 5}, "text", {"type": "text", "data-max-length": "3"}),
        ({"$dynamicRef": "#short"}, "text", {"type": "text", "data-max-length": "3"}),
        ({"allOf": [{"$ref": "#short"}, {"$ref": "#/$defs/short"}]}, "text", {"type": "text", "data-max-length": "3"}),
    ],
)
def test_rules_that_apply_together_are_one_field(schema: Any, widget: str, attributes: dict[str, str]):
    short = {"type": "string", "maxLength": 3, "$anchor": "short"}
    field = build(schema, **{"$defs": {"short": short}})
    assert field.widget == widget
    assert attributes.items() <= field.attributes.items()


def test_choices_are_what_all_lists_have():
    field = build({"allOf": [{"enum": ["a", "b", "c"]}, {"enum": ["b", "c", "d"]}]})
    assert [choice.value for choice in field.choices] == ["b", "c"]
    assert build({"enum": ["a", "b", None], "type": "string"}).choices == (Choice("a"), Choice("b"))


def test_null_is_no_value_where_another_rule_refuses_it():
    assert not build({"anyOf": [{"minimum": 1}, {"type": "null"}], "type": "number"}).is_nullable


def test_a_field_that_another_branch_closes_out_is_not_asked_for():
    closed = {"properties": {"a": {"type": "string"}}, "additionalProperties": False}
    field = build({"allOf": [closed, {"properties": {"b": {"type": "string"}}}]})
    assert [child.name for child in field.children] == ["a"]


def test_a_field_without_a_name_of_its_own_is_what_its_name_makes_it():
    schema = {"properties": {"a": True}, "required": ["n_1"], "patternProperties": {"^n_": {"type": "number"}}}
    assert [child.widget for child in build(schema).children] == ["json", "number"]


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"type": "string"}, {"type": "number"}]},
        {"allOf": [True]},
        {"$ref": "#/$defs/self"},
    ],
)
def test_what_cannot_be_drawn_is_json(schema: Any):
    assert build(schema, **{"$defs": {"self": {"$ref": "#/$defs/self"}}}).widget == "json"


def test_a_recursion_stops_at_json():
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    field = build({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}})
    (children,) = field.children
    assert (children.widget, children.entry.widget if children.entry else None) == ("array", "json")


def test_the_root_may_refer_to_itself():
    form = build_form({"type": "object", "properties": {"next": {"$ref": "#"}}})
    depth = 0
    while form.children:
        form, depth = form.children[0], depth + 1
    assert form.widget == "json"
    assert depth <= 2


def test_depth_and_size_are_bounded():
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(50):
        deep = {"type": "object", "properties": {"a": deep}}
    wide = {"type": "object", "properties": {f"f{i}": {"type": "string"} for i in range(1000)}}
    assert len(list(walk(build_form(deep)))) <= 11
    widgets = [field.widget for field in walk(build_form(wide))]
    assert len(widgets) == 1001
    assert widgets[-1] == "json"


def test_ids_are_unique():
    form = build_form({"properties": {name: {"type": "array", "items": {"type": "string"}} for name in "abc"}})
    ids = [field.id for field in walk(form)]
    assert len(ids) == len(set(ids)) == 7


def test_the_schema_is_left_as_it_is():
    schema = {
        "type": "object",
        "properties": {"a": {"allOf": [{"type": "string"}], "oneOf": [{"minLength": 1}, {"maxLength": 3}]}},
    }
    before = repr(schema)
    build_form(schema)
    assert repr(schema) == before


def walk(field: FormField) -> Any:
    yield field
    for child in (*field.children, *([field.entry] if field.entry else [])):
        yield from walk(child)
