"""`FiguresFile`: where one process writes what it has counted, for others to read and for its successor to go on with.

Two slots are written in turn, each with its number and a checksum. A process that is killed while it writes leaves the
other slot whole, and a reader that comes in between takes that one.

Who writes a file holds a lock on it, which the kernel gives back however the process ends. So a reader knows whether
the process lives, and the next process that starts takes a file that nobody holds and counts on from there: no count is
lost with a process, none is there twice, and there are never more files than there were processes at one time.
"""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from model_service.metrics.figures import Figures
from model_service.strict_json import encode_json

#: Number of the writing, length and checksum of what follows.
_HEADER = struct.Struct(">QII")
#: Where the second slot begins. The file has a hole in between, so it is as small as what is written.
_SLOT_BYTES = 64 * 1024 * 1024
_SUFFIX = ".figures"
#: A reader that meets a writer looks again; where the writer was killed, the slot stays as it is.
_ATTEMPTS = 10


class FiguresFile:
    """A file that this process holds until `close`.

    Args:
        folder: Of the service; one that nobody holds is taken, else another is made.

    Attributes:
        path: Where it is.
        inherited: What an earlier process has left in it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._file, self.path = _take(folder)
        number, self.inherited = _read(self._file)
        self._number = number
        self._written = b""

    def write(self, figures: Figures) -> None:
        """Write what has been counted, unless that is the same as before."""
        raw = encode_json(figures.to_document())
        if raw == self._written:
            return
        self._number += 1
        header = _HEADER.pack(self._number, len(raw), _check(self._number, raw))
        os.pwrite(self._file, header + raw, self._number % 2 * _SLOT_BYTES)
        self._written = raw

    def close(self) -> None:
        """Let go of it; what was written stays."""
        os.close(self._file)


def read_others(own: Path) -> Iterator[tuple[Figures, bool]]:
    """Yield what each other process of the service has written, and whether it lives."""
    for path in sorted(own.parent.glob(f"*{_SUFFIX}")):
        if path == own:
            continue
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            is_alive = not _lock(file, fcntl.LOCK_SH)
            yield _read(file)[1], is_alive
        finally:
            os.close(file)


def _take(folder: Path) -> tuple[int, Path]:
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        if _lock(file, fcntl.LOCK_EX):
            return file, path
        os.close(file)
    number = 0
    while True:
        path = folder / f"{number}{_SUFFIX}"
        with suppress(FileExistsError):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(file, fcntl.LOCK_EX):
                return file, path
            os.close(file)  # another one was quicker
        number += 1


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> tuple[int, Figures]:
    """Return the number of the latest writing, and what it holds."""
    latest = 0, b""
    for _ in range(_ATTEMPTS):
        slots = [_read_slot(file, place) for place in (0, _SLOT_BYTES)]
        latest = max([latest, *(slot for slot in slots if slot is not None)], key=lambda slot: slot[0])
        if None not in slots:  # else a newer one is being written, and the other may have become old meanwhile
            break
    number, raw = latest
    return number, Figures.from_document(json.loads(raw)) if raw else Figures()


def _read_slot(file: int, place: int) -> tuple[int, bytes] | None:
    """Return number and contents of a slot, 0 and nothing of one that is empty; ``None`` of one that is not whole."""
    header = os.pread(file, _HEADER.size, place)
    if len(header) < _HEADER.size:
        return 0, b""
    number, length, checksum = _HEADER.unpack(header)
    raw = os.pread(file, min(length, _SLOT_BYTES), place + _HEADER.size)
    return (number, raw) if len(raw) == length and _check(number, raw) == checksum else None


def _check(number: int, raw: bytes) -> int:
    return zlib.crc32(raw, number & 0xFFFFFFFF)
