"""LitServe, batching or not: ``python litserve_app.py PORT LARGEST_BATCH``."""

import os
import sys
from pathlib import Path
from typing import Any

import joblib
import litserve
import numpy as np

BATCH_WAIT_S = 0.005


class Classifier(litserve.LitAPI):
    """A fitted scikit-learn classifier; arrays of measurements in, arrays of probabilities out."""

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        self.estimator = joblib.load(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        """Return the rows of one request."""
        return np.asarray(request["rows"], float)

    def batch(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Keep the requests apart: they may hold different numbers of rows."""
        return inputs

    def predict(self, rows: Any) -> Any:
        """Predict one request, or the list of those that were batched."""
        if self.max_batch_size == 1:
            return self.estimator.predict_proba(rows)
        ends = np.cumsum([len(request) for request in rows])[:-1]
        return np.split(self.estimator.predict_proba(np.concatenate(rows)), ends)

    def unbatch(self, output: list[np.ndarray]) -> list[np.ndarray]:
        """Return the answers, already one per request."""
        return output

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        """Return the document of one answer."""
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    largest_batch = int(sys.argv[2])
    api = Classifier(max_batch_size=largest_batch, batch_timeout=BATCH_WAIT_S if largest_batch > 1 else 0.0)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
