"""FASTA to rows, for models of exactly one sequence; the id of each record is kept."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from model_service.errors import FileUnreadable, PayloadMalformed, PayloadTooLarge
from model_service.files.blocks import TextLines
from model_service.files.rows import Bounds, Head, Row
from model_service.records import Schema
from model_service.schema.cells import Place
from model_service.schema.form import build_form


class FastaReader:
    """Reads FASTA. See `RowReader`.

    Raises:
        FileUnreadable: The model takes more, or something else, than one sequence; or the file does not begin with '>'.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        self._bounds = bounds
        found = _find_sequence(schema)
        if found is None:
            raise FileUnreadable(
                "FASTA is for models that take one sequence and need nothing else; send CSV or JSON lines to this one"
            )
        self._field, self._is_upper = found
        self._source = TextLines(stream, bounds.max_row_bytes)
        id_name = "id" if self._field != "id" else "record_id"
        self.head = Head((id_name, self._field), (None, Place((self._field,), ("string",))))
        self._lines = (line.strip() for line in self._source)
        first = next((line for line in self._lines if line), None)
        if first is None:
            raise FileUnreadable("the file is empty; send at least one record, '>id' and a line of letters")
        if not first.startswith(">"):
            raise FileUnreadable("the file does not begin with '>', as FASTA does; each record begins with '>id'")
        self._first = first

    def __iter__(self) -> Iterator[list[Row]]:
        rows: list[Row] = []
        taken, number = self._source.taken, 0
        for number, (record_id, sequence) in enumerate(self._read_records(), 1):
            fault = None if sequence else PayloadMalformed(f"row {number}: the record has no sequence")
            document = {self._field: sequence} if sequence else None
            rows.append(Row(number, document, fault, [record_id, sequence], record_id))
            if len(rows) >= self._bounds.chunk_rows or self._source.taken - taken >= self._bounds.chunk_bytes:
                yield rows
                rows, taken = [], self._source.taken
        if rows:
            yield rows

    def _read_records(self) -> Iterator[tuple[str, str]]:
        title, length = self._first, 0
        parts: list[str] = []
        for line in self._lines:
            if line.startswith(">"):
                yield _read_id(title), self._join(parts)
                title, parts, length = line, [], 0
            elif line:
                parts.append(line)
                length += len(line)
                if length > self._bounds.max_row_bytes:
                    raise PayloadTooLarge(f"a record has more than {self._bounds.max_row_bytes} letters")
        yield _read_id(title), self._join(parts)

    def _join(self, parts: list[str]) -> str:
        """Return the letters; small ones, which mark repeats in genomes, are the same letters."""
        sequence = "".join("".join(parts).split())
        return sequence.upper() if self._is_upper else sequence


def _read_id(title: str) -> str:
    return (title[1:].split() or [""])[0]


def takes_fasta(schema: Schema) -> bool:
    """Whether a model takes one sequence and needs nothing else."""
    return _find_sequence(schema) is not None


def _find_sequence(schema: Schema) -> tuple[str, bool] | None:
    """Return the name of the one field that is a sequence, and whether its alphabet has capitals only."""
    form = build_form(schema)
    found = [child for child in form.children if child.widget == "sequence" and child.name is not None]
    others = [child.name for child in form.children if child.is_required and child not in found]
    if len(found) != 1 or others:
        return None
    pattern = re.sub(r"\\.", "", found[0].attributes.get("data-pattern", ""))
    return found[0].name or "", not re.search("[a-z]", pattern)
