"""The function of AWS Lambda, with events in the form that API Gateway and function URLs send, and its command."""

import base64
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import TESTS

from model_service.manager import ModelManager

ROOT = TESTS.parent
EVENTS = sorted(path.stem for path in (TESTS / "deploy/events").glob("*.json"))
CIRCRNA, IRIS = "/api/models/circrna_model/predict", "/api/models/iris_model/predict"
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def function() -> Iterator[Any]:
    """The module as Lambda loads it: from a file, with its configuration beside it."""
    spec = importlib.util.spec_from_file_location("lambda_handler", ROOT / "deploy/aws_lambda/handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    ModelManager().close()


def make_event(name: str, path: str, body: str | bytes = "", method: str = "POST", query: str = "", **headers: str):
    """Return a recorded event with another request in it."""
    event = json.loads((TESTS / f"deploy/events/{name}.json").read_text())
    raw = body.encode() if isinstance(body, str) else body
    event["isBase64Encoded"] = event["isBase64Encoded"] or isinstance(body, bytes)
    event["body"] = base64.b64encode(raw).decode() if event["isBase64Encoded"] else raw.decode()
    if event.get("version") == "2.0":
        event |= {"rawPath": path, "rawQueryString": query}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["headers"] |= headers
    else:
        event |= {"path": path, "httpMethod": method}
        for key, value in headers.items():
            recorded = next((each for each in event["headers"] if each.lower() == key), key)
            event["headers"][recorded], event["multiValueHeaders"][recorded] = value, [value]
    return event


def call(function: Any, *arguments: Any, **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Return status, document and headers of an answer."""
    answer = function.handler(make_event(*arguments, **headers), None)
    several = {name: values[-1] for name, values in answer.get("multiValueHeaders", {}).items()}
    found = {name.lower(): value for name, value in (answer.get("headers") or several).items()}
    raw = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
    return answer["statusCode"], json.loads(raw) if "json" in found["content-type"] else raw, found


@pytest.mark.parametrize("name", EVENTS)
def test_the_circrna_model_answers_as_it_does_without_lambda(function, name):
    client = function._app.test_client()
    payload = client.get("/api/models/circrna_model").json["examples"][0]
    status, document, headers = call(function, name, CIRCRNA, json.dumps(payload))
    assert (status, document) == (200, client.post(CIRCRNA, json=payload).json)
    assert headers["content-type"] == "application/json"
    assert headers["x-model-version"]
    assert "content-encoding" not in headers


@pytest.mark.parametrize("name", EVENTS)
def test_other_requests_travel_whole(function, name):
    assert call(function, name, IRIS, json.dumps([FLOWER, FLOWER]).encode())[0] == 200
    status, document, headers = call(function, name, IRIS, json.dumps({**FLOWER, "petal_width": "0.2"}))
    assert (status, document["errors"][0]["pointer"]) == (422, "/petal_width")
    assert headers["content-type"] == "application/problem+json"
    assert call(function, name, IRIS, "{")[0] == 400
    assert call(function, name, "/api/models/nope/predict", "{}")[0] == 404
    assert call(function, name, "/health/ready", "", "GET")[0] == 200
    csv = {"content-type": "text/csv", "accept": "text/csv"}
    table = ",".join(FLOWER) + "\n" + ",".join(map(str, FLOWER.values())) + "\n"
    assert b"setosa" in call(function, name, IRIS, table, **csv)[1]
    status, page, headers = call(function, name, "/", "", "GET", accept="text/html")
    assert (status, b"<html" in page, headers["content-type"]) == (200, True, "text/html; charset=utf-8")
    target = {"x-amzn-sagemaker-target-model": "iris_model"}
    assert call(function, name, "/invocations", json.dumps({"instances": [FLOWER]}), **target)[0] == 200


def test_an_event_without_headers_is_answered(function):
    """The console sends such events."""
    event = make_event("rest_api_1_0", "/health/live", "", "GET") | {"headers": None, "multiValueHeaders": None}
    assert function.handler(event, None)["statusCode"] == 200


def test_the_cold_start_is_measured_by_a_command():
    command = [sys.executable, "-m", "benchmarks.cold_start", "--starts", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == ["", "import", "models", "first answer", "cold start", "next answer"]
    assert all(float(row[1].split()[0]) >= 0 for row in rows[1:])


def test_the_configuration_of_the_function_lists_models_in_its_own_process():
    text = Path(ROOT / "deploy/aws_lambda/config.yaml").read_text()
    assert "circrna_model.CircRnaModel" in text
    assert "backend:" not in text
