"""Toy models for the tests of `tests/faults`."""

from typing import Any

from models import NUMBER_IN, DoubleModel

from model_service import MLModel


class DistinctModel(MLModel):
    """Takes entries that differ from each other."""

    qualified_name = "distinct_model"
    display_name = "Distinct"
    description = "Counts entries."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {"entries": {"type": "array", "uniqueItems": True}, "x": {"type": "number"}},
        "required": ["x"],
        "examples": [{"entries": [1, "1"], "x": 1}],
    }
    output_schema = {"type": "object", "properties": {"count": {"type": "integer"}}}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"count": len(payload.get("entries", []))}


class LoudModel(DoubleModel):
    """Raises with a long text on a negative number: each request of it is a long line of the log."""

    qualified_name = "loud_model"
    input_schema = NUMBER_IN

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] < 0:
            raise RuntimeError("x" * 10_000)
        return super().predict(payload)
