"""Functions that write JSON Schema: the words of a field in one line. Plain dictionaries go in and come out.

    input_schema = record(
        "Iris flower",
        {
            "petal_length": number("Petal length", unit="cm", above=0, most=25),
            "colour": optional(choice("Colour", {"b": "Blue", "w": "White"})),
        },
        examples=[{"petal_length": 1.4, "colour": None}],
    )
    output_schema = answer("Species", {"probabilities": probabilities(SPECIES)})

What no parameter says is added with ``|``: ``number("Length") | {"default": 5}``. A schema that is written
as a dictionary is worth as much as one that is made here; the platform sees no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model_service.records import Payload, Schema

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def record(
    title: str,
    fields: Mapping[str, Schema],
    *,
    description: str = "",
    examples: Sequence[Payload] = (),
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return an object that has these fields and no others; all but those that may be null must be there.

    Args:
        title: Name for people.
        fields: Schemas by name.
        description: What people should know of the whole.
        examples: Complete payloads: the self-test of the model, and what people try first.
        messages: Sentences by keyword (``x-error-messages``) that callers read when they break it.
    """
    required = [name for name, field in fields.items() if not _allows_null(field)]
    return _write_object(title, fields, required, description, examples=list(examples), messages=messages)


def answer(title: str, fields: Mapping[str, Schema], *, description: str = "") -> Schema:
    """Return an object that always has all of these fields, null or not, and no others: what outputs are."""
    return _write_object(title, fields, list(fields), description)


def optional(field: Schema, *, title: str = "Unknown") -> Schema:
    """Return a field that may be null too; in a `record` it may then be absent.

    Args:
        field: What any other value must be.
        title: The word for null among choices that have words.
    """
    if _allows_null(field):
        return field
    types = field.get("type", [])
    nullable: Schema = {**field, "type": [*([types] if isinstance(types, str) else types), "null"]}
    if "type" not in field:
        nullable = {"anyOf": [field, {"type": "null"}]}
    if "enum" in field:
        nullable["enum"] = [*field["enum"], None]
    if "oneOf" in field:
        nullable["oneOf"] = [*field["oneOf"], {"const": None, "title": title}]
    return nullable


def either(first: str, second: str) -> Schema:
    """Return the rule that exactly one of two optional fields is given: for the ``allOf`` of a `record`."""
    one, both = f"give {first}, or {second} instead", f"give either {first} or {second}, not both"
    return {
        "if": {"properties": {second: {"type": "null"}}},
        "then": {
            "required": [first],
            "properties": {first: {"not": {"type": "null"}, "x-error-messages": {"not": one}}},
            "x-error-messages": {"required": one},
        },
        "else": {"properties": {first: {"type": "null", "x-error-messages": {"type": both}}}},
    }


def number(
    title: str,
    description: str = "",
    *,
    unit: str = "",
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return a number with its bounds: greater than ``above``, at least ``least``, at most ``most``."""
    return _write("number", title, description, unit=unit, **_bound(above, least, most), messages=messages)


def integer(
    title: str,
    description: str = "",
    *,
    unit: str = "",
    above: int | None = None,
    least: int | None = None,
    most: int | None = None,
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return a whole number with its bounds, as `number`."""
    return _write("integer", title, description, unit=unit, **_bound(above, least, most), messages=messages)


def choice(
    title: str,
    values: Iterable[Any] | Mapping[Any, str],
    description: str = "",
    *,
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return a field that has one of some values; a mapping gives each value the word that people see."""
    listed = list(values)
    types = list(dict.fromkeys(_TYPES[type(value)] for value in listed))
    kind: Any = types[0] if len(types) == 1 else types
    if isinstance(values, Mapping):
        choices = [{"const": value, "title": words} for value, words in values.items()]
        return _write(kind, title, description, oneOf=choices, messages=messages)
    return _write(kind, title, description, enum=listed, messages=messages)


def flag(title: str, description: str = "") -> Schema:
    """Return a field that is true or false."""
    return _write("boolean", title, description)


def text(
    title: str,
    description: str = "",
    *,
    least: int | None = None,
    most: int | None = None,
    pattern: str = "",
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return a text of ``least`` to ``most`` characters in which the regular expression ``pattern`` is found."""
    lengths = {"minLength": least, "maxLength": most}
    return _write("string", title, description, **lengths, pattern=pattern, messages=messages)


def sequence(
    title: str,
    alphabet: str,
    description: str = "",
    *,
    least: int,
    most: int,
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return a text whose letters the form checks while people type or paste FASTA.

    The alphabet refuses nothing by itself: `MLModel.find_violations` says which letter is wrong, and where.
    """
    written = text(title, description, least=least, most=most, messages=messages)
    return {**written, "x-alphabet": alphabet}


def probabilities(classes: Sequence[str], title: str = "Probabilities", description: str = "") -> Schema:
    """Return an object with a number from 0 to 1 per class."""
    words = description or "Probability of each class; they add up to 1."
    return answer(title, {name: {"type": "number", "minimum": 0, "maximum": 1} for name in classes}, description=words)


def _write_object(
    title: str, fields: Mapping[str, Schema], required: list[str], description: str, **keywords: Any
) -> Schema:
    written = _write("object", title, description, properties=dict(fields), required=required, **keywords)
    return {**written, "additionalProperties": False}


def _write(kind: Any, title: str, description: str, **keywords: Any) -> Schema:
    """Return a schema without the keywords that say nothing; 0 says something."""
    messages = keywords.pop("messages", None)
    all_keywords = {"type": kind, "title": title, "description": description, **keywords}
    written = {name: value for name, value in all_keywords.items() if value not in (None, "", [])}
    return {**written, "x-error-messages": dict(messages)} if messages else written


def _bound(above: float | None, least: float | None, most: float | None) -> dict[str, float | None]:
    return {"exclusiveMinimum": above, "minimum": least, "maximum": most}


def _allows_null(field: Schema) -> bool:
    types = field.get("type")
    return (
        types == "null" or (isinstance(types, list) and "null" in types) or {"type": "null"} in field.get("anyOf", ())
    )
