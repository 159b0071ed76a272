"""Python values as JSON, data frames as payloads and outputs as data frames: for notebooks, in this process.

Frames are those of pandas or polars, and values those of NumPy, too; none of the three is imported, because whoever
has such a value has its library.
"""

import datetime
import decimal
import enum
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_service.errors import PayloadMalformed
from model_service.records import Output, Payload, Schema
from model_service.schema.cells import Place, PlaceFinder
from model_service.schema.node import read_node

#: pandas' own values for what is not there; they compare with nothing.
_MISSING = ("NAType", "NaTType")


def find_library(value: Any) -> str | None:
    """Return ``pandas`` or ``polars`` for a data frame of theirs, ``None`` for anything else."""
    for kind in type(value).__mro__:
        library = kind.__module__.partition(".")[0]
        if kind.__name__ == "DataFrame" and library in ("pandas", "polars"):
            return library
    return None


def to_plain(value: Any) -> Any:
    """Return a value as JSON has it; NaN and what else is missing is ``None``. What JSON has not is left as it is."""
    if value is None or type(value) in (bool, int, str):
        return value
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, datetime.date | datetime.time):  # a moment is a date, too
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return float(value)  # np.float64 is one
    if getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m"):
        return str(value) if not value.shape else [to_plain(str(each)) for each in value]
    if hasattr(value, "tolist") or hasattr(value, "to_list"):  # of NumPy, pandas, polars
        plain = value.tolist() if hasattr(value, "tolist") else value.to_list()
        return value if type(plain) is type(value) else to_plain(plain)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes | bytearray):
        return [to_plain(part) for part in value]
    return value


def is_missing(value: Any) -> bool:
    """Whether a value stands for one that is not there: ``None``, NaN, NaT, NA."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    is_scalar = hasattr(value, "dtype") and getattr(value, "shape", None) == ()
    return is_scalar and bool(value != value)


def read_frame(frame: Any, schema: Schema) -> list[Payload]:
    """Return the payload of each row.

    Columns are named after fields, ``size.x`` after the field ``x`` of the object ``size``. What is missing is null
    where the field may be null, and left out elsewhere. Columns that a closed schema does not know are left out.

    Raises:
        PayloadMalformed: No column has the name of a field, or two have the same.
    """
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise PayloadMalformed("two columns of the frame have the same name; rename one")
    finder = PlaceFinder(schema)
    fields, is_closed = finder.names, read_node(schema).is_closed
    found = [finder.find(name) for name in names]
    places = [place if place is not None and place.path[0] in fields else None for place in found]
    if fields and not any(places):
        raise PayloadMalformed(f"no column of the frame is a field of the model; its fields are {', '.join(fields)}")
    kept = [
        (column, place or Place((name,), ()))
        for column, (name, place) in enumerate(zip(names, places, strict=True))
        if place is not None or not is_closed
    ]
    rows = frame.iter_rows() if find_library(frame) == "polars" else frame.itertuples(index=False, name=None)
    payloads = []
    for row in rows:
        payload: Payload = {}
        for column, place in kept:
            value = to_plain(_fit_format(row[column], place.format))
            if value is not None or "null" in place.types:
                _put(payload, place.path, value)
        payloads.append(payload)
    return payloads


def make_frame(frame: Any, outputs: list[Output], schema: Schema) -> Any:
    """Return outputs as a frame of the kind, and with the index, of the one that was predicted; objects unfolded."""
    rows = [dict(_unfold(output)) for output in outputs]
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(read_node(schema).fields())
    columns = {name: [row.get(name) for row in rows] for name in names}
    library: Any = sys.modules[str(find_library(frame))]
    if library.__name__ == "polars":
        return library.DataFrame(columns, strict=False, infer_schema_length=None)
    return library.DataFrame(columns, index=frame.index, columns=names)


def _fit_format(value: Any, wanted: str) -> Any:
    """Return a day where a day is wanted, and a moment with its offset; one without is UTC."""
    if is_missing(value) or not isinstance(value, datetime.date):
        return value
    if wanted == "date" and isinstance(value, datetime.datetime):
        return value.date() if value.time() == datetime.time() else value
    if wanted == "date-time":
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.combine(value, datetime.time())
        return moment if moment.tzinfo is not None else f"{moment.isoformat()}Z"
    return value


def _put(payload: Payload, path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        payload = payload.setdefault(name, {})
    payload[path[-1]] = value


def _unfold(output: Output, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in output.items():
        if isinstance(value, dict) and value:
            yield from _unfold(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
