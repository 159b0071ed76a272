"""Toy models that hang, crash and swell: for processes of their own only. Import them as ``unruly_models:Class``."""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from models import NUMBER_IN, DoubleModel

from model_service.records import Violation


class UnrulyModel(DoubleModel):
    """Misbehaves for a negative number, each in its way; answers its process id for 0."""

    qualified_name = "unruly_model"
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        match payload["x"]:
            case 0:
                return {"pid": os.getpid()}
            case -1:
                os._exit(3)
            case -2:
                os.kill(os.getpid(), signal.SIGSEGV)
            case -3:
                threading.Event().wait()
            case -4:
                self.swollen = bytearray(300_000_000)
                time.sleep(30)
            case -5:
                threading.Thread(target=lambda: 1 / 0).start()
                time.sleep(30)
            case -6:
                raise RuntimeError("a bad row")
            case x if x > 500:
                time.sleep((x - 500) / 100)
        return super().predict(payload)


class CountingModel(DoubleModel):
    """Answers how many rows its batch had."""

    qualified_name = "counting_model"

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(payload["x"] == 1 for payload in payloads):
            time.sleep(0.3)
        return [{"y": len(payloads)} for _ in payloads]


class RememberingModel(UnrulyModel):
    """Answers which numbers it has run so far."""

    qualified_name = "remembering_model"

    def __init__(self) -> None:
        self.ran: list[float] = []

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        super().predict(payload)
        self.ran.append(payload["x"])
        return {"ran": list(self.ran)}


class PonderingModel(UnrulyModel):
    """Never comes to an end with its rule for -3."""

    qualified_name = "pondering_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        if payload["x"] == -3:
            threading.Event().wait()
        return []


class ClosingModel(UnrulyModel):
    """Writes down that it was closed, and after which number."""

    qualified_name = "closing_model"
    last = 0.0

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        output = super().predict(payload)
        self.last = payload["x"]
        return output

    def close(self) -> None:
        Path(os.environ["CLOSED_FILE"]).write_text(f"after {self.last}")


class DoomedModel(DoubleModel):
    """Ends its process whenever it is loaded."""

    qualified_name = "doomed_model"

    def __init__(self) -> None:
        print("the last words", flush=True)
        os._exit(9)


class SluggishModel(DoubleModel):
    """Takes longer to load than anyone waits."""

    qualified_name = "sluggish_model"

    def __init__(self) -> None:
        time.sleep(60)


class NotJsonModel(DoubleModel):
    """Answers what no frame can carry."""

    qualified_name = "not_json_model"
    input_schema = {**NUMBER_IN, "examples": []}
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": float("nan")} if payload["x"] > 0 else {"y": {1, 2}}


class FarewellModel(DoubleModel):
    """Says when it is closed."""

    qualified_name = "farewell_model"

    def close(self) -> None:
        print("farewell", file=sys.stderr, flush=True)


class LateModel(DoubleModel):
    """Takes its time to load in the worker whose number `LATE_WORKER` is."""

    qualified_name = "late_model"

    def __init__(self) -> None:
        if f"--number {os.environ['LATE_WORKER']}" in " ".join(sys.argv):
            time.sleep(1.5)


class ThinkingModel(DoubleModel):
    """Logs what it does."""

    qualified_name = "thinking_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        logging.getLogger("thinking").info("a thought")
        return super().predict(payload)
