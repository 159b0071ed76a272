"""A toy model of the contract of backends alone. Import it as ``backends.contract_models:Class``."""

import threading
from typing import Any

from models import DoubleModel


class JealousModel(DoubleModel):
    """Refuses to be called by two threads at once."""

    qualified_name = "jealous_model"

    def __init__(self) -> None:
        self.is_busy = threading.Lock()

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        if not self.is_busy.acquire(blocking=False):
            raise RuntimeError("two threads at once")
        try:
            sum(range(5_000))  # long enough for another thread to get its turn
            return super().predict(payload)
        finally:
            self.is_busy.release()
