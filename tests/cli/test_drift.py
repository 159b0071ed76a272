"""`drift`: a file that has drifted is reported, one like the training is not; the log is read the same way."""

import csv
import json
import random
import sqlite3
from contextlib import closing

import pytest
from commanding import invoke, misuse
from sklearn.datasets import load_iris

from model_service.cli.errors import DRIFTED
from model_service.config import ModelConfig, ServiceConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.prediction_log.parts import list_parts
from model_service.service import Service

pytestmark = pytest.mark.usefixtures("manager")
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
IRIS = "iris_model.IrisModel"


def draw_flowers(count, *, is_drifted):
    """Return real flowers; drifted ones from a bed of larger ones, measured by somebody who rounds the petals up."""
    flowers = random.Random(5).sample(load_iris(return_X_y=True)[0].tolist(), count)
    if is_drifted:
        flowers = [[1.3 * length, width, petal + 1.0, breadth] for length, width, petal, breadth in flowers]
    return flowers


def write_flowers(path, flowers):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *flowers])
    return path


def drift(config, *arguments, model="iris_model", code=0):
    result = invoke(config, "drift", model, *map(str, arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def log_flowers(folder, flowers):
    """Log the predictions of flowers as a service does, and give the true species of some."""
    log = ModelLogConfig(sample=1.0)
    keys = PredictionLogConfig(folder=folder)
    config = ServiceConfig(models=(ModelConfig(class_path=IRIS, prediction_log=log),), prediction_log=keys)
    with Service(config).start() as service:
        service.watch_predictions()
        client = service.app.test_client()
        payloads = [dict(zip(NAMES, flower, strict=True)) for flower in flowers]
        headers = {"X-Request-ID": "all"}
        answer = client.post("/api/models/iris_model/predict", json=payloads, headers=headers)
        assert answer.status_code == 200
        service.predictions.log.flush()
        for row in range(10):
            said = answer.json[row]["species"] if row else "setosa" if answer.json[0]["species"] != "setosa" else "none"
            body = {"outcome": {"species": said if said != "none" else "virginica"}, "row": row}
            assert client.post("/api/predictions/all/feedback", json=body).status_code == 200


def test_a_drifted_file_is_reported_field_by_field(configure, tmp_path):
    path = write_flowers(tmp_path / "rows.csv", draw_flowers(80, is_drifted=True))
    lines = drift(configure(IRIS), "--input", path, code=DRIFTED).splitlines()
    assert lines[0] == "iris_model 1.0.0: 80 rows; training saw 150"
    moved = [lines[i - 1].split()[1] for i, line in enumerate(lines) if "DRIFT: psi" in line]
    assert {"sepal_length", "petal_length"} <= {*moved}
    assert "sepal_width" not in moved
    assert "petal_width" not in moved


def test_a_file_like_the_training_is_not_reported(configure, tmp_path):
    path = write_flowers(tmp_path / "rows.csv", draw_flowers(80, is_drifted=False))
    assert drift(configure(IRIS), "--input", path).splitlines()[-1] == "nothing has drifted"


def test_the_report_is_json_when_asked(configure, tmp_path):
    path = write_flowers(tmp_path / "rows.csv", draw_flowers(80, is_drifted=True))
    report = json.loads(drift(configure(IRIS), "--input", path, "--json", code=DRIFTED))
    fields = {(each["place"], each["field"]): each for each in report["fields"]}
    assert (report["model"], report["rows"], report["drifted"]) == ("iris_model", 80, True)
    assert fields["input", "petal_length"]["drifted"]
    assert fields["input", "petal_length"]["figures"]["psi"] > 0.25
    assert not fields["input", "sepal_width"]["drifted"]
    assert ("output", "species") in fields


def test_thresholds_are_options(configure, tmp_path):
    path = write_flowers(tmp_path / "rows.csv", draw_flowers(80, is_drifted=True))
    drift(configure(IRIS), "--input", path, "--psi", 99, "--ks", 1)


@pytest.mark.parametrize(("is_drifted", "code"), [(True, DRIFTED), (False, 0)])
def test_the_log_is_judged_like_a_file_with_its_feedback(configure, tmp_path, is_drifted, code):
    log_flowers(tmp_path / "log", draw_flowers(80, is_drifted=is_drifted))
    text = drift(configure(IRIS), "--log", tmp_path / "log", code=code)
    assert "iris_model 1.0.0: 80 rows, 2" in text
    assert "feedback for 10 rows: species: 90.0% right" in text
    drift(configure(IRIS), "--log", tmp_path / "log", "--accuracy", 0.95, code=DRIFTED)


def test_only_the_time_that_is_asked_for_counts(configure, tmp_path):
    log_flowers(tmp_path / "log", draw_flowers(80, is_drifted=True))
    (part,) = list_parts(tmp_path / "log")
    with closing(sqlite3.connect(part.path)) as connection, connection:
        connection.execute("UPDATE predictions SET time = '2026-01-01T00:00:00.000Z'")
    part.path.rename(part.path.with_name("2026-01-01.sqlite"))
    arguments = configure(IRIS), "--log", tmp_path / "log"
    assert "there are no rows" in drift(*arguments, "--since", "2026-01-02", code=7)
    assert "there are no rows" in drift(*arguments, "--until", "2026-01-01", code=7)
    drift(*arguments, "--since", "2026-01-01", "--until", "2026-01-01T12", code=DRIFTED)


def test_what_cannot_be_judged_says_why_and_ends_with_7(configure, tmp_path):
    assert "there are no rows" in drift(configure(IRIS), "--log", tmp_path / "none", code=7)
    path = write_flowers(tmp_path / "rows.csv", draw_flowers(10, is_drifted=True))
    assert "10 rows are too few" in drift(configure(IRIS), "--input", path, code=7)
    drift(configure(IRIS), "--input", path, "--min-rows", 10, code=DRIFTED)
    (tmp_path / "x.csv").write_text("x\n" + "1\n" * 60)
    said = drift(configure("models.DoubleModel"), "--input", tmp_path / "x.csv", model="double_model", code=7)
    assert "no artifacts/reference.json" in said


def test_a_file_and_the_log_exclude_each_other(configure, tmp_path):
    said = misuse(configure(IRIS), "drift", "iris_model", "--input", "a.csv", "--since", "2026-01-01")
    assert "give --input, or the log" in said
