"""What was true in the end, beside the prediction that it is about: found by request id and row.

An id that callers chose themselves may come twice. Then the newest prediction of that id and row is meant.
"""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.prediction_log.errors import FeedbackInvalid, PredictionLogUnavailable, PredictionNotFound
from model_service.prediction_log.parts import Part, list_parts, opening, write_time
from model_service.records import Schema, Violation
from model_service.schema.validation import SchemaValidator
from model_service.strict_json import encode_document

_FIND = (
    'SELECT id, model, version, "row" FROM predictions WHERE request_id = ? AND (? IS NULL OR "row" = ?) '
    "ORDER BY id DESC LIMIT ?"
)
#: What of a schema for a whole output does not hold for a part of one.
_OF_THE_WHOLE = frozenset({"required", "minProperties", "dependentRequired", "examples", "$schema"})


@dataclass(frozen=True, slots=True)
class Found:
    """A prediction in the log."""

    part: Part
    id: int
    qualified_name: str
    version: str
    row: int


def find_prediction(folder: Path, request_id: str, row: int | None) -> Found:
    """Return the newest prediction of a request.

    Args:
        folder: Of the log.
        request_id: As the answer said it in ``X-Request-ID``.
        row: Which row of the request, from 0; ``None`` where it had one.

    Raises:
        PredictionNotFound: It is not in the log, or not yet.
        FeedbackInvalid: It had several rows, and none is named.
        PredictionLogUnavailable: The log cannot be read.
    """
    for part in reversed(list_parts(folder)):
        try:
            with opening(part) as connection:
                found = connection.execute(_FIND, (request_id, row, row, 2)).fetchall()
        except sqlite3.Error as error:
            raise PredictionLogUnavailable(f"the log of predictions cannot be read: {type(error).__name__}") from error
        if len({each[3] for each in found}) > 1:
            told = [Violation("/row", "required", "expected the row of the request, from 0: it had several")]
            raise FeedbackInvalid("the feedback does not say which row of the request it is about", told)
        if found:
            return Found(part, *found[0])
    raise PredictionNotFound(
        "no prediction of that request and row is in the log: a model logs the share of its requests that its "
        "'prediction_log.sample' says, a moment after they are answered, and keeps them for a while"
    )


def make_validator(output_schema: Schema) -> SchemaValidator:
    """Return what judges an outcome: an object of some fields of an output."""
    schema = {key: value for key, value in output_schema.items() if key not in _OF_THE_WHOLE}
    schema["minProperties"] = 1
    if "properties" in schema and not {"$ref", "allOf", "anyOf", "oneOf"} & schema.keys():
        schema["additionalProperties"] = False
    return SchemaValidator({"type": "object", **schema})


def save_feedback(given: Sequence[tuple[Found, dict[str, Any]]], *, caller: str | None = None) -> None:
    """Write outcomes beside their predictions; what was written before is replaced.

    Raises:
        PredictionNotFound: The file with a prediction was removed meanwhile, because it is old.
        PredictionLogUnavailable: It cannot be written.
    """
    now = write_time(time.time())
    for part in {found.part for found, _ in given}:
        rows = [
            (found.id, now, caller, encode_document(outcome).decode()) for found, outcome in given if found.part == part
        ]
        try:
            with opening(part) as connection:
                connection.executemany("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            if not part.path.exists():
                raise PredictionNotFound("the prediction has just been removed from the log; it was old") from error
            raise PredictionLogUnavailable(f"the feedback cannot be written: {type(error).__name__}") from error
