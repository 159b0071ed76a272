"""The files of the log: one SQLite database each day, and further ones where a day has more than fits.

    2026-11-22.sqlite, 2026-11-22.1.sqlite, ...      days of UTC; each with -wal and -shm while it is written

All workers of a service write into the newest one; nothing older is ever written but feedback. What is too old, or
the oldest of what is too much, goes as whole files.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from model_service.config_predictions import PredictionLogConfig

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.sqlite")
_BESIDE = ("", "-wal", "-shm")
#: So many files make up the most that may be kept, so that the oldest can go without much of the rest.
_PARTS = 8
#: How long one waits for another process that writes.
BUSY_S = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    request_id TEXT NOT NULL,
    "row" INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    caller TEXT,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    redacted TEXT
);
CREATE INDEX IF NOT EXISTS by_request ON predictions (request_id);
CREATE INDEX IF NOT EXISTS by_model ON predictions (model, time);
CREATE TABLE IF NOT EXISTS feedback (
    prediction INTEGER PRIMARY KEY REFERENCES predictions (id),
    time TEXT NOT NULL,
    caller TEXT,
    outcome TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One file.

    Attributes:
        day: Of UTC.
        number: From 0, in the order in which they were begun.
        path: Where it is.
    """

    day: date
    number: int
    path: Path

    def size_bytes(self) -> int:
        """Return its size with what SQLite keeps beside it."""
        sizes = []
        for end in _BESIDE:
            with suppress(OSError):
                sizes.append(os.stat(f"{self.path}{end}").st_size)
        return sum(sizes)

    def remove(self) -> None:
        """Remove it, if it is still there."""
        for end in _BESIDE:
            Path(f"{self.path}{end}").unlink(missing_ok=True)


def list_parts(folder: Path) -> list[Part]:
    """Return the files that are there, the oldest first."""
    found = []
    for path in folder.glob("*.sqlite") if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match:
            with suppress(ValueError):
                found.append(Part(date.fromisoformat(match[1]), int(match[2] or 0), path))
    return sorted(found)


def find_current(config: PredictionLogConfig, now: float) -> Part:
    """Return the file that is written at a time in seconds of Unix; it need not be there yet."""
    day = datetime.fromtimestamp(now, UTC).date()
    today = [part for part in list_parts(config.folder) if part.day == day]
    number = 0
    if today:
        is_full = today[-1].size_bytes() >= config.max_kept_bytes / _PARTS
        number = today[-1].number + is_full
    return Part(day, number, config.folder / f"{day}{f'.{number}' if number else ''}.sqlite")


def remove_old(config: PredictionLogConfig, now: float) -> None:
    """Remove files that are older, or all together larger, than may be; never the newest."""
    parts = list_parts(config.folder)[:-1]
    oldest = (datetime.fromtimestamp(now, UTC) - timedelta(seconds=config.keep_s)).date()
    for part in [part for part in parts if part.day < oldest]:
        part.remove()
    left = list_parts(config.folder)
    excess = sum(part.size_bytes() for part in left) - config.max_kept_bytes
    for part in left[:-1]:
        if excess <= 0:
            break
        excess -= part.size_bytes()
        part.remove()


def create(path: Path) -> sqlite3.Connection:
    """Return a connection to a file, which is made if it is not there; only its owner may read it.

    Raises:
        OSError, sqlite3.Error: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would ask the umask
    connection = _connect(path)
    try:
        # What was committed outlives the process; with `NORMAL`, the last moments need not outlive the machine.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def opening(part: Part) -> Iterator[sqlite3.Connection]:
    """Open a file that is there for the length of a block; what is written in it is committed at its end.

    Raises:
        sqlite3.Error: It cannot be opened, or not be read or written inside the block.
    """
    with closing(_connect(part.path)) as connection, connection:
        yield connection


def write_time(seconds: float) -> str:
    """Return a time in seconds of Unix as the log has it: ``2026-11-22T07:15:00.123Z``."""
    moment = datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _connect(path: Path) -> sqlite3.Connection:
    # `rw`: a file that was removed meanwhile is not made again, empty. Whoever shares a connection has a lock for it.
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)
