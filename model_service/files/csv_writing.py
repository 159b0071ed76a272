"""Rows and what became of them as CSV, with the delimiter of the file that was read."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from model_service.files.columns import OutputColumns, describe_errors
from model_service.files.rows import Head, Outcome, Row, RowWriter
from model_service.records import Schema
from model_service.schema.cells import MISSING
from model_service.strict_json import encode_document

#: Types whose values the csv module writes as JSON does.
_PLAIN = frozenset({"string", "number", "integer", "null"})


class CsvWriter(RowWriter):
    """Writes CSV. See `RowWriter`."""

    def __init__(self, head: Head, input_schema: Schema, output_schema: Schema) -> None:
        self._columns = OutputColumns(head, output_schema)
        self._delimiter = head.delimiter
        self._is_plain = [bool(leaf.types) and {*leaf.types} <= _PLAIN for leaf in self._columns.leaves]

    def begin(self) -> bytes:
        return self._encode([self._columns.names])

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        read_input = self._columns.read_input
        ends = zip(*self._write_predictions(outcomes), *describe_errors(outcomes), strict=True)
        return self._encode(
            [*(row.source if type(row.source) is list else map(write_cell, read_input(row))), *end]
            for row, end in zip(rows, ends, strict=True)
        )

    def end(self) -> bytes:
        return b""

    def _write_predictions(self, outcomes: Sequence[Outcome]) -> list[Sequence[Any]]:
        return [
            values if is_plain else [*map(write_cell, values)]
            for values, is_plain in zip(self._columns.read_predictions(outcomes), self._is_plain, strict=True)
        ]

    def _encode(self, records: Iterable[Sequence[Any]]) -> bytes:
        records = list(records)
        text = self._write(records, csv.QUOTE_MINIMAL)
        if "\r" in text:  # readers take it for the end of a line, unless it is in quotes; the csv module does not care
            text = self._write(records, csv.QUOTE_ALL)
        return text.encode("utf-8")

    def _write(self, records: list[Sequence[Any]], quoting: Literal[0, 1]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n", quoting=quoting).writerows(records)
        return text.getvalue()


class PredictionsWriter(CsvWriter):
    """Writes what became of rows without the rows: the columns of the prediction, and of the error if they are wanted.

    Args:
        output_schema: The model's.
        has_errors: Whether there are columns for the error of a row.
    """

    def __init__(self, output_schema: Schema, *, has_errors: bool) -> None:
        super().__init__(Head((), ()), {}, output_schema)
        self._has_errors = has_errors

    def begin(self) -> bytes:
        return self._encode([self._columns.prediction_names + (self._columns.error_names if self._has_errors else ())])

    def write_outcomes(self, outcomes: Sequence[Outcome]) -> bytes:
        """Return one line per row."""
        columns = self._write_predictions(outcomes) + ([*describe_errors(outcomes)] if self._has_errors else [])
        return self._encode(zip(*columns, strict=True))


def write_cell(value: Any) -> Any:
    """Return what the csv module is to write for a JSON value."""
    if value is True or value is False:
        return "true" if value else "false"
    if value is None or value is MISSING:
        return ""
    return encode_document(value).decode() if isinstance(value, dict | list) else value
