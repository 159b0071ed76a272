"""Payloads in a form that other servers take, and what to tell those who send them. It knows no framework."""

from typing import Any

from model_service.errors import PayloadInvalid, PayloadMalformed
from model_service.records import Schema
from model_service.strict_json import decode_json

#: Keys around the payloads in requests to other servers, and in what people write for them.
_ENVELOPES = ("instances", "inputs", "dataframe_split", "dataframe_records", "data", "payload", "input", "features")
_EXPECTED = 'one payload is sent as its own object, {"field": value}, and several as an array of such objects'


def explain_form(error: PayloadInvalid, document: Any, schema: Schema) -> PayloadInvalid:
    """Return the error of a document that is no payload, with the form that is expected if it has another one.

    Args:
        error: What was found.
        document: What was sent.
        schema: The model's input schema.
    """
    found = _find_form(document, schema)
    return PayloadInvalid(f"{error.message}; {found}: {_EXPECTED}", error.violations) if found else error


def _find_form(document: Any, schema: Schema) -> str | None:
    if isinstance(document, list):  # of its elements the first tells
        return _find_form(document[0], schema) if document and isinstance(document[0], str) else None
    if isinstance(document, str) and _holds_json(document):
        return "a JSON string that holds JSON was sent, which was encoded twice"
    if isinstance(document, dict):
        fields = schema.get("properties", {})
        return next(
            (f"'{key}' is the form of other servers" for key in _ENVELOPES if _has(document, key, fields)), None
        )
    return None


def _has(document: dict[str, Any], key: str, fields: dict[str, Any]) -> bool:
    return key in document and key not in fields


def _holds_json(text: str) -> bool:
    try:
        return isinstance(decode_json(text.encode("utf-8", "replace")), dict | list)
    except PayloadMalformed:
        return False
