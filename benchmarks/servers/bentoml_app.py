"""BentoML: one service with an API that batches and one that does not."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np

LARGEST_BATCH_ROWS = 20_000
#: BentoML chooses how long it waits by what it measured; this is only where it starts to refuse.
LONGEST_WAIT_MS = 60_000


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Classifier:
    """A fitted scikit-learn classifier; arrays of measurements in, arrays of probabilities out."""

    def __init__(self) -> None:
        self.estimator = joblib.load(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Answer a request as it comes."""
        return self.estimator.predict_proba(rows)

    @bentoml.api(batchable=True, max_batch_size=LARGEST_BATCH_ROWS, max_latency_ms=LONGEST_WAIT_MS)
    def predict_batched(self, rows: np.ndarray) -> np.ndarray:
        """Answer what waits together."""
        return self.estimator.predict_proba(rows)
