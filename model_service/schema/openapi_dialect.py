"""One subschema as readers of OpenAPI documents like it: generators of clients above all. It accepts the same payloads.

oneOf: [{const, title}, ...]   enum, with the titles in x-enum-descriptions
const: 0.9                     minimum and maximum, for generators that take the number for a name
unit                           x-unit: OpenAPI wants extensions spelt so
x-alphabet                     pattern, too: these letters in either case, white space, one FASTA header
"""

import re
from typing import Any

from model_service.records import Schema

_OF_A_CHOICE = frozenset({"const", "title", "description"})


def adapt(node: Schema) -> Schema:
    """Return a subschema in the dialect; what stands inside it is as it was."""
    adapted = dict(node)
    for keyword in ("oneOf", "anyOf"):
        if "enum" not in adapted and (choices := _find_choices(node.get(keyword))):
            del adapted[keyword]
            adapted["enum"] = [choice["const"] for choice in choices]
            adapted["x-enum-descriptions"] = [_describe(choice) for choice in choices]
    is_number = node.get("type", "number") == "number" and not {"minimum", "maximum"} & node.keys()
    if isinstance(node.get("const"), float) and is_number:
        adapted["type"] = "number"
        adapted["minimum"] = adapted["maximum"] = adapted.pop("const")
    if isinstance(node.get("unit"), str):
        adapted["x-unit"] = adapted.pop("unit")
    letters = node.get("x-alphabet")
    if isinstance(letters, str) and letters and "pattern" not in node:
        adapted["pattern"] = _spell_alphabet(letters)
    return adapted


def _find_choices(branches: Any) -> list[Any] | None:
    """Return the branches of a ``oneOf`` or ``anyOf`` that only lists values, if it does."""
    if not isinstance(branches, list):
        return None
    if not all(isinstance(branch, dict) and "const" in branch and branch.keys() <= _OF_A_CHOICE for branch in branches):
        return None
    values = [branch["const"] for branch in branches]
    # Equal ones would exclude each other; generators find no names for numbers that are not whole.
    is_plain = all(value is None or isinstance(value, str | int) for value in values)
    return branches if is_plain and len(set(values)) == len(values) else None


def _describe(choice: dict[str, Any]) -> str:
    texts = [choice[key] for key in ("title", "description") if isinstance(choice.get(key), str)]
    return ": ".join(texts) or str(choice["const"])


def _spell_alphabet(letters: str) -> str:
    both = "".join(sorted({*letters.upper(), *letters.lower()}))
    return rf"^\s*(>[^\r\n]*[\r\n])?[{_escape(both)}\s]*$"


def _escape(letters: str) -> str:
    return re.sub(r"([\\\]\[^-])", r"\\\1", letters)
