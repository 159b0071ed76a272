"""Which tensors a model takes and gives, derived from its schemas. The first dimension of each is the rows.

a field            one tensor [-1] of FP64, INT64, BOOL or BYTES (texts, dates)
an object          a tensor for each of its fields, by dotted names: probabilities.setosa
an array           a tensor with a dimension more, where its sizes are the same in all rows
what can be null   numbers and integers FP64, with null or NaN; texts BYTES, with null or an empty text
anything else      JSON, as BYTES: its `TensorSpec.is_json` says so
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from model_service.records import ModelInfo, Schema
from model_service.schema.columns import find_types
from model_service.schema.node import Node, read_node
from model_service.schema.outline import unfold_null
from model_service.schema.tensors import MAX_DIMENSIONS, write_shape

#: Objects inside objects are unfolded so far; what lies deeper is JSON.
_MAX_DEPTH = 8


class Kind(StrEnum):
    """What the values of a tensor are."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "string"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model.

    Attributes:
        name: Names of the fields that lead to its place, with dots.
        path: The same names.
        kind: What each of its values is.
        sizes: Of its dimensions below the rows; -1 for what may have any size.
        is_array: Whether its place holds an array.
        is_nullable: Whether null is among its values.
        is_optional: Whether the field may be missing in the object that holds it.
        is_certain: Whether every row has a value other than null.
        datatype: What it is sent as.
    """

    name: str
    path: tuple[str, ...]
    kind: Kind
    sizes: tuple[int, ...] = ()
    is_array: bool = False
    is_nullable: bool = False
    is_optional: bool = False
    is_certain: bool = True
    datatype: str = field(init=False)

    def __post_init__(self) -> None:  # it is asked for in every request, and the rest does not change
        integer = "INT64" if self.is_certain else "FP64"
        names = {Kind.NUMBER: "FP64", Kind.INTEGER: integer, Kind.BOOLEAN: "BOOL"}
        object.__setattr__(self, "datatype", names.get(self.kind, "BYTES"))

    @property
    def is_json(self) -> bool:
        """Whether its values are JSON, as texts."""
        return self.kind is Kind.JSON

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, for a number of rows that nobody knows."""
        return (-1, *self.sizes)

    @property
    def label(self) -> str:
        """Datatype and shape, for a message."""
        return f"{self.datatype} {write_shape(self.shape)}"


@dataclass(frozen=True, slots=True)
class Branch:
    """An object whose fields are tensors, or objects like it.

    Attributes:
        is_nullable: Whether it may be null.
        is_optional: Whether it may be missing in the object that holds it.
        is_open: Whether it may have fields that its schema does not name.
    """

    children: "dict[str, Branch | TensorSpec]"
    is_nullable: bool = False
    is_optional: bool = False
    is_open: bool = False

    def leaves(self) -> Iterator[TensorSpec]:
        """Yield the tensors in the schema's order."""
        for child in self.children.values():
            if isinstance(child, Branch):
                yield from child.leaves()
            else:
                yield child


class Signature:
    """The tensors of one model.

    Attributes:
        input: The payload as a tree of tensors.
        inputs, outputs: Tensors by name, in the schema's order.
        matrix: The inputs in the schema's order, where all are plain numbers: they may be sent as one tensor.
        has_open_output: Whether outputs may have fields that the schema does not name; these are JSON.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.input = _read_root(info.input_schema, is_output=False)
        output = _read_root(info.output_schema, is_output=True)
        self.inputs = {spec.name: spec for spec in self.input.leaves()}
        self.outputs = {spec.name: spec for spec in output.leaves()}
        self.has_open_output = output.is_open
        specs = tuple(self.inputs.values())
        are_numbers = all(
            spec.kind in (Kind.NUMBER, Kind.INTEGER) and not spec.sizes and len(spec.path) == 1 for spec in specs
        )
        # Where other fields are allowed and none is required, a tensor of another name is such a field.
        is_meant = not self.input.is_open or not all(spec.is_optional for spec in specs)
        self.matrix = specs if are_numbers and is_meant else ()


class Signatures:
    """The signatures of models, each derived once. Thread-safe: at worst one is derived twice."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ModelInfo, Signature]] = {}

    def find(self, info: ModelInfo) -> Signature:
        """Return the signature of a model."""
        key = (info.qualified_name, info.version)
        found = self._known.get(key)
        if found is None or found[0] is not info:  # it has been loaded again since
            found = self._known[key] = info, Signature(info)
        return found[1]


def _read_root(schema: Schema, *, is_output: bool) -> Branch:
    node = read_node(schema)
    taken = {*node.fields()}
    children = _read_fields(node, (), taken, is_output=is_output, is_certain=True)
    is_open = not node.is_closed or node.has("patternProperties")
    return Branch(children, is_open=is_open)


def _read_fields(
    node: Node, path: tuple[str, ...], taken: set[str], *, is_output: bool, is_certain: bool
) -> dict[str, Branch | TensorSpec]:
    required = node.required
    return {
        name: _read_field(
            field, (*path, name), taken, is_output=is_output, is_optional=name not in required, is_certain=is_certain
        )
        for name, field in node.fields().items()
    }


def _read_field(
    node: Node, path: tuple[str, ...], taken: set[str], *, is_output: bool, is_optional: bool, is_certain: bool
) -> Branch | TensorSpec:
    types = {*find_types(node)}
    is_nullable = "null" in types
    types.discard("null")
    is_certain = is_certain and not is_nullable and not is_optional
    json = TensorSpec(".".join(path), path, Kind.JSON, (), types == {"array"}, is_nullable, is_optional, is_certain)
    inner, _ = unfold_null(node)
    if types == {"object"} and _can_unfold(inner, is_output=is_output) and len(path) < _MAX_DEPTH:
        names: set[str] = set()
        children = _read_fields(inner, path, names, is_output=is_output, is_certain=is_certain)
        branch = Branch(children, is_nullable, is_optional, is_open=not inner.is_closed)
        names = {spec.name for spec in branch.leaves()}
        if names and not names & taken:
            taken |= names
            return branch
        return json
    if types == {"array"}:
        return _read_array(inner, json, is_output=is_output)
    return _read_scalar(types, json)


def _can_unfold(node: Node, *, is_output: bool) -> bool:
    """Whether an object is no more than its named fields: of an output nothing may be lost."""
    has_others = node.has("patternProperties") or any(not each.are_choices for each in node.alternatives())
    return bool(node.fields()) and node.returns_to is None and not (is_output and (has_others or not node.is_closed))


def _read_scalar(types: set[str], json: TensorSpec) -> TensorSpec:
    if types in ({"number"}, {"number", "integer"}):
        return replace(json, kind=Kind.NUMBER)
    if types == {"integer"}:
        return replace(json, kind=Kind.INTEGER)
    if types == {"string"}:
        return replace(json, kind=Kind.TEXT)
    # A boolean that may be null has no datatype that can say so.
    return replace(json, kind=Kind.BOOLEAN) if types == {"boolean"} and json.is_certain else json


def _read_array(node: Node, json: TensorSpec, *, is_output: bool) -> TensorSpec:
    """Return the tensor of an array, with a dimension for each array inside it; JSON where rows may differ in sizes."""
    if not json.is_certain:
        return json
    sizes: list[int] = []
    types = ["array"]
    while types == ["array"]:
        entry = node.entry()
        if node.first_entries() or entry is None or entry.is_refused or entry.returns_to is not None:
            return json
        most = node.bound("maxItems")
        sizes.append(most if most is not None and most == node.bound("minItems") else -1)
        node, types = entry, find_types(entry)
    if len(sizes) >= MAX_DIMENSIONS or (is_output and -1 in sizes):
        return json
    kinds = {*types}
    is_nullable = "null" in kinds
    kinds.discard("null")
    scalar = _read_scalar(kinds, replace(json, is_nullable=is_nullable, is_certain=not is_nullable))
    return json if scalar.is_json else replace(scalar, sizes=tuple(sizes), is_array=True)
