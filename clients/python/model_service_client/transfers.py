"""Files that are sent or received in pieces: `Source` and `Sink`."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Readable = str | os.PathLike[str] | bytes | BinaryIO
_PIECE_BYTES = 256 * 1024


class Source:
    """A file to send: a path, bytes, or a file that is open in binary mode.

    Args:
        source: A path is opened for each attempt; an open file is read from where it stands, and stays open.

    Attributes:
        name: What the file is called; empty where that is not known.
        can_repeat: Whether it can be read twice.

    Raises:
        TypeError: It is none of the three.
    """

    def __init__(self, source: Readable) -> None:
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._start = 0
        self.name = ""
        self.can_repeat = True
        if isinstance(source, bytes | bytearray | memoryview):
            self._file = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name = self._path.name
        elif hasattr(source, "read"):
            self._file = source
            name = getattr(source, "name", "")
            self.name = Path(name).name if isinstance(name, str) else ""
            self.can_repeat = source.seekable()
            self._start = source.tell() if self.can_repeat else 0
        else:
            raise TypeError(
                f"a file is a path, bytes or an object that is open in binary mode (open(path, 'rb')), "
                f"not a {type(source).__name__}"
            )

    @contextmanager
    def open(self) -> Iterator[tuple[BinaryIO, int | None]]:
        """Give the file at its beginning, and how many bytes it has, where that is known."""
        if self._path is not None:
            with self._path.open("rb") as file:
                yield file, os.fstat(file.fileno()).st_size
            return
        assert self._file is not None
        if not self.can_repeat:
            yield self._file, None
            return
        size = self._file.seek(0, os.SEEK_END) - self._start
        self._file.seek(self._start)
        yield self._file, size


def read_piece(file: BinaryIO) -> bytes:
    """Return the next piece of a file; empty at its end.

    Raises:
        TypeError: It is open in text mode.
    """
    piece = file.read(_PIECE_BYTES)
    if not isinstance(piece, bytes):
        raise TypeError("the file is open in text mode; open it with open(path, 'rb')")
    return piece


class Sink:
    """A file that an answer is written to; it takes its name when it is whole: until then it is ``<name>.part``.

    Attributes:
        size: Bytes that have been written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file = self._part.open("wb")
        self.size = 0

    def begin(self, status: int) -> None:
        """Note that an answer begins: anything but a part (206) is written from the beginning."""
        if status != 206:
            self._file.seek(0)
            self._file.truncate()
            self.size = 0

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        self._file.write(piece)
        self.size += len(piece)

    def finish(self) -> None:
        """Give the file its name."""
        self._file.close()
        self._part.replace(self.path)

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        if not self._file.closed:
            self._file.close()
            self._part.unlink(missing_ok=True)
