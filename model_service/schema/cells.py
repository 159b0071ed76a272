"""Columns of a file of rows, and what their cells become in a payload.

A column is named after a field; after a field of a nested object by dots. `parse_columns` of `schema/columns.py` is
for a person at a command line, who sees what was typed; a file comes from a program, and each program has its own way
to write what is missing, what is true and what day it is.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from model_service.records import Schema
from model_service.schema.columns import find_types
from model_service.schema.node import Node, read_node
from model_service.strict_json import decode_numbers

#: What a cell without a value becomes where null is not allowed.
MISSING: Final = object()
#: Alternatives inside alternatives, and objects inside objects, are looked into this far.
_MAX_DEPTH = 8
_BOOLEANS = dict.fromkeys(("true", "yes", "1", "1.0"), True) | dict.fromkeys(("false", "no", "0", "0.0"), False)
_NOT_A_NUMBER = frozenset({"nan", "na", "n/a", "null", "none"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How programs write a moment: with a blank for the T, without an offset, with more digits than are needed.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cells of a column stand in a payload.

    Attributes:
        path: Names of the fields that lead there; the column's own name comes last.
        types: JSON types that the field may have; empty when the schema does not say.
        format: Its ``format``, such as ``date``; empty without one.
        absent: What objects above it become when none of their cells has a value: by their depth, from 1.
    """

    path: tuple[str, ...]
    types: tuple[str, ...]
    format: str = ""
    absent: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Object:
    """The fields of an object, those of its alternatives among them."""

    fields: dict[str, list[Node]]
    required: frozenset[str]


class PlaceFinder:
    """Finds the places of the columns of one schema."""

    def __init__(self, schema: Schema) -> None:
        root = read_node(schema)
        self._root = root
        self._object = _read_object([root])

    @property
    def names(self) -> list[str]:
        """The names of the fields, in the schema's order."""
        return list(self._object.fields)

    @property
    def required(self) -> list[str]:
        """The names of the fields that must be there, in the schema's order."""
        return list(self._root.required)

    def find(self, name: str) -> Place | None:
        """Return the place of a column; ``None`` where the model does not know it.

        A schema that names its fields and says nothing of others does not know others.
        """
        fields, root = self._object.fields, self._root
        if name in fields:
            return _make_place((name,), fields[name])
        if "." in name and (place := self._find_nested(name.split("."))) is not None:
            return place
        takes_others = any(rule is not False for rule in root.all("additionalProperties"))
        if fields and not takes_others and not root.has("patternProperties"):
            return None
        node = root.field(name)
        if node.is_refused or (fields and not takes_others and not node.parts):
            return None
        return _make_place((name,), [node])

    def list_columns(self) -> list[str]:
        """Return the names of all columns that a file of payloads may have, objects of named fields as dotted ones."""
        return [name for name, nodes in self._object.fields.items() for name in _unfold(name, nodes)]

    def _find_nested(self, path: list[str]) -> Place | None:
        """Return the place below objects; a name with dots of its own may be any part of the path."""
        level, start = self._object, 0
        taken: list[str] = []
        absent: list[Any] = []
        while True:
            # A caller's name may have any number of dots; no more of them are looked at than names of fields have.
            last = min(len(path), start + 1 + max((name.count(".") for name in level.fields), default=0))
            end = next((e for e in range(last, start, -1) if ".".join(path[start:e]) in level.fields), None)
            if end is None:
                return None
            name = ".".join(path[start:end])
            nodes = level.fields[name]
            taken.append(name)
            if end == len(path):
                return _make_place(tuple(taken), nodes, tuple(absent))
            types = _find_types(nodes)
            absent.append(None if "null" in types else (dict if name in level.required else MISSING))
            level, start = _read_object(nodes), end
            if len(taken) > _MAX_DEPTH:
                return None


def read_cells(place: Place, cells: Sequence[str]) -> list[Any]:
    """Return what many cells of one column become; `MISSING` is one of it."""
    if set(place.types) <= {"number", "integer", "null"} and place.types:
        texts = [cell or "null" for cell in cells] if "null" in place.types else list(cells)
        numbers = decode_numbers(texts)
        if numbers is not None and ("null" in place.types or None not in numbers):
            return numbers
    elif "string" in place.types and not place.format:
        empty = None if "null" in place.types else MISSING
        return [cell or empty for cell in cells]
    return [read_cell(place, cell) for cell in cells]


def read_cell(place: Place, cell: str) -> Any:
    """Return what a cell becomes; a text that does not fit stays a text, for validation to explain."""
    types = place.types
    if not cell:
        return None if "null" in types else MISSING
    if not types:
        return cell
    if "string" in types:
        return _read_moment(place.format, cell) if place.format else cell
    word = cell.strip().lower()
    if not word or word in _NOT_A_NUMBER:
        return None if "null" in types else MISSING
    if "boolean" in types and word in _BOOLEANS and (word.isalpha() or not {"number", "integer"} & {*types}):
        return _BOOLEANS[word]
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return cell if isinstance(value, str) else value


def read_value(place: Place, value: Any) -> Any:
    """Return what a value of a typed file becomes: a null where null is not allowed is a cell without a value."""
    types = place.types
    if value is None:
        return None if "null" in types or not types else MISSING
    if place.format and "string" in types:
        if isinstance(value, str):
            return _read_moment(place.format, value)
        if type(value) is int and place.format in ("date", "date-time"):  # pandas: milliseconds since 1970
            return _read_epoch(place.format, value)
    return value


def set_value(payload: dict[str, Any], place: Place, value: Any) -> None:
    """Put a value where it belongs; to be called with values before nulls, which make no object that may be absent."""
    *above, name = place.path
    inner = payload
    for depth, key in enumerate(above):
        found = inner.get(key, MISSING)
        if not isinstance(found, dict):
            absent = place.absent[depth]
            if (value is MISSING or value is None) and absent is not dict:
                if absent is None:
                    inner[key] = None
                return
            found = inner[key] = {}
        inner = found
    if value is not MISSING:
        inner[name] = value


def get_value(payload: Any, path: Sequence[str]) -> Any:
    """Return what stands at a path; `MISSING` where nothing does."""
    for name in path:
        if not isinstance(payload, dict) or name not in payload:
            return MISSING
        payload = payload[name]
    return payload


def list_leaves(schema: Schema) -> list[Place]:
    """Return the places of a document that columns can show, in the schema's order; objects of named fields unfold."""
    finder = PlaceFinder(schema)
    return [place for name in finder.list_columns() if (place := finder.find(name)) is not None]


def _unfold(name: str, nodes: list[Node], depth: int = 0) -> list[str]:
    inner = _read_object(nodes).fields
    if not inner or depth >= _MAX_DEPTH or any(node.returns_to is not None for node in nodes):
        return [name]
    return [f"{name}.{below}" for each, nodes in inner.items() for below in _unfold(each, nodes, depth + 1)]


def _read_object(nodes: list[Node], depth: int = 0) -> _Object:
    fields: dict[str, list[Node]] = {}
    required: set[str] = set()
    for node in nodes:
        required.update(node.required)
        for name, field in node.fields().items():
            fields.setdefault(name, []).append(field)
        if depth < _MAX_DEPTH:
            for alternatives in node.alternatives():
                for name, found in _read_object(list(alternatives.branches), depth + 1).fields.items():
                    fields.setdefault(name, []).extend(found)
    return _Object(fields, frozenset(required))


def _find_types(nodes: list[Node]) -> tuple[str, ...]:
    found = [find_types(node) for node in nodes]
    return tuple(sorted({name for types in found for name in types})) if all(found) else ()


def _make_place(path: tuple[str, ...], nodes: list[Node], absent: tuple[Any, ...] = ()) -> Place:
    text_format = next((node.text("format") for node in nodes if node.text("format")), "")
    return Place(path, _find_types(nodes), text_format if text_format in ("date", "date-time") else "", absent)


def _read_moment(text_format: str, text: str) -> str:
    """Return a date or a moment as RFC 3339 has it, where a program has written it in its own way."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None or text_format not in ("date", "date-time"):
        return text
    day, time, offset = found.groups()
    if text_format == "date":
        return day if time is None or not time.strip("0:.") else text
    time = time or "00:00:00"
    time = time if time.count(":") == 2 else f"{time}:00"
    offset = (offset or "Z").upper()
    return f"{day}T{time}{offset if offset == 'Z' or ':' in offset else f'{offset[:3]}:{offset[3:]}'}"


def _read_epoch(text_format: str, milliseconds: int) -> Any:
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return milliseconds
    return _read_moment(text_format, moment.isoformat())
