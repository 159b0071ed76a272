"""`Tensor`: a typed array as the Open Inference Protocol knows it, checked when it is made. It knows no model.

`schema/tensor_specs.py` says which tensors a model takes and gives, `schema/tensor_rows.py` makes payloads of tensors
and tensors of outputs, `schema/tensor_bytes.py` is the binary form. None of them knows a door: REST and gRPC share
them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from model_service.errors import PayloadMalformed, PayloadTooLarge
from model_service.naming import quote_name

FLOATS: Final = frozenset({"FP16", "FP32", "FP64"})
#: Integer types, with their smallest and largest value.
INTEGERS: Final = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
NUMBERS: Final = FLOATS | INTEGERS.keys()
DATATYPES: Final = ("BOOL", *sorted(INTEGERS), *sorted(FLOATS), "BYTES")
#: Of dimensions: nobody needs more, and arrays are nested as deep.
MAX_DIMENSIONS: Final = 16
#: Python types of the values of a datatype, and their name for a message.
_VALUES: Final = {
    "BOOL": (frozenset({bool}), "true or false"),
    "BYTES": (frozenset({str}), "texts"),
    **dict.fromkeys(INTEGERS, (frozenset({int}), "integers")),
    **dict.fromkeys(FLOATS, (frozenset({int, float}), "numbers")),
}
_NULL: Final = type(None)
Values = list[Any] | memoryview


@dataclass(frozen=True, slots=True)
class Tensor:
    """A typed array; make one of a caller's with `make_tensor`.

    Attributes:
        name: What it stands for in a payload or an output.
        datatype: One of `DATATYPES`.
        shape: Sizes of its dimensions; the first is the number of rows.
        data: Its values, row by row, without nesting: numbers, booleans, or texts for ``BYTES``; ``None`` is null.
            Numbers and booleans may be a buffer, such as the caller's own bytes.
        content_type: What its texts are: ``str``, ``base64``, ``json``, or what the caller calls them.
        has_null: Whether the form it came in has a null. Where not, NaN and the empty text stand for it.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Values
    content_type: str = ""
    has_null: bool = True


def list_values(tensor: Tensor) -> list[Any]:
    """Return the values of a tensor as objects."""
    return tensor.data.tolist() if isinstance(tensor.data, memoryview) else tensor.data


def tensor_fault(name: str, message: str) -> PayloadMalformed:
    """Return the error of a tensor that contradicts itself."""
    return PayloadMalformed(f"tensor {quote_name(name)}: {message}")


def check_datatype(name: str, datatype: Any) -> str:
    """Return the datatype of a caller's tensor.

    Raises:
        PayloadMalformed: There is no such datatype.
    """
    if not isinstance(datatype, str) or datatype not in _VALUES:
        raise tensor_fault(name, f"expected one of the datatypes {', '.join(DATATYPES)}")
    return datatype


def check_shape(name: str, shape: Any, max_values: int) -> tuple[int, ...]:
    """Return the shape of a caller's tensor, of which nothing has been made yet.

    Raises:
        PayloadMalformed: It is no list of sizes.
        PayloadTooLarge: It says more values, or empty arrays, than may be.
    """
    if not isinstance(shape, list | tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise tensor_fault(name, "expected a shape that is a list of integers, none of them negative")
    if not 0 < len(shape) <= MAX_DIMENSIONS:
        raise tensor_fault(name, f"expected a shape of 1 to {MAX_DIMENSIONS} dimensions, the first of them the rows")
    if math.prod(max(size, 1) for size in shape) > max_values:
        raise PayloadTooLarge(
            f"tensor {quote_name(name)}: its shape says more than {max_values} values; send fewer rows in one request"
        )
    return tuple(shape)


def make_tensor(tensor: Tensor) -> Tensor:
    """Return a caller's tensor once its values are as many, and such, as its shape and its datatype say.

    Args:
        tensor: Its shape and datatype have been checked.

    Raises:
        PayloadMalformed: Names the tensor, and what was expected.
    """
    expected = math.prod(tensor.shape)
    if len(tensor.data) != expected:
        raise tensor_fault(tensor.name, f"its shape says {_count(expected)}, its data has {len(tensor.data)}")
    kinds, words = _VALUES[tensor.datatype]
    data = list_values(tensor)
    found = {*map(type, data)}
    if not found <= kinds | {_NULL}:
        raise tensor_fault(tensor.name, f"expected {words} as data of {tensor.datatype}")
    bounds = INTEGERS.get(tensor.datatype)
    if bounds is not None and found:
        values = data if _NULL not in found else [value for value in data if value is not None]
        if values and (min(values) < bounds[0] or max(values) > bounds[1]):
            raise tensor_fault(tensor.name, f"{tensor.datatype} holds integers from {bounds[0]} to {bounds[1]}")
    return tensor


def flatten(name: str, data: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return the values of nested or flat data.

    Raises:
        PayloadMalformed: It is no list, or nested in another way than the shape says.
    """
    if not isinstance(data, list):
        raise tensor_fault(name, "expected data that is a list of values")
    if not data or type(data[0]) is not list:
        return data
    level: list[Any] = [data]
    for depth, size in enumerate(shape):
        if any(type(each) is not list or len(each) != size for each in level):
            raise tensor_fault(
                name, f"expected lists of {size} in dimension {depth + 1} of its data, as its shape says"
            )
        level = _join(level)
    return level


def nest(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return values as one nested list for each row."""
    for depth in range(len(shape) - 1, 0, -1):
        size = shape[depth]
        values = [values[i * size : (i + 1) * size] for i in range(math.prod(shape[:depth]))]
    return values


def unnest(rows: list[Any], depth: int) -> list[Any]:
    """Return the values of lists that are nested so deep, all of the same sizes."""
    for _ in range(depth):
        rows = _join(rows)
    return rows


def write_shape(shape: Iterable[int]) -> str:
    """Return a shape for a message; what may have any size is -1."""
    return f"[{', '.join(map(str, shape))}]"


def _join(lists: list[Any]) -> list[Any]:
    return list(chain.from_iterable(lists))


def _count(values: int) -> str:
    return f"{values} value{'' if values == 1 else 's'}"
