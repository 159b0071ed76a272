"""The toy model of the commands that type what they are given. Import it as ``cli.typed_models:Class``."""

from typing import Any

from model_service import MLModel


class FormModel(MLModel):
    """Has a field of every kind that the command line types."""

    qualified_name = "form_model"
    display_name = "Form"
    description = "Answers its payload."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "size": {"type": "number"},
            "is_new": {"type": "boolean"},
            "name": {"type": "string"},
            "note": {"type": ["string", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "colour": {"enum": ["red", "green"]},
        },
        "required": ["count"],
        "additionalProperties": False,
        "examples": [{"count": 1}],
    }
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return dict(payload)
