"""Bytes of a stream in full blocks, and the lines of text in them; a line is read no further than a bound."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from model_service.errors import FileUnreadable

#: The same whatever the stream gives at once, so that chunks are the same every time.
BLOCK_BYTES = 256 * 1024
_WAY_OUT = "save it as UTF-8 (in spreadsheets: 'CSV UTF-8')"
#: How files begin that are no UTF-8 text.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: f"is UTF-32 text; {_WAY_OUT}",
    codecs.BOM_UTF32_BE: f"is UTF-32 text; {_WAY_OUT}",
    codecs.BOM_UTF16_LE: f"is UTF-16 text; {_WAY_OUT}",
    codecs.BOM_UTF16_BE: f"is UTF-16 text; {_WAY_OUT}",
    b"\x1f\x8b": "is compressed with gzip; say so, with its name (.gz) or 'content-encoding: gzip', or inflate it",
    b"PK\x03\x04": f"is a spreadsheet or a ZIP archive; {_WAY_OUT}",
    b"PAR1": "is Parquet; say so, with its name (.parquet) or its content-type",
}


class TextLines:
    """The lines of a file of UTF-8 text, with their ends.

    Args:
        stream: The file.
        max_line_bytes: A longer line is not read to its end.

    Attributes:
        taken: How many bytes have been read.
        row_start: What `taken` was when the row began, for those whose rows may have several lines.
    """

    def __init__(self, stream: BinaryIO, max_line_bytes: int) -> None:
        self._stream = stream
        self._most = max_line_bytes
        self.taken = 0
        self.row_start: int | None = None

    def __iter__(self) -> Iterator[str]:
        """Yield the lines; a line may end with LF, CR LF or CR.

        Raises:
            FileUnreadable: The file is no UTF-8 text, or a line is too long.
        """
        carry = ""
        for text in self._decode():
            text = carry + text
            end = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
            yield from io.StringIO(text[:end], newline="")
            carry = text[end:]
            row_bytes = self.taken - self.row_start - BLOCK_BYTES if self.row_start is not None else 0
            if max(len(carry), row_bytes) > self._most:
                raise FileUnreadable(
                    f"a row that ends behind byte {self.taken} has more than {self._most} bytes; "
                    "it is not read any further: is a line end missing, or a double quote never closed?"
                )
        yield from io.StringIO(carry, newline="")

    def _decode(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        while True:
            block = read_block(self._stream)
            if not self.taken:
                block = _strip_mark(block)
            before = self.taken - len(decoder.getstate()[0])
            self.taken += len(block)
            if b"\0" in block:
                at = self.taken - len(block) + block.index(b"\0") + 1
                raise FileUnreadable(f"byte {at} is NUL, which no text has; if the file is UTF-16, {_WAY_OUT}")
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = before + error.start + 1
                raise FileUnreadable(f"the file is not UTF-8 text (byte {at}); {_WAY_OUT}") from None
            if text:
                yield text
            if not block:
                return


def read_block(stream: BinaryIO, size: int = BLOCK_BYTES) -> bytes:
    """Return the next bytes of a stream: fewer only at its end."""
    block = stream.read(size)
    if len(block) == size or not block:
        return block
    parts = [block]
    left = size - len(block)
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _strip_mark(block: bytes) -> bytes:
    for mark, words in _OTHER_MARKS.items():
        if block.startswith(mark):
            raise FileUnreadable(f"the file {words}")
    return block.removeprefix(codecs.BOM_UTF8)
