"""Keys in the OpenAPI document: how they are sent, what each operation needs, and how it refuses."""

from typing import Any

from model_service.config import InvocationsConfig
from model_service.transports.http.codec import PROBLEM_JSON
from model_service.transports.http.scopes import Need, Needs

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, in another header."},
}
_PROBLEMS = {
    "401": "The request has no key, or one that is not valid; the detail says which.",
    "403": "The key does not have the scope that the detail names.",
}
_METHODS = ("get", "post", "put", "patch", "delete")


def add_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a service whose callers need keys; the given one is changed."""
    needs = Needs(InvocationsConfig())
    components = document["components"]
    components["securitySchemes"] = _SCHEMES
    for status, description in _PROBLEMS.items():
        headers = {
            "X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"},
            "WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"},
        }
        content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        components["responses"][f"Problem{status}"] = {
            "description": description,
            "headers": headers,
            "content": content,
        }
    components["headers"]["WWW-Authenticate"] = {
        "description": "How a key is sent, and what it must allow (RFC 6750).",
        "schema": {"type": "string"},
    }
    document["security"] = [{name: []} for name in _SCHEMES]
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _add_to(operations[method], needs.find(method.upper(), path))
    return document


def _add_to(operation: dict[str, Any], need: Need | str) -> None:
    if need is Need.NOTHING:
        operation["security"] = []
        return
    if not isinstance(need, Need):  # roles of schemes that are not OAuth: OpenAPI 3.1
        operation["security"] = [{name: [need]} for name in _SCHEMES]
    refusals = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS}
    operation["responses"] = dict(sorted({**operation["responses"], **refusals}.items()))
