"""Python values as JSON: NumPy's and pandas' own, dates, and what is missing. It imports neither of the two."""

import datetime
import decimal
import enum
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from model_service_client.errors import PayloadMalformed, Violation

#: The types of pandas' two missing values; comparing the first with itself gives no truth value.
_MISSING_TYPES = ("NAType", "NaTType")


def is_missing(value: Any) -> bool:
    """Whether a value stands for one that is not there: ``None``, NaN, NA, NaT."""
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    # NumPy's scalars without NumPy: what differs from itself is NaN or NaT.
    return hasattr(value, "dtype") and getattr(value, "shape", None) == () and bool(value != value)


def to_json(value: Any, pointer: str = "") -> Any:
    """Return a value as JSON has it; what is missing is ``None``.

    Args:
        value: A payload or a part of one.
        pointer: Where it stands in the payload.

    Raises:
        PayloadMalformed: JSON has nothing for it.
    """
    if type(value) in (bool, int, str):
        return value
    if is_missing(value):
        return None
    if isinstance(value, float):
        if math.isinf(value):
            raise _refuse(pointer, "a number that is infinite has no JSON; send a finite one, or none")
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(part, f"{pointer}/{_escape(str(key))}") for key, part in value.items()}
    if isinstance(value, datetime.date | datetime.time):  # moments, too: they are dates
        return value.isoformat()
    if hasattr(value, "dtype"):  # NumPy's scalars and arrays, pandas' and polars' series
        return _from_array(value, pointer)
    if isinstance(value, enum.Enum):
        return to_json(value.value, pointer)
    if isinstance(value, str | int):
        return str(value) if isinstance(value, str) else int(value)
    if isinstance(value, decimal.Decimal):
        return (
            int(value) if value.is_finite() and value == value.to_integral_value() else to_json(float(value), pointer)
        )
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [to_json(part, f"{pointer}/{place}") for place, part in enumerate(value)]
    raise _refuse(pointer, f"a {type(value).__name__} has no JSON; send text, numbers, true, false, lists or objects")


def encode(value: Any) -> bytes:
    """Return a value as JSON text; errors as `to_json`."""
    return json.dumps(to_json(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _from_array(value: Any, pointer: str) -> Any:
    if getattr(value.dtype, "kind", "") in "Mm" and getattr(value, "shape", None) == ():
        return str(value)  # as a number it would be one of nanoseconds
    read = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    plain = read() if read is not None else value
    if hasattr(plain, "dtype"):
        raise _refuse(pointer, f"a {type(value).__name__} has no JSON; send plain values")
    return to_json(plain, pointer)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _refuse(pointer: str, message: str) -> PayloadMalformed:
    return PayloadMalformed(
        f"{pointer or 'the payload'}: {message}", [Violation(pointer, "type", message)] if pointer else ()
    )
