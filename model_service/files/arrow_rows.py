"""Parquet and Arrow IPC streams to rows; the only reader of either. It needs the extra `arrow`."""

import base64
from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from model_service.errors import FileUnreadable, quote_name
from model_service.files.csv_rows import nest_values
from model_service.files.rows import Bounds, Row, RowReader, make_head
from model_service.records import Schema
from model_service.schema.cells import MISSING, PlaceFinder, read_value

#: Cells that are held together, whatever the number of columns.
_MAX_CHUNK_CELLS = 1_000_000
#: What a footer may say of itself; real ones have kilobytes.
_MAX_FOOTER_BYTES = 100 * 1024 * 1024
_FAULTS = (pa.ArrowException, OSError, ValueError, OverflowError)


class _BatchReader(RowReader):
    """Makes rows of record batches."""

    def __init__(self, arrow_schema: pa.Schema, schema: Schema, bounds: Bounds) -> None:
        nested = next((field for field in arrow_schema if pa.types.is_nested(field.type)), None)
        if nested is not None:
            raise FileUnreadable(
                f"the column {quote_name(nested.name)} is nested; make each of its fields a column of its own, "
                "with a dot in the name, or a text of JSON"
            )
        # What it is in a dictionary is its values.
        types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in arrow_schema]
        self.head = make_head(PlaceFinder(schema), arrow_schema.names, bounds, types=types)
        self._size = max(1, min(bounds.chunk_rows, _MAX_CHUNK_CELLS // max(1, len(types))))
        self._is_flat = all(place is None or len(place.path) == 1 for place in self.head.places)

    @abstractmethod
    def _read_batches(self) -> Iterator[pa.RecordBatch]: ...

    def __iter__(self) -> Iterator[list[Row]]:
        number = 0
        batches = self._read_batches()
        while True:
            try:
                batch = next(batches, None)
                columns = [column.to_pylist() for column in batch.columns] if batch is not None else []
            except _FAULTS as error:
                raise _unreadable(error, f"behind row {number}") from None
            if batch is None:
                break
            if batch.num_rows:
                yield self._read_rows(number, columns)
                number += batch.num_rows
        if not number:
            raise FileUnreadable("the file has columns and no rows; send at least one row")

    def _read_rows(self, before: int, columns: list[list[Any]]) -> list[Row]:
        names, places = self.head.names, self.head.places
        values = [list(map(_make_plain, column)) for column in columns]
        known = [(place, column) for place, column in zip(places, values, strict=True) if place is not None]
        cells = [[read_value(place, _drop_nan(value)) for value in column] for place, column in known]
        rows = []
        for i, source in enumerate(zip(*values, strict=True)):
            found = [column[i] for column in cells]
            if self._is_flat:
                pairs = zip(known, found, strict=True)
                document = {place.path[0]: value for (place, _), value in pairs if value is not MISSING}
            else:
                document = nest_values([place for place, _ in known], found)
            rows.append(Row(before + i + 1, document, None, dict(zip(names, source, strict=True))))
        return rows


class ParquetReader(_BatchReader):
    """Reads Parquet, a batch at a time. See `RowReader`.

    Raises:
        FileUnreadable: It is no Parquet, or has nested columns.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        try:
            self._file = pq.ParquetFile(
                stream,
                pre_buffer=False,
                thrift_string_size_limit=_MAX_FOOTER_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            arrow_schema = self._file.schema_arrow
        except _FAULTS as error:
            raise _unreadable(error, "at its footer") from None
        super().__init__(arrow_schema, schema, bounds)

    def _read_batches(self) -> Iterator[pa.RecordBatch]:
        count = 0
        for batch in self._file.iter_batches(batch_size=self._size):
            count += batch.num_rows
            yield batch
        if count != self._file.metadata.num_rows:
            raise pa.ArrowInvalid(f"it has {count} rows, and its footer says {self._file.metadata.num_rows}")


class ArrowReader(_BatchReader):
    """Reads an Arrow IPC stream. See `RowReader`.

    Raises:
        FileUnreadable: It is no such stream, or has nested columns.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        try:
            self._stream = pa.ipc.open_stream(stream)
        except _FAULTS as error:
            raise _unreadable(error, "at its start") from None
        super().__init__(self._stream.schema, schema, bounds)

    def _read_batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._stream:
            batch.validate(full=True)
            for start in range(0, batch.num_rows, self._size):
                yield batch.slice(start, self._size)


def _unreadable(error: Exception, where: str) -> FileUnreadable:
    """Return the error of a file that the library cannot read; the library's own words may repeat values."""
    reason = "it is cut off, damaged, or in another format"
    if "footer says" in str(error):
        reason = str(error)
    return FileUnreadable(f"the file cannot be read {where}: {reason}; write it again")


def _drop_nan(value: Any) -> Any:
    """Return what a cell holds; NaN is how frames say that it holds nothing."""
    return None if value != value else value


def _make_plain(value: Any) -> Any:
    """Return a value of a type that JSON has."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.total_seconds() if isinstance(value, timedelta) else str(value)
