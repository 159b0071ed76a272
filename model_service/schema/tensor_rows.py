"""Tensors to payloads, and outputs to tensors: column by column, each in one pass."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from model_service.errors import PayloadInvalid, PayloadMalformed, PayloadTooLarge
from model_service.naming import quote_name
from model_service.records import Output, Payload, Violation
from model_service.schema.tensor_specs import Branch, Kind, Signature, TensorSpec
from model_service.schema.tensors import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    Tensor,
    list_values,
    nest,
    tensor_fault,
    unnest,
    write_shape,
)
from model_service.schema.validation import make_pointer
from model_service.strict_json import count_values, decode_json, encode_document

#: What a row has where it has no such field.
MISSING: Final = object()
#: Datatypes that are read for each kind of values.
ACCEPTED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.NUMBER: NUMBERS,
    Kind.INTEGER: NUMBERS,
    Kind.BOOLEAN: frozenset({"BOOL"}),
    Kind.TEXT: frozenset({"BYTES"}),
}
_JSON_TYPES: Final = ("json", "application/json")


def count_rows(tensors: Sequence[Tensor]) -> int:
    """Return the number of rows that tensors agree on.

    Raises:
        PayloadMalformed: There are none, two have the same name, or they do not agree.
    """
    if not tensors:
        raise PayloadMalformed("'inputs' is empty; send at least one tensor")
    names: set[str] = set()
    first = tensors[0]
    for tensor in tensors:
        if tensor.name in names:
            raise tensor_fault(tensor.name, "it is given twice; keep one")
        names.add(tensor.name)
        if tensor.shape[0] != first.shape[0]:
            raise tensor_fault(
                tensor.name,
                f"it has {tensor.shape[0]} rows, and {quote_name(first.name)} has {first.shape[0]}; "
                "the first dimension of all is the rows",
            )
    return first.shape[0]


def read_payloads(signature: Signature, tensors: Sequence[Tensor], *, max_values: int) -> list[Payload]:
    """Return the payloads that tensors stand for; whether they are valid is not decided here.

    Args:
        signature: Of the model.
        tensors: As `count_rows` has counted them.
        max_values: Most JSON values that may hide in texts.

    Raises:
        PayloadInvalid: The model has no such tensor, or one of another datatype or shape.
        PayloadMalformed: A text is not the JSON that it must be.
        PayloadTooLarge: There are too many JSON values.
    """
    rows = tensors[0].shape[0]
    budget = _Budget(max_values)
    columns: dict[str, list[Any]] = {}
    others: dict[str, list[Any]] = {}
    for tensor in split_matrix(signature, tensors):
        spec = signature.inputs.get(tensor.name)
        if spec is not None:
            columns[tensor.name] = _read_column(spec, tensor, budget)
        elif signature.input.is_open:
            others[tensor.name] = _read_any(tensor, budget)
        else:
            known = ", ".join(signature.inputs) or "none"
            raise _mismatch(tensor.name, "additionalProperties", f"there is no such input; the inputs are {known}")
    built = _build(signature.input, columns, others)
    return built if built is not None else [{} for _ in range(rows)]


def check_wanted(signature: Signature, names: Sequence[str]) -> None:
    """Hold the names of the outputs that a caller wants against those that there are.

    Raises:
        PayloadMalformed: One is named twice.
        PayloadInvalid: There is no such output.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PayloadMalformed(f"output {quote_name(name)} is wanted twice; keep one")
        seen.add(name)
        if name not in signature.outputs and not signature.has_open_output:
            raise _no_output(signature, name)


def write_outputs(signature: Signature, outputs: Sequence[Output], wanted: Sequence[str] | None) -> list[Tensor]:
    """Return the tensors of outputs that the model's schema has accepted.

    Args:
        signature: Of the model.
        outputs: One for each row.
        wanted: Names of those that are wanted, in their order; all when ``None``.

    Raises:
        PayloadInvalid: One that is wanted is in none of the outputs.
    """
    specs = dict(signature.outputs)
    if signature.has_open_output:
        named = {spec.path[0] for spec in specs.values()}
        for name in dict.fromkeys(name for output in outputs for name in output if name not in named):
            specs[name] = TensorSpec(name, (name,), Kind.JSON, is_optional=True, is_certain=False)
    for name in wanted or ():
        if name not in specs:
            raise _no_output(signature, name)
    return [write_column(specs[name], outputs) for name in (specs if wanted is None else wanted)]


class _Budget:
    """How many JSON values may still come out of the texts of a request."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def spend(self, raw: bytes) -> None:
        """Count the values of texts with commas between them, before they are decoded.

        Raises:
            PayloadTooLarge: There are more than may be.
        """
        self._left -= count_values(raw)
        if self._left < 0:
            raise PayloadTooLarge(f"the texts hold more than {self._most} JSON values; send fewer rows in one request")


def split_matrix(signature: Signature, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the columns of a single tensor of numbers that no input is named after, as NumPy users send it."""
    tensor, specs = tensors[0], signature.matrix
    if len(tensors) > 1 or not specs or tensor.name in signature.inputs or len(tensor.shape) < 2:
        return tensors
    rows, width = tensor.shape[0], len(specs)
    if tensor.shape != (rows, width) or tensor.datatype not in NUMBERS:
        names = ", ".join(spec.name for spec in specs)
        raise _mismatch(
            tensor.name, "shape", f"expected numbers of shape {write_shape((-1, width))}, which are {names}"
        )
    datatype, data, has_null = tensor.datatype, tensor.data, tensor.has_null
    return [
        Tensor(spec.name, datatype, (rows,), data[place::width], has_null=has_null) for place, spec in enumerate(specs)
    ]


def _read_column(spec: TensorSpec, tensor: Tensor, budget: "_Budget") -> list[Any]:
    """Return the value of each row for one input; `MISSING` where it has none."""
    if spec.is_json or (spec.is_array and tensor.datatype == "BYTES" and len(tensor.shape) == 1):
        return _read_loose(spec, tensor, budget)
    if tensor.datatype not in ACCEPTED[spec.kind]:
        wanted = f"{spec.label}{' or another datatype of numbers' if spec.datatype in NUMBERS else ''}"
        raise _mismatch(spec.name, "type", f"expected {wanted}, got {tensor.datatype}")
    _check_shape(spec, tensor, spec.sizes)
    values = _read_texts(tensor) if spec.kind is Kind.TEXT else list_values(tensor)
    if spec.kind is Kind.INTEGER and tensor.datatype in FLOATS:
        values = [int(value) if type(value) is float and value.is_integer() else value for value in values]
    values = _read_nulls(spec, tensor, values)
    return nest(values, tensor.shape) if spec.sizes else values


def _read_loose(spec: TensorSpec, tensor: Tensor, budget: "_Budget") -> list[Any]:
    """Return the value of each row where texts may be JSON, and other values what they are."""
    is_single = len(tensor.shape) == 1 or (tensor.shape[1:] == (1,) and not spec.is_array)
    if not is_single:
        return nest(_read_texts(tensor), tensor.shape)
    if tensor.datatype != "BYTES" or tensor.content_type == "str":
        return _read_nulls(spec, tensor, list_values(tensor))
    values = _read_json(tensor, budget)
    return values if spec.is_optional else [None if value is MISSING else value for value in values]


def _read_nulls(spec: TensorSpec, tensor: Tensor, values: list[Any]) -> list[Any]:
    """Return values with null where that is allowed and meant; `MISSING` where the field may be left out instead."""
    absent = None if spec.is_nullable else MISSING if spec.is_optional else ...
    if absent is ...:
        return values
    if tensor.has_null:
        return values if absent is None or None not in values else [absent if v is None else v for v in values]
    if tensor.datatype in FLOATS:
        return [absent if value != value else value for value in values]
    if spec.kind is Kind.TEXT and spec.is_nullable:
        return [value or None for value in values]
    return values


def _check_shape(spec: TensorSpec, tensor: Tensor, sizes: tuple[int, ...]) -> None:
    """Hold a shape against that of an input; of one value each, a column of a table is as good."""
    found = tensor.shape[1:]
    is_column = not sizes and found == (1,)
    if not is_column and not (
        len(found) == len(sizes) and all(size in (-1, own) for size, own in zip(sizes, found, strict=True))
    ):
        raise _mismatch(spec.name, "shape", f"expected {spec.label}, got another shape")


def _read_any(tensor: Tensor, budget: "_Budget") -> list[Any]:
    """Return the value of each row of a tensor that the schema does not name."""
    if tensor.datatype == "BYTES" and tensor.content_type in _JSON_TYPES:
        values = _read_json(tensor, budget)
    else:
        values = _read_texts(tensor)
    return values if tensor.shape[1:] == (1,) else nest(values, tensor.shape)


def _read_texts(tensor: Tensor) -> list[Any]:
    if tensor.datatype != "BYTES" or tensor.content_type != "base64":
        return list_values(tensor)
    try:
        return [
            None if text is None else base64.b64decode(text.encode(), validate=True).decode()
            for text in list_values(tensor)
        ]
    except (binascii.Error, UnicodeDecodeError):
        raise tensor_fault(tensor.name, "expected base64 of texts in UTF-8, as its content_type says") from None


def _read_json(tensor: Tensor, budget: "_Budget") -> list[Any]:
    """Return what the JSON texts of a tensor hold; an empty text, or null, is `MISSING`."""
    raw = [text.encode() if text else b"" for text in _read_texts(tensor)]
    budget.spend(b",".join(raw))
    values: list[Any] = []
    for row, text in enumerate(raw):
        try:
            values.append(decode_json(text) if text else MISSING)
        except PayloadMalformed as error:
            raise tensor_fault(tensor.name, f"expected JSON in row {row}: {error.message}") from None
    return values


def _build(branch: Branch, columns: dict[str, list[Any]], others: dict[str, list[Any]]) -> list[Any] | None:
    """Return the object of each row; ``None`` where no tensor of it was sent."""
    given: dict[str, list[Any]] = dict(others)
    for name, child in branch.children.items():
        column = _build(child, columns, {}) if isinstance(child, Branch) else columns.get(child.name)
        if column is not None:
            given[name] = column
    if not given:
        return None
    names = list(given)
    rows: list[Any] = [dict(zip(names, values, strict=False)) for values in zip(*given.values(), strict=True)]
    may_miss = [name for name in names if name in others or branch.children[name].is_optional]
    if any(value is MISSING for name in may_miss for value in given[name]):
        rows = [{name: value for name, value in row.items() if value is not MISSING} for row in rows]
    if branch.is_nullable or branch.is_optional:
        absent = None if branch.is_nullable else MISSING
        rows = [row if any(value is not None for value in row.values()) else absent for row in rows]
    return rows


def write_column(spec: TensorSpec, outputs: Sequence[Output]) -> Tensor:
    """Return the tensor of one field of outputs, or of payloads, that the model's schema has accepted."""
    values: list[Any] = list(outputs)
    for name in spec.path:
        values = [value[name] for value in values] if spec.is_certain else [_get(value, name) for value in values]
    shape = (len(values), *spec.sizes)
    if spec.is_json:
        texts = ["" if value is MISSING else encode_document(value).decode() for value in values]
        return Tensor(spec.name, spec.datatype, shape, texts, content_type="json")
    values = unnest(values, len(spec.sizes))
    if not spec.is_certain:
        values = [None if value is MISSING else value for value in values]
    if spec.datatype in INTEGERS:  # JSON takes 1.0 for an integer
        values = values if {*map(type, values)} <= {int} else list(map(int, values))
    return Tensor(spec.name, spec.datatype, shape, values, content_type="str" if spec.datatype == "BYTES" else "")


def _get(value: Any, name: str) -> Any:
    return value.get(name, MISSING) if isinstance(value, dict) else MISSING


def _mismatch(name: str, rule: str, message: str) -> PayloadInvalid:
    """Return the error of a tensor that the model does not take."""
    violation = Violation(make_pointer([name]) if len(name) <= 64 and name.isprintable() else "", rule, message)
    return PayloadInvalid(f"tensor {quote_name(name)}: {message}", [violation])


def _no_output(signature: Signature, name: str) -> PayloadInvalid:
    known = ", ".join(signature.outputs) or "none"
    return _mismatch(name, "outputs", f"there is no such output; the outputs are {known}")
