"""Limits on the wire, and keys under another server."""

import json

import pytest
from configurations import make_config
from fronts import FrontServer, read_answers, request_of, wait_until

from model_service.access.key_file import KeyFile
from model_service.config import AccessConfig
from model_service.service import Service

PREDICT = "/api/models/double_model/predict"
JSON = {"Content_Type": "application/json"}


@pytest.fixture
def limited():
    running = FrontServer("models.DoubleModel", access=AccessConfig(limit_per_address="5/hour"))
    yield running
    running.stop()


def test_too_many_requests_are_429_on_every_way_and_health_is_not(limited):
    first = [limited.ask("POST", PREDICT, b'{"x": 1}', **JSON)[0] for _ in range(3)]
    second = [limited.ask("GET", "/api/models")[0] for _ in range(2)]
    assert first + second == [200] * 5
    for method, path in (("POST", PREDICT), ("GET", "/api/models"), ("GET", "/")):
        status, headers, body = limited.ask(method, path, b'{"x": 1}', **JSON)
        assert (status, headers["retry-after"], json.loads(body)["code"]) == (429, "720", "rate_limited")
    assert limited.ask("GET", "/health/live")[0] == 200


def test_pipelined_requests_over_a_limit_are_answered_in_order(limited):
    with limited.connect() as connection:
        connection.sendall(request_of(b'{"x": 1}') * 8)
        assert [status for status, _, _ in read_answers(connection, 8)] == [200] * 5 + [429] * 3


def test_the_application_keeps_itself_under_another_server(tmp_path, manager):
    file = KeyFile(tmp_path / "keys.json")
    key = file.add("ada", ["predict:double_model"], expires=None, by="me")[1]
    config = make_config("models.DoubleModel", "models.EchoModel", access=AccessConfig(keys_file=file.path))
    client = Service(config).start().app.test_client()
    assert client.get("/health/live").status_code == 200
    for headers in ({}, {"X-API-Key": "wrong"}):
        answer = client.post(PREDICT, json={"x": 1}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    # What another server of ASGI puts there says nothing.
    scope = {"state": {}}
    assert client.post(PREDICT, json={"x": 1}, environ_overrides={"asgi.scope": scope}).status_code == 401
    headers = {"X-API-Key": key}
    assert client.post(PREDICT, json={"x": 1}, headers=headers).json == {"y": 2}
    assert client.post("/api/models/echo_model/predict", json={"x": 1}, headers=headers).status_code == 403
    assert client.delete("/models/x", headers=headers).status_code == 403
    file.revoke("ada", by="me")
    wait_until(lambda: client.get("/api/models", headers=headers).status_code == 401, 5)


def test_a_service_without_keys_asks_for_none(make_client):
    client = make_client("models.DoubleModel")
    assert client.get("/sign-in").status_code == 404
    assert client.post(PREDICT, json={"x": 1}, headers={"X-API-Key": "whatever"}).status_code == 200


def test_a_page_of_an_allowed_origin_may_send_a_key_and_reads_its_refusal():
    origin = "https://app.example"
    running = FrontServer(
        "models.DoubleModel",
        access=AccessConfig(limit_per_address="3/hour"),
        cors_origins=(origin,),
    )
    try:
        preflight = {
            "Origin": origin,
            "Access_Control_Request_Method": "POST",
            "Access_Control_Request_Headers": "x-api-key",
        }
        for _ in range(6):  # which is not counted
            status, headers, _ = running.ask("OPTIONS", PREDICT, **preflight)
            assert status == 204
        assert "X-API-Key" in headers["access-control-allow-headers"]
        answers = [running.ask("POST", PREDICT, b'{"x": 1}', Origin=origin, **JSON) for _ in range(5)]
        assert [status for status, _, _ in answers] == [200] * 3 + [429] * 2
        answers.append(running.ask("GET", "/api/models", Origin=origin))
        assert all(headers["access-control-allow-origin"] == origin for _, headers, _ in answers)
        assert answers[-1][0] == 429
    finally:
        running.stop()
