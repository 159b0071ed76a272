"""A format to the reader of a file, and to a writer of what became of its rows."""

import sys
from collections.abc import Iterator
from typing import BinaryIO

from model_service.errors import PayloadTooLarge
from model_service.files.formats import Format
from model_service.files.rows import Bounds, Head, Row, RowReader, RowWriter
from model_service.records import Schema

_WAY_OUT = "send it in parts, or to 'model-service score', which takes files of any size"


def open_rows(file_format: Format, stream: BinaryIO, schema: Schema, *, bounds: Bounds | None = None) -> RowReader:
    """Return a reader of a file, which has read its head.

    Args:
        file_format: Of the file.
        stream: The file; Parquet needs one that can seek.
        schema: The model's input schema.
        bounds: How much of it is held.

    Raises:
        FileUnreadable: It has no head, or not the model's.
        MissingDependency: The format needs what is not installed.
    """
    bounds = bounds or Bounds()
    reader: RowReader = file_format.find_reader()(stream, schema, bounds)
    return reader if bounds.max_rows is None and bounds.max_cells is None else _BoundedReader(reader, bounds)


def open_writer(file_format: Format, head: Head, input_schema: Schema, output_schema: Schema) -> RowWriter:
    """Return a writer of the rows of a file with what became of them.

    Args:
        file_format: What is written.
        head: Of the file that is read.
        input_schema: The model's.
        output_schema: The model's.

    Raises:
        MediaTypeUnsupported: The format is only read.
        MissingDependency: The format needs what is not installed.
    """
    writer: RowWriter = file_format.find_writer()(head, input_schema, output_schema)
    return writer


class _BoundedReader:
    """Ends with an error where a file has more rows, or more cells, than may be."""

    def __init__(self, reader: RowReader, bounds: Bounds) -> None:
        self.head = reader.head
        self._reader = reader
        self._max_rows = bounds.max_rows or sys.maxsize
        self._max_cells = bounds.max_cells or sys.maxsize

    def __iter__(self) -> Iterator[list[Row]]:
        cells = 0
        for rows in self._reader:
            if rows[-1].number > self._max_rows:
                raise PayloadTooLarge(f"the file has more than {self._max_rows} rows; {_WAY_OUT}")
            cells += sum(len(row.source) for row in rows)
            if cells > self._max_cells:
                raise PayloadTooLarge(f"the file has more than {self._max_cells} cells; {_WAY_OUT}")
            yield rows
