"""Errors as the Open Inference Protocol has them: a text below ``error``, with the members of our problem documents.

Its clients read no other media type than ``application/json``, and none of them a problem document. The statuses are
those of `transports/http/problems.py`. It knows no framework.
"""

from typing import Any

from model_service.transports.http.urls import V1, V2

#: Of the broken rules, as many as a person reads; all of them stand below ``errors``.
_MOST_TOLD = 5


def is_of_protocol(path: str) -> bool:
    """Whether callers of an address speak the protocol."""
    return path in (V1, V2) or path.startswith((f"{V1}/", f"{V2}/"))


def add_error(document: dict[str, Any]) -> dict[str, Any]:
    """Return a problem document with the protocol's own member in front."""
    detail = document["detail"]
    faults = [f"'{fault['pointer'] or '/'}' {fault['message']}" for fault in document["errors"][:_MOST_TOLD]]
    is_told = not faults or document["errors"][0]["message"] in detail
    return {"error": detail if is_told else f"{detail}: {'; '.join(faults)}", **document}
