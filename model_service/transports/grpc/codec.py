"""Messages to tensors, and tensors to messages.

Values come either as raw bytes, one entry for each input, or in the typed fields of each tensor, and go back the same
way. What raw bytes cannot hold travels in fields.
"""

import math
import sys
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, Final, Literal

from model_service.errors import PayloadMalformed
from model_service.records import ModelInfo
from model_service.schema.tensor_bytes import Unwritable, read_bytes, write_bytes
from model_service.schema.tensor_specs import TensorSpec
from model_service.schema.tensors import Tensor, check_datatype, check_shape, list_values, make_tensor, tensor_fault
from model_service.transports.grpc.messages import message

#: In which field of its contents the values of a datatype are. FP16 has none.
_FIELDS: Final = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
#: Types whose values a message has as their bytes, little-endian: code and size of each.
_PACKED: Final[dict[str, tuple[Literal["f", "d"], int]]] = {"FP32": ("f", 4), "FP64": ("d", 8)}
_Answer = message("ModelInferResponse")
_CONTENTS: Final = message("InferTensorContents").DESCRIPTOR


def read_tensors(request: Any, max_values: int) -> list[Tensor]:
    """Return the inputs of a request; each agrees with itself.

    Raises:
        PayloadMalformed: Names the tensor, and what was expected.
        PayloadTooLarge: A shape says more values than may be.
    """
    raws = request.raw_input_contents
    if not raws:
        return [_read_fields(entry, max_values) for entry in request.inputs]
    if len(raws) != len(request.inputs):
        raise PayloadMalformed(
            f"raw_input_contents has {len(raws)} entries, and there are {len(request.inputs)} inputs; send one for each"
        )
    return [_read_raw(entry, raw, max_values) for entry, raw in zip(request.inputs, raws, strict=True)]


def write_answer(request: Any, info: ModelInfo, tensors: Iterable[Tensor]) -> Any:
    """Return the message that answers a request."""
    answer = _Answer(model_name=info.qualified_name, model_version=info.version, id=request.id)
    written = list(tensors)
    raws = _write_raw(written) if request.raw_input_contents else None
    for tensor, raw in zip_longest(written, raws or ()):
        output = answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if tensor.content_type:
            output.parameters["content_type"].string_param = tensor.content_type
        if raw is not None:
            answer.raw_output_contents.append(raw)
        else:
            _write_fields(output, tensor)
    return answer


def describe(answer: Any, specs: Iterable[TensorSpec]) -> None:
    """Add the tensors of a model to a field of its metadata."""
    for spec in specs:
        answer.add(name=spec.name, datatype=spec.datatype, shape=spec.shape)


def _read_head(entry: Any, max_values: int) -> tuple[str, tuple[int, ...], str]:
    datatype = check_datatype(entry.name, entry.datatype)
    shape = check_shape(entry.name, list(entry.shape), max_values)
    given = entry.parameters.get("content_type") if "content_type" in entry.parameters else None
    return datatype, shape, given.string_param if given is not None else ""


def _read_raw(entry: Any, raw: bytes, max_values: int) -> Tensor:
    datatype, shape, content_type = _read_head(entry, max_values)
    if entry.HasField("contents") and entry.contents.ByteSize():
        raise tensor_fault(entry.name, "its values are in contents and in raw_input_contents; keep one of them")
    return Tensor(
        entry.name, datatype, shape, read_bytes(entry.name, datatype, shape, raw), content_type, has_null=False
    )


def _read_fields(entry: Any, max_values: int) -> Tensor:
    datatype, shape, content_type = _read_head(entry, max_values)
    field = _FIELDS.get(datatype)
    if field is None:
        raise tensor_fault(entry.name, f"{datatype} has no typed contents; send raw_input_contents")
    for other, values in entry.contents.ListFields():
        if other.name != field and len(values):
            raise tensor_fault(entry.name, f"expected the values of {datatype} in {field}, not in {other.name}")
    packed = _read_packed(entry.contents, field, datatype, math.prod(shape))
    if packed is not None:
        return Tensor(entry.name, datatype, shape, packed, content_type, has_null=False)
    values = list(getattr(entry.contents, field))
    if datatype == "BYTES":
        values = _decode(entry.name, values)
    return make_tensor(Tensor(entry.name, datatype, shape, values, content_type, has_null=False))


def _read_packed(contents: Any, field: str, datatype: str, count: int) -> Any:
    """Return the values of a field of floats as the bytes that they came in, without an object for each: a buffer.

    On the wire they are one piece, which this machine reads as it is; ``None`` where there is anything else.
    """
    if datatype not in _PACKED or sys.byteorder != "little":
        return None
    code, size = _PACKED[datatype]
    head = _write_head(field, count * size)
    raw = contents.SerializeToString()
    is_whole = len(raw) == len(head) + count * size and raw.startswith(head)
    return memoryview(raw)[len(head) :].cast(code) if is_whole else None


def _write_head(field: str, size: int) -> bytes:
    """Return what stands before the bytes of a packed field: its number, its type, and how many bytes they are."""
    head = bytearray([_CONTENTS.fields_by_name[field].number << 3 | 2])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head)


def _decode(name: str, values: list[bytes]) -> list[str]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise tensor_fault(name, "expected texts in UTF-8 as data of BYTES") from None


def _write_raw(tensors: list[Tensor]) -> list[bytes] | None:
    """Return the bytes of all tensors; ``None`` where one of them has none, for a message has all or none raw."""
    try:
        return [write_bytes(tensor) for tensor in tensors]
    except Unwritable:
        return None


def _write_fields(output: Any, tensor: Tensor) -> None:
    """Write values to the field of their datatype. It has no null: a NaN, or an empty text, stands for it."""
    if isinstance(tensor.data, memoryview) and tensor.datatype in _PACKED and sys.byteorder == "little":
        raw = tensor.data.tobytes()
        output.contents.MergeFromString(_write_head(_FIELDS[tensor.datatype], len(raw)) + raw)
        return
    values = list_values(tensor)
    if tensor.datatype == "BYTES":
        written = {value: (value or "").encode() for value in {*values}}
        values = [written[value] for value in values]
    elif None in values:
        values = [float("nan") if value is None else value for value in values]
    try:
        getattr(output.contents, _FIELDS[tensor.datatype]).extend(values)
    except (ValueError, OverflowError):  # an integer that no 64 bits hold: as text
        output.datatype = "BYTES"
        output.parameters["content_type"].string_param = "json"
        output.contents.bytes_contents.extend(str(value).encode() for value in values)
