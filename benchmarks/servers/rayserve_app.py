"""Ray Serve, batching or not: ``python rayserve_app.py PORT LARGEST_BATCH arrays|objects``."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import ray
from engines import write_outputs
from fastapi import FastAPI
from flowers import Flower, Species, list_numbers
from ray import serve
from starlette.requests import Request

PORT, LARGEST_BATCH, FORM = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
BATCH_WAIT_S = 0.005
OBJECT_STORE_BYTES = 100 * 2**20
QUIET = {"enable_access_log": False}
#: The machine has another core for the load; what is asked for here is only counted.
REPLICA = {"num_replicas": 1, "max_ongoing_requests": 256, "ray_actor_options": {"num_cpus": 0.1}}
app = FastAPI()


class Estimator:
    """A fitted scikit-learn classifier that may wait for more requests."""

    def __init__(self) -> None:
        self.estimator = joblib.load(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))

    async def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of each row."""
        return await self._predict_together(rows) if LARGEST_BATCH > 1 else self.estimator.predict_proba(rows)

    @serve.batch(max_batch_size=LARGEST_BATCH, batch_wait_timeout_s=BATCH_WAIT_S)
    async def _predict_together(self, requests: list[np.ndarray]) -> list[np.ndarray]:
        ends = np.cumsum([len(rows) for rows in requests])[:-1]
        return np.split(self.estimator.predict_proba(np.concatenate(requests)), ends)


@serve.deployment(**REPLICA)
class Arrays(Estimator):
    """Arrays of measurements in, arrays of probabilities out."""

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answer one request."""
        document = await request.json()
        return {"probabilities": (await self.predict(np.asarray(document["rows"], float))).tolist()}


@serve.deployment(**REPLICA)
@serve.ingress(app)
class Objects(Estimator):
    """Checked fields in, whole outputs out."""

    @app.post("/predict")
    async def answer_one(self, payload: Flower) -> Species:
        """Answer one payload."""
        return Species(**write_outputs(await self.predict(np.asarray([list_numbers(payload)])))[0])

    @app.post("/predict_batch")
    async def answer_many(self, payloads: list[Flower]) -> list[Species]:
        """Answer an array of payloads."""
        rows = np.asarray([list_numbers(payload) for payload in payloads])
        return [Species(**output) for output in write_outputs(await self.predict(rows))]


if __name__ == "__main__":
    ray.init(
        _node_ip_address="127.0.0.1",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=OBJECT_STORE_BYTES,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT}, logging_config=QUIET)
    if FORM == "objects":
        serve.run(Objects.bind(), route_prefix="/", logging_config=QUIET)
    else:
        serve.run(Arrays.bind(), route_prefix="/predict", logging_config=QUIET)
    signal.pause()
