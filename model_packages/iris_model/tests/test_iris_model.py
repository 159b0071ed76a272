"""The served graph: golden answers, edges, and parity with the scikit-learn pipeline it came from."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from sklearn.datasets import load_iris

from iris_model import IrisModel, train
from iris_model.model import FEATURES, SPECIES
from model_service.artifacts import read_artifacts, read_metrics, verify_artifacts
from model_service.onnx import open_session


@pytest.fixture(scope="module")
def model() -> IrisModel:
    return IrisModel()


def payload(row) -> dict:
    return dict(zip(FEATURES, (float(value) for value in row), strict=True))


def random_flowers(count: int) -> np.ndarray:
    bounds = [IrisModel.input_schema["properties"][name]["maximum"] for name in FEATURES]
    return np.random.default_rng(0).uniform(0.01, bounds, size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "species"),
    [((5.1, 3.5, 1.4, 0.2), "setosa"), ((6.0, 2.9, 4.5, 1.5), "versicolor"), ((6.3, 3.3, 6.0, 2.5), "virginica")],
)
def test_well_known_flowers_are_recognised(model, row, species):
    assert model.predict(payload(row))["species"] == species


def test_most_flowers_of_the_data_are_recognised(model):
    features, classes = load_iris(return_X_y=True)
    outputs = model.predict_batch([payload(row) for row in features])
    hits = sum(output["species"] == SPECIES[number] for output, number in zip(outputs, classes, strict=True))
    assert hits >= 145


def test_the_graph_answers_as_the_pipeline_over_thousands_of_rows(tmp_path):
    features, classes = train.read_flowers(None)
    pipeline = train.build_pipeline().fit(features, classes)
    train.export(pipeline, tmp_path / "model.onnx")
    rows = random_flowers(5000)
    labels, probabilities = open_session(tmp_path / "model.onnx").run(["label", "probabilities"], {"features": rows})
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(rows), atol=1e-5)
    assert (labels == pipeline.predict(rows)).all()


def test_the_shipped_graph_is_the_one_that_training_makes(model):
    features, classes = train.read_flowers(None)
    rows = random_flowers(2000)
    expected = train.build_pipeline().fit(features, classes).predict_proba(rows)
    outputs = model.predict_batch([payload(row) for row in rows])
    served = [[output["probabilities"][name] for name in SPECIES] for output in outputs]
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_a_batch_is_answered_as_its_rows_alone(model):
    payloads = [payload(row) for row in random_flowers(200)]
    for together, alone in zip(model.predict_batch(payloads), map(model.predict, payloads), strict=True):
        assert together["species"] == alone["species"]
        # The last bits of float32 depend on how many rows a vector instruction takes at once.
        assert together["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)


def test_examples_and_outputs_keep_to_the_schemas_at_every_bound(model):
    check_input = Draft202012Validator(IrisModel.input_schema)
    check_output = Draft202012Validator(IrisModel.output_schema)
    largest = payload([IrisModel.input_schema["properties"][name]["maximum"] for name in FEATURES])
    smallest = payload([5e-324] * 4)
    for one in [*IrisModel.input_schema["examples"], largest, smallest, dict.fromkeys(FEATURES, 1)]:
        check_input.validate(one)
        output = model.predict(one)
        check_output.validate(output)
        assert json.loads(json.dumps(output)) == output
        assert sum(output["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_artifacts_are_those_of_the_manifest():
    verify_artifacts(IrisModel)
    assert {artifact.name for artifact in read_artifacts(IrisModel)} == {"model.onnx", "metrics.json"}
    assert read_metrics(IrisModel)["evaluations"][0]["accuracy"] > 0.95


def test_training_from_a_file_writes_artifacts_that_verify(tmp_path, capsys):
    features, classes = load_iris(return_X_y=True)
    lines = [",".join([*FEATURES, "species"])]
    lines += [",".join([*map(str, row), SPECIES[number]]) for row, number in zip(features, classes, strict=True)]
    (tmp_path / "iris.csv").write_text("\n".join(lines))
    train.main(["--data", str(tmp_path / "iris.csv"), "--out", str(tmp_path / "out"), "--seed", "1"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.onnx", "metrics.json", "manifest.json"}
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["rows"] == 150
    assert metrics["data"] == "iris.csv"
    assert "repeat 5 of 5" in capsys.readouterr().out
