"""The model that is served: the ONNX graph that ``iris_model.train`` exports."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_service.columns import read_matrix, stack_columns
from model_service.fields import answer, choice, number, probabilities, record
from model_service.onnx import OnnxModel

SPECIES = ("setosa", "versicolor", "virginica")
# The upper bounds are some three times the longest of the 150 flowers: wide enough for any
# iris, narrow enough to catch millimetres sent as centimetres.
FIELDS = {
    "sepal_length": number("Sepal length", unit="cm", above=0, most=25),
    "sepal_width": number("Sepal width", unit="cm", above=0, most=15),
    "petal_length": number("Petal length", unit="cm", above=0, most=25),
    "petal_width": number("Petal width", unit="cm", above=0, most=10),
}
#: The order of the graph's input columns.
FEATURES = tuple(FIELDS)
_EXAMPLES = ((5.1, 3.5, 1.4, 0.2), (6.0, 2.9, 4.5, 1.5), (6.3, 3.3, 6.0, 2.5))


class IrisModel(OnnxModel):
    """Logistic regression on the four measurements of Fisher's iris flowers."""

    qualified_name = "iris_model"
    display_name = "Iris species"
    description = "Tells the species of an iris flower from the length and width of its sepals and petals."
    version = "1.0.0"
    input_schema = record("Iris flower", FIELDS, examples=[dict(zip(FEATURES, row, strict=True)) for row in _EXAMPLES])
    output_schema = answer(
        "Iris species",
        {
            "species": choice("Species", SPECIES, "The most probable species."),
            "probabilities": probabilities(SPECIES, description="Probability of each species; they add up to 1."),
        },
    )
    inputs = ("features",)
    outputs = ("label", "probabilities")

    def encode(self, payloads: list[dict[str, Any]]) -> dict[str, Any]:
        return {"features": read_matrix(payloads, FEATURES)}

    def predict_columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        outputs = self.run({"features": stack_columns(columns, FEATURES)})
        rows = np.minimum(outputs["probabilities"], 1.0)
        named = {f"probabilities.{name}": rows[:, place] for place, name in enumerate(SPECIES)}
        return {"species": np.array(SPECIES, object)[outputs["label"]], **named}

    def decode(self, payloads: list[dict[str, Any]], outputs: dict[str, Any]) -> list[dict[str, Any]]:
        # The graph computes in float32, whose softmax may exceed 1 in the last bit.
        rows = np.minimum(outputs["probabilities"], 1.0).tolist()
        return [
            {
                "species": SPECIES[label],
                "probabilities": {"setosa": setosa, "versicolor": versicolor, "virginica": virginica},
            }
            for label, (setosa, versicolor, virginica) in zip(outputs["label"].tolist(), rows, strict=True)
        ]
