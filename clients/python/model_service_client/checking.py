"""Payloads checked before they are sent, by jsonschema, which is an extra. The server's word counts."""

import importlib
from importlib.util import find_spec
from typing import Any

from model_service_client.errors import PayloadInvalid, Violation
from model_service_client.records import Schema

_EXTRA = "check=True needs jsonschema: pip install 'model-service-client[check]', or leave the check to the server"


class Checker:
    """Checks payloads by a model's input schema. Rules of the model that its schema cannot say are the server's.

    Args:
        schema: JSON Schema 2020-12.

    Raises:
        ImportError: jsonschema is not installed.
    """

    def __init__(self, schema: Schema) -> None:
        if find_spec("jsonschema") is None:
            raise ImportError(_EXTRA)
        jsonschema: Any = importlib.import_module("jsonschema")
        kind = jsonschema.Draft202012Validator
        self._validator = kind(schema, format_checker=kind.FORMAT_CHECKER)

    def check(self, payload: Any, prefix: str = "") -> None:
        """Refuse what breaks the schema.

        Args:
            payload: As JSON has it.
            prefix: What the pointers begin with.

        Raises:
            PayloadInvalid: With one violation per broken rule.
        """
        found = sorted(self._validator.iter_errors(payload), key=lambda error: str(error.json_path))
        if found:
            violations = [_describe(error, prefix) for error in found]
            raise PayloadInvalid("the payload breaks the model's input schema; it was not sent", violations)


def _describe(error: Any, prefix: str) -> Violation:
    parts = [str(part) for part in error.absolute_path]
    if error.validator == "required":  # one error per name; its place is where the name is missing
        parts += [name for name in error.validator_value if error.message.startswith(repr(name))][:1]
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    return Violation(prefix + pointer, str(error.validator), str(error.message))
