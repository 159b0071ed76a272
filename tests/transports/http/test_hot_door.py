"""The hot door and Flask alone: the same answer to everything, and nothing predicted twice."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from configurations import make_config
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from models import CountingModel

from model_service.config import LoggingConfig, ServerConfig
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.transports.http.app import build_app
from model_service.transports.http.hot_door import HotDoor
from model_service.wiring import build_manager

MODELS = (
    "models.DoubleModel",
    "models:DoubleModelTwo",
    "models.EchoModel",
    "models.FussyModel",
    "models.RaisingModel",
    "models.WrongOutputModel",
    "models.UnloadableModel",
    "models.CountingModel",
)
MAX_BODY_BYTES, MAX_ROWS = 2000, 5


@pytest.fixture(scope="module")
def doors() -> Iterator[tuple[Flask, Flask, list[tuple[Any, ...]]]]:
    """Two applications over the same models, the second without the hot door, and what they log."""
    config = make_config(*MODELS, max_body_bytes=MAX_BODY_BYTES, max_request_rows=MAX_ROWS)
    manager = build_manager(config)
    lines: list[tuple[Any, ...]] = []
    yield build(manager, config.server, lines), build(manager, replace(config.server, hot_door=False), lines), lines
    manager.close()


def build(manager: ModelManager, config: ServerConfig, lines: list[tuple[Any, ...]]) -> Flask:
    class Lines(RequestLog):
        def write(self, *fields):
            lines.append(fields[:-1])  # without the duration

    service = PredictionService(manager, max_rows=config.max_request_rows)
    return build_app(manager, service, config, Lines(LoggingConfig()))


NAMES = st.sampled_from(
    [
        *("double_model", "double_model/versions/1.0.0", "echo_model", "fussy_model", "raising_model"),
        *("wrong_output_model", "unloadable_model", "nobody", "", "a/b", "double%5Fmodel", "\u00e9"),
    ]
)
NUMBERS = st.integers(-3, 200) | st.sampled_from([1.5, 1e16, 2**64, -(2**70), 1e-7, -0.0]) | st.just("x")
PAYLOADS = st.fixed_dictionaries({"x": NUMBERS}) | st.dictionaries(st.sampled_from(["x", "text"]), NUMBERS | st.none())
TEXTS = st.sampled_from(
    [
        *("", " ", "{", "[]", "[{}]", "null", "7", '"x"', "{}", '{"x":1} ', '{"text":"a:b"}', '{"x":1,"x":2}'),
        *('{"x":NaN}', '{"x":1e999}', '{"x": 18446744073709551616}', '{"text":"\\ud800"}', '\ufeff{"x":1}'),
        *("[" * 70 + "]" * 70, '{"text":"' + "y" * 3000 + '"}'),
    ]
)
BODIES = (
    (PAYLOADS | st.lists(PAYLOADS, max_size=7)).map(json.dumps).map(str.encode)
    | TEXTS.map(str.encode)
    | st.binary(max_size=6)
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "application/json", "text/html", "application/json, */*", "image/png", ""]),
        "Content-Encoding": st.sampled_from(["identity", "gzip", ""]),
        "X-Request-ID": st.sampled_from(["id-1", "", "bad\x7f", "x" * 200]),
    },
)
TYPES = st.sampled_from(
    ["application/json"] * 5
    + ["application/json; charset=utf-8", "application/json;charset=latin-1", "text/plain", None]
)
METHODS = st.sampled_from(["POST"] * 8 + ["GET", "PUT", "HEAD", "OPTIONS"])


@settings(deadline=None, max_examples=600)
@given(NAMES, BODIES, HEADERS, TYPES, METHODS)
def test_both_doors_answer_and_log_alike(doors, name, body, headers, content_type, method):
    hot, flask, lines = doors
    lines.clear()
    answers = []
    for app in (hot, flask):
        response = app.test_client().open(
            f"/api/models/{name}/predict", method=method, data=body, headers=headers, content_type=content_type
        )
        answers.append((response.status_code, stable(response.headers), stable_body(response.data)))
    assert answers[0] == answers[1]
    assert len(lines) == 2
    assert lines[0] == lines[1]


def stable(headers: Any) -> dict[str, str]:
    """Return headers without what differs from request to request; a new request id only by its length."""
    fields = {name: value for name, value in headers.items() if name not in ("X-Request-ID", "Content-Length")}
    request_id = headers["X-Request-ID"]
    return {**fields, "X-Request-ID": request_id if len(request_id) < 32 else str(len(request_id))}


def stable_body(raw: bytes) -> Any:
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    if isinstance(document, dict):
        document.pop("request_id", None)
    return document


def test_the_happy_end_never_reaches_flask(doors):
    hot, _, _ = doors
    assert isinstance(hot.wsgi_app, HotDoor)
    reached = []
    door = HotDoor(lambda environ, start: reached.append(environ) or [], *door_arguments(hot.wsgi_app))
    for body, expected in ((b'{"x": 1}', 0), (b'[{"x": 1}, {"x": 2}]', 0), (b'{"x": "1"}', 1)):
        reached.clear()
        list(door(environ_of(body), lambda status, headers: None))
        assert len(reached) == expected


def test_a_failing_prediction_runs_once(doors):
    hot, _, _ = doors
    for body, status, runs in ((b'{"x": 1}', 200, 1), (b'{"x": -1}', 500, 1), (b'{"x": "1"}', 422, 0)):
        before = CountingModel.count
        response = hot.test_client().post(
            "/api/models/counting_model/predict", data=body, content_type="application/json"
        )
        assert (response.status_code, CountingModel.count - before) == (status, runs)


def test_a_body_that_is_cut_off_is_no_prediction(doors):
    hot, _, _ = doors
    answered = []
    environ = environ_of(b'{"x": 1}', CONTENT_LENGTH="20")
    list(hot(environ, lambda status, headers, exc=None: answered.append(status)))
    assert answered[0].startswith("400")


def test_an_unexpected_failure_is_one_problem_document(doors, caplog):
    hot, _, _ = doors
    door = hot.wsgi_app

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    original, door._service = door._service, type("Broken", (), {"predict": fail, "predict_many": fail})()
    try:
        response = hot.test_client().post("/api/models/double_model/predict", json={"x": 1})
    finally:
        door._service = original
    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert b"secret" not in response.data
    assert "RuntimeError: secret" in caplog.text


def door_arguments(door: HotDoor) -> tuple[Any, ...]:
    return door._manager, door._service, door._log, ServerConfig()


def environ_of(body: bytes, **changes: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/api/models/double_model/predict",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": io.StringIO(),
        "wsgi.input": io.BytesIO(body),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **changes,
    }
