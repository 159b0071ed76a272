"""Toy models for unit tests: each is wrong, slow or plain in one way. Import them as ``models:Class``."""

import threading
from typing import Any

from model_service import MLModel, Violation

NUMBER_IN = {
    "type": "object",
    "properties": {"x": {"type": "number", "minimum": -1000, "maximum": 1000}},
    "required": ["x"],
    "additionalProperties": False,
    "examples": [{"x": 1}],
}
NUMBER_OUT = {
    "type": "object",
    "properties": {"y": {"type": "number"}},
    "required": ["y"],
    "additionalProperties": False,
}


class DoubleModel(MLModel):
    """Answers twice its input."""

    qualified_name = "double_model"
    display_name = "Double"
    description = "Doubles a number."
    version = "1.0.0"
    input_schema = NUMBER_IN
    output_schema = NUMBER_OUT

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": 2 * payload["x"]}


class DoubleModelTwo(DoubleModel):
    """The same name in a higher version, with an answer that tells them apart."""

    version = "1.10.0"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": 2 * payload["x"] + 0.5}


class DoubleModelAgain(DoubleModel):
    """The same name and version as DoubleModel, spelt differently."""

    version = "1.0"


class EchoModel(MLModel):
    """Answers its payload, whatever it is."""

    qualified_name = "echo_model"
    display_name = "Echo"
    description = "Answers its payload."
    version = "1.0.0"
    input_schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return payload


class FussyModel(DoubleModel):
    """Has a rule that its schema cannot say."""

    qualified_name = "fussy_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return [Violation("/x", "even", "expected an even number")] if payload["x"] % 2 else []


FussyModel.input_schema = {**NUMBER_IN, "examples": [{"x": 2}]}


class RaisingModel(DoubleModel):
    """Raises on a negative number, and says the value in the exception."""

    qualified_name = "raising_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] < 0:
            raise RuntimeError(f"secret payload {payload['x']}")
        return super().predict(payload)


class WrongOutputModel(DoubleModel):
    """Breaks its output schema on a negative number, and JSON on a large one."""

    qualified_name = "wrong_output_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] > 100:
            return {"y": float("nan")}
        return {"z": 1} if payload["x"] < 0 else super().predict(payload)


class MiscountingModel(DoubleModel):
    """Loses an output when there are several."""

    qualified_name = "miscounting_model"

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return super().predict_batch(payloads)[: max(1, len(payloads) - 1)]


class SlowModel(DoubleModel):
    """Waits for `release` before it answers a positive number."""

    qualified_name = "slow_model"
    entered = threading.Event()
    release = threading.Event()

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] > 1:
            self.entered.set()
            self.release.wait(timeout=30)
        return super().predict(payload)


class UnloadableModel(DoubleModel):
    """Cannot be built."""

    qualified_name = "unloadable_model"

    def __init__(self) -> None:
        raise OSError("the weights are gone")


class ExitingModel(DoubleModel):
    """Tries to end the process when it is built."""

    qualified_name = "exiting_model"

    def __init__(self) -> None:
        raise SystemExit(3)


class FailingSelfTestModel(RaisingModel):
    """Cannot answer its own example."""

    qualified_name = "failing_self_test_model"
    input_schema = {**NUMBER_IN, "examples": [{"x": -1}]}


class ManyFaultsModel(MLModel):
    """Breaks the contract in several places."""

    qualified_name = "Not-A-Name"
    display_name = ""
    description = 5
    version = "one"
    input_schema = {"type": "array"}
    output_schema = {"type": "object", "properties": {"y": {"$ref": "https://example.com/schema"}}}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {}


class ClosingModel(DoubleModel):
    """Counts how often it was closed."""

    qualified_name = "closing_model"
    closed = 0

    def close(self) -> None:
        type(self).closed += 1
