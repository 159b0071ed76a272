"""The messages of an Arrow IPC stream, each held against a bound before the library inflates it.

A message says how large its body is, and each compressed buffer says in its first eight bytes what it becomes. The
library believes both and makes room. So each message is read here first: its metadata is a flatbuffer of few fields,
https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from model_service.errors import FileUnreadable
from model_service.files.blocks import read_block

#: What the metadata of a message may have; real ones have some bytes per column.
_MAX_METADATA_BYTES = 16 * 1024 * 1024
_CONTINUED = b"\xff\xff\xff\xff"
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


class CheckedMessages:
    """A stream of bytes for the library that ends with an error before a message that is too large.

    Args:
        stream: The file.
        most: Bytes that a message may become, and all its dictionaries together.
    """

    closed = False

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._most = most
        self._dictionaries: dict[int, int] = {}
        self._held = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            FileUnreadable: The next message is too large.
            ValueError: It is none.
        """
        if not self._held:
            try:
                self._held = memoryview(self._read_message())
            except (KeyError, IndexError, struct.error) as error:
                raise ValueError("a message is damaged") from error
        found, self._held = self._held[:size], self._held[size:]
        return bytes(found)

    def close(self) -> None:
        """Do nothing: who has opened the file closes it."""

    def _read_message(self) -> bytes:
        head = read_block(self._stream, 4)
        if head == _CONTINUED:
            head += read_block(self._stream, 4)
        size = int.from_bytes(head[-4:], "little")
        if len(head) < 4 or not size:  # the end
            return head
        if size > _MAX_METADATA_BYTES:
            raise ValueError("the metadata of a message are too large")
        metadata = read_block(self._stream, size)
        envelope = _read_fields(metadata, _follow(metadata, 0))
        body_size = _read_long(metadata, envelope[3]) if 3 in envelope else 0
        if body_size > self._most:
            raise self._too_large()
        body = read_block(self._stream, body_size)
        kind = metadata[envelope[1]]
        if kind in (_DICTIONARY_BATCH, _RECORD_BATCH):
            self._check(metadata, kind, _read_fields(metadata, _follow(metadata, envelope[2])), body)
        return head + metadata + body

    def _check(self, metadata: bytes, kind: int, fields: dict[int, int], body: bytes) -> None:
        if kind == _RECORD_BATCH:
            size = sum(_find_sizes(metadata, fields, body))
        else:
            size = sum(_find_sizes(metadata, _read_fields(metadata, _follow(metadata, fields[1])), body))
            number = _read_long(metadata, fields[0]) if 0 in fields else 0
            is_more = 2 in fields and metadata[fields[2]] != 0
            self._dictionaries[number] = size + (self._dictionaries.get(number, 0) if is_more else 0)
            size = sum(self._dictionaries.values())
        if size > self._most:
            raise self._too_large()

    def _too_large(self) -> FileUnreadable:
        return FileUnreadable(f"a batch of the file inflates to more than {self._most} bytes; write smaller batches")


def _find_sizes(metadata: bytes, fields: dict[int, int], body: bytes) -> Iterator[int]:
    """Yield what each buffer of a batch becomes in memory."""
    if 2 not in fields:
        return
    start = _follow(metadata, fields[2])
    (count,) = struct.unpack_from("<I", metadata, start)
    for number in range(count):
        offset, length = struct.unpack_from("<qq", metadata, start + 4 + 16 * number)
        yield max(length, _read_long(body, offset) if 3 in fields and length else 0)


def _read_fields(metadata: bytes, table: int) -> dict[int, int]:
    """Return where the fields of a table of a flatbuffer stand, by number; those at their default are left out."""
    start = table - int(struct.unpack_from("<i", metadata, table)[0])
    size = int(struct.unpack_from("<H", metadata, _require(start))[0])
    offsets = struct.unpack_from(f"<{max(0, size - 4) // 2}H", metadata, start + 4)
    return {number: table + offset for number, offset in enumerate(offsets) if offset}


def _follow(metadata: bytes, place: int) -> int:
    """Return where an offset leads."""
    return place + int(struct.unpack_from("<I", metadata, place)[0])


def _read_long(raw: bytes, place: int) -> int:
    """Return an integer of eight bytes: a size; -1 is a buffer that is not compressed after all."""
    value = int(struct.unpack_from("<q", raw, _require(place))[0])
    if value < -1:
        raise ValueError("a size is negative")
    return value


def _require(place: int) -> int:
    """Return a place: Python would count a negative one from the end."""
    if place < 0:
        raise ValueError("a place is negative")
    return place
