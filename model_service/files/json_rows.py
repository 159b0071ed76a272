"""JSON lines, one JSON array, or one JSON object, to rows."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from model_service.errors import FileUnreadable, PayloadMalformed, PayloadTooLarge, ServiceError
from model_service.files.blocks import TextLines
from model_service.files.csv_rows import nest_values
from model_service.files.leftovers import Leftovers
from model_service.files.rows import Bounds, Head, Row, check_count
from model_service.records import Schema
from model_service.schema.cells import MISSING, Place, PlaceFinder, read_value
from model_service.strict_json import decode_json

_EMPTY = "the file is empty; send at least one row, a JSON object"
_NO_ROWS = "the file is neither an array of JSON objects nor one object; send one of these, or one object per line"
_UNKNOWN: Any = object()


class _Chunks:
    """Turns documents, or their faults, into chunks of rows, and knows the head after the first of them."""

    head: Head
    _rows: Iterator[list[Row]]
    #: Of the array whose elements the rows are; where they are one, a fault names both their number and their pointer.
    _pointer: str | None = None

    def __init__(self, schema: Schema, bounds: Bounds) -> None:
        self._bounds = bounds
        self._finder = PlaceFinder(schema)
        self._places: dict[str, Place | None] = {}
        self._count = 0

    def _begin(self, chunks: Iterator[list[Any]]) -> None:
        """Read the first chunk, and the second, which tells whether there are rows that the head does not know."""
        first = next(chunks, None)
        if first is None:
            raise FileUnreadable(_EMPTY)
        second = next(chunks, None)
        self.head = self._make_head(first, has_more=second is not None)
        self._rows = map(self._read_rows, chain([first], [] if second is None else [second], chunks))

    def __iter__(self) -> Iterator[list[Row]]:
        return self._rows

    def _make_head(self, documents: Iterable[Any], *, has_more: bool) -> Head:
        """Return the columns of the model, and those that the first rows have beside them.

        Args:
            documents: The first rows.
            has_more: Whether others follow: they may use any column of the model, and have members without a column.
        """
        used = {name: None for document in filter(_is_object, documents) for name in document}
        check_count(len(used), self._bounds)
        top = {place.path[0] for name in used if (place := self._finder.find(name)) is not None}
        columns = {name: place for name in self._finder.list_columns() if (place := self._finder.find(name))}
        columns = {name: place for name, place in columns.items() if has_more or place.path[0] in top}
        known = {place.path[0] for place in columns.values()}
        others = [name for name in used if name not in columns and name not in known]
        names = (*columns, *others)
        check_count(len(names), self._bounds)
        places = tuple(self._finder.find(name) for name in names)
        leftovers = Leftovers(names, places)
        has_left = leftovers.has_nested and any(map(leftovers.find, filter(_is_object, documents)))
        return Head(names, places, is_open=has_more or has_left)

    def _read_rows(self, documents: list[Any]) -> list[Row]:
        before, self._count = self._count, self._count + len(documents)
        return [self._read_row(number, document) for number, document in enumerate(documents, before + 1)]

    def _read_row(self, number: int, source: Any) -> Row:
        if type(source) is not dict:
            if not isinstance(source, ServiceError):
                source = PayloadMalformed("expected a JSON object")
            pointer = "" if self._pointer is None else f" (pointer {self._pointer}/{number - 1})"
            return Row(number, None, PayloadMalformed(f"row {number}{pointer}: {source.message}"), {})
        document: dict[str, Any] = {}
        nested: list[tuple[Place, Any]] = []
        for name, value in source.items():
            place = self._places.get(name, _UNKNOWN)
            if place is _UNKNOWN:
                place = self._find_place(name)
            if place is None:
                continue
            if value is None or place.format:
                value = read_value(place, value)
            if len(place.path) > 1:
                nested.append((place, value))
            elif value is not MISSING:
                document[name] = value
        if nested:
            below = nest_values([place for place, _ in nested], [value for _, value in nested])
            document = {**below, **document}
        return Row(number, document, None, source)

    def _find_place(self, name: str) -> Place | None:
        place = self._finder.find(name)
        if len(self._places) < self._bounds.max_columns:  # names that never end are not remembered
            self._places[name] = place
        return place


class LinesReader(_Chunks):
    """Reads JSON lines. See `RowReader`.

    Raises:
        FileUnreadable: The file is empty, or no text.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        super().__init__(schema, bounds)
        self._source = TextLines(stream, bounds.max_row_bytes)
        self._begin(self._read_chunks())

    def _read_chunks(self) -> Iterator[list[Any]]:
        documents: list[Any] = []
        taken = self._source.taken
        for line in self._source:
            if not line.strip():
                continue
            documents.append(_decode(line))
            if len(documents) >= self._bounds.chunk_rows or self._source.taken - taken >= self._bounds.chunk_bytes:
                yield documents
                documents, taken = [], self._source.taken
        if documents:
            yield documents


class DocumentsReader(_Chunks):
    """Reads rows that have been decoded already. See `RowReader`.

    Args:
        documents: The rows.
        schema: The model's input schema.
        bounds: How many are given together.
        pointer: Of their array in the document that was sent.

    Raises:
        FileUnreadable: There are none.
    """

    def __init__(self, documents: list[Any], schema: Schema, bounds: Bounds, pointer: str = "") -> None:
        super().__init__(schema, bounds)
        self._pointer = pointer
        if not documents:
            raise FileUnreadable(_EMPTY)
        self.head = self._make_head(documents, has_more=False)
        size = bounds.chunk_rows
        self._rows = (self._read_rows(documents[start : start + size]) for start in range(0, len(documents), size))


class ArrayReader(DocumentsReader):
    """Reads one JSON array, which is held as a whole: only one that `Bounds.max_row_bytes` bounds. See `RowReader`.

    Raises:
        FileUnreadable: The file is empty, too large, or no array.
        PayloadMalformed: It is no JSON.
    """

    def __init__(self, stream: BinaryIO, schema: Schema, bounds: Bounds) -> None:
        raw = stream.read(bounds.max_row_bytes + 1)
        if len(raw) > bounds.max_row_bytes:
            raise PayloadTooLarge(
                f"a file of one JSON array may have {bounds.max_row_bytes} bytes; write one object per line (ndjson)"
            )
        documents = decode_json(raw)
        if not isinstance(documents, list | dict):
            raise FileUnreadable(_NO_ROWS)
        if isinstance(documents, dict):  # one object is one row
            documents = [documents]
        super().__init__(documents, schema, bounds)


def _is_object(document: Any) -> bool:
    return isinstance(document, dict)


def _decode(line: str) -> Any:
    try:
        return decode_json(line.encode("utf-8"))
    except ServiceError as error:
        return error.with_traceback(None)
