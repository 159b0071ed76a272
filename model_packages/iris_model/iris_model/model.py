"""The model that is served: the ONNX graph that ``iris_model.train`` exports."""

from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from model_service import MLModel
from model_service.onnx import open_session

#: The order of the graph's input columns.
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
SPECIES = ("setosa", "versicolor", "virginica")
_READ_FEATURES = itemgetter(*FEATURES)


def _measurement(title: str, *, maximum: float) -> dict[str, Any]:
    # The upper bounds are some three times the longest of the 150 flowers: wide enough for any
    # iris, narrow enough to catch millimetres sent as centimetres.
    return {
        "type": "number",
        "title": title,
        "description": f"{title} in centimetres.",
        "unit": "cm",
        "exclusiveMinimum": 0,
        "maximum": maximum,
    }


class IrisModel(MLModel):
    """Logistic regression on the four measurements of Fisher's iris flowers."""

    qualified_name = "iris_model"
    display_name = "Iris species"
    description = "Tells the species of an iris flower from the length and width of its sepals and petals."
    version = "1.0.0"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Iris flower",
        "type": "object",
        "properties": {
            "sepal_length": _measurement("Sepal length", maximum=25),
            "sepal_width": _measurement("Sepal width", maximum=15),
            "petal_length": _measurement("Petal length", maximum=25),
            "petal_width": _measurement("Petal width", maximum=10),
        },
        "required": list(FEATURES),
        "additionalProperties": False,
        "examples": [
            {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
            {"sepal_length": 6.0, "sepal_width": 2.9, "petal_length": 4.5, "petal_width": 1.5},
            {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5},
        ],
    }
    output_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Iris species",
        "type": "object",
        "properties": {
            "species": {"enum": list(SPECIES), "title": "Species", "description": "The most probable species."},
            "probabilities": {
                "type": "object",
                "title": "Probabilities",
                "description": "Probability of each species; they add up to 1.",
                "properties": {species: {"type": "number", "minimum": 0, "maximum": 1} for species in SPECIES},
                "required": list(SPECIES),
                "additionalProperties": False,
            },
        },
        "required": ["species", "probabilities"],
        "additionalProperties": False,
    }

    def __init__(self) -> None:
        self._session = open_session(self.artifact_path("model.onnx"))

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = chain.from_iterable(map(_READ_FEATURES, payloads))  # one pass: thousands of rows are common
        rows = np.fromiter(values, np.float32, len(payloads) * len(FEATURES)).reshape(-1, len(FEATURES))
        labels, probabilities = self._session.run(["label", "probabilities"], {"features": rows})
        # The graph computes in float32, whose softmax may exceed 1 in the last bit.
        outputs = np.minimum(probabilities, 1.0).tolist()
        return [
            {
                "species": SPECIES[label],
                "probabilities": {"setosa": setosa, "versicolor": versicolor, "virginica": virginica},
            }
            for label, (setosa, versicolor, virginica) in zip(labels.tolist(), outputs, strict=True)
        ]
