"""Schemas from Python types are those that one would write by hand, and what has none is refused by name."""

import datetime
import enum
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NewType, NotRequired, Required, TypedDict

import marshmallow
import pydantic
import pytest
import typing_extensions
from marshmallow import fields as m
from marshmallow import validate
from serving import TESTS

from model_service import MLModel, fields
from model_service.loading import describe_model
from model_service.schema.contract import find_schema_faults, find_schema_warnings
from model_service.schema.validation import SchemaValidator
from model_service.types import schema_of


class Colour(enum.StrEnum):
    BLUE = "b"
    WHITE = "w"


Centimetres = NewType("Centimetres", float)


@dataclass
class Size:
    x: Annotated[float, fields.number("Width", unit="cm", above=0)]


@dataclass
class IrisFlower:
    """One flower,
    measured by hand.

    Nobody reads this.
    """

    length: Annotated[float, fields.number("Length", unit="cm", above=0, most=25)]
    size: Size
    colour: Annotated[Colour | None, fields.choice("Colour", {"b": "Blue", "w": "White"})] = None
    petals: int = 5


BY_HAND = fields.record(
    "Iris flower",
    {
        "length": fields.number("Length", unit="cm", above=0, most=25),
        "size": {
            "type": "object",
            "title": "Size",
            "properties": {"x": fields.number("Width", unit="cm", above=0)},
            "required": ["x"],
            "additionalProperties": False,
        },
        "colour": fields.optional(fields.choice("Colour", {"b": "Blue", "w": "White"})),
        "petals": {"type": "integer", "default": 5},
    },
    description="One flower, measured by hand.",
    examples=[{"length": 1.5, "size": {"x": 1}}],
    messages={"required": "Measure it first."},
) | {"required": ["length", "size"]}


class FlowerDict(TypedDict):
    """One flower, measured by hand."""

    length: Annotated[float, fields.number("Length", unit="cm", above=0, most=25)]
    size: Size
    colour: Annotated[Literal["b", "w"] | None, fields.choice("Colour", {"b": "Blue", "w": "White"})]
    petals: NotRequired[Annotated[int, {"default": 5}]]


class PydanticSize(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(title="Size")
    x: float = pydantic.Field(title="Width", gt=0, json_schema_extra={"unit": "cm"})


class PydanticFlower(pydantic.BaseModel):
    """One flower, measured by hand."""

    length: float = pydantic.Field(title="Length", gt=0, le=25, json_schema_extra={"unit": "cm"})
    size: PydanticSize
    colour: Literal["b", "w"] | None = pydantic.Field(None, title="Colour")
    petals: int = pydantic.Field(5, title="Petals")


class MarshmallowSize(marshmallow.Schema):
    x = m.Float(
        required=True, validate=validate.Range(min=0, min_inclusive=False), metadata={"title": "Width", "unit": "cm"}
    )


class MarshmallowFlower(marshmallow.Schema):
    """One flower, measured by hand."""

    length = m.Float(
        required=True,
        validate=validate.Range(min=0, max=25, min_inclusive=False),
        metadata={"title": "Length", "unit": "cm"},
    )
    size = m.Nested(MarshmallowSize, required=True)
    colour = m.String(
        validate=validate.OneOf(["b", "w"], labels=["Blue", "White"]), allow_none=True, metadata={"title": "Colour"}
    )
    petals = m.Integer(load_default=5)
    ident = m.Integer(dump_only=True)


def _spell(schema: Any) -> Any:
    """Return a schema without names for people, which libraries make up, and in one order."""
    if isinstance(schema, list):
        return [_spell(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _spell(value) for name, value in schema.items() if not (name == "title" and value != "Length")}
    if "oneOf" in plain:
        plain["enum"] = [each["const"] for each in plain.pop("oneOf")]
    return plain


def test_a_dataclass_is_the_dictionary_that_one_would_write():
    written = schema_of(
        IrisFlower, examples=[{"length": 1.5, "size": {"x": 1}}], messages={"required": "Measure it first."}
    )
    assert written == BY_HAND


@pytest.mark.parametrize("kind", [FlowerDict, PydanticFlower, MarshmallowFlower, MarshmallowFlower()])
def test_every_kind_of_type_says_the_same(kind):
    by_hand = {name: value for name, value in BY_HAND.items() if name not in ("examples", "x-error-messages")}
    assert _spell(schema_of(kind)) == _spell(by_hand)


@pytest.mark.parametrize("kind", [IrisFlower, FlowerDict, PydanticFlower, MarshmallowFlower])
def test_the_schemas_are_fit_and_decide_alike(kind):
    schema = schema_of(kind, title="Flower", examples=[{"length": 1, "size": {"x": 1}, "colour": "w", "petals": 4}])
    assert find_schema_faults(schema, "input_schema") == []
    assert find_schema_warnings(schema, "input_schema") == []
    validator = SchemaValidator(schema)
    sound = {"length": 2.5, "size": {"x": 1}}
    assert not validator.find_violations(sound)
    assert not validator.find_violations({**sound, "colour": None})
    for wrong in (
        {"length": 0},
        {"colour": "g"},
        {"size": {}},
        {"size": {"x": 1, "y": 1}},
        {"more": 1},
        {"petals": 1.5},
    ):
        assert validator.find_violations({**sound, **wrong}), wrong


@pytest.mark.parametrize("kind", [IrisFlower, FlowerDict, PydanticFlower, MarshmallowFlower])
def test_outputs_have_all_fields_and_no_defaults(kind):
    schema = schema_of(kind, is_output=True)
    assert {"length", "size", "colour"} <= set(schema["required"])
    assert ("petals" in schema["required"]) == (kind is not FlowerDict)
    assert ("default" in schema["properties"]["petals"]) == (kind is FlowerDict)  # it stands there by hand
    assert schema["properties"]["colour"]["type"] == ["string", "null"]


def _table() -> list[tuple[Any, dict[str, Any]]]:
    array, text = {"type": "array"}, {"type": "string"}
    numbers = {**array, "items": {"type": "integer"}}
    letters = fields.sequence("DNA", "ACGT", least=1, most=9)
    return [
        (bool, {"type": "boolean"}),
        (Centimetres, {"type": "number"}),
        (int | float, {"type": "number"}),
        (int | str, {"type": ["integer", "string"]}),
        (int | None, {"type": ["integer", "null"]}),
        (list[int], numbers),
        (set[str], {**array, "items": text, "uniqueItems": True}),
        (tuple[int, ...], numbers),
        (tuple[float, float], {**array, "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        (
            tuple[str, int],
            {**array, "prefixItems": [text, {"type": "integer"}], "items": False, "minItems": 2, "maxItems": 2},
        ),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (list[int] | str, {"anyOf": [numbers, text]}),
        (list[int] | str | None, {"anyOf": [{"anyOf": [numbers, text]}, {"type": "null"}]}),
        (datetime.date, {**text, "format": "date"}),
        (datetime.datetime, {**text, "format": "date-time"}),
        (uuid.UUID, {**text, "format": "uuid"}),
        (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
        (Literal["a", None], {"type": ["string", "null"], "enum": ["a", None]}),
        (Colour, {**text, "enum": ["b", "w"]}),
        (Annotated[str, letters], letters),
        (Annotated[int | None, fields.integer("N", least=1)], fields.optional(fields.integer("N", least=1))),
        (Annotated[int | None, fields.optional(fields.integer("N"))], fields.optional(fields.integer("N"))),
        (list[Annotated[int, fields.integer("N")]], {**array, "items": fields.integer("N")}),
        (list[Annotated[int, fields.integer("N")]] | None, fields.optional({**array, "items": fields.integer("N")})),
        (
            Annotated[list[int] | str | None, {"title": "Either"}],
            {"anyOf": [{"anyOf": [numbers, text], "title": "Either"}, {"type": "null"}]},
        ),
    ]


@pytest.mark.parametrize(("annotation", "expected"), _table())
def test_an_annotation_becomes_a_schema(annotation, expected):
    kind = dataclass(type("Row", (), {"__annotations__": {"value": annotation}}))
    schema = schema_of(kind)
    assert schema["properties"]["value"] == expected
    assert find_schema_faults(schema, "input_schema") == []


class Recursive(pydantic.BaseModel):
    inner: "list[Recursive]"


class Calling(pydantic.BaseModel):
    sound: int
    call: Callable[[], int]


class Marked(pydantic.BaseModel):
    length: Annotated[float, fields.number("Length")]


class OwnField(m.Field):
    pass


@dataclass
class Derived:
    x: int
    double: int = field(init=False)


class Partial(TypedDict, total=False):
    x: "Required[int]"
    y: int


class ForeignDict(typing_extensions.TypedDict):
    x: int
    y: NotRequired[int]


@pytest.mark.parametrize(
    ("kind", "is_output", "names", "required"),
    [
        (Derived, False, ["x"], ["x"]),
        (Derived, True, ["x", "double"], ["x", "double"]),
        (Partial, False, ["x", "y"], ["x"]),
        (ForeignDict, True, ["x", "y"], ["x"]),
    ],
)
def test_what_need_not_be_there_is_not_required(kind, is_output, names, required):
    schema = schema_of(kind, is_output=is_output)
    assert (list(schema["properties"]), schema["required"]) == (names, required)


def _made(annotation: Any, default: Any = ...) -> Any:
    body = {"__annotations__": {"value": annotation}} | ({} if default is ... else {"value": default})
    return dataclass(type("Row", (), body))


@dataclass
class Tree:
    children: "list[Tree]"


@dataclass
class Lost:
    value: "Nowhere"  # noqa: F821 - what is tested


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (_made(complex), "Row.value: complex has no JSON Schema"),
        (_made(Any), "Any has no JSON Schema"),
        (_made(list), "Row.value: list does not say of what"),
        (_made(dict[int, str]), "Row.value: the keys of a JSON object are texts"),
        (_made(Literal[b"x"]), "Row.value: its values must be texts"),
        (_made(float, float("nan")), "Row.value: its default is a float"),
        (
            _made(list[Colour], field(default_factory=lambda: [Colour.BLUE, object()])),
            "Row.value: its default is a list",
        ),
        (
            _made(Annotated[int, fields.number("N")]),
            "Row.value: its type says integer, and what stands beside it number",
        ),
        (_made(Annotated[Colour, fields.choice("C", ("b", "g"))]), "let them agree"),
        (_made(Annotated[int, "cm"]), "Row.value: a str in Annotated says nothing here"),
        (_made(list[Size | complex]), "Row.value: complex has no JSON Schema"),
        (Tree, "Tree.children: Tree contains itself"),
        (Lost, "Lost: name 'Nowhere' is not defined"),
        (int, "int: neither a dataclass"),
        (Recursive, "contains itself"),
        (Calling, "Calling.call: pydantic has no JSON Schema of it"),
        (Marked, "Marked.length: pydantic does not read a dict in Annotated"),
        (
            marshmallow.Schema.from_dict({"value": OwnField()}, name="S"),
            "S.value: the field OwnField has no JSON Schema",
        ),
        (
            marshmallow.Schema.from_dict({"value": m.Pluck(MarshmallowSize, "x")}, name="S"),
            "S.value: the field Pluck has no JSON Schema",
        ),
        (marshmallow.Schema.from_dict({"value": m.Dict()}, name="S"), "S.value: Dict does not say of what"),
        (
            marshmallow.Schema.from_dict({"value": m.String(validate=lambda text: text.islower())}, name="S"),
            "S.value: the validator function has no JSON Schema",
        ),
    ],
)
def test_what_has_no_schema_is_refused_by_name(kind, words):
    with pytest.raises(TypeError) as caught:
        schema_of(kind)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "keywords"),
    [
        (validate.Length(min=1, max=3), {"minLength": 1, "maxLength": 3}),
        (validate.Length(equal=2), {"minLength": 2, "maxLength": 2}),
        (validate.Regexp("[a-z]+$"), {"pattern": "^(?:[a-z]+$)"}),
        (validate.Equal("x"), {"enum": ["x"]}),
    ],
)
def test_validators_of_marshmallow_become_keywords(rule, keywords):
    kind = marshmallow.Schema.from_dict({"value": m.String(validate=rule), "many": m.List(m.Email())}, name="S")
    properties = schema_of(kind)["properties"]
    assert properties["value"] == {"type": "string", **keywords}
    assert properties["many"] == {"type": "array", "items": {"type": "string", "format": "email"}}


def test_a_model_that_is_described_by_types_keeps_the_contract():
    class TypedModel(MLModel):
        qualified_name, display_name, version, description = "typed_model", "Typed", "1.0.0", "Measures."
        input_schema = schema_of(IrisFlower, examples=[{"length": 1.5, "size": {"x": 1}}])
        output_schema = schema_of(Size, is_output=True)

        def predict(self, payload):
            return {"x": payload["size"]["x"]}

    assert describe_model(TypedModel).warnings == ()


def test_the_example_of_the_guide_says_what_the_guide_says():
    guide = (TESTS.parent / "docs/writing-a-model-package.md").read_text()
    section = guide.partition("## Schemas from Python types")[2]
    names = {"OnnxModel": MLModel, "__name__": __name__}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    schema = names["RentModel"].input_schema
    assert find_schema_faults(schema, "input_schema") == []
    assert schema["required"] == ["area"]
    assert schema["properties"]["year"] == fields.optional(
        fields.integer("Year of construction", least=1800, most=2030)
    )
    assert schema["description"] == "A flat to let."


def test_neither_library_is_imported():
    program = "import sys, model_service.types; print(sorted({'pydantic', 'marshmallow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
