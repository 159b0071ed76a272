"""Tensors to the columns of a `Table`, and back, without a row between them. It needs no NumPy: columns are buffers."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from model_service.records import Output, Payload
from model_service.schema.tensor_rows import ACCEPTED, split_matrix, write_column, write_outputs
from model_service.schema.tensor_specs import Kind, Signature, TensorSpec
from model_service.schema.tensors import Tensor, list_values

if TYPE_CHECKING:
    from model_service.schema.table_validation import TableSchemas
    from model_service.tables import Table

#: Numbers may differ by this much: graphs and vector instructions add up in another order.
TOLERANCE: Final = 1e-5


def list_columns(signature: Signature, tensors: Sequence[Tensor]) -> dict[str, Any] | None:
    """Return the values of each input; ``None`` where tensors are not plainly one for each of them.

    Args:
        signature: Of the model.
        tensors: As `tensor_rows.count_rows` has counted them.

    Raises:
        PayloadInvalid: As `tensor_rows.read_payloads`, of a single tensor that is no matrix of the inputs.
    """
    columns: dict[str, Any] = {}
    for tensor in split_matrix(signature, tensors):
        spec = signature.inputs.get(tensor.name)
        if spec is None or tensor.datatype not in ACCEPTED.get(spec.kind, ()) or tensor.shape[1:] not in ((), (1,)):
            return None
        if tensor.content_type == "base64":
            return None
        columns[tensor.name] = tensor.data
    return columns if columns.keys() == signature.inputs.keys() else None


def write_table(signature: Signature, outputs: "Table", wanted: Sequence[str] | None) -> list[Tensor]:
    """Return the tensors of outputs that the model's schema has accepted.

    Args:
        signature: Of the model.
        outputs: From `TableValidator.read`.
        wanted: Names of those that are wanted, in their order; all when ``None``. There are such outputs.
    """
    columns = outputs.columns
    names = signature.outputs if wanted is None else wanted
    return [_write_tensor(signature.outputs[name], columns[name]) for name in names]


def find_disagreement(
    tables: "TableSchemas",
    predict: "Callable[[Table], Table]",
    payloads: Sequence[Payload],
    outputs: Sequence[Output],
) -> str:
    """Return how a model's answers to columns differ from its answers to the same rows; empty where they do not.

    Args:
        tables: Of the model.
        predict: Its `predict_columns`, of tables.
        payloads: Sound ones; where one has something that no column says, nothing is compared.
        outputs: Its sound answers to them.
    """
    signature = tables.signature
    given = {spec.name: write_column(spec, payloads).data for spec in signature.inputs.values()}
    table = tables.input.read(given)
    if table is None:
        return ""
    found = tables.output.read(predict(table).columns)
    if found is None:
        return "its columns are not certainly what output_schema says"
    expected = write_outputs(signature, outputs, None)
    return next(filter(None, map(_compare, expected, write_table(signature, found, None))), "")


def _write_tensor(spec: TensorSpec, column: Any) -> Tensor:
    shape = (len(column),)
    if spec.kind is Kind.TEXT:
        return Tensor(spec.name, spec.datatype, shape, column.tolist(), content_type="str")
    if spec.is_certain:
        return Tensor(spec.name, spec.datatype, shape, memoryview(column))
    return Tensor(spec.name, spec.datatype, shape, [None if value != value else value for value in column.tolist()])


def _compare(expected: Tensor, found: Tensor) -> str:
    for row, (one, other) in enumerate(zip(list_values(expected), list_values(found), strict=True)):
        is_near = isinstance(one, int | float) and isinstance(other, int | float)
        if one != other and not (is_near and math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)):
            return f"'{expected.name}' of row {row} is {one} in rows and {other} in columns"
    return ""
