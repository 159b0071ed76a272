"""What the row groups of a Parquet file become in memory, from the headers of their pages.

A footer may say anything of the sizes; the library makes room for what the header of a page says. Headers are structs
of Thrift's compact protocol, https://parquet.apache.org/docs/file-format/data-pages/, and are read before the pages.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO

from model_service.files.blocks import read_block

#: Most headers are short; those with long statistics are read again, up to what the library itself reads.
_HEADER_BYTES, _MAX_HEADER_BYTES = 4096, 16 * 1024 * 1024
_MAX_DEPTH = 8
_TEXTS = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
_DICTIONARY_PAGE = 2
#: An encoding that writes the beginning of a text once for all texts that share it.
_DELTA_BYTE_ARRAY = 7
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12
_INTEGERS = (4, 5, 6)


@dataclass(slots=True)
class GroupSize:
    """What a row group becomes.

    Attributes:
        inflated: Bytes of all its pages.
        shared: Bytes of texts of which each may stand in any number of rows.
    """

    inflated: int = 0
    shared: int = 0


def measure_group(stream: BinaryIO, group: Any) -> GroupSize:
    """Return what a row group becomes; the stream stands somewhere else then.

    Args:
        stream: The file.
        group: What its footer says of the row group, as pyarrow has it.

    Raises:
        ValueError: Its pages are not what the format says.
    """
    size = GroupSize()
    for number in range(group.num_columns):
        _measure_column(stream, group.column(number), size)
    return size


def _measure_column(stream: BinaryIO, column: Any, size: GroupSize) -> None:
    at, values = column.data_page_offset, 0
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < at:
        at = column.dictionary_page_offset
    end = at + column.total_compressed_size
    while at < end and values < column.num_values:
        header, length = _read_header(stream, at)
        inflated, compressed = header[2], header[3]
        if min(at, inflated, compressed) < 0:
            raise ValueError("a page has a negative size")
        size.inflated += max(inflated, compressed)
        details = header.get(5) or header.get(8) or {}
        values += details.get(1, 0)
        encoding = details.get(4 if 8 in header else 2)
        if column.physical_type in _TEXTS and (header[1] == _DICTIONARY_PAGE or encoding == _DELTA_BYTE_ARRAY):
            size.shared += inflated
        at += length + compressed


def _read_header(stream: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Return the fields of a page's header by number, and how long it is."""
    window = _HEADER_BYTES
    while True:
        stream.seek(at)
        raw = read_block(stream, window)
        try:
            header, end = _read_struct(raw, 0, 0)
        except IndexError:
            if len(raw) < window or window >= _MAX_HEADER_BYTES:
                raise ValueError("the header of a page has no end") from None
            window *= 8
            continue
        if not all(isinstance(header.get(number), int) for number in (1, 2, 3)):
            raise ValueError("the header of a page lacks its sizes")
        return header, end


def _read_struct(raw: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    if depth > _MAX_DEPTH:
        raise ValueError("the header of a page is nested too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while raw[at]:
        delta, kind = raw[at] >> 4, raw[at] & 15
        at += 1
        if delta:
            number += delta
        else:
            number, at = _read_integer(raw, at)
        fields[number], at = (kind == _TRUE, at) if kind in (_TRUE, _FALSE) else _read_value(raw, at, kind, depth)
    return fields, at + 1


def _read_value(raw: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _INTEGERS:
        return _read_integer(raw, at)
    if kind == _STRUCT:
        return _read_struct(raw, at, depth + 1)
    if kind in (_BYTE, _DOUBLE):
        return None, at + (1 if kind == _BYTE else 8)
    if kind == _BINARY:
        length, at = _read_varint(raw, at)
        raw[at + length - 1]  # else it is not here
        return None, at + length
    raise ValueError("the header of a page has a field that no such header has")


def _read_integer(raw: bytes, at: int) -> tuple[int, int]:
    value, at = _read_varint(raw, at)
    return value >> 1 ^ -(value & 1), at


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number in the header of a page has no end")
