"""The binary form of tensors: little-endian values, row by row; each text behind its length in four bytes.

It is that of the binary tensor data extension of REST, and of the raw contents of gRPC.
"""

import math
import struct
import sys
from array import array
from typing import Any, Final

from model_service.schema.tensors import Tensor, Values, list_values, tensor_fault

#: Codes of Python's arrays.
_CODES: Final = {
    **{"INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q"},
    **{"UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q"},
    **{"FP32": "f", "FP64": "d"},
}
_IS_LITTLE: Final = sys.byteorder == "little"
_LENGTH: Final = struct.Struct("<I")


class Unwritable(Exception):
    """A tensor has values that its datatype has no bytes for."""


def read_bytes(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> Values:
    """Return the values of a tensor; numbers as a buffer where this machine has them in the same order of bytes.

    Args:
        name: For messages.
        datatype: It has been checked, as has the shape.
        raw: All of its bytes, and no others.

    Raises:
        PayloadMalformed: There are fewer or more of them than the shape says, or they are no such values.
    """
    count = math.prod(shape)
    if datatype == "BYTES":
        return _read_texts(name, count, raw)
    size = 1 if datatype == "BOOL" else 2 if datatype == "FP16" else array(_CODES[datatype]).itemsize
    if len(raw) != count * size:
        raise tensor_fault(name, f"its shape says {count * size} bytes of {datatype}, and {len(raw)} were sent")
    if datatype == "BOOL":
        if raw.translate(None, b"\0\1"):
            raise tensor_fault(name, "expected bytes of 0 or 1 as data of BOOL")
        return list(map(bool, raw))
    if datatype == "FP16":
        return list(struct.unpack(f"<{count}e", raw))
    if _IS_LITTLE:
        buffer: memoryview = memoryview(raw).cast(_CODES[datatype])  # type: ignore[call-overload]  # its stub knows literals
        return buffer
    values = array(_CODES[datatype])
    values.frombytes(raw)
    values.byteswap()
    return values.tolist()


def write_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor of outputs; null is NaN, or an empty text.

    Raises:
        Unwritable: A value does not fit its datatype.
    """
    if isinstance(tensor.data, memoryview) and _IS_LITTLE:
        return tensor.data.tobytes()
    data = list_values(tensor)
    if tensor.datatype == "BYTES":
        return _write_texts(data)
    if tensor.datatype == "BOOL":
        return bytes(data)
    try:
        values = array(_CODES[tensor.datatype], data if None not in data else [_number(value) for value in data])
    except (OverflowError, TypeError):
        raise Unwritable from None
    if not _IS_LITTLE:
        values.byteswap()
    return values.tobytes()


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _read_texts(name: str, count: int, raw: bytes) -> list[str]:
    texts: list[str] = []
    start, end = 0, len(raw)
    try:
        while start < end and len(texts) <= count:
            (length,) = _LENGTH.unpack_from(raw, start)
            start += _LENGTH.size + length
            if start > end:
                break
            texts.append(raw[start - length : start].decode())
    except struct.error:
        start = end + 1
    except UnicodeDecodeError:
        raise tensor_fault(name, "expected texts in UTF-8 as data of BYTES") from None
    if start != end or len(texts) != count:
        raise tensor_fault(
            name, f"its shape says {count} texts, each behind its length in 4 bytes; other bytes were sent"
        )
    return texts


def _write_texts(texts: list[str | None]) -> bytes:
    written = {text: _write_text((text or "").encode()) for text in {*texts}}  # the same few, as a rule
    return b"".join(map(written.__getitem__, texts))


def _write_text(raw: bytes) -> bytes:
    return _LENGTH.pack(len(raw)) + raw
