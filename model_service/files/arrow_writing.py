"""Rows and what became of them as Parquet and Arrow IPC streams; the only writer of either, with the extra `arrow`."""

import io
from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from model_service.files.columns import OutputColumns, describe_errors
from model_service.files.rows import Head, Outcome, Row, RowWriter
from model_service.records import Schema
from model_service.schema.cells import MISSING, Place, get_value
from model_service.strict_json import encode_document

#: A row group of Parquet ends with so many rows, or bytes.
_GROUP_ROWS, _GROUP_BYTES = 128 * 1024, 32 * 1024 * 1024
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_TYPES = {
    ("boolean",): pa.bool_(),
    ("integer",): pa.int64(),
    ("number",): pa.float64(),
    ("integer", "number"): pa.float64(),
}


class _Tables:
    """Makes record batches of rows with what became of them."""

    def __init__(self, head: Head, output_schema: Schema) -> None:
        self._head = head
        self._columns = OutputColumns(head, output_schema)
        own = head.types or [_find_type(place) if place is not None else pa.string() for place in head.places]
        own = [*own, *[pa.string()] * (len(self._columns.input_names) - len(own))]
        outputs = [_find_type(leaf) for leaf in self._columns.leaves]
        types = [*map(_find_plain, own), *outputs, *[pa.string()] * len(self._columns.error_names)]
        self.schema = pa.schema(list(zip(self._columns.names, types, strict=True)))

    def build(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> pa.RecordBatch:
        sources = [*zip(*map(self._read_row, rows), strict=True)]
        errors = [[text or None for text in texts] for texts in describe_errors(outcomes)]
        columns = [*sources, *self._columns.read_predictions(outcomes), *errors]
        arrays = [_make_array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
        return pa.record_batch(arrays, schema=self.schema)

    def _read_row(self, row: Row) -> Sequence[Any]:
        if isinstance(row.source, dict):
            return self._columns.read_input(row)
        if row.document is None:
            return row.source
        # Of cells, those that the model knows have a type in the payload.
        return [
            cell if place is None else get_value(row.document, place.path)
            for cell, place in zip(row.source, self._head.places, strict=True)
        ]


class ArrowWriter(RowWriter):
    """Writes an Arrow IPC stream. See `RowWriter`."""

    def __init__(self, head: Head, input_schema: Schema, output_schema: Schema) -> None:
        self._tables = _Tables(head, output_schema)

    def begin(self) -> bytes:
        return self._tables.schema.serialize().to_pybytes()  # type: ignore[no-any-return]

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        return self._tables.build(rows, outcomes).serialize().to_pybytes()  # type: ignore[no-any-return]

    def end(self) -> bytes:
        return _END_OF_STREAM


class ParquetWriter(RowWriter):
    """Writes Parquet; alone of the writers it must write all of a file. See `RowWriter`."""

    def __init__(self, head: Head, input_schema: Schema, output_schema: Schema) -> None:
        self._tables = _Tables(head, output_schema)
        self._sink = _Drain()
        self._groups = _Groups(self._sink, self._tables.schema)

    def begin(self) -> bytes:
        return self._sink.take()

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        self._groups.write(self._tables.build(rows, outcomes))
        return self._sink.take()

    def end(self) -> bytes:
        self._groups.close()
        return self._sink.take()

    @staticmethod
    def convert(stream: BinaryIO, sink: BinaryIO) -> None:
        """Write the Parquet of an Arrow IPC stream, batch by batch."""
        batches = pa.ipc.open_stream(stream)
        groups = _Groups(sink, batches.schema)
        for batch in batches:
            groups.write(batch)
        groups.close()


class _Groups:
    """Writes batches as row groups, of which each is held until it is whole: so they are bounded by bytes, too."""

    def __init__(self, sink: Any, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(sink, schema, compression="snappy")
        self._held: list[pa.RecordBatch] = []
        self._rows = self._size = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        self._size += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._size >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
        self._held, self._rows, self._size = [], 0, 0


class _Drain(io.RawIOBase):
    """Takes what is written, to be taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _find_type(place: Place) -> Any:
    return _TYPES.get(tuple(name for name in place.types if name != "null"), pa.string())


def _find_plain(kind: Any) -> Any:
    """Return the type of a column of the input in the output: numbers and truths stay, all else is text."""
    return kind if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) else pa.string()


def _make_array(values: Sequence[Any], kind: Any) -> Any:
    plain = [None if value is MISSING else value for value in values]
    if pa.types.is_string(kind):
        return pa.array([_write_text(value) for value in plain], kind)
    try:
        return pa.array(plain, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # a row that is wrong, and so stays without this value
        return pa.array([_fit(value, kind) for value in plain], kind)


def _write_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return encode_document(value).decode()


def _fit(value: Any, kind: Any) -> Any:
    try:
        pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None
    return value
