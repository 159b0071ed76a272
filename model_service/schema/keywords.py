"""The words of JSON Schema: which keywords and types there are, and which one somebody may have meant. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

from model_service.schema.walk import HOLD_DATA, HOLD_LISTS, HOLD_MAPS, HOLD_ONE, REFERENCES

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
#: Every keyword that is checked or shown; and `discriminator`, which generators of OpenAPI write.
KEYWORDS = (
    HOLD_ONE
    | HOLD_LISTS
    | HOLD_MAPS
    | HOLD_DATA
    | {*REFERENCES, "$anchor", "$comment", "$dynamicAnchor", "$id", "$schema", "$vocabulary"}
    | {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"pattern", "format", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties"}
    | {"maxProperties", "required", "dependentRequired", "contentEncoding", "contentMediaType"}
    | {"title", "description", "deprecated", "readOnly", "writeOnly", "unit", "discriminator"}
)
#: Types of Python and of other languages, by the type of JSON that holds their values.
_FOREIGN_TYPES = {
    **dict.fromkeys(("float", "double", "decimal", "numeric", "real"), "number"),
    **dict.fromkeys(("int", "long", "int32", "int64"), "integer"),
    **dict.fromkeys(("str", "text", "date", "datetime"), "string"),
    **dict.fromkeys(("dict", "map", "mapping", "struct"), "object"),
    **dict.fromkeys(("list", "tuple", "set", "sequence"), "array"),
    **dict.fromkeys(("none", "nil", "undefined"), "null"),
}


def is_keyword(name: str) -> bool:
    """Whether a name means something in a schema, or is an extension, which anybody may define."""
    return name in KEYWORDS or name.startswith("x-")


def hint(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'minimum'?``, or nothing where no known name comes near."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def hint_type(name: str) -> str:
    """Return what `hint` does, for the name of a type, which may be one of another language."""
    meant = _FOREIGN_TYPES.get(name.lower())
    return f"; did you mean '{meant}'?" if meant else hint(name, TYPES)
