"""Toy models that say what led to their answers; they need NumPy. Import them as ``explain_models:Class``."""

from typing import Any, ClassVar

from models import NUMBER_OUT

from model_service import MLModel, Violation
from model_service.explain import explain_fields, explain_sequence


class WeighedModel(MLModel):
    """Weighs its fields, one of which plays no part, refuses a pair of them, and explains itself."""

    qualified_name = "weighed_model"
    display_name = "Weighed"
    description = "Adds up fields by weight."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {name: {"type": "number", "maximum": 100} for name in ("a", "b", "idle")},
        "required": ["a", "b"],
        "additionalProperties": False,
        "examples": [{"a": 3, "b": 2, "idle": 5}],
    }
    output_schema = NUMBER_OUT
    background: ClassVar[list[dict[str, Any]]] = [{"a": 1, "b": 1, "idle": 0}, {"a": 0, "b": 3, "idle": 9}]

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": 10.0 * payload["a"] - payload["b"] + payload["a"] * payload["b"]}

    def explain(self, payload, output, ask):
        return explain_fields(payload, output, ask, explained="/y", background=self.background)

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return [Violation("/a", "pair", "a and b must differ")] if payload["a"] == payload["b"] == 7 else []


class MuteModel(WeighedModel):
    """Offers explanations, and answers none when it is asked for one."""

    qualified_name = "mute_model"

    def explain(self, payload, output, ask):
        if payload["a"] == 1:
            raise RuntimeError("secret")
        if payload["a"] == 2:
            while True:
                ask([payload])
        return {"method": "none", "explained": {"pointer": "/y", "value": float("nan")}}


class ReportingModel(WeighedModel):
    """Tells what it was answered."""

    qualified_name = "reporting_model"

    def explain(self, payload, output, ask):
        return {"answers": ask([payload, {"a": "no number", "b": 1}, {"a": 7, "b": 7}, payload])}


class TracedModel(MLModel):
    """Finds a word in a text, and shows where."""

    qualified_name = "traced_model"
    display_name = "Traced"
    description = "Finds GATTACA."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {"text": {"type": "string", "title": "Text", "minLength": 1}},
        "required": ["text"],
        "examples": [{"text": "C" * 33 + "GATTACA" + "C" * 40}],
    }
    output_schema = {"type": "object", "properties": {"found": {"type": "number"}}}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"found": float("GATTACA" in payload["text"])}

    def explain(self, payload, output, ask):
        return explain_sequence(payload, output, ask, field="text", explained="/found", window=3, fill="-")
