"""The route of explanations in the OpenAPI document."""

from typing import Any

from model_service.schema.explanation import EXPLANATION_SCHEMA
from model_service.schema.openapi import ModelRoute

EXPLANATION = "Explanation"
_HEADERS = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "X-Model-Version")}
_SCHEMAS = "#/components/schemas"


def make_explanation_schema() -> dict[str, Any]:
    """Return the component that every operation below points at."""
    return dict(EXPLANATION_SCHEMA)


def make_explain_operation(route: ModelRoute, max_rows: int, problems: dict[str, Any]) -> dict[str, Any]:
    """Return the operation of a model that offers explanations.

    Args:
        route: The model and where it is served.
        max_rows: Most payloads of one request.
        problems: The responses that every operation may give, by status.
    """
    payload = {"$ref": f"{_SCHEMAS}/{route.component}Input"}
    explained = {
        "type": "object",
        "properties": {
            "output": {"$ref": f"{_SCHEMAS}/{route.component}Output"},
            "explanation": {"$ref": f"{_SCHEMAS}/{EXPLANATION}"},
            "rows": {
                "type": "integer",
                "minimum": 0,
                "description": "How many rows the model was asked for beside the one that is explained.",
            },
        },
        "required": ["output", "explanation", "rows"],
        "additionalProperties": False,
    }
    answers = {"anyOf": [explained, {"type": "array", "items": explained, "minItems": 1}]}
    payloads = {"anyOf": [payload, {"type": "array", "items": payload, "minItems": 1, "maxItems": max_rows}]}
    examples = {
        f"example_{number}": {"summary": f"Example {number}", "value": example}
        for number, example in enumerate(route.info.examples, start=1)
    }
    content = {"schema": payloads, **({"examples": examples} if examples else {})}
    ok = {
        "description": "The output and what led to it, or the array of those in order.",
        "headers": _HEADERS,
        "content": {"application/json": {"schema": answers}},
    }
    return {
        "operationId": f"explain_{route.operation_suffix}",
        "tags": [route.tag],
        "summary": f"Explain what {route.info.display_name} {route.info.version} answers",
        "description": f"One payload, or an array of at most {max_rows}: each is predicted, and what led "
        "to its output is told by field, or by letter of a sequence. It costs up to hundreds of predictions.",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": ok, **problems},
    }
