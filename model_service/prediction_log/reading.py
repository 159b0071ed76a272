"""What the log has of one model, the newest rows first, with feedback where there is any."""

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from model_service.prediction_log.parts import Part, list_parts, opening
from model_service.records import Output, Payload
from model_service.strict_json import decode_json

logger = logging.getLogger(__name__)

_QUERY = """
SELECT p.time, p.version, p.input, p.output, f.outcome, p.redacted
FROM predictions AS p LEFT JOIN feedback AS f ON f.prediction = p.id
WHERE p.model = ? AND (? IS NULL OR p.version = ?) AND (? IS NULL OR p.time >= ?) AND (? IS NULL OR p.time < ?)
ORDER BY p.time DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """One row of the log.

    Attributes:
        time: Of UTC, such as ``2026-11-22T07:15:00.123Z``.
        feedback: What was true, or the part of it that is known; ``None`` without feedback.
        redacted: Fields of the input that were left out.
    """

    time: str
    version: str
    payload: Payload
    output: Output
    feedback: dict[str, Any] | None = None
    redacted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a model are meant.

    Attributes:
        version: ``None`` for every one.
        since: The first time that counts, as the log has times or the beginning of one: ``2026-11-22``.
        until: The first time that does not.
        most_rows: The newest so many.
    """

    version: str | None = None
    since: str | None = None
    until: str | None = None
    most_rows: int = 100_000


def read_rows(folder: Path, qualified_name: str, window: Window) -> Iterator[LoggedRow]:
    """Yield the rows of a model, the newest first; a file that cannot be read is passed over, and the log says so."""
    return islice(_read_all(folder, qualified_name, window), window.most_rows)


def _read_all(folder: Path, qualified_name: str, window: Window) -> Iterator[LoggedRow]:
    for part in reversed(list_parts(folder)):
        day = part.day.isoformat()
        if (window.until is not None and day >= window.until) or (window.since is not None and day < window.since[:10]):
            continue
        yield from _read_part(part, qualified_name, window)


def _read_part(part: Part, qualified_name: str, window: Window) -> Iterator[LoggedRow]:
    twice = [value for value in (window.version, window.since, window.until) for _ in range(2)]
    try:
        with opening(part) as connection:
            for time, version, payload, output, outcome, redacted in connection.execute(
                _QUERY, (qualified_name, *twice, window.most_rows)
            ):
                yield LoggedRow(
                    time,
                    version,
                    decode_json(payload.encode()),
                    decode_json(output.encode()),
                    decode_json(outcome.encode()) if outcome is not None else None,
                    tuple(decode_json(redacted.encode())) if redacted is not None else (),
                )
    except sqlite3.Error as error:
        logger.warning("%s of the log of predictions cannot be read: %s", part.path.name, error)
