"""Whole columns held against a JSON Schema: a fast yes, as `schema/verdict.py` says it of documents, or nothing.

A column is converted to the type that its field has (numbers are checked as float64, which holds each of them
exactly, or there is no yes), and a rule per field looks at the smallest and the largest value. Where a schema says
more than these rules know, or a column is not plainly valid, its rows are looked at by `schema/validation.py`.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_service.records import ModelInfo, Schema
from model_service.schema.keywords import is_keyword
from model_service.schema.node import Node, read_node
from model_service.schema.outline import unfold_null
from model_service.schema.tensor_specs import Kind, Signature, TensorSpec
from model_service.tables import Table

#: Keywords that rule nothing out.
_WORDS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}) | {
    *("unit", "$comment", "$schema", "$defs", "definitions")
}
_OBJECT: Final = frozenset({"type", "properties", "required", "additionalProperties"})
_CHOICES: Final = frozenset({"enum", "const", "oneOf", "anyOf"})
_NUMBER: Final = _CHOICES | {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_TEXT: Final = _CHOICES | {"type", "minLength", "maxLength"}
#: Whole numbers below it are the same as float64.
_EXACT: Final = 2**53
_LARGEST: Final = sys.float_info.max


class Unclear(Exception):
    """A schema says what the rules of columns do not know, or a column is not plainly valid."""


class TableSchemas:
    """The two validators of one model.

    Attributes:
        signature: Its tensors, whose names its columns have.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.signature = signature = Signature(info)
        self.input = TableValidator(info.input_schema, signature.inputs)
        self.output = TableValidator(info.output_schema, {} if signature.has_open_output else signature.outputs)

    @property
    def are_able(self) -> bool:
        """Whether both ever say yes."""
        return self.input.is_able and self.output.is_able


class TableValidator:
    """Tells of whole columns whether each of their rows is certainly valid. Safe to use from several threads.

    Args:
        schema: Of a payload, or of an output.
        specs: Its fields, by their dotted names.

    Attributes:
        is_able: Whether it ever says yes.
    """

    def __init__(self, schema: Schema, specs: Mapping[str, TensorSpec]) -> None:
        try:
            self._rules = {name: _read_rule(read_node(schema), spec) for name, spec in specs.items()}
        except Unclear:
            self._rules = {}
        self.is_able = bool(self._rules)

    def read(self, columns: Mapping[str, Any]) -> Table | None:
        """Return columns as the types of their fields; ``None`` where they are not certainly valid.

        Args:
            columns: For each field the values of all rows: an array, a buffer or a list, in which ``None`` is null.
        """
        if columns.keys() != self._rules.keys():
            return None
        try:
            return Table({name: rule.read(columns[name]) for name, rule in self._rules.items()})
        except (Unclear, ValueError, TypeError, OverflowError):  # the latter are NumPy's
            return None


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one field allows."""

    def read(self, values: Any) -> NDArray[Any]:
        """Return values with the type of the field; raise `Unclear` where not all of them are plainly allowed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Numbers(_Rule):
    is_integer: bool
    may_miss: bool
    least: float
    most: float
    above: float
    below: float
    steps: tuple[int, ...]
    choices: tuple[float, ...] | None

    def read(self, values: Any) -> NDArray[Any]:
        given = np.asarray(values, np.float64 if isinstance(values, list) else None)
        _require(given.dtype.kind in "fiu" and given.dtype.itemsize <= 8)
        numbers = given.astype(np.float64, copy=False)
        if self.is_integer or isinstance(values, list) or given.dtype.kind != "f":
            _require(not (np.abs(numbers) >= _EXACT).any())
        known = numbers[~np.isnan(numbers)] if self.may_miss else numbers
        if len(known):
            least, most = known.min(), known.max()  # NaN, where there is one: no comparison is true of it
            _require(self.least <= least and most <= self.most and self.above < least and most < self.below)
            _require(self.choices is None or bool(np.isin(known, self.choices).all()))
            _require(not any(np.fmod(known, step).any() for step in self.steps))
            _require(not self.is_integer or not np.fmod(known, 1).any())
        return numbers.astype(np.int64) if self.is_integer and not self.may_miss else numbers


@dataclass(frozen=True, slots=True)
class _Texts(_Rule):
    shortest: float
    longest: float
    choices: frozenset[str] | None

    def read(self, values: Any) -> NDArray[Any]:
        listed: list[Any] = values if isinstance(values, list) else values.tolist()
        distinct = {*listed}
        _require({*map(type, distinct)} == {str})
        if self.choices is None:
            lengths = [*map(len, distinct)]
            _require(self.shortest <= min(lengths) and max(lengths) <= self.longest)
            "".join(distinct).encode()  # half a character raises a ValueError
        else:
            _require(distinct <= self.choices)
        return np.array(listed, object) if isinstance(values, list) else values.astype(object, copy=False)


@dataclass(frozen=True, slots=True)
class _Booleans(_Rule):
    def read(self, values: Any) -> NDArray[Any]:
        given = np.asarray(values)
        _require(given.dtype == np.bool_)
        return given


def _require(is_plain: bool) -> None:
    if not is_plain:
        raise Unclear


def _read_rule(root: Node, spec: TensorSpec) -> _Rule:
    """Return the rule of one field, or raise `Unclear` where its schema, or that of what it lies in, says more."""
    node = root
    for name in spec.path:
        fields = node.fields()
        _require(_says_only(node, _OBJECT) and {*node.required} <= fields.keys())
        node = fields[name]
    _require(not spec.is_array and (spec.is_certain or len(spec.path) == 1))
    inner, _ = unfold_null(node)
    choices = _read_choices(inner)
    _require(inner is node or choices is None)
    if spec.kind in (Kind.NUMBER, Kind.INTEGER):
        _require(_says_only(inner, _NUMBER))
        has_null = choices is None or None in choices
        return _read_numbers(inner, spec, choices, may_miss=has_null if spec.is_nullable else spec.is_optional)
    _require(spec.is_certain)
    if spec.kind is Kind.TEXT:
        _require(_says_only(inner, _TEXT) and all(type(choice) is str for choice in choices or ()))
        shortest, longest = inner.bound("minLength"), inner.bound("maxLength")
        _require(choices is None or shortest is longest is None)
        texts = None if choices is None else frozenset(choices)
        return _Texts(shortest or 0, _LARGEST if longest is None else longest, texts)
    _require(spec.kind is Kind.BOOLEAN and _says_only(inner, frozenset({"type"})))
    return _Booleans()


def _read_numbers(node: Node, spec: TensorSpec, choices: list[Any] | None, *, may_miss: bool) -> _Numbers:
    steps = node.all("multipleOf")
    _require(all(type(step) is int and step < _EXACT for step in steps))  # the remainder of floats is a matter of taste
    known = None if choices is None else tuple(_as_float(choice) for choice in choices if choice is not None)
    return _Numbers(
        is_integer=spec.kind is Kind.INTEGER,
        may_miss=may_miss,
        least=_read_bound(node, "minimum", -_LARGEST),
        most=_read_bound(node, "maximum", _LARGEST),
        above=_read_bound(node, "exclusiveMinimum", -np.inf),
        below=_read_bound(node, "exclusiveMaximum", np.inf),
        steps=tuple(steps),
        choices=known,
    )


def _read_bound(node: Node, keyword: str, default: float) -> float:
    found = node.bound(keyword)
    return default if found is None else _as_float(found)


def _as_float(value: Any) -> float:
    _require(type(value) in (int, float) and abs(value) <= _LARGEST and float(value) == value)
    return float(value)


def _read_choices(node: Node) -> list[Any] | None:
    """Return the values that a field is one of; raise `Unclear` where alternatives are more than values."""
    for part in node.parts:
        for keyword in ("oneOf", "anyOf"):
            branches = part.schema.get(keyword, ())
            values = [branch.get("const", ...) if isinstance(branch, dict) else ... for branch in branches]
            _require(... not in values and all(_has_only(branch, frozenset({"const"})) for branch in branches))
            _require(keyword == "anyOf" or len({*map(_tell_apart, values)}) == len(values))
    choices = node.choices
    return None if choices is None else [choice.value for choice in choices]


def _tell_apart(value: Any) -> Any:
    """Return what is equal for equal scalars of JSON alone; `Unclear` for what holds others."""
    _require(not isinstance(value, list | dict))
    return isinstance(value, bool), value


def _says_only(node: Node, keywords: frozenset[str]) -> bool:
    is_plain = not node.is_refused and node.returns_to is None
    return is_plain and all(_has_only(part.schema, keywords) for part in node.parts)


def _has_only(names: Iterable[str], keywords: frozenset[str]) -> bool:
    return all(name in keywords or name in _WORDS or name.startswith("x-") or not is_keyword(name) for name in names)
