"""JSON Schema to a tree of form fields: what a form asks, never how it looks.

`build_form` decides for every part of a schema which widget draws it; each name in
`WIDGETS` has a template of that name, and a script that reads and fills it. What no widget
can draw (a recursion, a map of any names, a contradiction) becomes a field of JSON text,
so that a form never has a hole. The server's validator alone judges what is sent; the
attributes here only help while typing.

Two annotations are read beside JSON Schema's own: ``unit`` of a number, and ``x-alphabet``,
which makes a text a sequence of those letters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from model_service.records import Schema
from model_service.schema.node import Node, read_node
from model_service.schema.values import Choice, write_json

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
    # As one schema inside another: where a field refers to the whole, it is drawn once more, in fields.
    return _Builder().build(read_node(schema, schema), _Place("", is_required=True))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands: its label without a title, its key, and how deep."""

    label: str
    name: str | None = None
    is_required: bool = False
    is_nullable: bool = False
    depth: int = 0

    def below(self, label: str, name: str | None = None, *, is_required: bool = True) -> "_Place":
        return _Place(label, name, is_required, depth=self.depth + 1)


class _Builder:
    """Builds one form; counts its fields, which names them."""

    def __init__(self) -> None:
        self._count = 0

    def build(self, node: Node, place: _Place) -> FormField:
        self._count += 1
        plain = FormField(
            widget="json",
            id=f"f{self._count}",
            name=place.name,
            label=node.text("title") or place.label,
            description=node.text("description"),
            unit=node.text("unit"),
            is_required=place.is_required,
            is_read_only=node.is_set("readOnly"),
            default_json=write_json(node.get("default")) if node.has("default") else None,
            attributes=_placeholder(node),
        )
        if node.is_refused or node.returns_to is not None or place.depth > _MAX_DEPTH or self._count > _MAX_FIELDS:
            return plain
        if choices := node.choices:
            return _choice_field(plain, choices, is_nullable=place.is_nullable)
        for alternatives in node.alternatives():
            place = replace(place, is_nullable=place.is_nullable or alternatives.is_nullable)
            if len(alternatives.others) == 1:
                return self.build(alternatives.others[0].join(alternatives.rest), place)
            forms = [alternatives.rest.without_words().join(branch) for branch in alternatives.others]
            return self._alternatives(plain, forms, place)
        types = [name for name in node.likely_types if name != "null"]
        place = replace(place, is_nullable=place.is_nullable or len(types) < len(node.likely_types))
        if len(types) > 1:
            forms = [node.without_words().narrow(name, title=name.capitalize()) for name in types]
            return self._alternatives(plain, forms, place)
        return self._typed(replace(plain, is_nullable=place.is_nullable), types, node, place)

    def _typed(self, plain: FormField, types: list[str], node: Node, place: _Place) -> FormField:
        match types:
            case ["object"]:
                return self._object(plain, node, place)
            case ["array"]:
                return self._array(plain, node, place)
            case ["string"]:
                return _text_field(plain, node)
            case ["number"] | ["integer"]:
                return _number_field(plain, node, is_integer=types == ["integer"])
            case ["boolean"]:
                return _choice_field(plain, [Choice(True), Choice(False)], is_nullable=plain.is_nullable)
            case _:
                return plain

    def _alternatives(self, plain: FormField, forms: list[Node], place: _Place) -> FormField:
        fields = []
        for i, form in enumerate(forms):
            built = self.build(form, replace(place.below(""), is_nullable=False))
            label = built.label or _describe_tag(built) or f"Form {i + 1}"
            fields.append(replace(built, label=label))
        return replace(plain, widget="alternatives", is_nullable=place.is_nullable, children=tuple(fields))

    def _object(self, plain: FormField, node: Node, place: _Place) -> FormField:
        fields = node.fields()
        if not fields:
            return plain
        required = node.required
        # Some fields may be asked for without a word about them.
        fields |= {name: node.field(name) for name in required if name not in fields}
        children = [
            self.build(field, place.below(_humanise(name), name, is_required=name in required))
            for name, field in fields.items()
            if not field.is_refused
        ]
        # Conditions name further fields only where other fields are let in.
        asks_for_more = node.has("patternProperties") or (
            node.has("if", "dependentSchemas", "additionalProperties") and not node.is_closed
        )
        attributes = {"data-open": ""} if asks_for_more else {}
        return replace(plain, widget="object", children=tuple(children), attributes=attributes)

    def _array(self, plain: FormField, node: Node, place: _Place) -> FormField:
        least, most = node.bound("minItems") or 0, node.bound("maxItems")
        bounds = {"data-min-entries": str(least)} | ({} if most is None else {"data-max-entries": str(most)})
        further = node.entry()
        has_entry = further is not None and further.parts and not further.is_refused
        entry = self.build(further, place.below("Entry")) if further and has_entry else None
        if places := node.first_entries():
            children = [
                self.build(item, place.below(f"Entry {i + 1}", is_required=i < least)) for i, item in enumerate(places)
            ]
            return replace(plain, widget="tuple", children=tuple(children), entry=entry, attributes=bounds)
        if entry is None:
            return plain
        if node.is_set("uniqueItems") and entry.widget in ("radios", "select"):
            return replace(plain, widget="checkboxes", choices=entry.choices, attributes=bounds)
        return replace(plain, widget="array", entry=entry, attributes=bounds)


def _choice_field(plain: FormField, choices: list[Choice], *, is_nullable: bool) -> FormField:
    if is_nullable and all(choice.value is not None for choice in choices):
        choices = [*choices, Choice(None)]
    # Null is one of the choices here, so the field itself needs no other way to say it.
    plain = replace(plain, is_nullable=False, choices=tuple(choices), attributes={})
    if len(choices) == 1 and plain.is_required:
        return replace(plain, widget="const")
    return replace(plain, widget="radios" if len(choices) <= _MAX_RADIOS else "select")


def _text_field(plain: FormField, node: Node) -> FormField:
    attributes = {**plain.attributes}
    least, most = node.bound("minLength"), node.bound("maxLength")
    for bound, attribute in ((least, "data-min-length"), (most, "data-max-length")):
        if bound is not None:
            attributes[attribute] = str(bound)
    for pattern, sentence in [*node.patterns.items()][:1]:  # a hint: the server knows them all
        attributes |= {"data-pattern": pattern, "data-pattern-message": sentence}
    alphabet = _read_alphabet(node)
    if alphabet:
        return replace(plain, widget="sequence", attributes={**attributes, "data-alphabet": alphabet})
    text_format = node.text("format")
    if text_format == "date-time":
        return replace(plain, widget="datetime", attributes={})
    if max(most or 0, least or 0) > _MAX_LINE:
        return replace(plain, widget="textarea", attributes=attributes)
    if text_format in _PLACEHOLDERS:
        attributes.setdefault("placeholder", _PLACEHOLDERS[text_format])
    attributes["type"] = _INPUT_TYPES.get(text_format, "text")
    return replace(plain, widget="text", attributes=attributes)


def _read_alphabet(node: Node) -> str:
    """Return the letters of a sequence: as annotated, or of a pattern that repeats one set of letters."""
    annotated = node.text("x-alphabet")
    if annotated.isalpha():
        return "".join(dict.fromkeys(annotated.upper()))
    # Fewer letters than four are codes such as yes and no.
    found = (re.fullmatch(r"\^\[([A-Za-z]{4,})\](?:\+|\*|\{\d+(?:,\d*)?\})\$", pattern) for pattern in node.patterns)
    repeated = next(filter(None, found), None)
    return "".join(dict.fromkeys(repeated[1].upper())) if repeated else ""


def _number_field(plain: FormField, node: Node, *, is_integer: bool) -> FormField:
    attributes = {**plain.attributes, "data-step": "1" if is_integer else "any"}
    for keyword, exclusive, attribute, step, tightest in (
        ("minimum", "exclusiveMinimum", "data-min", 1, max),
        ("maximum", "exclusiveMaximum", "data-max", -1, min),
    ):
        bounds = [] if (bound := node.bound(keyword)) is None else [bound]
        if (beyond := node.bound(exclusive)) is not None:
            # The hints know inclusive bounds only: exact for integers, one value too wide for numbers.
            bounds.append(beyond + step if is_integer else beyond)
        if bounds:
            attributes[attribute] = write_json(tightest(bounds))
    for step in node.all("multipleOf")[:1]:
        attributes["data-step"] = write_json(step)
    return replace(plain, widget="number", attributes=attributes)


def _placeholder(node: Node) -> dict[str, str]:
    """Return the first example as a placeholder, where it is short and not the default."""
    for example in node.get("examples", ()):
        if isinstance(example, str | int | float) and not isinstance(example, bool) and not node.has("default"):
            text = str(example)
            return {"placeholder": f"e.g. {text}"} if 0 < len(text) <= _MAX_LINE else {}
    return {}


def _describe_tag(built: FormField) -> str:
    """Return what tells an alternative apart: its first field that has only one value."""
    tags = (child for child in built.children if child.widget == "const")
    return next((f"{tag.label}: {tag.choices[0].label}" for tag in tags), "")


def _humanise(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name
