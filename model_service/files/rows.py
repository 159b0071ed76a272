"""What readers of files give and what writers take: rows, the head of a file, bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from model_service.errors import FileUnreadable, ServiceError
from model_service.naming import quote_name
from model_service.records import Payload
from model_service.schema.cells import Place, PlaceFinder

#: What became of a row: its output, or its error.
Outcome = dict[str, Any] | ServiceError


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a file is held, and where reading ends.

    Attributes:
        chunk_rows: Rows that are given together.
        chunk_bytes: Rows are also given when they have about so many bytes.
        max_row_bytes: A longer row, such as a file of one line, is not read to its end.
        max_columns: Most columns.
        max_rows: Most rows; ``None`` for any number.
        max_cells: Most cells, of all rows; ``None`` for any number.
    """

    chunk_rows: int = 1000
    chunk_bytes: int = 4 * 1024 * 1024
    max_row_bytes: int = 16 * 1024 * 1024
    max_columns: int = 10_000
    max_rows: int | None = None
    max_cells: int | None = None


class Row(NamedTuple):
    """One row of a file. A tuple, because there are millions.

    Attributes:
        number: As a person counts rows: from 1, without the header.
        document: The JSON object that the model is to be asked with; ``None`` where there is a fault.
        fault: Why the row cannot be read.
        source: What stood in the file: cells in the order of the columns, or values by name. Writers repeat it.
        record_id: Of a FASTA record.
    """

    number: int
    document: Payload | None
    fault: ServiceError | None
    source: list[str] | dict[str, Any]
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The columns of a file that is read.

    Attributes:
        names: In the order of the file. Of JSON those of the model, then others in the order of their coming.
        places: Where each stands in a payload; ``None`` for a column that the model does not know.
        delimiter: Between the cells of a CSV file.
        types: Types of the columns of an Arrow file.
        is_open: Whether rows may have members that are no column.
    """

    names: tuple[str, ...]
    places: tuple[Place | None, ...]
    delimiter: str = ","
    types: tuple[Any, ...] = ()
    is_open: bool = False


class RowReader(Protocol):
    """Reads one file.

    Attributes:
        head: The columns, once the reader is made.
    """

    head: Head

    def __iter__(self) -> Iterator[list[Row]]:
        """Yield the rows in chunks, which are the same every time that the file is read.

        Raises:
            FileUnreadable: The rest of the file cannot be read.
        """
        ...


class RowWriter(Protocol):
    """Writes rows and what became of them. Each call returns bytes to be appended to those before.

    But for Parquet, what different writers of the same head return for the parts of a file is, joined, what one writer
    would have returned: ``begin`` once, then the chunks in order, then ``end`` once.
    """

    def begin(self) -> bytes:
        """Return what stands before the rows."""
        ...

    def write(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> bytes:
        """Return rows with their outcomes."""
        ...

    def end(self) -> bytes:
        """Return what stands behind the rows."""
        ...


def make_head(
    finder: PlaceFinder, names: Sequence[str], bounds: Bounds, *, delimiter: str = ",", types: Sequence[Any] = ()
) -> Head:
    """Return the head of a file with a header.

    Raises:
        FileUnreadable: The columns are too many, or the same, or not those of the model.
    """
    check_count(len(names), bounds)
    twice = (
        next((name for i, name in enumerate(names) if name and name in names[:i]), None) if _repeats(names) else None
    )
    if twice is not None:
        raise FileUnreadable(f"the header names {quote_name(twice)} twice; name each column once")
    places = tuple(finder.find(name) for name in names)
    found = {place.path[0] for place in places if place is not None}
    if finder.names and not found:
        raise FileUnreadable(
            "no column is a field of the model; the file begins with a row of names, "
            f"such as {', '.join(finder.list_columns()[:10])}"
        )
    missing = [name for name in finder.required if name not in found]
    if missing:
        raise FileUnreadable(f"the column '{missing[0]}' is missing; the model needs {', '.join(finder.required[:20])}")
    return Head(tuple(names), places, delimiter, tuple(types))


def check_count(count: int, bounds: Bounds) -> None:
    """Refuse a file of too many columns.

    Raises:
        FileUnreadable: There are more than may be.
    """
    if count > bounds.max_columns:
        raise FileUnreadable(
            f"the file has more than {bounds.max_columns} columns; leave out those that no model needs"
        )


def _repeats(names: Sequence[str]) -> bool:
    named = [name for name in names if name]
    return len({*named}) < len(named)
