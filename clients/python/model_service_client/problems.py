"""Problem documents to errors."""

from collections.abc import Mapping
from typing import Any

from model_service_client.errors import KINDS, CallerError, CapacityError, ModelServiceError, Violation


def read_error(document: Mapping[str, Any], status: int | None = None) -> ModelServiceError:
    """Return the error of a problem document, or of one row's.

    Args:
        document: With ``code``, ``detail`` and ``errors``.
        status: The HTTP status, which tells the kind where the code is not known.
    """
    code = str(document.get("code") or "")
    listed = [each for each in document.get("errors") or () if isinstance(each, dict)]
    violations = [Violation(*(str(each.get(name, "")) for name in ("pointer", "rule", "message"))) for each in listed]
    kind = KINDS.get(code) or _kind_of(status)
    error = kind(str(document.get("detail") or document.get("title") or f"the server answered {status}"), violations)
    error.code = code or kind.code
    error.status = status
    error.request_id = document.get("request_id")
    return error


def _kind_of(status: int | None) -> type[ModelServiceError]:
    if status in (429, 502, 503, 504):
        return CapacityError
    return CallerError if status is not None and 400 <= status < 500 else ModelServiceError
