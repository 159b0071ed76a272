"""The table of formats: what a media type, or the end of a file's name, means."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePath
from typing import Any

from model_service.errors import MediaTypeUnsupported, MissingDependency


@dataclass(frozen=True, slots=True)
class Format:
    """One format of files of rows.

    Attributes:
        name: Such as ``csv``.
        media_types: Those that mean it; the first is what an answer says.
        suffixes: How names of its files end; the first is what a file that is written gets.
        reader: The class that reads it, as ``module:class``.
        writer: The class that writes it; empty where it is only read.
        extra: The extra of the distribution that it needs; empty for none.
        library: What that installs.
    """

    name: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    reader: str
    writer: str = ""
    extra: str = ""
    library: str = ""

    @property
    def media_type(self) -> str:
        """What an answer of this format says."""
        return self.media_types[0]

    @property
    def is_installed(self) -> bool:
        """Whether what it needs is there."""
        return not self.library or find_spec(self.library) is not None

    @property
    def missing(self) -> str:
        """What to say where it is not installed."""
        return f"{self.name} needs {self.library}: install 'model-service[{self.extra}]', or choose another format"

    def find_reader(self) -> Any:
        """Return the class that reads it.

        Raises:
            MissingDependency: Its extra is not installed.
        """
        return self._find(self.reader)

    def find_writer(self) -> Any:
        """Return the class that writes it.

        Raises:
            MediaTypeUnsupported: It is only read.
            MissingDependency: Its extra is not installed.
        """
        if not self.writer:
            raise MediaTypeUnsupported(f"{self.name} is read, not written; choose {list_names(WRITTEN)}")
        return self._find(self.writer)

    def _find(self, path: str) -> Any:
        module, _, name = path.partition(":")
        if not self.is_installed:
            raise MissingDependency(self.missing)
        return getattr(importlib.import_module(module), name)


_HERE = "model_service.files"
FORMATS = {
    each.name: each
    for each in (
        Format(
            "csv",
            ("text/csv", "application/csv", "text/x-csv", "text/comma-separated-values", "text/tab-separated-values"),
            (".csv", ".tsv"),
            f"{_HERE}.csv_rows:CsvReader",
            f"{_HERE}.csv_writing:CsvWriter",
        ),
        Format(
            "ndjson",
            (
                "application/x-ndjson",
                "application/ndjson",
                "application/jsonl",
                "application/jsonlines",
                "application/x-jsonlines",
            ),
            (".ndjson", ".jsonl"),
            f"{_HERE}.json_rows:LinesReader",
            f"{_HERE}.json_writing:LinesWriter",
        ),
        Format(
            "json",
            ("application/json",),
            (".json",),
            f"{_HERE}.json_rows:ArrayReader",
        ),
        Format(
            "fasta",
            ("text/x-fasta", "application/x-fasta", "chemical/seq-na-fasta", "chemical/seq-aa-fasta"),
            (".fasta", ".fa", ".fna", ".faa"),
            f"{_HERE}.fasta_rows:FastaReader",
        ),
        Format(
            "parquet",
            ("application/vnd.apache.parquet", "application/x-parquet"),
            (".parquet", ".pq"),
            f"{_HERE}.arrow_rows:ParquetReader",
            f"{_HERE}.arrow_writing:ParquetWriter",
            extra="arrow",
            library="pyarrow",
        ),
        Format(
            "arrow",
            ("application/vnd.apache.arrow.stream",),
            (".arrows", ".arrow"),
            f"{_HERE}.arrow_rows:ArrowReader",
            f"{_HERE}.arrow_writing:ArrowWriter",
            extra="arrow",
            library="pyarrow",
        ),
    )
}
#: Those that can be written.
WRITTEN = tuple(each for each in FORMATS.values() if each.writer)
_BY_MEDIA_TYPE = {media_type: each for each in FORMATS.values() for media_type in each.media_types}
_BY_SUFFIX = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}


def find_format(*, media_type: str = "", file_name: str = "") -> Format | None:
    """Return the format of a media type without parameters, or of a file's name; ``None`` where neither tells."""
    if media_type:
        return _BY_MEDIA_TYPE.get(media_type.strip().lower())
    return _BY_SUFFIX.get(PurePath(file_name.removesuffix(".gz")).suffix.lower())


def list_names(formats: Iterable[Format] = FORMATS.values()) -> str:
    """Return the names of formats for a message."""
    return ", ".join(each.name for each in formats)
