"""TorchServe: what waits together is one call of the estimator. The model's YAML says whether fields are checked."""

import json
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from engines import write_outputs
from flowers import read_rows
from pydantic import ValidationError
from ts.torch_handler.base_handler import BaseHandler


class Classifier(BaseHandler):
    """A fitted scikit-learn classifier: arrays in and probabilities out, or checked fields in and outputs out."""

    def initialize(self, context: Any) -> None:
        """Load the model in the worker."""
        self.estimator = joblib.load(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))
        self.is_checking = context.model_yaml_config["handler"]["is_checking"]
        self.initialized = True

    def handle(self, requests: list[dict[str, Any]], context: Any) -> list[str]:
        """Answer the requests of a batch; they may hold different numbers of rows, and one may be wrong."""
        rows = [self._read(place, request["body"], context) for place, request in enumerate(requests)]
        ends = np.cumsum([len(each) for each in rows])[:-1]
        together = np.concatenate(rows)
        answers = np.split(self.estimator.predict_proba(together), ends) if len(together) else [together] * len(rows)
        for place in range(len(requests)):
            context.set_response_content_type(place, "application/json")
        # TorchServe would indent the documents that it is given, in slow Python.
        return [json.dumps(self._write(answer)) for answer in answers]

    def _read(self, place: int, document: Any, context: Any) -> np.ndarray:
        if not self.is_checking:
            return np.asarray(document["rows"], float)
        try:
            return np.asarray(read_rows(document["rows"]), float)
        except ValidationError as error:
            context.set_response_status(422, str(error.error_count()) + " violations", place)
            return np.empty((0, 4))

    def _write(self, probabilities: np.ndarray) -> dict[str, Any]:
        if not self.is_checking:
            return {"probabilities": probabilities.tolist()}
        return {"outputs": write_outputs(probabilities) if len(probabilities) else []}
