"""KServe's Python server, first protocol: ``python kserve_app.py --form arrays|objects`` and KServe's own options."""

import argparse
import os
from pathlib import Path
from typing import Any

import joblib
import kserve
from engines import write_outputs
from flowers import read_rows
from kserve.errors import InvalidInput
from pydantic import ValidationError


class Classifier(kserve.Model):
    """A fitted scikit-learn classifier: arrays in and probabilities out, or checked fields in and outputs out."""

    def __init__(self, *, is_checking: bool) -> None:
        super().__init__("classifier")
        self.estimator = joblib.load(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))
        self.is_checking = is_checking
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Answer one request."""
        if not self.is_checking:
            return {"predictions": self.estimator.predict_proba(payload["instances"]).tolist()}
        try:
            rows = read_rows(payload["instances"])
        except ValidationError as error:
            raise InvalidInput(str(error)) from error
        return {"predictions": write_outputs(self.estimator.predict_proba(rows))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--form", choices=("arrays", "objects"))
    options = parser.parse_args()
    kserve.logging.configure_logging(options.log_config_file)
    kserve.ModelServer().start([Classifier(is_checking=options.form == "objects")])
