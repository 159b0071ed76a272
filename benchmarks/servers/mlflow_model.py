"""Save a fitted classifier as an MLflow model: ``python mlflow_model.py arrays|objects FITTED FOLDER``."""

import sys
from pathlib import Path
from typing import Any

import joblib
import mlflow
from engines import FEATURES, write_outputs
from flowers import read_rows
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.types import ColSpec, Schema
from pydantic import ValidationError

#: What the model needs is in the environment that serves it.
NOTHING_MORE: list[str] = []
#: MLflow reads no types but those it knows; a forest is made of trees.
TRUSTED = ["sklearn.tree._tree.Tree"]


class Checking(mlflow.pyfunc.PythonModel):
    """The classifier behind named fields, each of them checked: their types by MLflow, their ranges here."""

    def load_context(self, context: Any) -> None:
        """Load the model in the worker."""
        self.estimator = joblib.load(context.artifacts["fitted"])

    def predict(self, context: Any, model_input: Any, params: Any = None) -> list[dict[str, Any]]:
        """Return one output per row of a frame."""
        try:
            rows = read_rows(model_input.to_dict("records"))
        except ValidationError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from error
        return write_outputs(self.estimator.predict_proba(rows))


def main() -> None:
    """Write the folder of the model."""
    form, fitted, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if form == "arrays":
        mlflow.sklearn.save_model(
            joblib.load(fitted),
            folder,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=NOTHING_MORE,
            skops_trusted_types=TRUSTED,
        )
        return
    mlflow.pyfunc.save_model(
        folder,
        python_model=Checking(),
        artifacts={"fitted": str(fitted)},
        signature=ModelSignature(Schema([ColSpec("double", name) for name in FEATURES])),
        pip_requirements=NOTHING_MORE,
    )


if __name__ == "__main__":
    main()
