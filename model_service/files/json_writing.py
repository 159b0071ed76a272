"""Rows and what became of them as JSON lines."""

from collections.abc import Sequence
from typing import Any

from model_service.errors import ServiceError
from model_service.files.columns import describe_error, find_free_name
from model_service.files.rows import Head, Outcome, Row, RowWriter
from model_service.records import Schema
from model_service.schema.cells import list_leaves
from model_service.strict_json import encode_document


class LinesWriter(RowWriter):
    """Writes JSON lines: the members of the row, then those of its output, or ``error``. See `RowWriter`."""

    def __init__(self, head: Head, input_schema: Schema, output_schema: Schema) -> None:
        self._head = head
        self._taken = {*head.names, *(place.path[0] for place in head.places if place is not None)}
        names = {leaf.path[0] for leaf in list_leaves(output_schema)}
        # Names that the schema promises are the same in every row.
        self._names = {name: find_free_name(name, self._taken) for name in (*names, "error")}

    def begin(self) -> bytes:
        return b""

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        lines = [encode_document(self._merge(row, outcome)) for row, outcome in zip(rows, outcomes, strict=True)]
        return b"\n".join([*lines, b""])

    def end(self) -> bytes:
        return b""

    def _merge(self, row: Row, outcome: Outcome) -> dict[str, Any]:
        merged = dict(row.source) if type(row.source) is dict else self._name_cells(row)
        told = {"error": _describe(outcome)} if isinstance(outcome, ServiceError) else outcome
        for name, value in told.items():
            free = self._names.get(name, name)
            merged[free if free not in merged else find_free_name(free, {*merged})] = value
        return merged

    def _name_cells(self, row: Row) -> dict[str, Any]:
        """Return the members of a row of cells: typed where the model knows them, and nested."""
        document, members = row.document, {}
        for name, place, cell in zip(self._head.names, self._head.places, row.source, strict=True):
            if document is None or place is None:
                members[name] = cell
            elif place.path[0] in document:
                members[place.path[0]] = document[place.path[0]]
        return members


def _describe(error: ServiceError) -> dict[str, Any]:
    code, column, message = describe_error(error)
    return {"code": code, "column": column, "message": message}
