"""Train the iris classifier and export it: ``python -m iris_model.train [--data iris.csv]``.

Without ``--data`` it uses the copy of Fisher's data that scikit-learn carries; a CSV
file needs the four feature columns and ``species``. Needs the extra ``iris-model[train]``.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from iris_model.model import FEATURES, SPECIES, IrisModel
from model_service.columns import read_matrix
from model_service.training import Training, run
from model_service.training.sklearn import export_sklearn

FOLDS = 10
REPEATS = 5


def read_flowers(path: Path | None) -> tuple[list[dict[str, Any]], list[int]]:
    """Return payloads as a caller would send them, and the number of each one's species."""
    if path is None:
        rows, classes = load_iris(return_X_y=True)
        return [dict(zip(FEATURES, row, strict=True)) for row in rows.tolist()], classes.tolist()
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    payloads = [{name: float(line[name]) for name in FEATURES} for line in lines]
    return payloads, [SPECIES.index(line["species"]) for line in lines]


def build_pipeline() -> Pipeline:
    """Return the untrained classifier."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000))


def train(training: Training) -> None:
    """Measure by cross-validation, then train on all flowers and export."""
    payloads, labels = read_flowers(training.data)
    training.describe_data(
        payloads, labels=labels, name="" if training.data else "Fisher's iris flowers (scikit-learn)"
    )
    features, classes = read_matrix(payloads, FEATURES), np.array(labels)
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=training.seed)
    accuracies, losses = [], []
    for known, held in splitter.split(features, classes):
        said = build_pipeline().fit(features[known], classes[known]).predict_proba(features[held])
        accuracies.append(accuracy_score(classes[held], said.argmax(axis=1)))
        losses.append(log_loss(classes[held], said, labels=range(len(SPECIES))))
    split = f"stratified {FOLDS}-fold cross-validation, repeated {REPEATS} times, seed {training.seed}"
    training.report("logistic regression", split, accuracy=accuracies, log_loss=losses)
    export_sklearn(build_pipeline().fit(features, classes), features, training.out / IrisModel.graph)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and train."""
    made_with = ("scikit-learn", "skl2onnx", "onnx", "numpy")
    run(train, IrisModel, task="classification", made_with=made_with, needs_data=False, arguments=arguments)


if __name__ == "__main__":
    main()
