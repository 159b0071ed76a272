"""CSV to rows: any of four delimiters, quotes, line ends; cells typed by the model's input schema."""

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, count, repeat
from typing import Any, BinaryIO

from model_service.errors import FileUnreadable, PayloadMalformed
from model_service.files.blocks import TextLines
from model_service.files.rows import Bounds, Head, Row, make_head
from model_service.records import Payload, Schema
from model_service.schema.cells import MISSING, Place, PlaceFinder, read_cells, set_value

#: What may stand between cells.
DELIMITERS = ",;\t|"


class CsvReader:
    """Reads CSV. See `RowReader`.

    Raises:
        FileUnreadable: The file is empty, has no header, or is no text.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        self._bounds = bounds
        self._source = TextLines(stream, bounds.max_row_bytes)
        # A bound of the whole process, which would be too low for a genome; `TextLines` bounds the rows of this file.
        csv.field_size_limit(sys.maxsize)
        lines = iter(self._source)
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise FileUnreadable("the file is empty; send a header and at least one row")
        finder = PlaceFinder(schema)
        delimiter = _find_delimiter(first, finder)
        self._table = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
        names = self._read_record(0)
        assert names is not None  # the first line is not blank
        self.head = make_head(finder, [name.strip() for name in names], bounds, delimiter=delimiter)
        self._builder = _PayloadBuilder(self.head)

    def __iter__(self) -> Iterator[list[Row]]:
        number, taken = 0, self._source.taken
        records: list[list[str]] = []
        while (record := self._read_record(number + len(records) + 1)) is not None:
            records.append(record)
            if len(records) >= self._bounds.chunk_rows or self._source.taken - taken >= self._bounds.chunk_bytes:
                yield self._read_rows(number, records)
                number, records, taken = number + len(records), [], self._source.taken
        if records:
            yield self._read_rows(number, records)
        elif not number:
            raise FileUnreadable("the file has a header and no rows; send at least one row")

    def _read_record(self, number: int) -> list[str] | None:
        """Return the cells of the next line that is not blank; ``None`` at the end."""
        self._source.row_start = self._source.taken
        try:
            for record in self._table:
                if record:
                    return record
        except csv.Error as error:
            row = f"row {number}" if number else "the header"
            raise FileUnreadable(f"{row} cannot be read as CSV: {_explain(str(error))}") from None
        return None

    def _read_rows(self, before: int, records: list[list[str]]) -> list[Row]:
        width = len(self.head.names)
        whole = [record for record in records if len(record) == width]
        payloads = iter(self._builder.build(whole))
        if len(whole) == len(records):
            # What `Row` itself would do, without a call in Python for each of millions.
            values = zip(count(before + 1), payloads, repeat(None), records, repeat(None))
            return list(map(tuple.__new__, repeat(Row), values))
        return [
            Row(number, next(payloads), None, record)
            if len(record) == width
            else Row(number, None, _ragged(number, len(record), width), _fit(record, width))
            for number, record in enumerate(records, before + 1)
        ]


class _PayloadBuilder:
    """Makes payloads of many rows at once, column by column."""

    def __init__(self, head: Head) -> None:
        known = [(i, place) for i, place in enumerate(head.places) if place is not None]
        self._known = known
        self._names = [place.path[0] for _, place in known]
        self._is_flat = all(len(place.path) == 1 for _, place in known)

    def build(self, records: Sequence[Sequence[str]]) -> list[Payload]:
        if not self._known or not records:
            return [{} for _ in records]
        cells = list(zip(*records, strict=True))
        columns = [read_cells(place, cells[i]) for i, place in self._known]
        if self._is_flat:
            names = self._names
            if not any(MISSING in column for column in columns):
                return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
            return [
                {name: value for name, value in zip(names, values, strict=True) if value is not MISSING}
                for values in zip(*columns, strict=True)
            ]
        places = [place for _, place in self._known]
        return [nest_values(places, values) for values in zip(*columns, strict=True)]


def nest_values(places: Sequence[Place], values: Sequence[Any]) -> Payload:
    """Return the payload of one row, with its nested objects."""
    payload: Payload = {}
    late = []
    for place, value in zip(places, values, strict=True):
        if value is MISSING or value is None:
            late.append((place, value))
        else:
            set_value(payload, place, value)
    for place, value in late:
        set_value(payload, place, value)
    return payload


def _find_delimiter(header: str, finder: PlaceFinder) -> str:
    """Return the delimiter that finds the most fields of the model in the header; else, the most columns."""

    def count(delimiter: str) -> tuple[int, int]:
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        return sum(finder.find(name.strip()) is not None for name in names[:1000]) if finder.names else 0, len(names)

    return max(DELIMITERS, key=count)


def _ragged(number: int, count: int, width: int) -> PayloadMalformed:
    return PayloadMalformed(
        f"row {number} has {count} {'cell' if count == 1 else 'cells'}, the header {width}; "
        "put cells that hold the delimiter or a line end into double quotes"
    )


def _fit(record: list[str], width: int) -> list[str]:
    return (record + [""] * width)[:width]


def _explain(message: str) -> str:
    if "unexpected end" in message:
        return "a double quote that opens a cell is never closed"
    if "expected after" in message:
        return "text follows the double quote that ends a cell; a double quote inside a cell is written twice"
    return "a line end stands in a cell without double quotes"
