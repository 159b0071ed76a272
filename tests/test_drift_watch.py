"""Drift as figures of a running service: what was logged is held against training, and whoever scrapes sees it."""

import random
import signal

import httpx
import pytest
from scraping import scrape, wait_for
from serving import starting
from sklearn.datasets import load_iris

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CONFIG = """
prediction_log: {{folder: {folder}, flush_s: 0.05, drift_every_s: 0.2}}
models: [{{class: iris_model.IrisModel, prediction_log: {{sample: {sample}}}}}]
"""


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start_server:
        yield start_server


def predict(server, *, offset):
    flowers = random.Random(5).sample(load_iris(return_X_y=True)[0].tolist(), 80)
    payloads = [dict(zip(NAMES, [1.3 * a + offset, b, c + offset, d], strict=True)) for a, b, c, d in flowers]
    httpx.post(f"{server.url}/api/models/iris_model/predict", json=payloads, timeout=60).raise_for_status()


def test_a_scrape_says_that_the_flowers_have_grown(start, tmp_path):
    server = start(CONFIG.format(folder=tmp_path / "log", sample=1.0))
    names = {"model": "iris_model", "version": "1.0.0"}
    predict(server, offset=1.0)
    found = wait_for(server.url, lambda found: found.total("drifted_fields", **names) > 0)
    assert found.total("drift_rows", **names) == 80
    assert found.total("drift_psi", place="input", field="petal_length", **names) > 0.25
    assert found.total("drift_psi", place="input", field="petal_width", **names) < 0.25

    # A model that is no longer logged is no longer told of: an alert must not go on for ever.
    (tmp_path / "config.yaml").write_text(CONFIG.format(folder=tmp_path / "log", sample=0.0))
    server.process.send_signal(signal.SIGHUP)
    wait_for(server.url, lambda found: not found.has("drifted_fields", **names))


def test_what_cannot_be_compared_is_said_once_and_is_no_figure(start, tmp_path):
    server = start(CONFIG.format(folder=tmp_path / "log", sample=1.0))
    (tmp_path / "config.yaml").write_text("models: [{class: ")
    server.wait_for_log("could not be compared")
    predict(server, offset=0.0)
    assert not scrape(server.url).has("drifted_fields")
    assert server.log.read_text().count("iris_model 1.0.0 could not be compared with its training") == 1
