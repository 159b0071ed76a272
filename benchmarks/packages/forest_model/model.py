"""The forest behind the schemas of `iris_model`: the same fields and answers, a prediction that costs more."""

from iris_model import IrisModel


class ForestModel(IrisModel):
    """Random forest of a hundred trees on Fisher's iris flowers, as the ONNX graph beside this file."""

    qualified_name = "forest_model"
    display_name = "Iris species (forest)"
    description = "Tells the species of an iris flower by a random forest of a hundred trees."
