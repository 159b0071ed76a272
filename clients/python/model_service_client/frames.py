"""Data frames to payloads and outputs to data frames, of pandas and of polars; neither is imported before it is used.

A missing value is null where the field may be null, and left out elsewhere, as in the files that the service reads.
"""

import datetime
import sys
from collections.abc import Iterator
from typing import Any

from model_service_client.errors import ModelServiceError
from model_service_client.records import Output, Schema
from model_service_client.schemas import allows_null, list_columns, list_fields, resolve
from model_service_client.values import is_missing

_ERROR_COLUMNS = ("error.code", "error.message")


def find_library(frame: Any) -> str:
    """Return ``pandas`` or ``polars``.

    Raises:
        TypeError: It is a data frame of neither.
    """
    for kind in type(frame).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in ("pandas", "polars") and kind.__name__ == "DataFrame":
            return library
    hint = "; collect() it first" if type(frame).__name__ == "LazyFrame" else ""
    raise TypeError(f"predict_frame takes a DataFrame of pandas or polars, not a {type(frame).__name__}{hint}")


def read_rows(frame: Any, schema: Schema) -> Iterator[dict[str, Any]]:
    """Yield the payload of each row.

    Columns are named after fields; ``size.x`` is the field ``x`` of the object ``size``. Columns that the model does
    not know are left out, unless its schema allows other fields.

    Args:
        frame: Of pandas or polars.
        schema: The model's input schema.

    Raises:
        TypeError: It is a frame of neither.
        ValueError: Two columns have the same name, or none has the name of a field.
    """
    is_pandas = find_library(frame) == "pandas"
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError("two columns of the frame have the same name; rename one")
    fields = list_fields(schema, schema)
    is_open = resolve(schema, schema).get("additionalProperties", True) is not False
    columns = [_Column(name, fields, schema) for name in names]
    kept = [(place, column) for place, column in enumerate(columns) if column.is_known or is_open]
    if fields and not any(column.is_known for column in columns):
        raise ValueError(f"no column of the frame is a field of the model; its fields are {', '.join(fields)}")
    rows = frame.itertuples(index=False, name=None) if is_pandas else frame.iter_rows()
    for row in rows:
        payload: dict[str, Any] = {}
        for place, column in kept:
            column.put(row[place], payload)
        yield payload


class _Column:
    """One column of a frame, and where its values go."""

    def __init__(self, name: str, fields: dict[str, Schema], root: Schema) -> None:
        self._path = [name]
        field = fields.get(name)
        while field is None and "." in self._path[-1]:  # a.b.c is the field of an object, unless it is one itself
            head, _, rest = self._path[-1].partition(".")
            inner = list_fields(fields[head], root) if head in fields else {}
            if not inner:
                self._path = [name]
                break
            self._path[-1:] = [head, rest]
            fields, field = inner, inner.get(rest)
        self.is_known = field is not None
        self._takes_null = field is not None and allows_null(field, root)
        self._format = resolve(field, root).get("format")

    def put(self, value: Any, payload: dict[str, Any]) -> None:
        """Put a value where it belongs; one that is missing only where null may be."""
        value = None if is_missing(value) else _as_format(value, self._format)
        if value is None and not self._takes_null:
            return
        for name in self._path[:-1]:
            payload = payload.setdefault(name, {})
        payload[self._path[-1]] = value


def make_frame(frame: Any, outcomes: list[Output | ModelServiceError], schema: Schema, *, has_errors: bool) -> Any:
    """Return the outputs as a frame of the same kind, with the same index: one row per row, objects unfolded.

    Args:
        frame: What was predicted.
        outcomes: Of each row.
        schema: The model's output schema, of which an empty frame has its columns.
        has_errors: Whether the columns ``error.code`` and ``error.message`` come last.
    """
    rows = [{} if isinstance(outcome, ModelServiceError) else dict(_unfold(outcome)) for outcome in outcomes]
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(list_columns(schema, schema))
    columns = {name: [row.get(name) for row in rows] for name in names}
    if has_errors:
        errors = [outcome if isinstance(outcome, ModelServiceError) else None for outcome in outcomes]
        columns["error.code"] = [error and error.code for error in errors]
        columns["error.message"] = [error and _word(error) for error in errors]
    library: Any = sys.modules[find_library(frame)]
    if library.__name__ == "polars":
        texts = dict.fromkeys(_ERROR_COLUMNS, library.String) if has_errors else {}
        return library.DataFrame(columns, schema_overrides=texts, strict=False, infer_schema_length=None)
    return library.DataFrame(
        {name: _as_series(library, values) for name, values in columns.items()}, index=frame.index, columns=[*columns]
    )


def _as_series(pandas: Any, values: list[Any]) -> Any:
    """Return a column; integers of which some are missing stay integers."""
    found = [value for value in values if value is not None]
    if found and len(found) < len(values) and all(type(value) is int for value in found):
        try:
            return pandas.array(values, dtype="Int64")
        except OverflowError:
            return values
    return values


def _unfold(output: Output, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in output.items():
        if isinstance(value, dict) and value:
            yield from _unfold(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _word(error: ModelServiceError) -> str:
    faults = "; ".join(f"{each.pointer}: {each.message}" for each in error.violations)
    return faults or error.message


def _as_format(value: Any, wanted: str | None) -> Any:
    """Return a day where a day is wanted, and a moment with its offset; one without is UTC."""
    if wanted == "date" and isinstance(value, datetime.datetime):
        return value.date() if value.time() == datetime.time() else value
    if wanted == "date-time" and isinstance(value, datetime.date):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime.combine(value, datetime.time())
        return value if value.tzinfo is not None else f"{value.isoformat()}Z"
    return value
