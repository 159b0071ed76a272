"""The short way of a plain predict and Flask's: the same answer to everything, in order; nothing runs twice."""

import gzip
import inspect
import json
from typing import Any
from urllib.parse import quote

import front_models
import pytest
from fronts import FrontServer, read_answers, request_of
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from model_service.transports.http.plain import PlainRequest
from model_service.transports.http.protocol import MAX_HEAD_BYTES, MAX_HEADERS

MODELS = (
    "models.DoubleModel",
    "models:DoubleModelTwo",
    "models.EchoModel",
    "models.FussyModel",
    "models.RaisingModel",
    "models.WrongOutputModel",
    "models.UnloadableModel",
    "front_models.CountingModel",
)
MAX_BODY_BYTES, MAX_ROWS = 40_000, 5


@pytest.fixture(scope="module")
def front():
    running = FrontServer(*MODELS, max_body_bytes=MAX_BODY_BYTES, max_request_rows=MAX_ROWS)
    yield running
    running.stop()


NAMES = st.sampled_from(
    [
        *("double_model", "double_model/versions/1.0.0", "double_model/versions/1.0", "double_model/versions/9"),
        *("double_model/versions/x", "double_model/versions/", "echo_model", "fussy_model", "raising_model"),
        *("wrong_output_model", "unloadable_model", "nobody", "", "a/b", "double%5Fmodel", "\u00e9"),
    ]
)
NUMBERS = st.integers(-3, 200) | st.sampled_from([1.5, 1e16, 2**64, -(2**70), 1e-7, -0.0]) | st.just("x")
PAYLOADS = st.fixed_dictionaries({"x": NUMBERS}) | st.dictionaries(st.sampled_from(["x", "text"]), NUMBERS | st.none())
TEXTS = st.sampled_from(
    [
        *("", " ", "{", "[]", "[{}]", "null", "7", '"x"', "{}", '{"x":1} ', '{"text":"a:b"}', '{"x":1,"x":2}'),
        *('{"x":NaN}', '{"x":1e999}', '{"x": 18446744073709551616}', '{"text":"\\ud800"}', '\ufeff{"x":1}'),
        *("[" * 70 + "]" * 70, '{"text":"' + "y" * 36_000 + '"}', '{"text":"' + "y" * 45_000 + '"}'),
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
        "Accept": st.sampled_from(
            ["*/*", "application/json", "text/html", "application/json, */*", "image/png", "", "*/*; q=.2"]
        ),
        "Content-Encoding": st.sampled_from(["identity", "gzip", ""]),
        "X-Request-ID": st.sampled_from(["id-1", "", "bad\x7f", "x" * 200]),
        "Expect": st.sampled_from(["100-continue", "something"]),
    },
)
TYPES = st.sampled_from(
    ["application/json"] * 5
    + ["application/json; charset=utf-8", "application/json;charset=latin-1", "text/plain", None]
)
METHODS = st.sampled_from(["POST"] * 8 + ["GET", "PUT", "HEAD", "OPTIONS"])


@settings(deadline=None, max_examples=600)
@given(NAMES, BODIES, HEADERS, TYPES, METHODS)
def test_both_ways_answer_and_log_alike(front, name, body, headers, content_type, method):
    path = quote(f"/api/models/{name}/predict", safe="/%")
    front.log.lines.clear()
    alone = front.app.test_client().open(path, method=method, data=body, headers=headers, content_type=content_type)
    given_type = {} if content_type is None else {"Content-Type": content_type}
    status, found, raw = front.ask(method, path, body, **headers, **given_type)
    if "X-Request-ID" in headers and headers["X-Request-ID"].startswith("bad"):
        assert status == 400  # HTTP itself forbids it
        return
    assert (status, stable(found), stable_body(raw)) == (
        alone.status_code,
        stable({name.lower(): value for name, value in alone.headers.items()}),
        stable_body(alone.data),
    )
    assert len(front.log.lines) == 2
    assert front.log.lines[0] == front.log.lines[1]


def stable(headers: dict[str, str]) -> dict[str, str]:
    """Return headers without what differs from request to request; a new request id only by its length."""
    changing = ("x-request-id", "content-length", "date", "connection")
    request_id = headers["x-request-id"]
    fields = {name: value for name, value in headers.items() if name not in changing}
    return {**fields, "x-request-id": request_id if len(request_id) < 32 else str(len(request_id))}


def stable_body(raw: bytes) -> Any:
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    if isinstance(document, dict):
        document.pop("request_id", None)
    return document


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"x": 1}', 0), (b'[{"x": 1}, {"x": 2}]', 0), (b'{"x": 1}' + b" " * 39_000, 0), (b'{"x": "1"}', 1)],
    ids=["one", "many", "large", "invalid"],
)
def test_the_happy_end_never_reaches_flask(front, body, expected):
    before = front.flask_requests
    status, _, _ = front.ask("POST", "/api/models/double_model/predict", body, content_type="application/json")
    assert (status, front.flask_requests - before) == (422 if expected else 200, expected)


def test_a_compressed_body_is_inflated_outside_the_loop(front):
    before = front.flask_requests
    bomb = gzip.compress(bytes(30_000_000))
    assert len(bomb) < MAX_BODY_BYTES
    for body, expected in ((gzip.compress(b'{"x": 21}'), 200), (bomb, 413)):
        headers = {"content_type": "application/json", "content_encoding": "gzip"}
        assert front.ask("POST", "/api/models/double_model/predict", body, **headers)[0] == expected
    assert front.flask_requests == before + 2


def test_health_never_reaches_flask(front):
    before = front.flask_requests
    for path in ("/health/live", "/health/ready"):
        status, headers, raw = front.ask("GET", path)
        alone = front.app.test_client().get(path)
        assert (status, json.loads(raw)) == (alone.status_code, alone.json)
        assert headers["content-type"] == "application/json"
        assert front.ask("HEAD", path)[2] == b""
    assert front.flask_requests == before


@pytest.mark.parametrize(
    ("body", "status", "runs"), [(b'{"x": 71}', 200, 1), (b'{"x": -72}', 500, 1), (b'{"x": "73"}', 422, 0)]
)
def test_nothing_is_predicted_twice(front, body, status, runs):
    x = json.loads(body)["x"]
    answer = front.ask("POST", "/api/models/counting_model/predict", body, content_type="application/json")
    assert (answer[0], front_models.CountingModel.counts[x]) == (status, runs)


@pytest.mark.parametrize("declared", [20, 500])
def test_a_body_that_is_cut_off_is_no_prediction(front, declared):
    with front.connect() as connection:
        body = b'{"x": 74}'
        path = "/api/models/counting_model/predict"
        connection.sendall(request_of(body, path, Content_Length=str(declared)))
        connection.shutdown(1)
        assert connection.recv(1000) == b""
    assert front_models.CountingModel.counts[74] == 0


def test_a_chunked_body_is_plain_too(front):
    before = front.flask_requests
    with front.connect() as connection:
        head = request_of(b"", Content_Length=None, Transfer_Encoding="chunked")
        connection.sendall(head + b'4\r\n{"x"\r\n4\r\n: 1}\r\n0\r\n\r\n')
        assert [json.loads(raw) for _, _, raw in read_answers(connection, 1)] == [{"y": 2.5}]
    assert front.flask_requests == before


def test_a_caller_that_expects_to_be_asked_is_asked_at_once(front):
    with front.connect() as connection:
        request = request_of(b'{"x": 1}', Expect="100-continue")
        connection.sendall(request[:-8])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(request[-8:])
        assert read_answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize("how", ["stated", "chunked"])
def test_a_body_that_is_too_large_is_read_on_so_that_the_answer_arrives(front, how):
    """Clients of the standard library send everything before they read: an end in the middle would break their pipe."""
    size = 20 * MAX_BODY_BYTES
    with front.connect() as connection:
        if how == "stated":
            connection.sendall(request_of(b" " * size))
        else:
            chunk = b"%x\r\n%b\r\n" % (size, b" " * size)
            connection.sendall(request_of(b"", Content_Length=None, Transfer_Encoding="chunked") + chunk + b"0\r\n\r\n")
        connection.sendall(request_of(b'{"x": 1}'))
        assert [answer[0] for answer in read_answers(connection, 2)] == [413, 200]


# Pipelines

KINDS = {
    "plain": (request_of(b'{"x": 1}'), 200),
    "large": (request_of(b'{"x": 1}' + b" " * 39_000), 200),
    "many": (request_of(b'[{"x": 1}, {"x": 2}]'), 200),
    "invalid": (request_of(b'{"x": "1"}'), 422),
    "broken": (request_of(b"{{{"), 400),
    "failing": (request_of(b'{"x": -1}', "/api/models/raising_model/predict"), 500),
    "unknown": (request_of(b"{}", "/api/models/nobody/predict"), 404),
    "text": (request_of(b"some text", Content_Type="text/plain"), 415),
    "chunked": (
        request_of(b"", Content_Length=None, Transfer_Encoding="chunked") + b'8\r\n{"x": 1}\r\n0\r\n\r\n',
        200,
    ),
    "too large": (request_of(b" " * (MAX_BODY_BYTES + 1)), 413),
    "health": (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    "list": (b"GET /api/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    "missing": (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
}


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12), st.integers(1, 5000))
def test_pipelined_requests_are_answered_in_order(front, names, cut):
    sent = b""
    for number, name in enumerate(names):
        head, _, rest = KINDS[name][0].partition(b"\r\n")
        sent += head + b"\r\nX-Request-ID: number-%d\r\n" % number + rest
    with front.connect() as connection:
        for start in range(0, len(sent), cut * 100):
            connection.sendall(sent[start : start + cut * 100])
        answers = read_answers(connection, len(names))
    assert [status for status, _, _ in answers] == [KINDS[name][1] for name in names]
    assert [headers["x-request-id"] for _, headers, _ in answers] == [f"number-{i}" for i in range(len(names))]


def test_hundreds_of_requests_in_one_write_are_all_answered(front):
    with front.connect() as connection:
        connection.sendall(b"".join(request_of(b'{"x": %d}' % (i % 1000)) for i in range(700)))
        answers = read_answers(connection, 700)
    assert [json.loads(raw)["y"] for _, _, raw in answers] == [2 * (i % 1000) + 0.5 for i in range(700)]


# What is no request


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00garbage", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : localhost\r\nA\r\n\r\n", id="a broken header"),
        pytest.param(request_of(b"{}", Content_Length="+2"), id="a signed length"),
        pytest.param(request_of(b"{}", Content_Length="2, 2"), id="two lengths"),
        pytest.param(request_of(b"{}", Transfer_Encoding="chunked"), id="a length and chunks"),
        pytest.param(
            request_of(b"", Content_Length=None, Transfer_Encoding="chunked") + b"ZZ\r\n", id="a broken chunk"
        ),
    ],
)
def test_what_is_no_http_is_400_and_ends_the_connection(front, sent):
    with front.connect() as connection:
        connection.sendall(sent)
        status, headers, raw = read_answers(connection, 1)[0]
        assert (status, headers["connection"], json.loads(raw)["code"]) == (400, "close", "bad_request")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
            "the address and the headers have more than 65536 bytes all together",
            id="one header",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nA: " + b"b" * (2 * MAX_HEAD_BYTES), "more than 65536 bytes", id="without an end"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
            "the request has 101 headers; at most 100 are allowed",
            id="too many",
        ),
        pytest.param(
            request_of(b"", Content_Length=None, Transfer_Encoding="chunked")
            + b'8\r\n{"x": 1}\r\n0\r\n'
            + b"A: b\r\n" * (MAX_HEADERS + 5),
            "more than 100 trailers",
            id="trailers",
        ),
    ],
)
def test_headers_that_are_too_large_or_too_many_are_refused_with_what_is_allowed(front, sent, said):
    with front.connect() as connection:
        connection.sendall(sent)
        status, headers, raw = read_answers(connection, 1)[0]
        problem = json.loads(raw)
        assert (status, headers["connection"], problem["code"]) == (431, "close", "headers_too_large")
        assert said in problem["detail"]


def test_a_caller_of_http_1_0_is_answered_and_the_connection_ends(front):
    with front.connect() as connection:
        connection.sendall(request_of(b'{"x": 1}').replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, headers, _ = read_answers(connection, 1)[0]
        assert (status, headers["connection"]) == (200, "close")
        assert connection.recv(1) == b""


# What it stands on


def test_uvicorn_has_what_the_protocol_relies_on():
    """Each name below is used, overridden or imitated; a version of uvicorn without it needs another look."""
    called = {"on_message_begin", "on_headers_complete", "on_body", "on_message_complete", "on_response_complete"}
    called |= {"connection_made", "connection_lost", "data_received", "shutdown", "send_400_response"}
    called |= {"pause_writing", "resume_writing", "on_url", "on_header", "_start_asgi_task"}
    assert called <= set(vars(HttpToolsProtocol))
    source = inspect.getsource(HttpToolsProtocol)
    for attribute in ("pipeline", "cycle", "flow", "connections", "scope", "app_state", "root_path", "asgi_version"):
        assert f"self.{attribute}" in source
    looked_at = ("response_complete", "disconnected", "keep_alive", "message_event")
    assert all(f"self.cycle.{name}" in source for name in looked_at)
    assert all(hasattr(PlainRequest, name) for name in looked_at)
    assert set(inspect.signature(RequestResponseCycle).parameters) == {
        *("scope", "transport", "flow", "logger", "access_logger", "access_log", "default_headers", "message_event"),
        *("expect_100_continue", "keep_alive", "on_response"),
    }
