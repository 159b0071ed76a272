"""Pages of other origins: by rule, on the wire in the loop and behind it, and under another server."""

import json

import httpx
import pytest
from fronts import FrontServer, read_answers, request_of
from serving import GunicornServer, Server

from model_service.config import InvocationsConfig, ServerConfig
from model_service.transports.http.cors import EXPOSED, CrossOrigin
from model_service.transports.http.docs import _HEADERS as DOCUMENTED

APP, OTHER = "https://app.example", "https://evil.example"
PREDICT = "/api/models/double_model/predict"
JSON = {"content-type": "application/json"}


def test_without_origins_nothing_is_added():
    cors = CrossOrigin(ServerConfig(), InvocationsConfig())
    assert not cors.is_on
    assert cors.write_lines(b"https://app.example") == b""
    assert cors.make_headers(APP) == []
    assert cors.answer_preflight("OPTIONS", PREDICT, APP, "POST") is None


@pytest.mark.parametrize(
    ("listed", "sent", "is_allowed"),
    [
        ("https://app.example", "https://app.example", True),
        ("HTTPS://App.Example:443", "https://app.example", True),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("http://localhost:80", "http://localhost", True),
        ("https://app.example", "http://app.example", False),
        ("https://app.example", "https://app.example:8443", False),
        ("https://app.example", "https://app.example.evil.example", False),
        ("https://app.example", "https://evil.example/https://app.example", False),
        ("https://app.example", "null", False),
        ("https://app.example", "https://APP.example", False),
        ("https://app.example", "*", False),
        ("*", "null", True),
        ("capacitor://localhost", "capacitor://localhost", True),
    ],
)
def test_an_origin_is_allowed_as_it_is_listed(listed, sent, is_allowed):
    cors = CrossOrigin(ServerConfig(cors_origins=(listed,)), InvocationsConfig())
    headers = dict(cors.make_headers(sent))
    assert ("Access-Control-Allow-Origin" in headers) == is_allowed
    assert ("Vary" in headers) == (listed != "*")
    preflight = cors.answer_preflight("OPTIONS", PREDICT, sent, "POST")
    assert (preflight is not None) == is_allowed


def test_every_header_that_an_answer_may_have_is_exposed():
    assert set(DOCUMENTED) <= set(EXPOSED)
    assert {"Location", "X-Job-State", "Content-Range", "Content-Disposition", "Accept-Ranges"} <= set(EXPOSED)
    assert {"Inference-Header-Content-Length", "X-Amzn-Invoked-Production-Variant"} <= set(EXPOSED)


@pytest.mark.parametrize(
    ("path", "is_covered"),
    [
        ("/api/", True),
        ("/invocations", True),
        ("/v1/endpoints/1:predict", True),
        ("/v1/endpoints/1:predict/", True),
        ("/v1/endpoints/1", True),
        ("/v1/endpoints/1:other", False),
        ("/models/double_model/invoke", True),
        ("/models/double_model/invoke/", True),
        ("/models/double_model/predict", False),
        ("/models/invoke", False),
        ("/models/a/b/invoke", False),
        ("/predict", False),
    ],
)
def test_the_paths_that_a_platform_calls_are_for_other_origins(path, is_covered):
    routes = InvocationsConfig(predict_route="/v1/endpoints/1:predict", health_route="/v1/endpoints/1")
    cors = CrossOrigin(ServerConfig(cors_origins=(APP,)), routes)
    assert cors.covers(path) == is_covered
    assert (cors.answer_preflight("OPTIONS", path, APP, "POST") is not None) == is_covered


# --- on the wire ------------------------------------------------------------------------------------------------------


@pytest.fixture  # of each test: there is one `ModelManager`, and some tests start other servers
def front():
    running = FrontServer("models.DoubleModel", "models.RaisingModel", cors_origins=(APP,))
    yield running
    running.stop()


def test_an_answer_from_the_loop_carries_the_header_and_no_thread_is_taken(front):
    before = front.flask_requests
    with front.connect() as connection:
        connection.sendall(
            request_of(b'{"x": 1}', Origin=APP)
            + request_of(b'{"x": 1}', Origin=OTHER)
            + request_of(b'{"x": 1}')
            + request_of(b'{"x": 1}', Origin=APP, Connection="close")
        )
        answers = read_answers(connection, 4)
    assert front.flask_requests == before
    assert [status for status, _, _ in answers] == [200] * 4
    assert [headers.get("access-control-allow-origin") for _, headers, _ in answers] == [APP, None, None, APP]
    assert {headers["vary"] for _, headers, _ in answers} == {"Origin"}
    exposed = answers[0][1]["access-control-expose-headers"].split(", ")
    assert {"X-Request-ID", "X-Model-Version", "Retry-After"} <= set(exposed)
    assert "access-control-allow-credentials" not in answers[0][1]
    assert answers[3][1]["connection"] == "close"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", PREDICT, b'{"x": "1"}', 422),
        ("POST", PREDICT, b"{", 400),
        ("POST", "/api/models/raising_model/predict", b'{"x": -1}', 500),
        ("POST", "/api/models/nobody/predict", b"{}", 404),
        ("GET", PREDICT, None, 405),
        ("GET", "/api/models", None, 200),
        ("GET", "/api/models/double_model/metadata", None, 200),
        ("GET", "/openapi.json", None, 200),
        ("GET", "/openapi.yaml", None, 200),
        ("GET", "/health/live", None, 200),
        ("GET", "/v2", None, 200),
        ("GET", "/v2/models/double_model", None, 200),
        ("POST", "/v1/models/double_model:predict", b'{"instances": [{"x": 1}]}', 200),
        ("POST", "/invocations", b'{"instances": 5}', 404),
        ("GET", "/invocations", None, 405),
        ("GET", "/ping", None, 200),
        ("GET", "/version", None, 200),
        ("GET", "/execution-parameters", None, 200),
        ("GET", "/health/ready", None, 200),
    ],
)
def test_whatever_the_answer_is_a_page_that_may_call_gets_to_read_it(front, method, path, body, status):
    found, headers, _ = front.ask(method, path, body, Origin=APP, Content_Type="application/json")
    assert found == status
    assert headers["access-control-allow-origin"] == APP
    assert "Origin" in headers["vary"]
    found, headers, _ = front.ask(method, path, body, Origin=OTHER, Content_Type="application/json")
    assert found == status
    assert "access-control-allow-origin" not in headers
    assert "Origin" in headers["vary"]


def test_a_document_that_has_not_changed_may_be_read_too(front):
    tag = front.ask("GET", "/openapi.json", Origin=APP)[1]["etag"]
    status, headers, _ = front.ask("GET", "/openapi.json", Origin=APP, If_None_Match=tag)
    assert (status, headers["access-control-allow-origin"]) == (304, APP)


@pytest.mark.parametrize("path", ["/", "/docs", "/models/double_model/predict", "/nothing"])
def test_pages_are_not_for_others(front, path):
    assert "access-control-allow-origin" not in front.ask("GET", path, Origin=APP)[1]
    asked = {"Origin": APP, "Access_Control_Request_Method": "GET"}
    assert "access-control-allow-origin" not in front.ask("OPTIONS", path, **asked)[1]


@pytest.mark.parametrize(
    "path", [PREDICT, "/api/models/double_model/jobs", "/api/jobs/1", "/openapi.json", "/v2", "/invocations"]
)
def test_a_preflight_is_answered_in_the_loop(front, path):
    before, lines = front.flask_requests, len(front.log.lines)
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type,prefer"}
    status, headers, body = front.ask("OPTIONS", path, Origin=APP, **asked)
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == APP
    assert headers["vary"] == "Origin"
    assert headers["access-control-allow-methods"] == "GET, HEAD, POST, DELETE"
    allowed = headers["access-control-allow-headers"].lower().split(", ")
    assert {"content-type", "prefer", "idempotency-key", "x-request-id", "range"} <= set(allowed)
    assert "inference-header-content-length" in allowed
    assert headers["access-control-max-age"] == "600"
    assert headers["x-request-id"]
    assert front.flask_requests == before
    assert front.log.lines[lines:] == [("OPTIONS", path, 204, None, None)]
    status, headers, _ = front.ask("OPTIONS", path, Origin=OTHER, **asked)
    assert status != 204
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "Origin" in headers["vary"]


def test_a_preflight_for_another_host_is_421(front):
    asked = {"Access_Control_Request_Method": "POST", "Host": "evil.example"}
    assert front.ask("OPTIONS", PREDICT, Origin=APP, **asked)[0] == 421


def test_a_refusal_for_want_of_room_may_be_read(front):
    with front.connect() as connection:
        connection.sendall(request_of(b"", PREDICT, Origin=APP, Content_Length=str(10**9)))
        status, headers, _ = read_answers(connection, 1)[0]
    assert (status, headers["access-control-allow-origin"]) == (413, APP)


def test_a_full_queue_tells_a_page_when_to_come_back():
    full = FrontServer("models.DoubleModel", cors_origins=(APP,), max_pending_bytes=1, max_body_bytes=100_000)
    try:
        with full.connect() as connection:
            connection.sendall(request_of(b" " * 50_000 + b'{"x": 1}', Origin=APP))
            status, headers, raw = read_answers(connection, 1)[0]
    finally:
        full.stop()
    assert (status, json.loads(raw)["code"]) == (503, "server_busy")
    assert headers["access-control-allow-origin"] == APP
    assert headers["retry-after"]


def test_every_origin_gets_the_same_answer_where_all_are_allowed():
    front = FrontServer("models.DoubleModel", cors_origins=("*",))
    try:
        for origin in (APP, "null", None):
            sent = {} if origin is None else {"Origin": origin}
            for path, body in ((PREDICT, b'{"x": 1}'), (PREDICT, b"{"), ("/health/live", None)):
                headers = front.ask("POST" if body else "GET", path, body, Content_Type="application/json", **sent)[1]
                assert headers["access-control-allow-origin"] == "*"
                assert "Origin" not in headers.get("vary", "")
                assert "access-control-allow-credentials" not in headers
    finally:
        front.stop()


def test_without_origins_no_answer_mentions_them():
    front = FrontServer("models.DoubleModel")
    try:
        asked = {"Origin": APP, "Access_Control_Request_Method": "POST", "Content_Type": "application/json"}
        for method, body in (("POST", b'{"x": 1}'), ("POST", b"{"), ("OPTIONS", None), ("GET", None)):
            headers = front.ask(method, PREDICT, body, **asked)[1]
            assert not [name for name in headers if name.startswith("access-control-")]
            assert "Origin" not in headers.get("vary", "")
    finally:
        front.stop()


@pytest.mark.parametrize("kind", [Server, GunicornServer], ids=["serve", "gunicorn"])
def test_credentials_and_jobs_are_for_listed_origins_under_any_server(tmp_path, kind):
    config = f"server: {{cors_origins: ['{APP}'], cors_credentials: true}}\nmodels: [class: models.DoubleModel]\n"
    config += "invocations: {predict_route: /predict/here, health_route: /health/here}\n"
    server = kind(config, tmp_path).wait_until_ready()
    try:
        with httpx.Client(base_url=server.url, headers={"origin": APP}, timeout=60) as client:
            asked = client.options(PREDICT, headers={"access-control-request-method": "POST"})
            assert (asked.status_code, asked.headers["access-control-allow-credentials"]) == (204, "true")
            for path in ("/predict/here", "/models/double_model/invoke"):
                asked = client.options(path, headers={"access-control-request-method": "POST"})
                assert (asked.status_code, client.get("/health/here").status_code) == (204, 200)
                assert "x-amzn-sagemaker-target-model" in asked.headers["access-control-allow-headers"].lower()
                assert client.post(path, json={"x": 1}).headers.get_list("access-control-allow-origin") == [APP]
                assert client.post(path, json={}).headers.get_list("access-control-allow-origin") == [APP]
            assert client.get("/health/here").headers.get_list("access-control-allow-origin") == [APP]
            answer = client.post(PREDICT, json={"x": 1})
            assert answer.headers["access-control-allow-origin"] == APP
            assert answer.headers["access-control-allow-credentials"] == "true"
            if kind is GunicornServer:
                return
            made = client.post("/api/models/double_model/jobs", content=b"x\n1\n", headers={"content-type": "text/csv"})
            assert made.status_code == 202
            links = made.json()["links"]
            with client.stream("GET", links["events"]) as events:
                assert events.headers["content-type"] == "text/event-stream"
                assert "succeeded" in "".join(events.iter_text())
            output = client.get(links["output"], headers={"range": "bytes=0-0"})
            assert output.status_code == 206
            for each in (made, events, output, client.get(links["self"]), client.get("/api/jobs/none/events")):
                assert each.headers["access-control-allow-origin"] == APP
                assert "Location" in each.headers["access-control-expose-headers"]
                assert each.headers.get_list("access-control-allow-origin") == [APP]
    finally:
        server.stop()
