"""Export the forest that the peers serve natively: ``python -m forest_model.train FOREST.joblib``."""

import sys
from pathlib import Path

import joblib
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from forest_model.model import ForestModel
from model_service.artifacts import write_manifest

OPSET = 17
FEATURES = 4


def main() -> None:
    """Write the graph and its manifest."""
    forest = joblib.load(Path(sys.argv[1]))
    graph = to_onnx(
        forest,
        initial_types=[("features", FloatTensorType([None, FEATURES]))],
        options={id(forest): {"zipmap": False}},
        target_opset=OPSET,
    )
    folder = ForestModel.artifact_path("")
    folder.mkdir(exist_ok=True)
    ForestModel.artifact_path("model.onnx").write_bytes(graph.SerializeToString())
    write_manifest(folder, made_with=("scikit-learn", "skl2onnx", "onnx", "numpy"))


if __name__ == "__main__":
    main()
