"""Train the iris classifier and export it: ``python -m iris_model.train [--data iris.csv]``.

Without ``--data`` it uses the copy of Fisher's data that scikit-learn carries; a CSV
file needs the four feature columns and ``species``. Needs the extra ``iris-model[train]``.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from iris_model.model import FEATURES, SPECIES, IrisModel
from model_service.artifacts import METRICS_NAME, write_manifest

OPSET = 17
FOLDS = 10
REPEATS = 5


def read_flowers(path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return features of shape (rows, 4), in cm and float32, and class numbers of shape (rows,)."""
    if path is None:
        features, classes = load_iris(return_X_y=True)
        return features.astype(np.float32), classes
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    features = np.array([[float(row[name]) for name in FEATURES] for row in rows], dtype=np.float32)
    return features, np.array([SPECIES.index(row["species"]) for row in rows])


def build_pipeline() -> Pipeline:
    """Return the untrained classifier."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000))


def evaluate(features: np.ndarray, classes: np.ndarray, *, seed: int) -> dict[str, object]:
    """Return accuracy and log loss over repeated stratified folds, printing each repeat."""
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    accuracies, losses = [], []
    for number, (train, test) in enumerate(splitter.split(features, classes), start=1):
        probabilities = build_pipeline().fit(features[train], classes[train]).predict_proba(features[test])
        accuracies.append(accuracy_score(classes[test], probabilities.argmax(axis=1)))
        losses.append(log_loss(classes[test], probabilities, labels=range(len(SPECIES))))
        if number % FOLDS == 0:
            print(f"repeat {number // FOLDS} of {REPEATS}: accuracy so far {np.mean(accuracies):.4f}", flush=True)
    return {
        "split": f"stratified {FOLDS}-fold cross-validation, repeated {REPEATS} times, seed {seed}",
        "accuracy": round(float(np.mean(accuracies)), 4),
        "accuracy_std_over_folds": round(float(np.std(accuracies)), 4),
        "log_loss": round(float(np.mean(losses)), 4),
    }


def export(pipeline: Pipeline, path: Path) -> None:
    """Write the trained pipeline as an ONNX graph: ``features`` -> ``label``, ``probabilities``."""
    graph = to_onnx(
        pipeline,
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        options={id(pipeline): {"zipmap": False}},
        target_opset=OPSET,
    )
    path.write_bytes(graph.SerializeToString())


def main(arguments: list[str] | None = None) -> None:
    """Train, evaluate, export and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV file; default: scikit-learn's own copy")
    parser.add_argument("--out", type=Path, default=IrisModel.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    features, classes = read_flowers(options.data)
    print(f"{len(classes)} flowers")
    evaluation = evaluate(features, classes, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    export(build_pipeline().fit(features, classes), options.out / "model.onnx")
    metrics = {
        "task": "classification",
        "data": "Fisher's iris flowers, as carried by scikit-learn" if options.data is None else options.data.name,
        "rows": len(classes),
        "evaluations": [evaluation],
    }
    (options.out / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_manifest(options.out, made_with=("scikit-learn", "skl2onnx", "onnx", "numpy"))
    print(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
