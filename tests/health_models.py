"""A toy model whose health a test decides. Import it as ``health_models:MoodyModel``."""

import threading
from typing import Any, ClassVar

from models import DoubleModel


class MoodyModel(DoubleModel):
    """Doubles, raises, answers nonsense or hangs, as `mood` says, for every instance in this process."""

    qualified_name = "moody_model"
    mood: ClassVar[str] = "well"
    asked: ClassVar[int] = 0
    released: ClassVar[threading.Event] = threading.Event()

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        type(self).asked += 1
        if self.mood == "raises":
            raise RuntimeError(f"the payload {payload}")
        if self.mood == "hangs":
            self.released.wait()
        return {"y": "two"} if self.mood == "nonsense" else super().predict(payload)
