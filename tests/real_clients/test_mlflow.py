"""MLflow's own scoring client, in its own environment, against each model that ships."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from configurations import SHIPPED
from serving import TESTS, Server, starting

import model_service
from model_service.schema.difference import find_difference

PYTHON = TESTS.parent / ".clients/mlflow/bin/python"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="there is no environment of it; `make clients` makes one"
)


def call(*calls: tuple[Server, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what became of each call of a server."""
    done = subprocess.run(
        [PYTHON, TESTS / "real_clients/with_mlflow.py"],
        input="".join(f"{json.dumps({'port': server.port, **each})}\n" for server, each in calls),
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each.pop("version") for each in answers} == {model_service.__version__}
    return answers


def test_mlflows_client_gets_the_answers_of_the_native_route(temporary: Path):
    calls, expected = [], []
    with starting(temporary) as start:
        for class_path in SHIPPED:
            server = start(f"models: [{{class: {class_path}}}]")
            (model,) = httpx.get(f"{server.url}/api/models").json()["models"]
            address = f"{server.url}/api/models/{model['qualified_name']}"
            # A frame has one kind of value per column: what only some rows have is missing in the others.
            rows = httpx.get(address).json()["examples"]
            calls += [(server, {"kind": "frame", "rows": rows[:1]}), (server, {"kind": "list", "rows": rows})]
            expected += [
                [httpx.post(f"{address}/predict", json=rows[0], timeout=60).json()],
                httpx.post(f"{address}/predict", json=rows, timeout=60).json(),
            ]
        answers = [answer["predictions"] for answer in call(*calls)]
    # Rows that ran in other batches may differ in their last bits.
    assert find_difference(answers, expected, tolerance=1e-6) == ""


def test_missing_values_matrices_and_errors(temporary: Path):
    rows = [{"a": 1, "b": None, "note": None, "day": "2026-01-31"}, {"a": 2, "b": 0.5, "note": "n", "day": None}]
    told = [
        {"total": 1, "told": "day=2026-01-31", "is_large": False},
        {"total": 2.5, "told": "note=n", "is_large": False},
    ]
    with starting(temporary) as start:
        server = start("models: [{class: platform_models.TableModel}]")
        frame, matrix, wrong, parameters = call(
            (server, {"kind": "frame", "rows": rows}),
            (server, {"kind": "matrix", "rows": [[1, 2, 3, 4]]}),
            (server, {"kind": "frame", "rows": [{"a": "much"}]}),
            (server, {"kind": "frame", "rows": rows, "params": {"top": 1}}),
        )
    assert frame == {"predictions": told}
    assert "error code 422" in matrix["error"]  # numbers where the schema wants texts
    for refused, status, code in ((wrong, 422, "INVALID_PARAMETER_VALUE"), (parameters, 400, "MALFORMED_REQUEST")):
        assert f"error code {status}" in refused["error"]
        assert code in refused["error"]
