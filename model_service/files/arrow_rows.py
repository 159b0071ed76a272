"""Parquet and Arrow IPC streams to rows; the only reader of either. It needs the extra `arrow`."""

import base64
from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model_service.errors import FileUnreadable
from model_service.files.csv_rows import nest_values
from model_service.files.ipc_messages import CheckedMessages
from model_service.files.parquet_pages import measure_group
from model_service.files.rows import Bounds, Row, RowReader, make_head
from model_service.naming import quote_name
from model_service.records import Schema
from model_service.schema.cells import MISSING, PlaceFinder, read_value

#: Cells that are held together, whatever the number of columns.
_MAX_CHUNK_CELLS = 1_000_000
#: What a footer may say of itself; real ones have kilobytes.
_MAX_FOOTER_BYTES = 100 * 1024 * 1024
#: What a row group, or a batch of a stream, may be inflated to: they are not read in smaller parts.
_MAX_GROUP_BYTES = 256 * 1024 * 1024
#: What the rows that are read at once may be inflated to at most; fewer at once would make honest files slow.
_MAX_READ_BYTES = 512 * 1024 * 1024
_TEXTS = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary),
    pa.types.is_fixed_size_binary,
)
_VIEWS = (pa.types.is_string_view, pa.types.is_binary_view)
_FAULTS = (pa.ArrowException, OSError, ValueError, OverflowError)


class _BatchReader(RowReader):
    """Makes rows of record batches."""

    def __init__(self, arrow_schema: pa.Schema, schema: Schema, bounds: Bounds) -> None:
        nested = next((field for field in arrow_schema if pa.types.is_nested(_find_kind(field.type))), None)
        if nested is not None:
            raise FileUnreadable(
                f"the column {quote_name(nested.name)} is nested; make each of its fields a column of its own, "
                "with a dot in the name, or a text of JSON"
            )
        types = [_find_kind(field.type) for field in arrow_schema]
        self.head = make_head(PlaceFinder(schema), arrow_schema.names, bounds, types=types)
        self._size = max(1, min(bounds.chunk_rows, _MAX_CHUNK_CELLS // max(1, len(types))))
        self._bounds = bounds
        self._is_flat = all(place is None or len(place.path) == 1 for place in self.head.places)

    @abstractmethod
    def _read_batches(self) -> Iterator[pa.RecordBatch]: ...

    def __iter__(self) -> Iterator[list[Row]]:
        number = 0
        chunks = self._gather()
        while True:
            try:
                chunk = next(chunks, [])
                columns = [
                    list(chain.from_iterable(map(_list, parts)))
                    for parts in zip(*(batch.columns for batch in chunk), strict=True)
                ]
            except _FAULTS as error:
                raise _unreadable(error, f"behind row {number}") from None
            if not chunk:
                break
            yield self._read_rows(number, columns)
            number += len(columns[0])
        if not number:
            raise FileUnreadable("the file has columns and no rows; send at least one row")

    def _gather(self) -> Iterator[list[pa.RecordBatch]]:
        """Yield batches that make a chunk together: as many rows and bytes as it may have."""
        gathered: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in self._read_batches():
            for part, part_size in self._cut(batch):
                is_full = rows + part.num_rows > self._size or size + part_size > self._bounds.chunk_bytes
                if gathered and is_full:
                    yield gathered
                    gathered, rows, size = [], 0, 0
                gathered.append(part)
                rows, size = rows + part.num_rows, size + part_size
        if gathered:
            yield gathered

    def _cut(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield parts of a batch with their sizes as Python has them: a value that many rows share counts for each."""
        size = sum(map(_measure, batch.columns))
        if batch.num_rows > 1 and size > min(self._bounds.chunk_bytes, self._bounds.max_row_bytes):
            middle = batch.num_rows // 2
            yield from self._cut(batch.slice(0, middle))
            yield from self._cut(batch.slice(middle))
        elif size > self._bounds.max_row_bytes:
            raise FileUnreadable(
                f"a row of the file has more than {self._bounds.max_row_bytes} bytes; shorten its texts"
            )
        elif batch.num_rows:
            yield batch, size

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
            arrow_schema = _check_names(self._file.schema_arrow)
        except _FAULTS as error:
            raise _unreadable(error, "at its footer") from None
        self._stream = stream
        super().__init__(arrow_schema, schema, bounds)

    def _read_batches(self) -> Iterator[pa.RecordBatch]:
        metadata, count = self._file.metadata, 0
        for number in range(metadata.num_row_groups):
            size = measure_group(self._stream, metadata.row_group(number))
            if size.inflated > _MAX_GROUP_BYTES:
                raise FileUnreadable(
                    f"a row group of the file inflates to more than {_MAX_GROUP_BYTES} bytes; write smaller row groups"
                )
            rows = max(1, min(self._size, _MAX_READ_BYTES // max(1, size.shared)))
            for batch in self._file.iter_batches(batch_size=rows, row_groups=[number]):
                count += batch.num_rows
                yield batch
        if count != metadata.num_rows:
            raise pa.ArrowInvalid(f"it has {count} rows, and its footer says {metadata.num_rows}")


class ArrowReader(_BatchReader):
    """Reads an Arrow IPC stream. See `RowReader`.

    Raises:
        FileUnreadable: It is no such stream, or has nested columns.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        try:
            self._stream = pa.ipc.open_stream(pa.PythonFile(CheckedMessages(stream, _MAX_GROUP_BYTES), mode="r"))
            arrow_schema = _check_names(self._stream.schema)
        except _FAULTS as error:
            raise _unreadable(error, "at its start") from None
        super().__init__(arrow_schema, schema, bounds)

    def _read_batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._stream:
            batch.validate(full=True)
            for start in range(0, batch.num_rows, self._size):
                yield batch.slice(start, self._size)


def _measure(column: pa.Array) -> int:
    """Return the bytes of the texts of a column, each row for itself."""
    return pc.sum(lengths).as_py() or 0 if (lengths := _find_lengths(column)) is not None else 0


def _find_lengths(column: pa.Array) -> pa.Array | None:
    if isinstance(column, pa.ExtensionArray):
        return _find_lengths(column.storage)
    if pa.types.is_dictionary(column.type):
        lengths = _find_lengths(column.dictionary)
        return None if lengths is None else lengths.take(column.indices)
    if any(is_view(column.type) for is_view in _VIEWS):
        # Each value has 16 bytes, of which the first four are its length; the library has no function for that.
        words = pa.Array.from_buffers(pa.int32(), 4 * (column.offset + len(column)), [None, column.buffers()[1]])
        lengths = words.take(pa.array(range(4 * column.offset, len(words), 4), pa.int64())).cast(pa.int64())
        return pc.if_else(column.is_valid(), lengths, 0)
    return pc.binary_length(column) if any(is_text(column.type) for is_text in _TEXTS) else None


def _find_kind(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column: what a dictionary holds, what an extension stores."""
    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    return kind


def _list(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _check_names(arrow_schema: pa.Schema) -> pa.Schema:
    """Return the schema; the library finds only here that a name is no text."""
    list(arrow_schema.names)
    return arrow_schema


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
