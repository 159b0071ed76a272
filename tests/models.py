"""Toy models for unit tests: each is wrong, slow or plain in one way. Import them as ``models:Class``."""

import sys
import threading
import time
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


class SleepingModel(DoubleModel):
    """Takes its input in seconds, and says so first."""

    qualified_name = "sleeping_model"
    input_schema = {**NUMBER_IN, "examples": [{"x": 0}]}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] > 0:
            print("fell asleep", file=sys.stderr, flush=True)
            time.sleep(payload["x"])
        return super().predict(payload)


class SlowBuildingModel(DoubleModel):
    """Waits for `release` while it is built."""

    qualified_name = "slow_building_model"
    entered = threading.Event()
    release = threading.Event()

    def __init__(self) -> None:
        self.entered.set()
        self.release.wait(timeout=30)


class RaisingCloseModel(ClosingModel):
    """Counts like its base, then raises."""

    qualified_name = "raising_close_model"
    closed = 0

    def close(self) -> None:
        super().close()
        raise RuntimeError("cannot close")


class ForgetfulModel(DoubleModel):
    """Forgets the `return` of its own validation."""

    qualified_name = "forgetful_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return None  # type: ignore[return-value] - the mistake this model is about


class TalkativeModel(DoubleModel):
    """Finds more violations of a negative number than anyone reads, and raises on -1."""

    qualified_name = "talkative_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        if payload["x"] == -1:
            raise RuntimeError("secret payload -1")
        return [Violation("/x", "own", f"fault {i}") for i in range(150)] if payload["x"] < 0 else []


class QuittingModel(DoubleModel):
    """Tries to end the process when it predicts a negative number, and when it validates one below -100."""

    qualified_name = "quitting_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        if payload["x"] < -100:
            raise SystemExit(3)
        return []

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["x"] < 0:
            raise SystemExit(3)
        return super().predict(payload)


class PoppingModel(DoubleModel):
    """Loses a payload of several, and so an output, without a difference between the two lists it holds."""

    qualified_name = "popping_model"

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        del payloads[1:]
        return super().predict_batch(payloads)


class TuplingModel(DoubleModel):
    """Answers several payloads with a tuple."""

    qualified_name = "tupling_model"

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        outputs = super().predict_batch(payloads)
        return outputs if len(outputs) == 1 else tuple(outputs)  # type: ignore[return-value] - as above


class LooseModel(DoubleModel):
    """Answers negative numbers with what only looks like JSON, at least to Python's encoder."""

    qualified_name = "loose_model"
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": {-1: (1, 2), -2: {1: 2}, -3: [{"z": ()}]}.get(payload["x"], 1)}


class _RaisingDescription(type(MLModel)):  # type: ignore[misc] - ABCMeta, so that MLModel can be a base
    @property
    def display_name(cls) -> str:
        raise RuntimeError("no name today")


class RaisingDescriptionModel(MLModel, metaclass=_RaisingDescription):
    """Raises when it is asked for its name."""

    qualified_name = "raising_description_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {}


class UnfinishedModel(MLModel):
    """Says everything of itself, and predicts nothing."""

    qualified_name = "unfinished_model"
    display_name = "Unfinished"
    description = "Lacks predict."
    version = "1.0.0"
    input_schema = NUMBER_IN
    output_schema = NUMBER_OUT


class AwkwardSchemaModel(EchoModel):
    """Uses the parts of JSON Schema that are hard to move into another document."""

    qualified_name = "awkward_schema_model"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/awkward",
        "type": "object",
        "properties": {
            "tree": {"$ref": "#/$defs/a tree"},
            "again": {"$ref": "#/properties/tree"},
            "named": {"$ref": "#leaf"},
            "$ref": {"type": "string", "description": "A field that is named like a keyword."},
            "choice": {"enum": [{"$ref": "is data here"}, None]},
            "whole": {"$ref": "#"},
        },
        "$defs": {
            "a tree": {
                "type": "object",
                "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/a tree"}}},
            },
            "leaf": {"$anchor": "leaf", "type": ["string", "null"], "x-error-messages": {"type": "A leaf is a text."}},
        },
        "examples": [{"tree": {"children": [{}]}, "named": None, "$ref": "x", "whole": {}}],
    }
