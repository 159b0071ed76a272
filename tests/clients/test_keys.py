"""The client and a service that asks for keys, and the command that scores on one."""

import asyncio
import json
import os
import subprocess
import sys

import httpx
import pytest
from serving import TESTS, Server

from model_service.access.key_file import KeyFile
from model_service_client import AsyncModelServiceClient, ModelServiceClient
from model_service_client.errors import Forbidden, Unauthenticated


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    key = KeyFile(folder / "keys.json").add("ada", ["predict:double_model"], expires=None, by="me")[1]
    config = "access: {keys_file: keys.json}\nmodels: [{class: models.DoubleModel}, {class: models.EchoModel}]\n"
    server = Server(config, folder).wait_until_ready()
    yield server.url, key
    assert server.stop() == 0


def test_a_client_with_a_key_is_let_in_and_one_without_is_told(locked):
    url, key = locked
    with ModelServiceClient(url, api_key=key, headers={"X-Other": "1"}) as client:
        assert client.model("double_model").predict(x=2) == {"y": 4}
        with pytest.raises(Forbidden, match="predict:echo_model"):
            client.model("echo_model").predict(x=2)
    for options in ({}, {"api_key": "ms_wrong"}):
        with ModelServiceClient(url, **options) as client, pytest.raises(Unauthenticated):
            client.models()
    with httpx.Client() as http, ModelServiceClient(url, api_key=key, http=http) as client:
        assert client.model("double_model").predict(x=2) == {"y": 4}


def test_the_twin_for_event_loops_has_a_key_as_well(locked):
    url, key = locked

    async def ask():
        async with AsyncModelServiceClient(url, api_key=key) as client:
            return await client.model("double_model").predict(x=3)

    assert asyncio.run(ask()) == {"y": 6}


def test_score_takes_its_key_from_the_environment(locked, tmp_path):
    url, key = locked
    (tmp_path / "rows.csv").write_text("x\n1\n2\n")

    def score(**environment):
        command = [
            sys.executable,
            "-m",
            "model_service",
            "score",
            "double_model",
            "--input",
            "rows.csv",
            "--output",
            "out.ndjson",
        ]
        environment = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{TESTS.parent}", **environment}
        return subprocess.run([*command, "--url", url], cwd=tmp_path, env=environment, capture_output=True, text=True)

    refused = score()
    assert refused.returncode == 5
    assert "MODEL_SERVICE_API_KEY" in refused.stderr
    assert score(MODEL_SERVICE_API_KEY=key).returncode == 0
    assert [json.loads(line)["y"] for line in (tmp_path / "out.ndjson").read_text().splitlines()] == [2, 4]
