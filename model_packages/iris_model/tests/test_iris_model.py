"""The served graph: golden answers, edges, and that training makes it again."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_iris

from iris_model import IrisModel, train
from iris_model.model import FEATURES, SPECIES
from model_service.artifacts import read_metrics
from model_service.columns import read_matrix
from model_service.conformance.pytest_plugin import conformance


def payload(row) -> dict:
    return dict(zip(FEATURES, (float(value) for value in row), strict=True))


def random_flowers(count: int) -> list[dict]:
    bounds = [IrisModel.input_schema["properties"][name]["maximum"] for name in FEATURES]
    return [payload(row) for row in np.random.default_rng(0).uniform(0.01, bounds, size=(count, 4))]


LARGEST = {name: IrisModel.input_schema["properties"][name]["maximum"] for name in FEATURES}
EDGES = [LARGEST, payload([5e-324] * 4), dict.fromkeys(FEATURES, 1)]
test_conformance = conformance(IrisModel, payloads=[*EDGES, *random_flowers(100)], calls=200)


def test_the_probabilities_add_up_to_one_up_to_every_bound():
    outputs = IrisModel().predict_batch(EDGES)
    assert [sum(output["probabilities"].values()) for output in outputs] == pytest.approx([1] * len(EDGES), abs=1e-5)


def test_most_flowers_of_the_data_are_recognised():
    features, classes = load_iris(return_X_y=True)
    outputs = IrisModel().predict_batch([payload(row) for row in features])
    hits = sum(output["species"] == SPECIES[number] for output, number in zip(outputs, classes, strict=True))
    assert hits >= 145


def test_the_shipped_graph_is_the_one_that_training_makes():
    payloads, classes = train.read_flowers(None)
    flowers = random_flowers(5000)
    pipeline = train.build_pipeline().fit(read_matrix(payloads, FEATURES), classes)
    expected = pipeline.predict_proba(read_matrix(flowers, FEATURES))
    served = [list(output["probabilities"].values()) for output in IrisModel().predict_batch(flowers)]
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_training_from_a_file_measures_what_the_package_ships(tmp_path):
    payloads, classes = train.read_flowers(None)
    lines = [
        ",".join([*map(str, row.values()), SPECIES[number]]) for row, number in zip(payloads, classes, strict=True)
    ]
    (tmp_path / "iris.csv").write_text("\n".join([",".join([*FEATURES, "species"]), *lines]))
    train.main(["--data", str(tmp_path / "iris.csv"), "--out", str(tmp_path / "out")])
    metrics, shipped = json.loads((tmp_path / "out/metrics.json").read_text()), read_metrics(IrisModel)
    assert (metrics["data"]["name"], metrics["data"]["rows"]) == ("iris.csv", 150)
    assert metrics["results"] == shipped["results"]
    assert (tmp_path / "out/model.onnx").read_bytes() == IrisModel.artifact_path("model.onnx").read_bytes()
