"""The route of feedback in the OpenAPI document."""

from typing import Any

from apispec import APISpec

from model_service.transports.http.feedback import MOST_ROWS
from model_service.transports.http.urls import PREDICTIONS

_STATUSES = ("400", "404", "405", "406", "413", "415", "421", "422", "500", "503")
_ENTRY = {
    "type": "object",
    "properties": {
        "outcome": {
            "type": "object",
            "minProperties": 1,
            "description": "What was true: some fields of the model's output, as its output schema has them.",
        },
        "row": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**31 - 1,
            "description": "Which row of the request; needed where it had several.",
        },
    },
    "required": ["outcome"],
    "additionalProperties": False,
}
_SAVED = {
    "type": "object",
    "properties": {
        "request_id": {"type": "string"},
        "feedback": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "model": {"type": "string"},
                    "version": {"type": "string"},
                    "row": {"type": "integer"},
                },
                "required": ["model", "version", "row"],
            },
        },
    },
    "required": ["request_id", "feedback"],
}


def add_feedback_path(spec: APISpec, problems: dict[str, Any]) -> None:
    """Add the route, and what it takes and answers."""
    spec.components.schema("Feedback", component=_ENTRY)
    spec.components.schema("FeedbackSaved", component=_SAVED)
    entry = {"$ref": "#/components/schemas/Feedback"}
    body = {"oneOf": [entry, {"type": "array", "items": entry, "minItems": 1, "maxItems": MOST_ROWS}]}
    saved = {
        "description": "The feedback stands beside the predictions; what stood there before is replaced.",
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/FeedbackSaved"}}},
    }
    operation = {
        "operationId": "give_feedback",
        "tags": ["feedback"],
        "summary": "Say what was true",
        "description": "For a prediction that is in the log. Of several predictions with one id, which callers may "
        "choose themselves, the newest is meant.",
        "parameters": [
            {
                "name": "request_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "description": "What the answer of the prediction said in `X-Request-ID`.",
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": saved, **{status: problems[status] for status in _STATUSES}},
    }
    spec.path(f"{PREDICTIONS}/{{request_id}}/feedback", operations={"post": operation})
