"""A file of sample rows: columns of cells as they stand in it, and no more of it than a schema can be drafted from."""

from dataclasses import dataclass
from pathlib import Path

from model_service.errors import ConfigInvalid, FileUnreadable
from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds

#: A form of more fields is no form.
MAX_COLUMNS = 500
#: So many rows tell what a column holds.
MAX_ROWS = 100_000
MAX_BYTES = 256 * 1024 * 1024
_MAX_ROW_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read of a file.

    Attributes:
        path: The file.
        columns: Cells by the name of their column, in the order of the file.
        delimiter: Between the cells.
        rows: How many rows were read.
        is_whole: Whether the file has no more.
    """

    path: Path
    columns: dict[str, list[str]]
    delimiter: str
    rows: int
    is_whole: bool


def read_sample(path: Path) -> Sample:
    """Read the first rows of a CSV file.

    Raises:
        FileUnreadable: It is no CSV of UTF-8 text, has no rows, too many columns, two of one name, or a ragged row.
        ConfigInvalid: There is no such file, or it is of another format.
    """
    if path.suffix.lower() not in FORMATS["csv"].suffixes:
        raise ConfigInvalid(f"'{path.name}' is not read: --from-sample takes CSV (.csv or .tsv) with a header")
    try:
        with path.open("rb") as stream:
            bounds = Bounds(max_row_bytes=_MAX_ROW_BYTES, max_columns=MAX_COLUMNS)
            reader = open_rows(FORMATS["csv"], stream, {"type": "object"}, bounds=bounds)
            names, is_whole = reader.head.names, True
            cells: list[list[str]] = []
            for rows in reader:
                for row in rows:
                    if row.fault is not None:
                        raise FileUnreadable(row.fault.message)
                    cells.append(list(row.source))  # CSV has cells
                if len(cells) >= MAX_ROWS or stream.tell() > MAX_BYTES:
                    is_whole = False
                    break
    except OSError as error:
        raise ConfigInvalid(f"the sample '{path}' cannot be read: {error.strerror}") from None
    cells = cells[:MAX_ROWS]
    columns = {name: [row[place] for row in cells] for place, name in enumerate(names) if name}
    return Sample(path, columns, reader.head.delimiter, len(cells), is_whole)
