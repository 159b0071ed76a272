"""Versions of the doubling model that are tried out. Import them as ``traffic_models:Class``."""

import time
from typing import Any

from models import DoubleModel


class DoubleModelTried(DoubleModel):
    """Differs from the first version for 3, fails for -1, and hangs for 7."""

    version = "2.0.0"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        x = payload["x"]
        if x == -1:
            raise ArithmeticError("no minus")
        if x == 7:
            time.sleep(600)
        return {"y": 0 if x == 3 else 2 * x}
