"""JSON Schema to a tree of form fields: what a form asks, never how it looks.

`build_form` decides for every part of a schema which widget draws it; each name in
`WIDGETS` has a template of that name, and a script that reads and fills it. What no widget
can draw (a recursion, a map of any names, a contradiction) becomes a field of JSON text,
so that a form never has a hole. The server's validator alone judges what is sent; the
attributes here only help while typing.

Two annotations are read beside JSON Schema's own: ``unit`` of a number, and ``x-alphabet``,
which makes a text a sequence of those letters.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from model_service.records import Schema
from model_service.schema.branches import read_choices, read_forms, read_types, resolve

#: Widget -> what it asks for.
WIDGETS = {
    "text": "one line",
    "textarea": "several lines, with a counter",
    "sequence": "letters of an alphabet; takes FASTA",
    "number": "a number",
    "datetime": "a date, a time and an offset",
    "radios": "one of few choices",
    "select": "one of many choices",
    "checkboxes": "some of the choices, each once",
    "const": "nothing: there is one value",
    "object": "its fields",
    "array": "entries of one kind, added and removed",
    "tuple": "entries by place, then entries of one kind",
    "alternatives": "which of several forms, then that form",
    "json": "JSON text",
}
#: Deeper or larger than this nobody fills in by hand, and a page should stay small.
_MAX_DEPTH = 8
_MAX_FIELDS = 400
#: Up to here all choices are in view at once.
_MAX_RADIOS = 4
#: A text that may be longer than this gets several lines.
_MAX_LINE = 80
_INPUT_TYPES = {"date": "date", "email": "email", "uri": "url"}
_PLACEHOLDERS = {"uri": "https://", "time": "hh:mm:ssZ", "uuid": "8-4-4-4-12 hexadecimal digits"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that can be chosen; ``value_json`` is its JSON text."""

    label: str
    value_json: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class FormField:
    """One question of a form.

    Attributes:
        widget: A key of `WIDGETS`.
        id: Unique in the form; what the page's elements are called.
        name: The key of the value in its object; ``None`` for the root, entries and alternatives.
        is_required: Whether the value must be given. It is never given for the person unless there is a default.
        is_nullable: Whether null is a value beside the others, shown as "unknown".
        default_json: JSON text of the default; ``None`` without one.
        attributes: HTML attributes by name, such as ``placeholder``; ``data-`` ones are read by the scripts.
        choices: Of ``radios``, ``select`` and ``checkboxes``; the one of ``const``.
        children: Fields of an object, places of a tuple, or the alternatives.
        entry: What each further entry of an array or tuple looks like.
    """

    widget: str
    id: str
    label: str
    name: str | None = None
    description: str = ""
    unit: str = ""
    is_required: bool = False
    is_nullable: bool = False
    is_read_only: bool = False
    default_json: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    children: tuple["FormField", ...] = ()
    entry: "FormField | None" = None


def build_form(schema: Schema) -> FormField:
    """Return the form of a model's input schema; its root asks for an object.

    Args:
        schema: JSON Schema 2020-12 that passed `find_schema_faults`.
    """
    return _Builder(schema).build(schema, _Place("", is_required=True))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands: its label without a title, its key, and the references that lead here."""

    label: str
    name: str | None = None
    is_required: bool = False
    is_nullable: bool = False
    depth: int = 0
    references: frozenset[str] = frozenset()

    def below(self, label: str, name: str | None = None, *, is_required: bool = True) -> "_Place":
        return _Place(label, name, is_required, depth=self.depth + 1, references=self.references)


class _Builder:
    """Builds one form; counts its fields, which names them."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._count = 0

    def build(self, schema: Any, place: _Place) -> FormField:
        self._count += 1
        resolved = resolve(schema, self._root, place.references)
        schema = resolved.schema
        place = replace(place, references=resolved.references)
        plain = FormField(
            widget="json",
            id=f"f{self._count}",
            name=place.name,
            label=_text(schema, "title") or place.label,
            description=_text(schema, "description"),
            unit=_text(schema, "unit"),
            is_required=place.is_required,
            is_read_only=schema.get("readOnly") is True,
            default_json=_json(schema["default"]) if "default" in schema else None,
            attributes=_placeholder(schema),
        )
        if not resolved.is_drawable or place.depth > _MAX_DEPTH or self._count > _MAX_FIELDS:
            return plain
        if choices := read_choices(schema):
            return _choice_field(plain, choices, is_nullable=place.is_nullable)
        forms, is_nullable = read_forms(schema)
        place = replace(place, is_nullable=place.is_nullable or is_nullable)
        if len(forms) > 1:
            children = self._alternatives(forms, place)
            return replace(plain, widget="alternatives", is_nullable=place.is_nullable, children=children)
        if "allOf" in forms[0]:  # one alternative, and null
            return self.build(forms[0], place)
        return self._typed(replace(plain, is_nullable=place.is_nullable), forms[0], place)

    def _typed(self, plain: FormField, schema: Schema, place: _Place) -> FormField:
        match read_types(schema):
            case ["object"]:
                return self._object(plain, schema, place)
            case ["array"]:
                return self._array(plain, schema, place)
            case ["string"]:
                return _text_field(plain, schema)
            case ["number"] | ["integer"]:
                return _number_field(plain, schema)
            case ["boolean"]:
                return _choice_field(plain, [{"const": True}, {"const": False}], is_nullable=plain.is_nullable)
            case _:
                return plain

    def _alternatives(self, forms: list[Schema], place: _Place) -> tuple[FormField, ...]:
        fields = []
        for i, form in enumerate(forms):
            built = self.build(form, replace(place.below(""), is_nullable=False))
            label = built.label or _describe_tag(built) or f"Form {i + 1}"
            fields.append(replace(built, label=label))
        return tuple(fields)

    def _object(self, plain: FormField, schema: Schema, place: _Place) -> FormField:
        properties: Schema = schema.get("properties", {})
        if not properties:
            return plain
        required = schema.get("required", ())
        children = [
            self.build(properties.get(name, True), place.below(_humanise(name), name, is_required=name in required))
            for name in dict.fromkeys([*properties, *required])
            if properties.get(name) is not False  # nothing is allowed there
        ]
        asks_for_more = any(keyword in schema for keyword in ("patternProperties", "if", "dependentSchemas")) or (
            schema.get("additionalProperties", False) is not False
        )
        attributes = {"data-open": ""} if asks_for_more else {}
        return replace(plain, widget="object", children=tuple(children), attributes=attributes)

    def _array(self, plain: FormField, schema: Schema, place: _Place) -> FormField:
        bounds = {"data-min-entries": str(schema.get("minItems", 0))}
        if "maxItems" in schema:
            bounds["data-max-entries"] = str(schema["maxItems"])
        places = schema.get("prefixItems", ())
        items = schema.get("items", True)
        entry = self.build(items, place.below("Entry")) if isinstance(items, dict) else None
        if places:
            least = schema.get("minItems", 0)
            children = [
                self.build(item, place.below(f"Entry {i + 1}", is_required=i < least)) for i, item in enumerate(places)
            ]
            return replace(plain, widget="tuple", children=tuple(children), entry=entry, attributes=bounds)
        if entry is None:
            return plain
        if schema.get("uniqueItems") and entry.widget in ("radios", "select"):
            return replace(plain, widget="checkboxes", choices=entry.choices, attributes=bounds)
        return replace(plain, widget="array", entry=entry, attributes=bounds)


def _choice_field(plain: FormField, schemas: list[Schema], *, is_nullable: bool) -> FormField:
    choices = [
        Choice(_text(schema, "title") or _describe_value(value), _json(value), _text(schema, "description"))
        for schema in schemas
        for value in [schema["const"]]
    ]
    if is_nullable and all(choice.value_json != "null" for choice in choices):
        choices.append(Choice("Unknown", "null"))
    # Null is one of the choices here, so the field itself needs no other way to say it.
    plain = replace(plain, is_nullable=False, choices=tuple(choices), attributes={})
    if len(choices) == 1 and plain.is_required:
        return replace(plain, widget="const")
    return replace(plain, widget="radios" if len(choices) <= _MAX_RADIOS else "select")


def _text_field(plain: FormField, schema: Schema) -> FormField:
    attributes = {**plain.attributes}
    for keyword, attribute in (("minLength", "data-min-length"), ("maxLength", "data-max-length")):
        if keyword in schema:
            attributes[attribute] = str(schema[keyword])
    if "pattern" in schema:
        attributes["data-pattern"] = schema["pattern"]
        attributes["data-pattern-message"] = schema.get("x-error-messages", {}).get("pattern", "")
    alphabet = _read_alphabet(schema)
    if alphabet:
        return replace(plain, widget="sequence", attributes={**attributes, "data-alphabet": alphabet})
    text_format = schema.get("format", "")
    if text_format == "date-time":
        return replace(plain, widget="datetime", attributes={})
    if max(schema.get("maxLength", 0), schema.get("minLength", 0)) > _MAX_LINE:
        return replace(plain, widget="textarea", attributes=attributes)
    if text_format in _PLACEHOLDERS:
        attributes.setdefault("placeholder", _PLACEHOLDERS[text_format])
    attributes["type"] = _INPUT_TYPES.get(text_format, "text")
    return replace(plain, widget="text", attributes=attributes)


def _read_alphabet(schema: Schema) -> str:
    """Return the letters of a sequence: as annotated, or of a pattern that repeats one set of letters."""
    annotated = schema.get("x-alphabet")
    if isinstance(annotated, str) and annotated.isalpha():
        return "".join(dict.fromkeys(annotated.upper()))
    # Fewer letters than four are codes such as yes and no.
    repeated = re.fullmatch(r"\^\[([A-Za-z]{4,})\](?:\+|\*|\{\d+(?:,\d*)?\})\$", schema.get("pattern", ""))
    return "".join(dict.fromkeys(repeated[1].upper())) if repeated else ""


def _number_field(plain: FormField, schema: Schema) -> FormField:
    is_integer = read_types(schema) == ["integer"]
    attributes = {**plain.attributes, "data-step": "1" if is_integer else "any"}
    for keyword, attribute in (("minimum", "data-min"), ("maximum", "data-max")):
        if keyword in schema:
            attributes[attribute] = _json(schema[keyword])
    for keyword, attribute, step in (("exclusiveMinimum", "data-min", 1), ("exclusiveMaximum", "data-max", -1)):
        if keyword in schema:
            # The hints know inclusive bounds only: exact for integers, one value too wide for numbers.
            attributes.setdefault(attribute, _json(schema[keyword] + step if is_integer else schema[keyword]))
    if "multipleOf" in schema:
        attributes["data-step"] = _json(schema["multipleOf"])
    return replace(plain, widget="number", attributes=attributes)


def _placeholder(schema: Schema) -> dict[str, str]:
    """Return the first example as a placeholder, where it is short and not the default."""
    for example in schema.get("examples", ()):
        if isinstance(example, str | int | float) and not isinstance(example, bool) and "default" not in schema:
            text = str(example)
            return {"placeholder": f"e.g. {text}"} if 0 < len(text) <= _MAX_LINE else {}
    return {}


def _describe_tag(built: FormField) -> str:
    """Return what tells an alternative apart: its first field that has only one value."""
    tags = (child for child in built.children if child.widget == "const")
    return next((f"{tag.label}: {tag.choices[0].label}" for tag in tags), "")


def _describe_value(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None:
        return "Unknown"
    if isinstance(value, str):
        return value or "(empty text)"
    return _json(value)


def _humanise(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name


def _text(schema: Schema, keyword: str) -> str:
    value = schema.get(keyword, "")
    return value if isinstance(value, str) else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
