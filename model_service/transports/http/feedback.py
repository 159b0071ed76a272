"""`POST /api/predictions/<request_id>/feedback`: what was true in the end, for predictions that are in the log."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from model_service.config import ServiceConfig
from model_service.errors import PayloadTooLarge
from model_service.manager import ModelManager
from model_service.prediction_log.errors import FeedbackInvalid
from model_service.prediction_log.feedback import Found, find_prediction, make_validator, save_feedback
from model_service.prediction_log.redaction import leave_out
from model_service.records import Violation
from model_service.transports.http.codec import read_json, require_acceptable, write_json
from model_service.transports.http.urls import PREDICTIONS

#: More is no feedback any more, but a file.
MOST_ROWS = 1000
_KEYS = ("outcome", "row")


def build_blueprint(manager: ModelManager, config: ServiceConfig) -> Blueprint:
    """Return the route of feedback; an id that callers chose may hold slashes."""
    blueprint = Blueprint("feedback", __name__)
    folder, server = config.prediction_log.folder, config.server

    @blueprint.post(f"{PREDICTIONS}/<path:request_id>/feedback")
    def give(request_id: str) -> Response:
        require_acceptable(request)
        document = read_json(request, max_bytes=server.max_body_bytes, max_values=server.max_body_values)
        entries = _read_entries(document)
        found = [find_prediction(folder, request_id, entry.get("row")) for entry in entries]
        targets = {
            (each.qualified_name, each.version): manager.get_model(each.qualified_name, each.version) for each in found
        }
        validators = {names: make_validator(target.info.output_schema) for names, target in targets.items()}
        given: list[tuple[Found, dict[str, Any]]] = []
        violations: list[Violation] = []
        for place, (prediction, entry) in enumerate(zip(found, entries, strict=True)):
            names = prediction.qualified_name, prediction.version
            start = f"/{place}/outcome" if isinstance(document, list) else "/outcome"
            violations += [
                replace(each, pointer=f"{start}{each.pointer}")
                for each in validators[names].find_violations(entry["outcome"])
            ]
            given.append((prediction, leave_out(entry["outcome"], targets[names].log.redact_outputs)))
        if violations:
            raise FeedbackInvalid("an outcome is an object of some fields of the model's output", violations[:100])
        save_feedback(given)
        rows = [{"model": each.qualified_name, "version": each.version, "row": each.row} for each in found]
        return write_json({"request_id": request_id, "feedback": rows})

    return blueprint


def _read_entries(document: Any) -> list[dict[str, Any]]:
    """Return what is said of each row.

    Raises:
        FeedbackInvalid: It is of another form.
        PayloadTooLarge: There is more than may be.
    """
    entries = document if isinstance(document, list) else [document]
    if len(entries) > MOST_ROWS:
        raise PayloadTooLarge(f"feedback for {len(entries)} rows in one request; at most {MOST_ROWS} are accepted")
    violations = [] if entries else [Violation("", "minItems", "expected feedback for at least one row")]
    for place, entry in enumerate(entries):
        start = f"/{place}" if isinstance(document, list) else ""
        violations += [Violation(f"{start}{pointer}", rule, message) for pointer, rule, message in _find_faults(entry)]
    if violations:
        raise FeedbackInvalid(
            "feedback is an object with 'outcome', and 'row' where there were several", violations[:100]
        )
    return entries


def _find_faults(entry: Any) -> list[tuple[str, str, str]]:
    if not isinstance(entry, dict):
        return [("", "type", "expected an object with 'outcome'")]
    faults = [] if "outcome" in entry else [("/outcome", "required", "this field is missing")]
    row = entry.get("row", 0)
    if type(row) is not int or not 0 <= row < 2**31:
        faults.append(("/row", "type", "expected the row of the request, an integer from 0"))
    if any(key not in _KEYS for key in entry):
        faults.append(("", "additionalProperties", f"expected no other fields than {', '.join(_KEYS)}"))
    return faults
