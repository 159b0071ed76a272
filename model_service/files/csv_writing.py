"""Rows and what became of them as CSV, with the delimiter of the file that was read."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any, Literal

from model_service.files.columns import OutputColumns, describe_errors
from model_service.files.rows import Head, Outcome, Row, RowWriter
from model_service.records import Schema
from model_service.schema.cells import MISSING
from model_service.strict_json import encode_document

_NUMBERS = frozenset({"number", "integer", "null"})


class CsvWriter(RowWriter):
    """Writes CSV. See `RowWriter`."""

    def __init__(self, head: Head, input_schema: Schema, output_schema: Schema) -> None:
        self._columns = OutputColumns(head, output_schema)
        self._delimiter = head.delimiter
        self._is_number = [bool(leaf.types) and {*leaf.types} <= _NUMBERS for leaf in self._columns.leaves]

    def begin(self) -> bytes:
        return self._encode([self._columns.names])

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        read_input = self._columns.read_input
        ends = zip(*self._write_predictions(outcomes), *describe_errors(outcomes), strict=True)
        return self._encode(
            [
                [*(row.source if type(row.source) is list else map(write_cell, read_input(row))), *end]
                for row, end in zip(rows, ends, strict=True)
            ]
        )

    def end(self) -> bytes:
        return b""

    def _write_predictions(self, outcomes: Sequence[Outcome]) -> list[Sequence[Any]]:
        return [
            _write_numbers(values) if is_number else [*map(write_cell, values)]
            for values, is_number in zip(self._columns.read_predictions(outcomes), self._is_number, strict=True)
        ]

    def _encode(self, records: Sequence[Sequence[Any]]) -> bytes:
        text = self._join(records)
        if text is None:
            text = self._write(records, csv.QUOTE_MINIMAL)
        if "\r" in text:  # readers take it for the end of a line, unless it is in quotes; the csv module does not care
            text = self._write(records, csv.QUOTE_ALL)
        return text.encode("utf-8")

    def _join(self, records: Sequence[Sequence[Any]]) -> str | None:
        """Return the lines of records of texts none of which needs quotes: an eighth of what the csv module takes."""
        if not records or len(records[0]) == 1:  # an empty line would be no record
            return None
        try:
            text = "\n".join([*map(self._delimiter.join, records), ""])
        except TypeError:  # not all are texts
            return None
        cells = sum(map(len, records))
        is_plain = (
            text.count(self._delimiter) == cells - len(records) and text.count("\n") == len(records) and '"' not in text
        )
        return text if is_plain else None

    def _write(self, records: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
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
        return self._encode([*zip(*columns, strict=True)])


def write_cell(value: Any) -> str:
    """Return the text of a JSON value: a text is itself, all else is JSON, and null is empty."""
    if type(value) is str:
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, float) and not math.isfinite(value):  # of a file that is no JSON
        return repr(value)
    return encode_document(value).decode()


def _write_numbers(values: Sequence[Any]) -> Sequence[str]:
    """Return the texts of numbers and nulls, as `write_cell` has them, in one call for all."""
    text = encode_document(values).decode()[1:-1]
    if "n" in text or '"' in text:  # a row without an output
        return [*map(write_cell, values)]
    return text.split(",")
