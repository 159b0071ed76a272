"""Answers that come before a body has been read, bodies that do not come whole, and what is no request."""

import http.client
import json
import socket
import urllib.error
import urllib.request

import pytest
from attacking import ask
from fronts import read_answers, request_of

PREDICT = "/api/models/double_model/predict"
JSON = {"content-type": "application/json"}
KINDS = {
    404: ("POST", "/api/models/nothing/predict", JSON),
    405: ("PUT", PREDICT, JSON),
    415: ("POST", PREDICT, {"content-type": "text/plain"}),
    422: ("POST", PREDICT, JSON),
}


@pytest.mark.parametrize("size", [1000, 20_000, 300_000, 5_000_000])
@pytest.mark.parametrize("status", KINDS)
def test_an_error_leaves_its_connection_fit_for_use_or_says_that_it_ends(server, status, size):
    method, path, headers = KINDS[status]
    body = b'{"x": "' + b"1" * (size - 9) + b'"}'
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(10):  # where the end is announced, the client connects again by itself
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["status"]) == (status, status)
    connection.request("POST", PREDICT, b'{"x": 1}', JSON)
    assert json.loads(connection.getresponse().read()) == {"y": 2}
    connection.close()


@pytest.mark.parametrize("size", [16 * 1024 * 1024 + 1, 40_000_000])
def test_a_body_that_is_too_large_is_told_to_those_who_send_all_of_it_first(server, size):
    body = b" " * size
    assert ask(server.port, "POST", PREDICT, body)[0] == 413
    request = urllib.request.Request(f"{server.url}{PREDICT}", body, JSON)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    with caught.value as answer:
        assert (answer.status, json.load(answer)["code"]) == (413, "payload_too_large")
    with pytest.raises(urllib.error.HTTPError, match="413"):  # without a length it is sent in chunks
        urllib.request.urlopen(urllib.request.Request(request.full_url, iter([body]), JSON), timeout=60)


@pytest.mark.parametrize(
    ("path", "length", "said"),
    [
        pytest.param(PREDICT, 8, b"HTTP/1.1 100 Continue\r\n", id="plain"),
        pytest.param("/api/models/nothing/predict", 8, b"HTTP/1.1 100 Continue\r\n", id="for Flask"),
        pytest.param(PREDICT, 20_000_000, b"HTTP/1.1 413 ", id="too large"),
    ],
)
def test_who_asks_before_sending_a_body_is_answered_at_once(server, path, length, said):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request_of(b"", path, Content_Length=str(length), Expect="100-continue"))
        assert connection.recv(65536).startswith(said)  # and not a byte of the body has been sent
        if length == 8:
            connection.sendall(b'{"x": 1}')
            assert read_answers(connection, 1)[0][0] == (200 if path == PREDICT else 404)


CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked"}


@pytest.mark.parametrize("accept", ["*/*", "application/json;q=1"], ids=["plain", "for Flask"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b'{"x": 1}', {"Content_Length": "500"}, id="shorter than it says"),
        pytest.param(b'[{"x": 1},{"x"', {"Content_Length": "500"}, id="cut"),
        pytest.param(b'8\r\n{"x": 1}\r\n', CHUNKED, id="without its last chunk"),
    ],
)
def test_a_body_that_ends_before_its_end_is_not_predicted(server, accept, body, headers):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request_of(b"", Accept=accept, **headers) + body)
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while part := connection.recv(65536):
            said += part
    assert b"200 OK" not in said


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"M" * 100_000 + b" / HTTP/1.1", id="method"),
        pytest.param(b"GET /" + b"p" * 60_000 + b" HTTP/1.1", id="path"),
        pytest.param(b"POST /api/models/" + b"m" * 60_000 + b"/predict HTTP/1.1", id="name of a model"),
    ],
)
def test_what_is_long_in_a_request_is_not_long_in_the_log(server, line):
    known = len(server.log.read_text().splitlines())
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(line + b"\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert connection.recv(65536)[9:10] == b"4"
    mark = f"after-{known}"
    ask(server.port, "GET", "/health/live", x_request_id=mark)
    lines = server.wait_for_log(mark).splitlines()[known:]
    assert any('"status":4' in each for each in lines)
    assert max(map(len, lines)) < 1000
