"""Toy models that are watched, held or slow, for tests of the front. Import them as ``front_models:Class``."""

import threading
import time
from collections import Counter
from typing import Any

from models import DoubleModel, RaisingModel


class CountingModel(RaisingModel):
    """Counts its predictions by payload: the service asks its example now and then."""

    qualified_name = "counting_model"
    counts: Counter[float] = Counter()

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        type(self).counts[payload["x"]] += 1
        return super().predict(payload)


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


class SleepyModel(DoubleModel):
    """Takes its time."""

    qualified_name = "sleepy_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.01)
        return super().predict(payload)
